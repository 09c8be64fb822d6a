/** Exit codes, and what the registry of problems says of each code. @module */

/** Exit codes of every command (ux.md a.3); part of the interface. */
export const EXIT = {
  ok: 0,
  failed: 1,
  usage: 2,
  degraded: 3,
  noQuorum: 4,
  unreachable: 5,
  changed: 6,
  unsafe: 7,
  timeout: 8,
  notFound: 9,
  changes: 10,
  bug: 70,
} as const;

/** What the registry says of a code. */
export interface ProblemKind {
  /** What failed, in a few words. */
  readonly title: string;
  readonly remedy: string;
  readonly status: number;
  readonly exit: number;
}
