/** A resource moves only on a word of its node that is final: nothing that the node does later undoes it. */
import assert from "node:assert/strict";
import { resourceId } from "../../mod/base/id.ts";
import { Desk, TIMING } from "./desk.ts";

const WEB = resourceId("exec:web");

/** Three nodes, nodeA is the manager and nodeB runs the resource. */
function running(...properties: string[]): Desk {
  const desk = new Desk(3);
  desk.run(2000);
  desk.define(...properties);
  desk.run(1000);
  desk.write("ha/crm_commands", "migrate exec:web nodeB\n");
  desk.run(2000);
  assert.deepEqual([...desk.node(1).running], [WEB]);
  return desk;
}

function fail(desk: Desk, at: number): void {
  const node = desk.node(at);
  node.running.delete(WEB);
  desk.feed(node, { kind: "exited", id: WEB, how: "exit status 1" });
}

Deno.test("a resource that failed does not move while a new life of its node may start it", () => {
  const desk = running("max_restart 0", "max_relocate 2");
  fail(desk, 1);
  // The manager's letter is on its way for as long as the node takes to begin anew.
  const letter = desk.intercept(desk.node(0));
  const again = desk.restart(1);
  desk.run(1000, false);
  assert.deepEqual([...again.running], [WEB], "it reads that it is to run it, and does");
  again.holdStops = true;
  desk.commit(letter);
  desk.run(2000);
  assert.deepEqual(desk.broken, []);
  again.holdStops = false;
  again.running.clear();
  desk.feed(again, { kind: "exited", id: WEB, how: "exit status 1" });
  desk.run(4000);
  assert.deepEqual(desk.broken, []);
});

Deno.test("a resource in error is given free only when its node says that it is gone", () => {
  const desk = running("max_restart 0", "max_relocate 0");
  fail(desk, 1);
  const letter = desk.intercept(desk.node(0));
  const again = desk.restart(1);
  desk.run(1000, false);
  again.holdStops = true;
  desk.commit(letter);
  desk.run(1000);
  assert.equal(desk.node(0).core.view().resources[0]?.state, "error");
  desk.define("state stopped");
  desk.run(1000);
  desk.define("state started");
  desk.run(2000);
  assert.deepEqual(desk.broken, [], "it runs on nodeB still");
});

Deno.test("a resource that moves stays away until the old node obeys and says that it is gone", () => {
  const desk = running();
  const b = desk.node(1);
  b.holdStops = true;
  desk.write("ha/crm_commands", "migrate exec:web nodeC\n");
  desk.run(3000);
  assert.deepEqual([...b.running], [WEB]);
  assert.deepEqual([...desk.node(2).running], []);
  desk.endStops(b);
  desk.run(1000);
  assert.deepEqual([...desk.node(2).running], [WEB]);
  assert.deepEqual(desk.broken, []);
});

Deno.test("a stop that fails fences its node: everything is killed, and only then it starts elsewhere", () => {
  const desk = running();
  const b = desk.node(1);
  b.holdStops = true;
  desk.write("ha/crm_commands", "migrate exec:web nodeC\n");
  desk.run(400);
  b.take();
  desk.endStops(b, "in state D");
  const [kill] = b.take().filter(({ kind }) => kind === "kill-all" || kind === "stop");
  assert.equal(kill?.kind, "kill-all");
  desk.run(4000);
  assert.deepEqual([...desk.node(2).running], [WEB]);
  assert.deepEqual(desk.broken, []);
});

Deno.test("a stop that fails fences no node that has no watchdog: it is tried again", () => {
  const desk = running();
  const b = desk.restart(1);
  b.watchdog = null;
  desk.run(2000);
  assert.deepEqual([...b.running], [WEB]);
  b.holdStops = true;
  desk.write("ha/crm_commands", "migrate exec:web nodeC\n");
  desk.run(400);
  b.take();
  desk.endStops(b, "in state D");
  desk.run(4 * TIMING.haRoundMs);
  const kinds = b.take().map(({ kind }) => kind);
  assert.ok(kinds.includes("stop") && !kinds.includes("kill-all"));
  assert.deepEqual([...desk.node(2).running], []);
});

Deno.test("with on_stop_failure block a stop that fails is tried again, and nothing starts elsewhere", () => {
  const desk = running();
  desk.define("on_stop_failure block");
  const b = desk.node(1);
  b.holdStops = true;
  desk.write("ha/crm_commands", "migrate exec:web nodeC\n");
  desk.run(400);
  b.take();
  desk.endStops(b, "in state D");
  desk.run(200);
  assert.deepEqual(b.take().filter((effect) => effect.kind === "stop"), [], "not at once");
  desk.run(4 * TIMING.haRoundMs);
  assert.deepEqual([...desk.node(2).running], []);
  assert.ok(b.take().some((effect) => effect.kind === "stop"), "but again");
});

Deno.test("decisions that were lost are found again where the resource runs", () => {
  const desk = running();
  desk.node(1).holdStops = true;
  desk.write("ha/manager_status", null);
  desk.run(3000);
  assert.deepEqual(desk.broken, []);
  assert.deepEqual([...desk.node(1).running], [WEB]);
});

Deno.test("with the decisions lost, what a silent node may run is not started before it is long silent", () => {
  const desk = running();
  desk.node(1).joined = false;
  desk.write("ha/manager_status", null);
  desk.run(TIMING.leaseMs - TIMING.beatMs);
  assert.deepEqual([...desk.node(1).running], [WEB]);
  assert.deepEqual(desk.broken, []);
  desk.run(TIMING.deadMs + TIMING.fenceWaitMs);
  assert.deepEqual(desk.broken, []);
  const count = desk.nodes.filter((node) => node.running.has(WEB)).length;
  assert.equal(count, 1, "but then it is");
});

Deno.test("a resource that is taken out and put back starts only after it was stopped", () => {
  const desk = running();
  const b = desk.node(1);
  b.holdStops = true;
  desk.write("ha/resources.cfg", "");
  desk.run(1000);
  desk.define();
  desk.run(2000);
  assert.deepEqual(desk.broken, []);
  assert.equal(b.stopping.size, 1, "it is being stopped");
  b.holdStops = false;
  desk.endStops(b);
  desk.run(2000);
  assert.deepEqual(desk.broken, []);
  assert.equal(desk.nodes.filter((node) => node.running.has(WEB)).length, 1);
});

Deno.test("a node in maintenance is left by what it runs, and given nothing", () => {
  const desk = running();
  desk.write("ha/crm_commands", "maintenance nodeB on\nmaintenance nodeC on\n");
  desk.run(3000);
  assert.deepEqual([...desk.node(0).running], [WEB]);
  desk.write("ha/crm_commands", "migrate exec:web nodeB\n");
  desk.run(2000);
  assert.deepEqual([...desk.node(0).running], [WEB], "not even by an order");
  assert.deepEqual(desk.broken, []);
});
