/** Byte ranges that were written, in order and apart from each other. @module */

/** Bytes that grow at their end without being copied each time. */
class Extent {
  readonly start: number;
  #buffer: Uint8Array;
  #length: number;

  constructor(start: number, data: Uint8Array) {
    this.start = start;
    this.#buffer = data;
    this.#length = data.length;
  }

  get end(): number {
    return this.start + this.#length;
  }

  get bytes(): Uint8Array {
    return this.#buffer.subarray(0, this.#length);
  }

  /** Writes into the extent or right behind it. */
  put(offset: number, data: Uint8Array): void {
    const at = offset - this.start;
    const length = Math.max(this.#length, at + data.length);
    if (length > this.#buffer.length) {
      const grown = new Uint8Array(Math.max(length, 2 * this.#buffer.length));
      grown.set(this.bytes);
      this.#buffer = grown;
    }
    this.#buffer.set(data, at);
    this.#length = length;
  }

  cut(end: number): void {
    this.#length = Math.max(0, Math.min(this.#length, end - this.start));
  }
}

/** See the module's note. */
export class Extents {
  #list: Extent[] = [];

  /** How many ranges there are. */
  get count(): number {
    return this.#list.length;
  }

  /** Where the last one ends; 0 for none. */
  get end(): number {
    return this.#list.at(-1)?.end ?? 0;
  }

  /** Bytes of all. */
  get bytes(): number {
    return this.#list.reduce((sum, each) => sum + each.bytes.length, 0);
  }

  /** The ranges, in order. */
  all(): readonly { readonly start: number; readonly bytes: Uint8Array }[] {
    return this.#list;
  }

  /** Writes a copy of `data`; what touches becomes one range. */
  write(offset: number, data: Uint8Array): void {
    if (data.length === 0) return;
    const end = offset + data.length;
    const from = this.#list.findIndex((each) => each.end >= offset);
    const first = from < 0 ? undefined : this.#list[from];
    if (first === undefined || first.start > end) {
      this.#list.splice(from < 0 ? this.#list.length : from, 0, new Extent(offset, data.slice()));
      return;
    }
    let to = from + 1;
    while ((this.#list[to]?.start ?? Infinity) <= end) to++;
    const touched = this.#list.slice(from, to);
    if (touched.length === 1 && first.start <= offset) return first.put(offset, data);
    const start = Math.min(first.start, offset);
    const whole = new Uint8Array(Math.max(end, touched.at(-1)?.end ?? 0) - start);
    for (const each of touched) whole.set(each.bytes, each.start - start);
    whole.set(data, offset - start);
    this.#list.splice(from, touched.length, new Extent(start, whole));
  }

  /** Nothing is written from `end` on. */
  cut(end: number): void {
    for (const each of this.#list) each.cut(end);
    this.#list = this.#list.filter((each) => each.bytes.length > 0);
  }
}
