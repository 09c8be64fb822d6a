/**
 * The history in the database: applied transactions with what was before them, bounded by bytes and
 * by age. It is for people; nothing of it is read at start, and damage in it stops no node.
 *
 * @module
 */
import type { DatabaseSync, StatementSync } from "node:sqlite";
import { crc32 } from "../../base/checksum.ts";
import {
  bytes,
  choice,
  decode,
  encode,
  f64,
  type Infer,
  list,
  option,
  struct,
  text,
  u16,
  u64,
} from "../../base/schema.ts";
import type { HistoryAsk, HistoryPage, HistoryRecord, StoredHistory, UndoRow } from "../ports.ts";
import { bytesOf, crcOf } from "./database_rows.ts";

/** Bounds of the history. */
export interface HistoryLimits {
  /** Bytes of transactions and undo records together. */
  readonly bytes: number;
  /** Since it was applied here. */
  readonly seconds: number;
  /** So many of the newest do not fall to age: a clock that ran ahead for an hour costs nothing. */
  readonly kept: number;
}

const DAY_SECONDS = 24 * 60 * 60;
/** A year and some, as far as it fits 256 MiB. */
export const HISTORY_LIMITS: HistoryLimits = {
  bytes: 256 * 1024 * 1024,
  seconds: 400 * DAY_SECONDS,
  kept: 1000,
};
/** Rows that one commit deletes at most: more than it adds, so that the bound is reached. */
const PRUNE_MAX = 2048;
/** Bytes of one page; a single longer record goes alone. */
const PAGE_BYTES_MAX = 1024 * 1024;

const UNDO = list(
  struct({
    ino: u64,
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

/** A function that inserts one record, stored at a time in seconds since 1970. */
export function putHistory(
  database: DatabaseSync,
): (record: HistoryRecord, storedAt: number) => number {
  const put = database.prepare(
    "INSERT OR REPLACE INTO history VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
  );
  return (record, storedAt) => {
    const { index, term, request, problem, why, body, undo } = record;
    const before = undo === null ? null : encode(UNDO, undo);
    const crc = historyCrc(record, storedAt);
    put.run(
      ...[index, term, storedAt, request, problem, why, body, crc] as const,
      ...[before, crc32(before ?? new Uint8Array(0))] as const,
    );
    return body.length + (before?.length ?? 0);
  };
}

/** See the module's note. */
export class DatabaseHistory {
  readonly #limits: HistoryLimits;
  readonly #put: (record: HistoryRecord, storedAt: number) => number;
  readonly #sql: Readonly<
    Record<"body" | "oldest" | "drop" | "clear" | "bare" | "full", StatementSync>
  >;
  #bytes: number;
  #count: number;

  constructor(database: DatabaseSync, limits: HistoryLimits) {
    this.#limits = limits;
    this.#put = putHistory(database);
    const size = "length(body) + coalesce(length(undo), 0)";
    const head = "idx, term, stored_at, request, problem, why, body, crc";
    const range = "FROM history WHERE idx > ? AND idx < ? ORDER BY idx DESC LIMIT ?";
    this.#sql = {
      body: database.prepare("SELECT body FROM log WHERE idx = ?"),
      oldest: database.prepare(
        `SELECT idx, stored_at, ${size} AS size FROM history ORDER BY idx LIMIT 1`,
      ),
      drop: database.prepare("DELETE FROM history WHERE idx = ?"),
      clear: database.prepare("DELETE FROM history"),
      bare: database.prepare(`SELECT ${head} ${range}`),
      full: database.prepare(`SELECT ${head}, undo, undo_crc ${range}`),
    };
    const sums = database.prepare(`SELECT count(*) AS rows, sum(${size}) AS bytes FROM history`);
    const { rows, bytes: sum } = sums.get() ?? {};
    this.#count = Number(rows ?? 0);
    this.#bytes = Number(sum ?? 0);
  }

  /**
   * Adds transactions whose entries are in the log, and drops what is too old or too much. Returns
   * the index up to which something was dropped; 0 for nothing. Within the caller's transaction.
   */
  add(added: readonly StoredHistory[], nowSeconds: number): number {
    for (const each of added) {
      const entry = this.#sql.body.get(each.index);
      if (entry === undefined) throw new Error(`Entry ${each.index} is applied and not in the log`);
      this.#bytes += this.#put({ ...each, body: bytesOf(entry.body) }, nowSeconds);
      this.#count++;
    }
    return added.length === 0 ? 0 : this.#prune(nowSeconds);
  }

  /** Forgets all of it. */
  clear(): void {
    this.#sql.clear.run();
    this.#bytes = 0;
    this.#count = 0;
  }

  /** One page. Throws where it cannot be read or fails its CRC-32. */
  read({ below, from, limit, undo }: HistoryAsk): Omit<HistoryPage, "since"> {
    const records: HistoryRecord[] = [];
    let size = 0;
    const top = Math.min(below, Number.MAX_SAFE_INTEGER);
    const rows = (undo ? this.#sql.full : this.#sql.bare).iterate(from, top, limit + 1);
    for (const row of rows) {
      const record = recordOf(row);
      size += record.body.length + bytesOf(row.undo).length;
      if (records.length === limit || (records.length > 0 && size > PAGE_BYTES_MAX)) {
        return { records, more: true };
      }
      records.push(record);
    }
    return { records, more: false };
  }

  #prune(nowSeconds: number): number {
    let upTo = 0;
    for (let i = 0; i < PRUNE_MAX && this.#count > 0; i++) {
      const row = this.#sql.oldest.get();
      if (row === undefined) break;
      const old = Number(row.stored_at) < nowSeconds - this.#limits.seconds &&
        this.#count > this.#limits.kept;
      if (!old && this.#bytes <= this.#limits.bytes) break;
      upTo = Number(row.idx);
      this.#sql.drop.run(upTo);
      this.#bytes -= Number(row.size);
      this.#count--;
    }
    return upTo;
  }
}

function recordOf(row: Record<string, unknown>): HistoryRecord {
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

function historyCrc(record: HistoryRecord, storedAt: number): number {
  const { index, term, request, problem, why, body } = record;
  return crcOf([index, term, storedAt], [request, problem, why], body);
}
