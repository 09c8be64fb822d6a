import assert from "node:assert/strict";
import fc from "fast-check";
import { instant } from "../../mod/base/time.ts";
import { Link } from "../../mod/heartbeat/link.ts";
import { SEED, TIMING } from "./world.ts";

const { deadMs } = TIMING;

Deno.test("Link.refresh() says up only while both directions work", () => {
  const table = [
    { heard: false, heardBack: false, up: false },
    { heard: true, heardBack: false, up: false },
    { heard: false, heardBack: true, up: false },
    { heard: true, heardBack: true, up: true },
  ];
  for (const { heard, heardBack, up } of table) {
    const link = new Link();
    if (heard) link.heard(1, instant(0));
    if (heardBack) link.heardBack(instant(0));
    assert.equal(link.refresh(instant(0), deadMs), up, "a change is told");
    assert.equal(link.up, up);
    assert.deepEqual(
      [link.hears(instant(0), deadMs), link.isHeard(instant(0), deadMs)],
      [heard, heardBack],
    );
  }
});

Deno.test("Link.refresh() tells each change once, and either direction's silence for deadMs", () => {
  for (const silent of ["heard", "heardBack"] as const) {
    const link = new Link();
    link.heard(1, instant(0));
    link.heardBack(instant(0));
    assert.deepEqual([link.refresh(instant(0), deadMs), link.refresh(instant(0), deadMs)], [
      true,
      false,
    ]);
    if (silent === "heard") link.heardBack(instant(deadMs));
    else link.heard(2, instant(deadMs));
    assert.equal(link.refresh(instant(deadMs - 1), deadMs), false);
    assert.equal(link.refresh(instant(deadMs), deadMs), true);
    assert.equal(link.up, false);
    assert.equal(link.hears(instant(deadMs), deadMs), silent === "heardBack");
  }
});

Deno.test("Link.notHeardBack() ends what the peer said before", () => {
  const link = new Link();
  link.heard(1, instant(0));
  link.heardBack(instant(0));
  link.refresh(instant(0), deadMs);
  link.notHeardBack();
  assert.equal(link.refresh(instant(1), deadMs), true);
  assert.deepEqual([link.up, link.hears(instant(1), deadMs)], [false, true]);
});

Deno.test("Link.lost counts what never came, not what came late or belongs to another life", () => {
  const table: readonly (readonly [seqs: readonly number[], lost: number])[] = [
    [[1, 2, 3], 0],
    [[5, 6], 0],
    [[1, 4], 2],
    [[1, 4, 2], 1],
    [[1, 4, 3, 2], 0],
    [[5, 3, 6], 0],
  ];
  for (const [seqs, lost] of table) {
    const link = new Link();
    for (const seq of seqs) link.heard(seq, instant(0));
    assert.equal(link.lost, lost, String(seqs));
  }
  const link = new Link();
  for (const seq of [1, 900]) link.heard(seq, instant(0));
  link.reset();
  link.heard(1, instant(0));
  assert.equal(link.lost, 898);
});

Deno.test("Link.lost is the number of gaps, in whatever order the rest came", () => {
  const arrivals = fc.uniqueArray(fc.integer({ min: 2, max: 60 }), { minLength: 1 });
  fc.assert(
    fc.property(arrivals, (seqs) => {
      const link = new Link();
      for (const seq of [1, ...seqs]) link.heard(seq, instant(0));
      assert.equal(link.lost, Math.max(...seqs) - 1 - seqs.length);
    }),
    { seed: SEED, numRuns: 300 },
  );
});

Deno.test("Link.sample() follows the round trip by an eighth", () => {
  const link = new Link();
  assert.equal(link.rttMs, null);
  link.sample(8);
  link.sample(16);
  assert.equal(link.rttMs, 9);
});
