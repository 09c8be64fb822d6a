import assert from "node:assert/strict";
import fc from "fast-check";
import type { ClusterSpec } from "../../mod/base/cluster.ts";
import { nodeId } from "../../mod/base/id.ts";
import { EPOCH, instant } from "../../mod/base/time.ts";
import {
  expectedVotes,
  majorityInstant,
  neededVotes,
  presentVotes,
  votesOf,
} from "../../mod/heartbeat/quorum.ts";
import { cluster, member, SEED } from "./world.ts";

const PROPERTY = { seed: SEED, numRuns: 500 };

/** Any cluster: voters and learners with any votes, with or without a witness. */
const SPEC: fc.Arbitrary<ClusterSpec> = fc.record({
  roles: fc.array(
    fc.record({ role: fc.constantFrom("voter", "learner"), votes: fc.nat(5) }),
    { minLength: 1, maxLength: 12 },
  ),
  witness: fc.boolean(),
}).map(({ roles, witness }) => ({
  ...cluster(1, 1, witness),
  members: roles.map(({ role, votes }, at) => ({ ...member(at + 1, 1, role), votes })),
}));

Deno.test("neededVotes() is more than half of the configured votes", () => {
  const table = [
    [cluster(1), 1, 1],
    [cluster(2), 2, 2],
    [cluster(2, 1, true), 3, 2],
    [cluster(3), 3, 2],
    // The witness is for a pair: three need no judge.
    [cluster(3, 1, true), 3, 2],
    [cluster(4), 4, 3],
    [cluster(5), 5, 3],
    [{ ...cluster(1), members: [member(1), member(2, 1, "learner")] }, 1, 1],
    [{ ...cluster(1), members: [{ ...member(1), votes: 3 }, member(2)] }, 4, 3],
  ] as const;
  for (const [spec, expected, needed] of table) {
    assert.deepEqual([expectedVotes(spec), neededVotes(spec)], [expected, needed]);
  }
});

Deno.test("neededVotes() does not ask who is there, and two majorities share a member", () => {
  fc.assert(
    fc.property(SPEC, fc.array(fc.boolean(), { minLength: 12, maxLength: 12 }), (spec, sides) => {
      const left = spec.members.flatMap(({ id }, at) => sides[at] === true ? [id] : []);
      const right = spec.members.flatMap(({ id }, at) => sides[at] === true ? [] : [id]);
      const needed = neededVotes(spec);
      assert.ok(2 * needed > expectedVotes(spec) && 2 * (needed - 1) <= expectedVotes(spec));
      // However a cluster is cut in two, and whoever got the witness: at most one side is quorate.
      for (const held of [true, false]) {
        const votes = [presentVotes(spec, left, held), presentVotes(spec, right, !held)];
        assert.ok(votes.filter((count) => count >= needed).length <= 1);
        assert.equal((votes[0] ?? 0) + (votes[1] ?? 0), expectedVotes(spec));
      }
    }),
    PROPERTY,
  );
});

Deno.test("votesOf() gives nothing to learners and strangers", () => {
  const spec = { ...cluster(1), members: [{ ...member(1), votes: 2 }, member(2, 1, "learner")] };
  assert.deepEqual([1, 2, 3].map((id) => votesOf(spec, nodeId(id))), [2, 0, 0]);
  assert.equal(presentVotes(spec, [1, 2, 3].map(nodeId), true), 2);
});

Deno.test("majorityInstant() is the latest up to which so many votes are good", () => {
  const dated = fc.array(
    fc.record({ votes: fc.nat(3), at: fc.oneof(fc.constant(EPOCH), fc.nat(100).map(instant)) }),
    { maxLength: 10 },
  );
  fc.assert(
    fc.property(dated, fc.integer({ min: 1, max: 20 }), (votes, needed) => {
      const found = majorityInstant(votes, needed);
      const goodAt = (at: number) =>
        votes.reduce((sum, each) => sum + (each.at >= at ? each.votes : 0), 0);
      if (found === EPOCH) {
        for (const { at } of votes) if (at > EPOCH) assert.ok(goodAt(at) < needed);
        return;
      }
      assert.ok(goodAt(found) >= needed);
      for (const { at } of votes) if (at > found) assert.ok(goodAt(at) < needed);
    }),
    PROPERTY,
  );
});
