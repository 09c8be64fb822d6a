/** Tells a stream that is quiet from one whose daemon hangs. @module */
import { ProblemError } from "../base/problem.ts";

/** Aborts where nothing came for a while. */
export class Silence {
  readonly #limitMs: number;
  readonly #controller = new AbortController();
  #timer: ReturnType<typeof setTimeout>;

  constructor(limitMs: number) {
    this.#limitMs = limitMs;
    this.#timer = this.#start();
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /** Bytes pass unchanged; each piece ends a silence. */
  watch(): TransformStream<Uint8Array, Uint8Array> {
    return new TransformStream({
      transform: (piece, controller) => {
        this.end();
        this.#timer = this.#start();
        controller.enqueue(piece);
      },
      flush: () => this.end(),
      cancel: () => this.end(),
    });
  }

  end(): void {
    clearTimeout(this.#timer);
  }

  #start(): ReturnType<typeof setTimeout> {
    return setTimeout(() => {
      const why = `nothing came for ${this.#limitMs / 1000} s, not even a sign of life`;
      this.#controller.abort(new ProblemError("node.timeout", why));
    }, this.#limitMs);
  }
}
