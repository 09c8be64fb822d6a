/** Units of systemd: against a stand-in with the words of systemctl 252, and the real one. */
import assert from "node:assert/strict";
import { resourceId } from "../../mod/base/id.ts";
import { boottime } from "../../mod/host/ffi/pidfd.ts";
import { pause } from "../../mod/host/linux/process_hunt.ts";
import type { SystemdAction } from "../../mod/ha/agents/action.ts";
import { AgentNode, must } from "./agent_world.ts";

const ID = resourceId("systemd:web");
const ACTION: SystemdAction = { kind: "systemd", unit: "web.service" };

/** Keeps the unit's state in files beside itself, and writes down what it is asked. */
const STAND_IN = `#!/bin/sh
here=\${0%/*}
echo "$*" >>"$here/asked"
active=$(cat "$here/active"); load=$(cat "$here/load" 2>/dev/null || echo loaded)
file=$(cat "$here/file" 2>/dev/null || echo disabled)
[ ! -f "$here/offline" ] || {
  echo "System has not been booted with systemd as init system (PID 1). Can't operate." >&2
  echo "Failed to connect to bus: Host is down" >&2; exit 1; }
case " $* " in
*" show "*Load*)
  printf 'Result=success\\nLoadState=%s\\nActiveState=%s\\nSubState=%s\\nUnitFileState=%s\\n' \\
    "$load" "$active" "$([ $active = active ] && echo running || echo dead)" "$file" ;;
*" show "*) echo "ActiveState=$active" ;;
*" start "*)
  [ ! -f "$here/fails" ] || {
    echo "Job for web.service failed because the control process exited with error code." >&2
    exit 1; }
  echo active >"$here/active" ;;
*" stop --no-block "*) ;;
*" kill "*) ;;
*" stop "*) echo inactive >"$here/active" ;;
esac
`;

interface Unit {
  readonly node: AgentNode;
  set(name: string, text: string | null): void;
  active(): string;
  asked(): string[];
}

async function withUnit(body: (unit: Unit) => Promise<void>): Promise<void> {
  const node = new AgentNode([], "/nonexistent");
  const folder = `${node.folder}/stand-ins`;
  Deno.mkdirSync(folder);
  Deno.writeTextFileSync(`${folder}/systemctl`, STAND_IN, { mode: 0o755 });
  const set = (name: string, text: string | null) =>
    text === null
      ? Deno.removeSync(`${folder}/${name}`)
      : Deno.writeTextFileSync(`${folder}/${name}`, text);
  const read = (name: string) => Deno.readTextFileSync(`${folder}/${name}`).trim();
  set("active", "inactive\n");
  try {
    node.boot();
    await body({ node, set, active: () => read("active"), asked: () => read("asked").split("\n") });
  } finally {
    await node.close();
  }
}

Deno.test("a unit is started, watched and stopped through systemctl", async () => {
  await withUnit(async ({ node, set, active, asked }) => {
    assert.deepEqual(await node.health(ID, ACTION), { state: "stopped" });
    assert.equal((await node.start(ID, ACTION)).failure, null);
    assert.equal(active(), "active");
    assert.deepEqual(await node.health(ID, ACTION), { state: "running" });
    assert.deepEqual(await node.list(), [ID]);
    set("active", "failed\n");
    assert.equal((await node.health(ID, ACTION)).state, "failed");
    assert.equal((await node.stop(ID)).failure, null);
    assert.equal(active(), "inactive");
    assert.deepEqual(node.held(), []);
    assert.ok(asked().includes("--no-ask-password start -- web.service"));
  });
});

for (
  const [what, set, words] of [
    ["is not there", ["load", "not-found"], /the unit "web.service" is not-found/],
    ["is masked", ["load", "masked"], /is masked/],
    ["is enabled", ["file", "enabled"], /would start it at boot.*systemctl disable web.service/],
    ["cannot be asked about", ["offline", ""], /systemd does not answer here: Failed to connect/],
  ] as const
) {
  Deno.test(`a unit that ${what} is started on no node like this one`, async () => {
    await withUnit(async (unit) => {
      unit.set(set[0], set[1]);
      const { failure, scope } = await unit.node.start(ID, ACTION);
      assert.match(failure ?? "", words);
      assert.equal(scope, "node");
      assert.equal(unit.active(), "inactive");
      assert.deepEqual(unit.node.held(), []);
      unit.set(set[0], null);
    });
  });
}

Deno.test("a unit that does not start is told with systemd's words", async () => {
  await withUnit(async ({ node, set }) => {
    set("fails", "");
    const { failure, scope } = await node.start(ID, ACTION);
    assert.match(failure ?? "", /Job for web.service failed because the control process/);
    assert.equal(scope, "once");
    assert.equal((await node.stop(ID)).failure, null);
  });
});

Deno.test("the keeper ends a unit when the guard ends, though the daemon hangs", async () => {
  await withUnit(async ({ node, active, asked }) => {
    assert.equal((await node.start(ID, ACTION)).failure, null);
    await node.guard(boottime() + 300);
    await node.list();
    node.signal("SIGSTOP");
    while (active() !== "inactive" || node.held().length > 0) await pause(20);
    node.signal("SIGCONT");
    const end = asked().filter((line) => /stop|kill/.test(line));
    assert.deepEqual(end.slice(0, 3), [
      "stop --no-block -- web.service",
      "kill --signal=SIGKILL -- web.service",
      "stop -- web.service",
    ]);
  });
});

const REAL = systemdRuns();
if (!REAL) console.log("skipped: systemd does not run here");

function systemdRuns(): boolean {
  try {
    return Deno.uid() === 0 && Deno.statSync("/run/systemd/system").isDirectory;
  } catch {
    return false;
  }
}

Deno.test({
  name: "a unit of the systemd that runs here is started, watched and ended",
  ignore: !REAL,
  fn: async () => {
    const unit = `pentad-test-${Deno.pid}.service`;
    const path = `/run/systemd/system/${unit}`;
    Deno.writeTextFileSync(path, "[Service]\nExecStart=/bin/sleep 1000\nRestart=always\n");
    const node = new AgentNode();
    try {
      await must("systemctl", "daemon-reload");
      const action: SystemdAction = { kind: "systemd", unit };
      node.boot();
      assert.equal((await node.start(ID, action)).failure, null);
      assert.deepEqual(await node.health(ID, action), { state: "running" });
      assert.equal((await node.killAll()).failure, null);
      assert.deepEqual(await node.health(ID, action), { state: "stopped" });
    } finally {
      await node.close();
      Deno.removeSync(path);
      await must("systemctl", "daemon-reload");
    }
  },
});
