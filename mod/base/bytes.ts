/**
 * Bounds-checked reading and writing of big-endian bytes.
 *
 * A `Reader` never throws and never reads past its end: the first read that does not fit makes it
 * `failed`, and everything read from then on is zero or empty. Decoders check `ok()` once, at the end.
 *
 * @module
 */
import { assert } from "./assert.ts";

const TEXT_DECODER = new TextDecoder("utf-8", { fatal: true });
const EXACT_DECODER = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
const TEXT_ENCODER = new TextEncoder();
/** Texts up to here are not worth a call out of the language. */
const SHORT_BYTES = 64;
/** RFC 20: the first code that is no ASCII. */
const ASCII_END = 0x80;
const [ZERO, NINE, SMALL_A] = [48, 57, 97] as const;
const EMPTY = new Uint8Array(0);
const HEX = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, "0"));

/** UTF-8 bytes of `text`. */
export function encodeText(text: string): Uint8Array {
  return TEXT_ENCODER.encode(text);
}

/** Text of UTF-8 bytes, or null where they are not UTF-8. A byte order mark before it is dropped. */
export function decodeText(bytes: Uint8Array): string | null {
  try {
    return TEXT_DECODER.decode(bytes);
  } catch {
    return null;
  }
}

/**
 * As `decodeText`, for names: a byte order mark is a character of them. So `encodeText` gives the
 * same bytes back, on whichever node.
 */
export function decodeName(bytes: Uint8Array): string | null {
  if (bytes.length <= SHORT_BYTES && isAscii(bytes)) {
    return String.fromCharCode.apply(null, bytes as unknown as number[]);
  }
  try {
    return EXACT_DECODER.decode(bytes);
  } catch {
    return null;
  }
}

function isAscii(bytes: Uint8Array): boolean {
  for (let i = 0; i < bytes.length; i++) if ((bytes[i] as number) >= ASCII_END) return false;
  return true;
}

/** How many bytes `encodeText` makes of `text`. */
export function textLength(text: string): number {
  for (let at = 0; at < text.length; at++) {
    if (text.charCodeAt(at) >= ASCII_END) return TEXT_ENCODER.encode(text).length;
  }
  return text.length;
}

/** The beginning of `text` that takes at most `max` bytes as UTF-8, cut between two characters. */
export function clipText(text: string, max: number): string {
  const bytes = TEXT_ENCODER.encode(text);
  if (bytes.length <= max) return text;
  let end = max;
  // A byte of the form 10xxxxxx goes on with a character: what is before it is cut too.
  while (end > 0 && ((bytes[end] ?? 0) & 0xc0) === 0x80) end--;
  return new TextDecoder().decode(bytes.subarray(0, end));
}

/** Lower-case hex digits of `bytes`. */
export function toHex(bytes: Uint8Array): string {
  let text = "";
  for (let i = 0; i < bytes.length; i++) text += HEX[bytes[i] as number];
  return text;
}

/** Bytes of hex digits, or null where the text is not hex of even length. */
export function fromHex(text: string): Uint8Array | null {
  if (!isHex(text)) return null;
  const bytes = new Uint8Array(text.length / 2);
  for (let i = 0; i < bytes.length; i++) {
    bytes[i] = 16 * digitOf(text, 2 * i) + digitOf(text, 2 * i + 1);
  }
  return bytes;
}

function isHex(text: string): boolean {
  return text.length % 2 === 0 && /^[0-9a-f]*$/.test(text);
}

/** Of text that is known to be lower-case hex. */
function digitOf(text: string, at: number): number {
  const code = text.charCodeAt(at);
  return code <= NINE ? code - ZERO : code - SMALL_A + 10;
}

/** Joins byte strings. */
export function concat(...parts: readonly Uint8Array[]): Uint8Array {
  let length = 0;
  for (const part of parts) length += part.length;
  const whole = new Uint8Array(length);
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

/** True where both byte strings are equal. Not for secrets: see `seal.ts`. */
export function equalBytes(a: Uint8Array, b: Uint8Array): boolean {
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false;
  return true;
}

/** Reads big-endian values; see the module's note on failure. */
export class Reader {
  readonly #bytes: Uint8Array;
  #at = 0;
  #failed = false;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  /** True while every read so far fitted. */
  ok(): boolean {
    return !this.#failed;
  }

  /** True where every read fitted and nothing is left. */
  done(): boolean {
    return !this.#failed && this.#at === this.#bytes.length;
  }

  /** Bytes not yet read. */
  left(): number {
    return this.#bytes.length - this.#at;
  }

  /** Marks the input as malformed for a reason that the reader itself cannot see. */
  fail(): void {
    this.#failed = true;
  }

  u8(): number {
    return this.#take(1) ? this.#byte(-1) : 0;
  }

  u16(): number {
    return this.#take(2) ? this.#byte(-2) * 2 ** 8 + this.#byte(-1) : 0;
  }

  u32(): number {
    return this.#take(4) ? this.#word(-4) : 0;
  }

  /** An unsigned 64-bit number; one past 2^53 − 1 is malformed, for no counter of pentad gets there. */
  u64(): number {
    if (!this.#take(8)) return 0;
    const value = this.#word(-8) * 2 ** 32 + this.#word(-4);
    if (Number.isSafeInteger(value)) return value;
    this.#failed = true;
    return 0;
  }

  f64(): number {
    if (!this.#take(8)) return 0;
    const { buffer, byteOffset } = this.#bytes;
    return new DataView(buffer, byteOffset + this.#at - 8, 8).getFloat64(0);
  }

  /** The next `length` bytes, as a view on the input. */
  bytes(length: number): Uint8Array {
    return this.#take(length) ? this.#bytes.subarray(this.#at - length, this.#at) : EMPTY;
  }

  /** A byte that was taken: `from` counts back from here. */
  #byte(from: number): number {
    return this.#bytes[this.#at + from] as number;
  }

  #word(from: number): number {
    const high = this.#byte(from) * 2 ** 8 + this.#byte(from + 1);
    return high * 2 ** 16 + this.#byte(from + 2) * 2 ** 8 + this.#byte(from + 3);
  }

  #take(length: number): boolean {
    if (this.#failed || length < 0 || this.#at + length > this.#bytes.length) {
      this.#failed = true;
      return false;
    }
    this.#at += length;
    return true;
  }
}

/** Writes big-endian values into a buffer that grows. Values out of range are a bug: asserted. */
export class Writer {
  #bytes: Uint8Array;
  #at = 0;

  /** One of exactly the right `capacity` is cheapest: nothing is copied at the end. */
  constructor(capacity = 256) {
    this.#bytes = new Uint8Array(capacity);
  }

  /** Bytes written so far. */
  get length(): number {
    return this.#at;
  }

  u8(value: number): this {
    if (!(Number.isInteger(value) && value >= 0 && value <= 0xff)) unfit(value, "u8");
    this.#room(1);
    this.#bytes[this.#at++] = value;
    return this;
  }

  u16(value: number): this {
    if (!(Number.isInteger(value) && value >= 0 && value <= 0xffff)) unfit(value, "u16");
    this.#room(2);
    this.#bytes[this.#at++] = value >>> 8;
    this.#bytes[this.#at++] = value;
    return this;
  }

  u32(value: number): this {
    if (!(Number.isInteger(value) && value >= 0 && value <= 0xffffffff)) unfit(value, "u32");
    this.#room(4);
    this.#word(value);
    return this;
  }

  u64(value: number): this {
    if (!(Number.isSafeInteger(value) && value >= 0)) unfit(value, "u64");
    this.#room(8);
    this.#word(Math.floor(value / 2 ** 32));
    this.#word(value % 2 ** 32);
    return this;
  }

  f64(value: number): this {
    this.#room(8);
    new DataView(this.#bytes.buffer, this.#at, 8).setFloat64(0, value);
    this.#at += 8;
    return this;
  }

  /** A short ASCII text behind a u16 length; false, and nothing is written, where it is none. */
  ascii(text: string): boolean {
    const { length } = text;
    if (length > SHORT_BYTES) return false;
    this.#room(2 + length);
    const start = this.#at + 2;
    for (let i = 0; i < length; i++) {
      const code = text.charCodeAt(i);
      if (code >= ASCII_END) return false;
      this.#bytes[start + i] = code;
    }
    this.u16(length);
    this.#at += length;
    return true;
  }

  bytes(value: Uint8Array): this {
    this.#room(value.length);
    this.#bytes.set(value, this.#at);
    this.#at += value.length;
    return this;
  }

  /** Lower-case hex digits as bytes; false, and nothing is written, where the text is none. */
  hex(text: string): boolean {
    if (!isHex(text)) return false;
    this.#room(text.length / 2);
    for (let at = 0; at < text.length; at += 2) {
      this.#bytes[this.#at++] = 16 * digitOf(text, at) + digitOf(text, at + 1);
    }
    return true;
  }

  /** What was written, as bytes of its own: what is written later is not in it. */
  finish(): Uint8Array {
    // Whatever comes next needs more room, which is elsewhere.
    if (this.#at === this.#bytes.length) return this.#bytes;
    return this.#bytes.slice(0, this.#at);
  }

  /** As {@link finish}, but begins anew, in the same buffer where it was not given away. */
  take(): Uint8Array {
    const taken = this.finish();
    if (taken === this.#bytes) this.#bytes = new Uint8Array(taken.length);
    this.#at = 0;
    return taken;
  }

  /** Bytes that fit before the buffer grows. */
  get capacity(): number {
    return this.#bytes.length;
  }

  #word(value: number): void {
    this.#bytes[this.#at++] = value >>> 24;
    this.#bytes[this.#at++] = value >>> 16;
    this.#bytes[this.#at++] = value >>> 8;
    this.#bytes[this.#at++] = value;
  }

  #room(length: number): void {
    if (this.#at + length <= this.#bytes.length) return;
    const grown = new Uint8Array(Math.max(this.#bytes.length * 2, this.#at + length));
    grown.set(this.#bytes);
    this.#bytes = grown;
  }
}

/** Apart, so that the text is made only where it is needed. */
function unfit(value: number, kind: string): never {
  assert(false, `${value} fits ${kind}`);
}
