import assert from "node:assert/strict";
import fc from "fast-check";
import { REPLAY_WINDOW, ReplayWindow } from "../../mod/heartbeat/replay.ts";
import { SEED } from "./world.ts";

Deno.test("ReplayWindow.accept() takes each number once, in any order within the window", () => {
  const table: readonly (readonly [seqs: readonly number[], taken: readonly boolean[]])[] = [
    [[1, 2, 3], [true, true, true]],
    [[1, 1], [true, false]],
    [[3, 1, 2, 1], [true, true, true, false]],
    [[0, 0], [true, false]],
    [[REPLAY_WINDOW + 1, 1, 2], [true, false, true]],
    [[5, Number.MAX_SAFE_INTEGER, 6, Number.MAX_SAFE_INTEGER], [true, true, false, false]],
    [[Number.MAX_SAFE_INTEGER, Number.MAX_SAFE_INTEGER - 1], [true, true]],
  ];
  for (const [seqs, taken] of table) {
    const window = new ReplayWindow();
    assert.deepEqual(seqs.map((seq) => window.accept(seq)), taken, String(seqs));
  }
});

Deno.test("ReplayWindow.accept() does as a memory of everything would, but for what is too old", () => {
  const seqs = fc.array(
    fc.oneof(
      { weight: 9, arbitrary: fc.nat(4 * REPLAY_WINDOW) },
      { weight: 1, arbitrary: fc.maxSafeNat() },
    ),
    { maxLength: 400 },
  );
  fc.assert(
    fc.property(seqs, (arriving) => {
      const window = new ReplayWindow();
      const seen = new Set<number>();
      for (const seq of arriving) {
        const highest = Math.max(-1, ...seen);
        const expected = !seen.has(seq) && seq > highest - REPLAY_WINDOW;
        assert.equal(window.accept(seq), expected);
        if (expected) seen.add(seq);
      }
    }),
    { seed: SEED, numRuns: 200 },
  );
});
