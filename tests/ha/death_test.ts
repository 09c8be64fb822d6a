/** Proof of death: a table of what is known against what it proves. */
import assert from "node:assert/strict";
import fc from "fast-check";
import { bootId, nodeId } from "../../mod/base/id.ts";
import { instant, type Millis } from "../../mod/base/time.ts";
import { timingOf } from "../../mod/base/timing.ts";
import { type Evidence, proofFor, proofOf } from "../../mod/ha/death.ts";
import type { DeathProof, LastWords, MemberState } from "../../mod/streams.ts";

const TIMING = timingOf("fast");
const HEARD = 50_000;
const BOOT = bootId("00000000000000aa");
const OTHER = bootId("00000000000000bb");
const LEASE = TIMING.leaseMs + TIMING.slackMs;
const WAIT = TIMING.deadMs + TIMING.fenceWaitMs;

interface Known {
  readonly silence: Millis;
  readonly state?: MemberState;
  readonly armed?: boolean;
  readonly unguarded?: boolean;
  readonly confirmed?: boolean;
  readonly storageFenced?: boolean;
  readonly boot?: typeof BOOT | null;
  readonly words?: LastWords;
  readonly by?: typeof BOOT;
  /** When the words were read, after the last sign of life. */
  readonly readMs?: Millis;
}

function evidence(known: Known): Evidence {
  const { state = "down", boot = BOOT, words, by = BOOT, readMs = 0 } = known;
  return {
    health: {
      ...{ node: nodeId(2), state, boot, vitals: null },
      lastHeard: instant(HEARD),
      vouched: instant(HEARD + known.silence),
    },
    armed: known.armed ?? false,
    unguarded: known.unguarded ?? false,
    words: words === undefined ? null : { words, boot: by, at: instant(HEARD + readMs) },
    confirmed: known.confirmed ?? false,
    storageFenced: known.storageFenced ?? false,
  };
}

const TABLE: readonly (readonly [string, Known, DeathProof | null])[] = [
  ["silence of an armed node for long enough", { silence: WAIT, armed: true }, "wait"],
  ["silence of an armed node, a moment too short", { silence: WAIT - 1, armed: true }, null],
  ["silence of a node without watchdog, however long", { silence: 100 * WAIT }, null],
  ["silence of a node that was disarmed, however long", {
    ...{ silence: 100 * WAIT, armed: true, unguarded: true },
  }, null],
  ["a clean stop of a node that was disarmed", {
    ...{ silence: WAIT, armed: true, unguarded: true, words: "clean-stop" },
  }, null],
  ["that it fenced itself, of a node that was disarmed", {
    ...{ silence: WAIT, unguarded: true, words: "self-fenced" },
  }, null],
  ["a person's word for a node that was disarmed", {
    ...{ silence: LEASE, unguarded: true, confirmed: true },
  }, "confirmed"],
  ["a person's word", { silence: LEASE, confirmed: true }, "confirmed"],
  ["a person's word while its lease may last", { silence: LEASE - 1, confirmed: true }, null],
  ["a clean stop", { silence: LEASE, words: "clean-stop" }, "clean-stop"],
  ["a clean stop, told long before it fell silent", {
    ...{ silence: LEASE, words: "clean-stop", readMs: -5000 },
  }, "clean-stop"],
  ["a clean stop while a lease may last", { silence: LEASE - 1, words: "clean-stop" }, null],
  ["a clean stop of another life", { silence: LEASE, words: "clean-stop", by: OTHER }, null],
  ["a clean stop of a life that was never heard", {
    ...{ silence: LEASE, words: "clean-stop", boot: null },
  }, null],
  ["that it fenced itself", { silence: LEASE, words: "self-fenced" }, "self-fenced"],
  ["that it fenced itself, and a sign of life after that", {
    ...{ silence: LEASE, words: "self-fenced", readMs: -1 },
  }, null],
  ["that another life fenced itself", { silence: LEASE, words: "self-fenced", by: OTHER }, null],
  ["words of nothing", { silence: LEASE, words: "none" }, null],
];

for (const [what, known, proof] of TABLE) {
  Deno.test(`proofOf(): ${what} proves ${proof ?? "nothing"}`, () => {
    assert.equal(proofOf(evidence(known), TIMING), proof);
  });
}

const KNOWN = fc.record({
  silence: fc.integer({ min: 0, max: 2 * WAIT }),
  state: fc.constantFrom<MemberState>("unknown", "online", "isolated", "down"),
  armed: fc.boolean(),
  confirmed: fc.boolean(),
  storageFenced: fc.boolean(),
  boot: fc.constantFrom(BOOT, null),
  words: fc.constantFrom<LastWords>("none", "clean-stop", "self-fenced"),
  by: fc.constantFrom(BOOT, OTHER),
  readMs: fc.integer({ min: -5000, max: 5000 }),
});

Deno.test("proofOf() proves nothing of a node that is not down, nor within a lease of its last sign", () => {
  fc.assert(fc.property(KNOWN, (known) => {
    const proof = proofOf(evidence(known), TIMING);
    if (known.state !== "down" || known.silence < LEASE) assert.equal(proof, null);
    if (proof === "wait") assert.ok(known.armed && known.silence >= WAIT);
  }));
});

Deno.test("proofFor() takes the disk's word only where recover_on says so", () => {
  fc.assert(fc.property(KNOWN, (known) => {
    const proof = proofOf(evidence(known), TIMING);
    assert.equal(proofFor(evidence(known), TIMING, "death"), proof);
    const disk = known.storageFenced && known.state === "down" ? "storage" : null;
    assert.equal(proofFor(evidence(known), TIMING, "storage"), proof ?? disk);
  }));
});
