/**
 * What was written to an open file and is not committed yet: a difference, so that it can be laid
 * over whatever the file holds by then, be it another writer's newer version.
 *
 * A draft says: the first `keep` bytes of the file stay, ranges are written over them, and the file
 * is `size` bytes long; or, where nothing was ever cut, as long as it comes to be. What was appended
 * goes to the end, wherever that will be.
 *
 * @module
 */
import { assert } from "../../base/assert.ts";
import type { Operation } from "../../streams.ts";
import { Extents } from "./extents.ts";
import { EXTENTS_MAX } from "./limits.ts";

/** See the module's note. */
export class Draft {
  #keep = Infinity;
  #size: number | null = null;
  readonly #extents = new Extents();
  readonly #tail = new Extents();
  #mtime: number | null = null;
  #written = false;

  /** Nothing is to be done. */
  get empty(): boolean {
    return !this.#written && this.#size === null;
  }

  /** The program did more than open it with O_TRUNC. */
  get written(): boolean {
    return this.#written;
  }

  /** The time that was set, in seconds since 1970; null where it is that of the transaction. */
  get mtime(): number | null {
    return this.#mtime;
  }

  /** Bytes that are held. */
  get bytes(): number {
    return this.#extents.bytes + this.#tail.bytes;
  }

  /** How long a file of `base` bytes is with it. */
  length(base: number): number {
    return this.#size ?? Math.max(base, this.#extents.end) + this.#tail.bytes;
  }

  /** As O_TRUNC leaves it: by itself not worth a transaction before the file is closed for good. */
  clear(): void {
    this.#keep = 0;
    this.#size = 0;
  }

  /** Writes at an offset. `base` is the file without this draft. */
  write(offset: number, data: Uint8Array, base: Uint8Array): void {
    this.#written = true;
    this.#settleTail(base.length);
    this.#extents.write(offset, data);
    if (this.#size !== null) this.#size = Math.max(this.#size, offset + data.length);
    if (this.#extents.count > EXTENTS_MAX) this.#flatten(base);
  }

  /** Writes at the end. */
  append(data: Uint8Array, base: Uint8Array): void {
    if (this.#size !== null || this.#extents.count > 0) {
      return this.write(this.length(base.length), data, base);
    }
    this.#written = true;
    this.#tail.write(this.#tail.end, data);
  }

  /** Cuts or lengthens it, as ftruncate(2) does. */
  truncate(size: number, base: Uint8Array): void {
    this.#written = true;
    this.#settleTail(base.length);
    this.#keep = Math.min(this.#keep, size);
    this.#extents.cut(size);
    this.#size = size;
  }

  /** Sets the time that it will have. */
  touch(mtime: number): void {
    this.#written = true;
    this.#mtime = mtime;
  }

  /** The file's content with it. */
  view(base: Uint8Array): Uint8Array {
    if (this.empty) return base;
    const view = new Uint8Array(this.length(base.length));
    view.set(base.subarray(0, Math.min(this.#keep, view.length)));
    for (const { start, bytes } of this.#extents.all()) view.set(bytes, start);
    for (const { bytes } of this.#tail.all()) view.set(bytes, view.length - bytes.length);
    return view;
  }

  /** Adds what was done after this draft, in one that was laid over it. */
  absorb(later: Draft, base: Uint8Array): void {
    const length = this.length(base.length);
    if (later.#size !== null && later.#keep < length) this.truncate(later.#keep, base);
    for (const { start, bytes } of later.#extents.all()) this.write(start, bytes, base);
    for (const { bytes } of later.#tail.all()) this.append(bytes, base);
    if (later.#size !== null && later.#size !== this.length(base.length)) {
      this.truncate(later.#size, base);
    }
    if (later.#mtime !== null) this.#mtime = later.#mtime;
    this.#written ||= later.#written;
  }

  /** What makes it of the file at `path`, which holds `base`. */
  operations(path: string, base: Uint8Array): Operation[] {
    if (this.empty) return [];
    const operations: Operation[] = [];
    const size = this.length(base.length);
    let length = base.length;
    if (Math.min(this.#keep, size) < length) {
      length = Math.min(this.#keep, size);
      operations.push({ op: "truncate", path, size: length });
    }
    for (const { start, bytes } of this.#extents.all()) {
      operations.push({ op: "write", path, offset: start, data: bytes });
      length = Math.max(length, start + bytes.length);
    }
    for (const { bytes } of this.#tail.all()) {
      operations.push({ op: "write", path, offset: length, data: bytes });
      length += bytes.length;
    }
    assert(length <= size, "A draft writes nothing behind its own end");
    // O_TRUNC of an empty file changes nothing but its time.
    const idle = operations.length === 0 && this.#mtime === null;
    if (length < size || idle) operations.push({ op: "truncate", path, size });
    if (this.#mtime !== null) operations.push({ op: "utime", path, mtime: this.#mtime });
    return operations;
  }

  /** Makes the appended bytes ordinary ones: something at a fixed place comes after them. */
  #settleTail(base: number): void {
    if (this.#tail.count === 0) return;
    for (const { bytes } of this.#tail.all()) this.#extents.write(base, bytes);
    this.#tail.cut(0);
  }

  /** So many scattered ranges are rather one whole content. */
  #flatten(base: Uint8Array): void {
    const view = this.view(base);
    this.#keep = 0;
    this.#size = view.length;
    this.#extents.cut(0);
    this.#extents.write(0, view);
  }
}
