/**
 * The self-test of a disk that is in use, beside `pentad storage check`, which needs one that nobody
 * is registered on. Nothing here changes anything: what is asked is what the target must refuse.
 *
 * Whether it refuses the writes of who is not registered shows only before we are; so that is asked
 * whenever we come onto a disk that others hold, and kept. It is kept over lives of this node too: a
 * life that finds its former key there is no stranger, and a disk that was seen to take what it must
 * refuse must not count as sound because the daemon began anew.
 *
 * @module
 */
import type { DiskTest, TestStep } from "../base/disk_test.ts";
import { type Reason, reason } from "../base/reason.ts";
import { after, formatMillis, type Instant, type Millis, NEVER } from "../base/time.ts";
import type { ReservationState } from "../host/ports.ts";
import type { StorageContext } from "./context.ts";
import { asksAbort } from "./eject.ts";
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
const UNSEEN: TestStep = { what: REFUSES, seen: "unseen", detail: STRANGER_NEEDED };

/** A result: when, of what, and whether a former life of this node got it. */
interface LastTest {
  readonly at: Instant;
  readonly test: DiskTest;
  readonly former: boolean;
}

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
  #uuid = "";
  #due: Instant = NEVER;
  #refusal: TestStep = UNSEEN;
  #last: LastTest | null = null;

  constructor(path: string) {
    this.#path = path;
  }

  /** The last result, and when that was. */
  get last(): LastTest | null {
    return this.#last;
  }

  /** It was seen to take what it must refuse. */
  get isOpen(): boolean {
    return this.#refusal.seen === "no";
  }

  get deadline(): Instant {
    return this.#due;
  }

  /** The path leads to the disk with this uuid: what is known of any other says nothing of it. */
  recall(context: StorageContext, uuid: string): void {
    if (uuid === this.#uuid) return;
    this.#uuid = uuid;
    this.#due = NEVER;
    const past = context.tests.get(uuid);
    this.#last = past === undefined ? null : { at: past.at, test: past.test, former: true };
    this.#refusal = past?.test.steps.find(({ what }) => what === REFUSES) ?? UNSEEN;
  }

  /** We are registered there, anew. */
  begin(context: StorageContext, refusal: TestStep | null): void {
    this.#refusal = refusal ?? this.#refusal;
    const soon = after(context.now(), TEST_FIRST_BEATS * context.timing.beatMs);
    const known = this.#last !== null && !this.#last.former;
    if (!known || refusal?.seen === "no") this.#due = soon;
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
    this.#last = { at: context.now(), test, former: false };
    context.tell({ fact: "storage.tested", disk: this.#uuid, path: this.#path, test });
    this.#due = after(context.now(), TEST_AGAIN_MS);
    const because = reasonOf(this.#path, test);
    const worse = before === "fences" && test.verdict !== "fences";
    const text = `self-test: ${this.#path}, verdict=${test.verdict}${
      worse ? ", it was better" : ""
    }`;
    context.say(text, because, before === test.verdict || (before === null && !isBad(test)));
  }
}

/** The results of some disks in one clause, for the first page; empty where there are none. */
export function testsText(
  tests: readonly (Pick<DiskTest, "verdict"> & { readonly ageMs: number } | null)[],
): string {
  const all = tests.filter((test) => test !== null);
  if (all.length === 0) return "";
  const counts = (["fences", "unproven", "cannot-fence"] as const)
    .map((verdict) => ({ verdict, count: all.filter((each) => each.verdict === verdict).length }))
    .filter(({ count }) => count > 0)
    .map(({ verdict, count }) => `${verdict}=${count}`);
  const oldest = Math.max(...all.map(({ ageMs }) => ageMs));
  return `tested ${formatMillis(oldest)} ago: ${counts.join(" ")}`;
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
