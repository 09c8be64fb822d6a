/** Reading the history's table: rows, pages, and what makes a row whole. @module */
import type { DatabaseSync, StatementSync } from "node:sqlite";
import { crc32 } from "../../base/checksum.ts";
import {
  bytes,
  choice,
  decode,
  f64,
  type Infer,
  list,
  option,
  struct,
  text,
  u16,
  u64,
} from "../../base/schema.ts";
import type { HistoryAsk, HistoryPage, HistoryRecord, UndoRow } from "../ports.ts";
import { bytesOf, crcOf } from "./database_rows.ts";

/** Bytes of one page; a single longer record goes alone. */
const PAGE_BYTES_MAX = 1024 * 1024;

/** As `config/wire.ts` bounds a path. */
const PATH_BYTES_MAX = 4096;

/** How an undo record lies in its column. */
export const UNDO = list(
  struct({
    ino: u64,
    path: text(PATH_BYTES_MAX),
    before: option(struct({
      ino: u64,
      parent: u64,
      name: text(255),
      kind: choice(["file", "directory"]),
      mtime: f64,
      version: u64,
      writer: u16,
      data: bytes(2 ** 31),
    })),
  }),
  0xffff,
);
/** Proves that layout and type agree. */
type Same = Infer<typeof UNDO> extends readonly UndoRow[] ? true : never;
const _same: Same = true;

/** A row as SQLite gives it. */
type Row = Record<string, unknown>;

/** See the module's note. Everything throws where a row cannot be read or fails its CRC-32. */
export class HistoryReader {
  readonly #sql: Readonly<Record<"oldest" | "bare" | "full" | "bareUp" | "fullUp", StatementSync>>;

  constructor(database: DatabaseSync) {
    const bare = "SELECT idx, term, stored_at, request, problem, why, body, crc";
    const full = `${bare}, undo, undo_crc`;
    const range = "FROM history WHERE idx > ? AND idx < ? ORDER BY idx";
    this.#sql = {
      oldest: database.prepare("SELECT min(idx) AS idx FROM history"),
      bare: database.prepare(`${bare} ${range} DESC LIMIT ?`),
      full: database.prepare(`${full} ${range} DESC LIMIT ?`),
      bareUp: database.prepare(`${bare} ${range} LIMIT ?`),
      fullUp: database.prepare(`${full} ${range} LIMIT ?`),
    };
  }

  /** The oldest transaction that is kept; null where there is none. */
  oldest(): number | null {
    const { idx = null } = this.#sql.oldest.get() ?? {};
    return idx === null ? null : Number(idx);
  }

  /** One record after the other; throws at a damaged one. */
  *records(ask: HistoryAsk): Generator<HistoryRecord> {
    for (const row of this.#rows(ask)) yield recordOf(row);
  }

  /** The same, with what is damaged named in its place. */
  *recordsOrDamage(ask: HistoryAsk): Generator<HistoryRecord | DamagedRecord> {
    for (const row of this.#rows(ask)) yield tryRecord(row);
  }

  *#rows({ below, from, limit, undo, oldestFirst = false }: HistoryAsk): Generator<Row> {
    const { bare, full, bareUp, fullUp } = this.#sql;
    const statement = oldestFirst ? undo ? fullUp : bareUp : undo ? full : bare;
    const top = Math.min(below, Number.MAX_SAFE_INTEGER);
    yield* statement.iterate(from, top, limit);
  }

  /** As many of them as one page takes; a damaged one is named, and hides no other. */
  page(ask: HistoryAsk): Omit<HistoryPage, "since"> {
    const oldest = this.oldest();
    const records: HistoryRecord[] = [];
    const damaged: DamagedRecord[] = [];
    let size = 0;
    for (const read of this.recordsOrDamage({ ...ask, limit: ask.limit + 1 })) {
      size += "body" in read ? sizeOf(read) : 0;
      const seen = records.length + damaged.length;
      if (seen === ask.limit || (seen > 0 && size > PAGE_BYTES_MAX)) {
        return { records, more: true, oldest, ...(damaged.length > 0 && { damaged }) };
      }
      if ("body" in read) records.push(read);
      else damaged.push(read);
    }
    return { records, more: false, oldest, ...(damaged.length > 0 && { damaged }) };
  }

  /** Checks the rows behind an index, with their undo records, up to so many or so long. */
  check(after: number, rowsMax: number, bytesMax: number): CheckedRows {
    const damaged: DamagedRecord[] = [];
    const ask = { from: after, below: Number.MAX_SAFE_INTEGER, limit: rowsMax };
    let [rows, bytes, last] = [0, 0, after];
    for (const row of this.#rows({ ...ask, undo: true, oldestFirst: true })) {
      const read = tryRecord(row);
      if (!("body" in read)) damaged.push(read);
      rows++;
      last = Number(row.idx);
      bytes += bytesOf(row.body).length + bytesOf(row.undo).length;
      if (bytes >= bytesMax) break;
    }
    return { rows, last, damaged, more: rows === rowsMax || bytes >= bytesMax };
  }
}

/** A transaction of the history that is not what was written. */
export interface DamagedRecord {
  readonly index: number;
  readonly why: string;
}

/** Some rows that were checked. */
export interface CheckedRows {
  readonly rows: number;
  /** Index of the last. */
  readonly last: number;
  readonly damaged: readonly DamagedRecord[];
  /** There may be more behind it. */
  readonly more: boolean;
}

function tryRecord(row: Row): HistoryRecord | DamagedRecord {
  try {
    return recordOf(row);
  } catch (error) {
    return { index: Number(row.idx), why: error instanceof Error ? error.message : String(error) };
  }
}

function sizeOf({ body, undo }: HistoryRecord): number {
  let size = body.length;
  for (const { path, before } of undo ?? []) size += path.length + (before?.data.length ?? 0);
  return size;
}

function recordOf(row: Row): HistoryRecord {
  const undo = row.undo instanceof Uint8Array ? decode(UNDO, row.undo) : null;
  const record: HistoryRecord = {
    index: Number(row.idx),
    term: Number(row.term),
    request: String(row.request),
    problem: String(row.problem),
    why: String(row.why),
    body: bytesOf(row.body),
    undo,
  };
  const whole = historyCrc(record, Number(row.stored_at)) === row.crc &&
    (row.undo_crc === undefined || crc32(bytesOf(row.undo)) === row.undo_crc);
  if (!whole) throw new Error(`History ${record.index} fails its CRC-32`);
  return record;
}

/** CRC-32 of a record without its undo record, which has one of its own. */
export function historyCrc(record: HistoryRecord, storedAt: number): number {
  const { index, term, request, problem, why, body } = record;
  return crcOf([index, term, storedAt], [request, problem, why], body);
}
