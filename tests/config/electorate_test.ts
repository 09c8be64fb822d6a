/** Two majorities that could decide without each other are the end of every promise. */
import assert from "node:assert/strict";
import fc from "fast-check";
import type { ClusterSpec, Member } from "../../mod/base/cluster.ts";
import { type NodeId, nodeId } from "../../mod/base/id.ts";
import {
  type Electorate,
  electorateOf,
  isMajority,
  needsBoth,
  reachedBy,
} from "../../mod/config/electorate.ts";
import { specOf } from "./cluster.ts";

const WITNESS = 99;

function specWith(ids: readonly number[], witness: boolean): ClusterSpec {
  const base = specOf(1, witness);
  const [first] = base.members as [Member];
  const members = ids.map((id): Member => ({ ...first, id: nodeId(id), name: `node${id}` }));
  return { ...base, members };
}

/** Every set of voters (the witness among them) that is a majority of all these electorates. */
function majorities(electorates: readonly Electorate[]): Set<number>[] {
  const all = [1, 2, 3, 4, 5, WITNESS];
  return Array.from({ length: 2 ** all.length }, (_, bits) => {
    return new Set(all.filter((_, at) => (bits >> at) % 2 === 1));
  }).filter((set) => isMajority(electorates, (id: NodeId) => set.has(id), set.has(WITNESS)));
}

function meet(first: readonly Set<number>[], second: readonly Set<number>[]): boolean {
  return first.every((a) => second.every((b) => [...a].some((each) => b.has(each))));
}

Deno.test("electorateOf() counts the witness between two voters and nowhere else", () => {
  const table: [number[], boolean, number, boolean][] = [
    [[1], false, 1, false],
    [[1], true, 1, false],
    [[1, 2], false, 2, false],
    [[1, 2], true, 2, true],
    [[1, 2, 3], true, 2, false],
    [[1, 2, 3, 4], false, 3, false],
    [[1, 2, 3, 4, 5], false, 3, false],
  ];
  for (const [ids, configured, majority, witness] of table) {
    const electorate = electorateOf(specWith(ids, configured));
    assert.equal(electorate.majority, majority, `${ids}`);
    assert.equal(electorate.witness, witness, `${ids}`);
  }
});

Deno.test("needsBoth() is true exactly where a witness comes or goes with a data node", () => {
  const table: [number[], number[], boolean, boolean][] = [
    [[1], [1, 2], false, false],
    [[1, 2], [1, 2, 3], false, false],
    [[1, 2, 3], [1, 3], false, false],
    [[1], [1, 2], true, true],
    [[1, 2], [1], true, true],
    [[1, 2], [1, 2, 3], true, true],
    [[1, 2, 3], [1, 2], true, true],
    [[1, 2, 3], [1, 2, 3, 4], true, false],
  ];
  for (const [before, next, witness, both] of table) {
    const what = `{${before}} to {${next}}, witness ${witness}`;
    assert.equal(needsBoth(specWith(before, witness), specWith(next, witness)), both, what);
  }
  assert.equal(needsBoth(specWith([1, 2], true), specWith([1, 2], false)), false);
});

Deno.test("any two majorities of one change share a voter, whatever changes", () => {
  const ids = fc.subarray([1, 2, 3, 4, 5], { minLength: 1 });
  fc.assert(
    fc.property(ids, ids, fc.boolean(), fc.boolean(), (old, young, before, after) => {
      const [first, second] = [specWith(old, before), specWith(young, after)];
      const [was, is] = [electorateOf(first), electorateOf(second)];
      const during = needsBoth(first, second) ? [was, is] : [is];
      assert.ok(meet(majorities(during), majorities([was])), "with those who do not know of it");
      assert.ok(meet(majorities(during), majorities([is])), "with those who know it committed");
    }),
    { numRuns: 300 },
  );
});

Deno.test("reachedBy() is the highest value that a majority of every electorate has", () => {
  const values = fc.array(fc.nat(9), { minLength: 6, maxLength: 6 });
  const ids = fc.subarray([1, 2, 3, 4, 5], { minLength: 1 });
  fc.assert(fc.property(ids, ids, values, (old, young, has) => {
    const electorates = [electorateOf(specWith(old, true)), electorateOf(specWith(young, true))];
    const valueOf = (id: NodeId) => has[id] ?? 0;
    const witness = has[0] ?? 0;
    const reached = reachedBy(electorates, valueOf, witness);
    const agree = (limit: number) =>
      isMajority(electorates, (id) => valueOf(id) >= limit, witness >= limit);
    assert.ok(agree(reached));
    assert.ok(!agree(reached + 1));
  }));
});
