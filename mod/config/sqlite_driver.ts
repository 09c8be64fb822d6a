/**
 * The persist queue of stream 2 (contract: `events.ts`). One transaction is under way at a time;
 * what comes in the meantime is joined into the next one. A frame waits for the persists before it,
 * unless it is eager or they are lazy.
 *
 * A failed write is the end: nothing is sent or written after it, and the process must stop.
 *
 * @module
 */
import type { NodeId } from "../base/id.ts";
import { after, type Instant, NEVER } from "../base/time.ts";
import type { ClockPort, Database, DatabaseBatch, TimerHandle } from "../host/ports.ts";
import { joinBatches } from "./batch.ts";
import type { ConfigEffect, ConfigEvent } from "./events.ts";

/** A lazy persist waits at most so long for one that is not lazy. */
export const LAZY_MS = 20;
/** Persists that one transaction holds at most. */
export const GROUP_MAX = 1024;
/** Frames that may wait for the disk; more are dropped, as a full connection would drop them. */
export const HELD_MAX = 8192;

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

type Persist = Extract<ConfigEffect, { kind: "persist" }>;

/** One per node. */
export class PersistDriver {
  readonly #parts: PersistDriverParts;
  readonly #timer: TimerHandle;
  #waiting: Persist[] = [];
  #held: HeldFrame[] = [];
  #committing = false;
  #durable = -1;
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

  /** Drops all that waits; nothing is called any more. The database stays open. */
  close(): void {
    this.#stopped = true;
    this.#timer.set(NEVER);
    this.#waiting = [];
    this.#held = [];
  }

  #persist(effect: Persist): void {
    this.#waiting.push(effect);
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
    const group = this.#waiting.splice(0, GROUP_MAX);
    this.#lazyDue = NEVER;
    if (this.#waiting.some((each) => each.lazy)) this.#lazyDue = this.#parts.clock.now();
    this.#timer.set(NEVER);
    const batch = group.map((each) => each.batch).reduce(joinBatches, EMPTY);
    const upTo = group.at(-1)?.number ?? this.#durable;
    this.#committing = true;
    this.#parts.database.commit(batch, (failure) => this.#onDone(failure, upTo));
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
    // The disk goes on while the core thinks about what is durable now.
    this.#commitNext();
    if (!this.#stopped) this.#parts.feed({ kind: "persisted", upTo });
  }
}

const EMPTY: DatabaseBatch = {};
