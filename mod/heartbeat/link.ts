/**
 * One path to one peer. It is up only while it works in both directions: we hear the peer on it, and
 * the peer's beats say that it hears us on it.
 *
 * @module
 */
import { EPOCH, type Instant, type Millis } from "../base/time.ts";

/** How the smoothed round trip follows a new sample: 1/8, as TCP's (RFC 6298). */
const RTT_GAIN = 1 / 8;

/** State of a link, and its figures. */
export class Link {
  up = false;
  /** Smoothed round trip, null until measured. */
  rttMs: number | null = null;
  /** Beats missing between those that came. */
  lost = 0;
  #heardAt: Instant = EPOCH;
  #heardBackAt: Instant = EPOCH;
  #first = -1;
  #highest = -1;

  /** A beat of the peer's current life came on this link; each comes once. */
  heard(seq: number, now: Instant): void {
    this.#heardAt = now;
    if (this.#first < 0) this.#first = this.#highest = seq;
    else if (seq > this.#highest) {
      this.lost += seq - this.#highest - 1;
      this.#highest = seq;
    } else if (seq > this.#first) this.lost--; // It was late, not lost.
  }

  /** The peer says that it heard a beat of ours on this link, not long ago. */
  heardBack(now: Instant): void {
    this.#heardBackAt = now;
  }

  /** The peer says that it has not heard us on this link for `deadMs`. */
  notHeardBack(): void {
    this.#heardBackAt = EPOCH;
  }

  /** A round trip was measured. */
  sample(rttMs: number): void {
    this.rttMs = this.rttMs === null ? rttMs : this.rttMs + RTT_GAIN * (rttMs - this.rttMs);
  }

  /** The peer came back in a new life. */
  reset(): void {
    this.#first = this.#highest = -1;
  }

  /** We hear the peer. */
  hears(now: Instant, deadMs: Millis): boolean {
    return now - this.#heardAt < deadMs;
  }

  /** The peer hears us. */
  isHeard(now: Instant, deadMs: Millis): boolean {
    return now - this.#heardBackAt < deadMs;
  }

  /** How long nothing came. */
  silence(now: Instant): Millis {
    return now - this.#heardAt;
  }

  /** Recomputes `up`; true where it changed. */
  refresh(now: Instant, deadMs: Millis): boolean {
    const up = this.hears(now, deadMs) && this.isHeard(now, deadMs);
    if (up === this.up) return false;
    this.up = up;
    return true;
  }
}
