/** Random bytes of the kernel. @module */
import type { RandomPort } from "../ports.ts";

/** Most bytes of one call of getRandomValues: Web Cryptography API, section 10.1.1. */
const CALL_BYTES_MAX = 65_536;

/** The kernel's random numbers, as a port. */
export function linuxRandom(): RandomPort {
  return { bytes: randomBytes };
}

function randomBytes(length: number): Uint8Array {
  const bytes = new Uint8Array(length);
  for (let at = 0; at < length; at += CALL_BYTES_MAX) {
    crypto.getRandomValues(bytes.subarray(at, at + CALL_BYTES_MAX));
  }
  return bytes;
}
