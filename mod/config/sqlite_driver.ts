/**
 * The persist queue of stream 2 (contract: `events.ts`). One transaction is under way at a time;
 * what comes in the meantime is joined into the next one. A frame waits for the persists before it,
 * unless it is eager or they are lazy. The history is read when what was applied before is in it.
 *
 * A failed write is the end: nothing is sent or written after it, and the process must stop.
 *
 * @module
 */
import type { NodeId } from "../base/id.ts";
import { after, type Instant, NEVER } from "../base/time.ts";
import type { ClockPort, Database, HistoryAsk, HistoryPage, TimerHandle } from "../host/ports.ts";
import { joinBatches, standsAlone } from "./batch.ts";
import type { ConfigEffect, ConfigEvent } from "./events.ts";

/** A lazy persist waits at most so long for one that is not lazy. */
export const LAZY_MS = 20;
/** Persists that one transaction holds at most. */
export const GROUP_MAX = 1024;
/** Frames that may wait for the disk; more are dropped, as a full connection would drop them. */
export const HELD_MAX = 8192;
/** Readers of the history that may wait at once; more are refused. */
export const READS_MAX = 64;

/** What the driver performs. */
export type PersistDriverEffect = Extract<
  ConfigEffect,
  { kind: "persist" | "frame" | "verify" }
>;

/** What the driver works with. */
export interface PersistDriverParts {
  readonly database: Database;
  readonly clock: ClockPort;
  readonly send: (to: NodeId, bytes: Uint8Array) => void;
  readonly feed: (event: ConfigEvent) => void;
  /** The database failed. Called at most once; nothing is called after it. */
  readonly onFatal: (why: string) => void;
}

interface HeldFrame {
  readonly to: NodeId;
  readonly bytes: Uint8Array;
  /** Number of the persist that must be durable first. */
  readonly behind: number;
}

/** What a reader of the history is told. */
type HistoryDone = (page: HistoryPage | { readonly failure: string }) => void;

interface Read {
  readonly ask: HistoryAsk;
  readonly done: HistoryDone;
  /** Number of the persist that must be durable first. */
  readonly behind: number;
}

type Persist = Extract<ConfigEffect, { kind: "persist" }>;

/** One per node. */
export class PersistDriver {
  readonly #parts: PersistDriverParts;
  readonly #timer: TimerHandle;
  #waiting: Persist[] = [];
  #held: HeldFrame[] = [];
  #reads: Read[] = [];
  #committing = false;
  #durable = -1;
  /** Number of the newest persist. */
  #newest = -1;
  /** Number of the newest persist that frames wait for. */
  #barrier = -1;
  #lazyDue: Instant = NEVER;
  #stopped = false;

  constructor(parts: PersistDriverParts) {
    this.#parts = parts;
    this.#timer = parts.clock.timer(() => this.#commitNext());
  }

  /** Starts, holds back or sends. */
  perform(effect: PersistDriverEffect): void {
    if (this.#stopped) return;
    if (effect.kind === "persist") return this.#persist(effect);
    if (effect.kind === "verify") return this.#verify();
    const { to, bytes, eager } = effect;
    if (eager || this.#barrier <= this.#durable) this.#parts.send(to, bytes);
    else if (this.#held.length < HELD_MAX) this.#held.push({ to, bytes, behind: this.#barrier });
  }

  /** Reads the history, all that was applied before this call included. */
  history(ask: HistoryAsk, done: HistoryDone): void {
    if (this.#stopped) return done({ failure: "the node stops" });
    if (this.#reads.length >= READS_MAX) return done({ failure: "too many read it already" });
    this.#reads.push({ ask, done, behind: this.#newest });
    // What is lazy must not be waited for.
    if (this.#waiting.length > 0) this.#lazyDue = this.#parts.clock.now();
    this.#commitNext();
    this.#readNext();
  }

  /** Drops all that waits; nothing is called any more. The database stays open. */
  close(): void {
    this.#stopped = true;
    for (const { done } of this.#reads.splice(0)) done({ failure: "the node stops" });
    this.#timer.set(NEVER);
    this.#waiting = [];
    this.#held = [];
  }

  /** It reads one state, that of a moment between two commits; what waits is not in it. */
  #verify(): void {
    this.#parts.database.verify((report) => {
      if (!this.#stopped) this.#parts.feed({ kind: "verified", report });
    });
  }

  #readNext(): void {
    const ready = this.#reads.filter(({ behind }) => behind <= this.#durable);
    this.#reads = this.#reads.filter(({ behind }) => behind > this.#durable);
    for (const { ask, done } of ready) this.#parts.database.history(ask, done);
  }

  #persist(effect: Persist): void {
    this.#waiting.push(effect);
    this.#newest = effect.number;
    if (!effect.lazy) this.#barrier = effect.number;
    else if (this.#lazyDue === NEVER) {
      this.#lazyDue = after(this.#parts.clock.now(), LAZY_MS);
      this.#timer.set(this.#lazyDue);
    }
    this.#commitNext();
  }

  /** Starts the next transaction where one is due and none is under way. */
  #commitNext(): void {
    if (this.#stopped || this.#committing || !this.#isDue()) return;
    const group = this.#waiting.splice(0, this.#groupSize());
    this.#lazyDue = NEVER;
    if (this.#waiting.some((each) => each.lazy)) this.#lazyDue = this.#parts.clock.now();
    this.#timer.set(NEVER);
    const batch = group.map((each) => each.batch).reduce(joinBatches);
    const upTo = group.at(-1)?.number ?? this.#durable;
    this.#committing = true;
    this.#parts.database.commit(batch, (failure) => this.#onDone(failure, upTo));
  }

  /** How many of those that wait make the next transaction. */
  #groupSize(): number {
    const alone = this.#waiting.findIndex(({ batch }) => standsAlone(batch));
    return alone < 0 ? GROUP_MAX : Math.min(GROUP_MAX, Math.max(1, alone));
  }

  #isDue(): boolean {
    const [first] = this.#waiting;
    if (first === undefined) return false;
    return this.#waiting.some((each) => !each.lazy) || this.#parts.clock.now() >= this.#lazyDue;
  }

  #onDone(failure: string | null, upTo: number): void {
    if (this.#stopped) return;
    if (failure !== null) {
      this.close();
      return this.#parts.onFatal(failure);
    }
    this.#committing = false;
    this.#durable = upTo;
    const free = this.#held.filter((frame) => frame.behind <= upTo);
    this.#held = this.#held.filter((frame) => frame.behind > upTo);
    for (const { to, bytes } of free) this.#parts.send(to, bytes);
    this.#readNext();
    // The disk goes on while the core thinks about what is durable now.
    this.#commitNext();
    if (!this.#stopped) this.#parts.feed({ kind: "persisted", upTo });
  }
}
