/**
 * When the beginning of the log is let go. What is applied is in the tree; of the log before it a
 * tail is kept, so that a node that was away for a while is caught up from the log. One that was
 * away for longer gets a snapshot.
 *
 * @module
 */
import type { LogBase } from "../host/ports.ts";
import { APPEND_ENTRIES_MAX } from "./wire.ts";
import type { Log } from "./log.ts";

/** How long the tail of applied entries is, and how a snapshot is cut. */
export interface ConfigLimits {
  /** The tail has at least so many bytes, … */
  readonly tailBytes: number;
  /** … and so many entries, … */
  readonly tailEntries: number;
  /** … but never more bytes than this, whoever still needs them. */
  readonly tailBytesMax: number;
  /** Bytes of one chunk of a snapshot. */
  readonly chunkBytes: number;
}

/** What a daemon runs with. */
export const CONFIG_LIMITS: ConfigLimits = {
  tailBytes: 16 * 1024 * 1024,
  tailEntries: 1000,
  // 1,000 whole files would be a gigabyte.
  tailBytesMax: 64 * 1024 * 1024,
  chunkBytes: 256 * 1024,
};

/** Entries that one step lets go at most: what is dropped in one transaction delays the next. */
const STEP_ENTRIES_MAX = 4 * APPEND_ENTRIES_MAX;
/** The tail may grow by this part before it is cut: each cut is a row to be written. */
const SLACK_RATIO = 1 / 8;

/** What is asked of {@link compactTo}. */
export interface TailAsk {
  readonly log: Log;
  /** Nothing behind this index goes. */
  readonly applied: number;
  /** A snapshot at this index is on its way, and the log goes on from there; null for none. */
  readonly needed: number | null;
}

/** The index up to which the log is to go now; null where it stays as it is. */
export function compactTo({ log, applied, needed }: TailAsk, limits: ConfigLimits): number | null {
  const { index: base }: LogBase = log.base;
  const tail = log.bytesBetween(base, applied);
  const isLong = tail > limits.tailBytes * (1 + SLACK_RATIO) &&
    applied - base > limits.tailEntries * (1 + SLACK_RATIO);
  if (!isLong && tail <= limits.tailBytesMax) return null;
  let at = base;
  while (at < applied && at - base < STEP_ENTRIES_MAX) {
    const kept = log.bytesBetween(at + 1, applied);
    const spare = kept >= limits.tailBytes && applied - at > limits.tailEntries &&
      (needed === null || at < needed);
    if (!spare && kept + sizeOf(log, at + 1) <= limits.tailBytesMax) break;
    at++;
  }
  return at === base ? null : at;
}

function sizeOf(log: Log, index: number): number {
  return log.bytesBetween(index - 1, index);
}
