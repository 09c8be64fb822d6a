/**
 * A database file for reading, beside whoever writes it: a living daemon's, a dead node's, a backup.
 * What is read is one state: that of the moment of opening, whatever is committed meanwhile.
 *
 * @module
 */
import { DatabaseSync } from "node:sqlite";
import type { HistoryAsk, HistoryRecord, StoredEntry, StoredRow } from "../ports.ts";
import { FORM, FORM_LOCKS, FORM_READ_MIN } from "./database_form.ts";
import { type DamagedRecord, HistoryReader } from "./database_history_rows.ts";
import {
  Damage,
  type Meta,
  readEntries,
  readLocks,
  readMeta,
  readRequests,
  readTree,
} from "./database_rows.ts";

/** How a file is opened. */
export interface ViewOptions {
  /** Nobody has it open and nobody will: no lock is taken and nothing is made beside it. */
  readonly immutable: boolean;
}

/** See the module's note. Everything throws `Damage` or SQLite's own error. */
export class DatabaseView {
  readonly #database: DatabaseSync;
  readonly #history: HistoryReader;
  readonly #form: number;
  readonly meta: Meta;

  private constructor(database: DatabaseSync) {
    const form = database.prepare("PRAGMA user_version").get()?.user_version;
    // What the forms since 2 brought is not needed here: backups of form 2 are good ones.
    if (typeof form !== "number" || form < FORM_READ_MIN || form > FORM) {
      throw new Damage(
        `it has form ${String(form)}, this pentad reads ${FORM_READ_MIN} to ${FORM}`,
      );
    }
    const meta = readMeta(database);
    if (meta === null) throw new Damage("it holds no state yet");
    this.#database = database;
    this.#form = form;
    this.meta = meta;
    this.#history = new HistoryReader(database);
  }

  /** Opens a file. The caller closes it. */
  static open(path: string, { immutable }: ViewOptions): DatabaseView {
    const url = new URL("file:///");
    url.pathname = path;
    if (immutable) url.searchParams.set("immutable", "1");
    const database = new DatabaseSync(url, { readOnly: true });
    try {
      // A daemon's commit is not waited for, but its checkpoint may hold the file for a moment.
      database.exec("PRAGMA busy_timeout = 5000; BEGIN");
      return new DatabaseView(database);
    } catch (error) {
      database.close();
      throw error;
    }
  }

  /** The tree, every row checked. */
  rows(): StoredRow[] {
    return readTree(this.#database);
  }

  /** The log behind its base, every entry checked. */
  entries(): StoredEntry[] {
    return readEntries(this.#database, this.meta);
  }

  /** Transactions of the history, one after the other. */
  records(ask: HistoryAsk): Iterable<HistoryRecord> {
    return this.#history.records(ask);
  }

  /** The same, with what is damaged named in its place. */
  recordsOrDamage(ask: HistoryAsk): Iterable<HistoryRecord | DamagedRecord> {
    return this.#history.recordsOrDamage(ask);
  }

  /** One transaction with its undo record; null where it is not kept, or is none. */
  record(index: number): HistoryRecord | null {
    const ask = { below: index + 1, from: index - 1, limit: 1, undo: true };
    return [...this.#history.records(ask)][0] ?? null;
  }

  /** The oldest transaction that is kept. */
  get oldest(): number | null {
    return this.#history.oldest();
  }

  /** Reads all there is, so that nothing of it is damaged unseen. */
  check(): void {
    const [verdict] = Object.values(
      this.#database.prepare("PRAGMA integrity_check(1)").get() ?? {},
    );
    if (verdict !== "ok") throw new Damage(`SQLite says: ${String(verdict)}`);
    this.entries();
    readRequests(this.#database, "request");
    if (this.#form >= FORM_LOCKS) readLocks(this.#database);
    const all = { below: Number.MAX_SAFE_INTEGER, from: 0, limit: -1, undo: true };
    for (const { index } of this.records(all)) {
      if (index > this.meta.applied) throw new Damage(`history ${index} is not applied`);
    }
    checkTree(this.rows());
  }

  /** One row of a table that is not a database's own, such as a backup's; null where it is not there. */
  rowOf(table: string): Readonly<Record<string, unknown>> | null {
    const known = this.#database.prepare("SELECT name FROM sqlite_schema WHERE name = ?").get(
      table,
    );
    return known === undefined
      ? null
      : this.#database.prepare(`SELECT * FROM ${table}`).get() ?? null;
  }

  close(): void {
    this.#database.close();
  }
}

/** Copies a database that may be in use, as of now, into an empty file. It holds up no commit. */
export function vacuumInto(path: string, target: string): void {
  const database = new DatabaseSync(path, { readOnly: true });
  try {
    database.exec("PRAGMA busy_timeout = 5000");
    database.prepare("VACUUM INTO ?").run(target);
  } finally {
    database.close();
  }
}

/** Every row hangs on the root, through directories, and has its name for itself. */
function checkTree(rows: readonly StoredRow[]): void {
  const byIno = new Map(rows.map((row) => [row.ino, row]));
  const names = new Set<string>();
  for (const { ino, parent, name } of rows) {
    const key = `${parent}/${name}`;
    if (names.has(key)) throw new Damage(`tree row ${ino} ("${name}") is there twice`);
    names.add(key);
    let depth = 0;
    for (let at = parent; at !== 0; depth++) {
      const above = byIno.get(at);
      if (above?.kind !== "directory" || depth > rows.length) {
        throw new Damage(`tree row ${ino} ("${name}") hangs on nothing`);
      }
      at = above.parent;
    }
  }
}
