/** The register as a voter: a model of all that a pair and the disk may do to each other. */
import assert from "node:assert/strict";
import fc from "fast-check";
import { nodeId } from "../../mod/base/id.ts";
import { askWitness, sameSet, widened } from "../../mod/config/witness.ts";
import type { WitnessRegister } from "../../mod/streams.ts";

const [A, B] = [nodeId(1), nodeId(2)];
const REGISTER: WitnessRegister = {
  ...{ version: 5, term: 4, vote: A, subterm: 1 },
  ...{ set: [A, B], lastTerm: 4, lastIndex: 10 },
};

function ask(
  change: Partial<WitnessRegister>,
  candidate: Partial<Parameters<typeof askWitness>[1]>,
) {
  const wants = { node: A, term: 5, lastTerm: 4, lastIndex: 10, ...candidate };
  const verdict = askWitness({ ...REGISTER, ...change }, wants);
  return verdict.granted ? verdict.register : verdict.why;
}

Deno.test("askWitness() votes once a term, for a node of its set, whose log is not older", () => {
  assert.equal(ask({ set: [B] }, {}), "cascade");
  assert.equal(ask({ set: [] }, {}), "cascade");
  assert.equal(ask({}, { term: 3 }), "term");
  assert.equal(ask({ vote: B }, { term: 4 }), "voted");
  assert.equal(ask({}, { lastTerm: 3, lastIndex: 99 }), "log");
  assert.equal(ask({}, { lastIndex: 9 }), "log");
  for (const verdict of [ask({}, {}), ask({}, { lastTerm: 5, lastIndex: 1 })]) {
    assert.ok(typeof verdict === "object");
    assert.deepEqual([verdict.version, verdict.term, verdict.vote], [6, 5, A]);
    assert.deepEqual(verdict.set, [A], "a vote narrows the set in the same write");
  }
  const again = ask({}, { term: 4 });
  assert.ok(typeof again === "object");
  assert.deepEqual([again.subterm, again.version], [2, 6], "the same vote, told once more");
});

Deno.test("widened() names both, keeps the newer term and vote, and steps the version", () => {
  const leader = { node: A, term: 6, lastTerm: 6, lastIndex: 12 };
  const wide = widened({ ...REGISTER, set: [A] }, leader, [B, A]);
  assert.deepEqual(wide, {
    ...{ version: 6, term: 6, vote: A, subterm: 0 },
    ...{ set: [A, B], lastTerm: 6, lastIndex: 12 },
  });
  const same = widened({ ...REGISTER, vote: B }, { ...leader, term: 4 }, [A, B]);
  assert.deepEqual([same.term, same.vote, same.subterm], [4, B, 2], "a vote given stays given");
});

Deno.test("sameSet() compares without order", () => {
  assert.ok(sameSet([A, B], [B, A]));
  assert.ok(!sameSet([A], [A, B]) && !sameSet([A], [B]) && sameSet([], []));
});

Deno.test("askWitness(): however candidates come, no term has two votes and no stranger to the set has one", () => {
  const candidate = fc.record({
    ...{ node: fc.constantFrom(A, B), term: fc.integer({ min: 1, max: 6 }) },
    ...{ lastTerm: fc.integer({ min: 1, max: 4 }), lastIndex: fc.integer({ min: 1, max: 6 }) },
  });
  const move = fc.record({ candidate, widen: fc.boolean() });
  fc.assert(fc.property(fc.array(move, { maxLength: 30 }), (moves) => {
    let register: WitnessRegister = { ...REGISTER, term: 0, vote: null, lastTerm: 0, lastIndex: 0 };
    const votes = new Map<number, number>();
    for (const { candidate, widen } of moves) {
      const before = register;
      if (widen) {
        // Only a leader widens, and none of a term older than the register's.
        if (candidate.term < register.term || !register.set.includes(candidate.node)) continue;
        if (candidate.term === register.term && register.vote !== candidate.node) continue;
        register = widened(register, candidate, [A, B]);
      } else {
        const verdict = askWitness(register, candidate);
        if (!verdict.granted) continue;
        assert.ok(register.set.includes(candidate.node));
        register = verdict.register;
        assert.equal(votes.get(candidate.term) ?? candidate.node, candidate.node);
        votes.set(candidate.term, candidate.node);
      }
      assert.equal(register.version, before.version + 1);
      assert.ok(register.term >= before.term);
    }
  }));
});
