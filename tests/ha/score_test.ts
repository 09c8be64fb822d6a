/** `score = 100 − load% − mem% − ioDelay%`. */
import assert from "node:assert/strict";
import fc from "fast-check";
import { nodeId, resourceId } from "../../mod/base/id.ts";
import { formatReason } from "../../mod/base/reason.ts";
import { Draft } from "../../mod/ha/draft.ts";
import { NO_RULES } from "../../mod/ha/rule_book.ts";
import { choose } from "../../mod/ha/placement.ts";
import { type Candidate, scores } from "../../mod/ha/score.ts";
import { sceneOf } from "./scene.ts";
import { vitalsOf } from "./vitals.ts";

function candidate(at: number, given: Partial<Candidate> = {}): Candidate {
  const name = `node${"ABC".charAt(at)}`;
  return { node: nodeId(at + 1), name, vitals: vitalsOf({}), resources: 0, placed: 0, ...given };
}

Deno.test("scores() takes each term off a hundred, in whole percent", () => {
  const vitals = vitalsOf({ load: 0.304, memory: 0.42, ioDelay: 0.05 });
  const [row] = scores([candidate(0, { vitals, placed: 2 })]);
  assert.ok(row);
  const { load, memory, ioDelay, placed, score } = row;
  assert.deepEqual([load, memory, ioDelay, placed, score], [30, 42, 5, 2, 100 - 30 - 42 - 5 - 2]);
});

Deno.test("scores() counts a load above one processor each as all of it, and no vitals as none", () => {
  const rows = scores([
    candidate(0, { vitals: vitalsOf({ load: 7 }) }),
    candidate(1, { vitals: null }),
  ]);
  assert.deepEqual(rows.map(({ name, score }) => `${name} ${score}`), ["nodeB 100", "nodeA 0"]);
});

Deno.test("scores() puts the highest first; ties go to fewer resources, then to the name", () => {
  const names = (rows: readonly Candidate[]) => scores(rows).map(({ name }) => name).join();
  const busy = vitalsOf({ memory: 0.5 });
  assert.equal(
    names([candidate(0, { vitals: busy }), candidate(1, { resources: 9 })]),
    "nodeB,nodeA",
  );
  assert.equal(
    names([candidate(0, { resources: 2 }), candidate(1, { resources: 1 })]),
    "nodeB,nodeA",
  );
  assert.equal(names([candidate(2), candidate(1), candidate(0)]), "nodeA,nodeB,nodeC");
});

Deno.test("scores() does not depend on the order in which the nodes are named", () => {
  const fraction = fc.double({ min: 0, max: 2, noNaN: true });
  const vitals = fc.option(
    fc.record({ load: fraction, memory: fraction, ioDelay: fraction }).map(vitalsOf),
  );
  const some = fc.array(fc.record({ vitals, resources: fc.nat(3), placed: fc.nat(3) }), {
    maxLength: 3,
  });
  fc.assert(fc.property(some, (given) => {
    const all = given.map((each, at) => candidate(at, each));
    const rows = scores(all);
    assert.deepEqual(scores([...all].reverse()), rows);
    rows.forEach((row, at) => {
      assert.equal(row.score, 100 - row.load - row.memory - row.ioDelay - row.placed);
      const next = rows[at + 1];
      if (next !== undefined) assert.ok(row.score >= next.score);
    });
  }));
});

Deno.test("choose() says the whole table and counts what it placed", () => {
  const scene = sceneOf({ vitals: { 1: { load: 0.8 }, 2: { memory: 0.1 }, 3: { ioDelay: 0.02 } } });
  const draft = new Draft(NO_RULES, new Map(scene.status.nodes), new Map());
  const id = resourceId("exec:web");
  const first = choose(scene, draft, { id, except: [] });
  assert.equal(first.node, 3);
  assert.equal(
    formatReason(first.because),
    "exec:web → nodeC: score 98, best of nodeC 98 = 100−0−0−2−0, nodeB 90 = 100−0−10−0−0, " +
      "nodeA 20 = 100−80−0−0−0",
  );
  const many = Array.from({ length: 8 }, () => choose(scene, draft, { id, except: [] }).node);
  assert.ok(many.includes(nodeId(2)), "a burst does not all go to one node");
  const none = choose(scene, draft, { id, except: [nodeId(1), nodeId(2), nodeId(3)] });
  assert.equal(none.node, null);
  assert.equal(
    formatReason(none.because),
    "no node may run exec:web: nodeA was tried; nodeB was tried; nodeC was tried",
  );
});

Deno.test("choose() prefers who was asked for, if it may have it", () => {
  const scene = sceneOf({ nodes: { 2: { maintenance: true } }, departure: { 3: "begun" } });
  const draft = new Draft(NO_RULES, new Map(scene.status.nodes), new Map());
  const ask = { id: resourceId("exec:web"), except: [] };
  assert.equal(choose(scene, draft, { ...ask, preferred: nodeId(2) }).node, 1, "in maintenance");
  assert.equal(choose(scene, draft, { ...ask, preferred: nodeId(3) }).node, 1, "it is to stop");
  const free = sceneOf({});
  const whole = new Draft(NO_RULES, new Map(free.status.nodes), new Map());
  assert.equal(choose(free, whole, { ...ask, preferred: nodeId(3) }).node, 3);
});
