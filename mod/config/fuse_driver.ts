/**
 * The mount of stream 2: requests of the kernel become events, and effects become answers.
 *
 * @module
 */
import type { FuseFailure, FuseMountOptions, FusePort, FuseSession } from "../host/ports.ts";
import type { FuseEffect, FuseEvent } from "./events.ts";

/** What the driver works with. */
export interface FuseDriverParts {
  readonly fuse: FusePort;
  readonly feed: (event: FuseEvent) => void;
  /** The mount is gone, and `close` was not what ended it. */
  readonly onLost: (why: string) => void;
}

/** One mount. */
export class FuseDriver {
  readonly #parts: FuseDriverParts;
  #state: "idle" | "mounting" | "mounted" = "idle";
  #session: FuseSession | null = null;
  /** Set from `close` on; called when nothing is mounted any more. */
  #closing: (() => void) | null = null;

  constructor(parts: FuseDriverParts) {
    this.#parts = parts;
  }

  /** Mounts. `done(null)` when it is mounted; not called where it was closed in the meantime. */
  mount(options: FuseMountOptions, done: (failure: FuseFailure | null) => void): void {
    const { fuse, feed } = this.#parts;
    const handlers = {
      onRequest: (bytes: Uint8Array) => feed({ kind: "fuse", bytes }),
      onClosed: (why: string) => this.#onClosed(why),
    };
    this.#state = "mounting";
    fuse.mount(options, handlers, (result) => {
      const failure = "failure" in result ? result : null;
      this.#state = failure === null ? "mounted" : "idle";
      this.#session = "failure" in result ? null : result;
      if (this.#closing === null) done(failure);
      else if (this.#session === null) this.#closing();
      else this.#session.unmount();
    });
  }

  /** Answers, or tells unasked; nothing where nothing is mounted. */
  perform(effect: FuseEffect): void {
    if (effect.kind === "fuse-reply") this.#session?.reply(effect.bytes);
    else this.#session?.notify(effect.bytes);
  }

  /**
   * Unmounts, and calls `done` when that is over. Requests that come until then are fed as before,
   * so that programs may end well.
   */
  close(done: () => void): void {
    this.#closing = done;
    if (this.#state === "idle") done();
    else this.#session?.unmount();
  }

  #onClosed(why: string): void {
    this.#state = "idle";
    this.#session = null;
    if (this.#closing !== null) this.#closing();
    else this.#parts.onLost(why);
  }
}
