/**
 * The persist queue of stream 2 (contract: `events.ts`). One transaction is under way at a time;
 * what comes in the meantime is joined into the next one. A frame waits for the persists before it,
 * unless it is eager or they are lazy. The history is read when what was applied before is in it.
 *
 * What the log can make again (`isDerived`) is overtaken by entries of the log: somebody waits for
 * these. It is written many at once, for it touches many more pages of the database than they do.
 *
 * A failed write is the end: nothing is sent or written after it, and the process must stop.
 *
 * @module
 */
import type { NodeId } from "../base/id.ts";
import { after, type Instant, NEVER } from "../base/time.ts";
import type { ClockPort, Database, HistoryAsk, HistoryPage, TimerHandle } from "../host/ports.ts";
import { isDerived, isPlain, joinBatches, standsAlone } from "./batch.ts";
import type { ConfigEffect, ConfigEvent } from "./events.ts";

/** What is derived waits at most so long for more of it. */
export const LAZY_MS = 100;
/** So many of these do not wait any longer. */
export const LATER_MAX = 512;
/** Persists that one transaction holds at most. */
export const GROUP_MAX = 1024;
/** Frames that may wait for the disk; more are dropped, as a full connection would drop them. */
export const HELD_MAX = 8192;
/** Readers of the history that may wait at once; more are refused. */
export const READS_MAX = 64;

/** What the driver performs. */
export type PersistDriverEffect = Extract<ConfigEffect, { kind: "persist" | "frame" }>;

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
  /** What goes next, in this order. */
  #waiting: Persist[] = [];
  /** What is derived, and may be overtaken. */
  #later: Persist[] = [];
  #held: HeldFrame[] = [];
  #reads: Read[] = [];
  #committing = false;
  /** Number of the newest persist that is durable: all are up to it, but for `#later`. */
  #durable = -1;
  /** Up to this number all is. */
  #whole = -1;
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
    if (this.#later.length > 0) this.#lazyDue = this.#parts.clock.now();
    this.#commitNext();
    this.#readNext();
  }

  /** Drops all that waits; nothing is called any more. The database stays open. */
  close(): void {
    this.#stopped = true;
    for (const { done } of this.#reads.splice(0)) done({ failure: "the node stops" });
    this.#timer.set(NEVER);
    this.#waiting = [];
    this.#later = [];
    this.#held = [];
  }

  #readNext(): void {
    if (this.#reads.length === 0) return;
    const ready = this.#reads.filter(({ behind }) => behind <= this.#whole);
    this.#reads = this.#reads.filter(({ behind }) => behind > this.#whole);
    for (const { ask, done } of ready) this.#parts.database.history(ask, done);
  }

  #persist(effect: Persist): void {
    this.#newest = effect.number;
    if (!effect.lazy) this.#barrier = effect.number;
    if (effect.lazy && isDerived(effect.batch)) {
      this.#later.push(effect);
      if (this.#lazyDue === NEVER) {
        this.#lazyDue = after(this.#parts.clock.now(), LAZY_MS);
        this.#timer.set(this.#lazyDue);
      }
    } else {
      // Nothing but entries overtakes anything.
      if (!isPlain(effect.batch)) this.#waiting.push(...this.#later.splice(0));
      this.#waiting.push(effect);
    }
    this.#commitNext();
  }

  /** Starts the next transaction where one is due and none is under way. */
  #commitNext(): void {
    if (this.#stopped || this.#committing) return;
    const flush = this.#later.length >= LATER_MAX || this.#parts.clock.now() >= this.#lazyDue;
    if (this.#waiting.length === 0 && !flush) return;
    const group = this.#waiting.splice(0, this.#groupSize());
    const alone = group.some(({ batch }) => standsAlone(batch));
    if (flush && !alone && this.#waiting.length === 0) {
      group.push(...this.#later.splice(0, GROUP_MAX));
      if (this.#later.length > 0) this.#lazyDue = this.#parts.clock.now();
    }
    if (this.#later.length === 0 && this.#lazyDue !== NEVER) {
      this.#lazyDue = NEVER;
      this.#timer.set(NEVER);
    }
    const upTo = group.reduce((most, { number }) => Math.max(most, number), this.#durable);
    const open = [...this.#waiting, ...this.#later.slice(0, 1)];
    const whole = open.reduce((least, { number }) => Math.min(least, number - 1), this.#newest);
    this.#committing = true;
    const batch = joinBatches(group.map((each) => each.batch));
    this.#parts.database.commit(batch, (failure) => this.#onDone(failure, { upTo, whole }));
  }

  /** How many of those that wait make the next transaction. */
  #groupSize(): number {
    const alone = this.#waiting.findIndex(({ batch }) => standsAlone(batch));
    return alone < 0 ? GROUP_MAX : Math.min(GROUP_MAX, Math.max(1, alone));
  }

  #onDone(failure: string | null, { upTo, whole }: { upTo: number; whole: number }): void {
    if (this.#stopped) return;
    if (failure !== null) {
      this.close();
      return this.#parts.onFatal(failure);
    }
    this.#committing = false;
    this.#durable = upTo;
    this.#whole = whole;
    this.#release(upTo);
    this.#readNext();
    // The disk goes on while the core thinks about what is durable now.
    this.#commitNext();
    if (!this.#stopped) this.#parts.feed({ kind: "persisted", upTo });
  }

  /** Sends what waited for this. */
  #release(upTo: number): void {
    const first = this.#held.findIndex(({ behind }) => behind > upTo);
    // They wait in the order of what they wait for.
    const free = this.#held.splice(0, first < 0 ? this.#held.length : first);
    for (const { to, bytes } of free) this.#parts.send(to, bytes);
  }
}
