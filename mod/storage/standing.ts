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
import { EPOCH, type Instant, latest, NEVER } from "../base/time.ts";
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

/** A key that is not on a disk. */
export interface Loss {
  readonly absence: Absence;
  /** When another node took it from this life; `EPOCH` where it was that of a former one, or none. */
  readonly lostAt: Instant;
  /** The other voter of a pair is silent: the disks judge. */
  readonly judging: boolean;
  /**
   * A majority of the disks that judge kept our key all the while, or since before all that runs
   * here: nobody won over us.
   */
  readonly kept: boolean;
}

/** See the module's note. */
export class Standing {
  /** Every process of every resource was seen to be gone, and the guard has not lapsed since. */
  #cleared = false;
  #clearedAt: Instant = EPOCH;
  #busy = 0;
  /** Something ran here since last nothing did. */
  #ran = false;
  /** Up to here nobody else can have called us dead, or done anything about it. */
  #soundAt: Instant = EPOCH;
  /** That was so all the time, since last nothing ran here. */
  #unbroken = false;
  /** Since when it is so without a break. */
  #soundSince: Instant = NEVER;
  /** Up to here a majority that heard us may have been we ourselves, with the witness vote. */
  #votedUntil: Instant = EPOCH;

  /** Nothing of any resource runs on this node. */
  get idle(): boolean {
    return this.#cleared && this.#busy === 0;
  }

  /** Something is known to run here, or did, and was never seen to be gone with all its processes. */
  get busy(): boolean {
    return this.#busy > 0 || (this.#ran && !this.#cleared);
  }

  /** Called at the beginning of each step. */
  look(now: Instant, timing: Timing): void {
    const sound = this.isSound(now, timing);
    if (this.idle) this.#unbroken = true;
    else if (!sound) this.#unbroken = false;
    if (!sound) this.#soundSince = NEVER;
    else if (this.#soundSince === NEVER) this.#soundSince = this.#soundAt;
  }

  /** `ha.clear`, or `ha.empty` of this life. */
  onEmpty(now: Instant): void {
    this.#cleared = true;
    this.#clearedAt = now;
    this.#busy = 0;
    this.#ran = false;
  }

  onResources(count: number): void {
    this.#busy = count;
    this.#ran ||= count > 0;
  }

  /** The guard lapsed: what ran here is being killed, and counted no more until it is gone. */
  onLapse(): void {
    this.#cleared = false;
  }

  /** A majority is known to have heard a beat of ours that was sent then. */
  onProof(provenAt: Instant): void {
    if (provenAt > this.#votedUntil) this.#soundAt = latest(this.#soundAt, provenAt);
  }

  /** The witness vote is in our hand; `sole`: and its register lets only us commit. */
  onVote(now: Instant, sole: boolean): void {
    this.#votedUntil = latest(this.#votedUntil, now);
    if (sole) this.#soundAt = latest(this.#soundAt, now);
  }

  /** May a key be registered now that is gone, or never was there? */
  mayRegister(loss: Loss, now: Instant, timing: Timing): boolean {
    const { absence, lostAt, judging, kept } = loss;
    // Whoever lost it in a judgement ends what it runs, and says so, before it is back.
    if (this.idle) return !judging || this.#clearedAt >= lostAt;
    if (!this.isSound(now, timing)) return false;
    if (absence !== "ejected") return true;
    // By somebody who then did not win, or about a former life of which nothing is left.
    return kept || (lostAt === EPOCH && this.#unbroken);
  }

  /** At no moment since then can anybody have called us dead. */
  heardSince(at: Instant): boolean {
    return this.#soundSince <= at;
  }

  /**
   * A majority without the witness heard a beat that was sent so lately that none of them can have
   * called us dead since: whoever had before, took it back when it heard that beat. Or the register
   * lets only us commit: without that nothing of ours is given away.
   */
  isSound(now: Instant, timing: Timing): boolean {
    return now - this.#soundAt < timing.deadMs - ALIVE_BEATS_MIN * timing.beatMs;
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
