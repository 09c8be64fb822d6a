/**
 * One snapshot on its way to one member: a few chunks are under way at a time, and are kept until
 * they are acknowledged. Whatever was lost is sent again from there; a member that lost all of it
 * (its daemon died) gets it from the first chunk on.
 *
 * @module
 */
import type { Instant } from "../base/time.ts";
import { type Chunk, type Snapshot, SnapshotEncoder } from "./snapshot.ts";

/** Chunks that are sent and not acknowledged; with a megabyte a connection is full. */
export const WINDOW_CHUNKS = 4;

/** The wait before all is sent again doubles so often. */
const RESENDS_MAX = 3;

/** What a transfer is made with. */
export interface TransferOptions {
  /** In the leader's count; never used twice in a term. */
  readonly number: number;
  readonly snapshot: Snapshot;
  readonly chunkBytes: number;
  /** The receiver takes it whatever it has. */
  readonly forced: boolean;
}

/** See the module's note. */
export class Transfer {
  readonly number: number;
  readonly snapshot: Snapshot;
  readonly forced: boolean;
  /** When the receiver last got further, or was last sent everything anew. */
  movedAt: Instant;
  readonly #chunkBytes: number;
  #encoder: SnapshotEncoder;
  /** Encoded and not acknowledged. */
  #window: Chunk[] = [];
  /** How many of these were sent. */
  #sent = 0;
  #acknowledged = 0;
  /** So many chunks were sent at some time. */
  #most = 0;
  /** Up to here chunks were sent twice: an answer that asks for one of them tells of no gap. */
  #doubled = -1;
  /** How often all was sent again in vain. */
  #resends = 0;

  constructor({ number, snapshot, chunkBytes, forced }: TransferOptions, now: Instant) {
    this.number = number;
    this.snapshot = snapshot;
    this.forced = forced;
    this.movedAt = now;
    this.#chunkBytes = chunkBytes;
    this.#encoder = new SnapshotEncoder(snapshot, chunkBytes);
  }

  /** Chunks that have arrived there. */
  get acknowledged(): number {
    return this.#acknowledged;
  }

  /** How much longer than usual to wait before all is sent again: where it is slow that helps nobody. */
  get patience(): number {
    return 2 ** Math.min(this.#resends, RESENDS_MAX);
  }

  /** What there is room to send now; each chunk is given out once, unless {@link resend} is called. */
  due(): readonly Chunk[] {
    while (this.#window.length < WINDOW_CHUNKS) {
      const chunk = this.#encoder.next();
      if (chunk === null) break;
      this.#window.push(chunk);
    }
    const due = this.#window.slice(this.#sent);
    this.#sent = this.#window.length;
    this.#most = Math.max(this.#most, this.#acknowledged + this.#sent);
    return due;
  }

  /** The receiver needs this chunk next. */
  acknowledge(next: number, now: Instant): void {
    if (next === 0 && this.#acknowledged > 0) return this.#begin(now);
    const arrived = next - this.#acknowledged;
    // It got another chunk than the one that it needs: that one was lost, or overtaken.
    if (arrived === 0 && next > this.#doubled) this.#repeat();
    // Not more than was ever sent, whatever it says; less is an answer that came late.
    if (arrived <= 0 || next > this.#most) return;
    // After a beginning anew that was not needed it may have more than was sent since.
    for (let at = this.#acknowledged + this.#window.length; at < next; at++) this.#encoder.next();
    this.#window.splice(0, arrived);
    this.#sent = Math.max(0, this.#sent - arrived);
    this.#acknowledged = next;
    this.#resends = 0;
    this.movedAt = now;
  }

  /** What is not acknowledged is due once more. */
  resend(now: Instant): void {
    this.#repeat();
    this.#resends++;
    this.movedAt = now;
  }

  #repeat(): void {
    if (this.#sent === 0) return;
    this.#doubled = this.#acknowledged + this.#sent;
    this.#sent = 0;
  }

  #begin(now: Instant): void {
    this.#encoder = new SnapshotEncoder(this.snapshot, this.#chunkBytes);
    this.#window = [];
    this.#sent = 0;
    this.#acknowledged = 0;
    this.#doubled = -1;
    this.movedAt = now;
  }
}
