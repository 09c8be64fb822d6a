/** For how long a majority has heard nothing. No time, no I/O. @module */
import { EPOCH, type Instant, type Millis } from "../base/time.ts";
import { majorityInstant } from "./quorum.ts";

/** Votes that looked out for a node through a stretch of time, and had nothing from it. */
export interface Watch {
  readonly votes: number;
  readonly since: Instant;
  readonly until: Instant;
}

/**
 * The length of the longest stretch through which `needed` votes looked out, all of them the whole
 * time; `-Infinity` where there are not so many. Two who looked out one after the other saw less
 * than each of them.
 */
export function silenceOf(watches: readonly Watch[], needed: number): Millis {
  let longest = -Infinity;
  for (const { until } of watches) {
    // Those who looked out until then, and of them the ones who began first.
    const begun = watches.filter((watch) => watch.until >= until)
      .map(({ votes, since }) => ({ votes, at: -since as Instant }));
    const since = -majorityInstant(begun, needed);
    if (since < -EPOCH) longest = Math.max(longest, until - since);
  }
  return longest;
}
