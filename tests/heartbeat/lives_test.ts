import assert from "node:assert/strict";
import { type BootId, bootId } from "../../mod/base/id.ts";
import { instant } from "../../mod/base/time.ts";
import { CANDIDATES_MAX, Lives, RETIRED_MAX } from "../../mod/heartbeat/lives.ts";
import { TIMING } from "./world.ts";

const { deadMs } = TIMING;

function boot(nth: number): BootId {
  return bootId(nth.toString(16).padStart(16, "0"));
}

/** A genuine packet: taken where it is new. */
function hear(lives: Lives, nth: number, seq: number, now: number): boolean {
  if (!lives.accept(boot(nth), 0, seq)) return false;
  lives.hear(boot(nth), 0, seq, instant(now));
  return true;
}

Deno.test("Lives.toEcho() answers a candidate only while the accepted life is silent", () => {
  const lives = new Lives();
  assert.equal(lives.toEcho(instant(0), deadMs), null);
  hear(lives, 1, 1, 0);
  assert.equal(lives.current?.boot, undefined, "a candidate is not accepted by being heard");
  assert.equal(lives.toEcho(instant(0), deadMs)?.boot, boot(1));
  lives.adopt(boot(1), instant(5));
  assert.deepEqual([lives.current?.boot, lives.adoptedAt], [boot(1), 5]);
  hear(lives, 2, 1, deadMs - 1);
  assert.equal(lives.toEcho(instant(deadMs - 1), deadMs)?.boot, boot(1));
  assert.equal(lives.toEcho(instant(deadMs), deadMs)?.boot, boot(2));
  assert.equal(lives.toEcho(instant(2 * deadMs), deadMs)?.boot, boot(1), "both are silent");
});

Deno.test("Lives.toEcho() lets candidates take turns", () => {
  const lives = new Lives();
  for (const nth of [1, 2, 3]) hear(lives, nth, 1, 0);
  const turns = [0, 1, 2, 3, 4, 5].map(() => lives.toEcho(instant(1), deadMs)?.boot);
  assert.deepEqual(turns, [1, 2, 3, 1, 2, 3].map(boot));
});

Deno.test("Lives.hear() dates a beat to its first copy, and knows one that was overtaken", () => {
  const lives = new Lives();
  lives.accept(boot(1), 0, 7);
  assert.equal(lives.hear(boot(1), 0, 7, instant(10)), true);
  assert.equal(lives.hear(boot(1), 1, 7, instant(20)), true, "the same on another link");
  assert.equal(lives.hear(boot(1), 0, 6, instant(30)), false);
  const life = lives.toEcho(instant(30), deadMs);
  assert.deepEqual([life?.seq, life?.at], [7, 10]);
  assert.deepEqual([life?.linkAt.get(0), life?.linkAt.get(1)], [30, 20]);
});

Deno.test("Lives.accept() keeps a window per life and link, across adoption", () => {
  const lives = new Lives();
  assert.deepEqual([0, 0, 1].map((link) => lives.accept(boot(1), link, 1)), [true, false, true]);
  assert.equal(lives.accept(boot(2), 0, 1), true);
  lives.adopt(boot(1), instant(0));
  assert.equal(lives.accept(boot(1), 0, 1), false, "what it sent as a candidate stays seen");
  assert.equal(lives.accept(boot(1), 0, 2), true);
});

Deno.test("Lives.adopt() retires the former life for good", () => {
  const lives = new Lives();
  for (let nth = 1; nth <= RETIRED_MAX + 2; nth++) {
    hear(lives, nth, 1, nth);
    lives.adopt(boot(nth), instant(nth));
    assert.equal(lives.isRetired(boot(nth)), false);
    if (nth > 1) assert.equal(lives.isRetired(boot(nth - 1)), true);
  }
  assert.equal(lives.isRetired(boot(1)), false, "the memory of former lives is bounded");
  assert.equal(lives.isRetired(boot(2)), true);
});

Deno.test("Lives.accept() bounds candidates: those who were silent for longest go", () => {
  const lives = new Lives();
  hear(lives, 1, 1, 0);
  for (let nth = 2; nth <= 50; nth++) {
    hear(lives, nth, 1, nth);
    assert.equal(hear(lives, 1, nth, nth), true, "who goes on speaking is not pushed out");
  }
  assert.equal(hear(lives, 1, 30, 50), false, "and so its window was never lost");
  const echoed = new Set<string | undefined>();
  for (let i = 0; i < 100; i++) echoed.add(lives.toEcho(instant(51), deadMs)?.boot);
  assert.equal(echoed.size, CANDIDATES_MAX);
  assert.ok(echoed.has(boot(1)));
});

/** Two lives beat, the second from `from` on; who is seen as a twin at the end. */
function beside(lives: Lives, { from, beats, everyMs }: {
  readonly from: number;
  readonly beats: number;
  readonly everyMs: number;
}): BootId | null {
  lives.pauseMs = deadMs / 2;
  hear(lives, 1, 1, 0);
  lives.adopt(boot(1), instant(0));
  let now = 0;
  for (let nth = 1; nth <= beats; nth++) {
    now = nth * everyMs;
    hear(lives, 1, 1 + nth, now);
    if (now >= from) hear(lives, 2, nth, now);
  }
  return lives.twin(instant(now), deadMs);
}

Deno.test("Lives.twin() sees two lives that beat beside each other for longer than a dead one could", () => {
  const everyMs = deadMs / 6;
  assert.equal(beside(new Lives(), { from: 0, beats: 6, everyMs }), null, "not for long enough");
  assert.equal(beside(new Lives(), { from: 0, beats: 20, everyMs }), boot(2));
  assert.equal(beside(new Lives(), { from: 16 * everyMs, beats: 20, everyMs }), null);
  assert.equal(beside(new Lives(), { from: 0, beats: 20, everyMs: deadMs / 2 }), null, "pauses");
});

Deno.test("Lives.twin() is over when either is silent, and is none where one replaced the other", () => {
  const everyMs = deadMs / 6;
  const lives = new Lives();
  assert.equal(beside(lives, { from: 0, beats: 20, everyMs }), boot(2));
  const end = 20 * everyMs;
  for (let nth = 1; nth <= 6; nth++) hear(lives, 1, 100 + nth, end + nth * everyMs);
  assert.equal(lives.twin(instant(end + deadMs), deadMs), null, "the copy is gone");
  const other = new Lives();
  assert.equal(beside(other, { from: 0, beats: 20, everyMs }), boot(2));
  for (let nth = 1; nth <= 6; nth++) hear(other, 2, 100 + nth, end + nth * everyMs);
  assert.equal(other.twin(instant(end + deadMs), deadMs), null, "it was a restart");
});

Deno.test("Lives.twin() takes no recording of a life that spoke to another life of ours", () => {
  const lives = new Lives();
  assert.equal(beside(lives, { from: 0, beats: 20, everyMs: deadMs / 6 }), boot(2));
  lives.strays(boot(2));
  assert.equal(lives.twin(instant(20 * deadMs / 6), deadMs), null);
});
