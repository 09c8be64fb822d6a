/**
 * CRC-32 (IEEE 802.3, reflected, as zlib computes it). One of the two doors through which pure code
 * reaches the runtime: zlib's is forty times faster than any written in JavaScript.
 *
 * @module
 */
import { crc32 as zlibCrc32 } from "node:zlib";

/** CRC-32 of `bytes`, going on from `seed` (the CRC of what came before; 0 at the start). */
export function crc32(bytes: Uint8Array, seed = 0): number {
  return zlibCrc32(bytes, seed) >>> 0;
}

/** Prints a CRC as people compare it: `0xa4f2c1e8`. */
export function formatCrc(crc: number): string {
  return `0x${(crc >>> 0).toString(16).padStart(8, "0")}`;
}
