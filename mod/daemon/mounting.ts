/**
 * Keeps the replicated tree mounted for as long as the daemon runs: mounts, mounts again when the
 * mount was taken away, and says why not. A node without its mount is a member all the same.
 *
 * This process must never open a file below its own mount: closing it would wait for an answer that
 * only this process gives.
 *
 * @module
 */
import type { FuseFailure, FusePort } from "../host/ports.ts";
import type { MountStatus } from "../node/mod.ts";
import type { MountAsk } from "../runtime/mod.ts";

/** Between two tries. */
const RETRY_MS = 5000;

/** A runtime, as far as it mounts. */
export interface Mountable {
  mount(ask: MountAsk, done: (failure: FuseFailure | null) => void): void;
  unmount(done: () => void): void;
}

/** What keeps it mounted, and where. */
export interface MountingParts {
  readonly runtime: Mountable;
  readonly fuse: FusePort;
  readonly target: string;
  /** One line of the conversation. */
  readonly say: (text: string) => void;
}

/** See the module's note. */
export class Mounting {
  readonly #parts: MountingParts;
  #why: string | null = "it is being mounted";
  #timer: ReturnType<typeof setTimeout> | undefined;
  #stopped = false;

  constructor(parts: MountingParts) {
    this.#parts = parts;
    this.#try();
  }

  status(): MountStatus {
    const { target } = this.#parts;
    return this.#why === null
      ? { path: target, state: "mounted", why: null }
      : { path: target, state: "failed", why: this.#why };
  }

  /** Unmounts; resolves when nothing is mounted any more. */
  stop(): Promise<void> {
    this.#stopped = true;
    clearTimeout(this.#timer);
    return new Promise((resolve) => this.#parts.runtime.unmount(resolve));
  }

  #try(): void {
    if (this.#stopped) return;
    const { runtime, fuse, target, say } = this.#parts;
    const options = { target, source: "pentad" };
    const onLost = (why: string) => this.#failed(`the mount is gone: ${why}`);
    runtime.mount({ fuse, options, onLost }, (failure) => {
      if (failure !== null) return this.#failed(failure.detail);
      this.#why = null;
      say(`mounted on ${target}`);
    });
  }

  #failed(why: string): void {
    if (this.#stopped) return;
    // Not once more every few seconds for the same reason.
    if (why !== this.#why) this.#parts.say(`not mounted on ${this.#parts.target}: ${why}`);
    this.#why = why;
    this.#timer = setTimeout(() => this.#try(), RETRY_MS);
  }
}
