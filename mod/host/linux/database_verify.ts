/**
 * Reading a database back, all of it, and checking every row: in slices, so that whoever shares the
 * thread goes on in between. A connection of its own reads one state, whatever is committed
 * meanwhile; only the history, which is long and only grows and falls off, is read page by page, so
 * that SQLite's write-ahead log is not held up by it.
 *
 * What the system has in its cache is read from there. A sector that went bad below that shows when
 * it is read from the disk again.
 *
 * @module
 */
import { DatabaseSync } from "node:sqlite";
import { contentOf, locksPart, rowBytes, rowPart, withPart } from "../../base/content_sum.ts";
import {
  DAMAGE_LISTED_MAX,
  type DamagedPart,
  type VerifiedPart,
  type VerifyReport,
} from "../../base/verify_report.ts";
import { HistoryReader } from "./database_history_rows.ts";
import {
  bytesOf,
  entryFrom,
  locksFrom,
  type Meta,
  readMeta,
  readOrigin,
  requestFrom,
  rowFrom,
} from "./database_rows.ts";

/** Work of one step: about so many bytes, or so many rows. */
const STEP_BYTES = 256 * 1024;
const STEP_ROWS = 128;

type Row = Record<string, unknown>;

/** Verifies a file; each `next` is one step. Throws where it cannot be opened at all. */
export function* verifySteps(
  path: string,
  { immutable = false }: { readonly immutable?: boolean } = {},
): Generator<void, VerifyReport> {
  const url = new URL("file:///");
  url.pathname = path;
  if (immutable) url.searchParams.set("immutable", "1");
  const database = new DatabaseSync(url, { readOnly: true });
  try {
    database.exec("PRAGMA busy_timeout = 5000");
    return yield* new Check(database).run();
  } finally {
    database.close();
  }
}

/** Verifies a file at once. */
export function verifyFile(
  path: string,
  options: { readonly immutable?: boolean } = {},
): VerifyReport {
  const steps = verifySteps(path, options);
  for (;;) {
    const { done, value } = steps.next();
    if (done) return value;
  }
}

class Check {
  readonly #database: DatabaseSync;
  readonly #damaged: DamagedPart[] = [];
  readonly #rows = { log: 0, tree: 0, locks: 0, requests: 0, history: 0 };
  #count = 0;
  #bytes = 0;
  #since = 0;

  constructor(database: DatabaseSync) {
    this.#database = database;
  }

  *run(): Generator<void, VerifyReport> {
    this.#database.exec("BEGIN");
    const meta = this.#meta();
    if (meta !== null) {
      yield* this.#log(meta);
      yield* this.#state(meta);
      yield* this.#table("requests", "SELECT * FROM request ORDER BY idx", requestFrom);
    }
    // Behind a damaged page SQLite may refuse even this; closing lets go of the state too.
    if (this.#count === 0) this.#database.exec("COMMIT");
    yield* this.#history();
    return {
      rows: this.#rows,
      applied: meta?.applied ?? 0,
      damaged: this.#damaged,
      count: this.#count,
    };
  }

  #meta(): Meta | null {
    return this.#try("meta", null, () => {
      readOrigin(this.#database);
      return readMeta(this.#database);
    }) ?? null;
  }

  /** It has no gap, and reaches from the base to what is applied. */
  *#log({ base, applied }: Meta): Generator<void> {
    let next = base + 1;
    yield* this.#table("log", "SELECT * FROM log ORDER BY idx", (row) => {
      const index = Number(row.idx);
      if (index !== next && index > base) {
        this.#note("log", next, `log entry ${next} is missing`);
      }
      next = Math.max(next, index + 1);
      return entryFrom(row);
    });
    if (applied >= next) this.#note("log", applied, `log entry ${applied} is missing`);
  }

  /** Every row bears its own CRC-32, and all together the content hash. */
  *#state({ content }: Meta): Generator<void> {
    let sum = contentOf([], []);
    const before = this.#count;
    yield* this.#table("tree", "SELECT * FROM tree ORDER BY ino", (row) => {
      sum = withPart(sum, rowPart(rowBytes(rowFrom(row))));
    });
    yield* this.#table("locks", "SELECT * FROM locks ORDER BY key", (row) => {
      sum = withPart(sum, locksPart(locksFrom(row)));
    });
    if (content === null || content === sum || this.#count > before) return;
    this.#note("content", null, "the rows of the tree are whole, and not those that were written");
  }

  *#table(
    part: Exclude<keyof VerifyReport["rows"], "history">,
    sql: string,
    check: (row: Row) => void,
  ): Generator<void> {
    let rows: IterableIterator<Row> | null = null;
    rows = this.#try(part, null, () => this.#database.prepare(sql).iterate()) ?? null;
    if (rows === null) return;
    for (;;) {
      const step = this.#try(part, null, () => rows.next());
      if (step === undefined || step.done) return;
      const row = step.value;
      this.#rows[part]++;
      this.#try(part, keyOf(row), () => check(row));
      if (this.#isLong(row)) yield;
    }
  }

  *#history(): Generator<void> {
    const reader = this.#try("history", null, () => new HistoryReader(this.#database));
    let after = -1;
    for (let more = reader !== undefined; more; yield) {
      const page = this.#try("history", null, () => reader?.check(after, STEP_ROWS, STEP_BYTES));
      if (page === undefined) return;
      this.#rows.history += page.rows;
      for (const { index, why } of page.damaged) this.#note("history", index, why);
      ({ last: after, more } = page);
    }
  }

  /** Enough for one step. */
  #isLong(row: Row): boolean {
    this.#bytes += bytesOf(row.body).length + bytesOf(row.data).length;
    this.#since++;
    if (this.#bytes < STEP_BYTES && this.#since < STEP_ROWS) return false;
    this.#bytes = 0;
    this.#since = 0;
    return true;
  }

  #try<T>(part: VerifiedPart, at: number | null, body: () => T): T | undefined {
    try {
      return body();
    } catch (error) {
      this.#note(part, at, error instanceof Error ? error.message : String(error));
      return undefined;
    }
  }

  #note(part: VerifiedPart, at: number | null, why: string): void {
    this.#count++;
    if (this.#damaged.length < DAMAGE_LISTED_MAX) this.#damaged.push({ part, at, why });
  }
}

function keyOf(row: Row): number {
  return Number(row.idx ?? row.ino ?? row.key);
}
