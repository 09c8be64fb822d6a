/**
 * One virtual time and one seed for all that is simulated. Events run in order of their time, those
 * of one time in the order in which they were scheduled; so a seed and a program give one history.
 *
 * @module
 */
import { assert } from "../base/assert.ts";
import { crc32 } from "../base/checksum.ts";
import { Prng } from "../base/prng.ts";
import type { Millis } from "../base/time.ts";
import { DEFAULTS, type WorldOptions } from "./options.ts";

/** More events than this without the time going on: something waits for itself. */
export const EVENTS_PER_INSTANT_MAX = 1_000_000;

const FNV_OFFSET = 0x811c9dc5;
const FNV_PRIME = 0x01000193;

/**
 * Something that will happen. One can be moved and used again, so that a timer allocates nothing.
 */
export class Happening {
  readonly run: () => void;
  /** World time; the past means at once. */
  at = Infinity;
  /** Insertion number: decides among those of one time. */
  order = 0;
  /** Place in the heap; −1 while it is not scheduled. */
  place = -1;

  constructor(run: () => void) {
    this.run = run;
  }

  /** True while it is to come. */
  get scheduled(): boolean {
    return this.place >= 0;
  }
}

/** See the module's note. */
export class World {
  readonly seed: number;
  readonly options: WorldOptions;
  readonly #heap: Happening[] = [];
  readonly #number = new Float64Array(1);
  readonly #words = new Uint32Array(this.#number.buffer);
  #now = 0;
  #orders = 0;
  #events = 0;
  #sameTime = 0;
  #trace = FNV_OFFSET;

  /** `seed` is a whole number below 2^52. */
  constructor(seed: number, options: Partial<WorldOptions> = {}) {
    assert(Number.isSafeInteger(seed) && seed >= 0 && seed < 2 ** 52, `Seed ${seed} is below 2^52`);
    this.seed = seed;
    this.options = { ...DEFAULTS, ...options };
  }

  /** Milliseconds since the world began. */
  get now(): Millis {
    return this.#now;
  }

  /** How many events have run. */
  get events(): number {
    return this.#events;
  }

  /** How many events are to come. */
  get pending(): number {
    return this.#heap.length;
  }

  /** Hash of everything that happened: when each event ran, and all that was noted. */
  get trace(): number {
    return this.#trace >>> 0;
  }

  /** A generator of a part's own: the draws of one part never shift those of another. */
  prng(part: string): Prng {
    let hash = FNV_OFFSET;
    for (let i = 0; i < part.length; i++) hash = Math.imul(hash ^ part.charCodeAt(i), FNV_PRIME);
    const low = (this.seed ^ hash) >>> 0;
    const high = (Math.floor(this.seed / 2 ** 32) ^ (hash >>> 12) ^ part.length) & 0xfffff;
    return new Prng(high * 2 ** 32 + low);
  }

  /** Schedules `run` for world time `time`. */
  at(time: Millis, run: () => void): Happening {
    const happening = new Happening(run);
    this.move(happening, time);
    return happening;
  }

  /** Schedules `run` for `delay` from now. */
  after(delay: Millis, run: () => void): Happening {
    return this.at(this.#now + delay, run);
  }

  /**
   * Schedules a happening anew, whether or not it is scheduled; it goes behind its time's others.
   */
  move(happening: Happening, time: Millis): void {
    assert(!Number.isNaN(time), "A time is a number");
    if (happening.place >= 0) this.#remove(happening);
    if (time === Infinity) return;
    happening.at = Math.max(time, this.#now);
    happening.order = this.#orders++;
    happening.place = this.#heap.length;
    this.#heap.push(happening);
    this.#rise(happening);
  }

  /** It does not happen. */
  cancel(happening: Happening): void {
    if (happening.place >= 0) this.#remove(happening);
  }

  /** World time of the next event; Infinity for none. */
  next(): Millis {
    return this.#heap[0]?.at ?? Infinity;
  }

  /** Runs one event; false where there is none. */
  step(): boolean {
    const first = this.#heap[0];
    if (first === undefined) return false;
    this.#remove(first);
    this.#sameTime = first.at > this.#now ? 0 : this.#sameTime + 1;
    assert(this.#sameTime < EVENTS_PER_INSTANT_MAX, `The time goes on after ${this.#now} ms`);
    this.#now = first.at;
    this.#events++;
    this.note(first.at);
    first.run();
    return true;
  }

  /** Runs everything up to and at `time`; then it is `time`. */
  runUntil(time: Millis): void {
    while (this.next() <= time) this.step();
    this.#now = Math.max(this.#now, time);
  }

  /** Feeds the trace. */
  note(...values: readonly (string | number)[]): void {
    let hash = this.#trace;
    for (const value of values) {
      if (typeof value === "number") {
        this.#number[0] = value;
        hash = Math.imul(hash ^ (this.#words[0] ?? 0), FNV_PRIME);
        hash = Math.imul(hash ^ (this.#words[1] ?? 0), FNV_PRIME);
        // High bits come down, or a number's exponent would touch the high bits only.
        hash ^= hash >>> 15;
      } else {
        for (let i = 0; i < value.length; i++) {
          hash = Math.imul(hash ^ value.charCodeAt(i), FNV_PRIME);
        }
      }
    }
    this.#trace = hash;
  }

  /** Feeds bytes to the trace. */
  noteBytes(bytes: Uint8Array): void {
    this.note(bytes.length, crc32(bytes));
  }

  #remove(happening: Happening): void {
    const heap = this.#heap;
    const place = happening.place;
    const last = heap.pop();
    happening.place = -1;
    if (last === undefined || last === happening) return;
    heap[place] = last;
    last.place = place;
    this.#rise(last);
    this.#sink(last);
  }

  #rise(happening: Happening): void {
    const heap = this.#heap;
    let place = happening.place;
    while (place > 0) {
      const up = (place - 1) >> 1;
      const above = heap[up];
      if (above === undefined || isBefore(above, happening)) break;
      heap[place] = above;
      above.place = place;
      place = up;
    }
    heap[place] = happening;
    happening.place = place;
  }

  #sink(happening: Happening): void {
    const heap = this.#heap;
    let place = happening.place;
    for (;;) {
      let down = 2 * place + 1;
      let below = heap[down];
      if (below === undefined) break;
      const other = heap[down + 1];
      if (other !== undefined && isBefore(other, below)) {
        down++;
        below = other;
      }
      if (isBefore(happening, below)) break;
      heap[place] = below;
      below.place = place;
      place = down;
    }
    heap[place] = happening;
    happening.place = place;
  }
}

function isBefore(a: Happening, b: Happening): boolean {
  return a.at < b.at || (a.at === b.at && a.order < b.order);
}
