/** Who owns a machine: its definition's place, and what moves that. */
import assert from "node:assert/strict";
import fc from "fast-check";
import { nodeId, resourceId } from "../../mod/base/id.ts";
import { ownershipFailure } from "../../mod/ha/agents/vm.ts";
import { MACHINE_MOVES_MAX, Machines } from "../../mod/ha/machines.ts";
import { plan } from "../../mod/ha/plan.ts";
import type { ServiceEntry } from "../../mod/ha/status.ts";
import { formatReason } from "../../mod/base/reason.ts";
import { machinesOf, type Scene, sceneOf } from "./scene.ts";

const ID = resourceId("vm:100");
const VM = "vm: 100\n";

/** What becomes of it, and which file goes where. */
function next(scene: Scene, id = ID) {
  const situation = sceneOf({ resources: VM, ...scene });
  const { status } = plan(situation);
  const { operations } = situation.machines.moves(situation.spec, situation.status, status);
  const entry = status.services.get(id);
  const why = entry?.why ? formatReason(entry.why) : "";
  const moved = operations.flatMap((each) =>
    each.op === "rename" ? [`${each.path} ${each.to}`] : []
  );
  return { state: entry?.state, node: entry?.node, why, moved };
}

const [A, B] = [nodeId(1), nodeId(2)];

Deno.test("a new machine starts where its definition lies, whoever would be better", () => {
  const { state, node, moved } = next({
    machines: { 100: "nodeB" },
    vitals: { 2: { load: 0.9 } },
  });
  assert.deepEqual([state, node, moved], ["started", B, []]);
});

Deno.test("without a definition, or with a stranger's, it waits and says for what", () => {
  const missing = next({});
  assert.equal(missing.state, "stopped");
  assert.match(missing.why, /there is no nodes\/\*\/qemu-server\/100\.conf/);
  const foreign = next({ machines: { 100: "stranger" } });
  assert.equal(foreign.state, "stopped");
  assert.match(foreign.why, /"nodes\/stranger\/qemu-server\/100\.conf" lies with no member/);
});

Deno.test("what was stopped starts with its owner, though it ran elsewhere last", () => {
  const { state, node, moved } = next({
    machines: { 100: "nodeB" },
    services: { "vm:100": { state: "stopped", node: A } },
  });
  assert.deepEqual([state, node, moved], ["started", B, []]);
});

Deno.test("a proof of its owner's death moves the definition with the decision", () => {
  const { state, node, moved } = next({
    machines: { 100: "nodeC" },
    nodes: { 3: { state: "dead", proof: "wait" } },
    health: { 3: "down" },
    services: { "vm:100": { state: "fence", node: nodeId(3) } },
  });
  assert.equal(state, "started");
  assert.notEqual(node, nodeId(3));
  const to = node === A ? "nodeA" : "nodeB";
  assert.deepEqual(moved, [
    `nodes/nodeC/qemu-server/100.conf nodes/${to}/qemu-server/100.conf`,
  ]);
});

Deno.test("a proof of another's death moves nothing: the definition was put elsewhere meanwhile", () => {
  const { state, node, moved } = next({
    machines: { 100: "nodeB" },
    nodes: { 3: { state: "dead", proof: "wait" } },
    health: { 3: "down" },
    services: { "vm:100": { state: "fence", node: nodeId(3) } },
  });
  assert.deepEqual([state, node, moved], ["started", B, []]);
});

Deno.test("a definition that vanished leaves the machine in recovery", () => {
  const { state, why } = next({
    nodes: { 3: { state: "dead", proof: "wait" } },
    health: { 3: "down" },
    services: { "vm:100": { state: "fence", node: nodeId(3) } },
  });
  assert.equal(state, "recovery");
  assert.match(why, /there is no/);
});

Deno.test("a machine that goes by order takes its definition along, once it is gone", () => {
  const scene = {
    machines: { 100: "nodeA" },
    services: { "vm:100": { state: "relocate", node: A, target: B } },
  } as const;
  assert.deepEqual(next({ ...scene, reports: { 1: { "vm:100": "stopping" } } }).moved, []);
  const { node, moved } = next({ ...scene, reports: { 1: {} } });
  assert.equal(node, B);
  assert.deepEqual(moved, ["nodes/nodeA/qemu-server/100.conf nodes/nodeB/qemu-server/100.conf"]);
});

Deno.test("of very many machines so many move at once as one transaction takes", () => {
  const vmids = Array.from({ length: 600 }, (_, at) => 100 + at);
  const dead = { state: "fence", node: nodeId(3) } as const;
  const situation = sceneOf({
    resources: vmids.map((vmid) => `vm: ${vmid}\n`).join("\n"),
    machines: Object.fromEntries(vmids.map((vmid) => [vmid, "nodeC"])),
    nodes: { 3: { state: "dead", proof: "wait" } },
    health: { 3: "down" },
    services: Object.fromEntries(vmids.map((vmid) => [`vm:${vmid}`, dead])),
  });
  const { status } = plan(situation);
  const { expect, operations } = situation.machines.moves(situation.spec, situation.status, status);
  const renames = operations.filter(({ op }) => op === "rename");
  assert.equal(renames.length, MACHINE_MOVES_MAX);
  assert.ok(operations.length <= 1000 && expect.length <= 1000);
  const states = [...status.services.values()].map(({ state }) => state);
  assert.equal(states.filter((state) => state === "fence").length, 600 - MACHINE_MOVES_MAX);
});

Deno.test("nothing is decided to start on a node that does not own the machine afterwards", () => {
  const node = fc.constantFrom(null, A, B, nodeId(3));
  const entry: fc.Arbitrary<Partial<ServiceEntry>> = fc.record({
    state: fc.constantFrom(
      ...["stopped", "request_stop", "relocate", "fence", "recovery", "freeze", "error"] as const,
    ),
    node,
    target: node,
  });
  const place = fc.constantFrom("nodeA", "nodeB", "nodeC", "stranger");
  const decided = fc.constantFrom("online", "fence", "dead" as const);
  fc.assert(fc.property(entry, place, decided, fc.boolean(), (service, file, state, reports) => {
    const situation = sceneOf({
      resources: VM,
      machines: { 100: file },
      nodes: { 3: { state, proof: state === "dead" ? "wait" : null } },
      health: { 3: state === "online" ? "online" : "down" },
      services: { "vm:100": service },
      reports: { 1: reports ? { "vm:100": "running" } : {} },
    });
    const { status } = plan(situation);
    const after = status.services.get(ID);
    if (after?.state !== "started") return;
    const { operations } = situation.machines.moves(situation.spec, situation.status, status);
    const [move] = operations.filter(({ op }) => op === "rename");
    const owner = move?.op === "rename" ? move.to.split("/")[1] : file;
    const name = situation.spec.members.find(({ id }) => id === after.node)?.name;
    // Where it was it is left: that node looks whose it is before it starts anything.
    if (after.node !== service.node) assert.equal(owner, name);
    // It is taken only from the node of which something is known.
    if (move !== undefined) {
      const from = situation.spec.members.find(({ name }) => name === file)?.id;
      assert.equal(from, service.node);
    }
  }));
});

Deno.test("a frozen machine that was given away meanwhile is taken from nobody", () => {
  const { state, node, moved } = next({
    machines: { 100: "nodeB" },
    services: { "vm:100": { state: "freeze", node: A } },
  });
  assert.deepEqual([state, node, moved], ["started", A, []]);
});

Deno.test("a decision moves a definition from the node that it takes the machine from, and no other", () => {
  const at = (node: typeof A) => sceneOf({ services: { "vm:100": { state: "started", node } } });
  const { spec, status: before } = at(A);
  const moved = (folder: string) =>
    machinesOf({ 100: folder }).moves(spec, before, at(B).status).operations
      .flatMap((each) => each.op === "rename" ? [each.to] : []);
  assert.deepEqual(moved("nodeA"), ["nodes/nodeB/qemu-server/100.conf"]);
  assert.deepEqual(moved("nodeC"), []);
  assert.deepEqual(moved("nodeB"), []);
});

Deno.test("a node starts no machine whose definition lies elsewhere, or nowhere", () => {
  const action = { kind: "vm", vmid: 100, by: null, remarks: [] } as const;
  const file = { node: "nodeA", text: "" };
  assert.equal(ownershipFailure({ ...action, file }, "nodeA"), null);
  assert.equal(ownershipFailure({ ...action, file }, "nodeB")?.scope, "node");
  assert.equal(ownershipFailure({ ...action, file: null }, "nodeA")?.scope, "everywhere");
});

Deno.test("the tree's changes come in any order", () => {
  const machines = new Machines();
  const data = new Uint8Array();
  const file = (node: string, kind: "file" | "gone") => ({
    path: `nodes/${node}/qemu-server/100.conf`,
    ...{ kind, version: 5, data: kind === "file" ? data : null, writer: A },
  });
  machines.apply(file("nodeA", "file"));
  machines.apply(file("nodeB", "file"));
  machines.apply(file("nodeA", "gone"));
  assert.equal(machines.of(100)?.node, "nodeB");
  machines.apply(file("nodeB", "gone"));
  assert.equal(machines.of(100), null);
});
