/** What a node says of the descriptions in its log that others may go by already. */
import assert from "node:assert/strict";
import type { ClusterSpec } from "../../mod/base/cluster.ts";
import { nodeId } from "../../mod/base/id.ts";
import { Specs } from "../../mod/config/specs.ts";
import { encodeEntry } from "../../mod/config/wire.ts";
import { specOf } from "./cluster.ts";

const [PAIR, THREE, FOUR] = [specOf(2, true), specOf(3, true), specOf(4, true)];
const LONE = specOf(1, true);

function specs(first: ClusterSpec, inherited: number, ...more: readonly ClusterSpec[]): Specs {
  const made = new Specs({ spec: first, index: 0, highest: 9, forced: false }, inherited);
  more.forEach((spec, at) => {
    const body = encodeEntry({ kind: "spec", spec, highest: 9 });
    made.note({ index: 10 * (at + 1), term: 1, body });
  });
  return made;
}

function sizes(open: readonly ClusterSpec[]): number[] {
  return open.map(({ members }) => members.length);
}

Deno.test("Specs.open() is what a majority may go by that shares nobody with one of the told one", () => {
  const table: [string, Specs, number, number[]][] = [
    ["a third in the place of the witness", specs(PAIR, 0, THREE), 9, [3]],
    ["committed", specs(PAIR, 0, THREE), 10, []],
    ["one vote more", specs(THREE, 0, FOUR), 9, []],
    ["two changes in a row", specs(THREE, 0, FOUR, specOf(5, true)), 9, [4, 5]],
    ["the first of them is known", specs(THREE, 0, FOUR, specOf(5, true)), 10, []],
    ["one of a pair goes", specs(PAIR, 0, LONE), 0, [1]],
    // A life goes by the newest in its log at once, and must not by that alone.
    ["inherited", specs(PAIR, 10, THREE), 9, [2]],
    ["inherited, known", specs(PAIR, 10, THREE), 10, []],
  ];
  for (const [name, made, commit, expected] of table) {
    assert.deepEqual(sizes(made.open(commit)), expected, name);
  }
});

Deno.test("Specs.open() says nothing of what a person gave itself, or what another leader dropped", () => {
  const forced = specs(PAIR, 0);
  const entry = {
    ...{ kind: "forced" as const, spec: LONE, highest: 9, writer: nodeId(1), out: [], author: "a" },
    ...{ request: "0".repeat(16), reason: "", time: 0 },
  };
  forced.note({ index: 10, term: 2, body: encodeEntry(entry) });
  assert.deepEqual(forced.open(9), []);
  const dropped = specs(PAIR, 0, THREE);
  dropped.truncate(10);
  assert.deepEqual(dropped.open(9), []);
});

Deno.test("Specs.votesIndex is where votes were changed last, not names", () => {
  assert.equal(specs(THREE, 0).votesIndex, 0);
  assert.equal(specs(THREE, 0, { ...THREE, name: "other" }).votesIndex, 0);
  assert.equal(specs(THREE, 0, FOUR, { ...FOUR, name: "other" }).votesIndex, 10);
});
