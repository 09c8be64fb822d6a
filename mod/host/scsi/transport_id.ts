/**
 * TransportIDs: by which port of which initiator a registration was made. Pure, total.
 *
 * SPC-4, "TransportID identifiers" (7.6.4). The name of a port is what tells a lost registration
 * (same key, other session) from one that is in force.
 *
 * @module
 */
import { Writer } from "../../base/bytes.ts";
import { decodeText, encodeText, toHex } from "../../base/bytes.ts";

/** PROTOCOL IDENTIFIER (SPC-4, "PROTOCOL IDENTIFIER values"). */
const PROTOCOL = { fibreChannel: 0, parallel: 1, sas: 6, iscsi: 5, srp: 4 } as const;
/** A name without commas, and perhaps `,i,0x` with the 48 bits of an ISID (RFC 7143, 4.2.7). */
const NAME = /^((?:iqn|eui|naa)\.[\x21-\x2b\x2d-\x7e]+)(,i,0x[0-9a-f]{12})?$/;
/** TPID FORMAT of iSCSI: the name alone, or with the session's identifier. */
const ISCSI_FORMATS = 2;
/** RFC 7143: an iSCSI name has at most 223 bytes; `,i,0x` and an ISID follow. */
const NAME_BYTES_MAX = 223;
/** A TransportID of this protocol is as long as this, in the standard's least. */
const ISCSI_BYTES_MIN = 24;

/** A TransportID for people. Unknown and damaged ones are hex digits: nothing is hidden. */
export function transportIdText(id: Uint8Array): string {
  const first = id[0] ?? 0;
  switch (first & 0x0f) {
    case PROTOCOL.iscsi:
      return iscsiText(id, first >> 6) ?? raw(id);
    case PROTOCOL.fibreChannel:
      return id.length >= 16 ? `fc.${toHex(id.subarray(8, 16))}` : raw(id);
    case PROTOCOL.sas:
      return id.length >= 12 ? `sas.${toHex(id.subarray(4, 12))}` : raw(id);
    case PROTOCOL.srp:
      return id.length >= 24 ? `srp.${toHex(id.subarray(8, 24))}` : raw(id);
    default:
      return raw(id);
  }
}

/** True for the name of an iSCSI initiator, with or without the session's identifier behind it. */
export function isIscsiName(name: string): boolean {
  const parts = NAME.exec(name);
  return parts !== null && (parts[1] ?? "").length <= NAME_BYTES_MAX;
}

/**
 * The TransportID of an iSCSI port; null for what is no such name. With a session's identifier, as
 * READ FULL STATUS tells it, it names that session: LIO accepts no other.
 */
export function iscsiTransportId(name: string): Uint8Array | null {
  if (!isIscsiName(name)) return null;
  const bytes = encodeText(name);
  const length = Math.max(ISCSI_BYTES_MIN - 4, Math.ceil((bytes.length + 1) / 4) * 4);
  const padding = new Uint8Array(length - bytes.length);
  const format = NAME.exec(name)?.[2] === undefined ? 0 : 1;
  return new Writer(4 + length).u8((format << 6) | PROTOCOL.iscsi).u8(0).u16(length).bytes(bytes)
    .bytes(padding)
    .finish();
}

function iscsiText(id: Uint8Array, format: number): string | null {
  if (format >= ISCSI_FORMATS || id.length < 4) return null;
  const length = ((id[2] ?? 0) << 8) | (id[3] ?? 0);
  if (length > id.length - 4) return null;
  const name = id.subarray(4, 4 + length);
  const end = name.indexOf(0);
  const text = decodeText(end < 0 ? name : name.subarray(0, end));
  return text !== null && /^[\x21-\x7e]+$/.test(text) ? text : null;
}

function raw(id: Uint8Array): string {
  return `0x${toHex(id)}`;
}
