/**
 * A state as few objects, for the way to the database's thread: to hand over hundreds of thousands
 * of small texts and byte strings one by one would take longer than a lease.
 *
 * @module
 */
import type { StoredRequest, StoredRow } from "../ports.ts";

/** Many texts as one. */
interface PackedTexts {
  /** Of each, in UTF-16 units. */
  readonly lengths: Float64Array<ArrayBuffer>;
  readonly text: string;
}

/** Rows in a form that crosses to another thread at once. */
export interface PackedRows {
  /** {@link NUMBERS} for each row. */
  readonly numbers: Float64Array<ArrayBuffer>;
  readonly names: PackedTexts;
  /** All contents, one after the other. */
  readonly data: Uint8Array<ArrayBuffer>;
}

/** Requests in such a form: three texts for each. */
export interface PackedRequests {
  readonly indexes: Float64Array<ArrayBuffer>;
  readonly texts: PackedTexts;
}

/** What of a state is long. */
export interface PackedState {
  readonly rows: PackedRows;
  readonly requests: PackedRequests;
}

/** ino, parent, 1 for a directory, mtime, version, writer, length of the content. */
const NUMBERS = 7;

/** Packs rows; shares no memory with them. */
export function packRows(rows: readonly StoredRow[]): PackedRows {
  const size = rows.reduce((sum, { data }) => sum + data.length, 0);
  const numbers = new Float64Array(NUMBERS * rows.length);
  const data = new Uint8Array(size);
  let end = 0;
  rows.forEach((row, at) => {
    const { ino, parent, kind, mtime, version, writer } = row;
    const directory = kind === "directory" ? 1 : 0;
    const values = [ino, parent, directory, mtime, version, writer, row.data.length];
    numbers.set(values, NUMBERS * at);
    data.set(row.data, end);
    end += row.data.length;
  });
  return { numbers, names: packTexts(rows.map(({ name }) => name)), data };
}

/** The rows again, one at a time; their contents are views on the packed ones. */
export function* unpackRows({ numbers, names, data }: PackedRows): Iterable<StoredRow> {
  let at = 0;
  let start = 0;
  for (const name of unpackTexts(names)) {
    const [ino, parent, directory, mtime, version, writer, length] = numbers.subarray(
      at,
      at += NUMBERS,
    ) as unknown as [number, number, number, number, number, number, number];
    const kind = directory === 1 ? "directory" as const : "file" as const;
    const content = data.subarray(start, start += length);
    yield { ino, parent, name, kind, mtime, version, writer, data: content };
  }
}

/** Packs requests. */
export function packRequests(requests: readonly StoredRequest[]): PackedRequests {
  const texts: string[] = [];
  for (const { request, problem, why } of requests) texts.push(request, problem, why);
  const indexes = Float64Array.from(requests, ({ index }) => index);
  return { indexes, texts: packTexts(texts) };
}

/** The requests again, one at a time. */
export function* unpackRequests({ indexes, texts }: PackedRequests): Iterable<StoredRequest> {
  const all = unpackTexts(texts);
  const next = (): string => all.next().value ?? "";
  for (const index of indexes) {
    yield { index, request: next(), problem: next(), why: next() };
  }
}

function packTexts(texts: readonly string[]): PackedTexts {
  return { lengths: Float64Array.from(texts, ({ length }) => length), text: texts.join("") };
}

function* unpackTexts({ lengths, text }: PackedTexts): Generator<string, undefined> {
  let start = 0;
  for (const length of lengths) yield text.slice(start, start += length);
}
