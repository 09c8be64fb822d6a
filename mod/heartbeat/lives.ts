/**
 * The lives of one peer: the accepted one, those that ask to be, and those that were replaced.
 *
 * A packet that opens is genuine but may be a recording. Within a life the replay window sees to
 * that. A life that we do not know yet is a *candidate*: its beats are echoed, and nothing more.
 * It is accepted when one of them echoes a beat that we sent in this life of ours, not long ago and
 * after we accepted the one that it replaces: no recording can do that, and a straggler of a life
 * between the two can not either. A life that was replaced is never accepted again.
 *
 * @module
 */
import type { BootId } from "../base/id.ts";
import { EPOCH, type Instant, type Millis } from "../base/time.ts";
import { ReplayWindow } from "./replay.ts";

/** Former lives that are remembered as such; a forgotten one could only be a candidate. */
export const RETIRED_MAX = 32;
/**
 * Lives that may ask at a time; of more, the one that was silent for longest goes. To keep a true one
 * out takes recordings of as many others, sent anew with every beat.
 */
export const CANDIDATES_MAX = 16;

/** A life beside another has beaten more often than this, without a pause. */
const BEATS_MIN = 5;

/** What is known of one life. */
export interface Life {
  readonly boot: BootId;
  /** Its newest beat, and when that came. */
  seq: number;
  at: Instant;
  /** When anything of it came, by link. */
  readonly linkAt: Map<number, Instant>;
  readonly windows: Map<number, ReplayWindow>;
  /** It speaks to another life of ours. */
  stray: boolean;
  /** Since when it beats without a pause, and how many beats that are. */
  run: { readonly since: Instant; readonly beats: number };
}

/** See the module's note. */
export class Lives {
  readonly #retired = new Set<BootId>();
  /** In the order in which their turn to be echoed comes. */
  readonly #candidates = new Map<BootId, Life>();
  /** Who is silent for so long does not beat without a pause. */
  pauseMs: Millis = Infinity;
  #current: Life | null = null;
  #adoptedAt: Instant = EPOCH;

  /** The life that is accepted, or null. */
  get current(): Life | null {
    return this.#current;
  }

  /** When it was accepted. */
  get adoptedAt(): Instant {
    return this.#adoptedAt;
  }

  /** True for a life that was replaced. */
  isRetired(boot: BootId): boolean {
    return this.#retired.has(boot);
  }

  /** True where this genuine packet was not seen before. */
  accept(boot: BootId, link: number, seq: number): boolean {
    const life = this.#of(boot);
    let window = life.windows.get(link);
    if (window === undefined) {
      window = new ReplayWindow();
      life.windows.set(link, window);
    }
    return window.accept(seq);
  }

  /** Takes note of an accepted packet. True where this life has said nothing newer yet. */
  hear(boot: BootId, link: number, seq: number, now: Instant): boolean {
    const life = this.#of(boot);
    life.linkAt.set(link, now);
    if (seq < life.seq) return false;
    // The same beat on a second link is not newer; it was heard when the first copy came.
    if (seq > life.seq) {
      const goesOn = life.seq >= 0 && now - life.at < this.pauseMs;
      life.run = goesOn ? { ...life.run, beats: life.run.beats + 1 } : { since: now, beats: 1 };
      life.at = now;
    }
    life.seq = seq;
    return true;
  }

  /** This life has shown that it is one: it replaces any other. */
  adopt(boot: BootId, now: Instant): void {
    if (this.#current !== null) this.#retire(this.#current.boot);
    this.#current = this.#of(boot);
    this.#candidates.delete(boot);
    this.#adoptedAt = now;
  }

  /** Whom to echo in the beat that is sent now: a candidate only while the accepted life is silent. */
  toEcho(now: Instant, deadMs: Millis): Life | null {
    const current = this.#current;
    if (current !== null && now - current.at < deadMs) return current;
    for (const [boot, life] of this.#candidates) {
      if (now - life.at >= deadMs) continue;
      // Candidates take turns, so that recordings cannot keep a true one from being answered.
      this.#candidates.delete(boot);
      this.#candidates.set(boot, life);
      return life;
    }
    return current;
  }

  /**
   * A second life that beats beside the accepted one, as two machines with one identity would: both
   * for longer than a life that was replaced could still be heard. Recordings of a life that heard us
   * are not taken for one (`core.ts`); null for none.
   */
  twin(now: Instant, deadMs: Millis): BootId | null {
    const current = this.#current;
    if (current === null || now - current.at >= deadMs) return null;
    for (const { boot, at, run, stray } of this.#candidates.values()) {
      const beside = Math.min(now - run.since, current.at - run.since, now - current.run.since);
      if (!stray && now - at < deadMs && run.beats > BEATS_MIN && beside >= deadMs) return boot;
    }
    return null;
  }

  /** What this life says was said to another life of ours: it may be a recording. */
  strays(boot: BootId): void {
    this.#of(boot).stray = true;
  }

  #of(boot: BootId): Life {
    const known = this.#current?.boot === boot ? this.#current : this.#candidates.get(boot);
    if (known !== undefined) return known;
    const life: Life = {
      boot,
      seq: -1,
      at: EPOCH,
      linkAt: new Map(),
      windows: new Map(),
      run: { since: EPOCH, beats: 0 },
      stray: false,
    };
    this.#candidates.set(boot, life);
    if (this.#candidates.size > CANDIDATES_MAX) this.#drop(boot);
    return life;
  }

  /** Drops the candidate that was silent for longest, but not `spared`. */
  #drop(spared: BootId): void {
    const [silent] = [...this.#candidates.values()].filter(({ boot }) => boot !== spared)
      .sort((a, b) => a.at - b.at);
    if (silent !== undefined) this.#candidates.delete(silent.boot);
  }

  #retire(boot: BootId): void {
    this.#retired.add(boot);
    for (const oldest of this.#retired) {
      if (this.#retired.size <= RETIRED_MAX) break;
      this.#retired.delete(oldest);
    }
  }
}
