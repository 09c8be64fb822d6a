/**
 * The beat on the wire: a clear, authenticated header of 25 bytes, then the body sealed with
 * AES-256-GCM.
 *
 * ```text
 *  0  4  magic "PENT"     for tcpdump: udp[8:4] = 0x50454e54
 *  4  1  version 1
 *  5  1  type 1 (beat)
 *  6  2  sender, node id
 *  8  8  boot id
 * 16  1  link
 * 17  8  seq
 * 25  …  sealed body and tag
 * ```
 *
 * Each life of each node has a key of its own, and each (link, seq) of it a nonce of its own, so no
 * nonce is ever used twice.
 *
 * @module
 */
import { equalBytes, Reader, toHex, Writer } from "../base/bytes.ts";
import { type BootId, bootId, MEMBERS_MAX, type NodeId, nodeId } from "../base/id.ts";
import {
  bool,
  decode,
  encode,
  hex,
  type Infer,
  list,
  struct,
  u16,
  u32,
  u64,
  u8,
} from "../base/schema.ts";
import { deriveKey, NONCE_BYTES, open, seal, TAG_BYTES } from "../base/seal.ts";
import { assert } from "../base/assert.ts";
import type { Refusal } from "./events.ts";

const MAGIC = new Uint8Array([0x50, 0x45, 0x4e, 0x54]);
const VERSION = 1;
const TYPE_BEAT = 1;
const HEADER_BYTES = 25;
/** One datagram on Ethernet without fragments: 1500 − 40 (IPv6) − 8 (UDP). */
export const PACKET_BYTES_MAX = 1452;
/** `heldMs` of an echo that is older than the field can say. */
export const HELD_MS_MAX = 0xffff;
/** `aliveMs` of an echo that is older than the field can say: 49 days. */
export const ALIVE_MS_MAX = 0xffffffff;
/** Newest beat that an echo can name. A life sends one in 200 ms or slower: 27 years. */
export const SEQ_ECHO_MAX = 0xffffffff;

const ECHO = struct({
  node: u16,
  /** First four bytes of the boot id of the life that was heard. */
  boot: hex(4),
  seq: u32,
  /** How long before this beat that one was received. */
  heldMs: u16,
  /** Bit per link: heard on it within `deadMs`. */
  links: u8,
  /** False for a life that has yet to show that it is no recording: such an echo proves nothing. */
  accepted: bool,
  /** The sender had a sign of that node's life itself: a beat of an accepted life, or a pulse. */
  sign: bool,
  /** How long ago that was, or for how long the sender looks out for one in vain. */
  aliveMs: u32,
});

const BEAT = struct({
  cluster: hex(16),
  vote: u8,
  expected: u16,
  epoch: u32,
  online: list(u16, MEMBERS_MAX),
  echoes: list(ECHO, MEMBERS_MAX),
  term: u64,
  index: u64,
  crc32: u32,
  /** Thousandths. */
  load: u16,
  memory: u16,
  ioDelay: u16,
  armed: bool,
  guardMarginMs: u32,
  diskLocks: u16,
  resources: u16,
});

/** What a beat says. */
export type Beat = Infer<typeof BEAT>;
/** What a beat says of another node's newest beat. */
export type Echo = Infer<typeof ECHO>;

/** The clear part of a packet. */
export interface Header {
  readonly sender: NodeId;
  readonly boot: BootId;
  readonly link: number;
  readonly seq: number;
}

/** The part of a boot id that echoes carry: 8 hex digits. */
export function bootTag(boot: BootId): string {
  return boot.slice(0, 8);
}

/** The key of one life of one node. */
export function packetKey(clusterKey: Uint8Array, sender: NodeId, boot: BootId): Uint8Array {
  return deriveKey(clusterKey, `pentad heartbeat ${VERSION} ${sender} ${boot}`);
}

/** Bytes of a packet. */
export function encodePacket(key: Uint8Array, header: Header, beat: Beat): Uint8Array {
  const clear = encodeHeader(header);
  const packet = seal({ key, nonce: nonceOf(header), clear }, encode(BEAT, beat), clear.length);
  packet.set(clear);
  assert(packet.length <= PACKET_BYTES_MAX, "A beat fits one datagram");
  return packet;
}

/** The header of hostile bytes, or why they are none. */
export function decodeHeader(packet: Uint8Array): Header | Refusal {
  if (packet.length > PACKET_BYTES_MAX) return "oversized";
  if (packet.length < HEADER_BYTES + TAG_BYTES) return "short";
  const reader = new Reader(packet);
  if (!equalBytes(reader.bytes(4), MAGIC)) return "magic";
  if (reader.u8() !== VERSION) return "version";
  if (reader.u8() !== TYPE_BEAT) return "type";
  const sender = reader.u16();
  const boot = bootId(toHex(reader.bytes(8)));
  const link = reader.u8();
  const seq = reader.u64();
  if (!reader.ok() || sender === 0) return "malformed";
  return { sender: nodeId(sender), boot, link, seq };
}

/** The beat sealed in a packet whose header was read, or why there is none. */
export function openPacket(
  key: Uint8Array,
  header: Header,
  packet: Uint8Array,
): Beat | "seal" | "malformed" {
  const clear = packet.subarray(0, HEADER_BYTES);
  const plain = open({ key, nonce: nonceOf(header), clear }, packet.subarray(HEADER_BYTES));
  if (plain === null) return "seal";
  return decode(BEAT, plain) ?? "malformed";
}

function encodeHeader({ sender, boot, link, seq }: Header): Uint8Array {
  const writer = new Writer(HEADER_BYTES).bytes(MAGIC).u8(VERSION).u8(TYPE_BEAT).u16(sender);
  assert(writer.hex(boot), "A boot id is hex");
  return writer.u8(link).u64(seq).finish();
}

function nonceOf({ link, seq }: Header): Uint8Array {
  return new Writer(NONCE_BYTES).u32(link).u64(seq).finish();
}
