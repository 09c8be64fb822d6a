/** Rows of the database: their CRC-32s, and how they are read back. @module */
import type { DatabaseSync } from "node:sqlite";
import { encodeText, toHex, Writer } from "../../base/bytes.ts";
import { crc32 } from "../../base/checksum.ts";
import type {
  StoredEntry,
  StoredLocks,
  StoredRecovery,
  StoredRequest,
  StoredRow,
} from "../ports.ts";

/** Damage, in words: for `DatabasePort.open`. */
export class Damage extends Error {
  override readonly name = "Damage";
}

/** A row as SQLite gives it. */
type Row = Record<string, unknown>;

/** The one row of `meta`. */
export interface Meta {
  term: number;
  vote: number;
  diverged: boolean;
  applied: number;
  appliedTerm: number;
  stateCrc: number;
  base: number;
  baseTerm: number;
  baseChain: number;
  specIndex: number;
  spec: Uint8Array | null;
  /** No transaction after this index is missing in the history. */
  since: number;
  /** Content hash of tree and locks, as memory had it; null where it was not kept. */
  content: number | null;
}

export const EMPTY_META: Meta = {
  ...{ term: 0, vote: 0, diverged: false, applied: 0, appliedTerm: 0, stateCrc: 0 },
  ...{ base: 0, baseTerm: 0, baseChain: 0, specIndex: 0, spec: null, since: 0 },
  content: 0,
};

/** Reads the row of `meta`; null on a new database. */
export function readMeta(database: DatabaseSync): Meta | null {
  const row = database.prepare("SELECT * FROM meta").get();
  if (row === undefined) return null;
  const meta: Meta = {
    term: Number(row.term),
    vote: Number(row.vote),
    diverged: row.diverged === 1,
    applied: Number(row.applied),
    appliedTerm: Number(row.applied_term),
    stateCrc: Number(row.state_crc),
    base: Number(row.base),
    baseTerm: Number(row.base_term),
    baseChain: Number(row.base_chain),
    specIndex: Number(row.spec_index),
    spec: row.spec === null ? null : bytesOf(row.spec),
    since: Number(row.since),
    // Before form 5 there was none.
    content: typeof row.content === "number" ? row.content : null,
  };
  const crc = row.content === undefined ? metaCrcOfForm4(meta) : metaCrc(meta);
  if (crc !== row.crc) throw new Damage("the row of term and vote fails its CRC-32");
  return meta;
}

/** The one row of `origin`. */
export interface Origin {
  /** 32 hex digits. */
  readonly uuid: string;
  readonly opens: number;
  readonly recovery: StoredRecovery | null;
}

/** That of a new database. */
export function freshOrigin(recovery: StoredRecovery | null = null): Origin {
  return { uuid: toHex(crypto.getRandomValues(new Uint8Array(16))), opens: 0, recovery };
}

/** Reads the row of `origin`. */
export function readOrigin(database: DatabaseSync): Origin {
  const row = database.prepare("SELECT * FROM origin").get() ?? {};
  const nonce = Number(row.nonce);
  const recovery = nonce === 0 ? null : { nonce, known: row.known === 1, why: String(row.why) };
  const origin = { uuid: String(row.uuid), opens: Number(row.opens), recovery };
  if (originCrc(origin) !== row.crc) throw new Damage("the row of its origin fails its CRC-32");
  return origin;
}

/** The log behind its base, checked to have no gap and to reach the applied index. */
export function readEntries(database: DatabaseSync, { base, applied }: Meta): StoredEntry[] {
  const entries: StoredEntry[] = [];
  const rows = database.prepare("SELECT * FROM log WHERE idx > ? ORDER BY idx");
  let next = base + 1;
  for (const row of rows.iterate(base)) {
    const entry = entryFrom(row);
    if (entry.index !== next) throw new Damage(`log entry ${next} is missing`);
    next++;
    entries.push(entry);
  }
  if (applied < base || applied >= next) {
    throw new Damage(`entry ${applied} is applied, the log is from ${base + 1} to ${next - 1}`);
  }
  return entries;
}

/** A row of the log; throws {@link Damage} where it is not what was written. */
export function entryFrom(row: Row): StoredEntry {
  const entry = { index: Number(row.idx), term: Number(row.term), body: bytesOf(row.body) };
  if (entryCrc(entry) !== row.crc) throw new Damage(`log entry ${entry.index} fails its CRC-32`);
  return entry;
}

/** The tree, every row checked. */
export function readTree(database: DatabaseSync): StoredRow[] {
  const rows: StoredRow[] = [];
  for (const each of database.prepare("SELECT * FROM tree ORDER BY ino").iterate()) {
    rows.push(rowFrom(each));
  }
  return rows;
}

/** A row of the tree; throws {@link Damage} where it is not what was written. */
export function rowFrom(each: Row): StoredRow {
  const row: StoredRow = {
    ino: Number(each.ino),
    parent: Number(each.parent),
    name: String(each.name),
    kind: each.kind === "directory" ? "directory" : "file",
    mtime: Number(each.mtime),
    version: Number(each.version),
    writer: Number(each.writer),
    data: bytesOf(each.data),
  };
  if (rowCrc(row) !== each.crc) {
    throw new Damage(`tree row ${row.ino} ("${row.name}") fails its CRC-32`);
  }
  return row;
}

/** What is remembered of requests (in form 1: the whole history), in log order. */
export function readRequests(
  database: DatabaseSync,
  table: "request" | "history",
): StoredRequest[] {
  const requests: StoredRequest[] = [];
  for (const row of database.prepare(`SELECT * FROM ${table} ORDER BY idx`).iterate()) {
    requests.push(requestFrom(row));
  }
  return requests;
}

/** A remembered request; throws {@link Damage} where it is not what was written. */
export function requestFrom(row: Row): StoredRequest {
  const each: StoredRequest = {
    index: Number(row.idx),
    request: String(row.request),
    problem: String(row.problem),
    why: String(row.why),
  };
  if (requestCrc(each) !== row.crc) throw new Damage(`request ${each.index} fails its CRC-32`);
  return each;
}

/** All locks, every row checked. */
export function readLocks(database: DatabaseSync): StoredLocks[] {
  const rows = database.prepare("SELECT * FROM locks ORDER BY key").all();
  return rows.map(locksFrom);
}

/** The locks of one inode; throws {@link Damage} where they are not what was written. */
export function locksFrom(row: Row): StoredLocks {
  const each = { key: Number(row.key), body: bytesOf(row.body) };
  if (locksCrc(each) !== row.crc) throw new Damage(`locks of ${each.key} fail their CRC-32`);
  return each;
}

/** A column that holds bytes. */
export function bytesOf(value: unknown): Uint8Array {
  return value instanceof Uint8Array ? value : new Uint8Array(0);
}

export function metaCrc(meta: Meta): number {
  return crcOf([meta.content ?? -1, metaCrcOfForm4(meta)]);
}

/** As forms 2 to 4 had it. */
export function metaCrcOfForm4(meta: Meta): number {
  const { term, vote, diverged, applied, appliedTerm, stateCrc } = meta;
  const { base, baseTerm, baseChain, specIndex, spec, since } = meta;
  return crcOf(
    [
      ...[term, vote, diverged ? 1 : 0, applied, appliedTerm, stateCrc],
      ...[base, baseTerm, baseChain, specIndex, spec === null ? 0 : 1, since],
    ],
    [],
    spec ?? undefined,
  );
}

export function originCrc({ uuid, opens, recovery }: Origin): number {
  const { nonce = 0, known = true, why = "" } = recovery ?? {};
  return crcOf([opens, nonce, known ? 1 : 0], [uuid, why]);
}

export function entryCrc({ index, term, body }: StoredEntry): number {
  return crcOf([index, term], [], body);
}

export function rowCrc(
  { ino, parent, name, kind, mtime, version, writer, data }: StoredRow,
): number {
  return crcOf([ino, parent, mtime, version, writer], [name, kind], data);
}

export function locksCrc({ key, body }: StoredLocks): number {
  return crcOf([key], [], body);
}

export function requestCrc({ index, request, problem, why }: StoredRequest): number {
  return crcOf([index], [request, problem, why]);
}

/** CRC-32 of a row's values. Every number as f64, for what is read back may be anything. */
export function crcOf(
  numbers: readonly number[],
  texts: readonly string[] = [],
  bytes: Uint8Array = new Uint8Array(0),
): number {
  const writer = new Writer(128);
  for (const number of numbers) writer.f64(number);
  for (const text of texts) {
    const encoded = encodeText(text);
    writer.f64(encoded.length).bytes(encoded);
  }
  return crc32(bytes, crc32(writer.finish()));
}
