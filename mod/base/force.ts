/** One node that is to go on alone, by a person's word: what is asked, and what that may cost. @module */
import type { NodeId, RequestId } from "./id.ts";

/** What a person asks for. */
export interface ForceAsk {
  /** False: nothing is changed, only what it would cost is told. */
  readonly commit: boolean;
  readonly id: RequestId;
  readonly author: string;
  readonly reason: string;
  /** Seconds since 1970. */
  readonly time: number;
}

/** What the node has found. */
export interface ForceReport {
  /** Where its log ends, and up to where it has applied it. */
  readonly lastIndex: number;
  readonly lastTerm: number;
  readonly applied: number;
  /** The other voters; one that answers speaks against going on alone. */
  readonly others: readonly {
    readonly node: NodeId;
    readonly name: string;
    readonly answers: boolean;
  }[];
  /** Whom the witness register named when it was last read here, and in which term. */
  readonly register: { readonly term: number; readonly set: readonly NodeId[] } | null;
  /** Sentences for whoever decides, the worst first. */
  readonly warnings: readonly string[];
}
