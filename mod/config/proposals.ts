/**
 * What clients of this node wait for: transactions, changes of the members, another leader, read
 * barriers. A follower forwards them to the leader; a transaction is sent again whenever that may
 * help, for it carries its request id and is applied once. What has no such id is sent once.
 *
 * @module
 */
import { clipText } from "../base/bytes.ts";
import { type NodeId, nodeId } from "../base/id.ts";
import { type Problem, problem } from "../base/problem.ts";
import { after, earliest, type Instant, type Millis, NEVER } from "../base/time.ts";
import type { Outcome, SpecChange, Tag, Transaction } from "../streams.ts";
import { type Answer, type Ask, WHY_BYTES_MAX } from "./wire.ts";

/** Requests of this node that may wait at once. */
export const WAITING_MAX = 4096;

/** What a client wants. */
export type Want =
  | { readonly want: "propose"; readonly transaction: Transaction }
  | { readonly want: "change"; readonly change: SpecChange }
  | { readonly want: "transfer"; readonly to: NodeId | null }
  | { readonly want: "barrier" };

/** One client's request under way. */
export interface Waiting {
  readonly id: number;
  readonly tag: Tag;
  readonly want: Want;
  readonly deadline: Instant;
  /** How often it may have reached a log: if ever, its outcome is not ours to tell. */
  sent: number;
  /** To whom it was sent last, and when. */
  to: NodeId | null;
  sentAt: Instant;
  /** A barrier's answer: told once this index is applied. */
  readIndex: number | null;
  /** A leader's answer: told once its index is applied here too, so that its asker can read it here. */
  done: Extract<Outcome, { ok: true }> | null;
}

/** How the wait for a request ended; without a problem where the leader's answer was there. */
export interface Given {
  readonly waiting: Waiting;
  readonly problem: Problem | null;
}

/** Keeps what waits. */
export class Proposals {
  readonly #waiting = new Map<number, Waiting>();
  /** Those to be looked at in each step; the others wait for what is in our own log. */
  readonly #open = new Set<Waiting>();
  #next: number;
  /** Nobody's time is over before this. */
  #due: Instant = NEVER;

  /**
   * `first` is drawn at random for each life of a node: an answer that a former life waited for must
   * not be taken for the answer to something else.
   */
  constructor(first: number) {
    this.#next = first;
  }

  /** Takes a request, or says that there are too many. */
  add(tag: Tag, want: Want, timing: { now: Instant; waitMs: Millis }): Waiting | null {
    if (this.#waiting.size >= WAITING_MAX) return null;
    const waiting: Waiting = {
      id: this.#next++,
      tag,
      want,
      deadline: after(timing.now, timing.waitMs),
      sent: 0,
      to: null,
      sentAt: timing.now,
      readIndex: null,
      done: null,
    };
    this.#waiting.set(waiting.id, waiting);
    this.#open.add(waiting);
    this.#due = earliest(this.#due, waiting.deadline);
    return waiting;
  }

  /** A request by its number. */
  get(id: number): Waiting | undefined {
    return this.#waiting.get(id);
  }

  /** It is answered. */
  remove(id: number): void {
    const waiting = this.#waiting.get(id);
    if (waiting === undefined) return;
    this.#waiting.delete(id);
    this.#open.delete(waiting);
    if (this.#waiting.size === 0) this.#due = NEVER;
  }

  /** Removes a request that was sent to nobody; false where there is none or it was sent. */
  withdraw(tag: Tag): boolean {
    const waiting = this.all().find((each) => each.tag === tag);
    if (waiting === undefined || waiting.sent > 0) return false;
    this.remove(waiting.id);
    return true;
  }

  /** It needs to be looked at in each step, or not until this is said again. */
  setOpen(waiting: Waiting, open: boolean): void {
    if (open && this.#waiting.has(waiting.id)) this.#open.add(waiting);
    else this.#open.delete(waiting);
  }

  /** Is there any of these? */
  get hasOpen(): boolean {
    return this.#open.size > 0;
  }

  /** Those to be looked at, oldest first. */
  open(): readonly Waiting[] {
    return [...this.#open];
  }

  /** All that wait, oldest first. */
  all(): readonly Waiting[] {
    return [...this.#waiting.values()];
  }

  /** Those whose time is over; they are removed. */
  expired(now: Instant): readonly Given[] {
    if (now < this.#due) return [];
    const over = this.all().filter((waiting) => waiting.deadline <= now);
    const given = over.map((waiting) => this.#give(waiting));
    this.#due = earliest(...this.all().map((waiting) => waiting.deadline));
    return given;
  }

  /** Before this nobody's time is over. */
  deadline(): Instant {
    return this.#due;
  }

  #give(waiting: Waiting): Given {
    this.remove(waiting.id);
    const why = "no leader answered in time";
    if (waiting.done !== null) return { waiting, problem: null };
    return waiting.sent > 0
      ? { waiting, problem: problem("config.unknown-outcome", why) }
      : { waiting, problem: problem("config.no-quorum", why) };
  }
}

/** A want as the leader is asked for it. */
export function askOf(want: Want): Ask {
  switch (want.want) {
    case "propose":
      return { kind: "propose", transaction: want.transaction as never };
    case "change":
      return { kind: "change", change: { kind: want.change.change, ...want.change } as never };
    case "transfer":
      return { kind: "transfer", to: want.to };
    case "barrier":
      return { kind: "barrier" };
  }
}

/** What the leader was asked for, as a want. */
export function wantOf(ask: Ask): Want {
  switch (ask.kind) {
    case "propose":
      return { want: "propose", transaction: ask.transaction as unknown as Transaction };
    case "change": {
      const { kind, ...fields } = ask.change;
      return { want: "change", change: { change: kind, ...fields } as unknown as SpecChange };
    }
    case "transfer":
      return { want: "transfer", to: ask.to === null ? null : nodeId(ask.to) };
    case "barrier":
      return { want: "barrier" };
  }
}

/** Why a wait came to nothing: a write that waited its turn here was in no log. */
export function whyExpired({ sent, to, want }: Waiting, why: Problem, self: NodeId): Problem {
  const queued = sent === 0 && to === self && want.want === "propose";
  return queued ? problem("api.busy", "it waited its turn for too long; nothing was written") : why;
}

/** True for what may be asked for twice: applied once, or nothing is changed by it. */
export function isRepeatable({ want }: Want): boolean {
  return want === "propose" || want === "barrier";
}

/** One line per operation, for people: `create a`, `write b +120`. */
export function diffOf(transaction: Transaction): readonly string[] {
  return transaction.operations.map((operation) => {
    switch (operation.op) {
      case "write":
        return `write ${operation.path} +${operation.data.length}`;
      case "truncate":
        return `truncate ${operation.path} ${operation.size}`;
      case "rename":
        return `rename ${operation.path} ${operation.to}`;
      default:
        return `${operation.op} ${operation.path}`;
    }
  });
}

/** The outcome that a problem makes. */
export function refusedBy(refused: Problem): Outcome {
  return { ok: false, problem: refused };
}

/** An outcome as the leader answers it. */
export function answerOf(outcome: Outcome): Answer {
  if (!outcome.ok) return refusalOf(outcome.problem);
  return { kind: "done", index: outcome.index, crc32: outcome.crc32 };
}

/** A refusal as the leader answers it. */
export function refusalOf({ code, why }: Problem): Answer {
  return { kind: "refused", code, why: clipText(why, WHY_BYTES_MAX) };
}
