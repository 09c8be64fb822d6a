/** Directories that hold what must be this user's alone. @module */
import { ProblemError } from "../../base/problem.ts";

/** stat(2): the group, or others, may write. */
const OTHERS_MAY_WRITE = 0o022;

/**
 * Makes a directory with that mode where there is none. One that is there must belong to this user or
 * to root, and nobody else may write in it: he could have put files of his own in the place of ours.
 * Who may read there is left as it is, for others may have files in it too. Throws
 * `node.open-directory`.
 */
export function ownDirectory(path: string, mode: number): void {
  Deno.mkdirSync(path, { recursive: true, mode });
  const self = Deno.uid();
  const refuse = (why: string) => new ProblemError("node.open-directory", `"${path}" ${why}`);
  // A link is as good as who made it; what it leads to is looked at as well.
  for (const info of [Deno.lstatSync(path), Deno.statSync(path)]) {
    if (info.uid !== 0 && info.uid !== self) throw refuse(`belongs to user ${info.uid}`);
  }
  const found = (Deno.statSync(path).mode ?? 0) & 0o777;
  if ((found & OTHERS_MAY_WRITE) !== 0) {
    throw refuse(`has mode ${found.toString(8).padStart(4, "0")}: others may write in it`);
  }
}
