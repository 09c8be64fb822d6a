/**
 * The witness as a voter: whom it votes for, and whose entries it lets commit. Pure rules over the
 * replication-set register (facts: "extended Raft", a register of term, vote and replication set).
 *
 * - It votes only for a node in its set, and only once per term: so whoever leads through it has
 *   every committed entry.
 * - A vote narrows the set to the elected node in the same write. From then on that node commits
 *   alone, and the other cannot be elected without it.
 * - The set is widened by a leader that already waits for both before it commits.
 *
 * @module
 */
import type { NodeId } from "../base/id.ts";
import type { WitnessRegister } from "../streams.ts";

/** A node that wants the witness's vote. */
export interface Candidate {
  readonly node: NodeId;
  readonly term: number;
  readonly lastTerm: number;
  readonly lastIndex: number;
}

/** The vote as the register to write, or why there is none. */
export type WitnessVerdict =
  | { readonly granted: true; readonly register: WitnessRegister }
  /** `cascade`: another node may hold committed entries that the candidate lacks. */
  | { readonly granted: false; readonly why: "cascade" | "term" | "voted" | "log" };

/** Would the witness vote for this candidate? */
export function askWitness(register: WitnessRegister, candidate: Candidate): WitnessVerdict {
  const { node, term, lastTerm, lastIndex } = candidate;
  if (!register.set.includes(node)) return { granted: false, why: "cascade" };
  if (term < register.term) return { granted: false, why: "term" };
  if (term === register.term && register.vote !== null && register.vote !== node) {
    return { granted: false, why: "voted" };
  }
  const older = lastTerm < register.lastTerm ||
    (lastTerm === register.lastTerm && lastIndex < register.lastIndex);
  if (older) return { granted: false, why: "log" };
  const subterm = term > register.term ? 0 : register.subterm + 1;
  const version = register.version + 1;
  return {
    granted: true,
    register: { version, term, vote: node, subterm, set: [node], lastTerm, lastIndex },
  };
}

/** The register after its leader has caught the other node up. */
export function widened(
  register: WitnessRegister,
  leader: Candidate,
  set: readonly NodeId[],
): WitnessRegister {
  const newer = leader.term > register.term;
  return {
    version: register.version + 1,
    term: Math.max(leader.term, register.term),
    vote: newer ? leader.node : register.vote,
    subterm: newer ? 0 : register.subterm + 1,
    set: [...set].sort((a, b) => a - b),
    lastTerm: leader.lastTerm,
    lastIndex: leader.lastIndex,
  };
}

/** True where both name the same nodes. */
export function sameSet(a: readonly NodeId[], b: readonly NodeId[]): boolean {
  return a.length === b.length && a.every((node) => b.includes(node));
}
