/**
 * Waits that end in time, with one timer for all of them. It is not set back when they end early, as
 * nearly all do: when it fires it finds them gone. Without any it keeps no process alive.
 *
 * @module
 */

interface Wait {
  /** By performance.now(). */
  readonly until: number;
  readonly end: () => void;
}

/** See the module's note. */
export class Patience {
  readonly #waits = new Set<Wait>();
  #timer: ReturnType<typeof setTimeout> | undefined;
  /** When the timer fires; by performance.now(). */
  #due = Infinity;

  /** What `promise` yields, or the error where that takes longer than `limitMs`. */
  wait<T>(promise: Promise<T>, limitMs: number, late: () => Error): Promise<T> {
    return new Promise((resolve, reject) => {
      const wait = { until: performance.now() + limitMs, end: () => reject(late()) };
      this.#waits.add(wait);
      if (wait.until < this.#due) this.#arm(wait.until);
      else if (this.#waits.size === 1) Deno.refTimer(this.#timer ?? 0);
      promise.then((value) => {
        this.#done(wait);
        resolve(value);
      }, (error) => {
        this.#done(wait);
        reject(error);
      });
    });
  }

  #done(wait: Wait): void {
    if (this.#waits.delete(wait) && this.#waits.size === 0) Deno.unrefTimer(this.#timer ?? 0);
  }

  #arm(due: number): void {
    clearTimeout(this.#timer);
    this.#due = due;
    if (due === Infinity) return;
    this.#timer = setTimeout(() => this.#look(), Math.max(0, Math.ceil(due - performance.now())));
  }

  #look(): void {
    const now = performance.now();
    let next = Infinity;
    for (const wait of this.#waits) {
      if (wait.until > now) next = Math.min(next, wait.until);
      else {
        this.#waits.delete(wait);
        wait.end();
      }
    }
    this.#arm(next);
  }
}
