/** The phases of a failover. @module */
import type { Millis } from "./time.ts";

/** Durations of a failover, for people. */
export interface Phases {
  readonly detectMs: Millis;
  readonly fenceMs: Millis;
  readonly claimMs: Millis;
  readonly startMs: Millis;
}
