/** The arithmetic of votes. No time, no I/O. @module */
import { type ClusterSpec, voters, witnessVotes } from "../base/cluster.ts";
import type { NodeId } from "../base/id.ts";
import { EPOCH, type Instant } from "../base/time.ts";

/** Votes of the configuration: never of those who happen to be there. */
export function expectedVotes(spec: ClusterSpec): number {
  const votes = voters(spec).reduce((sum, member) => sum + member.votes, 0);
  return votes + (witnessVotes(spec) ? 1 : 0);
}

/** A majority of the expected votes: floor(expected / 2) + 1. */
export function neededVotes(spec: ClusterSpec): number {
  return Math.floor(expectedVotes(spec) / 2) + 1;
}

/** The votes of one member; a learner and a stranger have none. */
export function votesOf(spec: ClusterSpec, node: NodeId): number {
  const member = spec.members.find((each) => each.id === node);
  return member?.role === "voter" ? member.votes : 0;
}

/** The votes that are there: of the online members, and the witness's if we hold it. */
export function presentVotes(
  spec: ClusterSpec,
  online: Iterable<NodeId>,
  witnessHeld: boolean,
): number {
  let votes = witnessHeld && witnessVotes(spec) ? 1 : 0;
  for (const node of online) votes += votesOf(spec, node);
  return votes;
}

/** A number of votes, good up to an instant. */
export interface DatedVotes {
  readonly votes: number;
  readonly at: Instant;
}

/** The latest instant up to which `needed` votes are good; `EPOCH` where there are not so many. */
export function majorityInstant(dated: readonly DatedVotes[], needed: number): Instant {
  let votes = 0;
  for (const each of [...dated].sort((a, b) => b.at - a.at)) {
    votes += each.votes;
    if (votes >= needed) return each.at;
  }
  return EPOCH;
}
