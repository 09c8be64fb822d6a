/**
 * Handing the leadership over (dissertation 3.10): the leader takes nothing new, brings one voter to
 * the end of its log, and has it campaign at once, past pre-vote and the withholding of votes. If
 * that comes to nothing within an election timeout the leader goes on as if nothing had been.
 *
 * @module
 */
import type { NodeId } from "../base/id.ts";
import { memberOf } from "../base/cluster.ts";
import { type Problem, problem } from "../base/problem.ts";
import { reason } from "../base/reason.ts";
import { after } from "../base/time.ts";
import { campaign, mayStand } from "./election.ts";
import type { LeadTransfer } from "./leader_state.ts";
import type { Raft } from "./raft.ts";
import type { MessageOf } from "./wire.ts";

/** It may take so many election minima: as long as an election at most. */
const LIMIT_ELECTIONS = 2;

/** The voter that holds most and answers, or null. */
export function bestSuccessor(raft: Raft): NodeId | null {
  const fit = raft.electors.filter((id) => id !== raft.self && unfit(raft, id) === null);
  const match = (id: NodeId) => raft.progress.get(id)?.match ?? 0;
  return fit.sort((a, b) => match(b) - match(a) || a - b)[0] ?? null;
}

/** Begins; `to` null for the best one. */
export function startTransfer(
  raft: Raft,
  to: NodeId | null,
  answer: LeadTransfer["answer"],
): void {
  const refuse = (why: string) => answer(problem("config.cannot-transfer", why));
  if (to === raft.self) return answer(null);
  const target = to ?? bestSuccessor(raft);
  if (target === null) return refuse("no other voter answers");
  const why = unfit(raft, target);
  if (why !== null) return refuse(why);
  if (raft.leadTransfer !== null) return refuse("another transfer is under way");
  const until = after(raft.now, LIMIT_ELECTIONS * raft.timing.electionMinMs);
  raft.leadTransfer = { to: target, until, toldAt: null, answer };
  const because = reason("config.hands-over", { node: raft.name(target) });
  raft.say(`lead → ${raft.name(target)}`, because);
  tendTransfer(raft);
}

/** Called at each step: tells the target when it may begin, and ends what took too long. */
export function tendTransfer(raft: Raft): void {
  const transfer = raft.leadTransfer;
  if (transfer === null) return;
  const { to } = transfer;
  if (raft.role !== "leader" && raft.leader !== null) {
    const won = raft.leader === to;
    const why = `${raft.name(raft.leader)} leads instead`;
    return end(raft, won ? null : problem("config.cannot-transfer", why));
  }
  if (raft.now >= transfer.until) {
    const name = raft.name(to);
    const rest = raft.role === "leader" ? `${raft.name(raft.self)} leads on` : "nobody leads now";
    const why = `"${name}" did not take over in time; ${rest}`;
    if (raft.role === "leader") raft.say("lead kept", reason("config.kept-lead", { node: name }));
    return end(raft, problem("config.cannot-transfer", why));
  }
  if (raft.role !== "leader") return;
  const match = raft.progress.get(to)?.match ?? 0;
  const { last: lastIndex, lastTerm } = raft.log;
  if (match < lastIndex) return;
  const { toldAt } = transfer;
  // Told again while it does nothing: the word may have been lost.
  if (toldAt !== null && raft.now < after(toldAt, raft.timing.raftBeatMs)) return;
  transfer.toldAt = raft.now;
  raft.send(to, { kind: "timeout-now", term: raft.term, lastIndex, lastTerm });
}

function end(raft: Raft, refused: Problem | null): void {
  const transfer = raft.leadTransfer;
  raft.leadTransfer = null;
  transfer?.answer(refused);
}

/** The leader wants us to lead. */
export function onTimeoutNow(raft: Raft, from: NodeId, message: MessageOf<"timeout-now">): void {
  const { term, lastIndex, lastTerm } = message;
  if (raft.role !== "follower" || raft.leader !== from || raft.term !== term) return;
  // Behind, it would only unseat the leader: nobody would vote for it.
  if (raft.log.last < lastIndex || raft.log.lastTerm < lastTerm) return;
  if (!mayStand(raft)) return;
  raft.say("campaigns at once", reason("config.asked-to-lead", { node: raft.name(from) }));
  campaign(raft, true);
}

/** Why a node cannot take over, as a clause; null where it can. */
function unfit(raft: Raft, node: NodeId): string | null {
  const name = memberOf(raft.spec, node)?.name;
  if (name === undefined) return `node ${node} is no member`;
  if (!raft.electors.includes(node)) return `"${name}" has no vote`;
  const progress = raft.progress.get(node);
  const answers = progress !== undefined &&
    raft.now - progress.ackedAt < raft.timing.electionMinMs;
  if (!answers) return `"${name}" does not answer`;
  if (progress.diverged) return `"${name}" differs from its peers`;
  if (progress.recovery !== null) return `"${name}" recovers from a loss`;
  return progress.behind ? `"${name}" waits for a snapshot` : null;
}
