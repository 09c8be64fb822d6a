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

/** What each code says to a script; also in the manual. */
export const EXIT_MEANINGS: Readonly<Record<keyof typeof EXIT, string>> = {
  ok: "done, or all well",
  failed: "failed",
  usage: "wrong usage",
  degraded: "works, but degraded: status, check and bundle",
  noQuorum: "this partition is not quorate",
  unreachable: "the daemon or a node is not reachable",
  changed: "it changed under you: the version is another one",
  unsafe: "refused as unsafe; --accept-risk would allow it where the refusal names a risk",
  timeout: "not finished within --wait",
  notFound: "there is no such thing",
  changes: "--dry-run: there are changes",
  bug: "a bug in pentad",
};

/** What the registry says of a code. */
export interface ProblemKind {
  /** What failed, in a few words. */
  readonly title: string;
  readonly remedy: string;
  readonly status: number;
  readonly exit: number;
}
