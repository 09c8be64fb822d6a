/**
 * Sequences of disk calls as generators: `yield` a call, get its result. Nothing here waits: a
 * procedure stands still until the step that brings its answer, so the order of everything is the
 * order of events, in the daemon and in the simulator alike.
 *
 * @module
 */
import { after, earliest, type Instant, type Millis, NEVER } from "../base/time.ts";
import type { ReservationState } from "../host/ports.ts";
import type { DiskCall, DiskResult } from "./events.ts";

/** What a procedure may yield: a call on its disk or on another one, or a pause. */
export type ProcedureStep =
  | DiskCall
  | { readonly call: "pause"; readonly ms: Millis }
  | { readonly call: "at"; readonly disk: number; readonly what: DiskCall };
/** A sequence of calls that ends in a `T`. */
export type Procedure<T> = Generator<ProcedureStep, T, DiskResult>;

interface Running {
  readonly disk: number;
  readonly procedure: Procedure<void>;
}

/** What a call needs to go out. */
export interface CallSink {
  now(): Instant;
  call(disk: number, tag: number, call: DiskCall): void;
}

/** Runs procedures; at most one call of each is outstanding. */
export class Procedures {
  readonly #sink: CallSink;
  readonly #calls = new Map<number, Running>();
  #pauses: { readonly at: Instant; readonly running: Running }[] = [];
  #tag = 0;

  constructor(sink: CallSink) {
    this.#sink = sink;
  }

  /** Starts `procedure` on `disk`; its first call goes out before this returns. */
  start(disk: number, procedure: Procedure<void>): void {
    const running = { disk, procedure };
    this.#take(running, procedure.next({ result: "done" }));
  }

  /** Continues the procedure that made the call `tag`; an unknown tag is ignored. */
  answer(tag: number, result: DiskResult): void {
    const running = this.#calls.get(tag);
    if (running === undefined) return;
    this.#calls.delete(tag);
    this.#take(running, running.procedure.next(result));
  }

  /** Continues every procedure whose pause is over. */
  wake(): void {
    const due = this.#pauses.filter(({ at }) => at <= this.#sink.now());
    this.#pauses = this.#pauses.filter(({ at }) => at > this.#sink.now());
    for (const { running } of due) this.#take(running, running.procedure.next({ result: "done" }));
  }

  /** When the first pause ends. */
  deadline(): Instant {
    return earliest(NEVER, ...this.#pauses.map(({ at }) => at));
  }

  #take(running: Running, next: IteratorResult<ProcedureStep, void>): void {
    if (next.done === true) return;
    if (next.value.call === "pause") {
      this.#pauses.push({ at: after(this.#sink.now(), next.value.ms), running });
      return;
    }
    this.#tag += 1;
    this.#calls.set(this.#tag, running);
    const step = next.value;
    const [disk, call] = step.call === "at" ? [step.disk, step.what] : [running.disk, step];
    this.#sink.call(disk, this.#tag, call);
  }
}

/** `procedure`, with its calls on `disk`, as a part of one that is at work on another. */
export function* on<T>(disk: number, procedure: Procedure<T>): Procedure<T> {
  let next = procedure.next({ result: "done" });
  while (next.done !== true) {
    const step = next.value;
    const own = step.call === "pause" || step.call === "at";
    next = procedure.next(yield own ? step : { call: "at", disk, what: step });
  }
  return next.value;
}

/** Why a call did not give what was asked for, as a clause. */
export function failureText(result: DiskResult): string {
  return result.result === "failed"
    ? `${result.failure.failure}: ${result.failure.detail}`
    : `the answer was "${result.result}"`;
}

/** True where the disk knows no such command. */
export function isUnsupported(result: DiskResult): boolean {
  return result.result === "failed" && result.failure.failure === "unsupported";
}

/** True for RESERVATION CONFLICT. */
export function isConflict(result: DiskResult): boolean {
  return result.result === "failed" && result.failure.failure === "conflict";
}

/** Reads the reservations; a failure comes back as it is. */
export function* readReservations(): Procedure<ReservationState | DiskResult> {
  const result = yield { call: "reservations" };
  return result.result === "reservations" ? result.state : result;
}

/** True for what {@link readReservations} gives on success. */
export function isState(result: ReservationState | DiskResult): result is ReservationState {
  return "keys" in result;
}
