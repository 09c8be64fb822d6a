/** Time as the cores see it: given, monotonic, in milliseconds. @module */

/** Milliseconds on this node's monotonic clock. Cores are given it; they never read it. */
export type Instant = number & { readonly Instant: unique symbol };

/** A duration in milliseconds. */
export type Millis = number;

/** The instant that never comes. */
export const NEVER = Infinity as Instant;

/** The beginning of this node's monotonic clock: before everything. */
export const EPOCH = -Infinity as Instant;

/** Brands a clock reading in milliseconds. Only ports and tests call this. */
export function instant(ms: number): Instant {
  return ms as Instant;
}

/** The instant `ms` milliseconds after `at`. */
export function after(at: Instant, ms: Millis): Instant {
  return (at + ms) as Instant;
}

/** The earliest of several instants; `NEVER` for none. */
export function earliest(...instants: readonly Instant[]): Instant {
  let first: number = NEVER;
  for (const at of instants) if (at < first) first = at;
  return first as Instant;
}

/** The latest of several instants; `EPOCH` for none. */
export function latest(...instants: readonly Instant[]): Instant {
  let last: number = EPOCH;
  for (const at of instants) if (at > last) last = at;
  return last as Instant;
}

/** Prints a duration for people: `840 ms`, `4.2 s`, `1 m 32 s`, `3 h 05 m`. */
export function formatMillis(ms: Millis): string {
  if (!Number.isFinite(ms)) return "never";
  if (ms < 0) return `-${formatMillis(-ms)}`;
  if (ms < 1000) return `${Math.round(ms)} ms`;
  if (ms < 60_000) return `${(ms / 1000).toFixed(1)} s`;
  const seconds = Math.round(ms / 1000);
  if (seconds < 3600) return `${Math.floor(seconds / 60)} m ${seconds % 60} s`;
  const minutes = Math.floor(seconds / 60);
  return `${Math.floor(minutes / 60)} h ${String(minutes % 60).padStart(2, "0")} m`;
}
