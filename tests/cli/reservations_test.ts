/** `storage reservations` and `storage check` on a file that stands in for a LUN. */
import assert from "node:assert/strict";
import { PROBLEMS } from "../../mod/base/problem.ts";
import { DiskProcessPort } from "../../mod/host/linux/disk_process.ts";
import type { DiskPort } from "../../mod/host/ports.ts";
import { cli, type Ran } from "./world.ts";

const WORKER = new URL("../host/disk_worker_main.ts", import.meta.url).pathname;

interface Bench {
  readonly lun: string;
  readonly port: DiskPort;
  run(...args: readonly string[]): Promise<Ran>;
}

function withLun(what: string, body: (bench: Bench) => Promise<void>): void {
  Deno.test(what, async () => {
    const folder = await Deno.makeTempDir({ prefix: "pentad-reservations-" });
    const lun = `${folder}/lun`;
    await Deno.writeFile(lun, new Uint8Array(64 * 4096));
    const port = new DiskProcessPort({ selfCommand: [Deno.execPath(), "run", "-A", WORKER] });
    try {
      await body({
        ...{ lun, port },
        run: (...args) => cli(["storage", ...args], { disks: port }),
      });
    } finally {
      await port.close();
      await Deno.remove(folder, { recursive: true });
    }
  });
}

function refused(ran: Ran, code: keyof typeof PROBLEMS, why: RegExp): void {
  assert.equal(ran.code, PROBLEMS[code].exit, ran.err);
  assert.match(ran.err, new RegExp(`code +${code.replaceAll(".", "\\.")}`));
  assert.match(ran.err, why);
}

withLun("storage reservations show prints what sg_persist would", async ({ lun, run }) => {
  const empty = await run("reservations", "show", lun);
  assert.equal(empty.code, 0, empty.err);
  assert.match(empty.out, /PR generation=0x0, there are NO registered reservation keys/);
  assert.match(empty.out, /PR generation=0x0, there is NO reservation held/);
  const made = await run("reservations", "register", lun, "--key", "0xA1");
  assert.equal(
    made.out,
    [
      "  PR generation=0x1, 1 registered reservation key follows:",
      "    0xa1",
      "  PR generation=0x1, there is NO reservation held",
      "",
    ].join("\n"),
  );
});

withLun("storage reservations asks for consent, and changes nothing without", async (bench) => {
  const { lun, port, run } = bench;
  const held = await new Promise<import("../../mod/host/ports.ts").Disk>((resolve, reject) =>
    port.open(lun, (disk) => "failure" in disk ? reject(new Error(disk.detail)) : resolve(disk))
  );
  const done = (failure: unknown) => assert.equal(failure, null);
  await new Promise<void>((next) => held.register("00000000000000b2", (end) => next(done(end))));
  await new Promise<void>((next) => held.reserve("00000000000000b2", 5, (end) => next(done(end))));
  const before = (await run("reservations", "show", lun, "--json")).out;
  const asks: readonly (readonly [string, RegExp])[] = [
    ["register --key a1", /--accept-risk=replace-key: 0xa1 replaces .* 0xb2/],
    ["register --key 0", /--accept-risk=unprotect: it takes this host's registration away/],
    ["reserve --key a1", /--accept-risk=lock-out: Write Exclusive, registrants only/],
    ["release --key a1", /--accept-risk=unprotect: the reservation \(Write Exclusive/],
    ["clear --key a1", /--accept-risk=unprotect: 1 registrations and the reservation end/],
    [
      "preempt --key a1 --victim b2",
      /--accept-risk=fence: 0xb2 loses 1 of 1 registrations.*0xa1 holds it from then on/,
    ],
  ];
  for (const [words, why] of asks) {
    const [verb = "", ...options] = words.split(" ");
    refused(await run("reservations", verb, lun, ...options), "storage.needs-consent", why);
    const wrong = await run("reservations", verb, lun, ...options, "--accept-risk", "everything");
    assert.equal(wrong.code, PROBLEMS["cli.usage"].exit);
  }
  assert.equal((await run("reservations", "show", lun, "--json")).out, before);
  // A command's own nexus is not registered: the file answers as a target would.
  const late = await run(
    ...["reservations", "preempt", lun, "--key", "a1", "--victim", "b2"],
    ...["--accept-risk", "fence"],
  );
  refused(late, "storage.conflict", /Not registered with this key/);
  held.close();
});

withLun("storage reservations refuses what is no key, type or disk", async ({ lun, run }) => {
  for (const key of ["", "g1", "0x", "12345678901234567"]) {
    assert.equal((await run("reservations", "register", lun, "--key", key)).code, 2, key);
  }
  assert.equal((await run("reservations", "reserve", lun, "--key", "1", "--type", "2")).code, 2);
  refused(await run("reservations", "show", `${lun}-gone`), "storage.unusable", /absent|look at/);
  const ports = ["--all-target-ports"];
  const flagged = await run("reservations", "register", lun, "--key", "a1", ...ports);
  refused(flagged, "storage.unsupported", /A file has no ports/);
});

withLun("storage check proves a LUN through two ways, and leaves nothing on it", async (bench) => {
  const { lun, run } = bench;
  const one = await run("check", lun, "--json");
  assert.equal(one.code, 3, one.err);
  const { verdict, steps } = JSON.parse(one.out);
  assert.equal(verdict, "unproven");
  assert.ok(steps.some(({ seen }: { seen: string }) => seen === "unseen"));
  const both = await run("check", lun, "--second", lun);
  assert.equal(both.code, 0, both.out + both.err);
  assert.match(both.out, /verdict: fences/);
  assert.match(both.out, /yes\tit refuses the writes of who was ejected\t/);
  const { keys, holder } = JSON.parse((await run("reservations", "show", lun, "--json")).out);
  assert.deepEqual({ keys, holder }, { keys: [], holder: null });
});

withLun("storage check touches no disk that somebody is registered on", async ({ lun, run }) => {
  await run("reservations", "register", lun, "--key", "a1");
  const before = (await run("reservations", "show", lun, "--json")).out;
  refused(await run("check", lun), "storage.in-use", /1 registrations are on it: 0x/);
  assert.equal((await run("reservations", "show", lun, "--json")).out, before);
});

Deno.test("storage commands tell a disk that does not answer, and go", async () => {
  const silent: DiskPort = { open: () => {} };
  const ran = await cli(["--wait", "1", "storage", "reservations", "show", "/dev/x"], {
    disks: silent,
  });
  assert.equal(ran.code, PROBLEMS["storage.hung"].exit);
  assert.match(ran.err, /no answer within 1 s/);
});
