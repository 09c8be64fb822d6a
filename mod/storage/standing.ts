/**
 * Where this life stands: does anything run here, and did the others hear us lately? By this it is
 * decided whether a key that is gone from a disk may be registered again.
 *
 * The danger: another node was told that we can write no more, and runs by now what still runs here.
 * A registration would let both write. So it is made only where that cannot be: where nothing runs
 * here, or where nobody can have given our resources away.
 *
 * @module
 */
import { type Reason, reason } from "../base/reason.ts";
import { EPOCH, type Instant, latest } from "../base/time.ts";
import type { Timing } from "../base/timing.ts";

/**
 * Why our key is not on a disk. `new`: we never were there. `forgotten`: the target lost all
 * registrations. `ejected`: ours was taken away, or may have been.
 */
export type Absence = "new" | "forgotten" | "ejected";

/**
 * Beats of the others' silence towards us that must be left before one of them could call us dead:
 * a registration is made, and looked at, well within them.
 */
export const ALIVE_BEATS_MIN = 2;

/** See the module's note. */
export class Standing {
  /** Every process of every resource was seen to be gone, and the guard has not lapsed since. */
  #cleared = false;
  #clearedAt: Instant = EPOCH;
  #busy = 0;
  /** Send time of our newest beat that a majority is known to have heard. */
  #provenAt: Instant = EPOCH;
  /** Up to here the majority may have been we ourselves, with the witness vote. */
  #votedUntil: Instant = EPOCH;

  /** Nothing of any resource runs on this node. */
  get idle(): boolean {
    return this.#cleared && this.#busy === 0;
  }

  /** Something is known to run here. */
  get busy(): boolean {
    return this.#busy > 0;
  }

  /** `ha.clear`, or `ha.empty` of this life. */
  onEmpty(now: Instant): void {
    this.#cleared = true;
    this.#clearedAt = now;
    this.#busy = 0;
  }

  onResources(count: number): void {
    this.#busy = count;
  }

  /** The guard lapsed: what ran here is being killed, and counted no more until it is gone. */
  onLapse(): void {
    this.#cleared = false;
  }

  onProof(provenAt: Instant): void {
    this.#provenAt = latest(this.#provenAt, provenAt);
  }

  /** The witness vote is in our hand now. */
  onVote(now: Instant): void {
    this.#votedUntil = latest(this.#votedUntil, now);
  }

  /**
   * May a key that is absent for this reason be registered now? `since`: when this life lost it to
   * another node in the midst of a judgement: it ends what it runs before it is back; else `EPOCH`.
   */
  mayRegister(
    { absence, since }: { readonly absence: Absence; readonly since: Instant },
    now: Instant,
    timing: Timing,
  ): boolean {
    if (this.idle) return this.#clearedAt >= since;
    return absence !== "ejected" && this.isHeard(now, timing);
  }

  /**
   * A majority without the witness heard a beat that was sent so lately that none of them can have
   * called us dead since. Whoever had before, took it back when it heard that beat.
   */
  isHeard(now: Instant, timing: Timing): boolean {
    if (this.#provenAt <= this.#votedUntil) return false;
    return now - this.#provenAt < timing.deadMs - ALIVE_BEATS_MIN * timing.beatMs;
  }
}

/** An absence for people, as a clause and as the reason of what follows. */
export function absenceReason(absence: Absence, disk: string): { detail: string; because: Reason } {
  switch (absence) {
    case "ejected":
      return {
        detail: "our registration was taken away",
        because: reason("storage.registration-lost", { disk }),
      };
    case "forgotten":
      return {
        detail: "the target lost our registration",
        because: reason("storage.forgotten", { disk }),
      };
    case "new":
      return {
        detail: "registers once nothing runs here, or the others hear us",
        because: reason("storage.unfence-waits", { disk }),
      };
  }
}
