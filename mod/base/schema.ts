/**
 * Wire layouts as data: encoder, decoder, TypeScript type (and later the packet dissector) come from
 * one description, so that they cannot disagree.
 *
 * ```ts
 * const ECHO = struct({ node: u16, boot: hex(4), seq: u64 });
 * type Echo = Infer<typeof ECHO>;
 * ```
 *
 * Decoding is total: damaged bytes give `null`, never an exception, and every list, text and byte
 * string has a bound that is checked before anything is allocated.
 *
 * @module
 */
import { assert } from "./assert.ts";
import { decodeName, encodeText, Reader, toHex, Writer } from "./bytes.ts";

/** One description of how a value lies on the wire. */
export interface Schema<T> {
  /** For the dissector and for messages: what shape this is. */
  readonly shape: Shape;
  write(writer: Writer, value: T): void;
  read(reader: Reader): T;
  /** Of a struct: reads its fields into an object that has others already. */
  into?(reader: Reader, value: Record<string, unknown>): T;
}

/** The shape of a schema, for programs that read layouts rather than values. */
export type Shape =
  | { readonly kind: "u8" | "u16" | "u32" | "u64" | "f64" | "bool" }
  | { readonly kind: "hex"; readonly length: number }
  | { readonly kind: "bytes" | "text"; readonly max: number }
  | { readonly kind: "choice"; readonly names: readonly string[] }
  | { readonly kind: "list"; readonly max: number; readonly item: Shape }
  | { readonly kind: "option"; readonly item: Shape }
  | { readonly kind: "struct"; readonly fields: readonly (readonly [string, Shape])[] }
  | { readonly kind: "union"; readonly cases: readonly (readonly [number, string, Shape])[] };

/** The TypeScript type that a schema describes. */
export type Infer<S> = S extends Schema<infer T> ? T : never;

export const u8: Schema<number> = {
  shape: { kind: "u8" },
  write: (writer, value) => writer.u8(value),
  read: (reader) => reader.u8(),
};
export const u16: Schema<number> = {
  shape: { kind: "u16" },
  write: (writer, value) => writer.u16(value),
  read: (reader) => reader.u16(),
};
export const u32: Schema<number> = {
  shape: { kind: "u32" },
  write: (writer, value) => writer.u32(value),
  read: (reader) => reader.u32(),
};
/** A counter up to 2^53 − 1, in eight bytes. */
export const u64: Schema<number> = {
  shape: { kind: "u64" },
  write: (writer, value) => writer.u64(value),
  read: (reader) => reader.u64(),
};
/** A finite IEEE 754 double; NaN and infinities are malformed. */
export const f64: Schema<number> = {
  shape: { kind: "f64" },
  write(writer, value) {
    if (!Number.isFinite(value)) assert(false, `${value} is finite`);
    writer.f64(value);
  },
  read(reader) {
    const value = reader.f64();
    if (Number.isFinite(value)) return value;
    reader.fail();
    return 0;
  },
};
/** One byte, 0 or 1. */
export const bool: Schema<boolean> = {
  shape: { kind: "bool" },
  write: (writer, value) => writer.u8(value ? 1 : 0),
  read(reader) {
    const value = reader.u8();
    if (value > 1) reader.fail();
    return value === 1;
  },
};

/** `length` bytes, as lower-case hex text. */
export function hex(length: number): Schema<string> {
  return {
    shape: { kind: "hex", length },
    write(writer, value) {
      const isFit = value.length === 2 * length && writer.hex(value);
      if (!isFit) assert(false, `"${value}" is ${length} bytes of hex`);
    },
    read(reader) {
      const bytes = reader.bytes(length);
      return reader.ok() ? toHex(bytes) : "0".repeat(2 * length);
    },
  };
}

/** Up to `max` bytes behind a u32 length. The value read is a view on the input. */
export function bytes(max: number): Schema<Uint8Array> {
  return {
    shape: { kind: "bytes", max },
    write(writer, value) {
      if (value.length > max) unfit(value.length, "bytes", max);
      writer.u32(value.length).bytes(value);
    },
    read(reader) {
      const length = reader.u32();
      if (length > max) reader.fail();
      return reader.bytes(reader.ok() ? length : 0);
    },
  };
}

/** UTF-8 text of up to `max` bytes behind a u16 length. */
export function text(max: number): Schema<string> {
  assert(max <= 0xffff, "A text's length fits u16");
  return {
    shape: { kind: "text", max },
    write(writer, value) {
      if (value.length <= max && writer.ascii(value)) return;
      const encoded = encodeText(value);
      if (encoded.length > max) unfit(encoded.length, "bytes of text", max);
      writer.u16(encoded.length).bytes(encoded);
    },
    read(reader) {
      const length = reader.u16();
      if (length > max) reader.fail();
      const decoded = decodeName(reader.bytes(reader.ok() ? length : 0));
      if (decoded === null) reader.fail();
      return decoded ?? "";
    },
  };
}

/** One byte that names one of `names` by its place. Names are only ever added at the end. */
export function choice<const N extends readonly string[]>(names: N): Schema<N[number]> {
  assert(names.length >= 1 && names.length <= 256, "A choice fits one byte");
  return {
    shape: { kind: "choice", names },
    write(writer, value) {
      const at = names.indexOf(value);
      if (at < 0) assert(false, `"${value}" is one of ${names.join(", ")}`);
      writer.u8(at);
    },
    read(reader) {
      const name = names[reader.u8()];
      if (name === undefined) reader.fail();
      return name ?? (names[0] as N[number]);
    },
  };
}

/** Up to `max` items behind a u16 count. */
export function list<T>(item: Schema<T>, max: number): Schema<readonly T[]> {
  assert(max <= 0xffff, "A list's count fits u16");
  return {
    shape: { kind: "list", max, item: item.shape },
    write(writer, value) {
      if (value.length > max) unfit(value.length, "items", max);
      writer.u16(value.length);
      for (const each of value) item.write(writer, each);
    },
    read(reader) {
      const count = reader.u16();
      if (count > max) reader.fail();
      const items: T[] = [];
      for (let i = 0; i < count && reader.ok(); i++) items.push(item.read(reader));
      return items;
    },
  };
}

/** A value or null, behind one byte. */
export function option<T>(item: Schema<T>): Schema<T | null> {
  return {
    shape: { kind: "option", item: item.shape },
    write(writer, value) {
      bool.write(writer, value !== null);
      if (value !== null) item.write(writer, value);
    },
    read: (reader) => bool.read(reader) ? item.read(reader) : null,
  };
}

type Fields = Readonly<Record<string, Schema<never>>>;
type StructOf<F> = { readonly [K in keyof F]: Infer<F[K]> };

/** Fields in the order in which they are written here. */
// deno-lint-ignore no-explicit-any -- a schema is invariant in T; the mapped type restores it
export function struct<F extends Readonly<Record<string, Schema<any>>>>(
  fields: F,
): Schema<StructOf<F>> {
  const entries = Object.entries(fields as unknown as Fields);
  const into = (reader: Reader, value: Record<string, unknown>): StructOf<F> => {
    for (const [name, field] of entries) value[name] = field.read(reader);
    return value as StructOf<F>;
  };
  return {
    shape: { kind: "struct", fields: entries.map(([name, field]) => [name, field.shape] as const) },
    write(writer, value) {
      for (const [name, field] of entries) {
        field.write(writer, (value as Readonly<Record<string, never>>)[name] as never);
      }
    },
    read: (reader) => into(reader, {}),
    into,
  };
}

/** The type of a {@link union}: each case's fields, and `kind` with the case's name. */
export type UnionOf<C extends Readonly<Record<string, readonly [number, unknown]>>> = {
  [K in keyof C & string]: { readonly kind: K } & Infer<C[K][1]>;
}[keyof C & string];

/**
 * One of several structs behind a one-byte tag. Tags are never given to another case. The case's name
 * is in the field `named`.
 */
// deno-lint-ignore no-explicit-any -- as for struct
export function union<C extends Readonly<Record<string, readonly [number, Schema<any>]>>>(
  cases: C,
  named = "kind",
): Schema<UnionOf<C>> {
  const entries = Object.entries(cases) as [string, readonly [number, Schema<never>]][];
  const byTag = new Map(entries.map(([name, [tag, schema]]) => [tag, { name, schema }]));
  assert(byTag.size === entries.length, "Tags of a union differ");
  return {
    shape: {
      kind: "union",
      cases: entries.map(([name, [tag, schema]]) => [tag, name, schema.shape] as const),
    },
    write(writer, value) {
      const found = cases[(value as Readonly<Record<string, string>>)[named] ?? ""];
      assert(found !== undefined, "A union's case is known");
      writer.u8(found[0]);
      found[1].write(writer, value);
    },
    read(reader) {
      const found = byTag.get(reader.u8());
      if (found === undefined) {
        reader.fail();
        return { [named]: entries[0]?.[0] } as UnionOf<C>;
      }
      const value: Record<string, unknown> = { [named]: found.name };
      const { schema } = found;
      if (schema.into === undefined) Object.assign(value, schema.read(reader) as object);
      else schema.into(reader, value);
      return value as UnionOf<C>;
    },
  };
}

/** Apart, so that the text is made only where it is needed. */
function unfit(length: number, what: string, max: number): never {
  assert(false, `${length} ${what} fit ${max}`);
}

/** A buffer that grew past this is not kept for the next value. */
const SPARE_BYTES_MAX = 64 * 1024;
/** Where the next value is written; null while one is. */
let spare: Writer | null = null;

/** Bytes of `value`. */
export function encode<T>(schema: Schema<T>, value: T): Uint8Array {
  const writer = spare ?? new Writer();
  // Should one value's schema encode another, or fail, it has this buffer for itself.
  spare = null;
  schema.write(writer, value);
  const bytes = writer.take();
  if (writer.capacity <= SPARE_BYTES_MAX) spare = writer;
  return bytes;
}

/** The value in `input`, or null where it is not exactly one value of this schema. */
export function decode<T>(schema: Schema<T>, input: Uint8Array): T | null {
  const reader = new Reader(input);
  const value = schema.read(reader);
  return reader.done() ? value : null;
}
