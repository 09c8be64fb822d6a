/**
 * When a pair may be given a witness, lose it, or have another. A disk that follows another is another
 * voter: {A,B,W1} → {A,B,W2} would change two votes, and {A,W1} and {B,W2} are majorities that share
 * nobody. So W1 is taken away first and W2 given afterwards, one vote each, and between the two
 *
 * - nobody commits alone by W1's word any more, or that would go on under W2, whose register knows
 *   nothing of it;
 * - the other voter goes by the description without a witness, not only its log but its streams too:
 *   they follow what is known to be committed. One that lags behind could hold W1 while the other
 *   one holds W2, and each would take itself for the majority.
 *
 * @module
 */
import { type ClusterSpec, voters, witnessVotes } from "../base/cluster.ts";
import type { NodeId } from "../base/id.ts";
import { type Problem, problem } from "../base/problem.ts";
import type { Raft } from "./raft.ts";

/** Why the witness may not be this one now, or null. */
export function witnessFault(raft: Raft, next: ClusterSpec): Problem | null {
  const { spec, index } = raft.specAt;
  const [before, after] = [spec, next].map((each) =>
    witnessVotes(each) ? each.witness?.disk : null
  );
  if (before === after) return null;
  if (before !== null && after !== null) {
    const why = "another disk is another voter: the witness is taken away first, then given anew";
    return problem("config.unsafe-membership", why);
  }
  if (after === null) {
    if (!raft.witness.solo && !raft.alone) return null;
    const why = "what was committed with the witness alone is not known to be on the other node";
    return problem("config.membership-busy", why);
  }
  const late = voters(spec).find(({ id }) => id !== raft.self && !goesBy(raft, id, index));
  if (late === undefined) return null;
  return problem("config.membership-busy", `${late.name} does not know the last change yet`);
}

/** That node's streams go by the description at this index, and will not by an older one. */
function goesBy(raft: Raft, node: NodeId, index: number): boolean {
  const progress = raft.progress.get(node);
  return progress !== undefined && progress.recovery === null && progress.applied >= index;
}
