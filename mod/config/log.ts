/**
 * The log in memory: the entries behind its base, with a CRC chained over all bodies from the very
 * first one, so that two logs can be told apart by one number at any index. What is up to the base
 * was applied and let go; index, term and chain of the base are kept.
 *
 * @module
 */
import { assert } from "../base/assert.ts";
import { crc32 } from "../base/checksum.ts";
import type { LogBase, StoredEntry } from "../host/ports.ts";
import { APPEND_BYTES_MAX, APPEND_ENTRIES_MAX } from "./wire.ts";

interface Kept extends StoredEntry {
  readonly chain: number;
  /** Bytes of all bodies behind the very first base up to and with this one. */
  readonly end: number;
}

/** The base of a log that nothing was taken from. */
export const LOG_BEGINNING: LogBase = { index: 0, term: 0, chain: 0 };

/** Indexes begin at 1; index 0 is the empty log, of term 0. */
export class Log {
  #entries: Kept[] = [];
  #base: LogBase;
  /** As `end`, of the base. */
  #start = 0;

  constructor(stored: readonly StoredEntry[], base: LogBase = LOG_BEGINNING) {
    this.#base = base;
    for (const { index, term, body } of stored) {
      const added = this.append(term, body);
      assert(added.index === index, "A stored log has no gap");
    }
  }

  /** The last entry that is not here any more: it is applied, and so are all before it. */
  get base(): LogBase {
    return this.#base;
  }

  /** Index of the last entry, or of the base. */
  get last(): number {
    return this.#base.index + this.#entries.length;
  }

  /** Term of the last entry; 0 for none. */
  get lastTerm(): number {
    return this.#entries.at(-1)?.term ?? this.#base.term;
  }

  /** Bytes of all bodies that are here. */
  get bytes(): number {
    return this.bytesBetween(this.#base.index, this.last);
  }

  /** Term of an entry, or undefined where there is none or it is not here any more. */
  termAt(index: number): number | undefined {
    return index === this.#base.index ? this.#base.term : this.#at(index)?.term;
  }

  /** CRC chain up to and with an entry. */
  chainAt(index: number): number | undefined {
    return index === this.#base.index ? this.#base.chain : this.#at(index)?.chain;
  }

  /** The entry at an index. */
  at(index: number): StoredEntry | undefined {
    return this.#at(index);
  }

  /** Bytes of the bodies behind one index up to and with another; those not here count nothing. */
  bytesBetween(after: number, upTo: number): number {
    const [from, to] = [this.#endOf(after), this.#endOf(upTo)];
    return Math.max(0, to - from);
  }

  /** Adds an entry at the end; returns it. */
  append(term: number, body: Uint8Array): StoredEntry {
    const { chain, end } = this.#entries.at(-1) ?? { chain: this.#base.chain, end: this.#start };
    const entry = {
      index: this.last + 1,
      term,
      body,
      chain: crc32(body, chain),
      end: end + body.length,
    };
    this.#entries.push(entry);
    return entry;
  }

  /** Drops the entries from an index on. */
  truncate(from: number): void {
    assert(from > this.#base.index, "What is up to the base is applied and cannot be taken back");
    this.#entries.length = Math.min(this.#entries.length, from - this.#base.index - 1);
  }

  /** Lets the entries up to and with an index go. The caller has applied them. */
  compact(index: number): void {
    const entry = this.#at(index);
    assert(entry !== undefined, "A log is compacted up to an entry that it holds");
    this.#entries.splice(0, index - this.#base.index);
    this.#base = { index, term: entry.term, chain: entry.chain };
    this.#start = entry.end;
  }

  /** Begins anew behind the state of another replica. What is behind `base` stays if `keep`. */
  restart(base: LogBase, keep: boolean): void {
    if (keep) {
      assert(this.chainAt(base.index) === base.chain, "A log that is kept holds the new base");
      if (base.index > this.#base.index) this.compact(base.index);
      return;
    }
    this.#entries = [];
    this.#base = base;
    this.#start = 0;
  }

  /** The entries from an index on that fit one append; at least one if there is one. */
  from(index: number): readonly StoredEntry[] {
    const found: StoredEntry[] = [];
    let size = 0;
    for (let at = index; found.length < APPEND_ENTRIES_MAX; at++) {
      const entry = this.#at(at);
      if (entry === undefined) break;
      size += entry.body.length;
      if (found.length > 0 && size > APPEND_BYTES_MAX) break;
      found.push(entry);
    }
    return found;
  }

  /** The first index of the term that holds at `index`, not below `floor`: where to try next. */
  startOfTerm(index: number, floor: number): number {
    const term = this.termAt(index);
    let at = index;
    while (at > floor && this.termAt(at - 1) === term) at--;
    return Math.max(at, floor);
  }

  /** True where a log that ends in this term and index is at least as new as ours. */
  isUpToDate(lastTerm: number, lastIndex: number): boolean {
    return lastTerm > this.lastTerm || (lastTerm === this.lastTerm && lastIndex >= this.last);
  }

  #at(index: number): Kept | undefined {
    return this.#entries[index - this.#base.index - 1];
  }

  #endOf(index: number): number {
    if (index <= this.#base.index) return this.#start;
    return (this.#at(index) ?? this.#entries.at(-1))?.end ?? this.#start;
  }
}
