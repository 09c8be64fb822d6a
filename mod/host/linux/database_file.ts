/**
 * The database of stream 2 in SQLite: the file itself, synchronous. Runs in a Worker.
 *
 * WAL with `synchronous=FULL`: a transaction is on the disk when COMMIT returns. Every row carries a
 * CRC-32 of its values, checked at start. A row that is missing altogether shows as a gap in the log
 * or in the state's own CRC, which the core compares with its peers'.
 *
 * @module
 */
import { DatabaseSync, type StatementSync } from "node:sqlite";
import { Writer } from "../../base/bytes.ts";
import { crc32 } from "../../base/checksum.ts";
import type {
  DatabaseBatch,
  DatabaseContent,
  StoredEntry,
  StoredHistory,
  StoredRow,
} from "../ports.ts";

/** Form of the tables, in `user_version`. */
const FORM = 1;
/** History of this many log indexes is kept. */
const HISTORY_INDEXES_MAX = 1_000_000;

const SCHEMA = `
  CREATE TABLE IF NOT EXISTS meta (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    term INTEGER NOT NULL, vote INTEGER NOT NULL,
    applied INTEGER NOT NULL, applied_term INTEGER NOT NULL, state_crc INTEGER NOT NULL,
    crc INTEGER NOT NULL
  ) STRICT;
  CREATE TABLE IF NOT EXISTS log (
    idx INTEGER PRIMARY KEY, term INTEGER NOT NULL, body BLOB NOT NULL, crc INTEGER NOT NULL
  ) STRICT;
  CREATE TABLE IF NOT EXISTS tree (
    ino INTEGER PRIMARY KEY, parent INTEGER NOT NULL, name TEXT NOT NULL, kind TEXT NOT NULL,
    mtime REAL NOT NULL, version INTEGER NOT NULL, writer INTEGER NOT NULL,
    data BLOB NOT NULL, crc INTEGER NOT NULL
  ) STRICT;
  CREATE TABLE IF NOT EXISTS history (
    idx INTEGER PRIMARY KEY, request TEXT NOT NULL, problem TEXT NOT NULL, why TEXT NOT NULL,
    crc INTEGER NOT NULL
  ) STRICT;
  PRAGMA user_version = ${FORM};
`;

interface Meta {
  term: number;
  vote: number;
  applied: number;
  appliedTerm: number;
  stateCrc: number;
}

/** Damage, in words: for `DatabasePort.open`. */
class Damage extends Error {
  override readonly name = "Damage";
}

/** An open database. */
export class DatabaseFile {
  readonly #database: DatabaseSync;
  readonly #statements: Statements;
  readonly #meta: Meta;

  private constructor(database: DatabaseSync, meta: Meta) {
    this.#database = database;
    this.#meta = meta;
    this.#statements = prepare(database);
  }

  /** Opens or makes the file and reads all of it. */
  static open(
    path: string,
  ): { readonly file: DatabaseFile; readonly content: DatabaseContent } | {
    readonly damaged: string;
  } {
    let database: DatabaseSync | null = null;
    try {
      database = new DatabaseSync(path);
      begin(database);
      const meta = readMeta(database);
      const content = readContent(database, meta);
      return { file: new DatabaseFile(database, meta), content };
    } catch (error) {
      database?.close();
      return { damaged: error instanceof Error ? error.message : String(error) };
    }
  }

  /** One durable transaction. Throws where it did not happen; the file must not be used after it. */
  commit(batch: DatabaseBatch): void {
    const { cutLog, putMeta } = this.#statements;
    this.#database.exec("BEGIN IMMEDIATE");
    if (batch.truncateFrom !== undefined) cutLog.run(batch.truncateFrom);
    for (const entry of batch.entries ?? []) this.#putEntry(entry);
    if (batch.hardState) Object.assign(this.#meta, batch.hardState);
    if (batch.applied) this.#apply(batch.applied);
    if (batch.hardState ?? batch.applied) {
      const { term, vote, applied, appliedTerm, stateCrc } = this.#meta;
      putMeta.run(term, vote, applied, appliedTerm, stateCrc, metaCrc(this.#meta));
    }
    this.#database.exec("COMMIT");
  }

  close(): void {
    this.#database.close();
  }

  #putEntry(entry: StoredEntry): void {
    const { index, term, body } = entry;
    this.#statements.putEntry.run(index, term, body, entryCrc(entry));
  }

  #apply(applied: NonNullable<DatabaseBatch["applied"]>): void {
    const { removeRow, putRow, putHistory, cutHistory } = this.#statements;
    const { index, term, stateCrc } = applied;
    Object.assign(this.#meta, { applied: index, appliedTerm: term, stateCrc });
    for (const ino of applied.removed) removeRow.run(ino);
    for (const row of applied.rows) {
      const { ino, parent, name, kind, mtime, version, writer, data } = row;
      putRow.run(ino, parent, name, kind, mtime, version, writer, data, rowCrc(row));
    }
    for (const each of applied.history) {
      putHistory.run(each.index, each.request, each.problem, each.why, historyCrc(each));
    }
    if (applied.history.length > 0) cutHistory.run(index - HISTORY_INDEXES_MAX);
  }
}

type Statements = Readonly<
  Record<
    "cutLog" | "putEntry" | "putMeta" | "putRow" | "removeRow" | "putHistory" | "cutHistory",
    StatementSync
  >
>;

function prepare(database: DatabaseSync): Statements {
  return {
    cutLog: database.prepare("DELETE FROM log WHERE idx >= ?"),
    putEntry: database.prepare("INSERT OR REPLACE INTO log VALUES (?, ?, ?, ?)"),
    putMeta: database.prepare("INSERT OR REPLACE INTO meta VALUES (1, ?, ?, ?, ?, ?, ?)"),
    putRow: database.prepare("INSERT OR REPLACE INTO tree VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"),
    removeRow: database.prepare("DELETE FROM tree WHERE ino = ?"),
    putHistory: database.prepare("INSERT OR REPLACE INTO history VALUES (?, ?, ?, ?, ?)"),
    cutHistory: database.prepare("DELETE FROM history WHERE idx <= ?"),
  };
}

function begin(database: DatabaseSync): void {
  const form = database.prepare("PRAGMA user_version").get()?.user_version;
  if (form !== 0 && form !== FORM) {
    throw new Damage(`it has form ${String(form)}, this pentad reads ${FORM}`);
  }
  database.exec("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;");
  if (form === 0) database.exec(`BEGIN; ${SCHEMA} COMMIT;`);
  const [verdict] = Object.values(database.prepare("PRAGMA quick_check(1)").get() ?? {});
  if (verdict !== "ok") throw new Damage(`SQLite says: ${String(verdict)}`);
}

function readMeta(database: DatabaseSync): Meta {
  const row = database.prepare("SELECT * FROM meta").get();
  if (row === undefined) return { term: 0, vote: 0, applied: 0, appliedTerm: 0, stateCrc: 0 };
  const meta: Meta = {
    term: Number(row.term),
    vote: Number(row.vote),
    applied: Number(row.applied),
    appliedTerm: Number(row.applied_term),
    stateCrc: Number(row.state_crc),
  };
  if (metaCrc(meta) !== row.crc) throw new Damage("the row of term and vote fails its CRC-32");
  return meta;
}

function readContent(database: DatabaseSync, meta: Meta): DatabaseContent {
  const { term, vote, applied, appliedTerm, stateCrc } = meta;
  return {
    term,
    vote,
    entries: readEntries(database),
    applied: { index: applied, term: appliedTerm, stateCrc },
    rows: readTree(database),
    history: readHistory(database),
  };
}

function readEntries(database: DatabaseSync): StoredEntry[] {
  const entries: StoredEntry[] = [];
  for (const row of database.prepare("SELECT * FROM log ORDER BY idx").iterate()) {
    const entry = { index: Number(row.idx), term: Number(row.term), body: bytesOf(row.body) };
    if (entryCrc(entry) !== row.crc) {
      throw new Damage(`log entry ${entry.index} fails its CRC-32`);
    }
    const before = entries.at(-1);
    if (before !== undefined && entry.index !== before.index + 1) {
      throw new Damage(`log entry ${before.index + 1} is missing`);
    }
    entries.push(entry);
  }
  return entries;
}

function readTree(database: DatabaseSync): StoredRow[] {
  const rows: StoredRow[] = [];
  for (const each of database.prepare("SELECT * FROM tree ORDER BY ino").iterate()) {
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
    rows.push(row);
  }
  return rows;
}

function readHistory(database: DatabaseSync): StoredHistory[] {
  const history: StoredHistory[] = [];
  for (const row of database.prepare("SELECT * FROM history ORDER BY idx").iterate()) {
    const each: StoredHistory = {
      index: Number(row.idx),
      request: String(row.request),
      problem: String(row.problem),
      why: String(row.why),
    };
    if (historyCrc(each) !== row.crc) throw new Damage(`history ${each.index} fails its CRC-32`);
    history.push(each);
  }
  return history;
}

function bytesOf(value: unknown): Uint8Array {
  return value instanceof Uint8Array ? value : new Uint8Array(0);
}

function metaCrc({ term, vote, applied, appliedTerm, stateCrc }: Meta): number {
  return crcOf([term, vote, applied, appliedTerm, stateCrc]);
}

function entryCrc({ index, term, body }: StoredEntry): number {
  return crcOf([index, term], [], body);
}

function rowCrc({ ino, parent, name, kind, mtime, version, writer, data }: StoredRow): number {
  return crcOf([ino, parent, mtime, version, writer], [name, kind], data);
}

function historyCrc({ index, request, problem, why }: StoredHistory): number {
  return crcOf([index], [request, problem, why]);
}

/** CRC-32 of a row's values. Every number as f64, for what is read back may be anything. */
function crcOf(
  numbers: readonly number[],
  texts: readonly string[] = [],
  bytes: Uint8Array = new Uint8Array(0),
): number {
  const writer = new Writer(128);
  for (const number of numbers) writer.f64(number);
  const encoder = new TextEncoder();
  for (const text of texts) {
    const encoded = encoder.encode(text);
    writer.f64(encoded.length).bytes(encoded);
  }
  return crc32(bytes, crc32(writer.finish()));
}
