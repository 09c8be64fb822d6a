/**
 * C structures from one description, for every machine that pentad runs on: x86-64 and arm64 are
 * both LP64 and little-endian, and give each field its natural alignment (System V ABI, AAPCS64).
 *
 * @module
 */
import { assert } from "../../base/assert.ts";

/** A field's type; a pointer is as wide as u64. */
export type CType = "u8" | "i8" | "u16" | "i32" | "u32" | "u64" | "pointer";
/** A structure's fields, in order. */
export type CFields = Readonly<Record<string, CType>>;

/** What a field holds: 64-bit numbers are bigint. */
type CValue<T extends CType> = T extends "u64" | "pointer" ? bigint : number;
/** What a structure holds. */
export type CValues<F extends CFields> = { [Name in keyof F]: CValue<F[Name]> };

const SIZES: Readonly<Record<CType, number>> = {
  ...{ u8: 1, i8: 1, u16: 2, i32: 4, u32: 4, u64: 8, pointer: 8 },
};

/** A structure's layout. */
export class CStruct<const F extends CFields> {
  readonly sizeBytes: number;
  readonly offsets: Readonly<Record<keyof F, number>>;
  readonly #fields: F;

  constructor(fields: F) {
    this.#fields = fields;
    const offsets: Partial<Record<keyof F, number>> = {};
    let at = 0;
    let widest = 1;
    for (const [name, type] of Object.entries(fields)) {
      const size = SIZES[type];
      at = Math.ceil(at / size) * size;
      offsets[name as keyof F] = at;
      at += size;
      widest = Math.max(widest, size);
    }
    this.offsets = offsets as Record<keyof F, number>;
    this.sizeBytes = Math.ceil(at / widest) * widest;
  }

  /** Bytes of a structure; fields that are not named, and padding, are zero. */
  encode(values: Partial<CValues<F>>): Uint8Array<ArrayBuffer> {
    const bytes = new Uint8Array(this.sizeBytes);
    const view = new DataView(bytes.buffer);
    for (const [name, value] of Object.entries(values)) {
      const at = this.offsets[name];
      assert(at !== undefined, `"${name}" is a field`);
      put(view, at, this.#fields[name] as CType, value as number | bigint);
    }
    return bytes;
  }

  /** The value of one field. */
  get<N extends keyof F>(bytes: Uint8Array, name: N): CValue<F[N]> {
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    return take(view, this.offsets[name], this.#fields[name] as CType) as CValue<F[N]>;
  }
}

function put(view: DataView, at: number, type: CType, value: number | bigint): void {
  switch (type) {
    case "u8":
      return view.setUint8(at, Number(value));
    case "i8":
      return view.setInt8(at, Number(value));
    case "u16":
      return view.setUint16(at, Number(value), true);
    case "i32":
      return view.setInt32(at, Number(value), true);
    case "u32":
      return view.setUint32(at, Number(value), true);
    case "u64":
    case "pointer":
      return view.setBigUint64(at, BigInt(value), true);
  }
}

function take(view: DataView, at: number, type: CType): number | bigint {
  switch (type) {
    case "u8":
      return view.getUint8(at);
    case "i8":
      return view.getInt8(at);
    case "u16":
      return view.getUint16(at, true);
    case "i32":
      return view.getInt32(at, true);
    case "u32":
      return view.getUint32(at, true);
    case "u64":
    case "pointer":
      return view.getBigUint64(at, true);
  }
}
