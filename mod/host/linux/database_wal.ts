/**
 * SQLite ends its write-ahead log at the first frame whose checksum is wrong. At the end of it that
 * is right: the last transaction was never finished. In the middle of it is damage, and what comes
 * behind was acknowledged; SQLite would drop it without a word. So it is looked at before SQLite is
 * let in (format: sqlite.org/fileformat2.html, section 4).
 *
 * Each transaction is synced before the next one is written. So one that is broken and has frames of
 * the same log behind it was whole once. The very last one cannot be told from an unfinished one.
 *
 * @module
 */

import { mustBeFile } from "./files.ts";

/** Beside the database, by SQLite. */
export const WAL_SUFFIX = "-wal";
const HEADER_BYTES = 32;
const FRAME_HEADER_BYTES = 24;
/** Either of two: the lowest bit says that checksums are made of big-endian words. */
const MAGIC = 0x377f0682;

/**
 * What the log grows to between two checkpoints (each 1000 pages of 4 KiB, SQLite's default), and a
 * little more.
 */
const RESERVED_BYTES = HEADER_BYTES + 1024 * (FRAME_HEADER_BYTES + 4096);
const ZEROS = 64 * 1024;

/**
 * Makes the write-ahead log of an open database as long as it will be: a sync of a file that has
 * just grown writes the file system's own records too, and takes twice as long. Zeros behind the log
 * are no frames of it. Only speed is lost where there is no room.
 */
export function reserveWal(database: string): void {
  try {
    using file = Deno.openSync(`${database}${WAL_SUFFIX}`, { write: true });
    const zeros = new Uint8Array(ZEROS);
    let at = file.seekSync(0, Deno.SeekMode.End);
    if (at >= RESERVED_BYTES) return;
    while (at < RESERVED_BYTES) at += file.writeSync(zeros);
    file.syncSync();
  } catch {
    // What there was before is there still.
  }
}

/** Why the write-ahead log of a database is damaged; null where it is not, or there is none. */
export function walFault(database: string): string | null {
  let bytes: Uint8Array;
  try {
    mustBeFile(`${database}${WAL_SUFFIX}`);
    bytes = Deno.readFileSync(`${database}${WAL_SUFFIX}`);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return null;
    return `its write-ahead log cannot be read: ${String(error)}`;
  }
  return bytes.length <= HEADER_BYTES + FRAME_HEADER_BYTES ? null : faultOf(new Wal(bytes));
}

function faultOf(wal: Wal): string | null {
  const { count } = wal;
  let sums = wal.isHeader ? wal.headerSums : null;
  let at = 0;
  while (sums !== null && at < count) {
    sums = wal.sumsAfter(at, sums);
    if (sums !== null) at++;
  }
  if (at === count) return null;
  // The broken transaction ends at its commit frame; anything of this log behind it came later.
  let end = at;
  while (end < count && !(wal.isOurs(end) && wal.isCommit(end))) end++;
  for (let later = end + 1; later < count; later++) {
    if (wal.isOurs(later)) {
      return `frame ${at + 1} of its write-ahead log fails its checksum, and others come after it`;
    }
  }
  return null;
}

type Sums = readonly [number, number];

class Wal {
  readonly count: number;
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  readonly #pageBytes: number;
  readonly #littleEndian: boolean;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    const size = this.#view.getUint32(8);
    const known = size >= 512 && size <= 65_536 && (size & (size - 1)) === 0;
    this.#pageBytes = known ? size : 4096;
    this.#littleEndian = (this.#view.getUint32(0) & 1) === 0;
    const frameBytes = FRAME_HEADER_BYTES + this.#pageBytes;
    this.count = Math.floor((bytes.length - HEADER_BYTES) / frameBytes);
  }

  get isHeader(): boolean {
    const [a, b] = this.#sum(0, 24, [0, 0]);
    const magic = (this.#view.getUint32(0) & ~1) === MAGIC;
    return magic && a === this.#view.getUint32(24) && b === this.#view.getUint32(28);
  }

  get headerSums(): Sums {
    return [this.#view.getUint32(24), this.#view.getUint32(28)];
  }

  /** It belongs to the log of this header, not to one that it was written over. */
  isOurs(frame: number): boolean {
    const at = this.#at(frame);
    return this.#view.getUint32(at + 8) === this.#view.getUint32(16) &&
      this.#view.getUint32(at + 12) === this.#view.getUint32(20);
  }

  isCommit(frame: number): boolean {
    return this.#view.getUint32(this.#at(frame) + 4) !== 0;
  }

  /** The running checksum after a frame; null where the frame does not bear it. */
  sumsAfter(frame: number, before: Sums): Sums | null {
    const at = this.#at(frame);
    if (!this.isOurs(frame)) return null;
    const sums = this.#sum(at + FRAME_HEADER_BYTES, this.#pageBytes, this.#sum(at, 8, before));
    const same = sums[0] === this.#view.getUint32(at + 16) &&
      sums[1] === this.#view.getUint32(at + 20);
    return same ? sums : null;
  }

  #at(frame: number): number {
    return HEADER_BYTES + frame * (FRAME_HEADER_BYTES + this.#pageBytes);
  }

  #sum(from: number, length: number, [first, second]: Sums): Sums {
    let [a, b] = [first, second];
    const view = new DataView(this.#bytes.buffer, this.#bytes.byteOffset + from, length);
    for (let at = 0; at < length; at += 8) {
      a = (a + view.getUint32(at, this.#littleEndian) + b) >>> 0;
      b = (b + view.getUint32(at + 4, this.#littleEndian) + a) >>> 0;
    }
    return [a, b];
  }
}
