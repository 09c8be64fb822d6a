/**
 * Which descriptions of the cluster votes are counted by: the newest that is known to be committed,
 * and with it those of before by which somebody who does not know of it may still come to a majority.
 *
 * Commits reach the nodes one after the other. Whoever is cut off in between counts by the old
 * description, and a majority of the old one and one of the new one need not share a node: of
 * {A,B,witness} → {A,B,C} not {B,witness} and {A,C}, and of two changes in a row not even where one
 * voter changes at a time. So who knows of the change counts by both, until those of whom it is not
 * known that they know of it, the witness among them, are no majority of the old one. Where only
 * former members are left of these it counts by the new one.
 *
 * @module
 */
import {
  type ClusterSpec,
  haveSameVotes,
  memberOf,
  voters,
  witnessVotes,
} from "../base/cluster.ts";
import type { NodeId } from "../base/id.ts";
import { neededVotes, votesOf } from "./quorum.ts";

/** Descriptions of before that are kept; each is the work of a person. */
const BEFORE_MAX = 64;

/** A description that was in force before. */
interface Before {
  readonly spec: ClusterSpec;
  /** Somebody else may count the witness's vote by it. */
  readonly witness: boolean;
}

/** How a newer description comes. */
export interface Turn {
  /** A person vouches that nobody goes by the old one. */
  readonly forced: boolean;
  /** The witness's vote is in our hand: it is in no other. */
  readonly witnessHeld: boolean;
}

/** See the module's note. */
export class Descriptions {
  readonly #self: NodeId;
  #newest: ClusterSpec;
  /** Index of its entry in the log; who has committed as much knows of it. */
  #index = 0;
  /** Oldest first. */
  #before: Before[] = [];
  /** Index of the newest one known here by which votes were changed. */
  #changed = 0;
  /** In the log beside it: others may know that one of these is committed. */
  #open: readonly ClusterSpec[] = [];
  /** Nodes that know of the newest one. */
  #know = new Set<NodeId>();
  /** A life begins with what was committed before it, and goes by nothing older. */
  #begun = false;

  constructor(self: NodeId, first: ClusterSpec) {
    this.#self = self;
    this.#newest = first;
  }

  get newest(): ClusterSpec {
    return this.#newest;
  }

  /** Those whose majorities are needed, the newest one first. */
  get inForce(): readonly ClusterSpec[] {
    return [this.#newest, ...this.#before.map(({ spec }) => spec), ...this.#open];
  }

  /** A newer one is committed. Who had no vote by the old one has none to keep to it. */
  set(spec: ClusterSpec, index: number, { forced, witnessHeld }: Turn): void {
    const old = this.#newest;
    this.#newest = spec;
    this.#index = index;
    this.#know = new Set();
    if (!this.#begun || !haveSameVotes(old, spec)) this.#changed = index;
    if (forced || !this.#begun || votesOf(old, this.#self) === 0) this.#before = [];
    else if (!haveSameVotes(old, spec)) {
      const before = { spec: old, witness: witnessVotes(old) && !witnessHeld };
      this.#before = [...this.#before, before].slice(-BEFORE_MAX);
    }
    this.#begun = true;
    this.#settle();
  }

  /**
   * Who has committed no more than so much goes by votes of before. Nothing at all says nothing: a
   * replica that recovers goes by what its seal holds.
   */
  isBehind(committed: number): boolean {
    return committed > 0 && committed < this.#changed;
  }

  /** These stand in the log beside the newest one that is known to be committed. */
  setOpen(specs: readonly ClusterSpec[]): void {
    this.#open = specs;
  }

  /** A voter says that so much is committed. */
  hear(node: NodeId, committed: number): void {
    if (this.#before.length === 0 || committed < this.#index || this.#know.has(node)) return;
    this.#know.add(node);
    this.#settle();
  }

  #settle(): void {
    this.#before = this.#before.filter(({ spec, witness }) => {
      const ignorant = voters(spec).filter(({ id }) => id !== this.#self && !this.#know.has(id));
      // What a node runs that was removed is not taken for gone because of its silence alone.
      if (!ignorant.some(({ id }) => memberOf(this.#newest, id) !== undefined)) return false;
      const votes = ignorant.reduce((sum, each) => sum + each.votes, witness ? 1 : 0);
      return votes >= neededVotes(spec);
    });
  }
}
