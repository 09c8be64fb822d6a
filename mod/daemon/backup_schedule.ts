/** When the next scheduled backup is due. Pure but for the host's time zone. @module */
import type { BackupTime } from "../base/settings.ts";

const HOUR_MS = 3_600_000;
/** After a failure it is tried again: what filled the disk may be gone. */
export const RETRY_MS = HOUR_MS;

/** What the schedule goes by; times in milliseconds since 1970. */
export interface Backed {
  readonly now: number;
  /** When the newest one that is there was made; null for none. */
  readonly last: number | null;
  /** When the last try failed, if it did. */
  readonly failed: number | null;
  /** Since when this daemon runs: with no backup at all, the interval counts from here. */
  readonly since: number;
}

/** When the next one is due, perhaps in the past; null for never. */
export function nextBackup(when: BackupTime, backed: Backed): number | null {
  const { now, failed, since } = backed;
  if (when.kind === "off") return null;
  // One out of the future is of a clock that was wrong: it would stop all others.
  const last = backed.last !== null && backed.last > now ? null : backed.last;
  const due = when.kind === "every"
    ? (last ?? since) + (last === null ? 0 : when.hours * HOUR_MS)
    : timeOfDayAfter(last ?? since, when.minute);
  return failed === null ? due : Math.max(due, failed + RETRY_MS);
}

/** The first time that the clock on the wall shows this minute, after a time. */
function timeOfDayAfter(after: number, minute: number): number {
  const day = new Date(after);
  const at = (offset: number) =>
    new Date(day.getFullYear(), day.getMonth(), day.getDate() + offset, 0, minute).getTime();
  // A minute that a change of the clocks skips comes an hour later; so tomorrow's is looked at too.
  return at(0) > after ? at(0) : at(1);
}
