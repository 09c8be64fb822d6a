/**
 * May this disk be formatted? Looks for everybody's signatures in its first and last bytes, and
 * makes the blocks of a fresh disk. A signature names what would be lost; bytes that nobody's table
 * names are refused all the same.
 *
 * Offsets and magics: the on-disk headers of each format, as libblkid's probers list them.
 *
 * @module
 */
import { decodeText, equalBytes } from "../base/bytes.ts";
import type { ClusterId, NodeId } from "../base/id.ts";
import type { WitnessRegister } from "../streams.ts";
import { BLOCK_BYTES, isBlank } from "./block.ts";
import {
  AREA_BYTES,
  decodeLabel,
  encodeLabel,
  encodeRegister,
  LABEL_BLOCK,
  REGISTER_BLOCK,
} from "./layout.ts";

/** Bytes from the beginning that {@link inspect} wants: all that a label would overwrite. */
export const HEAD_BYTES = AREA_BYTES;
/** Bytes from the end that {@link inspect} wants: an old RAID superblock lies up to 128 KiB from it. */
export const TAIL_BYTES = 256 * 1024;
/** A smaller disk is refused. */
export const DISK_BYTES_MIN = AREA_BYTES;
/** The longest write that {@link freshBlocks} asks for. */
export const WRITE_BYTES_MAX = 1024 * 1024;

/** What a disk carries. */
export type Content =
  | { readonly content: "empty" }
  | {
    readonly content: "pentad";
    readonly uuid: string;
    readonly cluster: ClusterId;
    readonly clusterName: string;
  }
  /** `name` is for people: `ext2/3/4`, `GPT`, `unknown data`. */
  | { readonly content: "foreign"; readonly name: string };

/** md_p.h: MD_SB_MAGIC, little-endian. */
const LINUX_RAID = "\xfc\x4e\x2b\xa9";

interface Signature {
  readonly name: string;
  readonly magic: Uint8Array;
  /** From the beginning; negative from the end. */
  readonly offsets: readonly number[];
}

/** First match wins: containers before what lies in them. */
const SIGNATURES: readonly Signature[] = [
  sign("GPT", "EFI PART", [512, 4096, -512, -4096]),
  sign("LUKS", "LUKS\xba\xbe", [0]),
  sign("LUKS", "SKUL\xba\xbe", [0x4000, 0x8000, 0x10000, 0x20000]),
  sign("LVM2", "LVM2 001", [24, 536, 1048, 1560]),
  sign("XFS", "XFSB", [0]),
  sign("ext2/3/4", "\x53\xef", [1024 + 0x38]),
  sign("Btrfs", "_BHRfS_M", [0x10000 + 64]),
  sign("GFS2", "\x01\x16\x19\x70", [0x10000]),
  sign("OCFS2", "OCFSV2", [1024, 2048, 4096, 8192]),
  sign("SBD", "SBD_SBD_", [0]),
  sign("sanlock lockspace", "\x10\x20\x21\x12", [0]),
  sign("sanlock resource", "\x10\x20\x15\x06", [0]),
  sign("swap", "SWAPSPACE2", [4086, 8182, 16374, 65526]),
  sign("swap", "SWAP-SPACE", [4086, 8182, 16374, 65526]),
  sign("Linux RAID", LINUX_RAID, [0, 4096]),
  sign("dm-integrity", "integrt\0", [0]),
  sign("dm-verity", "verity\0\0", [0]),
  sign("Stratis", "!Stra0tis\x86\xff\x02^\x41rh", [516, 4612]),
  sign("VDO", "dmvdo001", [0]),
  sign("Ceph BlueStore", "bluestore block device", [0]),
  sign("Oracle ASM", "ORCLDISK", [32]),
  sign("VMFS", "\x0d\xd0\x01\xc0", [0x100000]),
  sign("F2FS", "\x10\x20\xf5\xf2", [1024, 5120]),
  sign("NILFS2", "\x34\x34", [1024 + 6]),
  sign("EROFS", "\xe2\xe1\xf5\xe0", [1024]),
  sign("SquashFS", "hsqs", [0]),
  sign("ReiserFS", "ReIsEr", [0x10000 + 52]),
  sign("JFS", "JFS1", [0x8000]),
  sign("exFAT", "EXFAT   ", [3]),
  sign("BitLocker", "-FVE-FS-", [3]),
  sign("APFS", "NXSB", [32]),
  sign("bcache", "\xc6\x85\x73\xf6\x4e\x1a\x45\xca", [4096 + 24]),
  sign("ISO 9660", "CD001", [32769]),
  sign("NTFS", "NTFS    ", [3]),
  sign("FAT", "FAT32   ", [82]),
  sign("FAT", "FAT1", [54]),
  sign("ZFS", "\x0c\xb1\xba\x00\x00\x00\x00\x00", [0x20000, 0x21000, 0x22000]),
  sign("MBR partition table", "\x55\xaa", [510]),
];

/** `head` and `tail` are the first and last bytes of the disk (they may be shorter, or overlap). */
export function inspect(head: Uint8Array, tail: Uint8Array): Content {
  const label = decodeLabel(head.subarray(LABEL_BLOCK, BLOCK_BYTES));
  if (label.found === "ok") {
    const { uuid, cluster, clusterName } = label.value;
    return { content: "pentad", uuid, cluster, clusterName };
  }
  for (const { name, magic, offsets } of SIGNATURES) {
    for (const offset of offsets) {
      const where = offset >= 0 ? head : tail;
      const at = offset >= 0 ? offset : tail.length + offset;
      if (at >= 0 && equalBytes(where.subarray(at, at + magic.length), magic)) {
        return { content: "foreign", name };
      }
    }
  }
  // Version 0.90 lies at a multiple of 64 KiB before the end, 1.0 at one of 4 KiB: wherever that is.
  const raid = Uint8Array.from(LINUX_RAID, (each) => each.charCodeAt(0));
  for (let at = 0; at < tail.length; at += BLOCK_BYTES) {
    if (equalBytes(tail.subarray(at, at + raid.length), raid)) {
      return { content: "foreign", name: "Linux RAID" };
    }
  }
  if (decodeText(head.subarray(0, 4)) === "PENT") {
    return { content: "foreign", name: "a damaged or newer pentad label" };
  }
  return isBlank(head) && isBlank(tail)
    ? { content: "empty" }
    : { content: "foreign", name: "unknown data" };
}

/** What a fresh disk is made with. */
export interface FormatInput {
  readonly uuid: string;
  readonly cluster: ClusterId;
  readonly clusterName: string;
  readonly self: NodeId;
  /** Seconds since 1970. */
  readonly wallSeconds: number;
  /** Uuids of the disks that judge together with this one, it included; none where it is alone. */
  readonly group?: readonly string[];
}

/** The register of a fresh disk: only the node that initialises may commit alone. */
export function initialRegister(self: NodeId): WitnessRegister {
  return { version: 1, term: 0, vote: null, subterm: 0, set: [self], lastTerm: 0, lastIndex: 0 };
}

/**
 * The writes that format a disk, in order. The label comes last: a crash in between leaves a disk
 * that nobody takes for pentad's.
 */
export function freshBlocks(
  input: FormatInput,
): readonly { readonly offset: number; readonly bytes: Uint8Array }[] {
  const writes: { offset: number; bytes: Uint8Array }[] = [];
  for (let offset = 0; offset < AREA_BYTES; offset += WRITE_BYTES_MAX) {
    const bytes = new Uint8Array(Math.min(WRITE_BYTES_MAX, AREA_BYTES - offset));
    writes.push({ offset, bytes });
  }
  const { uuid, cluster, clusterName, self, wallSeconds, group = [] } = input;
  const label = { uuid, cluster, clusterName, formattedBy: self, formattedAt: wallSeconds, group };
  writes.push({
    offset: REGISTER_BLOCK * BLOCK_BYTES,
    bytes: encodeRegister(initialRegister(self), uuid),
  });
  writes.push({ offset: LABEL_BLOCK * BLOCK_BYTES, bytes: encodeLabel(label) });
  return writes;
}

/** `magic` holds one byte per character. */
function sign(name: string, magic: string, offsets: readonly number[]): Signature {
  const bytes = Uint8Array.from(magic, (each) => each.charCodeAt(0));
  return { name, magic: bytes, offsets };
}
