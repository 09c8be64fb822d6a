/**
 * A light stand-in for the sealing of `base/seal.ts`, for seeds by the thousand: there AES is a third
 * of the work, and what it computes is no question of theirs. `light_seal.json` puts it in its place,
 * for `scripts/sim.ts` alone. Nothing of it is secret.
 *
 * It has the same lengths and refuses the same: another key, nonce, clear part or text. So a seed has
 * the same history with either; the simulator plays some with both and compares.
 *
 * @module
 */
import { NONCE_BYTES, type SealInput, TAG_BYTES } from "../mod/base/seal.ts";
import { open as openTruly, seal as sealTruly } from "../mod/base/seal.ts";

export {
  agree,
  deriveKey,
  equalSecrets,
  hmac,
  KEY_BYTES,
  NONCE_BYTES,
  publicKeyOf,
  type SealInput,
  sha256,
  TAG_BYTES,
} from "../mod/base/seal.ts";

const FNV_OFFSET = 0x811c9dc5;
const FNV_PRIME = 0x01000193;
/** An odd number of many bits: 2^32 divided by the golden ratio. */
const OTHER_PRIME = 0x9e3779b1;

/** Whose turn it is. */
export const standIn = { on: true };

/** As `seal` in `base/seal.ts`. */
export function seal(input: SealInput, plain: Uint8Array, room = 0): Uint8Array {
  if (!standIn.on) return sealTruly(input, plain, room);
  const sealed = new Uint8Array(room + plain.length + TAG_BYTES);
  mask(sealed, plain, { at: room, nonce: input.nonce });
  writeTag(sealed, room + plain.length, tagOf(input, plain));
  return sealed;
}

/** As `open` in `base/seal.ts`. */
export function open(input: SealInput, sealed: Uint8Array): Uint8Array | null {
  if (!standIn.on) return openTruly(input, sealed);
  if (sealed.length < TAG_BYTES) return null;
  const length = sealed.length - TAG_BYTES;
  const plain = new Uint8Array(length);
  mask(plain, sealed.subarray(0, length), { at: 0, nonce: input.nonce });
  const tag = new Uint8Array(TAG_BYTES);
  writeTag(tag, 0, tagOf(input, plain));
  for (let at = 0; at < TAG_BYTES; at++) if (tag[at] !== sealed[length + at]) return null;
  return plain;
}

/** Makes text unreadable and back, so that nobody lives on what was not opened. */
function mask(
  into: Uint8Array,
  from: Uint8Array,
  { at, nonce }: { at: number; nonce: Uint8Array },
): void {
  let key = Math.imul((nonce[NONCE_BYTES - 1] ?? 0) + 1, OTHER_PRIME);
  for (let i = 0; i < from.length; i++) {
    into[at + i] = (from[i] as number) ^ (key >>> 24);
    key = Math.imul(key, FNV_PRIME) + 1;
  }
}

/** Two hashes of everything that is sealed, lengths included. */
function tagOf({ key, nonce, clear }: SealInput, plain: Uint8Array): [number, number] {
  let [a, b] = [FNV_OFFSET, plain.length];
  for (const part of [key, nonce, clear, plain]) {
    a = Math.imul(a ^ part.length, FNV_PRIME);
    for (let i = 0; i < part.length; i++) {
      const byte = part[i] as number;
      a = Math.imul(a ^ byte, FNV_PRIME);
      b = Math.imul((b ^ byte) + 1, OTHER_PRIME);
      b ^= b >>> 15;
    }
  }
  return [a, b];
}

function writeTag(into: Uint8Array, at: number, [a, b]: readonly [number, number]): void {
  for (let i = 0; i < TAG_BYTES; i++) {
    const word = i % 8 < 4 ? a : b;
    into[at + i] = (word >>> (8 * (i % 4))) ^ (i >> 3);
  }
}
