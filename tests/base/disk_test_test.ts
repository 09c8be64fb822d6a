/** Kept results of tests: what goes in comes out, and what is no result is none. */
import assert from "node:assert/strict";
import fc from "fast-check";
import {
  boundedTest,
  failedSteps,
  KEPT_STEPS_MAX,
  KEPT_TEXT_MAX,
  type KeptTest,
  keptTest,
} from "../../mod/base/disk_test.ts";

const TEXT = fc.string({ unit: "grapheme", maxLength: 2 * KEPT_TEXT_MAX });
const KEPT: fc.Arbitrary<KeptTest> = fc.record({
  by: fc.constantFrom("daily", "check"),
  at: fc.nat(),
  disk: TEXT,
  path: TEXT,
  unit: TEXT,
  verdict: fc.constantFrom("fences", "unproven", "cannot-fence"),
  steps: fc.array(
    fc.record({ what: TEXT, seen: fc.constantFrom("yes", "no", "unseen"), detail: TEXT }),
    { maxLength: 2 * KEPT_STEPS_MAX },
  ),
});

Deno.test("keptTest() gives back what boundedTest() made, whatever a target says of itself", () => {
  fc.assert(fc.property(KEPT, (test) => {
    const bounded = boundedTest(test);
    assert.deepEqual(keptTest(JSON.parse(JSON.stringify(bounded))), bounded);
  }));
});

Deno.test("keptTest() takes nothing with one field that is not what it must be", () => {
  const sound = { by: "daily", at: 1, disk: "", path: "", unit: "", verdict: "fences", steps: [] };
  assert.notEqual(keptTest(sound), null);
  const worse: Readonly<Record<string, readonly unknown[]>> = {
    by: ["sometimes"],
    at: [-1, 0.5, 1e300, null, "1"],
    verdict: ["it fences", "__proto__"],
    steps: [{}, [{}], [null], [{ what: "", seen: "perhaps", detail: "" }], Array(99).fill(1)],
    ...Object.fromEntries(["disk", "path", "unit"].map((key) => [key, [1, "x".repeat(9999)]])),
  };
  for (const [key, values] of Object.entries(worse)) {
    for (const value of [undefined, ...values]) {
      assert.equal(keptTest({ ...sound, [key]: value }), null, `${key}: ${value}`);
    }
  }
  fc.assert(fc.property(fc.anything(), (value) => assert.equal(keptTest(value), null)));
});

Deno.test("failedSteps() says what was seen not to be so, and nothing of what was not seen", () => {
  const steps = (["yes", "no", "unseen"] as const).map((seen) => ({
    what: seen,
    seen,
    detail: "d",
  }));
  assert.deepEqual(failedSteps({ verdict: "unproven", steps }), ["not so: no (d)"]);
});
