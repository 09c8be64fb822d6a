/**
 * Bounds-checked reading and writing of little-endian bytes: FUSE speaks the host's own order, and
 * every host that Deno runs on is little-endian. Of the manner of `base/bytes.ts`: a reader never
 * throws and never reads past its end; after the first fault everything is zero or empty.
 *
 * @module
 */
import { assert } from "../../base/assert.ts";
import { decodeName } from "../../base/bytes.ts";

const EMPTY = new Uint8Array(0);
const HIGH = 2 ** 32;
const SIGNED_HIGH_MIN = -(2 ** 21);

/** What was wrong with the bytes: EINVAL for their form, EILSEQ for a name that is not UTF-8. */
export type Fault = "EINVAL" | "EILSEQ";

/** See the module's note. */
export class LittleReader {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  #at = 0;
  #fault: Fault | null = null;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  /** The first thing that was wrong, or null. */
  get fault(): Fault | null {
    return this.#fault;
  }

  /** Bytes not yet read. */
  get left(): number {
    return this.#bytes.length - this.#at;
  }

  /** Marks the input as wrong for a reason that the reader itself cannot see. */
  fail(fault: Fault = "EINVAL"): void {
    this.#fault ??= fault;
  }

  skip(length: number): void {
    this.#take(length);
  }

  u16(): number {
    return this.#take(2) ? this.#view.getUint16(this.#at - 2, true) : 0;
  }

  u32(): number {
    return this.#take(4) ? this.#view.getUint32(this.#at - 4, true) : 0;
  }

  i32(): number {
    return this.#take(4) ? this.#view.getInt32(this.#at - 4, true) : 0;
  }

  /** A u64 in full. */
  u64(): bigint {
    return this.#take(8) ? this.#view.getBigUint64(this.#at - 8, true) : 0n;
  }

  /** A u64 that pentad itself handed out (a node, a handle): one beyond 2^53 − 1 is a fault. */
  id(): number {
    const value = this.#number();
    if (Number.isSafeInteger(value)) return value;
    this.fail();
    return 0;
  }

  /** A u64 that a program chose (an offset, a size): one beyond 2^53 − 1 counts as that. */
  amount(): number {
    return Math.min(this.#number(), Number.MAX_SAFE_INTEGER);
  }

  /** An i64 of seconds; one beyond 2^53 in either direction counts as the nearest within. */
  seconds(): number {
    if (!this.#take(8)) return 0;
    const high = this.#view.getInt32(this.#at - 4, true);
    if (high < SIGNED_HIGH_MIN) return Number.MIN_SAFE_INTEGER;
    const value = high * HIGH + this.#view.getUint32(this.#at - 8, true);
    return Math.max(Math.min(value, Number.MAX_SAFE_INTEGER), Number.MIN_SAFE_INTEGER);
  }

  /** The next `length` bytes, as a view on the input. */
  bytes(length: number): Uint8Array {
    return this.#take(length) ? this.#bytes.subarray(this.#at - length, this.#at) : EMPTY;
  }

  /** UTF-8 text up to a NUL, which is read too. */
  text(): string {
    if (this.#fault !== null) return "";
    const end = this.#bytes.indexOf(0, this.#at);
    if (end < 0) {
      this.fail();
      return "";
    }
    const text = decodeName(this.#bytes.subarray(this.#at, end));
    this.#at = end + 1;
    if (text === null) this.fail("EILSEQ");
    return text ?? "";
  }

  #number(): number {
    if (!this.#take(8)) return 0;
    return this.#view.getUint32(this.#at - 4, true) * HIGH +
      this.#view.getUint32(this.#at - 8, true);
  }

  #take(length: number): boolean {
    if (this.#fault !== null) return false;
    if (length < 0 || length > this.left) {
      this.fail();
      return false;
    }
    this.#at += length;
    return true;
  }
}

/** Writes little-endian values into a buffer of a known size. Going past it is a bug: asserted. */
export class LittleWriter {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  #at = 0;

  /** `length`: exactly the bytes that will be written. */
  constructor(length: number) {
    this.#bytes = new Uint8Array(length);
    this.#view = new DataView(this.#bytes.buffer);
  }

  /** Bytes written so far. */
  get length(): number {
    return this.#at;
  }

  u16(value: number): this {
    this.#view.setUint16(this.#next(2), value, true);
    return this;
  }

  u32(value: number): this {
    this.#view.setUint32(this.#next(4), value, true);
    return this;
  }

  i32(value: number): this {
    this.#view.setInt32(this.#next(4), value, true);
    return this;
  }

  /** A whole number as u64, or as i64 where it is negative. */
  u64(value: number): this {
    assert(Number.isSafeInteger(value), `${value} is a whole number`);
    const at = this.#next(8);
    this.#view.setUint32(at, value >>> 0, true);
    this.#view.setInt32(at + 4, Math.floor(value / HIGH) | 0, true);
    return this;
  }

  wide(value: bigint): this {
    this.#view.setBigUint64(this.#next(8), value, true);
    return this;
  }

  bytes(value: Uint8Array): this {
    this.#bytes.set(value, this.#next(value.length));
    return this;
  }

  /** Zeros. */
  skip(length: number): this {
    this.#next(length);
    return this;
  }

  /** All of it. */
  finish(): Uint8Array {
    assert(this.#at === this.#bytes.length, "Everything that was announced is written");
    return this.#bytes;
  }

  #next(length: number): number {
    const at = this.#at;
    this.#at += length;
    assert(this.#at <= this.#bytes.length, "What is written fits");
    return at;
  }
}
