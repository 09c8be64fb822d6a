/**
 * The log in memory: every entry that is stored here, with a CRC chained over all bodies, so that two
 * logs can be told apart by one number at any index.
 *
 * @module
 */
import { assert } from "../base/assert.ts";
import { crc32 } from "../base/checksum.ts";
import type { StoredEntry } from "../host/ports.ts";
import { APPEND_BYTES_MAX, APPEND_ENTRIES_MAX } from "./wire.ts";

interface Kept extends StoredEntry {
  readonly chain: number;
}

/** Indexes begin at 1; index 0 is the empty log, of term 0. */
export class Log {
  readonly #entries: Kept[] = [];
  #bytes = 0;

  constructor(stored: readonly StoredEntry[]) {
    for (const entry of stored) this.append(entry.term, entry.body);
  }

  /** Index of the last entry; 0 for none. */
  get last(): number {
    return this.#entries.length;
  }

  /** Term of the last entry; 0 for none. */
  get lastTerm(): number {
    return this.termAt(this.last) ?? 0;
  }

  /** Bytes of all bodies. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Term of an entry, or undefined where there is none. */
  termAt(index: number): number | undefined {
    return index === 0 ? 0 : this.#entries[index - 1]?.term;
  }

  /** CRC chain up to and with an entry. */
  chainAt(index: number): number | undefined {
    return index === 0 ? 0 : this.#entries[index - 1]?.chain;
  }

  /** The entry at an index. */
  at(index: number): StoredEntry | undefined {
    return this.#entries[index - 1];
  }

  /** Adds an entry at the end; returns it. */
  append(term: number, body: Uint8Array): StoredEntry {
    const chain = crc32(body, this.#entries.at(-1)?.chain ?? 0);
    const entry = { index: this.last + 1, term, body, chain };
    this.#entries.push(entry);
    this.#bytes += body.length;
    return entry;
  }

  /** Drops the entries from an index on. */
  truncate(from: number): void {
    assert(from >= 1, "Index 0 is not an entry");
    for (const entry of this.#entries.splice(from - 1)) this.#bytes -= entry.body.length;
  }

  /** The entries from an index on that fit one append; at least one if there is one. */
  from(index: number): readonly StoredEntry[] {
    const found: StoredEntry[] = [];
    let size = 0;
    for (let at = index; at <= this.last && found.length < APPEND_ENTRIES_MAX; at++) {
      const entry = this.#entries[at - 1] as Kept;
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
}
