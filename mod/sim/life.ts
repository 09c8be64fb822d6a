/**
 * One life of a host's daemon. All that the world tells a daemon goes through here: after the end
 * nothing is told any more, while it is stopped (SIGSTOP) everything waits, in order. All that a
 * daemon does asks here first: the dead do nothing.
 *
 * @module
 */
import { assert } from "../base/assert.ts";

/** See the module's note. */
export class Life {
  readonly number: number;
  #alive = true;
  #paused = false;
  #draining = false;
  #waiting: (() => void)[] = [];
  #ends: (() => void)[] = [];
  #callsLeft = Infinity;
  #onLast: () => void = nothing;

  constructor(number: number) {
    this.number = number;
  }

  get alive(): boolean {
    return this.#alive;
  }

  get paused(): boolean {
    return this.#paused;
  }

  /** The daemon is told something, now or when it goes on. */
  deliver(tell: () => void): void {
    if (!this.#alive) return;
    if (this.#paused || this.#draining) this.#waiting.push(tell);
    else tell();
  }

  /**
   * The daemon does something through a port; false where it is dead. The call at which
   * {@link endAfter} strikes is not done any more: the crash falls between two effects.
   */
  act(): boolean {
    if (!this.#alive) return false;
    if (this.#callsLeft !== Infinity && --this.#callsLeft < 0) {
      this.#onLast();
      assert(!this.#alive, "A life that ran out of calls has ended");
      return false;
    }
    return true;
  }

  /** After `calls` more calls of ports, `strike` must end this life. */
  endAfter(calls: number, strike: () => void): void {
    this.#callsLeft = calls;
    this.#onLast = strike;
  }

  /** Runs when this life ends, in the order of the calls. */
  onEnd(run: () => void): void {
    this.#ends.push(run);
  }

  pause(): void {
    this.#paused = true;
  }

  /** Goes on: first all that waited, in order. */
  resume(): void {
    if (!this.#paused) return;
    this.#paused = false;
    if (this.#draining) return;
    this.#draining = true;
    let told = 0;
    while (told < this.#waiting.length && this.#alive && !this.#paused) {
      this.#waiting[told]?.();
      told++;
    }
    this.#waiting.splice(0, told);
    this.#draining = false;
  }

  end(): void {
    if (!this.#alive) return;
    this.#alive = false;
    this.#waiting = [];
    const ends = this.#ends;
    this.#ends = [];
    for (const run of ends) run();
  }
}

function nothing(): void {
  // Nobody asked for an end after so many calls.
}
