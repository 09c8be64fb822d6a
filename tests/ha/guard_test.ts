/** The guard and the watchdog that follows it. */
import assert from "node:assert/strict";
import fc from "fast-check";
import { bootId, nodeId } from "../../mod/base/id.ts";
import { instant, NEVER } from "../../mod/base/time.ts";
import { Arming } from "../../mod/ha/arming.ts";
import { HaContext } from "../../mod/ha/context.ts";
import { Guard } from "../../mod/ha/guard.ts";
import { specOf, TIMING } from "./desk.ts";

const LEASE = 1000;
const at = instant;

Deno.test("Guard: a tenure lasts a lease from when the proven beat was sent, not from when that came", () => {
  const guard = new Guard();
  assert.equal(guard.prove(at(100), LEASE, at(900)), "began");
  assert.equal(guard.until, 1100);
  assert.equal(guard.prove(at(100), LEASE, at(950)), "none");
  assert.equal(guard.prove(at(300), LEASE, at(1000)), "advanced");
  assert.equal(guard.prove(at(200), LEASE, at(1001)), "none", "an older proof takes nothing back");
  assert.equal(guard.deadline(), 1300);
  assert.equal(guard.check(at(1299)), "none");
  assert.equal(guard.check(at(1300)), "lapsed");
  assert.equal(guard.check(at(1301)), "none", "told once");
  assert.equal(guard.deadline(), NEVER);
});

Deno.test("Guard: a proof that comes after its own lease begins nothing", () => {
  const guard = new Guard();
  assert.equal(guard.prove(at(100), LEASE, at(1100)), "none");
  assert.equal(guard.held, false);
});

Deno.test("Guard: a new tenure needs a beat sent after the lapse, and everything gone", () => {
  const guard = new Guard();
  guard.prove(at(100), LEASE, at(100));
  assert.equal(guard.check(at(1100)), "lapsed");
  assert.equal(guard.prove(at(1150), LEASE, at(1200)), "none", "killed resources may be there yet");
  guard.clean();
  assert.equal(guard.prove(at(1099), LEASE, at(1200)), "began", "1150 is known by now");
  assert.equal(guard.tenure, 2);
  guard.lapse(at(1300));
  guard.clean();
  assert.equal(guard.prove(at(1300), LEASE, at(1350)), "none", "sent before the lapse");
  assert.equal(guard.prove(at(1301), LEASE, at(1350)), "began");
});

Deno.test("Guard: a judgement that is lost without a tenure must be cleaned up all the same", () => {
  const guard = new Guard();
  assert.equal(guard.lapse(at(50)), "none");
  assert.equal(guard.dirty, true);
  assert.equal(guard.prove(at(100), LEASE, at(100)), "none", "the kill is under way");
  guard.clean();
  assert.equal(guard.prove(at(100), LEASE, at(101)), "began");
});

Deno.test("Guard: whatever comes, it is held only within a lease of a proven beat", () => {
  const step = fc.oneof(
    fc.record({ kind: fc.constant("prove" as const), ago: fc.nat(3 * LEASE), ms: fc.nat(800) }),
    fc.record({
      kind: fc.constantFrom("check", "lapse", "clean"),
      ago: fc.nat(0),
      ms: fc.nat(800),
    }),
  );
  fc.assert(fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
    const guard = new Guard();
    let now = 10_000;
    let newest = -Infinity;
    let lapsedAt = -Infinity;
    for (const { kind, ago, ms } of steps) {
      now += ms;
      if (guard.check(at(now)) === "lapsed") lapsedAt = now;
      if (kind === "prove") {
        newest = Math.max(newest, now - ago);
        guard.prove(at(now - ago), LEASE, at(now));
      } else if (kind === "lapse") {
        guard.lapse(at(now));
        lapsedAt = now;
      } else if (kind === "clean") guard.clean();
      if (!guard.held) continue;
      assert.ok(now < guard.until && guard.until <= newest + LEASE);
      assert.ok(!guard.dirty && newest > lapsedAt);
    }
  }));
});

function arming() {
  const context = new HaContext(nodeId(1), bootId("00000000000000aa"), {
    ...{ spec: specOf(1), now: at(1000) },
  });
  return { context, arming: new Arming(context) };
}

Deno.test("Arming: petted at its period while the guard is held, and never after", () => {
  const { context, arming: it } = arming();
  it.open();
  it.open();
  it.onOpened("softdog");
  it.pet(true);
  it.pet(true);
  const kinds = () => context.take().map(({ kind }) => kind);
  assert.deepEqual(kinds(), ["watchdog-open", "watchdog-pet"]);
  assert.equal(it.deadline(true), 1000 + TIMING.petMs);
  context.now = at(1000 + TIMING.petMs);
  it.pet(false);
  assert.deepEqual(kinds(), [], "the guard has lapsed");
  assert.equal(it.deadline(false), NEVER);
  it.pet(true);
  assert.deepEqual(kinds(), ["watchdog-pet"]);
});

Deno.test("Arming: given up while it opens, it is disarmed as soon as it is there", () => {
  const { context, arming: it } = arming();
  it.open();
  it.close();
  assert.equal(it.report, "opening");
  it.onOpened("softdog");
  assert.deepEqual(context.take().map(({ kind }) => kind), ["watchdog-open", "watchdog-disarm"]);
  assert.deepEqual([it.armed, it.known, it.report], [false, false, "opening"]);
});

Deno.test("Arming: no device is known as such, and asked for again in the next tenure", () => {
  const { context, arming: it } = arming();
  it.open();
  it.onOpened(null);
  assert.deepEqual([it.armed, it.known, it.report], [false, true, "none"]);
  it.pet(true);
  it.open();
  assert.deepEqual(context.take().map(({ kind }) => kind), ["watchdog-open", "watchdog-open"]);
});
