/**
 * What lies on a shared disk: blocks of 4096 bytes, each with magic, version, owner, disk and CRC.
 *
 * ```text
 * block 0        label             whose disk this is
 * block 1        witness register  the vote of the disk (streams.ts, WitnessRegister)
 * block 16 + n   pulse slot        written by node n alone
 * ```
 *
 * One slot is 4096 bytes even where sectors are smaller: a drive with 512-byte emulation rewrites
 * the whole physical sector, and two nodes' slots in one could tear each other.
 *
 * Decoders never throw. They tell five things apart: a block that was never written, one that
 * somebody else wrote, one that is torn or flipped, a sound one that belongs elsewhere (a write or
 * a read that the disk misdirected), and a good one.
 *
 * @module
 */
import { assert } from "../base/assert.ts";
import { Reader, toHex, Writer } from "../base/bytes.ts";
import { crc32 } from "../base/checksum.ts";
import { type BootId, type ClusterId, MEMBERS_MAX, type NodeId } from "../base/id.ts";
import {
  choice,
  decode,
  encode,
  f64,
  hex,
  list,
  option,
  type Schema,
  struct,
  text,
  u16,
  u32,
  u64,
} from "../base/schema.ts";
import type { LastWords, WitnessRegister } from "../streams.ts";

/** Bytes of every block, and the alignment of every read and write. */
export const BLOCK_BYTES = 4096;
/** Version of the layout; another one is refused. */
export const LAYOUT_VERSION = 1;
export const LABEL_BLOCK = 0;
export const REGISTER_BLOCK = 1;
export const SLOT_BLOCK = 16;
/** Highest node id that has a pulse slot. */
export const DISK_NODE_MAX = 1023;
/** Bytes that pentad reserves at the beginning of a disk. */
export const AREA_BYTES = (SLOT_BLOCK + DISK_NODE_MAX + 1) * BLOCK_BYTES;

/** "PENT", then which of the three it is. */
const MAGIC = 0x50454e54;
const KINDS = { label: 0x4c41424c, register: 0x52454753, pulse: 0x50554c53 } as const;
const HEADER_BYTES = 32;
const CRC_OFFSET = BLOCK_BYTES - 4;
const BODY_BYTES_MAX = CRC_OFFSET - HEADER_BYTES;

/** What a block turned out to be. */
export type Decoded<T> =
  | { readonly found: "ok"; readonly value: T }
  | {
    readonly found: "blank" | "foreign" | "damaged" | "misdirected";
    /** A clause for people. */
    readonly why: string;
  };

/** Where a block is expected, and on which disk; a null uuid is any disk. */
interface Place {
  readonly kind: keyof typeof KINDS;
  readonly node: number;
  readonly uuid: string | null;
}

/** Block 0. */
export interface Label {
  /** This disk: 32 hex digits, drawn when it was formatted. */
  readonly uuid: string;
  readonly cluster: ClusterId;
  readonly clusterName: string;
  readonly formattedBy: NodeId;
  /** Seconds since 1970, for people. */
  readonly formattedAt: number;
}

/** "I have read your pulse `seq`": `boot` is the first 4 bytes of the life that wrote it. */
export interface Echo {
  readonly node: NodeId;
  readonly boot: string;
  readonly seq: number;
}

/** One node's pulse. */
export interface PulseSlot {
  readonly node: NodeId;
  readonly boot: BootId;
  readonly seq: number;
  readonly guardMarginMs: number;
  readonly diskLocks: number;
  readonly words: LastWords;
  /** Why the words were left: a reason code; empty while there are none. */
  readonly cause: string;
  readonly echoes: readonly Echo[];
}

const LABEL = struct({
  cluster: hex(16),
  clusterName: text(63),
  formattedBy: u16,
  formattedAt: u64,
});

const REGISTER = struct({
  version: u64,
  term: u64,
  vote: option(u16),
  subterm: u64,
  set: list(u16, MEMBERS_MAX),
  lastTerm: u64,
  lastIndex: u64,
});

const PULSE = struct({
  boot: hex(8),
  seq: u64,
  guardMarginMs: u32,
  diskLocks: f64,
  words: choice(["none", "clean-stop", "self-fenced"]),
  cause: text(63),
  echoes: list(struct({ node: u16, boot: hex(4), seq: u64 }), MEMBERS_MAX),
});

/** Byte offset of a node's pulse slot. */
export function slotOffset(node: number): number {
  assert(node >= 1 && node <= DISK_NODE_MAX, `Node id ${node} has a pulse slot`);
  return (SLOT_BLOCK + node) * BLOCK_BYTES;
}

/** The label as a block. */
export function encodeLabel(label: Label): Uint8Array {
  return frame({ kind: "label", node: 0, uuid: label.uuid }, LABEL, label);
}

/** Reads block 0. */
export function decodeLabel(block: Uint8Array): Decoded<Label> {
  const opened = unframe({ kind: "label", node: 0, uuid: null }, LABEL, block);
  if (opened.found !== "ok") return opened;
  const { body, uuid } = opened.value;
  if (body.formattedBy === 0) return { found: "damaged", why: "node 0 formatted it" };
  return { found: "ok", value: { uuid, ...body } as Label };
}

/** The witness register as a block of the disk `uuid`. */
export function encodeRegister(register: WitnessRegister, uuid: string): Uint8Array {
  return frame({ kind: "register", node: 0, uuid }, REGISTER, register);
}

/** Reads block 1 of the disk `uuid`. */
export function decodeRegister(block: Uint8Array, uuid: string): Decoded<WitnessRegister> {
  const opened = unframe({ kind: "register", node: 0, uuid }, REGISTER, block);
  if (opened.found !== "ok") return opened;
  return { found: "ok", value: opened.value.body as WitnessRegister };
}

/** A pulse as a block of the disk `uuid`. */
export function encodePulse(slot: PulseSlot, uuid: string): Uint8Array {
  const guardMarginMs = Math.min(Math.max(Math.floor(slot.guardMarginMs), 0), 0xffffffff);
  return frame({ kind: "pulse", node: slot.node, uuid }, PULSE, { ...slot, guardMarginMs });
}

/** Reads the slot of `node` on the disk `uuid`. */
export function decodePulse(
  block: Uint8Array,
  place: { readonly node: NodeId; readonly uuid: string },
): Decoded<PulseSlot> {
  const opened = unframe({ kind: "pulse", ...place }, PULSE, block);
  if (opened.found !== "ok") return opened;
  return { found: "ok", value: { node: place.node, ...opened.value.body } as PulseSlot };
}

/** True where every byte is zero. */
export function isBlank(bytes: Uint8Array): boolean {
  return bytes.every((byte) => byte === 0);
}

function frame<T>(place: Place & { uuid: string }, schema: Schema<T>, value: T): Uint8Array {
  const body = encode(schema, value);
  assert(body.length <= BODY_BYTES_MAX, "A body fits its block");
  const header = new Writer(HEADER_BYTES).u32(MAGIC).u32(KINDS[place.kind]).u16(LAYOUT_VERSION)
    .u16(place.node);
  hex(16).write(header, place.uuid);
  header.u16(body.length).u16(0);
  const block = new Uint8Array(BLOCK_BYTES);
  block.set(header.finish());
  block.set(body, HEADER_BYTES);
  new DataView(block.buffer).setUint32(CRC_OFFSET, crc32(block.subarray(0, CRC_OFFSET)));
  return block;
}

function unframe<T>(
  place: Place,
  schema: Schema<T>,
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
  const kind = reader.u32();
  const version = reader.u16();
  if (version !== LAYOUT_VERSION) {
    return { found: "foreign", why: `it has layout version ${version}, not ${LAYOUT_VERSION}` };
  }
  const node = reader.u16();
  const uuid = toHex(reader.bytes(16));
  if (kind !== KINDS[place.kind] || node !== place.node) {
    return { found: "misdirected", why: `another block lies where the ${place.kind} should be` };
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
