import assert from "node:assert/strict";
import fc from "fast-check";
import { Log } from "../../mod/config/log.ts";
import { APPEND_BYTES_MAX, APPEND_ENTRIES_MAX } from "../../mod/config/wire.ts";

const body = fc.uint8Array({ maxLength: 20 });
const steps = fc.array(
  fc.oneof(
    fc.tuple(fc.integer({ min: 0, max: 1 }), body).map(([rise, bytes]) => ({ rise, bytes })),
    fc.nat(30).map((cut) => ({ cut })),
  ),
  { maxLength: 60 },
);

/** A log and the plain list that it must be like. */
function played(moves: readonly ({ rise: number; bytes: Uint8Array } | { cut: number })[]) {
  const log = new Log([]);
  const list: { index: number; term: number; body: Uint8Array }[] = [];
  let term = 1;
  for (const move of moves) {
    if ("cut" in move) {
      const from = Math.min(move.cut + 1, list.length + 1);
      log.truncate(from);
      list.splice(from - 1);
    } else {
      term += move.rise;
      log.append(term, move.bytes);
      list.push({ index: list.length + 1, term, body: move.bytes });
    }
  }
  return { log, list };
}

Deno.test("Log is a list that begins at 1, whatever is added and dropped", () => {
  fc.assert(fc.property(steps, (moves) => {
    const { log, list } = played(moves);
    assert.equal(log.last, list.length);
    assert.equal(log.lastTerm, list.at(-1)?.term ?? 0);
    assert.equal(log.bytes, list.reduce((sum, each) => sum + each.body.length, 0));
    for (let index = 0; index <= list.length + 1; index++) {
      const there = list[index - 1];
      assert.equal(log.termAt(index), index === 0 ? 0 : there?.term);
      assert.deepEqual(log.at(index)?.body, there?.body);
    }
    assert.equal(log.chainAt(log.last), new Log(list).chainAt(log.last), "as after a restart");
  }));
});

Deno.test("Log.chainAt() tells two logs apart from the first entry on in which they differ", () => {
  fc.assert(fc.property(fc.array(body, { minLength: 1, maxLength: 12 }), fc.nat(), (bodies, at) => {
    const differs = at % bodies.length;
    const [one, other] = [new Log([]), new Log([])];
    bodies.forEach((bytes, index) => {
      one.append(1, bytes);
      other.append(1, index === differs ? Uint8Array.of(...bytes, 1) : bytes);
    });
    for (let index = 1; index <= bodies.length; index++) {
      assert.equal(one.chainAt(index) === other.chainAt(index), index <= differs);
    }
  }));
});

Deno.test("Log.from() takes what fits one append, and one entry at least", () => {
  const log = new Log([]);
  for (let at = 0; at < APPEND_ENTRIES_MAX + 10; at++) log.append(1, new Uint8Array(1));
  assert.equal(log.from(1).length, APPEND_ENTRIES_MAX);
  assert.equal(log.from(APPEND_ENTRIES_MAX + 1).length, 10);
  assert.deepEqual(log.from(log.last + 1), []);
  const heavy = new Log([]);
  heavy.append(1, new Uint8Array(APPEND_BYTES_MAX + 1));
  heavy.append(1, new Uint8Array(APPEND_BYTES_MAX / 2));
  heavy.append(1, new Uint8Array(APPEND_BYTES_MAX / 2));
  heavy.append(1, new Uint8Array(1));
  assert.deepEqual(heavy.from(1).map(({ index }) => index), [1]);
  assert.deepEqual(heavy.from(2).map(({ index }) => index), [2, 3]);
});

Deno.test("Log.isUpToDate() compares the last term first, then the length", () => {
  const log = new Log([]);
  const body = new Uint8Array(0);
  for (const term of [1, 1, 3]) log.append(term, body);
  const table: [number, number, boolean][] = [
    ...[[3, 3, true], [3, 4, true], [3, 2, false]] as [number, number, boolean][],
    ...[[4, 1, true], [2, 9, false], [0, 0, false]] as [number, number, boolean][],
  ];
  for (const [term, index, upToDate] of table) {
    assert.equal(log.isUpToDate(term, index), upToDate, `term ${term}, index ${index}`);
  }
});

Deno.test("Log.startOfTerm() finds where a term began, but goes not below what is committed", () => {
  const log = new Log([]);
  for (const term of [1, 2, 2, 2, 3]) log.append(term, new Uint8Array(0));
  assert.equal(log.startOfTerm(4, 1), 2);
  assert.equal(log.startOfTerm(4, 3), 3);
  assert.equal(log.startOfTerm(5, 1), 5);
});
