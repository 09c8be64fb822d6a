/** Live migration between real QEMUs: what goes over, what is refused, and what a crash leaves. */
import assert from "node:assert/strict";
import { resourceId } from "../../mod/base/id.ts";
import type { VmAction } from "../../mod/ha/agents/action.ts";
import type { Arrival } from "../../mod/ha/agents/migration.ts";
import { pause } from "../../mod/host/linux/process_hunt.ts";
import { AgentNode } from "./agent_world.ts";
import { type GUESTS, qemuMissing, writeGuest } from "./guests.ts";
import { commands, gone } from "./process_world.ts";

const MISSING = await qemuMissing();
if (MISSING !== null) console.log(`skipped: live migration: ${MISSING}`);

const VM = resourceId("vm:100");
const LIVE = 7;

/** Two nodes that see the same disk. */
class Pair {
  from = new AgentNode().boot();
  to = new AgentNode().boot();
  names = ["nodeA", "nodeB"] as const;
  readonly disk = Deno.makeTempFileSync({ prefix: "pentad-disk-" });

  machine(guest: keyof typeof GUESTS, ...lines: string[]): VmAction {
    writeGuest(this.disk, guest);
    const text = [
      ...["name: web", "memory: 32", "kvm: 0", "vga: none", "serial0: socket"],
      ...[`virtio0: ${this.disk},cache=none`, ...lines, ""],
    ].join("\n");
    return { kind: "vm", vmid: 100, file: { node: "nodeA", text }, by: null, remarks: [] };
  }

  /** From now on it goes the other way. */
  turn(): void {
    [this.from, this.to] = [this.to, this.from];
    this.names = [this.names[1], this.names[0]] as never;
  }

  /** The target's machine, halted, or why there is none. */
  async receive(action: VmAction, host = "127.0.0.1"): Promise<Arrival | string> {
    const [from, node] = this.names;
    const spec = { id: VM, node, action, timeoutMs: null };
    const on = { live: LIVE, from, host, boot: "b0" };
    const { failure, arrival } = await this.to.migrate({ kind: "receive", spec, on });
    return failure ?? arrival ?? "it says nothing";
  }

  async handOver(arrival: Arrival, boot = "b0"): Promise<string | null> {
    const to = { ...arrival, host: "127.0.0.1", boot };
    const { failure } = await this.from.migrate({ kind: "hand-over", id: VM, live: LIVE, to });
    return failure;
  }

  async resume(action: VmAction): Promise<string | null> {
    const [, node] = this.names;
    const file = { node, text: action.file?.text ?? "" };
    const spec = { id: VM, node, action: { ...action, file }, timeoutMs: null };
    const { failure } = await this.to.migrate({ kind: "resume", spec });
    return failure;
  }

  async close(): Promise<void> {
    await this.from.close();
    await this.to.close();
    Deno.removeSync(this.disk);
  }
}

function test(name: string, body: (pair: Pair) => Promise<void>): void {
  Deno.test({
    name,
    ignore: MISSING !== null,
    fn: async () => {
      const pair = new Pair();
      try {
        await body(pair);
      } finally {
        await pair.close();
      }
    },
  });
}

/** Locks that anybody (proc_locks(5) names no holder of an open file's lock) has on a file. */
function locksOf(path: string): number {
  const inode = Deno.statSync(path).ino;
  const lines = Deno.readTextFileSync("/proc/locks").split("\n");
  return lines.filter((line) => line.includes(`:${inode} `)).length;
}

function arrived(arrival: Arrival | string): Arrival {
  assert.ok(typeof arrival !== "string", String(arrival));
  return arrival;
}

/** Reads the serial line of a machine until it says the byte that its guest says when it runs. */
async function speaks(node: AgentNode): Promise<void> {
  using line = await Deno.connect({ transport: "unix", path: `${node.folder}/vm-100.serial0` });
  const bytes = new Uint8Array(1);
  assert.equal(await line.read(bytes), 1);
  assert.equal(bytes[0], 0x52);
}

test("a guest runs on where its memory went, and nowhere else", async (pair) => {
  const action = pair.machine("polite");
  assert.equal((await pair.from.start(VM, action)).failure, null);
  await speaks(pair.from);
  const arrival = arrived(await pair.receive(action));
  // It waits, and a look at it says that it does not run.
  const waiting = await pair.to.health(VM, action);
  assert.deepEqual(waiting, { state: "failed", why: "it was never let run" });
  assert.equal(await pair.handOver(arrival), null);
  // Now neither runs, and nobody may write: what a lock of the file would say, QEMU knows.
  assert.equal(locksOf(pair.disk), 0);
  const sent = await pair.from.health(VM, action);
  assert.deepEqual(sent, { state: "failed", why: "its memory was handed over" });
  assert.deepEqual(await pair.to.health(VM, action), waiting);
  assert.equal((await pair.from.stop(VM)).failure, null);
  assert.deepEqual(await pair.from.list(), []);
  assert.equal(await pair.resume(action), null);
  assert.ok(locksOf(pair.disk) > 0);
  assert.deepEqual(await pair.to.health(VM, action), { state: "running", why: "" });
  await speaks(pair.to);
  // No key is left, and what a person pauses now is paused, not lost.
  for (const { folder } of [pair.from, pair.to]) {
    assert.ok(![...Deno.readDirSync(folder)].some(({ name }) => name.endsWith(".keys")));
  }
  // And back: how it came here is not taken for how it goes.
  pair.turn();
  const moved = { ...action, file: { node: "nodeB", text: action.file?.text ?? "" } };
  assert.equal(await pair.handOver(arrived(await pair.receive(moved))), null);
  assert.equal((await pair.from.stop(VM)).failure, null);
  assert.equal(await pair.resume(moved), null);
  await speaks(pair.to);
  // Its power button works, so it is the guest that had begun, with its devices.
  assert.equal((await pair.to.stop(VM, 600_000)).failure, null);
});

test("without the key of this very migration nothing goes over, and the guest runs on meanwhile", async (pair) => {
  const action = pair.machine("polite");
  assert.equal((await pair.from.start(VM, action)).failure, null);
  const arrival = arrived(await pair.receive(action));
  // Who only knows the port is not heard.
  using stranger = await Deno.connect({ hostname: "127.0.0.1", port: arrival.port });
  await stranger.write(new Uint8Array(64).fill(0x51));
  // Its end is told by a reset, or in order.
  while (await stranger.read(new Uint8Array(64)).catch(() => null) !== null);
  // Nor whoever has the key of another life's.
  assert.match(await pair.handOver(arrival, "b1") ?? "it went over", /^QEMU gave it up: /);
  assert.deepEqual(await pair.from.health(VM, action), { state: "running", why: "" });
  await speaks(pair.from);
  // The right one is still awaited.
  assert.equal(await pair.handOver(arrival), null);
  assert.equal((await pair.from.stop(VM)).failure, null);
  assert.equal(await pair.resume(action), null);
});

test("a machine that differs is refused before anything is sent", async (pair) => {
  const action = pair.machine("deaf");
  assert.equal((await pair.from.start(VM, action)).failure, null);
  const arrival = arrived(await pair.receive(action));
  assert.match(await pair.handOver({ ...arrival, build: arrival.build + 1 }) ?? "", /definition/);
  assert.equal((await pair.to.stop(VM)).failure, null);
  // Of a stranger's machine none is made, nor where this node has no such address.
  const foreign = { ...action, file: { node: "nodeC", text: action.file?.text ?? "" } };
  assert.match(String(await pair.receive(foreign)), /belongs to "nodeC"/);
  assert.match(
    String(await pair.receive(action, "192.0.2.77")),
    /monitor refuses migrate-incoming/,
  );
  assert.equal((await pair.to.stop(VM)).failure, null);
  assert.deepEqual(await pair.from.health(VM, action), { state: "running", why: "" });
});

test("a source whose daemon dies while it sends is found to have sent", async (pair) => {
  const action = pair.machine("polite");
  assert.equal((await pair.from.start(VM, action)).failure, null);
  const arrival = arrived(await pair.receive(action));
  const dead = pair.handOver(arrival).catch(() => "the daemon died");
  await pair.from.crash();
  pair.from.boot();
  // Its next life asks QEMU, and begins only what was never begun.
  const failure = await pair.handOver(arrival);
  assert.ok(failure === null || failure.startsWith("QEMU gave it up"), failure ?? "");
  if (failure === null) {
    assert.equal((await pair.from.stop(VM)).failure, null);
    assert.equal(await pair.resume(action), null);
  }
  void dead;
});

test("a target whose daemon dies is not taken for one that runs", async (pair) => {
  const action = pair.machine("polite");
  assert.equal((await pair.from.start(VM, action)).failure, null);
  const arrival = arrived(await pair.receive(action));
  await pair.to.crash();
  pair.to.boot();
  assert.deepEqual(await pair.to.list(), [VM]);
  assert.equal((await pair.to.health(VM, action)).state, "failed");
  assert.equal(await pair.handOver(arrival), null);
  assert.equal((await pair.to.health(VM, action)).state, "failed");
  const [process] = await commands(`${pair.to.folder}/vm-100.qmp`, 1);
  assert.equal((await pair.to.stop(VM)).failure, null);
  if (process !== undefined) await gone(process);
});

test("what is called off ends, and the guest runs on or is wholly over there", async (pair) => {
  const action = pair.machine("polite");
  assert.equal((await pair.from.start(VM, action)).failure, null);
  const arrival = arrived(await pair.receive(action));
  const sending = pair.handOver(arrival);
  await pair.from.callOff(VM);
  const failure = await sending;
  const health = await pair.from.health(VM, action);
  assert.equal(health.state, failure === null ? "failed" : "running");
  await pause(0);
});
