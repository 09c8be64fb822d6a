/**
 * The state machine that the log drives: the tree, a rolling CRC of everything that changed in it,
 * and the memory of requests, so that a retried one is applied once.
 *
 * @module
 */
import { crc32 } from "../base/checksum.ts";
import { Writer } from "../base/bytes.ts";
import { encodeText } from "../base/bytes.ts";
import { type Problem, problem } from "../base/problem.ts";
import type { DatabaseContent, StoredHistory, StoredRow } from "../host/ports.ts";
import type { Change, Outcome } from "../streams.ts";
import { type RowEdit, Tree, type TreeLimits } from "./tree.ts";
import { type Entry, isProblemCode } from "./wire.ts";

/**
 * Log indexes for which a request is remembered. A request whose `base` is older is refused: whether
 * it was applied cannot be told any more.
 */
export const REQUEST_WINDOW = 65_536;

/** What applying one entry did. */
export interface Step {
  readonly outcome: Outcome;
  readonly changes: readonly Change[];
  readonly rows: readonly StoredRow[];
  readonly removed: readonly number[];
  readonly edits: readonly RowEdit[];
  readonly history: StoredHistory | null;
}

interface Remembered {
  readonly index: number;
  readonly problem: Problem | null;
}

/** See the module's note. */
export class Replica {
  readonly tree: Tree;
  readonly #requests = new Map<string, Remembered>();
  #applied: number;
  #crc: number;

  constructor(stored: DatabaseContent, limits?: TreeLimits) {
    this.tree = new Tree(stored.rows, limits);
    this.#applied = stored.applied.index;
    this.#crc = stored.applied.stateCrc;
    for (const { index, request, problem: code, why } of stored.history) {
      if (index + REQUEST_WINDOW < this.#applied) continue;
      const known = isProblemCode(code) ? problem(code, why) : null;
      this.#requests.set(request, { index, problem: known });
    }
  }

  /** Index of the last applied entry. */
  get applied(): number {
    return this.#applied;
  }

  /** Rolling CRC at that index. */
  get crc(): number {
    return this.#crc;
  }

  /** What became of a request, if it is remembered. */
  outcomeOf(request: string): Problem | null | undefined {
    return this.#requests.get(request)?.problem;
  }

  /** Applies the entry at the next index. */
  apply(index: number, entry: Entry): Step {
    this.#applied = index;
    if (entry.kind !== "transaction") return this.#nothing();
    const { transaction, writer } = entry;
    const before = this.#requests.get(transaction.request);
    // By index, not by what happens to be kept: every replica must forget at the same entry.
    if (before !== undefined && before.index + REQUEST_WINDOW >= index) return this.#again(before);
    // A base that is not there yet would never grow old: such a request could be applied for ever.
    const { base } = transaction;
    const late = base >= index || index - base > REQUEST_WINDOW;
    const result = late
      ? problem("config.expired-request", `its base ${base} is too old or new at ${index}`)
      : this.tree.apply(transaction, { index, writer });
    const refused = "code" in result ? result : null;
    this.#remember(transaction.request, { index, problem: refused });
    const history = {
      index,
      request: transaction.request,
      problem: refused?.code ?? "",
      why: refused?.why ?? "",
    };
    if ("code" in result) {
      this.#crc = crc32(encodeText(result.code), this.#crc);
      const outcome: Outcome = { ok: false, problem: result };
      return { outcome, changes: [], rows: [], removed: [], edits: [], history };
    }
    this.#crc = crc32(bytesOf(result.rows, result.removed), this.#crc);
    return { outcome: this.#done(index), ...result, history };
  }

  #nothing(): Step {
    return {
      outcome: this.#done(this.#applied),
      changes: [],
      rows: [],
      removed: [],
      edits: [],
      history: null,
    };
  }

  #again({ index, problem: refused }: Remembered): Step {
    const outcome: Outcome = refused === null ? this.#done(index) : { ok: false, problem: refused };
    return { ...this.#nothing(), outcome };
  }

  #done(index: number): Outcome {
    return { ok: true, index, crc32: this.#crc };
  }

  #remember(request: string, remembered: Remembered): void {
    this.#requests.set(request, remembered);
    // Insertion order is log order: the oldest come first.
    for (const [oldest, { index }] of this.#requests) {
      if (index + REQUEST_WINDOW >= remembered.index) break;
      this.#requests.delete(oldest);
    }
  }
}

/** Everything that a transaction changed, as bytes; the same on every replica. */
function bytesOf(rows: readonly StoredRow[], removed: readonly number[]): Uint8Array {
  const writer = new Writer();
  for (const row of rows) {
    const name = encodeText(row.name);
    writer.u64(row.ino).u64(row.parent).u8(row.kind === "file" ? 1 : 2).u64(row.mtime)
      .u64(row.version).u16(row.writer).u16(name.length).bytes(name).u32(row.data.length)
      .bytes(row.data);
  }
  for (const ino of removed) writer.u64(ino);
  return writer.finish();
}
