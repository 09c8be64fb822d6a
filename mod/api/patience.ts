/** Waits that end in time, with one timer for all of them. @module */

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
      promise.then(resolve, reject).finally(() => this.#done(wait));
    });
  }

  #done(wait: Wait): void {
    this.#waits.delete(wait);
    if (this.#waits.size === 0) this.#arm(Infinity);
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
