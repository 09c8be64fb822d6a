/**
 * Whose majority counts. As a rule that is the voters of the newest description in the log, and one
 * voter changes at a time, so that any two majorities share a node.
 *
 * The witness breaks this rule: it votes only between two voters, so it comes and goes *with* a data
 * node ({A,B,witness} → {A,B,C}). Two such majorities need not meet ({A,witness} and {B,C}). Therefore
 * a description that changes more than one vote is decided jointly until it is known to be committed:
 * elections, commits and reads need a majority of the old voters and one of the new (Raft's joint
 * consensus, dissertation 4.3, with one entry in the place of two).
 *
 * @module
 */
import { type ClusterSpec, voters, witnessVotes } from "../base/cluster.ts";
import type { NodeId } from "../base/id.ts";

/** Those of whom a majority must agree. */
export interface Electorate {
  readonly voters: readonly NodeId[];
  /** The witness is one more voter. */
  readonly witness: boolean;
  readonly majority: number;
}

/** Descriptions are never changed in place, and are asked for with each event. */
const KNOWN = new WeakMap<ClusterSpec, Electorate>();

/** The electorate of one description. */
export function electorateOf(spec: ClusterSpec): Electorate {
  const known = KNOWN.get(spec) ?? count(spec);
  KNOWN.set(spec, known);
  return known;
}

function count(spec: ClusterSpec): Electorate {
  const ids = voters(spec).map((member) => member.id);
  const witness = witnessVotes(spec);
  return { voters: ids, witness, majority: Math.floor((ids.length + (witness ? 1 : 0)) / 2) + 1 };
}

/** True where a majority of one may share nobody with a majority of the other. */
export function needsBoth(before: ClusterSpec, next: ClusterSpec): boolean {
  const [old, young] = [electorateOf(before), electorateOf(next)];
  const gone = old.voters.filter((id) => !young.voters.includes(id)).length;
  const come = young.voters.filter((id) => !old.voters.includes(id)).length;
  return gone + come + (old.witness === young.witness ? 0 : 1) > 1;
}

/** Do those who agree, and the witness where it does, make a majority of each electorate? */
export function isMajority(
  electorates: readonly Electorate[],
  agrees: (node: NodeId) => boolean,
  witnessAgrees: boolean,
): boolean {
  return electorates.every(({ voters: ids, witness, majority }) =>
    ids.filter(agrees).length + (witness && witnessAgrees ? 1 : 0) >= majority
  );
}

/** The highest value that a majority of each electorate has reached; `witness` is that of its vote. */
export function reachedBy(
  electorates: readonly Electorate[],
  valueOf: (node: NodeId) => number,
  witness: number,
): number {
  const reached = electorates.map((each) => {
    const values = each.voters.map(valueOf);
    if (each.witness) values.push(witness);
    return values.sort((a, b) => b - a)[each.majority - 1] ?? 0;
  });
  return Math.min(...reached);
}
