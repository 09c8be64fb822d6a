/** Virtual machines, real ones: QEMU, its monitor, bridges and the keeper. */
import assert from "node:assert/strict";
import { resourceId } from "../../mod/base/id.ts";
import { boottime, SIGKILL } from "../../mod/host/ffi/pidfd.ts";
import { pause, signal } from "../../mod/host/linux/process_hunt.ts";
import type { VmAction } from "../../mod/ha/agents/action.ts";
import { Namespaces, namespacesMissing } from "../../scripts/namespaces.ts";
import { AgentNode, Helper, must } from "./agent_world.ts";
import { type GUESTS, qemuMissing, writeGuest } from "./guests.ts";
import { commands, gone } from "./process_world.ts";

const MISSING = await qemuMissing();
if (MISSING !== null) console.log(`skipped: virtual machines: ${MISSING}`);
const NO_NETWORK = MISSING ?? await namespacesMissing();
if (MISSING === null && NO_NETWORK !== null) console.log(`skipped: a bridge: ${NO_NETWORK}`);

const VM = resourceId("vm:100");

function machine(node: AgentNode, guest: keyof typeof GUESTS, ...lines: string[]): VmAction {
  const disk = `${node.folder}/disk`;
  writeGuest(disk, guest);
  const text = [
    ...["name: web", "memory: 32", "kvm: 0", "vga: none"],
    ...[`virtio0: ${disk},cache=writeback`, ...lines, ""],
  ].join("\n");
  return { kind: "vm", vmid: 100, file: { node: "nodeA", text }, by: null, remarks: [] };
}

function test(name: string, body: (node: AgentNode) => Promise<void>): void {
  Deno.test({
    name,
    ignore: MISSING !== null,
    fn: async () => {
      const node = new AgentNode();
      try {
        await body(node.boot());
      } finally {
        await node.close();
      }
    },
  });
}

/** Its QEMU. */
async function qemu(node: AgentNode) {
  const [process] = await commands(`${node.folder}/vm-100.qmp`, 1);
  assert.ok(process);
  return process;
}

/** A person at the monitor. */
async function tell(node: AgentNode, execute: string): Promise<void> {
  using monitor = await Deno.connect({ transport: "unix", path: `${node.folder}/vm-100.qmp` });
  const lines = ["qmp_capabilities", execute].map((each) =>
    `${JSON.stringify({ execute: each })}\n`
  );
  await monitor.write(new TextEncoder().encode(lines.join("")));
  const decoder = new TextDecoder();
  const bytes = new Uint8Array(4096);
  for (let text = ""; (text.match(/"return"/g)?.length ?? 0) < 2;) {
    text += decoder.decode(bytes.subarray(0, await monitor.read(bytes) ?? 0), { stream: true });
  }
}

test("a machine starts, is seen to run and to be paused, and ends as its guest ends it", async (node) => {
  const action = machine(
    node,
    "polite",
    "serial0: socket",
    "agent: 1",
    "numa: 1",
    "net0: e1000=02:00:00:00:00:01",
  );
  assert.equal((await node.start(VM, action)).failure, null);
  const numa = 'line 8: "numa" has no effect here';
  assert.deepEqual(await node.health(VM, action), { state: "running", why: numa });
  assert.deepEqual(await node.list(), [VM]);
  const process = await qemu(node);
  await tell(node, "stop");
  assert.deepEqual(await node.health(VM, action), {
    state: "running",
    why: `it is paused; ${numa}`,
  });
  await tell(node, "cont");
  // A daemon that was killed is followed by one that knows the machine.
  await node.crash();
  node.boot();
  assert.deepEqual(await node.list(), [VM]);
  assert.deepEqual(await node.health(VM, action), { state: "running", why: numa });
  // It stops by its note, and by its guest: the button is of no use before that runs.
  await booted(node);
  assert.equal((await node.stop(VM, 600_000)).failure, null);
  await gone(process);
  assert.deepEqual(await node.list(), []);
  assert.deepEqual(node.held(), []);
});

test("a guest that does not heed its power button is ended, and so is a QEMU that hangs", async (node) => {
  const action = machine(node, "deaf");
  for (const hangs of [false, true]) {
    assert.equal((await node.start(VM, action)).failure, null);
    const process = await qemu(node);
    if (hangs) Deno.kill(process.pid, "SIGSTOP");
    assert.equal((await node.stop(VM, 200)).failure, null);
    await gone(process);
    assert.deepEqual(node.held(), []);
  }
});

test("a guest that panics is told apart from one that is killed", async (node) => {
  const action = machine(node, "panics", "args: -device pvpanic");
  assert.equal((await node.start(VM, action)).failure, null);
  let health = await node.health(VM, action);
  while (health.state === "running") health = await node.health(VM, action);
  assert.deepEqual(health, { state: "failed", why: "the guest panicked" });
  signal(await qemu(node), SIGKILL);
  while (health.state === "failed") health = await node.health(VM, action);
  assert.deepEqual(health, { state: "stopped" });
  assert.equal((await node.stop(VM)).failure, null);
});

test("the keeper ends a machine with the guard, though the daemon hangs", async (node) => {
  const action = machine(node, "deaf");
  assert.equal((await node.start(VM, action)).failure, null);
  const process = await qemu(node);
  await node.guard(boottime() + 300);
  await node.list();
  node.signal("SIGSTOP");
  await gone(process);
  while (node.held().length > 0) await pause(20);
  node.signal("SIGCONT");
});

test("nothing is started without the guard, a definition, or the right to it", async (node) => {
  const action = machine(node, "deaf");
  const fails = async (more: Partial<VmAction>) => await node.start(VM, { ...action, ...more });
  const text = action.file?.text ?? "";
  assert.match((await fails({ file: null })).failure ?? "", /no definition; write nodes\/nodeA\//);
  const foreign = await fails({ file: { node: "nodeB", text } });
  assert.match(foreign.failure ?? "", /belongs to "nodeB"/);
  assert.equal(foreign.scope, "node");
  const broken = await fails({ file: { node: "nodeA", text: "memory: much\n" } });
  assert.match(broken.failure ?? "", /line 1: memory: "much" is no number/);
  assert.equal(broken.scope, "everywhere");
  const apart = await fails({
    file: { node: "nodeA", text: `${text}net0: virtio=02:00:00:00:00:01,bridge=br77\n` },
  });
  assert.match(apart.failure ?? "", /net0: there is no bridge "br77" here/);
  const odd = await fails({ file: { node: "nodeA", text: `${text}args: -no-such-option\n` } });
  assert.match(odd.failure ?? "", /QEMU ended before the machine ran/);
  assert.match(node.log(VM), /no-such-option/);
  assert.equal((await node.stop(VM)).failure, null);
  await node.guard(0);
  assert.match((await fails({})).failure ?? "", /guard|killed/);
  assert.deepEqual(node.held(), []);
});

Deno.test({
  name: "a machine on a bridge is announced there by its own address",
  ignore: NO_NETWORK !== null,
  fn: async () => {
    const network = await Namespaces.make(2);
    const node = new AgentNode(network.prefix(0));
    let capture: Helper | null = null;
    try {
      const ip = (...words: string[]) => must(...network.prefix(0), "ip", ...words);
      await ip("link", "add", "vmbr0", "type", "bridge");
      await ip("link", "set", "eth0", "master", "vmbr0");
      await ip("link", "set", "vmbr0", "up");
      capture = new Helper(network.prefix(1), ["capture"]);
      assert.equal(await capture.line(), "ready");
      const action = machine(node.boot(), "deaf", "net0: virtio=02:00:00:AA:BB:01,bridge=vmbr0");
      assert.equal((await node.start(VM, action)).failure, null);
      assert.match(await ip("-o", "link", "show", "tap100i0"), /master vmbr0/);
      // RFC 903: the station 02:00:00:aa:bb:01 asks for its own address.
      const from = "020000aabb01";
      while (!(await capture.line()).startsWith(`ffffffffffff${from}8035`));
      assert.equal((await node.stop(VM, 0)).failure, null);
      assert.doesNotMatch(await ip("-o", "link", "show"), /tap100i0/);
    } finally {
      await capture?.close();
      await node.close();
      await network.close();
    }
  },
});

/** Resolves when its boot sector runs: it says so on the serial line. */
async function booted(node: AgentNode): Promise<void> {
  using line = await Deno.connect({ transport: "unix", path: `${node.folder}/vm-100.serial0` });
  const bytes = new Uint8Array(1);
  while (bytes[0] !== 0x52) await line.read(bytes);
}
