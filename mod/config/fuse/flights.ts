/**
 * Transactions of the mount that are under way.
 *
 * What counts as the end of one is its entry being applied here: only then do the programs of this
 * node see what they wrote, and only then is a conflict's cause in our tree, to be looked at before
 * the next try. The leader's word alone ends what never came into a log.
 *
 * @module
 */
import type { RequestId } from "../../base/id.ts";
import { nameOf } from "../../base/cluster.ts";
import { after, earliest, type Instant, NEVER } from "../../base/time.ts";
import type { Expectation, Operation, Outcome, Tag, Transaction } from "../../streams.ts";
import type { MountParts, StepClock } from "./context.ts";
import { RETRIES_MAX } from "./limits.ts";
import { errnoOf, isConflict } from "./refusal.ts";
import type { Caller, Errno } from "./requests.ts";

/** What is to be done, as the tree is now. */
export type Plan =
  | {
    readonly expect: readonly Expectation[];
    readonly operations: readonly Operation[];
    readonly reason: string;
  }
  | { readonly errno: Errno }
  | "nothing";

/** How it ended. `unknown`: it may be committed, now or later. */
export type FlightResult =
  | { readonly result: "done"; readonly index: number }
  | { readonly result: "refused"; readonly errno: Errno }
  | { readonly result: "unknown" };

/** What is asked for. */
export interface FlightAsk {
  readonly caller: Caller;
  /** Made anew for each try. */
  readonly plan: () => Plan;
  /** Called once; a second time where `unknown` becomes known. */
  readonly done: (result: FlightResult) => void;
  /** The kernel learns by our answer what became of names: no notice is needed. */
  readonly silent: () => boolean;
  /** Whether to look at the tree again where somebody else was faster. */
  readonly retry: boolean;
}

/** One transaction. */
export interface Flight {
  readonly ask: FlightAsk;
  transaction: Transaction | null;
  tag: Tag;
  tries: number;
  /** What the leader said of a conflict that is not applied here yet, and how long that is waited for. */
  conflict: { readonly outcome: Outcome; readonly until: Instant } | null;
}

/** See the module's note. */
export class Flights {
  readonly #parts: MountParts;
  readonly #clock: StepClock;
  readonly #byTag = new Map<Tag, Flight>();
  readonly #byRequest = new Map<RequestId, Flight>();
  #tags = 0;

  constructor(parts: MountParts, clock: StepClock) {
    this.#parts = parts;
    this.#clock = clock;
  }

  /** Begins. `done` may be called before this returns, where nothing is to be sent. */
  start(ask: FlightAsk): Flight {
    const flight: Flight = { ask, transaction: null, tag: "", tries: 0, conflict: null };
    this.#launch(flight);
    return flight;
  }

  /** Sends the very same transaction again: it is applied once, however often it is sent. */
  again(flight: Flight): void {
    if (flight.transaction !== null) this.#send(flight, flight.transaction);
  }

  /** Takes it back: true where it surely is in no log. Then `done` is not called. */
  withdraw(flight: Flight): boolean {
    if (!this.#parts.withdraw(flight.tag)) return false;
    this.forget(flight);
    return true;
  }

  /** Whatever becomes of it, nobody wants to know. */
  forget(flight: Flight): void {
    this.#byTag.delete(flight.tag);
    if (flight.transaction !== null) this.#byRequest.delete(flight.transaction.request);
  }

  /** True where this transaction is the mount's own. */
  isOurs(request: RequestId): boolean {
    return this.#byRequest.has(request);
  }

  /** True where the kernel learns of this transaction's names by our answer. */
  isSilent(request: RequestId): boolean {
    return this.#byRequest.get(request)?.ask.silent() ?? false;
  }

  /** The leader, or who asks it, has spoken. */
  onOutcome(tag: Tag, outcome: Outcome): void {
    const flight = this.#byTag.get(tag);
    if (flight === undefined) return;
    if (outcome.ok) {
      // Applied here before: a retry, answered with the first one's outcome.
      if (outcome.index <= this.#parts.applied()) this.#end(flight, outcome);
      return;
    }
    const { code } = outcome.problem;
    if (code === "config.unknown-outcome") {
      this.#byTag.delete(tag);
      flight.ask.done({ result: "unknown" });
    } else if (!isConflict(code)) this.#end(flight, outcome);
    else {
      const until = after(this.#clock.now, this.#parts.callMs());
      flight.conflict = { outcome, until };
    }
  }

  /** Ends those whose conflict never was applied here: this replica got the whole tree instead. */
  expire(): void {
    for (const flight of this.#byTag.values()) {
      const { conflict } = flight;
      if (conflict !== null && conflict.until <= this.#clock.now) {
        this.#end(flight, conflict.outcome);
      }
    }
  }

  /** When the next one's time is over. */
  deadline(): Instant {
    return earliest(...[...this.#byTag.values()].map(({ conflict }) => conflict?.until ?? NEVER));
  }

  /** An entry with this request was applied here. */
  onApplied(request: RequestId, outcome: Outcome): void {
    const flight = this.#byRequest.get(request);
    if (flight === undefined) return;
    const conflict = !outcome.ok && flight.ask.retry && isConflict(outcome.problem.code);
    if (!conflict || flight.tries > RETRIES_MAX) return this.#end(flight, outcome);
    this.forget(flight);
    this.#launch(flight);
  }

  #end(flight: Flight, outcome: Outcome): void {
    this.forget(flight);
    flight.ask.done(
      outcome.ok
        ? { result: "done", index: outcome.index }
        : { result: "refused", errno: errnoOf(outcome.problem.code) },
    );
  }

  #launch(flight: Flight): void {
    const { plan, done, caller } = flight.ask;
    const planned = plan();
    flight.tries++;
    if (planned === "nothing") return done({ result: "done", index: this.#parts.applied() });
    if ("errno" in planned) return done({ result: "refused", errno: planned.errno });
    const { spec } = this.#parts.cluster();
    const user = caller.uid === 0 ? "root" : `uid${caller.uid}`;
    this.#send(flight, {
      ...planned,
      request: this.#parts.nextId(),
      base: this.#parts.applied(),
      author: `${user}@${nameOf(spec, this.#parts.self)}`,
      time: this.#parts.wallSeconds(this.#clock.now),
    });
  }

  #send(flight: Flight, transaction: Transaction): void {
    flight.transaction = transaction;
    flight.conflict = null;
    flight.tag = `fuse:${++this.#tags}`;
    this.#byTag.set(flight.tag, flight);
    this.#byRequest.set(transaction.request, flight);
    this.#parts.propose(flight.tag, transaction);
  }
}
