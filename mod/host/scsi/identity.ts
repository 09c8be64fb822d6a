/**
 * What a disk says it is: INQUIRY, its vital product data, its capacity. Pure, total.
 *
 * SPC-4, "Standard INQUIRY data" and "Device Identification VPD page" (page 83h); SBC-3, "Block
 * Limits VPD page" (page B0h) and "READ CAPACITY (16) parameter data".
 *
 * @module
 */
import { decodeText, Reader, toHex } from "../../base/bytes.ts";

/** VPD pages. */
export const PAGE = { identification: 0x83, blockLimits: 0xb0 } as const;

/** Standard INQUIRY data. */
export interface Inquiry {
  /** PERIPHERAL DEVICE TYPE; 0 is a disk. */
  readonly deviceType: number;
  /** Without trailing spaces. */
  readonly vendor: string;
  readonly product: string;
  readonly revision: string;
}

/** READ CAPACITY (16). */
export interface Capacity {
  readonly blocks: number;
  readonly blockBytes: number;
}

const NAME_BYTES = 36;
/** More designators than this are not read. */
const DESIGNATORS_MAX = 64;
/** ASSOCIATION 0: of the logical unit, not of a port or the target. */
const OF_UNIT = 0;
/** DESIGNATOR TYPE, best first: NAA, EUI-64, SCSI name string, T10 vendor ID. */
const NAA = 3;
const RANKS: readonly (readonly [type: number, prefix: string])[] = [
  [NAA, "naa."],
  [2, "eui."],
  [8, ""],
  [1, "t10."],
];

/** Decodes standard INQUIRY data. */
export function decodeInquiry(bytes: Uint8Array): Inquiry | null {
  if (bytes.length < NAME_BYTES) return null;
  const field = (from: number, to: number) => printable(bytes.subarray(from, to));
  return {
    deviceType: (bytes[0] ?? 0) & 0x1f,
    vendor: field(8, 16),
    product: field(16, 32),
    revision: field(32, 36),
  };
}

/**
 * The name of the logical unit in page 83h: the same whoever asks through whichever port. Null
 * where there is none, or the page is damaged.
 */
export function decodeIdentification(page: Uint8Array): string | null {
  const reader = new Reader(page);
  reader.u8();
  if (reader.u8() !== PAGE.identification) return null;
  const body = new Reader(reader.bytes(reader.u16()));
  if (!reader.ok()) return null;
  const found = new Map<number, string>();
  for (let count = 0; body.ok() && body.left() > 0 && count < DESIGNATORS_MAX; count++) {
    body.u8();
    const second = body.u8();
    body.u8();
    const bytes = body.bytes(body.u8());
    if (!body.ok()) return null;
    const type = second & 0x0f;
    if (((second >> 4) & 0x03) !== OF_UNIT || found.has(type) || bytes.length === 0) continue;
    found.set(type, type === NAA || type === 2 ? toHex(bytes) : printable(bytes));
  }
  for (const [type, prefix] of RANKS) {
    const name = found.get(type);
    if (name !== undefined && name !== "") return prefix + name;
  }
  return null;
}

/** MAXIMUM COMPARE AND WRITE LENGTH of page B0h, in blocks; 0 where the disk has no such command. */
export function decodeCompareBlocks(page: Uint8Array): number | null {
  return page[1] === PAGE.blockLimits ? page[5] ?? null : null;
}

/** Decodes READ CAPACITY (16); null for damaged, or sizes that no disk has. */
export function decodeCapacity(bytes: Uint8Array): Capacity | null {
  const reader = new Reader(bytes);
  const last = reader.u64();
  const blockBytes = reader.u32();
  const sane = blockBytes >= 512 && blockBytes <= 65536 && (blockBytes & (blockBytes - 1)) === 0;
  return reader.ok() && sane ? { blocks: last + 1, blockBytes } : null;
}

/** ASCII fields are padded with spaces or zeros; what is no ASCII is not shown as such. */
function printable(bytes: Uint8Array): string {
  const text = decodeText(bytes) ?? "";
  return text.replace(/\0+$/, "").replace(/[^\x20-\x7e]/g, "?").trim();
}
