/**
 * Is a learner fit to vote? It is brought up to date in rounds (dissertation 4.2.1): each is all that
 * the log holds when it begins. One that keeps up needs, for the last round, no longer than the
 * election timeout; else the cluster would have to wait for it as soon as it has a vote.
 *
 * @module
 */
import type { Member } from "../base/cluster.ts";
import { type Problem, problem } from "../base/problem.ts";
import { reason } from "../base/reason.ts";
import type { CatchUp, Progress } from "./leader_state.ts";
import type { Raft } from "./raft.ts";

/** Rounds in a row that may take too long; then it is told that the learner is too slow. */
export const ROUNDS_MAX = 10;

/** Called at each step of a leader. */
export function tendCatchUp(raft: Raft): void {
  for (const { id, name, role } of raft.spec.members) {
    const progress = raft.progress.get(id);
    if (role !== "learner" || progress === undefined) continue;
    const before = progress.catchUp?.slow === true;
    progress.catchUp = next(raft, progress);
    if (before || !progress.catchUp.slow) continue;
    const ms = raft.timing.electionMinMs;
    const because = reason("config.learner-slow", { node: name, rounds: ROUNDS_MAX, ms });
    raft.say(`${name} does not keep up`, because);
  }
}

function next({ log, now, timing }: Raft, progress: Progress): CatchUp {
  const { match, behind, diverged, transfer } = progress;
  const begin = { target: log.last, since: now };
  const first = { round: 1, ...begin, reached: 0, ready: false, slow: false };
  const catchUp = progress.catchUp ?? first;
  const late = now - catchUp.since > timing.electionMinMs;
  if (match < catchUp.target || behind || diverged || transfer !== null) {
    return late ? { ...catchUp, ready: false } : catchUp;
  }
  const reached = catchUp.target;
  if (!late) return { round: 1, ...begin, reached, ready: true, slow: false };
  const slow = catchUp.slow || catchUp.round >= ROUNDS_MAX;
  const round = catchUp.round >= ROUNDS_MAX ? 1 : catchUp.round + 1;
  return { round, ...begin, reached, ready: false, slow };
}

/** Why a learner may not vote yet; null where it may. */
export function lagOf(raft: Raft, { id, name }: Member): Problem | null {
  const progress = raft.progress.get(id);
  const behind = (why: string) => problem("config.learner-behind", why);
  if (progress === undefined) return behind(`"${name}" is not followed yet`);
  const silent = Math.round(raft.now - progress.ackedAt);
  if (silent >= raft.timing.electionMinMs) {
    return behind(`"${name}" did not answer for ${silent} ms`);
  }
  if (progress.diverged) return behind(`"${name}" differs from its peers`);
  if (progress.recovery !== null) return behind(`"${name}" recovers from a loss`);
  const { catchUp, match } = progress;
  if (catchUp?.ready && match >= catchUp.reached) return null;
  const lag = `"${name}" is ${raft.log.last - match} entries behind`;
  if (!catchUp?.slow) return behind(`${lag}, in round ${catchUp?.round ?? 1} of ${ROUNDS_MAX}`);
  const ms = raft.timing.electionMinMs;
  return behind(
    `${lag}: ${ROUNDS_MAX} rounds took more than ${ms} ms each, it is too slow to vote`,
  );
}
