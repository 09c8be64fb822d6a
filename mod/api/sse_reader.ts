/**
 * One reader of server-sent events (HTML Living Standard, section 9.2). There is no queue for it: a
 * piece is made when it takes the last one. One that takes none for too long is cut off.
 *
 * @module
 */
import { encodeText } from "../base/bytes.ts";
import type { Call } from "./route.ts";

/** What a browser waits before it connects again, as the first words of a stream. */
export const RETRY = "retry: 1000\n\n";
/** A comment: keeps proxies from closing a quiet connection, and finds a dead reader. */
export const STILL_HERE = ": still here\n\n";

/** Headers of such an answer. */
export const SSE_HEADERS = { "Content-Type": "text/event-stream", "Cache-Control": "no-store" };

/** Where its pieces come from. */
export interface SseSource {
  /** Calls back whenever there may be something new; returns how to end that. */
  readonly watch: (wake: () => void) => () => void;
  /**
   * The next piece; empty where there is nothing new, null at the end. `quiet`: nothing was said for
   * so long that a sign of life is wanted.
   */
  readonly next: (quiet: boolean) => string | null | Promise<string | null>;
  /** The reader is gone, or the end was told; called once. */
  readonly done: () => void;
}

/** The body of the answer. */
export function sseStream(
  call: Pick<Call<unknown, unknown>, "stopping" | "keepAliveMs" | "stallMs">,
  source: SseSource,
): ReadableStream<Uint8Array> {
  const reader = new SseReader(call, source);
  return new ReadableStream<Uint8Array>({
    pull: (controller) => reader.pull(controller),
    cancel: () => reader.release(),
  }, { highWaterMark: 1 });
}

class SseReader {
  readonly #call: Pick<Call<unknown, unknown>, "stopping" | "keepAliveMs" | "stallMs">;
  readonly #source: SseSource;
  readonly #wake = () => {
    this.#news = true;
    this.#awake?.();
  };
  readonly #forget: () => void;
  #closed = false;
  /** Something may have come since the last piece was asked for. */
  #news = false;
  #awake: (() => void) | null = null;
  #stalled: ReturnType<typeof setTimeout> | undefined;

  constructor(
    call: Pick<Call<unknown, unknown>, "stopping" | "keepAliveMs" | "stallMs">,
    source: SseSource,
  ) {
    this.#call = call;
    this.#source = source;
    this.#forget = source.watch(this.#wake);
    call.stopping.addEventListener("abort", this.#wake);
  }

  async pull(controller: ReadableStreamDefaultController<Uint8Array>): Promise<void> {
    clearTimeout(this.#stalled);
    for (let quiet = false; !this.#closed;) {
      this.#news = false;
      const text = await this.#source.next(quiet);
      if (this.#closed) return;
      if (text !== null && text !== "") return this.#hand(controller, text);
      if (text === null || this.#call.stopping.aborted) {
        this.release();
        return controller.close();
      }
      quiet = await this.#sleep();
    }
  }

  release(): void {
    if (this.#closed) return;
    this.#closed = true;
    clearTimeout(this.#stalled);
    this.#forget();
    this.#call.stopping.removeEventListener("abort", this.#wake);
    this.#source.done();
    this.#wake();
  }

  /** Gives the reader a piece; it has so long to take it. */
  #hand(controller: ReadableStreamDefaultController<Uint8Array>, text: string): void {
    controller.enqueue(encodeText(text));
    this.#stalled = setTimeout(() => {
      if (this.#closed) return;
      this.release();
      controller.error(new Error("The reader takes nothing"));
    }, this.#call.stallMs);
  }

  /** Waits for something new; true where only the time passed. */
  #sleep(): Promise<boolean> {
    if (this.#news) return Promise.resolve(false);
    return new Promise((resolve) => {
      const timer = setTimeout(() => end(true), this.#call.keepAliveMs);
      const end = (quiet: boolean) => {
        clearTimeout(timer);
        this.#awake = null;
        resolve(quiet);
      };
      this.#awake = () => end(false);
    });
  }
}
