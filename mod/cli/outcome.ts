/** `--wait`: what a change of stream 3 leads to is waited for, and told. @module */
import { ProblemError } from "../base/problem.ts";
import type { ResourceStatus } from "../node/view.ts";
import type { Cli } from "./cli.ts";
import { safeText } from "./print.ts";

/** Between two looks. */
const LOOK_MS = 200;

/** What one look shows. */
export type Look =
  /** It is as it was wanted; a sentence. */
  | { readonly done: string }
  /** It will not become so by itself; why. */
  | { readonly failed: string }
  /** Not yet; how it is. */
  | { readonly now: string };

/**
 * Looks until it is done. Throws `ha.not-reached`, or `node.timeout` when `--wait` is over; `limitMs`
 * is how long that is where nobody says.
 */
export async function untilDone(
  cli: Cli,
  look: () => Promise<Look>,
  limitMs: number = cli.waitMs,
): Promise<void> {
  const end = performance.now() + (cli.waits ? cli.waitMs : limitMs);
  let told = "";
  for (;;) {
    const seen = await look();
    if ("done" in seen) return cli.print.note(seen.done);
    if ("failed" in seen) throw new ProblemError("ha.not-reached", seen.failed);
    if (performance.now() > end) throw new ProblemError("node.timeout", seen.now);
    if (cli.io.signal.aborted) throw new ProblemError("node.timeout", `stopped: ${seen.now}`);
    if (seen.now !== told && cli.io.terminal) cli.print.note(seen.now);
    told = seen.now;
    await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
  }
}

/** How one resource is, against what is wanted of it; `node`: it is to run there. */
export function lookAt(
  { id, state, node, wanted, reason, detail }: ResourceStatus,
  goal: { readonly runs: boolean; readonly node?: string },
): Look {
  const at = node === null ? "" : ` on ${node}`;
  const why = [reason, detail].filter((each) => each !== "").map(safeText).join("; ");
  const how = `${id} is ${state}${at}${why === "" ? "" : ` (${why})`}`;
  const there = goal.node === undefined || goal.node === node;
  if (goal.runs) {
    if (state === "started" && there) return { done: `"${id}" runs${at}` };
    if (state === "error") return { failed: how };
    if (wanted !== "started") return { failed: `${how}; it is wanted ${safeText(wanted)}` };
    return { now: how };
  }
  if (state === "stopped" || (state === "unknown" && node === null)) {
    return { done: `"${id}" is stopped` };
  }
  return { now: how };
}
