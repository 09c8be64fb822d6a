/** Orders of a manager that was replaced while they were on their way. */
import assert from "node:assert/strict";
import { nodeId, resourceId } from "../../mod/base/id.ts";
import { Desk, TIMING } from "./desk.ts";

const WEB = resourceId("exec:web");

Deno.test("a decision of an older epoch that arrives late is refused, and nothing starts by it", () => {
  const desk = new Desk(3);
  const [a, b] = [desk.node(0), desk.node(1)];
  desk.run(2000);
  assert.equal(a.core.view().dc, a.id, "nodeA is the manager");
  const { epoch } = a.core.view();
  // It decides where the resource runs; its letter to the leader is held up, and then it is cut off.
  desk.define();
  desk.apply(a);
  const late = desk.intercept(a);
  a.joined = false;
  desk.leader = nodeId(2);
  desk.run(2 * (TIMING.deadMs + TIMING.fenceWaitMs));
  assert.equal(b.core.view().dc, b.id, "nodeB is the manager now");
  assert.ok(b.core.view().epoch > epoch);
  assert.deepEqual([...b.running], [WEB], "and has found another place");
  b.holdStops = true;
  const outcome = desk.commit(late);
  a.joined = true;
  desk.run(3000);
  assert.deepEqual(desk.broken, []);
  assert.ok(!outcome.ok && outcome.problem.code === "config.version-mismatch");
  assert.deepEqual([...a.running], []);
  assert.deepEqual([...b.running], [WEB]);
});
