/** The part of a running node that is about who is a member and who leads. @module */
import type { ForceReport } from "../base/force.ts";

/** One member as the config stream has it. */
export interface MemberRow {
  readonly name: string;
  readonly id: number;
  readonly self: boolean;
  readonly role: "voter" | "learner";
  readonly leader: boolean;
  /** Of stream 1: `online`, `isolated`, `down`, `unknown`. */
  readonly state: string;
  /** Entries of the leader's log that it lacks; null where this node does not lead. */
  readonly lag: number | null;
  /** What is to be said of it: that it catches up, and how. */
  readonly note: string;
}

/** What a person asks for who wants one node to go on alone. */
export interface ForceRequest {
  /** False: only say what it would cost. */
  readonly commit: boolean;
  readonly author: string;
  readonly reason: string;
}

/** What came of it; refusals are ProblemErrors. */
export interface ForceAnswer {
  readonly done: boolean;
  readonly report: ForceReport;
}

/** Addresses of a member. */
export interface Addresses {
  readonly links: readonly string[];
  readonly peer: string;
}

/** Where a member is now. */
export interface ReaddressAsk extends Addresses {
  readonly name: string;
  /** A person knows that it is cut off until it begins anew there. */
  readonly acceptCutOff: boolean;
}

/** What became of a member's addresses; both are the same where nothing was to be done. */
export interface AddressChange {
  readonly node: string;
  readonly before: Addresses;
  readonly after: Addresses;
}

/** See `RunningNode`. Refusals are ProblemErrors. */
export interface MembershipNode {
  /** The members of the description in force here, and who leads (null: nobody that is known). */
  members(): { readonly leader: string | null; readonly members: readonly MemberRow[] };
  /** Gives a learner its vote, which happens by itself once it keeps up. */
  promote(name: string): Promise<void>;
  /** Removes a member that runs nothing. */
  removeMember(name: string): Promise<void>;
  /** Gives a member another name, where nothing refers to it by the old one. */
  rename(name: string, to: string): Promise<void>;
  /** Tells the cluster where a member is now; null: this node, by its settings. What changed. */
  readdress(ask: ReaddressAsk | null): Promise<AddressChange>;
  /** Hands the leadership to a node, or to the best voter; the name of who leads then. */
  transferLead(name: string | null): Promise<string>;
  /** Goes on alone, or says what that would cost. */
  forceSingle(request: ForceRequest): Promise<ForceAnswer>;
}
