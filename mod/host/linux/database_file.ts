/**
 * The database of stream 2 in SQLite: the file itself, synchronous. Runs in a Worker.
 *
 * WAL with `synchronous=FULL`: a transaction is on the disk when COMMIT returns. Every row carries a
 * CRC-32 of its values, checked at start (of the history: when it is read). A row that is missing
 * altogether shows as a gap in the log or in the state's own CRC, which the core compares with its
 * peers'. Opening and renewing: `database_open.ts`.
 *
 * @module
 */
import { DatabaseSync, type StatementSync } from "node:sqlite";
import type {
  DatabaseBatch,
  DatabaseBeginning,
  DatabaseContent,
  DatabaseDamage,
  DatabaseInstall,
  HistoryAsk,
  HistoryPage,
  LogBase,
  SealedSpec,
  StoredEntry,
  StoredLocks,
  StoredRequest,
  StoredRow,
  StoredSpec,
} from "../ports.ts";
import { putMeta, putOrigin } from "./database_form.ts";
import { openSealed, renewFile } from "./database_open.ts";
import { writeSeal } from "./database_seal.ts";
import { DatabaseHistory, HISTORY_LIMITS, type HistoryLimits } from "./database_history.ts";
import { entryCrc, locksCrc, type Meta, type Origin, requestCrc, rowCrc } from "./database_rows.ts";

/** The long part of a state to be installed, perhaps read only as it is written. */
export interface InstalledState {
  readonly rows: Iterable<StoredRow>;
  readonly requests: Iterable<StoredRequest>;
}

/** How a database is opened. */
export interface OpenOptions {
  readonly limits?: HistoryLimits;
  /** There was one before: where there is none now it is gone. */
  readonly mustExist?: boolean;
}

/** What opening gave. */
export type OpenedFile =
  | { readonly file: DatabaseFile; readonly content: DatabaseContent }
  | DatabaseDamage;

/** After so many transactions the seal is written anew. */
const SEAL_COMMITS = 256;

/** An open database. */
export class DatabaseFile {
  readonly #database: DatabaseSync;
  readonly #path: string;
  readonly #statements: Statements;
  readonly #history: DatabaseHistory;
  readonly #putMeta: (meta: Meta) => void;
  readonly #meta: Meta;
  #origin: Origin;
  #sealed: SealedSpec | null;
  #unsealed = 0;
  /** A commit failed: what this object knows may not be what is on the disk. */
  #broken = false;

  private constructor(
    parts: {
      readonly database: DatabaseSync;
      readonly path: string;
      readonly meta: Meta;
      readonly origin: Origin;
      readonly sealed: SealedSpec | null;
    },
    limits: HistoryLimits,
  ) {
    const { database, path, meta, origin, sealed } = parts;
    this.#database = database;
    this.#path = path;
    this.#meta = meta;
    this.#origin = origin;
    this.#sealed = sealed;
    this.#statements = prepare(database);
    this.#putMeta = putMeta(database);
    this.#history = new DatabaseHistory(database, limits);
  }

  /** Opens or makes the file and reads all of it but the history. */
  static open(path: string, options: OpenOptions = {}): OpenedFile {
    const { limits = HISTORY_LIMITS, mustExist = false } = options;
    const opening = openSealed(path, mustExist);
    if ("damaged" in opening) return opening;
    return { file: new DatabaseFile({ ...opening, path }, limits), content: opening.content };
  }

  /** Puts aside what is there, and begins with an empty file that remembers what is given. */
  static renew(path: string, beginning: DatabaseBeginning, limits = HISTORY_LIMITS): OpenedFile {
    const fault = renewFile(path, beginning);
    return fault ?? DatabaseFile.open(path, { limits, mustExist: true });
  }

  /**
   * One durable transaction. Throws where it did not happen; the file must not be used after it.
   * `state` stands for rows and requests of one that is to be installed.
   */
  commit(batch: DatabaseBatch, state: InstalledState | undefined = batch.install): void {
    const { truncateFrom, entries, hardState, applied, compact, install } = batch;
    this.#broken = true;
    this.#statements.begin.run();
    if (truncateFrom !== undefined) this.#statements.cutLog.run(truncateFrom);
    for (const entry of entries ?? []) this.#putEntry(entry);
    if (hardState) Object.assign(this.#meta, hardState);
    if (applied) this.#apply(applied);
    if (compact) this.#compact(compact.base, compact.spec);
    if (install && state) this.#install(install, state);
    if (hardState ?? applied ?? compact ?? install) this.#putMeta(this.#meta);
    const { recovery, sealed } = batch;
    if (recovery !== undefined) {
      this.#origin = { ...this.#origin, recovery };
      putOrigin(this.#database, this.#origin);
    }
    this.#statements.commit.run();
    this.#broken = false;
    if (sealed) this.#sealed = sealed;
    // Nobody hears of these before an older copy could be told from this.
    if (hardState || sealed || recovery !== undefined || install) this.#seal();
    else this.#unsealed++;
  }

  /** Called after a commit was acknowledged: the seal follows at a distance. */
  tendSeal(): void {
    if (this.#unsealed >= SEAL_COMMITS) this.#seal();
  }

  #seal(closedAt: number | null = null): void {
    const { term, vote, applied } = this.#meta;
    const { uuid, opens, recovery } = this.#origin;
    const known = recovery?.known ?? true;
    const sealed = this.#sealed;
    writeSeal(this.#path, { uuid, opens, term, vote, known, applied, closedAt, sealed });
    this.#unsealed = 0;
  }

  /** One page of the history, or why there is none. */
  history(ask: HistoryAsk): HistoryPage | { readonly failure: string } {
    try {
      return { ...this.#history.read(ask), since: this.#meta.since };
    } catch (error) {
      return { failure: error instanceof Error ? error.message : String(error) };
    }
  }

  /** After no failure: an older copy that is put in its place will be known as one. */
  close(): void {
    if (this.#broken) return this.#database.close();
    const last = this.#database.prepare("SELECT max(idx) AS last FROM log").get()?.last;
    this.#database.close();
    this.#seal(Math.max(this.#meta.base, Number(last ?? 0)));
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
    | "begin"
    | "commit"
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
    begin: database.prepare("BEGIN IMMEDIATE"),
    commit: database.prepare("COMMIT"),
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
