/**
 * The content hash of stream 2's state: a sum over the hash of every row, so that it can be kept up
 * with each change and computed anew from the rows alone, in any order. A row that is missing, there
 * twice, or another one shows in it; so it tells what no row's own CRC-32 can.
 *
 * Against bugs and damage, not against somebody who wants to deceive.
 *
 * @module
 */
import { encodeText, Writer } from "./bytes.ts";
import { crc32 } from "./checksum.ts";

/** What of a row of the tree is content: all of it. */
export interface ContentRow {
  readonly ino: number;
  readonly parent: number;
  readonly name: string;
  readonly kind: "file" | "directory";
  readonly mtime: number;
  readonly version: number;
  readonly writer: number;
  readonly data: Uint8Array;
}

/** The locks of one inode. */
export interface ContentLocks {
  readonly key: number;
  readonly body: Uint8Array;
}

/** A row as bytes; the same on every replica. */
export function rowBytes(row: ContentRow): Uint8Array {
  const name = encodeText(row.name);
  return new Writer(64 + name.length + row.data.length)
    .u64(row.ino).u64(row.parent).u8(row.kind === "file" ? 1 : 2).f64(row.mtime)
    .u64(row.version).u16(row.writer).u16(name.length).bytes(name).u32(row.data.length)
    .bytes(row.data).finish();
}

/** The part of a row, whose bytes these are. */
export function rowPart(bytes: Uint8Array): number {
  return mix(crc32(bytes));
}

/** The part of the locks of an inode; 0 where there are none. */
export function locksPart({ key, body }: ContentLocks): number {
  if (body.length === 0) return 0;
  return mix(crc32(body, crc32(new Writer(9).u8(3).u64(key).finish())));
}

/** A sum with one part more, and one less. */
export function withPart(sum: number, added: number, removed = 0): number {
  return (sum + added - removed) >>> 0;
}

/** The hash of a whole state. */
export function contentOf(rows: Iterable<ContentRow>, locks: Iterable<ContentLocks>): number {
  let sum = 0;
  for (const row of rows) sum = withPart(sum, rowPart(rowBytes(row)));
  for (const each of locks) sum = withPart(sum, locksPart(each));
  return sum;
}

/**
 * CRC-32 is linear: of sums of plain ones some differences would cancel out. This is the finalizer
 * of MurmurHash3, a bijection of 32 bits.
 */
function mix(crc: number): number {
  let hash = crc ^ (crc >>> 16);
  hash = Math.imul(hash, 0x85ebca6b);
  hash ^= hash >>> 13;
  hash = Math.imul(hash, 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}
