/**
 * What every block on a shared disk has around its content: magic, kind, version, owner, disk and
 * CRC. 4096 bytes even where sectors are smaller: a drive with 512-byte emulation rewrites the whole
 * physical sector, and two nodes' blocks in one could tear each other.
 *
 * Opening a block never throws. It tells five things apart: one that was never written, one that
 * somebody else wrote, one that is torn or flipped, a sound one that belongs elsewhere (a write or
 * a read that the disk misdirected), and a good one.
 *
 * @module
 */
import { assert } from "../base/assert.ts";
import { Reader, toHex, Writer } from "../base/bytes.ts";
import { crc32 } from "../base/checksum.ts";
import { decode, encode, hex, type Schema } from "../base/schema.ts";

/** Bytes of every block, and the alignment of every read and write. */
export const BLOCK_BYTES = 4096;
/** Version of the layout; another one is refused. */
export const LAYOUT_VERSION = 1;

/** "PENT", then which of them it is. */
const MAGIC = 0x50454e54;
const KINDS = {
  label: 0x4c41424c,
  "label of a group": 0x4c414247,
  register: 0x52454753,
  "register of a group": 0x52454747,
  pulse: 0x50554c53,
  "pulse with mail": 0x50554c4d,
} as const;
const HEADER_BYTES = 32;
const CRC_OFFSET = BLOCK_BYTES - 4;
const BODY_BYTES_MAX = CRC_OFFSET - HEADER_BYTES;

/** What a block is. */
export type BlockKind = keyof typeof KINDS;

/** What a block turned out to be. */
export type Decoded<T> =
  | { readonly found: "ok"; readonly value: T }
  | {
    readonly found: "blank" | "foreign" | "damaged" | "misdirected";
    /** A clause for people. */
    readonly why: string;
  };

/** Where a block is expected, and on which disk; a null uuid is any disk. */
export interface Place {
  /** The place's own number: the node's, for a slot; else 0. */
  readonly number: number;
  readonly uuid: string | null;
}

/** A content of a block: one of these, each with its layout. */
export type Layouts<T> = { readonly [K in BlockKind]?: Schema<T> };

/** True where every byte is zero. */
export function isBlank(bytes: Uint8Array): boolean {
  return bytes.every((byte) => byte === 0);
}

/** Makes the block of `kind` for a place. */
export function closeBlock<T>(
  place: Place & { readonly uuid: string },
  kind: BlockKind,
  content: { readonly schema: Schema<T>; readonly value: T },
): Uint8Array {
  const body = encode(content.schema, content.value);
  assert(body.length <= BODY_BYTES_MAX, "A body fits its block");
  const header = new Writer(HEADER_BYTES).u32(MAGIC).u32(KINDS[kind]).u16(LAYOUT_VERSION)
    .u16(place.number);
  hex(16).write(header, place.uuid);
  header.u16(body.length).u16(0);
  const block = new Uint8Array(BLOCK_BYTES);
  block.set(header.finish());
  block.set(body, HEADER_BYTES);
  new DataView(block.buffer).setUint32(CRC_OFFSET, crc32(block.subarray(0, CRC_OFFSET)));
  return block;
}

/** Reads the block of a place, which may be of any kind that `layouts` has. */
export function openBlock<T>(
  place: Place,
  layouts: Layouts<T>,
  block: Uint8Array,
): Decoded<{ readonly body: T; readonly uuid: string }> {
  if (block.length !== BLOCK_BYTES) return { found: "damaged", why: "the block is short" };
  if (isBlank(block)) return { found: "blank", why: "it was never written" };
  const reader = new Reader(block);
  if (reader.u32() !== MAGIC) return { found: "foreign", why: "something else is there" };
  const stored = new DataView(block.buffer, block.byteOffset).getUint32(CRC_OFFSET);
  if (crc32(block.subarray(0, CRC_OFFSET)) !== stored) {
    return { found: "damaged", why: "its CRC-32 does not match" };
  }
  const number = reader.u32();
  const version = reader.u16();
  if (version !== LAYOUT_VERSION) {
    return { found: "foreign", why: `it has layout version ${version}, not ${LAYOUT_VERSION}` };
  }
  const owner = reader.u16();
  const uuid = toHex(reader.bytes(16));
  const names = Object.keys(layouts) as BlockKind[];
  const kind = names.find((name) => KINDS[name] === number);
  const schema = kind === undefined ? undefined : layouts[kind];
  if (schema === undefined || owner !== place.number) {
    return { found: "misdirected", why: `another block lies where the ${names[0]} should be` };
  }
  if (place.uuid !== null && uuid !== place.uuid) {
    return { found: "misdirected", why: `it belongs to the disk ${uuid}` };
  }
  const length = reader.u16();
  const end = HEADER_BYTES + length;
  if (length > BODY_BYTES_MAX || !isBlank(block.subarray(end, CRC_OFFSET))) {
    return { found: "damaged", why: "its length is wrong" };
  }
  const body = decode(schema, block.subarray(HEADER_BYTES, end));
  if (body === null) return { found: "damaged", why: "its content is malformed" };
  return { found: "ok", value: { body, uuid } };
}
