/**
 * Is a silent node dead? The proofs of DESIGN.md section 3, each from what was heard, never from a
 * clock of the silent one.
 *
 * @module
 */
import type { BootId } from "../base/id.ts";
import type { Instant } from "../base/time.ts";
import type { Timing } from "../base/timing.ts";
import type { DeathProof, LastWords, MemberHealth } from "../streams.ts";

/** Last words as they were heard. */
export interface Words {
  readonly words: LastWords;
  readonly boot: BootId;
  readonly at: Instant;
}

/** What is known of a node that is in `fence`. */
export interface Evidence {
  readonly health: MemberHealth;
  /** A watchdog guarded what ran there: it tells in its beats, or an earlier manager wrote it down. */
  readonly armed: boolean;
  /** It may run things without a guard, since the cluster was disarmed: no silence ends them. */
  readonly unguarded: boolean;
  /** What it left on the disk or told the manager, in which life, and when we learnt of it. */
  readonly words: Words | null;
  readonly confirmed: boolean;
  /** Its key is gone from every disk of the resource that is asked about. */
  readonly storageFenced: boolean;
}

/** The proof that this node's resources run no more, or null. `storage` proves less: see {@link proofFor}. */
export function proofOf(evidence: Evidence, timing: Timing): DeathProof | null {
  const { health, armed, unguarded, words, confirmed } = evidence;
  // It was heard again: whatever we knew is of the past.
  if (health.state !== "down") return null;
  // The silence counts only as far as a majority vouches for it.
  const silence = health.vouched - health.lastHeard;
  // Whatever is said of its death: somebody heard it, perhaps in a life that we know nothing of, and
  // by that beat it may run things for as long as its lease. Then its own guard has ended them.
  if (silence < timing.leaseMs + timing.slackMs) return null;
  if (confirmed) return "confirmed";
  // Neither time nor the words of any life say anything of what nobody would end.
  if (unguarded) return null;
  // Words of another life say nothing about the one that we heard last; of a life that we never
  // heard we do not know whether it is the last one.
  if (words !== null && words.boot === health.boot) {
    if (words.words === "clean-stop") return "clean-stop";
    // A life that fenced itself may begin again; a sign of life after the words says that it may have.
    if (words.words === "self-fenced" && words.at >= health.lastHeard) return "self-fenced";
  }
  if (armed && silence >= timing.deadMs + timing.fenceWaitMs) return "wait";
  return null;
}

/** The proof that is good enough for a resource with this `recover_on`, or null. */
export function proofFor(
  evidence: Evidence,
  timing: Timing,
  recoverOn: "death" | "storage",
): DeathProof | null {
  const proof = proofOf(evidence, timing);
  if (proof !== null) return proof;
  const fenced = recoverOn === "storage" && evidence.storageFenced;
  return fenced && evidence.health.state === "down" ? "storage" : null;
}
