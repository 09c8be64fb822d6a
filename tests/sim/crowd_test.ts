/** Crowds: what they draw can be kept, what they forbid is seen, and managers are truly struck. */
import assert from "node:assert/strict";
import { nodeId } from "../../mod/base/id.ts";
import type { ServiceEntry } from "../../mod/ha/mod.ts";
import { Admin, drawnResource } from "../../mod/sim/admin.ts";
import { Checks } from "../../mod/sim/checks.ts";
import { SimCluster } from "../../mod/sim/cluster.ts";
import { Crowd } from "../../mod/sim/crowd.ts";
import { type CrowdRule, forbidden } from "../../mod/sim/crowd_decisions.ts";
import { drawCrowd } from "../../mod/sim/crowd_plan.ts";
import { play } from "../../mod/sim/run.ts";

const THREE = { nodes: 3, witness: false, profile: "fast" } as const;

/** A cluster in which nothing happens but what a test does, watched by a crowd. */
function watched(...rules: readonly CrowdRule[]) {
  let checks: Checks | null = null;
  const cluster = new SimCluster(1, {
    shape: THREE,
    options: {},
    events: {
      onFact: (node, fact) => checks?.onFact(node, fact),
      onSaying: () => {},
      onLife: () => {},
    },
  });
  checks = new Checks(cluster);
  const ids = [0, 1, 2].map(drawnResource);
  const parts = { checks, admin: new Admin(cluster), ids, rules, dc: [], policy: null };
  new Crowd(cluster, parts, { resources: ids, onAcknowledged: () => {} });
  const begin = (resource: number, host: number) =>
    cluster.node(host).host.processes.run(drawnResource(resource), ["run"], 1);
  return { begin, found: () => checks.violations.map(({ what }) => what) };
}

Deno.test("a start on a node that a strict rule closes is seen, and one of a mere wish is not", () => {
  for (const strict of [true, false]) {
    const { begin, found } = watched({ rule: "on", resources: [0, 1], nodes: [0, 1], strict });
    begin(0, 1);
    begin(2, 2);
    assert.deepEqual(found(), []);
    begin(1, 2);
    assert.deepEqual(found(), strict ? ["ip:10.9.0.1 started on nodeC"] : []);
  }
});

Deno.test("two that are to be apart are seen on one node", () => {
  const { begin, found } = watched({ rule: "apart", resources: [0, 1] });
  begin(0, 0);
  begin(2, 0);
  begin(1, 1);
  assert.deepEqual(found(), []);
  begin(0, 1);
  assert.deepEqual(found().filter((what) => what.includes("where")), [
    "exec:r0 started on nodeB, where ip:10.9.0.1 runs",
  ]);
});

Deno.test("forbidden() sees what is decided, long before it comes true or not", () => {
  const ids = [0, 1, 2].map(drawnResource);
  const nodes = [1, 2, 3].map((each) => nodeId(each));
  const entry = (state: ServiceEntry["state"], node: number, target: number | null = null) => ({
    ...{ state, node: nodeId(node), target: target === null ? null : nodeId(target) },
    ...{ home: null, tried: [], why: null },
  });
  const judge = (rule: CrowdRule, ...entries: readonly ServiceEntry[]) =>
    forbidden(
      {
        nodes: new Map(),
        services: new Map(entries.map((each, at) => [drawnResource(at), each])),
      },
      { rules: [rule], ids, nodes },
    );
  const apart: CrowdRule = { rule: "apart", resources: [0, 1] };
  const on: CrowdRule = { rule: "on", resources: [0], nodes: [0, 1], strict: true };
  assert.equal(judge(apart, entry("started", 1), entry("started", 2)), null);
  assert.match(judge(apart, entry("started", 1), entry("started", 1)) ?? "", /may run still/);
  assert.match(judge(apart, entry("relocate", 1, 2), entry("started", 1)) ?? "", /still/);
  assert.match(judge(apart, entry("relocate", 1, 2), entry("relocate", 3, 2)) ?? "", /still/);
  assert.equal(judge(apart, entry("recovery", 1), entry("started", 1)), null, "its node's word");
  assert.equal(judge(on, entry("started", 2)), null);
  assert.match(judge(on, entry("relocate", 2, 3)) ?? "", /node 3, which its rule closes/);
  assert.equal(judge({ ...on, strict: false }, entry("started", 3)), null);
});

Deno.test("drawCrowd() puts no resource under two rules of a kind, and apart only who fits", () => {
  for (let seed = 1; seed <= 200; seed++) {
    const { rules, resources } = drawCrowd(seed, THREE);
    for (const kind of ["on", "together", "apart", "after"]) {
      const all = rules.filter(({ rule }) => rule === kind).flatMap((rule) => rule.resources);
      assert.equal(new Set(all).size, all.length, `seed ${seed}`);
      assert.ok(all.every((at) => at < resources));
    }
    for (const rule of rules) {
      if (rule.rule === "apart") assert.ok(rule.resources.length <= THREE.nodes);
      if (rule.rule === "on") assert.ok(rule.nodes.length >= 1);
    }
  }
});

Deno.test("crowds come to rest under their rules, with managers struck on the way", () => {
  let struck = 0;
  for (const seed of [2, 3]) {
    const result = play(drawCrowd(seed, THREE));
    assert.deepEqual(result.violations, [], `seed ${seed}`);
    assert.ok(result.starts >= 10, `seed ${seed}: ${result.starts} starts`);
    struck += result.struck;
  }
  assert.ok(struck > 0);
});
