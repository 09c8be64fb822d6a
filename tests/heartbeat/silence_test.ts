import assert from "node:assert/strict";
import fc from "fast-check";
import { instant } from "../../mod/base/time.ts";
import { silenceOf, type Watch } from "../../mod/heartbeat/silence.ts";
import { SEED } from "./world.ts";

function watch(since: number, until: number, votes = 1): Watch {
  return { votes, since: instant(since), until: instant(until) };
}

Deno.test("silenceOf() is the stretch through which a majority looked out together", () => {
  const table: readonly (readonly [watches: readonly Watch[], needed: number, silence: number])[] =
    [
      [[], 1, -Infinity],
      [[watch(0, 60)], 2, -Infinity],
      [[watch(0, 60)], 1, 60],
      [[watch(0, 60), watch(0, 50)], 2, 50],
      [[watch(0, 60), watch(0, 50)], 1, 60],
      // One began anew: together they looked out since then.
      [[watch(0, 60), watch(40, 60)], 2, 20],
      [[watch(0, 60), watch(40, 60), watch(0, 55)], 2, 55],
      // Each looked out for 50, one after the other.
      [[watch(0, 50), watch(50, 100)], 2, 0],
      [[watch(0, 50), watch(60, 110)], 2, -10],
      [[watch(0, 60, 0), watch(10, 60, 2)], 2, 50],
    ];
  for (const [watches, needed, silence] of table) {
    assert.equal(silenceOf(watches, needed), silence);
  }
});

Deno.test("silenceOf() does as trying every majority does", () => {
  const watches = fc.array(
    fc.record({ votes: fc.nat(2), since: fc.nat(50), length: fc.nat(50) }),
    { maxLength: 6 },
  ).map((all) => all.map(({ votes, since, length }) => watch(since, since + length, votes)));
  fc.assert(
    fc.property(watches, fc.integer({ min: 1, max: 8 }), (all, needed) => {
      let longest = -Infinity;
      for (let chosen = 1; chosen < 2 ** all.length; chosen++) {
        const majority = all.filter((_watch, at) => Math.floor(chosen / 2 ** at) % 2 === 1);
        if (majority.reduce((sum, { votes }) => sum + votes, 0) < needed) continue;
        const until = Math.min(...majority.map((each) => each.until));
        const since = Math.max(...majority.map((each) => each.since));
        longest = Math.max(longest, until - since);
      }
      assert.equal(silenceOf(all, needed), longest);
    }),
    { seed: SEED, numRuns: 500 },
  );
});
