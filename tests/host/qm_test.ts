/** A Proxmox VE host as its agents see it: a stand-in for `qm` that runs a process for each machine. */
import assert from "node:assert/strict";
import { resourceId } from "../../mod/base/id.ts";
import { boottime } from "../../mod/host/ffi/pidfd.ts";
import { nameOf } from "./process_world.ts";
import { pause } from "../../mod/host/linux/process_hunt.ts";
import type { VmAction } from "../../mod/ha/agents/action.ts";
import { AgentNode } from "./agent_world.ts";
import { gone } from "./process_world.ts";

const MISSING = Deno.uid() === 0 ? null : "not root";
if (MISSING !== null) console.log(`skipped: qm: ${MISSING}`);

/** A number that no machine of this host has. */
const VMID = 990_000_000 + Deno.pid % 1_000_000;
const VM = resourceId(`vm:${VMID}`);
const PIDS = "/run/qemu-server";
const PID_FILE = `${PIDS}/${VMID}.pid`;
const ACTION: VmAction = {
  ...{ kind: "vm", vmid: VMID, by: null, remarks: [] },
  // What Proxmox VE can read and nobody else: it is not looked at here.
  file: { node: "nodeA", text: "scsi0: local-lvm:vm-1-disk-0\n" },
};

/** `$0.mode` says how it behaves: empty, `hands` (on to pve-ha-manager), `broken`. */
const STAND_IN = `#!/bin/sh
mode=$(cat "$0.mode" 2>/dev/null); file=${PIDS}/$2.pid
runs() { [ -f "$file" ] && kill -0 "$(cat "$file")" 2>/dev/null; }
[ "$mode" = broken ] && { echo "ipcc_send_rec failed: Connection refused" >&2; exit 111; }
case $1 in
status) if runs; then echo "status: running"; echo "qmpstatus: $(cat "$0.qmp" 2>/dev/null || echo running)"
  else echo "status: stopped"; echo "qmpstatus: stopped"; fi ;;
start) [ "$mode" = hands ] && { echo "Requesting HA start for VM $2"; exit 0; }
  setsid sh -c 'while :; do sleep 1; done' kvm -id "$2" -name x >/dev/null 2>&1 </dev/null &
  echo $! >"$file" ;;
shutdown) [ "$mode" = deaf ] && { echo "VM quit/powerdown failed" >&2; exit 255; }
  kill -KILL "$(cat "$file")"; while runs; do sleep 0.02; done; rm -f "$file" ;;
esac
`;

function test(name: string, body: (node: AgentNode, qm: string) => Promise<void>): void {
  Deno.test({
    name,
    ignore: MISSING !== null,
    fn: async () => {
      const node = new AgentNode();
      const made = !exists(PIDS);
      Deno.mkdirSync(PIDS, { recursive: true });
      Deno.mkdirSync(`${node.folder}/stand-ins`);
      const qm = `${node.folder}/stand-ins/qm`;
      Deno.writeTextFileSync(qm, STAND_IN, { mode: 0o755 });
      try {
        await body(node.boot(), qm);
      } finally {
        await node.close();
        if (exists(PID_FILE)) Deno.removeSync(PID_FILE);
        if (made) Deno.removeSync(PIDS);
      }
    },
  });
}

function exists(path: string): boolean {
  try {
    return Deno.statSync(path) !== null;
  } catch {
    return false;
  }
}

function machine() {
  return nameOf(Number(Deno.readTextFileSync(PID_FILE)));
}

test("where there is qm it starts the machine, shows its state and stops it", async (node, qm) => {
  assert.equal((await node.start(VM, ACTION)).failure, null);
  assert.deepEqual(await node.health(VM, ACTION), { state: "running", why: "" });
  Deno.writeTextFileSync(`${qm}.qmp`, "internal-error");
  const halted = await node.health(VM, ACTION);
  assert.equal(halted.state, "failed");
  Deno.removeSync(`${qm}.qmp`);
  const process = machine();
  await node.crash();
  node.boot();
  assert.deepEqual(await node.list(), [VM]);
  Deno.writeTextFileSync(`${qm}.mode`, "deaf");
  assert.match((await node.stop(VM)).failure ?? "", /qm shutdown: it ended with 255: VM quit/);
  Deno.removeSync(`${qm}.mode`);
  assert.equal((await node.stop(VM)).failure, null);
  await gone(process);
  assert.deepEqual(await node.list(), []);
});

test(
  "a machine that runs already is taken over, and the keeper ends it without qm",
  async (node, qm) => {
    await new Deno.Command(qm, { args: ["start", String(VMID)] }).output();
    const process = machine();
    assert.equal((await node.start(VM, ACTION)).failure, null);
    assert.equal(machine().pid, process.pid);
    Deno.writeTextFileSync(`${qm}.mode`, "broken");
    await node.guard(boottime() + 300);
    await node.list();
    node.signal("SIGSTOP");
    await gone(process);
    while (node.held().length > 0) await pause(20);
    node.signal("SIGCONT");
  },
);

test(
  "a qm that hands the machine on, or does not answer, is no leave to start it beside it",
  async (node, qm) => {
    Deno.writeTextFileSync(`${qm}.mode`, "broken");
    const broken = await node.start(VM, ACTION);
    assert.match(broken.failure ?? "", /qm status: it ended with 111: ipcc_send_rec failed/);
    assert.equal(broken.scope, "node");
    assert.deepEqual(node.held(), []);
    Deno.writeTextFileSync(`${qm}.mode`, "hands");
    const handed = await node.start(VM, ACTION);
    assert.match(handed.failure ?? "", /does not run: pve-ha-manager has it/);
    assert.equal((await node.stop(VM)).failure, null);
    assert.deepEqual(await node.list(), []);
  },
);
