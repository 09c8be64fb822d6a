/**
 * The handshake of the peer channel: `Noise_NNpsk0_25519_AESGCM_SHA256` (The Noise Protocol
 * Framework, revision 34, sections 5, 7.5 and 9). Two messages:
 *
 * ```
 * → psk, e
 * ← e, ee
 * ```
 *
 * The first payload is readable by whoever learns the psk, the second and all that follows by the
 * two ends only. A replayed first message is answered, but its sender cannot go on: the responder
 * trusts the other end only after the first sealed frame that follows.
 *
 * Nothing here throws on hostile bytes. After a refused message the object must be dropped.
 *
 * @module
 */
import { assert } from "../base/assert.ts";
import { concat, encodeText } from "../base/bytes.ts";
import {
  agree,
  hmac,
  KEY_BYTES,
  NONCE_BYTES,
  open,
  publicKeyOf,
  seal,
  sha256,
  TAG_BYTES,
} from "../base/seal.ts";

/** Bytes that a handshake message adds to its payload: a public key and a tag. */
export const MESSAGE_OVERHEAD_BYTES = KEY_BYTES + TAG_BYTES;

/** Exactly 32 bytes long, so it is its own hash (section 5.2). */
const PROTOCOL = encodeText("Noise_NNpsk0_25519_AESGCM_SHA256");
const NOTHING = new Uint8Array(0);

/** One direction of a finished channel: a key and a counter that never repeats. */
export class CipherState {
  readonly #key: Uint8Array;
  /** Section 12.3: four bytes of zeros, then the counter, big-endian. */
  readonly #nonce = new Uint8Array(NONCE_BYTES);
  #counter = 0;

  constructor(key: Uint8Array) {
    this.#key = key;
  }

  /** Seals the next text of this direction; `room` as in `base/seal.ts`. */
  seal(plain: Uint8Array, clear: Uint8Array = NOTHING, room = 0): Uint8Array {
    return seal({ key: this.#key, nonce: this.#next(), clear }, plain, room);
  }

  /** Opens the next text of this direction, or null where it is not that. */
  open(sealed: Uint8Array, clear: Uint8Array = NOTHING): Uint8Array | null {
    return open({ key: this.#key, nonce: this.#next(), clear }, sealed);
  }

  #next(): Uint8Array {
    assert(Number.isSafeInteger(this.#counter), "A channel ends before its counter does");
    const nonce = this.#nonce;
    let rest = this.#counter++;
    for (let at = NONCE_BYTES - 1; rest > 0; at--) {
      nonce[at] = rest % 256;
      rest = Math.floor(rest / 256);
    }
    return nonce;
  }
}

/** The two directions after the handshake. */
export interface Directions {
  readonly toResponder: CipherState;
  readonly toInitiator: CipherState;
}

/** What both ends begin with. */
export interface HandshakeOptions {
  readonly psk: Uint8Array;
  /** What both must have seen alike before: bound into the transcript. */
  readonly prologue: Uint8Array;
  /** 32 random bytes, never used twice. */
  readonly secret: Uint8Array;
}

/** One end of the handshake. The initiator writes, then reads; the responder the other way. */
export class Handshake {
  readonly #secret: Uint8Array;
  #chaining: Uint8Array = PROTOCOL;
  #hash: Uint8Array = PROTOCOL;
  #cipher: CipherState | null = null;
  #theirs: Uint8Array | null = null;
  #messages = 0;

  constructor({ psk, prologue, secret }: HandshakeOptions) {
    this.#secret = secret;
    this.#mixHash(prologue);
    this.#mixKeyAndHash(psk);
  }

  /** The next message, with `payload` sealed in it; null where the other's public key is none. */
  write(payload: Uint8Array): Uint8Array | null {
    const mine = publicKeyOf(this.#secret);
    this.#mixPublicKey(mine);
    if (this.#theirs !== null && !this.#mixAgreement(this.#theirs)) return null;
    this.#messages++;
    assert(this.#cipher !== null, "A psk handshake seals from its first message on");
    const sealed = this.#cipher.seal(payload, this.#hash);
    this.#mixHash(sealed);
    return concat(mine, sealed);
  }

  /** The payload of the other's message, or null where it does not open. */
  read(message: Uint8Array): Uint8Array | null {
    if (message.length < MESSAGE_OVERHEAD_BYTES) return null;
    // A copy: the answer to it is computed later, when the input may be gone.
    this.#theirs = message.slice(0, KEY_BYTES);
    this.#mixPublicKey(this.#theirs);
    if (this.#messages > 0 && !this.#mixAgreement(this.#theirs)) return null;
    this.#messages++;
    assert(this.#cipher !== null, "A psk handshake seals from its first message on");
    const sealed = message.subarray(KEY_BYTES);
    const payload = this.#cipher.open(sealed, this.#hash);
    this.#mixHash(sealed);
    return payload;
  }

  /** The keys of both directions; call it once, after both messages. */
  split(): Directions {
    assert(this.#messages === 2, "Both messages of the handshake have passed");
    const [first, second] = expand(this.#chaining, NOTHING);
    return { toResponder: new CipherState(first), toInitiator: new CipherState(second) };
  }

  #mixHash(data: Uint8Array): void {
    this.#hash = sha256(this.#hash, data);
  }

  #mixKey(material: Uint8Array): void {
    const [chaining, key] = expand(this.#chaining, material);
    this.#chaining = chaining;
    this.#cipher = new CipherState(key);
  }

  #mixKeyAndHash(psk: Uint8Array): void {
    const [chaining, hash, key] = expand(this.#chaining, psk);
    this.#chaining = chaining;
    this.#mixHash(hash);
    this.#cipher = new CipherState(key);
  }

  /** With a psk the ephemeral key goes into the key as well (section 9.2). */
  #mixPublicKey(key: Uint8Array): void {
    this.#mixHash(key);
    this.#mixKey(key);
  }

  #mixAgreement(theirs: Uint8Array): boolean {
    const shared = agree(this.#secret, theirs);
    if (shared === null) return false;
    this.#mixKey(shared);
    return true;
  }
}

/** HKDF of section 4.3: three keys out of a chaining key and new material. */
function expand(chaining: Uint8Array, material: Uint8Array): [Uint8Array, Uint8Array, Uint8Array] {
  const temporary = hmac(chaining, material);
  const first = hmac(temporary, Uint8Array.of(1));
  const second = hmac(temporary, first, Uint8Array.of(2));
  return [first, second, hmac(temporary, second, Uint8Array.of(3))];
}
