/**
 * Writes that a leader has taken and not put into its log yet: there is too much in the log that is
 * not committed, or the leadership is being handed over. First come, first served; bounded.
 *
 * @module
 */
import type { NodeId } from "../base/id.ts";

/** Bytes of entries that may be in the log and not committed; more wait. */
export const UNCOMMITTED_BYTES_MAX = 16 * 1024 * 1024;
/** Bytes of entries that may wait; more are refused. */
export const BACKLOG_BYTES_MAX = 16 * 1024 * 1024;
/** Entries that may wait, however short. */
export const BACKLOG_MAX = 4096;

/** Who is told what became of an entry of this leader's. */
export type Asker = { readonly local: number } | { readonly node: NodeId; readonly id: number };

/** One that waits. */
export interface Waiter {
  readonly asker: Asker;
  readonly body: Uint8Array;
  /** What is said when it gets into the log. */
  readonly diff: string;
}

/** See the module's note. */
export class Backlog {
  #waiting: Waiter[] = [];
  readonly #keys = new Set<string>();
  #bytes = 0;
  /** Bytes of our entries that are in the log and not committed. */
  #uncommitted = 0;

  get size(): number {
    return this.#waiting.length;
  }

  /** Takes a write; false where there are too many. */
  push(waiter: Waiter): boolean {
    if (this.#waiting.length >= BACKLOG_MAX) return false;
    if (this.#bytes + waiter.body.length > BACKLOG_BYTES_MAX) return false;
    this.#waiting.push(waiter);
    this.#keys.add(keyOf(waiter.asker));
    this.#bytes += waiter.body.length;
    return true;
  }

  /** True where a write like this one waits already. */
  has(asker: Asker): boolean {
    return this.#keys.has(keyOf(asker));
  }

  /** May an entry of so many bytes go into the log, once it is its turn? */
  fits(bytes: number): boolean {
    return this.#uncommitted === 0 || this.#uncommitted + bytes <= UNCOMMITTED_BYTES_MAX;
  }

  /** The next whose turn it is, if it fits; from now on it counts as in the log. */
  shift(): Waiter | null {
    const first = this.#waiting[0];
    if (first === undefined || !this.fits(first.body.length)) return null;
    this.#waiting.shift();
    this.#keys.delete(keyOf(first.asker));
    this.#bytes -= first.body.length;
    this.added(first.body.length);
    return first;
  }

  /** An entry went into the log. */
  added(bytes: number): void {
    this.#uncommitted += bytes;
  }

  /** An entry was committed, ours or a former leader's; or it is not needed any more. */
  committed(bytes: number): void {
    this.#uncommitted = Math.max(0, this.#uncommitted - bytes);
  }

  /** This node leads no more: whoever waits asks another. */
  clear(): void {
    this.#waiting = [];
    this.#keys.clear();
    this.#bytes = 0;
    this.#uncommitted = 0;
  }
}

/** One word for an asker, the same for its retries. */
export function keyOf(asker: Asker): string {
  return "local" in asker ? `${asker.local}` : `${asker.node} ${asker.id}`;
}
