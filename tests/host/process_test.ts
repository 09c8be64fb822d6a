import assert from "node:assert/strict";
import { resourceId } from "../../mod/base/id.ts";
import { after, EPOCH } from "../../mod/base/time.ts";
import { boottime, signalProcess } from "../../mod/host/ffi/pidfd.ts";
import { ControlGroups } from "../../mod/host/linux/cgroup.ts";
import { isAlive, parseStat, readStat, valueOf } from "../../mod/host/linux/proc.ts";
import { pause } from "../../mod/host/linux/process_hunt.ts";
import { boundLog, readRecords, writeRecords } from "../../mod/host/linux/session.ts";
import type { ProcessHealth, ProcessSpec } from "../../mod/host/ports.ts";
import { processSuite } from "../contract/process_suite.ts";
import { commands, LinuxProcessWorld, STUBBORN, UNMARKED } from "./process_world.ts";

processSuite("LinuxProcessPort", () => new LinuxProcessWorld());

const WEB = resourceId("exec:web");
/** Without control groups (not root, no cgroup2) a child without any mark is nobody's. */
const GROUPS = madeGroups();
if (!GROUPS) console.log("skipped: no control group can be made here");

function madeGroups(): boolean {
  const groups = ControlGroups.of(`test-${crypto.randomUUID()}`, "resource");
  groups?.remove();
  return groups !== null;
}

async function withWorld(body: (world: LinuxProcessWorld) => Promise<void>): Promise<void> {
  const world = new LinuxProcessWorld();
  try {
    world.port().guardUntil(after(boottime(), 600_000));
    await body(world);
  } finally {
    await world.close();
  }
}

function start(
  world: LinuxProcessWorld,
  command: readonly string[],
  more: Partial<ProcessSpec> = {},
) {
  const spec = { id: WEB, command, environment: {}, directory: null, ...more };
  return new Promise<string | null>((done) => world.port().start(spec, done));
}

function monitor(world: LinuxProcessWorld, command: readonly string[] | null, timeoutMs = 10_000) {
  const ask = { id: WEB, command, timeoutMs };
  return new Promise<ProcessHealth>((done) => world.port().monitor(ask, done));
}

/** A resource whose processes can be told from all others on this host. */
function marked(script: string): { readonly script: string; readonly mark: string } {
  const mark = `1${Date.now() % 1e8}${Math.floor(Math.random() * 1000)}`;
  return { script: script.replaceAll("1000", mark), mark: `sleep ${mark}` };
}

/** Starts `what`, waits for its shell and `children`, ends it by `end`, and sees that all are gone. */
async function endsAll(
  what: { readonly script: string; readonly children: number },
  end: (world: LinuxProcessWorld) => Promise<string | null>,
): Promise<void> {
  await withWorld(async (world) => {
    const { script, mark } = marked(what.script);
    assert.equal(await start(world, ["/bin/sh", "-c", script]), null);
    const found = await commands(mark, 1 + what.children);
    assert.equal(await end(world), null);
    for (const each of found) assert.equal(isAlive(each), false, `${each.pid} is gone`);
    assert.deepEqual(world.marked().map(({ pid }) => pid), [world.keeper().process?.pid]);
  });
}

function stop(world: LinuxProcessWorld): Promise<string | null> {
  return new Promise((done) => world.port().stop(WEB, 50, done));
}

function killAll(world: LinuxProcessWorld): Promise<string | null> {
  return new Promise((done) => world.port().killAll(done));
}

for (const [name, end] of Object.entries({ stop, killAll })) {
  Deno.test(`LinuxProcessPort.${name}() ends children that called setsid and ignore SIGTERM`, async () => {
    await endsAll({ script: STUBBORN, children: 2 }, end);
  });

  Deno.test({
    name: `LinuxProcessPort.${name}() ends a child without parent, session or environment of ours`,
    ignore: !GROUPS,
    fn: () => endsAll({ script: UNMARKED, children: 3 }, end),
  });
}

Deno.test({
  name: "the keeper ends a child without any mark when the guard ends",
  ignore: !GROUPS,
  fn: () =>
    endsAll({ script: UNMARKED, children: 3 }, async (world) => {
      const ended = new Promise((done) => world.port().onExit(done));
      world.port().guardUntil(EPOCH);
      await ended;
      return await killAll(world);
    }),
});

Deno.test("what is started does not inherit how its daemon is treated where memory runs out", async () => {
  const own = "/proc/self/oom_score_adj";
  const before = Deno.readTextFileSync(own);
  await withWorld(async (world) => {
    const ended = new Promise<string>((done) => world.port().onExit((_, how) => done(how)));
    // Less than before would need a right that not everybody has.
    Deno.writeTextFileSync(own, "300");
    const script = `test "$(cat ${own})" = 0 && exit 7`;
    assert.equal(await start(world, ["/bin/sh", "-c", script]), null);
    assert.equal(await ended, "ended with 7");
  }).finally(() => Deno.writeTextFileSync(own, before));
});

Deno.test("what is started is not told what the one file tells its own runtime", async () => {
  const own = { DENO_DIR: "/d", DENO_NO_UPDATE_CHECK: "1", PENTAD_FILE: "/f" };
  const others = { ...own, PENTAD_FILE: "" };
  for (const [given, wanted] of [[own, "none none none"], [others, "/d 1 "]] as const) {
    const before = Object.keys(given).map((name) => [name, Deno.env.get(name)] as const);
    for (const [name, value] of Object.entries(given)) Deno.env.set(name, value);
    await withWorld(async (world) => {
      const ended = new Promise<string>((done) => world.port().onExit((_, how) => done(how)));
      const said = Object.keys(given).map((name) => `\${${name}-none}`).join(" ");
      const script = `test "${said}" = "${wanted}" && exit 7`;
      assert.equal(await start(world, ["/bin/sh", "-c", script]), null);
      assert.equal(await ended, "ended with 7");
    }).finally(() => {
      for (const [name, value] of before) {
        if (value === undefined) Deno.env.delete(name);
        else Deno.env.set(name, value);
      }
    });
  }
});

Deno.test("LinuxProcessPort.start() says why not, and refuses without a guard", async () => {
  const world = new LinuxProcessWorld();
  try {
    assert.match(await start(world, ["sleep", "1000"]) ?? "", /guard/);
    world.port().guardUntil(after(boottime(), 600_000));
    assert.match(await start(world, ["/nonexistent/program"]) ?? "", /nonexistent/);
    assert.match(await start(world, ["sleep", "9"], { directory: "/nonexistent" }) ?? "", /./);
    assert.deepEqual(await new Promise((done) => world.port().list(done)), []);
  } finally {
    await world.close();
  }
});

Deno.test("LinuxProcessPort.start() refuses while anything of the former life is left", async () => {
  await withWorld(async (world) => {
    const ended = new Promise<string>((done) => world.port().onExit((_, how) => done(how)));
    const mark = `1${Date.now() % 1e8}78`;
    assert.equal(await start(world, ["/bin/sh", "-c", `sleep ${mark} & exit 5`]), null);
    assert.equal(await ended, "ended with 5");
    await commands(`sleep ${mark}`, 1);
    assert.equal((await monitor(world, null)).state, "failed");
    assert.match(await start(world, ["sleep", "1000"]) ?? "", /still runs/);
    assert.equal(await new Promise((done) => world.port().stop(WEB, 1000, done)), null);
    assert.equal(await start(world, ["sleep", "1000"]), null);
  });
});

Deno.test("LinuxProcessPort.monitor() runs the command, and ends one that hangs", async () => {
  await withWorld(async (world) => {
    assert.equal(
      await start(world, ["/bin/sh", "-c", "echo out; echo err >&2; exec sleep 1000"]),
      null,
    );
    assert.deepEqual(await monitor(world, ["true"]), { state: "running" });
    const bad = await monitor(world, ["sh", "-c", "exit 7"]);
    assert.deepEqual(bad, { state: "failed", why: "The monitor command ended with 7" });
    const mark = `1${Date.now() % 1e8}79`;
    const late = await monitor(world, ["sh", "-c", `setsid sleep ${mark} & sleep ${mark}`], 300);
    assert.equal(late.state, "failed");
    assert.equal(world.marked().length, 2, "keeper and resource");
    const log = Deno.readTextFileSync(`${world.folder}/logs/${WEB}.log`);
    assert.equal(log, "out\nerr\n");
  });
});

Deno.test("LinuxProcessPort tells how an adopted resource ended", async () => {
  await withWorld(async (world) => {
    assert.equal(await start(world, world.lasting), null);
    await world.crash();
    const ended = new Promise<string>((done) => world.port().onExit((id) => done(id)));
    const [main] = readRecords(`${world.folder}/resources.json`);
    assert.ok(main !== undefined);
    assert.ok(signalProcess(main.main.pid, 9, () => true));
    assert.equal(await ended, WEB);
  });
});

Deno.test("LinuxProcessPort adopts by the environment where the list is lost or hostile", async () => {
  for (const text of [null, "{", '{"format":1,"resources":[{"id":"x","pid":-1}]}']) {
    await withWorld(async (world) => {
      assert.equal(await start(world, world.lasting), null);
      await world.crash();
      const path = `${world.folder}/resources.json`;
      if (text === null) Deno.removeSync(path);
      else Deno.writeTextFileSync(path, text);
      assert.deepEqual(await monitor(world, null), { state: "running" });
    });
  }
});

Deno.test("readRecords() leaves out what another boot of the host wrote", () => {
  const path = Deno.makeTempFileSync();
  writeRecords(path, [{ id: WEB, main: { pid: 77, start: 5 } }]);
  assert.deepEqual(readRecords(path), [{ id: WEB, main: { pid: 77, start: 5 } }]);
  const other = Deno.readTextFileSync(path).replace(/"boot":"[^"]*"/, '"boot":"other"');
  Deno.writeTextFileSync(path, other);
  assert.deepEqual(readRecords(path), []);
  Deno.removeSync(path);
});

Deno.test("boundLog() keeps the end of a log that is too long", () => {
  const folder = Deno.makeTempDirSync();
  const path = `${folder}/x.log`;
  Deno.writeTextFileSync(path, "a".repeat(300 * 1024) + "end");
  boundLog(path);
  assert.equal(Deno.statSync(path).size, 0);
  assert.match(Deno.readTextFileSync(`${path}.1`), /^a{60000,}end$/);
  Deno.removeSync(folder, { recursive: true });
});

Deno.test("parseStat() reads names with spaces and parentheses, and takes no zombie", () => {
  const tail = "1 7 6 0 -1 4194560 43 0 1 0 0 0 0 0 20 0 1 0 958913 524288 33";
  const { pid, parent, session, start } = parseStat(`7 (a) b) S ${tail}`) ?? assert.fail();
  assert.deepEqual({ pid, parent, session, start }, {
    pid: 7,
    parent: 1,
    session: 6,
    start: 958913,
  });
  assert.equal(parseStat(`7 (x) Z ${tail}`), null);
  for (const bad of ["", "7", "7 (x", "7 (x) S", "7 (x) S 1 2 3"]) {
    assert.equal(parseStat(bad), null);
  }
});

Deno.test("valueOf() finds a variable at its beginning only", () => {
  assert.equal(valueOf("A=1\0B=t:x\0C=3", "B=t:"), "x");
  assert.equal(valueOf("XB=t:x\0B=t:y", "B=t:"), "y");
  assert.equal(valueOf("XB=t:x", "B=t:"), null);
});

Deno.test("signalProcess() signals nobody where the process is not the one meant", async () => {
  const child = new Deno.Command("sleep", { args: ["1000"] }).spawn();
  assert.equal(signalProcess(child.pid, 9, () => false), false);
  assert.equal(await Promise.race([child.status, pause(20)]), undefined);
  assert.equal(signalProcess(child.pid, 9, () => true), true);
  assert.equal((await child.status).signal, "SIGKILL");
});

Deno.test("what is about to be made is undone at the end of the guard, and once more when it was made", async () => {
  await withWorld(async (world) => {
    const trace = `${world.folder}/trace`;
    const command = ["/bin/sh", "-c", `echo undone >>${trace}`];
    const undo = [{ undo: "command", command, environment: {}, timeoutMs: 5000 }] as const;
    const held = { id: WEB, undo, note: "" };
    const port = world.port();
    assert.equal(await new Promise<string | null>((done) => port.hold(held, done)), null);
    port.guardUntil(EPOCH);
    const times = () => {
      try {
        return Deno.readTextFileSync(trace).split("\n").length - 1;
      } catch {
        return 0;
      }
    };
    while (times() < 2) {
      assert.equal(port.note(WEB), "", "it may still be made");
      await pause(10);
    }
    port.made(WEB);
    while (port.note(WEB) !== null) await pause(10);
  });
});

Deno.test("what a daemon was about to make when it died is undone and let go", async () => {
  await withWorld(async (world) => {
    const undo = [{
      undo: "command",
      command: ["true"],
      environment: {},
      timeoutMs: 5000,
    }] as const;
    const held = { id: WEB, undo, note: "" };
    const port = world.port();
    assert.equal(await new Promise<string | null>((done) => port.hold(held, done)), null);
    port.guardUntil(after(boottime(), 200));
    await new Promise((done) => port.list(done));
    await world.crash();
    while ([...Deno.readDirSync(`${world.folder}/held`)].length > 0) await pause(10);
  });
});

Deno.test("what is held and cannot be read is not taken for nothing", async () => {
  await withWorld(async (world) => {
    const port = world.port();
    await new Promise((done) => port.list(done));
    const path = `${world.folder}/held/${WEB}`;
    for (const text of ["", "{", "null", '{"format":1}', '{"format":9,"id":"exec:web"}']) {
      Deno.writeTextFileSync(path, text);
      assert.deepEqual(await new Promise((done) => port.list(done)), [WEB]);
      assert.match(await killAll(world) ?? "", /cannot be read/);
    }
    Deno.writeTextFileSync(path, '{"format":1,"id":"exec:web","boot":"another"}');
    assert.deepEqual(await new Promise((done) => port.list(done)), [], "of another boot");
    assert.equal(await killAll(world), null);
  });
});

/** A process in it is in state D: SIGKILL waits until it is thawed (cgroup v1). */
const FREEZER = "/sys/fs/cgroup/freezer";
const NO_FREEZER = freezerMissing();
if (NO_FREEZER !== null) console.log(`skipped: a process in state D: ${NO_FREEZER}`);

function freezerMissing(): string | null {
  try {
    const folder = `${FREEZER}/pentad-${crypto.randomUUID()}`;
    Deno.mkdirSync(folder);
    Deno.removeSync(folder);
    return null;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

Deno.test({
  name: "what others hold is undone at once, though a process of one resource hangs in the kernel",
  ignore: NO_FREEZER !== null,
  fn: () =>
    withWorld(async (world) => {
      const trace = `${world.folder}/trace`;
      const freezer = `${FREEZER}/pentad-${crypto.randomUUID()}`;
      const other = resourceId("ip:10.9.9.9");
      const command = ["/bin/sh", "-c", `echo undone >>${trace}`];
      const undo = [{ undo: "command", command, environment: {}, timeoutMs: 5000 }] as const;
      const port = world.port();
      const hold = { id: other, undo, note: "" };
      assert.equal(await new Promise<string | null>((done) => port.hold(hold, done)), null);
      port.made(other);
      assert.equal(await start(world, ["sleep", "1000"]), null);
      const pid = readRecords(`${world.folder}/resources.json`)[0]?.main.pid ?? 0;
      Deno.mkdirSync(freezer);
      try {
        Deno.writeTextFileSync(`${freezer}/cgroup.procs`, String(pid));
        Deno.writeTextFileSync(`${freezer}/freezer.state`, "FROZEN");
        while (Deno.readTextFileSync(`${freezer}/freezer.state`).trim() !== "FROZEN") {
          await pause(5);
        }
        const killed = killAll(world);
        const undone = (async () => {
          while (port.note(other) !== null) await pause(5);
          return "undone";
        })();
        assert.equal(await Promise.race([undone, killed.then((why) => why ?? "killed")]), "undone");
        assert.equal(Deno.readTextFileSync(trace), "undone\n");
        assert.notEqual(readStat(pid), null, "it hangs still");
        Deno.writeTextFileSync(`${freezer}/freezer.state`, "THAWED");
        assert.equal(await killed, null);
      } finally {
        Deno.writeTextFileSync(`${freezer}/freezer.state`, "THAWED");
        while (Deno.readTextFileSync(`${freezer}/cgroup.procs`) !== "") await pause(5);
        Deno.removeSync(freezer);
      }
    }),
});
