/** What a leader keeps beside its log: of the members, of those who wait, of the witness. @module */
import type { NodeId } from "../base/id.ts";
import type { Problem } from "../base/problem.ts";
import type { Instant } from "../base/time.ts";
import type { WitnessRegister } from "../streams.ts";
import type { Transfer } from "./transfer.ts";

/** How a leader sees a member that recovers (`recovery.ts`). */
export interface Recovery {
  readonly nonce: number;
  readonly known: boolean;
  /** A round that began after we heard of it. */
  readonly round: number;
  /** That round was answered: we did lead then. */
  confirmed: boolean;
}

/** What a leader knows of one other member. */
export interface Progress {
  next: number;
  /** What was sent counts as under way from here on: where sending began anew. */
  floor: number;
  /** Last index of each append with entries that is under way. */
  appends: number[];
  /** The commit index that it was last told. */
  told: number;
  /** Durable there up to here. */
  match: number;
  ackedAt: Instant;
  /** Newest ReadIndex round that it answered. */
  round: number;
  /** Its log or tree is not ours: it does not count. */
  diverged: boolean;
  /** Where that was seen. */
  divergedAt: number;
  /** That was seen by comparing, and is not only its own word. */
  differs: boolean;
  /** It says so itself: it was told by a majority's word, or found its own damage. */
  confessed: boolean;
  /** The highest index at which its tree was compared with ours and is the same. */
  agreed: number;
  /** Its log ends before ours begins: only a snapshot helps. */
  behind: boolean;
  /** The snapshot on its way. */
  transfer: Transfer | null;
  /** It lost what it held, and says so. */
  recovery: Recovery | null;
  /** It refused, in or after this round, what follows what it had acknowledged up to there. */
  loss: { readonly round: number; readonly match: number; readonly certain: boolean } | null;
  /** How well a learner keeps up. */
  catchUp: CatchUp | null;
  /** It holds and has applied everything up to here. */
  applied: number;
}

/** Two replicas differ, and nobody knows which is wrong. */
export interface Doubt {
  /** The other one. */
  readonly node: NodeId;
  /** Where that was seen. */
  readonly index: number;
  /** When it was last said. */
  readonly at: Instant;
}

/** A barrier that waits for its round. */
export interface Barrier {
  readonly round: number;
  readonly index: number;
  readonly answer: (ok: boolean, index: number) => void;
}

/** How far this leader is with the witness register. */
export interface WitnessState {
  /** The vote is in our hand. */
  held: boolean;
  /** What the register held when we last knew. */
  register: WitnessRegister | null;
  /** We were elected through the witness and may commit alone: the register names only us. */
  solo: boolean;
  /** This leader knows that the register names both. */
  shared: boolean;
  /** A swap is under way: its tag, and what it writes. */
  swap: { readonly tag: string; readonly register: WitnessRegister } | null;
  /** Not before this a new swap. */
  retryAt: Instant;
}

/** How far a learner is. */
export interface CatchUp {
  readonly round: number;
  /** What the round under way brings it to, and since when. */
  readonly target: number;
  readonly since: Instant;
  /** Where the last round ended. */
  readonly reached: number;
  /** The last round was quick enough. */
  readonly ready: boolean;
  /** So many rounds in a row were too long. */
  readonly slow: boolean;
}

/** A transfer under way. */
export interface LeadTransfer {
  readonly to: NodeId;
  readonly until: Instant;
  /** When the target was last told to campaign; null until it holds everything. */
  toldAt: Instant | null;
  /** Called once, with what went wrong or null. */
  readonly answer: (refused: Problem | null) => void;
}
