import assert from "node:assert/strict";
import { DISK_ASK, encodeFrame } from "../../mod/host/linux/disk_frame.ts";
import { DiskProcessPort } from "../../mod/host/linux/disk_process.ts";
import { openWorkerDisk } from "../../mod/host/linux/device_disk.ts";
import { DirectFile } from "../../mod/host/linux/direct_io.ts";
import { LunFile } from "../../mod/host/linux/lun_file.ts";
import { FRESH, parseState, printState, register } from "../../mod/host/linux/lun_state.ts";
import type { Disk, DiskFailure } from "../../mod/host/ports.ts";
import { diskSuite, type DiskWorld } from "../contract/disk_suite.ts";

const MAIN = new URL("./disk_worker_main.ts", import.meta.url).pathname;
const SELF = [Deno.execPath(), "run", "-A", "--no-lock", MAIN];

function linuxWorld(): DiskWorld {
  const folder = Deno.makeTempDirSync({ prefix: "pentad-disk-" });
  const port = new DiskProcessPort({ selfCommand: SELF });
  let count = 0;
  return {
    port: () => port,
    makeDisk(sizeBytes) {
      const path = `${folder}/lun${count++}`;
      using file = Deno.openSync(path, { write: true, createNew: true });
      file.truncateSync(sizeBytes);
      return path;
    },
    settle: (answer) => answer,
    async close() {
      await port.close();
      await Deno.remove(folder, { recursive: true });
    },
  };
}

diskSuite("DiskProcessPort", linuxWorld);

function openDisk(world: DiskWorld, path: string): Promise<Disk> {
  return new Promise((resolve, reject) =>
    world.port(0).open(path, (result) => {
      if ("failure" in result) reject(new Error(result.detail));
      else resolve(result);
    })
  );
}

Deno.test("DiskProcessPort fails calls after the close, and opens again", async () => {
  const world = linuxWorld();
  const path = world.makeDisk(64 * 4096);
  const disk = await openDisk(world, path);
  const state = new Promise<unknown>((done) => disk.readReservations(done));
  disk.close();
  const late = new Promise<DiskFailure | null>((done) => disk.write(0, new Uint8Array(4096), done));
  assert.ok(((await state) as object) !== null);
  assert.equal((await late)?.failure, "io");
  const again = await openDisk(world, path);
  assert.equal(again.sizeBytes, 64 * 4096);
  again.close();
  await world.close();
});

Deno.test("DiskProcessPort answers a program that does not exist with a failure", async () => {
  const port = new DiskProcessPort({ selfCommand: ["/nonexistent/pentad"] });
  const result = await new Promise<Disk | DiskFailure>((done) => port.open("/tmp", done));
  assert.equal("failure" in result && result.failure, "io");
});

Deno.test("a disk process whose answer nobody reads any more ends without a word", async () => {
  const [program = "", ...args] = SELF;
  const options = { args, stdin: "piped", stdout: "piped", stderr: "piped" } as const;
  const child = new Deno.Command(program, options).spawn();
  await child.stdout.cancel();
  const writer = child.stdin.getWriter();
  await writer.write(
    encodeFrame(DISK_ASK, { tag: 1, call: { kind: "open", path: "/nonexistent" } }),
  );
  const said = new Response(child.stderr).text();
  assert.equal((await child.status).code, 0, await said);
  assert.equal(await said, "");
  await writer.close().catch(() => {});
});

Deno.test("LunFile refuses every command while its reservation state is not to be trusted", () => {
  const folder = Deno.makeTempDirSync({ prefix: "pentad-disk-" });
  const path = `${folder}/lun`;
  Deno.writeFileSync(path, new Uint8Array(16 * 4096));
  const lun = LunFile.open(path, "00000000000000ff");
  assert.ok(lun instanceof LunFile);
  const hostile = [
    "",
    "{",
    "null",
    "[]",
    '{"format":"pentad.reservations/1"}',
    printState({ ...FRESH, generation: -1 }),
    printState({ ...FRESH, holder: "00000000000000aa", type: 5 }),
    printState({ ...FRESH, registrations: [{ nexus: "a", key: "b" }] }),
    " ".repeat(100_000),
  ];
  for (const text of hostile) {
    Deno.writeTextFileSync(`${path}.reservations`, text);
    const failures = [
      lun.command({ kind: "reserve", key: "00000000000000a1", type: 5 }),
      lun.inspect(),
      lun.write(0, new Uint8Array(4096)),
      lun.readReservations(),
    ];
    for (const failure of failures) {
      assert.ok(failure !== null && "failure" in failure && failure.failure === "io", text);
    }
    assert.equal(Deno.readTextFileSync(`${path}.reservations`), text);
  }
  lun.close();
  Deno.removeSync(folder, { recursive: true });
});

Deno.test("openWorkerDisk() refuses a folder", () => {
  const folder = Deno.makeTempDirSync({ prefix: "pentad-disk-" });
  const result = openWorkerDisk(folder, "00000000000000ff");
  assert.equal("failure" in result && result.failure, "unsupported");
  Deno.removeSync(folder);
});

Deno.test("parseState() reads what printState() wrote", () => {
  const state = register(FRESH, "00000000000000ff", "00000000000000a1");
  assert.ok(!("failure" in state));
  assert.deepEqual(parseState(printState(state)), state);
});

Deno.test("DirectFile reads back what it wrote, and says whether it goes past the cache", () => {
  const folder = Deno.makeTempDirSync({ prefix: "pentad-disk-" });
  Deno.writeFileSync(`${folder}/disk`, new Uint8Array(8 * 4096));
  const file = DirectFile.open(`${folder}/disk`);
  assert.ok(file instanceof DirectFile);
  assert.equal(file.write(4096, new Uint8Array(4096).fill(9)), null);
  assert.deepEqual(file.read(4096, 4096), new Uint8Array(4096).fill(9));
  assert.equal(typeof file.direct, "boolean");
  file.close();
  Deno.removeSync(folder, { recursive: true });
});
