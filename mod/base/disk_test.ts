/**
 * What a test of a shared disk tells: can it fence? And the form in which the newest result of each
 * disk outlives the process that got it. What is read back is believed only after a look at all of it.
 *
 * @module
 */
import { clipText } from "./bytes.ts";
import type { Instant } from "./time.ts";

/** One thing that a disk must be able to do, and whether it was seen to. */
export interface TestStep {
  /** A sentence that is true where `seen` is "yes". */
  readonly what: string;
  readonly seen: "yes" | "no" | "unseen";
  readonly detail: string;
}

/** How a test ended. `fences`: everything that matters was seen. `unproven`: something was not. */
export interface DiskTest {
  readonly verdict: "fences" | "unproven" | "cannot-fence";
  readonly steps: readonly TestStep[];
}

/** A result that is kept. */
export interface KeptTest extends DiskTest {
  /** `daily`: of a disk in use, by the node; `check`: `pentad storage check`. */
  readonly by: "daily" | "check";
  /** When it ended: milliseconds since 1970 by this host's clock. */
  readonly at: number;
  /** Of a disk in use the uuid in its label, else its path. */
  readonly disk: string;
  /** Where it was on this host. */
  readonly path: string;
  /** What the unit calls itself, where that was asked. */
  readonly unit: string;
}

/** A result of a former life of this node, as the core is told it. */
export interface PastTest {
  readonly uuid: string;
  readonly at: Instant;
  readonly test: DiskTest;
}

/** Steps that are kept of a test; none has so many. */
export const KEPT_STEPS_MAX = 32;
/** Bytes that are kept of any text. */
export const KEPT_TEXT_MAX = 512;

const VERDICTS: readonly unknown[] = ["fences", "unproven", "cannot-fence"];
const SEEN: readonly unknown[] = ["yes", "no", "unseen"];
/** ECMA-262 21.4.1.1: no date is later. */
const DATE_MAX = 8.64e15;

/** What was not seen of a disk that should have been, a sentence each. */
export function failedSteps({ steps }: DiskTest): string[] {
  return steps.filter(({ seen }) => seen === "no").map(({ what, detail }) => {
    return detail === "" ? `not so: ${what}` : `not so: ${what} (${detail})`;
  });
}

/** A result in the form in which it is kept: bounded, whatever a target says of itself. */
export function boundedTest({ by, at, disk, path, unit, verdict, steps }: KeptTest): KeptTest {
  const clip = (text: string) => clipText(text, KEPT_TEXT_MAX);
  return {
    ...{ by, at, disk: clip(disk), path: clip(path), unit: clip(unit), verdict },
    steps: steps.slice(0, KEPT_STEPS_MAX)
      .map(({ what, seen, detail }) => ({ what: clip(what), seen, detail: clip(detail) })),
  };
}

/** A kept result out of what a file held, or null where that is none. */
export function keptTest(value: unknown): KeptTest | null {
  if (!isRecord(value)) return null;
  const { by, at, disk, path, unit, verdict, steps } = value;
  if (by !== "daily" && by !== "check") return null;
  if (typeof at !== "number" || !Number.isInteger(at) || at < 0 || at > DATE_MAX) return null;
  if (!isText(disk) || !isText(path) || !isText(unit)) return null;
  if (!VERDICTS.includes(verdict) || !Array.isArray(steps)) return null;
  if (steps.length > KEPT_STEPS_MAX || !steps.every(isStep)) return null;
  return boundedTest({ by, at, disk, path, unit, verdict: verdict as DiskTest["verdict"], steps });
}

function isStep(value: unknown): value is TestStep {
  return isRecord(value) && isText(value.what) && isText(value.detail) && SEEN.includes(value.seen);
}

function isText(value: unknown): value is string {
  return typeof value === "string" && clipText(value, KEPT_TEXT_MAX) === value;
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null;
}
