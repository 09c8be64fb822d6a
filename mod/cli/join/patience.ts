/** What passes by itself is waited for. @module */
import { type ProblemCode, ProblemError } from "../../base/problem.ts";
import type { Cli } from "../cli.ts";

/** A node that begins, or whose votes change just now, says so for a moment. */
const PASSING: readonly ProblemCode[] = [
  "node.starting",
  "config.no-quorum",
  "config.membership-busy",
];
const LOOK_MS = 100;

/** Does it again, for as long as a change may take, where what it was refused for may pass. */
export async function patiently<T>(cli: Cli, body: () => Promise<T>): Promise<T> {
  for (const end = performance.now() + cli.waitMs;;) {
    try {
      return await body();
    } catch (error) {
      const passes = error instanceof ProblemError && PASSING.includes(error.problem.code);
      if (!passes || performance.now() >= end) throw error;
    }
    await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
  }
}
