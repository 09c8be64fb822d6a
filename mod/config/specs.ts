/**
 * The descriptions of the cluster that the log holds, and which of them are in force: the newest one
 * as soon as it stands in the log, committed or not (dissertation 4.1); with it the one before, for
 * as long as a change of several votes is not known to be committed (`electorate.ts`).
 *
 * @module
 */
import { assert } from "../base/assert.ts";
import { type ClusterSpec, haveSameVotes, memberOf } from "../base/cluster.ts";
import type { NodeId } from "../base/id.ts";
import type { StoredEntry, StoredSpec } from "../host/ports.ts";
import { needsBoth } from "./electorate.ts";
import { decodeEntry, encodeEntry, mayDescribe } from "./wire.ts";

/** The description of the cluster at some index of the log. */
export interface SpecAt {
  readonly spec: ClusterSpec;
  readonly index: number;
  /** Highest node id ever given. */
  readonly highest: number;
  /** One node gave it itself, by the word of a person: nobody else is asked. */
  readonly forced: boolean;
}

/** A description out of the seal. */
export interface LostSpec {
  readonly at: SpecAt;
  /** It was known to be committed, and there was no newer one. */
  readonly settled: boolean;
}

/** See the module's note. */
export class Specs {
  #all: SpecAt[];
  /** End of the log as it was at start: what of it is committed cannot be known yet. */
  #inherited: number;
  /** The one before a loss: in force until the log has got that far again. */
  #lost: LostSpec | null = null;

  constructor(first: SpecAt, inherited: number) {
    this.#all = [first];
    this.#inherited = inherited;
  }

  /** The newest one in the log. */
  get newest(): SpecAt {
    const newest = this.#all.at(-1);
    assert(newest !== undefined, "There is always a description");
    return this.#newer(newest);
  }

  /** The log was lost: the description of before is in force until it holds a newer one. */
  setLost(lost: LostSpec | null): void {
    this.#lost = lost;
  }

  /** Is the newest one known to be committed? */
  isSettled(commit: number): boolean {
    const { newest } = this;
    return newest === this.#lost?.at ? this.#lost.settled : newest.index <= commit;
  }

  #newer(found: SpecAt): SpecAt {
    return this.#lost !== null && this.#lost.at.index >= found.index ? this.#lost.at : found;
  }

  /**
   * The newest committed one; of the log that this life began with, the newest one in it. An older
   * one could count a majority that is none any more.
   */
  committed(commit: number): SpecAt {
    return this.#newer(this.before(Math.max(commit, this.#inherited)));
  }

  /** The one that was in force after the entry at an index, which is not before the log's base. */
  before(index: number): SpecAt {
    const found = this.#all.findLast((each) => each.index <= index);
    assert(found !== undefined, "The description at the log's base is kept");
    return found;
  }

  /** Those that decide now, the newest one last. */
  inForce(commit: number): readonly ClusterSpec[] {
    const [before, newest] = this.#all.slice(-2);
    const single = before === undefined || newest === undefined;
    if (single || this.newest === this.#lost?.at) return [this.newest.spec];
    const isOpen = newest.index > commit && !newest.forced && needsBoth(before.spec, newest.spec);
    return isOpen ? [before.spec, newest.spec] : [newest.spec];
  }

  /** Index of the newest one that changed votes; where the log tells of none, of its oldest. */
  get votesIndex(): number {
    const isTurn = ({ spec }: SpecAt, at: number) => {
      const before = this.#all[at - 1];
      return before === undefined || !haveSameVotes(before.spec, spec);
    };
    return this.#all.findLast((each, at) => isTurn(each, at))?.index ?? 0;
  }

  /**
   * Those in the log, known to be committed or not, that others may go by while this node goes by
   * {@link committed} alone, where majorities of the two need not meet: of a change of several votes,
   * and of several changes.
   */
  open(commit: number): readonly ClusterSpec[] {
    const told = this.committed(commit);
    if (this.newest.index <= commit || this.#lost !== null) return [];
    const known = this.#all.findLastIndex((each) => each.index <= commit);
    const chain = this.#all.slice(Math.max(0, known));
    const [first, second, ...more] = chain;
    if (first === undefined || second === undefined || chain.some(({ forced }) => forced)) {
      return [];
    }
    if (more.length === 0 && !needsBoth(first.spec, second.spec)) return [];
    return chain.filter((each) => each !== told).map(({ spec }) => spec);
  }

  /** Who is in the description before the newest one and not in that: its removal is to be told. */
  get removedLast(): readonly NodeId[] {
    const [before, newest] = this.#all.slice(-2);
    if (before === undefined || newest === undefined || newest.forced) return [];
    return before.spec.members.map(({ id }) => id).filter((id) => !memberOf(newest.spec, id));
  }

  /**
   * The description by which a node is out for good, or null. Numbers are never given twice: one that
   * was given and is no member's is a former member's. Only what is known to be committed says so, or
   * a person's word.
   */
  outBy(node: NodeId, commit: number): SpecAt | null {
    const sure = this.#all.findLast(({ index, forced }) => index <= commit || forced);
    const by = sure && this.#newer(sure);
    if (by === undefined || node > by.highest || memberOf(by.spec, node)) return null;
    return by;
  }

  /** Takes note of an entry; the description in it, or null. */
  note(stored: StoredEntry | undefined): SpecAt | null {
    if (stored === undefined || !mayDescribe(stored.body)) return null;
    const entry = decodeEntry(stored.body);
    if (entry?.kind !== "spec" && entry?.kind !== "forced") return null;
    const { kind, spec, highest } = entry;
    const noted = { spec, index: stored.index, highest, forced: kind === "forced" };
    this.#all.push(noted);
    return noted;
  }

  /** The log lost its entries from an index on. */
  truncate(from: number): void {
    this.#all = this.#all.filter((each) => each.index < from);
    this.#inherited = Math.min(this.#inherited, from - 1);
  }

  /** The log lost its entries up to and with an index; the one that was in force there. */
  compact(index: number): SpecAt {
    const first = this.before(index);
    this.#all = this.#all.filter((each) => each.index >= first.index);
    return first;
  }

  /** The log begins anew behind `base`, where `spec` is in force (null: the one we know). */
  restart(base: number, spec: SpecAt | null, rest: { keepLog: boolean; last: number }): void {
    const kept = this.#all.filter((each) => rest.keepLog && each.index > base);
    this.#all = [spec ?? this.before(base), ...kept];
    this.#inherited = Math.min(Math.max(this.#inherited, base), rest.last);
  }
}

/** A description as the database keeps it. */
export function specAtOf({ index, body }: StoredSpec): SpecAt {
  const entry = decodeEntry(body);
  assert(entry?.kind === "spec", "A stored description is one");
  return { spec: entry.spec, index, highest: entry.highest, forced: false };
}

/** The same the other way; null for the one that is in no log. */
export function storedSpecOf({ spec, index, highest }: SpecAt): StoredSpec | null {
  return index === 0 ? null : { index, body: encodeEntry({ kind: "spec", spec, highest }) };
}
