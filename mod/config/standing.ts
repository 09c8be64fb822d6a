/**
 * How a replica stands, told whenever that changes: the description in force, who leads and how far
 * everything is, what keeps it from being written to.
 *
 * @module
 */
import { type ClusterSpec, memberOf } from "../base/cluster.ts";
import type { NodeId } from "../base/id.ts";
import { type Reason, reason } from "../base/reason.ts";
import type { Position } from "../streams.ts";
import { doubtText } from "./doubt.ts";
import { cascade } from "./election.ts";
import { electorateOf, isMajority } from "./electorate.ts";
import type { Raft } from "./raft.ts";
import { canCommit, hasContact } from "./replication.ts";

/** See the module's note. */
export class Standing {
  readonly #raft: Raft;
  /** False while stream 1 sees no majority. */
  viewQuorate = true;
  #position: Position | null = null;
  #specIndex = -1;
  #open: readonly ClusterSpec[] = [];
  #blocked: string | null = null;
  #because: Reason = reason("config.no-leader", { ms: 0 });
  /** A former peer said that we are out, while we hear no leader. */
  #removedBy: { readonly node: NodeId; readonly index: number } | null = null;

  constructor(raft: Raft) {
    this.#raft = raft;
  }

  /** What keeps this node from taking part, as a sentence; null where nothing does. */
  get blocked(): string | null {
    const raft = this.#raft;
    const { spec, index } = raft.committedSpec;
    if (memberOf(spec, raft.self) === undefined) {
      return `this node was removed from the cluster at index ${index}; pentad leave ends it here`;
    }
    if (this.#removedBy !== null) {
      const { node, index: at } = this.#removedBy;
      return `${
        raft.name(node)
      } says that this node was removed from the cluster at index ${at}; ` +
        "if that is so, pentad leave ends it here";
    }
    return doubtText(this.#raft) ?? this.#blocked;
  }

  /** This node is out, as far as it can know. */
  get removed(): boolean {
    const { committedSpec, self } = this.#raft;
    return memberOf(committedSpec.spec, self) === undefined || this.#removedBy !== null;
  }

  /** Tells the description in force, if it is another one. */
  tellSpec(): void {
    const raft = this.#raft;
    const { spec, index, forced } = raft.committedSpec;
    if (index === this.#specIndex) return;
    this.#specIndex = index;
    raft.tell({ fact: "config.spec", spec, index, ...(forced && { forced }) });
    if (memberOf(spec, raft.self) !== undefined) return;
    const because = reason("config.removed", { node: raft.name(raft.self), index });
    raft.say("removed", because);
  }

  /** Tells which others stand in the log beside it, if that has changed: before they are acknowledged. */
  #tellOpen(): void {
    const raft = this.#raft;
    const specs = this.#decidesAlone ? [] : raft.specs.open(raft.commit);
    const before = this.#open;
    if (specs.length === before.length && specs.every((spec, at) => spec === before[at])) return;
    this.#open = specs;
    raft.tell({ fact: "config.open", specs });
  }

  /**
   * Without it there is no majority, and it voted for nobody else and follows nobody: nothing is
   * committed that it does not know of.
   */
  get #decidesAlone(): boolean {
    const { leader, vote, self, committedSpec, witness } = this.#raft;
    if ([leader, vote].some((node) => node !== null && node !== self)) return false;
    const free = !(witness.solo && witness.held);
    return !isMajority([electorateOf(committedSpec.spec)], (id) => id !== self, free);
  }

  /** Somebody does not hear us any more because we are out. Who hears a leader knows better. */
  onRemoved(from: NodeId, index: number): void {
    const raft = this.#raft;
    if (raft.leader !== null || this.#removedBy !== null) return;
    if (memberOf(raft.committedSpec.spec, from) === undefined) return;
    this.#removedBy = { node: from, index };
    raft.say("removed?", reason("config.said-removed", { node: raft.name(from), index }));
  }

  /** Tells where this replica stands, if that has changed. */
  tellPosition(applied: number, crc32: number): void {
    const raft = this.#raft;
    // What this life began with stood in the log only, and another leader had it dropped.
    if (raft.committedSpec.index < this.#specIndex) this.tellSpec();
    this.#tellOpen();
    if (raft.leader !== null) this.#removedBy = null;
    this.#noteCascade();
    const position: Position = {
      term: raft.term,
      leader: raft.leader,
      committed: raft.commit,
      applied,
      crc32,
      writable: this.writable,
    };
    const before = this.#position;
    const same = before !== null && before.term === position.term &&
      before.leader === position.leader && before.committed === position.committed &&
      before.applied === position.applied && before.writable === position.writable;
    if (same) return;
    if (before?.leader !== position.leader && position.leader !== null) {
      const node = raft.name(position.leader);
      this.#because = reason("config.follows", { node, term: raft.term });
    }
    this.#position = position;
    raft.tell({ fact: "config.position", position, because: this.#because });
  }

  #noteCascade(): void {
    const raft = this.#raft;
    const blocked = cascade(raft);
    if (blocked === this.#blocked) return;
    this.#blocked = blocked;
    if (blocked === null) return;
    const set = (raft.witness.register?.set ?? []).map((node) => raft.name(node)).join("+");
    const because = reason("config.cascade", { node: set, set });
    raft.say(`blocked: ${blocked}`, because);
    this.#because = because;
  }

  /** Why nothing can be written from here, as a clause. */
  get frozen(): string | null {
    const { role, leader } = this.#raft;
    const { blocked } = this;
    // A leader that differs from whom it needs for a majority could commit nothing.
    const stuck = !this.viewQuorate || blocked !== null;
    const frozen = role === "leader" ? !canCommit(this.#raft) : stuck;
    if (!frozen && (leader !== null || this.viewQuorate)) return null;
    return blocked ?? "no majority of votes is present";
  }

  /** Can something be written by way of this node? */
  get writable(): boolean {
    const raft = this.#raft;
    if (raft.role === "leader") {
      return raft.commit >= raft.termStart && hasContact(raft) && canCommit(raft);
    }
    // Of a replica in doubt nobody knows whether it would count.
    return raft.doubt === null && raft.leader !== null &&
      raft.now - raft.heardLeaderAt < 2 * raft.timing.electionMinMs;
  }
}
