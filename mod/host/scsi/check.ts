/**
 * The self-test of a shared disk: can it really fence? A procedure of calls, pure: whoever drives
 * it makes each call on the first or the second of two ways to the disk (two I_T nexuses) and hands
 * the answer in. Nothing is written but registrations, and they are taken away again.
 *
 * What one way alone cannot show is said to be unseen, never assumed.
 *
 * @module
 */
import type { DiskFailure, DiskReport, ReservationCommand } from "../ports.ts";

/** Which way to the disk. */
export type CheckSide = "first" | "second";
/** One call. */
export type CheckCall =
  | { readonly on: CheckSide; readonly call: "inspect" | "tryWrite" }
  | { readonly on: CheckSide; readonly call: "command"; readonly command: ReservationCommand };
/** Its answer: null is success without more to say. */
export type CheckAnswer = DiskReport | DiskFailure | null;

/** One thing that the disk must be able to do. */
export interface CheckStep {
  /** A sentence that is true where `seen` is "yes". */
  readonly what: string;
  readonly seen: "yes" | "no" | "unseen";
  /** What was answered, or why it was not tried. */
  readonly detail: string;
  /** Without it the disk still fences. */
  readonly optional?: true;
}

/** How the test ended. */
export interface CheckResult {
  /** `fences`: everything that matters was seen. `unproven`: something was not seen. */
  readonly verdict: "fences" | "unproven" | "cannot-fence";
  readonly steps: readonly CheckStep[];
}

/** What the test is made with. */
export interface CheckOptions {
  /** Two different keys that nobody else uses, 16 hex digits each. */
  readonly keys: readonly [first: string, second: string];
  /** There is a second way. */
  readonly pair: boolean;
}

/** Write exclusive, registrants only: what pentad reserves with. */
const TYPE = 5;
const NO_KEY = "0".repeat(16);
const FLAGS = { persist: null, allTargetPorts: false, initiatorPorts: [] } as const;

export type Check<T> = Generator<CheckCall, T, CheckAnswer>;

/** Runs the test on a disk that nobody is registered on; see {@link isInUse}. */
export function* checkDisk(options: CheckOptions): Check<CheckResult> {
  const steps: CheckStep[] = [];
  const [first, second] = options.keys;
  yield* run(steps, options);
  // Whatever happened: our keys must not stay. A side that is not registered answers with a conflict.
  for (const [on, key] of [["second", second], ["first", first]] as const) {
    if (on === "first" || options.pair) yield register(on, key, NO_KEY);
  }
  const end = yield { on: "first", call: "inspect" };
  const left = reportOf(end)?.state.keys ?? null;
  steps.push(step("its registrations can be taken away again", left?.length === 0, textOf(end)));
  return { verdict: verdictOf(steps), steps };
}

/** Why the test would disturb somebody; null where it would not. */
export function isInUse(report: DiskReport): string | null {
  const { keys, holder } = report.state;
  if (keys.length === 0 && holder === null) return null;
  const names = [...new Set(keys)].map((key) => `0x${key}`).join(", ");
  return `${keys.length} registrations are on it: ${names}`;
}

function* run(steps: CheckStep[], { keys: [first, second], pair }: CheckOptions): Check<void> {
  const registered = yield register("first", NO_KEY, first);
  steps.push(step("it takes a registration", registered === null, textOf(registered)));
  if (registered !== null) return;
  const seen = reportOf(yield { on: "first", call: "inspect" });
  steps.push(...traits(seen, first));
  const reserved = yield command("first", { kind: "reserve", key: first, type: TYPE });
  const held = reportOf(yield { on: "first", call: "inspect" });
  const holds = held?.state.holder === first && held.state.type === TYPE;
  steps.push(step("it can be reserved for registrants only", holds, textOf(reserved)));
  if (!holds) return;
  if (!pair) {
    steps.push(...PAIR_STEPS.map((what) => unseen(what, "it takes a second way to the disk")));
    return;
  }
  yield* runPair(steps, first, second);
}

const PAIR_STEPS = [
  "it refuses the writes of who is not registered",
  "it accepts the writes of who is registered",
  "PREEMPT takes a registration away",
  "it refuses the writes of who was ejected",
  "who was ejected cannot strike back",
] as const;

function* runPair(steps: CheckStep[], first: string, second: string): Check<void> {
  const [foreign, own, ejects, refused, back] = PAIR_STEPS;
  const stranger = yield { on: "second", call: "tryWrite" };
  steps.push(step(foreign, isConflict(stranger), textOf(stranger)));
  const joined = yield register("second", NO_KEY, second);
  const writes = joined === null ? yield { on: "second", call: "tryWrite" } : joined;
  steps.push(step(own, writes === null, textOf(writes)));
  let ejected = yield preempt(second, first, true);
  const lacks = isFailure(ejected) && ejected.failure === "unsupported";
  steps.push({
    ...step("PREEMPT AND ABORT ends the victim's commands too", ejected === null, textOf(ejected)),
    optional: true,
  });
  if (lacks) ejected = yield preempt(second, first, false);
  const after = reportOf(yield { on: "second", call: "inspect" });
  const alone = after?.state.keys.every((key) => key === second) === true;
  steps.push(step(ejects, ejected === null && alone, textOf(ejected)));
  const late = yield { on: "first", call: "tryWrite" };
  steps.push(step(refused, isConflict(late), textOf(late)));
  const strike = yield command("first", {
    ...{ kind: "preempt", key: first, victim: second, type: TYPE, abort: false },
  });
  steps.push(step(back, isConflict(strike), textOf(strike)));
}

/** What is good to know beforehand: persistence, and whose port holds our key. */
function traits(report: DiskReport | null, key: string): CheckStep[] {
  const persists = report?.capabilities?.persistActive === true;
  const mine = report?.registrations?.find((each) => each.key === key);
  const there = report?.state.keys.includes(key) === true;
  return [
    step("the registration is there", there, there ? `0x${key}` : "it is not among the keys"),
    {
      ...step(
        "registrations outlast its loss of power (APTPL)",
        persists,
        persists ? "active" : "not active; after a restart of the target they are made anew",
      ),
      optional: true,
    },
    {
      ...step(
        "it tells by which port a registration was made",
        mine !== undefined,
        mine?.initiatorPort ?? "READ FULL STATUS is not there",
      ),
      optional: true,
    },
  ];
}

function verdictOf(steps: readonly CheckStep[]): CheckResult["verdict"] {
  const needed = steps.filter(({ optional }) => optional !== true);
  if (needed.some(({ seen }) => seen === "no")) return "cannot-fence";
  return needed.every(({ seen }) => seen === "yes") ? "fences" : "unproven";
}

function register(on: CheckSide, old: string, key: string): CheckCall {
  return command(on, { kind: "register", old, key, ...FLAGS });
}

function preempt(key: string, victim: string, abort: boolean): CheckCall {
  return command("second", { kind: "preempt", key, victim, type: TYPE, abort });
}

function command(on: CheckSide, what: ReservationCommand): CheckCall {
  return { on, call: "command", command: what };
}

function step(what: string, good: boolean, detail: string): CheckStep {
  return { what, seen: good ? "yes" : "no", detail };
}

function unseen(what: string, detail: string): CheckStep {
  return { what, seen: "unseen", detail };
}

function isFailure(answer: CheckAnswer): answer is DiskFailure {
  return answer !== null && "failure" in answer;
}

function isConflict(answer: CheckAnswer): boolean {
  return isFailure(answer) && answer.failure === "conflict";
}

function reportOf(answer: CheckAnswer): DiskReport | null {
  return answer !== null && "state" in answer ? answer : null;
}

function textOf(answer: CheckAnswer): string {
  if (answer === null) return "done";
  return isFailure(answer) ? answer.detail : `${answer.state.keys.length} registrations`;
}
