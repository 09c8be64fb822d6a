/**
 * Answers of PERSISTENT RESERVE IN, decoded. Pure, total: damaged bytes give null.
 *
 * SPC-4, "PERSISTENT RESERVE IN command" (6.15) with its parameter data tables. An ADDITIONAL
 * LENGTH says how much there is, also where the allocation length cut it: such an answer is
 * `cut`, and is to be asked for again with {@link bytesNeeded}.
 *
 * @module
 */
import { Reader, toHex } from "../../base/bytes.ts";
import type { Registration, ReservationCapabilities, ReservationType } from "../ports.ts";
import { transportIdText } from "./transport_id.ts";

/** More registrations than this, and pentad does not use the disk. */
export const REGISTRATIONS_MAX = 256;
/** Bytes before the first key or descriptor: PRGENERATION and ADDITIONAL LENGTH. */
const HEADER_BYTES = 8;
const KEY_BYTES = 8;
/** The fixed part of a full status descriptor. */
const DESCRIPTOR_BYTES = 24;
/** READ RESERVATION's descriptor. */
const RESERVATION_BYTES = 16;
/** The longest TransportID that is believed; the standard's longest is 228 bytes. */
const TRANSPORT_ID_BYTES_MAX = 256;

/** READ KEYS. Keys are 16 hex digits, one for each nexus: the same key may stand there twice. */
export interface KeysReply {
  readonly generation: number;
  readonly keys: readonly string[];
}

/** READ RESERVATION; with types 7 and 8 the holder's key is all zeros. */
export interface ReservationReply {
  readonly generation: number;
  readonly held: { readonly key: string; readonly type: ReservationType } | null;
}

/** READ FULL STATUS. */
export interface FullStatusReply {
  readonly generation: number;
  readonly entries: readonly Registration[];
}

/** How many bytes a whole answer has, as its header says; null where there is no header. */
export function bytesNeeded(reply: Uint8Array): number | null {
  const reader = new Reader(reply);
  reader.u32();
  const additional = reader.u32();
  return reader.ok() ? HEADER_BYTES + additional : null;
}

/** Decodes READ KEYS. Null for damaged, cut, or more than {@link REGISTRATIONS_MAX} keys. */
export function decodeKeys(reply: Uint8Array): KeysReply | null {
  const reader = new Reader(reply);
  const generation = reader.u32();
  const length = reader.u32();
  if (length % KEY_BYTES !== 0 || length > REGISTRATIONS_MAX * KEY_BYTES) return null;
  const keys: string[] = [];
  for (let at = 0; at < length; at += KEY_BYTES) keys.push(toHex(reader.bytes(KEY_BYTES)));
  return reader.ok() ? { generation, keys } : null;
}

/** Decodes READ RESERVATION. Null for damaged, cut, or a type that no standard names any more. */
export function decodeReservation(reply: Uint8Array): ReservationReply | null {
  const reader = new Reader(reply);
  const generation = reader.u32();
  const length = reader.u32();
  if (!reader.ok()) return null;
  if (length === 0) return { generation, held: null };
  if (length < RESERVATION_BYTES) return null;
  const key = toHex(reader.bytes(KEY_BYTES));
  reader.bytes(5);
  const type = reservationType(reader.u8());
  reader.bytes(2);
  return reader.ok() && type !== null ? { generation, held: { key, type } } : null;
}

/** Bits of byte 4 of REPORT CAPABILITIES, and of byte 5. */
const TYPE_MASK: readonly (readonly [byte: 0 | 1, bit: number, type: ReservationType])[] = [
  [0, 0x02, 1],
  [0, 0x08, 3],
  [0, 0x20, 5],
  [0, 0x40, 6],
  [0, 0x80, 7],
  [1, 0x01, 8],
];

/** Decodes REPORT CAPABILITIES. */
export function decodeCapabilities(reply: Uint8Array): ReservationCapabilities | null {
  const reader = new Reader(reply);
  const length = reader.u16();
  const flags = reader.u8();
  const more = reader.u8();
  const masks = [reader.u8(), reader.u8()] as const;
  if (!reader.ok() || length < 6) return null;
  const valid = (more & 0x80) !== 0;
  const types = TYPE_MASK.filter(([byte, bit]) => (masks[byte] & bit) !== 0)
    .map(([, , type]) => type);
  return {
    allTargetPorts: (flags & 0x04) !== 0,
    initiatorPorts: (flags & 0x08) !== 0,
    persist: (flags & 0x01) !== 0,
    persistActive: (more & 0x01) !== 0,
    types: valid ? types : null,
  };
}

/** Decodes READ FULL STATUS. Null for damaged, cut, or too many registrations. */
export function decodeFullStatus(reply: Uint8Array): FullStatusReply | null {
  const needed = bytesNeeded(reply);
  if (needed === null || needed > reply.length) return null;
  const reader = new Reader(reply.subarray(0, needed));
  const generation = reader.u32();
  reader.u32();
  const entries: Registration[] = [];
  while (reader.ok() && reader.left() > 0) {
    if (entries.length === REGISTRATIONS_MAX) return null;
    const entry = readEntry(reader);
    if (entry === null) return null;
    entries.push(entry);
  }
  return reader.done() ? { generation, entries } : null;
}

function readEntry(reader: Reader): Registration | null {
  if (reader.left() < DESCRIPTOR_BYTES) return null;
  const key = toHex(reader.bytes(KEY_BYTES));
  reader.u32();
  const flags = reader.u8();
  const type = reservationType(reader.u8());
  reader.u32();
  const targetPort = reader.u16();
  const length = reader.u32();
  if (length > TRANSPORT_ID_BYTES_MAX || length > reader.left()) return null;
  const initiatorPort = transportIdText(reader.bytes(length));
  const holder = (flags & 0x01) !== 0;
  if (holder && type === null) return null;
  const holds = holder ? type : null;
  return { key, allTargetPorts: (flags & 0x02) !== 0, holds, targetPort, initiatorPort };
}

/** The type in a SCOPE and TYPE byte; null for another scope than the unit's, or no such type. */
function reservationType(byte: number): ReservationType | null {
  const type = byte & 0x0f;
  const known = byte >> 4 === 0 && [1, 3, 5, 6, 7, 8].includes(type);
  return known ? type as ReservationType : null;
}
