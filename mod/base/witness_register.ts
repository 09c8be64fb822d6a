/** What the witness keeps on the shared disk. @module */
import type { NodeId } from "./id.ts";

/**
 * The witness as a Raft voter without data (facts-consensus.md 1.1): a replication-set register on
 * the shared disk. `set` names the nodes that must all hold an entry before it commits.
 */
export interface WitnessRegister {
  /** Rises by one with each write; the compare-and-swap stamp. */
  readonly version: number;
  readonly term: number;
  /** Whom the witness voted for in `term`; null for nobody. */
  readonly vote: NodeId | null;
  readonly subterm: number;
  readonly set: readonly NodeId[];
  readonly lastTerm: number;
  readonly lastIndex: number;
}
