/** What a failure of the database means, by SQLite's own words for it (sqlite3_errstr). Pure. @module */
import type { ProblemCode } from "../base/problem.ts";

const CODES: readonly (readonly [RegExp, ProblemCode])[] = [
  [/disk is full|No space left|ENOSPC|quota exceeded/i, "node.disk-full"],
  [/readonly database|Read-only file system|EROFS/i, "node.disk-read-only"],
];

/** The problem to tell of a failed open or commit. */
export function failureCode(why: string): ProblemCode {
  return CODES.find(([text]) => text.test(why))?.[1] ?? "node.database-failed";
}

/** The problem to tell of a file of the state that cannot be used; of a disk that fills none is damaged. */
export function stateFailureCode(why: string): ProblemCode {
  const code = failureCode(why);
  return code === "node.database-failed" ? "node.state-damaged" : code;
}

/** Nothing is damaged: it cannot be written (or opened) as things are now. */
export function isUnwritable(why: string): boolean {
  const now = /unable to open|database is locked|Permission denied|Too many open files/i;
  return failureCode(why) !== "node.database-failed" || now.test(why);
}
