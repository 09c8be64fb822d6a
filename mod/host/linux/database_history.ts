/**
 * The history in the database: applied transactions with what was before them, bounded by bytes and
 * by age. It is for people; nothing of it is read at start, and damage in it stops no node.
 *
 * @module
 */
import type { DatabaseSync, StatementSync } from "node:sqlite";
import { crc32 } from "../../base/checksum.ts";
import { encode } from "../../base/schema.ts";
import type { HistoryAsk, HistoryPage, HistoryRecord, StoredHistory } from "../ports.ts";
import { historyCrc, HistoryReader, UNDO } from "./database_history_rows.ts";
import { bytesOf } from "./database_rows.ts";

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
    Record<"body" | "oldest" | "drop" | "clear", StatementSync>
  >;
  readonly #reader: HistoryReader;
  #bytes: number;
  #count: number;

  constructor(database: DatabaseSync, limits: HistoryLimits) {
    this.#limits = limits;
    this.#put = putHistory(database);
    this.#reader = new HistoryReader(database);
    const size = "length(body) + coalesce(length(undo), 0)";
    this.#sql = {
      body: database.prepare("SELECT body FROM log WHERE idx = ?"),
      oldest: database.prepare(
        `SELECT idx, stored_at, ${size} AS size FROM history ORDER BY idx LIMIT 1`,
      ),
      drop: database.prepare("DELETE FROM history WHERE idx = ?"),
      clear: database.prepare("DELETE FROM history"),
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
  read(ask: HistoryAsk): Omit<HistoryPage, "since"> {
    return this.#reader.page(ask);
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
