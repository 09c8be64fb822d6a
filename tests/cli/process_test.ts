/** The command line as processes: exit codes, streams and pipes as a shell sees them. */
import assert from "node:assert/strict";
import { PROBLEMS } from "../../mod/base/problem.ts";
import { pentad, type Ran, withDaemon } from "./world.ts";

function refusedWith(ran: Ran, code: keyof typeof PROBLEMS): void {
  assert.equal(ran.code, PROBLEMS[code].exit, ran.err);
  assert.equal(ran.out, "");
  const parts = /^error: (.+)\n {2}why {4}(.+)\n {2}fix {4}(.+)\n {2}code {3}(.+)\n$/.exec(ran.err);
  assert.ok(parts, ran.err);
  assert.equal(parts[1], PROBLEMS[code].title);
  assert.equal(parts[3], PROBLEMS[code].remedy);
  assert.equal(parts[4], code);
}

Deno.test("status: 0 when all is well, 3 degraded, 4 without quorum, 5 without a daemon", async () => {
  await withDaemon(async ({ node, pentad, stop }) => {
    const well = await pentad(["status"]);
    assert.equal(well.code, 0, well.err);
    assert.match(well.out, /^prod-a {3}quorate 3 of 3 votes, needs 2 {3}armed: softdog/);
    assert.equal(well.err, "");
    const healthy = node.document;
    node.document = { ...healthy, armed: false, watchdog: "no watchdog" };
    assert.equal((await pentad(["status"])).code, 3);
    node.document = { ...healthy, quorate: false };
    const alone = await pentad(["status", "--json"]);
    assert.equal(alone.code, 4);
    assert.deepEqual(JSON.parse(alone.out), node.document);
    await stop();
    refusedWith(await pentad(["status"]), "node.unreachable");
  });
});

Deno.test("config get and set carry bytes through pipes unchanged", async () => {
  await withDaemon(async ({ node, pentad }) => {
    const bytes = Uint8Array.from({ length: 300_000 }, (_, at) => at % 128);
    const set = await pentad(["config", "set", "a/b c", "-"], bytes);
    assert.equal(set.code, 0, set.err);
    assert.match(set.err, /^committed txn_id=0x[0-9a-f]+, version \d+\n$/);
    assert.deepEqual(node.read("a/b c"), bytes);
    const get = await pentad(["config", "get", "a/b c"]);
    assert.deepEqual(new TextEncoder().encode(get.out), bytes);
    const large = await pentad(["config", "set", "x"], new Uint8Array(3_000_000));
    refusedWith(large, "config.too-large");
    assert.equal(node.entry("x"), null);
  });
});

Deno.test("daemon: a settings file with a typing error, none, a directory and a device", async () => {
  const directory = Deno.makeTempDirSync();
  try {
    const path = `${directory}/settings.json`;
    Deno.writeTextFileSync(path, `{\n  "name": "nodeA",\n  "lnks": []\n}\n`);
    const mistyped = await pentad(["daemon", "--settings", path]);
    refusedWith(mistyped, "settings.invalid");
    assert.match(
      mistyped.err,
      /settings\.json" line 3: unknown key "lnks"; did you mean "links"\?/,
    );
    for (
      const [file, why] of [
        [`${directory}/none`, /is not there/],
        [directory, /is a directory/],
        ["/dev/zero", /is longer than/],
      ] as const
    ) {
      const ran = await pentad(["daemon", "--settings", file]);
      refusedWith(ran, "settings.unreadable");
      assert.match(ran.err, why);
    }
  } finally {
    Deno.removeSync(directory, { recursive: true });
  }
});

Deno.test("wrong usage is 2 with one suggestion, and says nothing on standard output", async () => {
  const ran = await pentad(["stauts"]);
  refusedWith(ran, "cli.usage");
  assert.match(ran.err, /unknown command "stauts", did you mean "status"\?/);
});

Deno.test("a full disk under standard output is told, a reader that leaves is not", async () => {
  await withDaemon(async ({ socket }) => {
    const main = new URL("../../main.ts", import.meta.url).pathname;
    const shell = async (script: string) => {
      const run = `"${Deno.execPath()}" run -A --quiet --no-check "${main}"`;
      const { code, stderr } = await new Deno.Command("sh", {
        args: ["-c", script.replaceAll("pentad", run).replaceAll("SOCKET", socket)],
        stdout: "null",
        stderr: "piped",
      }).output();
      return { code, out: "", err: new TextDecoder().decode(stderr) };
    };
    refusedWith(await shell("pentad status --socket SOCKET > /dev/full"), "cli.output");
    const left = await shell(
      "(pentad completion bash --socket SOCKET; echo $? >&2) | true",
    );
    assert.equal(left.err, "0\n");
    // With nobody to complain to, the exit code still tells.
    assert.equal((await shell("pentad stauts 2>&-")).code, 2);
  });
});

Deno.test("events -f prints as it happens and ends with 5 when the daemon goes", async () => {
  await withDaemon(async ({ node, socket, stop }) => {
    node.say("one");
    const main = new URL("../../main.ts", import.meta.url).pathname;
    const child = new Deno.Command(Deno.execPath(), {
      args: ["run", "-A", "--quiet", "--no-check", main, "events", "-f", "--socket", socket],
      stdout: "piped",
      stderr: "piped",
    }).spawn();
    const reader = child.stdout.pipeThrough(new TextDecoderStream()).getReader();
    assert.match((await reader.read()).value ?? "", /heartbeat one\n$/);
    node.say("two");
    assert.match((await reader.read()).value ?? "", /heartbeat two\n$/);
    await stop();
    assert.equal((await reader.read()).done, true);
    const err = await new Response(child.stderr).text();
    const { code } = await child.status;
    refusedWith({ code, out: "", err }, "node.unreachable");
    assert.match(err, /the conversation ended; its last line was [0-9a-f]+\.2/);
  });
});
