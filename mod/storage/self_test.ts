/**
 * The self-test of a disk that is in use, beside `pentad storage check`, which needs one that nobody
 * is registered on. Nothing here changes anything: what is asked is what the target must refuse.
 *
 * Whether it refuses the writes of who is not registered shows only before we are; so that is asked
 * whenever we come onto a disk that others hold, and kept.
 *
 * @module
 */
import { type Reason, reason } from "../base/reason.ts";
import { after, type Instant, type Millis, NEVER } from "../base/time.ts";
import type { ReservationState } from "../host/ports.ts";
import type { StorageContext } from "./context.ts";
import { asksAbort } from "./eject.ts";
import type { DiskTest, TestStep } from "./events.ts";
import {
  isConflict,
  isState,
  isUnsupported,
  type Procedure,
  readReservations,
} from "./procedure.ts";
import { isProtected } from "./reservation.ts";

/** How long a result stands. */
export const TEST_AGAIN_MS: Millis = 24 * 60 * 60 * 1000;
/** Beats from getting onto a disk to its first test. */
export const TEST_FIRST_BEATS = 10;
/** Beats to the next try where a test could not be ended. */
const TEST_RETRY_BEATS = 50;

const REFUSES = "it refuses the writes of who is not registered";
const STRANGER_NEEDED = "seen only by who comes onto a disk that others hold";

/** Asks, where we are not registered and others hold the disk, whether it refuses our writes. */
export function* testRefusal(state: ReservationState): Procedure<TestStep | null> {
  if (state.holder === null || !isProtected(state, state.holder)) return null;
  const result = yield { call: "try-write" };
  if (isConflict(result)) return { what: REFUSES, seen: "yes", detail: "RESERVATION CONFLICT" };
  // Anything else than "done" is no answer to what was asked.
  if (result.result !== "done") return null;
  return { what: REFUSES, seen: "no", detail: "it would have taken one" };
}

/** The tests of one disk. */
export class SelfTest {
  readonly #path: string;
  #due: Instant = NEVER;
  #refusal: TestStep = { what: REFUSES, seen: "unseen", detail: STRANGER_NEEDED };
  #last: { readonly at: Instant; readonly test: DiskTest } | null = null;

  constructor(path: string) {
    this.#path = path;
  }

  /** The last result, and when that was. */
  get last(): { readonly at: Instant; readonly test: DiskTest } | null {
    return this.#last;
  }

  /** It was seen to take what it must refuse. */
  get isOpen(): boolean {
    return this.#refusal.seen === "no";
  }

  get deadline(): Instant {
    return this.#due;
  }

  /** We are registered there, anew. */
  begin(context: StorageContext, refusal: TestStep | null): void {
    this.#refusal = refusal ?? this.#refusal;
    const soon = after(context.now(), TEST_FIRST_BEATS * context.timing.beatMs);
    if (this.#last === null || refusal?.seen === "no") this.#due = soon;
  }

  /** Tests a disk on which `key` is registered; whether it has ABORT, where that was seen. */
  *run(context: StorageContext, key: string): Procedure<boolean | null> {
    this.#due = after(context.now(), TEST_RETRY_BEATS * context.timing.beatMs);
    const state = yield* readReservations();
    if (!isState(state) || !isProtected(state, key)) return null;
    const aborts = yield* asksAbort(context, { key, taken: state.keys });
    if (typeof aborts === "string") return null;
    const told = yield { call: "traits" };
    // Only a target that cannot say is not asked again at once.
    if (told.result !== "traits" && !isUnsupported(told)) return aborts;
    const steps = [
      this.#refusal,
      stepOf("it has PREEMPT AND ABORT", aborts, "what an ejected node had sent may still land"),
      stepOf(
        "its registrations outlast its loss of power (APTPL)",
        told.result === "traits" ? told.persists : null,
        "after a restart of the target they are made anew",
      ),
    ];
    this.#keep(context, { verdict: verdictOf(steps), steps });
    return aborts;
  }

  #keep(context: StorageContext, test: DiskTest): void {
    const before = this.#last?.test.verdict ?? null;
    this.#last = { at: context.now(), test };
    this.#due = after(context.now(), TEST_AGAIN_MS);
    const because = reasonOf(this.#path, test);
    const worse = before === "fences" && test.verdict !== "fences";
    const text = `self-test: ${this.#path}, verdict=${test.verdict}${
      worse ? ", it was better" : ""
    }`;
    context.say(text, because, before === test.verdict || (before === null && !isBad(test)));
  }
}

function isBad({ verdict }: DiskTest): boolean {
  return verdict === "cannot-fence";
}

function reasonOf(disk: string, test: DiskTest): Reason {
  const missed = test.steps.filter(({ seen }) => seen !== "yes");
  if (missed.length === 0) return reason("storage.tested", { disk });
  return reason("storage.tested-short", { disk, what: missed.map(({ what }) => what).join("; ") });
}

/** What was not seen to be refused was not seen to be taken either: that comes in time. */
function verdictOf([refusal, abort]: readonly TestStep[]): DiskTest["verdict"] {
  if (refusal?.seen === "no") return "cannot-fence";
  return refusal?.seen === "yes" && abort?.seen === "yes" ? "fences" : "unproven";
}

function stepOf(what: string, is: boolean | null, otherwise: string): TestStep {
  if (is === null) return { what, seen: "unseen", detail: "the target does not say" };
  return { what, seen: is ? "yes" : "no", detail: is ? "" : otherwise };
}
