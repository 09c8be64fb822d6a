import assert from "node:assert/strict";
import fc from "fast-check";
import { EPOCH, instant } from "../../mod/base/time.ts";
import { timingOf } from "../../mod/base/timing.ts";
import { isLossOfAll } from "../../mod/storage/reservation.ts";
import { type Absence, absenceReason, type Loss, Standing } from "../../mod/storage/standing.ts";

const TIMING = timingOf("fast");
const { beatMs, deadMs } = TIMING;
const NOW = instant(100_000);
const LONG_AGO = instant(100_000 - deadMs);
const LATELY = instant(100_000 - beatMs);

function loss(absence: Absence, more: Partial<Loss> = {}): Loss {
  return { absence, lostAt: EPOCH, judging: false, kept: false, ...more };
}

/** A life in which something runs, with the others' last word of it `heardAt`. */
function busy(heardAt = LATELY): Standing {
  const standing = new Standing();
  standing.onEmpty(instant(1));
  standing.onResources(1);
  standing.onProof(heardAt);
  return standing;
}

Deno.test("Standing.mayRegister(): where nothing runs, anything may be registered", () => {
  for (const absence of ["new", "forgotten", "ejected"] as const) {
    const standing = new Standing();
    assert.equal(standing.mayRegister(loss(absence), NOW, TIMING), false, "nothing is known yet");
    standing.onEmpty(instant(1));
    assert.equal(standing.mayRegister(loss(absence), NOW, TIMING), true);
    standing.onResources(1);
    assert.equal(standing.mayRegister(loss(absence), NOW, TIMING), false, "something runs");
    standing.onEmpty(instant(2));
    standing.onLapse();
    assert.equal(standing.mayRegister(loss(absence), NOW, TIMING), false, "it is being killed");
  }
});

Deno.test("Standing.mayRegister(): who lost in a judgement ends what it runs first", () => {
  const standing = new Standing();
  standing.onEmpty(instant(10));
  const lost = loss("ejected", { lostAt: instant(20), judging: true });
  assert.equal(standing.mayRegister(lost, NOW, TIMING), false);
  assert.equal(standing.mayRegister({ ...lost, judging: false }, NOW, TIMING), true);
  standing.onEmpty(instant(21));
  assert.equal(standing.mayRegister(lost, NOW, TIMING), true);
});

Deno.test("Standing.mayRegister(): while something runs, only under the eyes of the others", () => {
  for (const absence of ["new", "forgotten"] as const) {
    assert.equal(busy().mayRegister(loss(absence), NOW, TIMING), true);
    assert.equal(busy(LONG_AGO).mayRegister(loss(absence), NOW, TIMING), false);
  }
  assert.equal(busy().mayRegister(loss("ejected"), NOW, TIMING), false);
});

Deno.test("Standing.heardSince() is broken by each moment in which somebody may have called us dead", () => {
  const standing = new Standing();
  const look = (at: number) => standing.look(instant(at), TIMING);
  assert.ok(!standing.heardSince(instant(0)));
  standing.onProof(instant(1000));
  look(1000 + beatMs);
  assert.ok(standing.heardSince(instant(1000)) && !standing.heardSince(instant(999)));
  standing.onProof(instant(1000 + beatMs));
  look(1000 + 2 * beatMs);
  assert.ok(standing.heardSince(instant(1000)), "and no longer than it is so");
  look(1000 + beatMs + deadMs);
  standing.onProof(instant(1000 + beatMs + deadMs));
  look(1000 + 2 * beatMs + deadMs);
  assert.ok(!standing.heardSince(instant(1000)));
  assert.ok(standing.heardSince(instant(1000 + beatMs + deadMs)));
});

Deno.test("Standing: a beat that only the witness heard shows nobody's eyes on us", () => {
  const standing = busy(LONG_AGO);
  standing.onVote(LATELY, false);
  standing.onProof(LATELY);
  assert.equal(standing.isSound(NOW, TIMING), false);
  standing.onVote(LATELY, true);
  assert.equal(standing.isSound(NOW, TIMING), true, "but a register that names only us does");
});

Deno.test("Standing: what a former life lost may be had again where this one was never doubted", () => {
  const standing = new Standing();
  standing.onEmpty(instant(1));
  for (let at = 1; at < 10; at++) {
    const now = instant(at * beatMs);
    standing.look(now, TIMING);
    standing.onProof(now);
    standing.onResources(1);
  }
  const now = instant(10 * beatMs);
  assert.equal(standing.mayRegister(loss("ejected"), now, TIMING), true);
  const mine = loss("ejected", { lostAt: instant(5 * beatMs) });
  assert.equal(
    standing.mayRegister(mine, now, TIMING),
    false,
    "what this life lost is another thing",
  );
  assert.equal(standing.mayRegister({ ...mine, kept: true }, now, TIMING), true);
  const gap = instant(9 * beatMs + deadMs);
  standing.look(gap, TIMING);
  standing.onProof(gap);
  assert.equal(standing.mayRegister(loss("ejected"), gap, TIMING), false, "once was enough");
  standing.onResources(0);
  standing.look(gap, TIMING);
  standing.onResources(1);
  assert.equal(standing.mayRegister(loss("ejected"), gap, TIMING), true);
});

Deno.test("isLossOfAll() tells a target that forgot everybody from an ejection", () => {
  const state = (generation: number, ...keys: string[]) => ({
    generation,
    keys,
    holder: keys[0] ?? null,
    type: keys.length > 0 ? 5 as const : null,
  });
  const before = state(7, "a1", "b1");
  const recent = { recent: true, own: "a1" };
  assert.equal(isLossOfAll(before, state(8, "b1"), recent), false, "the ejector's key stays");
  assert.equal(isLossOfAll(before, state(8), recent), true, "CLEAR");
  assert.equal(isLossOfAll(before, state(9, "b2"), recent), true, "cleared, and registered anew");
  assert.equal(isLossOfAll(before, state(9, "b2"), { ...recent, recent: false }), false);
  assert.equal(isLossOfAll(before, state(1, "b1"), recent), true, "it counts anew");
  assert.equal(
    isLossOfAll(state(0xffffffff, "a1", "b1"), state(0, "b1"), recent),
    false,
    "it wraps",
  );
  const alone = { recent: false, own: "a1" };
  assert.equal(isLossOfAll(state(3, "a1"), state(4), alone), true, "nobody is there");
  assert.equal(isLossOfAll(null, state(1, "b1"), recent), false);
  assert.equal(isLossOfAll(state(3, "a1"), state(5, "b1"), recent), false, "nobody else was there");
});

Deno.test("isLossOfAll() never calls it that while a former key is there and the count rises", () => {
  const key = fc.constantFrom("b1", "b2", "c1");
  fc.assert(fc.property(
    fc.uniqueArray(key, { minLength: 1 }),
    fc.integer({ min: 0, max: 0xffffffff }),
    fc.integer({ min: 0, max: 1000 }),
    (others, generation, risen) => {
      const state = { holder: "a1", type: 5 as const };
      const before = { ...state, generation, keys: ["a1", ...others] };
      const now = { ...state, generation: (generation + risen) >>> 0, keys: others.slice(0, 1) };
      assert.equal(isLossOfAll(before, now, { recent: true, own: "a1" }), false);
    },
  ));
});

Deno.test("absenceReason() says of each absence what it is", () => {
  const codeOf = (absence: Parameters<typeof absenceReason>[0]) =>
    absenceReason(absence, "/dev/x").because.code;
  assert.equal(codeOf("new"), "storage.unfence-waits");
  assert.equal(codeOf("forgotten"), "storage.forgotten");
  assert.equal(codeOf("ejected"), "storage.registration-lost");
});
