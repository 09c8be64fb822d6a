/**
 * Refuses packets that were seen before, or are too old to tell. A sliding window as in RFC 4303
 * section 3.4.3 and RFC 6479.
 *
 * @module
 */

/** Packets that may arrive out of order. */
export const REPLAY_WINDOW = 64;

/** One direction of one link of one life of a peer. */
export class ReplayWindow {
  #highest = -1;
  readonly #seen = new Set<number>();

  /** True for a number seen for the first time; from then on it is seen. */
  accept(seq: number): boolean {
    if (seq <= this.#highest - REPLAY_WINDOW || this.#seen.has(seq)) return false;
    this.#seen.add(seq);
    if (seq > this.#highest) {
      this.#highest = seq;
      for (const old of this.#seen) if (old <= seq - REPLAY_WINDOW) this.#seen.delete(old);
    }
    return true;
  }
}
