/** What a verification of stream 2's database found. @module */
import type { Instant } from "./time.ts";

/**
 * What is read: the tables; `content`: a row of them is missing, or one too many is there; `file`:
 * SQLite's write-ahead log or the seal beside the database.
 */
export const VERIFIED_PARTS = [
  ...["meta", "log", "tree", "locks", "requests", "history", "content", "file"] as const,
] as const;
/** One of them. */
export type VerifiedPart = typeof VERIFIED_PARTS[number];

/** Something that is not what was written. */
export interface DamagedPart {
  readonly part: VerifiedPart;
  /** Index of the log or of the transaction, inode; null where it is not one row. */
  readonly at: number | null;
  readonly why: string;
}

/** Damaged rows that are listed; further ones are only counted. */
export const DAMAGE_LISTED_MAX = 16;

/** See the module's note. */
export interface VerifyReport {
  /** Rows that were read and checked. */
  readonly rows: {
    readonly log: number;
    readonly tree: number;
    readonly locks: number;
    readonly requests: number;
    readonly history: number;
  };
  /** Applied index of the state that was read. */
  readonly applied: number;
  /** At most {@link DAMAGE_LISTED_MAX}. */
  readonly damaged: readonly DamagedPart[];
  /** All that is damaged. */
  readonly count: number;
}

/** How the last verification ended, and when. */
export interface Verified {
  readonly report: VerifyReport;
  readonly at: Instant;
}

/** Rows of all tables. */
export function rowsOf({ rows }: VerifyReport): number {
  return rows.log + rows.tree + rows.locks + rows.requests + rows.history;
}

/** The first damage to what the node votes and answers by; history is for people, and is not that. */
export function vitalDamage({ damaged }: VerifyReport): DamagedPart | null {
  return damaged.find(({ part }) => part !== "history") ?? null;
}
