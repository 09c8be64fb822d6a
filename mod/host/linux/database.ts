/**
 * The database port: SQLite in a Worker; and the lock that keeps a second daemon off the directory.
 *
 * @module
 */
import { assert } from "../../base/assert.ts";
import { ProblemError } from "../../base/problem.ts";
import type {
  Database,
  DatabaseBatch,
  DatabaseBeginning,
  DatabaseContent,
  DatabaseOpened,
  DatabasePort,
  HistoryAsk,
  StoredLocks,
  VerifyDone,
} from "../ports.ts";
import { HISTORY_LIMITS, type HistoryLimits } from "./database_history.ts";
import { packBatch, type PackedBatch } from "./packed_batch.ts";
import { type PackedState, packRequests, packRows } from "./packed_state.ts";
import { failureCode, stateFailureCode } from "../database_failure.ts";
import { DatabaseFile } from "./database_file.ts";
import { buffersOf, type DatabaseAnswer, type DatabaseAsk } from "./database_messages.ts";

/** Name of the database in the state directory; SQLite's `-wal` and `-shm` stand beside it. */
export const DATABASE_NAME = "config.db";
const LOCK_NAME = "lock";

/** A held {@link takeDirectoryLock}. */
export interface DirectoryLock {
  release(): void;
}

/**
 * Takes a state directory for this process until it ends or releases it. Throws a ProblemError
 * (`node.already-running`) where another has it.
 */
export function takeDirectoryLock(directory: string): DirectoryLock {
  const path = `${directory}/${LOCK_NAME}`;
  // The file stays when the lock goes: to remove it would let two hold "the" lock.
  let file: Deno.FsFile;
  try {
    file = Deno.openSync(path, { create: true, read: true, write: true, mode: 0o600 });
  } catch (error) {
    const why = `"${path}" cannot be opened: ${error instanceof Error ? error.message : error}`;
    throw new ProblemError(stateFailureCode(why), why, { cause: error });
  }
  if (!file.tryLockSync(true)) {
    file.close();
    throw new ProblemError("node.already-running", `"${path}" is locked by another process`);
  }
  return {
    release: () => {
      file.close();
    },
  };
}

/** A database port that can say when all that it opened is closed. */
export interface LinuxDatabasePort extends DatabasePort {
  /** Resolves when every closed database's files are let go. Never rejects. */
  settled(): Promise<void>;
}

type HistoryDone = Parameters<Database["history"]>[1];

/** How a database is opened. */
export interface LinuxDatabaseOptions {
  readonly limits?: HistoryLimits;
  /** It was made before: where there is none, it is gone. */
  readonly mustExist?: boolean;
}

/** The database in this state directory. */
export function linuxDatabase(
  directory: string,
  { limits = HISTORY_LIMITS, mustExist = false }: LinuxDatabaseOptions = {},
): LinuxDatabasePort {
  const path = `${directory}/${DATABASE_NAME}`;
  const opening = { path, limits, mustExist };
  return {
    open: (done) => new WorkerDatabase({ ...opening, beginning: null }, done),
    renew: (beginning, done) => new WorkerDatabase({ ...opening, beginning }, done),
    settled: () => CLOSING.get(path) ?? Promise.resolve(),
  };
}

/** Makes the database of a node that is about to be one. Throws a ProblemError where it cannot. */
export function makeDatabase(directory: string): void {
  const opened = DatabaseFile.open(`${directory}/${DATABASE_NAME}`);
  if ("damaged" in opened) throw new ProblemError(failureCode(opened.damaged), opened.damaged);
  opened.file.close();
}

/**
 * Closings under way, by path. SQLite removes the WAL by its name when it closes; a new database of
 * that name must not be there yet.
 */
const CLOSING = new Map<string, Promise<void>>();

/** What is opened, and how. */
interface Opening {
  readonly path: string;
  readonly limits: HistoryLimits;
  readonly mustExist: boolean;
  readonly beginning: DatabaseBeginning | null;
}

class WorkerDatabase implements Database {
  readonly #opening: Opening;
  readonly #done: DatabaseOpened;
  readonly #commits = new Map<number, (failure: string | null) => void>();
  readonly #reads = new Map<number, HistoryDone>();
  #worker: Worker | null = null;
  #verify: VerifyDone | null = null;
  #number = 0;
  #opened = false;
  #closed = false;
  #gone: (() => void) | null = null;

  constructor(opening: Opening, done: DatabaseOpened) {
    this.#opening = opening;
    this.#done = done;
    void (CLOSING.get(opening.path) ?? Promise.resolve()).then(() => this.#start());
  }

  commit(batch: DatabaseBatch, done: (failure: string | null) => void): void {
    assert(this.#opened && !this.#closed, "A batch goes to an open database");
    const number = this.#number++;
    this.#commits.set(number, done);
    const { entries, applied, ...rest } = batch;
    const packed = entries ?? applied ? packBatch({ entries, applied }) : null;
    const state = packedState(batch);
    const transfer = buffersOf(bytesIn(packed, state));
    this.#post({ kind: "commit", number, batch: ownBytes(rest), packed, state }, transfer);
  }

  history(ask: HistoryAsk, done: HistoryDone): void {
    assert(this.#opened && !this.#closed, "An open database has a history");
    const number = this.#number++;
    this.#reads.set(number, done);
    this.#post({ kind: "history", number, ask });
  }

  verify(done: VerifyDone): void {
    assert(this.#opened && !this.#closed && this.#verify === null, "One verification at a time");
    this.#verify = done;
    this.#post({ kind: "verify" });
  }

  /** Nothing is called back any more; batches handed over before are still written. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#commits.clear();
    this.#reads.clear();
    this.#verify = null;
    if (this.#worker === null) return;
    const { path } = this.#opening;
    const closing = new Promise<void>((resolve) => this.#gone = resolve).then(() => {
      if (CLOSING.get(path) === closing) CLOSING.delete(path);
    });
    CLOSING.set(path, closing);
    this.#post({ kind: "close" });
  }

  #start(): void {
    if (this.#closed) return;
    const worker = new Worker(new URL("./database_worker.ts", import.meta.url), {
      type: "module",
      name: "database",
    });
    this.#worker = worker;
    worker.onmessage = ({ data }: MessageEvent<DatabaseAnswer>) => this.#onAnswer(data);
    worker.onerror = (event) => {
      event.preventDefault();
      this.#onBroken(`the database worker ended: ${event.message}`);
    };
    this.#post({ kind: "open", ...this.#opening });
  }

  #onAnswer(answer: DatabaseAnswer): void {
    if (answer.kind === "closed") return this.#end();
    if (this.#closed) return;
    switch (answer.kind) {
      case "opened":
        return this.#onOpened(answer.content);
      case "damaged":
        this.close();
        return this.#done(answer.damage);
      case "committed": {
        const done = this.#commits.get(answer.number);
        this.#commits.delete(answer.number);
        return done?.(answer.failure);
      }
      case "history": {
        const done = this.#reads.get(answer.number);
        this.#reads.delete(answer.number);
        return done?.(answer.page);
      }
      case "verified":
        return this.#onVerified(answer.report);
    }
  }

  #onVerified(report: Parameters<VerifyDone>[0]): void {
    const done = this.#verify;
    this.#verify = null;
    done?.(report);
  }

  #onOpened(content: DatabaseContent): void {
    this.#opened = true;
    this.#done(content);
  }

  #onBroken(why: string): void {
    const commits = [...this.#commits.values()];
    const reads = [...this.#reads.values()];
    const verify = this.#verify;
    const opened = this.#opened;
    const told = this.#closed;
    this.close();
    this.#end();
    if (told) return;
    const rescued = { term: 0, vote: 0, known: false, sealed: null };
    // The Worker is at fault, not the file: nothing is known to be damaged.
    if (!opened) this.#done({ damaged: why, kind: "unwritable", rescued });
    for (const done of commits) done(why);
    for (const done of reads) done({ failure: why });
    verify?.({ failure: why });
  }

  #end(): void {
    this.#worker?.terminate();
    this.#worker = null;
    this.#gone?.();
  }

  #post(ask: DatabaseAsk, transfer: Transferable[] = []): void {
    this.#worker?.postMessage(ask, transfer);
  }
}

/** Of a state to be installed the long part goes packed. */
function ownBytes(batch: DatabaseBatch): DatabaseBatch {
  const { install } = batch;
  if (install === undefined) return batch;
  const short = { rows: [], requests: [], locks: install.locks.map(ownLocks) };
  return { ...batch, install: { ...install, ...short } };
}

function packedState({ install }: DatabaseBatch): PackedState | null {
  if (install === undefined) return null;
  return { rows: packRows(install.rows), requests: packRequests(install.requests) };
}

function ownLocks({ key, body }: StoredLocks): StoredLocks {
  return { key, body: body.slice() };
}

/** What of these crosses without being copied once more. */
function* bytesIn(
  packed: PackedBatch | null,
  state: PackedState | null,
): Iterable<{ readonly buffer: ArrayBufferLike }> {
  if (packed !== null) yield* [packed.numbers, packed.data];
  if (state !== null) yield* [state.rows.numbers, state.rows.data, state.requests.indexes];
}
