/**
 * Cryptography: sealing, key derivation, key agreement. The second door to the runtime (see
 * `checksum.ts`). Everything here is a pure function of its arguments; randomness comes in as bytes.
 *
 * AES-256-GCM: NIST SP 800-38D. HKDF: RFC 5869. X25519: RFC 7748.
 *
 * @module
 */
import {
  createCipheriv,
  createDecipheriv,
  createHash,
  createHmac,
  createPrivateKey,
  createPublicKey,
  diffieHellman,
  hkdfSync,
  timingSafeEqual,
} from "node:crypto";
import { Buffer } from "node:buffer";
import { assert } from "./assert.ts";
import { concat, encodeText, fromHex } from "./bytes.ts";

/** Bytes of a symmetric key. */
export const KEY_BYTES = 32;
/** Bytes of an AES-GCM nonce. */
export const NONCE_BYTES = 12;
/** Bytes that sealing adds: the authentication tag. */
export const TAG_BYTES = 16;

const CIPHER = "aes-256-gcm";
/** DER around a raw X25519 private key: PKCS #8, RFC 8410 section 7. */
const PKCS8_PREFIX = known("302e020100300506032b656e04220420");
/** DER around a raw X25519 public key: SubjectPublicKeyInfo, RFC 8410 section 4. */
const SPKI_PREFIX = known("302a300506032b656e032100");

function known(hex: string): Uint8Array {
  const bytes = fromHex(hex);
  assert(bytes !== null, "A literal is hex");
  return bytes;
}

/** What sealing needs. A (key, nonce) pair must never be used for two different texts. */
export interface SealInput {
  readonly key: Uint8Array;
  readonly nonce: Uint8Array;
  /** Authenticated, not hidden. */
  readonly clear: Uint8Array;
}

/**
 * Encrypts and authenticates `plain`; returns ciphertext followed by the tag. With `room` so many
 * bytes are left before them, for whatever precedes them on the wire.
 */
export function seal(input: SealInput, plain: Uint8Array, room = 0): Uint8Array {
  const cipher = createCipheriv(CIPHER, input.key, input.nonce);
  if (input.clear.length > 0) cipher.setAAD(input.clear);
  const body = cipher.update(plain);
  cipher.final();
  const sealed = new Uint8Array(room + body.length + TAG_BYTES);
  sealed.set(body, room);
  sealed.set(cipher.getAuthTag(), room + body.length);
  return sealed;
}

/** Reverses {@link seal}; null where the text, the clear part, the nonce or the key is not the sealed one. */
export function open(input: SealInput, sealed: Uint8Array): Uint8Array | null {
  if (sealed.length < TAG_BYTES) return null;
  const split = sealed.length - TAG_BYTES;
  try {
    const decipher = createDecipheriv(CIPHER, input.key, input.nonce);
    if (input.clear.length > 0) decipher.setAAD(input.clear);
    decipher.setAuthTag(sealed.subarray(split));
    const plain = decipher.update(sealed.subarray(0, split));
    decipher.final();
    return bytesOf(plain);
  } catch {
    return null;
  }
}

/** The bytes of a buffer that is nobody else's, as what they are everywhere here. */
function bytesOf(buffer: Buffer): Uint8Array {
  return new Uint8Array(buffer.buffer, buffer.byteOffset, buffer.byteLength);
}

/** HKDF-SHA-256: a key of 32 bytes for one purpose. `info` names the purpose. */
export function deriveKey(secret: Uint8Array, info: string, salt = new Uint8Array(0)): Uint8Array {
  return new Uint8Array(hkdfSync("sha256", secret, salt, encodeText(info), KEY_BYTES));
}

/** SHA-256 of the parts, one after the other. */
export function sha256(...parts: readonly Uint8Array[]): Uint8Array {
  const hash = createHash("sha256");
  for (const part of parts) hash.update(part);
  return bytesOf(hash.digest());
}

/** HMAC-SHA-256. */
export function hmac(key: Uint8Array, ...parts: readonly Uint8Array[]): Uint8Array {
  const mac = createHmac("sha256", key);
  for (const part of parts) mac.update(part);
  return bytesOf(mac.digest());
}

/** Compares secrets in time that does not depend on where they differ. */
export function equalSecrets(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && timingSafeEqual(a, b);
}

/** The X25519 public key that belongs to 32 random bytes. */
export function publicKeyOf(secret: Uint8Array): Uint8Array {
  const spki = createPublicKey(privateKey(secret)).export({ format: "der", type: "spki" });
  return new Uint8Array(spki.subarray(SPKI_PREFIX.length));
}

/**
 * X25519 of our secret and their public key. Null for a public key that is not one, or whose shared
 * secret would be all zeros (a point of small order: RFC 7748 section 6.1).
 */
export function agree(secret: Uint8Array, theirPublicKey: Uint8Array): Uint8Array | null {
  if (theirPublicKey.length !== KEY_BYTES) return null;
  try {
    const shared = diffieHellman({
      privateKey: privateKey(secret),
      publicKey: createPublicKey({
        key: Buffer.from(concat(SPKI_PREFIX, theirPublicKey)),
        format: "der",
        type: "spki",
      }),
    });
    return shared.some((byte) => byte !== 0) ? new Uint8Array(shared) : null;
  } catch {
    return null;
  }
}

function privateKey(secret: Uint8Array) {
  assert(secret.length === KEY_BYTES, "An X25519 secret is 32 bytes");
  return createPrivateKey({
    key: Buffer.from(concat(PKCS8_PREFIX, secret)),
    format: "der",
    type: "pkcs8",
  });
}
