/**
 * The database of stream 2 in SQLite: the file itself, synchronous. Runs in a Worker.
 *
 * WAL with `synchronous=FULL`: a transaction is on the disk when COMMIT returns. Every row carries a
 * CRC-32 of its values, checked at start (of the history: when it is read). A row that is missing
 * altogether shows as a gap in the log or in the state's own CRC, which the core compares with its
 * peers'.
 *
 * @module
 */
import { DatabaseSync, type StatementSync } from "node:sqlite";
import type {
  DatabaseBatch,
  DatabaseContent,
  DatabaseInstall,
  HistoryAsk,
  HistoryPage,
  LogBase,
  StoredEntry,
  StoredLocks,
  StoredRequest,
  StoredRow,
  StoredSpec,
} from "../ports.ts";
import { bringToForm, putMeta } from "./database_form.ts";
import { DatabaseHistory, HISTORY_LIMITS, type HistoryLimits } from "./database_history.ts";
import {
  Damage,
  EMPTY_META,
  entryCrc,
  locksCrc,
  type Meta,
  readEntries,
  readLocks,
  readMeta,
  readRequests,
  readTree,
  requestCrc,
  rowCrc,
} from "./database_rows.ts";

/** The long part of a state to be installed, perhaps read only as it is written. */
export interface InstalledState {
  readonly rows: Iterable<StoredRow>;
  readonly requests: Iterable<StoredRequest>;
}

/** An open database. */
export class DatabaseFile {
  readonly #database: DatabaseSync;
  readonly #statements: Statements;
  readonly #history: DatabaseHistory;
  readonly #putMeta: (meta: Meta) => void;
  readonly #meta: Meta;

  private constructor(database: DatabaseSync, meta: Meta, limits: HistoryLimits) {
    this.#database = database;
    this.#meta = meta;
    this.#statements = prepare(database);
    this.#putMeta = putMeta(database);
    this.#history = new DatabaseHistory(database, limits);
  }

  /** Opens or makes the file and reads all of it but the history. */
  static open(
    path: string,
    limits: HistoryLimits = HISTORY_LIMITS,
  ): { readonly file: DatabaseFile; readonly content: DatabaseContent } | {
    readonly damaged: string;
  } {
    let database: DatabaseSync | null = null;
    try {
      database = new DatabaseSync(path);
      begin(database);
      const meta = readMeta(database) ?? { ...EMPTY_META };
      const content = readContent(database, meta);
      return { file: new DatabaseFile(database, meta, limits), content };
    } catch (error) {
      database?.close();
      return { damaged: error instanceof Error ? error.message : String(error) };
    }
  }

  /**
   * One durable transaction. Throws where it did not happen; the file must not be used after it.
   * `state` stands for rows and requests of one that is to be installed.
   */
  commit(batch: DatabaseBatch, state: InstalledState | undefined = batch.install): void {
    const { truncateFrom, entries, hardState, applied, compact, install } = batch;
    this.#database.exec("BEGIN IMMEDIATE");
    if (truncateFrom !== undefined) this.#statements.cutLog.run(truncateFrom);
    for (const entry of entries ?? []) this.#putEntry(entry);
    if (hardState) Object.assign(this.#meta, hardState);
    if (applied) this.#apply(applied);
    if (compact) this.#compact(compact.base, compact.spec);
    if (install && state) this.#install(install, state);
    if (hardState ?? applied ?? compact ?? install) this.#putMeta(this.#meta);
    this.#database.exec("COMMIT");
  }

  /** One page of the history, or why there is none. */
  history(ask: HistoryAsk): HistoryPage | { readonly failure: string } {
    try {
      return { ...this.#history.read(ask), since: this.#meta.since };
    } catch (error) {
      return { failure: error instanceof Error ? error.message : String(error) };
    }
  }

  close(): void {
    this.#database.close();
  }

  #putEntry(entry: StoredEntry): void {
    const { index, term, body } = entry;
    this.#statements.putEntry.run(index, term, body, entryCrc(entry));
  }

  #putRow(row: StoredRow): void {
    const { ino, parent, name, kind, mtime, version, writer, data } = row;
    this.#statements.putRow.run(
      ...[ino, parent, name, kind, mtime, version, writer, data, rowCrc(row)] as const,
    );
  }

  #putRequest(each: StoredRequest): void {
    const { index, request, problem, why } = each;
    this.#statements.putRequest.run(index, request, problem, why, requestCrc(each));
  }

  #putLocks(each: StoredLocks): void {
    const { key, body } = each;
    if (body.length === 0) this.#statements.removeLocks.run(key);
    else this.#statements.putLocks.run(key, body, locksCrc(each));
  }

  #apply(applied: NonNullable<DatabaseBatch["applied"]>): void {
    const { index, term, stateCrc, rows, removed, locks = [], history, forget } = applied;
    Object.assign(this.#meta, { applied: index, appliedTerm: term, stateCrc });
    for (const ino of removed) this.#statements.removeRow.run(ino);
    for (const row of rows) this.#putRow(row);
    for (const each of locks) this.#putLocks(each);
    for (const each of history) this.#putRequest(each);
    if (history.length > 0) this.#statements.cutRequests.run(forget);
    const dropped = this.#history.add(history, Math.floor(Date.now() / 1000));
    this.#meta.since = Math.max(this.#meta.since, dropped);
  }

  #compact(base: LogBase, spec: StoredSpec | null): void {
    this.#statements.compactLog.run(base.index);
    this.#begin(base, spec);
  }

  #install(install: DatabaseInstall, { rows, requests }: InstalledState): void {
    const { base, spec, stateCrc, keepLog, keepHistory } = install;
    this.#database.exec("DELETE FROM tree; DELETE FROM request; DELETE FROM locks;");
    for (const each of install.locks) this.#putLocks(each);
    for (const row of rows) this.#putRow(row);
    for (const each of requests) this.#putRequest(each);
    if (keepLog) this.#statements.compactLog.run(base.index);
    else this.#database.exec("DELETE FROM log");
    if (!keepHistory) this.#history.clear();
    Object.assign(this.#meta, { applied: base.index, appliedTerm: base.term, stateCrc });
    this.#meta.since = base.index;
    this.#begin(base, spec);
  }

  #begin(base: LogBase, spec: StoredSpec | null): void {
    Object.assign(this.#meta, { base: base.index, baseTerm: base.term, baseChain: base.chain });
    Object.assign(this.#meta, { specIndex: spec?.index ?? 0, spec: spec?.body ?? null });
  }
}

type Statements = Readonly<
  Record<
    | "cutLog"
    | "compactLog"
    | "putEntry"
    | "putRow"
    | "removeRow"
    | "putRequest"
    | "putLocks"
    | "removeLocks"
    | "cutRequests",
    StatementSync
  >
>;

function prepare(database: DatabaseSync): Statements {
  return {
    cutLog: database.prepare("DELETE FROM log WHERE idx >= ?"),
    compactLog: database.prepare("DELETE FROM log WHERE idx <= ?"),
    putEntry: database.prepare("INSERT OR REPLACE INTO log VALUES (?, ?, ?, ?)"),
    putRow: database.prepare("INSERT OR REPLACE INTO tree VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"),
    removeRow: database.prepare("DELETE FROM tree WHERE ino = ?"),
    putRequest: database.prepare("INSERT OR REPLACE INTO request VALUES (?, ?, ?, ?, ?)"),
    putLocks: database.prepare("INSERT OR REPLACE INTO locks VALUES (?, ?, ?)"),
    removeLocks: database.prepare("DELETE FROM locks WHERE key = ?"),
    cutRequests: database.prepare("DELETE FROM request WHERE idx <= ?"),
  };
}

function begin(database: DatabaseSync): void {
  database.exec("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;");
  const [verdict] = Object.values(database.prepare("PRAGMA quick_check(1)").get() ?? {});
  if (verdict !== "ok") throw new Damage(`SQLite says: ${String(verdict)}`);
  bringToForm(database);
}

function readContent(database: DatabaseSync, meta: Meta): DatabaseContent {
  const { term, vote, diverged, applied, appliedTerm, stateCrc, base, baseTerm, baseChain } = meta;
  return {
    ...{ term, vote, diverged },
    base: { index: base, term: baseTerm, chain: baseChain },
    spec: meta.spec === null ? null : { index: meta.specIndex, body: meta.spec },
    entries: readEntries(database, meta),
    applied: { index: applied, term: appliedTerm, stateCrc },
    rows: readTree(database),
    requests: readRequests(database, "request"),
    locks: readLocks(database),
  };
}
