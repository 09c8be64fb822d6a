import assert from "node:assert/strict";
import fc from "fast-check";
import { nodeId } from "../../mod/base/id.ts";
import { EPOCH, instant } from "../../mod/base/time.ts";
import { Proof, SENT_MAX } from "../../mod/heartbeat/proof.ts";
import { expectedVotes, neededVotes } from "../../mod/heartbeat/quorum.ts";
import { cluster, member, SEED } from "./world.ts";

const SELF = nodeId(1);
const NOW = instant(1000);

Deno.test("Proof.provenAt() is the send time that a majority, we included, has heard", () => {
  const table = [
    // [nodes, when what each of the others heard was sent, proven]
    [1, [], NOW],
    [2, [], EPOCH],
    [2, [700], 700],
    [3, [700], 700],
    [3, [700, 900], 900],
    [4, [900], EPOCH],
    [4, [700, 900], 700],
    [5, [600, 700, 800, 900], 800],
  ] as const;
  for (const [nodes, heard, proven] of table) {
    const proof = new Proof();
    heard.forEach((at, peer) => proof.heard(nodeId(peer + 2), instant(at)));
    assert.equal(proof.provenAt(cluster(nodes), SELF, NOW), proven, `${nodes}: ${heard}`);
  }
});

Deno.test("Proof.provenAt() counts the witness for a pair, and forgets it when it is gone", () => {
  const proof = new Proof();
  assert.equal(proof.witnessAt, EPOCH);
  proof.witnessHeard(instant(500));
  proof.witnessHeard(instant(400));
  assert.equal(proof.witnessAt, 500);
  assert.equal(proof.provenAt(cluster(2, 1, true), SELF, NOW), 500);
  assert.equal(proof.provenAt(cluster(2), SELF, NOW), EPOCH);
  assert.equal(proof.provenAt(cluster(3, 1, true), SELF, NOW), EPOCH);
  proof.forgetWitness();
  assert.equal(proof.provenAt(cluster(2, 1, true), SELF, NOW), EPOCH);
});

Deno.test("Proof.provenAt() proves nothing to a learner, nor to one that was removed", () => {
  const proof = new Proof();
  for (const peer of [2, 3]) proof.heard(nodeId(peer), instant(900));
  const learner = { ...cluster(3), members: [member(1, 1, "learner"), member(2), member(3)] };
  assert.equal(proof.provenAt(learner, SELF, NOW), EPOCH);
  assert.equal(proof.provenAt({ ...learner, members: [member(2)] }, SELF, NOW), EPOCH);
});

Deno.test("Proof.provenAt() does not count those who are no voters any more", () => {
  const proof = new Proof();
  for (const peer of [2, 3]) proof.heard(nodeId(peer), instant(900));
  const spec = { ...cluster(5), members: [1, 4, 5].map((id) => member(id)) };
  assert.equal(proof.provenAt(spec, SELF, NOW), EPOCH);
});

Deno.test("Proof.heard() keeps the newest, in whatever order echoes come", () => {
  fc.assert(
    fc.property(fc.array(fc.nat(1000), { minLength: 1 }), (ats) => {
      const proof = new Proof();
      for (const at of ats) proof.heard(nodeId(2), instant(at));
      assert.equal(proof.provenAt(cluster(2), SELF, NOW), Math.max(...ats));
    }),
    { seed: SEED, numRuns: 100 },
  );
});

Deno.test("Proof.provenAt() never says more than a majority of the configured votes has heard", () => {
  const votes = fc.array(fc.record({ votes: fc.nat(4), at: fc.option(fc.nat(999)) }), {
    maxLength: 8,
  });
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 4 }), votes, (ours, others) => {
      const spec = {
        ...cluster(1),
        members: [
          { ...member(1), votes: ours },
          ...others.map((each, at) => ({ ...member(at + 2), votes: each.votes })),
        ],
      };
      const proof = new Proof();
      others.forEach(({ at }, peer) => {
        if (at !== null) proof.heard(nodeId(peer + 2), instant(at));
      });
      const proven = proof.provenAt(spec, SELF, NOW);
      if (proven === EPOCH) return;
      const heard = others.reduce(
        (sum, each) => each.at !== null && each.at >= proven ? sum + each.votes : sum,
        ours,
      );
      assert.ok(heard >= neededVotes(spec) && 2 * heard > expectedVotes(spec));
    }),
    { seed: SEED, numRuns: 500 },
  );
});

Deno.test("Proof.sentAt() knows the newest beats, and nothing of others", () => {
  const proof = new Proof();
  for (let seq = 1; seq <= SENT_MAX + 5; seq++) proof.sent(seq, instant(seq * 10));
  assert.equal(proof.sentAt(5), null);
  assert.equal(proof.sentAt(6), 60);
  assert.equal(proof.sentAt(SENT_MAX + 5), (SENT_MAX + 5) * 10);
  for (const seq of [0, SENT_MAX + 6, 0xffffffff]) assert.equal(proof.sentAt(seq), null);
});
