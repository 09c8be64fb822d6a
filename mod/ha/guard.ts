/**
 * May this node own anything? Until `provenAt + leaseMs` (DESIGN.md section 3), where `provenAt` is
 * the send time of the newest own beat that a majority is known to have heard.
 *
 * A tenure ends once and for all when the guard lapses. A new one begins only when everything that
 * ran is known to be gone, and only by a beat that was sent after the lapse.
 *
 * While the cluster is disarmed it is suspended: it is not held, and does not lapse either.
 *
 * @module
 */
import { after, EPOCH, type Instant, latest, NEVER } from "../base/time.ts";
import type { Millis } from "../base/time.ts";

/** What a turn of the guard asks for. */
export type GuardTurn = "none" | "began" | "advanced" | "lapsed";

/** See the module's note. */
export class Guard {
  #held = false;
  #until: Instant = EPOCH;
  #provenAt: Instant = EPOCH;
  #lapsedAt: Instant = EPOCH;
  /** Killed resources are not known to be gone. */
  #dirty = false;
  #suspended = false;
  #failures = 0;
  #tenure = 0;

  get held(): boolean {
    return this.#held;
  }

  /** When the tenure ends, or ended. */
  get until(): Instant {
    return this.#until;
  }

  /** Send time of the newest proven beat. */
  get provenAt(): Instant {
    return this.#provenAt;
  }

  /** Number of the tenure under way or the last one; 0 before the first. */
  get tenure(): number {
    return this.#tenure;
  }

  /** True from a lapse until {@link clean}. */
  get dirty(): boolean {
    return this.#dirty;
  }

  /** What runs here goes on without a guard, and nothing is started. */
  get suspended(): boolean {
    return this.#suspended;
  }

  /** A beat sent at `provenAt` was heard by a majority. Call {@link check} before it. */
  prove(provenAt: Instant, leaseMs: Millis, now: Instant): GuardTurn {
    this.#provenAt = latest(this.#provenAt, provenAt);
    const until = after(this.#provenAt, leaseMs);
    if (this.#held) {
      if (until <= this.#until) return "none";
      this.#until = until;
      return "advanced";
    }
    if (this.#suspended) {
      this.#until = latest(this.#until, until);
      return "none";
    }
    if (this.#dirty || this.#provenAt <= this.#lapsedAt || until <= now) return "none";
    this.#held = true;
    this.#until = until;
    this.#tenure++;
    return "began";
  }

  /** Ends the tenure without a lapse: what runs here goes on. */
  suspend(): void {
    this.#held = false;
    this.#suspended = true;
  }

  /** Begins a new tenure by the proof there is; false where there is none in force. */
  resume(now: Instant): boolean {
    if (!this.#suspended || this.#until <= now) return false;
    this.#suspended = false;
    this.#held = true;
    this.#tenure++;
    return true;
  }

  /** The time is `now`: tells a lapse, once. */
  check(now: Instant): GuardTurn {
    return this.#held && now >= this.#until ? this.lapse(now) : "none";
  }

  /** Ends the tenure at once: the judgement was lost. */
  lapse(now: Instant): GuardTurn {
    this.#lapsedAt = now;
    // Also without a tenure: the kill that is asked for now must not end in the midst of the next.
    this.#dirty = true;
    this.#suspended = false;
    if (!this.#held) return "none";
    this.#held = false;
    this.#until = now;
    return "lapsed";
  }

  /** A kill left something; how many did, one after the other. */
  failed(): number {
    return ++this.#failures;
  }

  /** Nothing runs here any more. */
  clean(): void {
    this.#failures = 0;
    this.#dirty = false;
  }

  /** When {@link check} would tell a lapse. */
  deadline(): Instant {
    return this.#held ? this.#until : NEVER;
  }
}
