/**
 * The state machine that the log drives: the tree, a rolling CRC of everything that changed in it,
 * and the memory of requests, so that a retried one is applied once.
 *
 * @module
 */
import { crc32 } from "../base/checksum.ts";
import { clipText, encodeText, Writer } from "../base/bytes.ts";
import { contentOf, locksPart, rowBytes, rowPart, withPart } from "../base/content_sum.ts";
import type { ClusterSpec } from "../base/cluster.ts";
import { type Problem, problem } from "../base/problem.ts";
import type {
  DatabaseBatch,
  DatabaseContent,
  StoredHistory,
  StoredLocks,
  StoredRequest,
  StoredRow,
  UndoRow,
} from "../host/ports.ts";
import type { Change, Outcome, Transaction } from "../streams.ts";
import { transactionOfForced } from "./forced_entry.ts";
import { type LockStep, LockTable } from "./lock_table.ts";
import { bytesOfStored } from "./lock_wire.ts";
import { type Applied, type RowEdit, Tree, type TreeLimits } from "./tree.ts";
import { type Entry, type ForcedEntry, isProblemCode, WHY_BYTES_MAX } from "./wire.ts";

/**
 * Log indexes for which a request is remembered. A request whose `base` is older is refused: whether
 * it was applied cannot be told any more.
 */
export const REQUEST_WINDOW = 65_536;
/**
 * Bytes of an undo record; of a transaction that would need more none is kept. It crosses to the
 * database's thread in one piece, and no beat may wait for that.
 */
export const UNDO_BYTES_MAX = 16 * 1024 * 1024;

/** What applying one entry did. */
export interface Step {
  readonly outcome: Outcome;
  readonly changes: readonly Change[];
  readonly rows: readonly StoredRow[];
  readonly removed: readonly number[];
  readonly edits: readonly RowEdit[];
  /** Null for an entry that is no transaction, or one that was applied before. */
  readonly history: Omit<StoredHistory, "term"> | null;
  /** What it did to the locks; null for an entry that has nothing to do with them. */
  readonly locks: LockStep | null;
}

/** The state after some entry, as one replica hands it to another. */
export interface ReplicaState {
  readonly applied: number;
  readonly stateCrc: number;
  readonly rows: readonly StoredRow[];
  /** In log order. */
  readonly requests: readonly StoredRequest[];
  readonly locks: readonly StoredLocks[];
}

interface Remembered {
  readonly index: number;
  readonly problem: Problem | null;
}

/** See the module's note. */
export class Replica {
  readonly #requests = new Map<string, Remembered>();
  readonly #limits: TreeLimits | undefined;
  /** What each row, by inode, and the locks of each inode add to the content hash. */
  readonly #rowParts = new Map<number, number>();
  readonly #lockParts = new Map<number, number>();
  #content = 0;
  #tree = new Tree([]);
  #locks = new LockTable();
  #applied = 0;
  #crc = 0;

  /** `limits`: of the tree, the same on all replicas; as a rule what `tree.ts` says. */
  constructor({ rows, requests, locks, applied }: DatabaseContent, limits?: TreeLimits) {
    this.#limits = limits;
    this.restore({ rows, requests, locks, applied: applied.index, stateCrc: applied.stateCrc });
  }

  /** Becomes what another replica is; asserts that the rows make a tree. */
  restore({ rows, requests, locks, applied, stateCrc }: ReplicaState): void {
    this.#tree = new Tree(rows, this.#limits);
    this.#locks = new LockTable(locks);
    this.#applied = applied;
    this.#crc = stateCrc;
    this.#content = 0;
    this.#rowParts.clear();
    this.#lockParts.clear();
    for (const row of rows) this.#count(this.#rowParts, row.ino, rowPart(rowBytes(row)));
    for (const each of locks) this.#count(this.#lockParts, each.key, locksPart(each));
    this.#requests.clear();
    for (const { index, request, problem: code, why } of requests) {
      if (index + REQUEST_WINDOW < applied) continue;
      const known = isProblemCode(code) ? code : "bug";
      const refused = code === "" ? null : problem(known, why);
      this.#requests.set(request, { index, problem: refused });
    }
  }

  /** The state as it is now; what comes later does not change it. */
  state(): ReplicaState {
    const requests = [...this.#requests].map(([request, { index, problem: refused }]) => ({
      index,
      request,
      problem: refused?.code ?? "",
      why: refused?.why ?? "",
    }));
    const rows = this.#tree.rows();
    const locks = this.#locks.stored();
    return { applied: this.#applied, stateCrc: this.#crc, rows, requests, locks };
  }

  /** Who has locked what; another object after {@link restore}. */
  get locks(): LockTable {
    return this.#locks;
  }

  /** The tree; another object after {@link restore}. */
  get tree(): Tree {
    return this.#tree;
  }

  /** Index of the last applied entry. */
  get applied(): number {
    return this.#applied;
  }

  /** Rolling CRC at that index. */
  get crc(): number {
    return this.#crc;
  }

  /** Content hash of tree and locks at that index (`base/content_sum.ts`). */
  get content(): number {
    return this.#content;
  }

  /** Both hashes there, for a comparison with another replica. */
  get hashes(): { readonly state: number; readonly content: number } {
    return { state: this.#crc, content: this.#content };
  }

  /** Is the content in memory what its hash says? Reads all of it. */
  isSound(): boolean {
    return contentOf(this.#tree.rows(), this.#locks.stored()) === this.#content;
  }

  /** What became of a request, if it is remembered. */
  outcomeOf(request: string): Problem | null | undefined {
    return this.#requests.get(request)?.problem;
  }

  /** Applies the entry at the next index. */
  apply(index: number, entry: Entry): Step {
    this.#applied = index;
    switch (entry.kind) {
      case "noop":
        return this.#nothing();
      case "locks":
        return this.#locked(this.#locks.run(entry), this.#nothing());
      case "locks-release":
        return this.#locked(this.#locks.release(entry.node, entry.life), this.#nothing());
      case "spec":
        return this.#locked(this.#locks.keep(membersOf(entry)), this.#nothing());
      case "forced": {
        const step = this.#applyForced(index, entry);
        return this.#locked(this.#locks.keep(membersOf(entry)), step);
      }
      case "transaction":
        return this.#transact(index, entry);
    }
  }

  #locked(locks: LockStep, step: Step): Step {
    if (locks.changed.length > 0) this.#crc = crc32(bytesOfStored(locks.changed), this.#crc);
    for (const each of locks.changed) this.#count(this.#lockParts, each.key, locksPart(each));
    const { outcome } = step;
    return { ...step, outcome: outcome.ok ? this.#done(outcome.index) : outcome, locks };
  }

  #transact(index: number, entry: Extract<Entry, { kind: "transaction" }>): Step {
    const { transaction, writer } = entry;
    const before = this.#requests.get(transaction.request);
    // By index, not by what happens to be kept: every replica must forget at the same entry.
    if (before !== undefined && before.index + REQUEST_WINDOW >= index) return this.#again(before);
    // A base that is not there yet would never grow old: such a request could be applied for ever.
    const { base } = transaction;
    const late = base >= index || index - base > REQUEST_WINDOW;
    const result = late
      ? problem("config.expired-request", `its base ${base} is too old or new at ${index}`)
      : this.#tree.apply(transaction, { index, writer });
    return "code" in result
      ? this.#refused(index, transaction, result)
      : this.#changed(index, transaction, result);
  }

  /** Whatever stands in its way, and even past the limits: it must be known who was put out. */
  #applyForced(index: number, entry: ForcedEntry): Step {
    const transaction = transactionOfForced(entry, this.#tree);
    const stamp = { index, writer: entry.writer, unbounded: true };
    const result = this.#tree.apply(transaction, stamp);
    return "code" in result
      ? this.#refused(index, transaction, result)
      : this.#changed(index, transaction, result);
  }

  #refused(index: number, { request }: Transaction, { code, why: whole }: Problem): Step {
    // It names paths, and may be as long as these: it goes over the wire and into the database.
    const why = clipText(whole, WHY_BYTES_MAX);
    const refused = problem(code, why);
    this.#remember(request, { index, problem: refused });
    this.#crc = crc32(encodeText(code), this.#crc);
    const history = { index, request, problem: code, why, undo: [] };
    return { ...this.#nothing(), outcome: { ok: false, problem: refused }, history };
  }

  #changed(index: number, { request }: Transaction, applied: Applied): Step {
    const { rows, removed, edits, changes, undo } = applied;
    this.#remember(request, { index, problem: null });
    this.#roll(rows, removed);
    const history = { index, request, problem: "", why: "", undo: bounded(undo) };
    const done = { outcome: this.#done(index), locks: null };
    return { ...done, changes, rows, removed, edits, history };
  }

  /** Everything that a transaction changed goes into both hashes; the same on every replica. */
  #roll(rows: readonly StoredRow[], removed: readonly number[]): void {
    for (const row of rows) {
      const bytes = rowBytes(row);
      this.#crc = crc32(bytes, this.#crc);
      this.#count(this.#rowParts, row.ino, rowPart(bytes));
    }
    const gone = new Writer(8 * removed.length);
    for (const ino of removed) {
      gone.u64(ino);
      this.#count(this.#rowParts, ino, 0);
    }
    this.#crc = crc32(gone.finish(), this.#crc);
  }

  #count(parts: Map<number, number>, key: number, part: number): void {
    this.#content = withPart(this.#content, part, parts.get(key));
    if (part === 0) parts.delete(key);
    else parts.set(key, part);
  }

  #nothing(): Step {
    return {
      outcome: this.#done(this.#applied),
      changes: [],
      rows: [],
      removed: [],
      edits: [],
      history: null,
      locks: null,
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

function membersOf({ spec }: { readonly spec: ClusterSpec }): ReadonlySet<number> {
  return new Set(spec.members.map(({ id }) => id));
}

/** What of a step is to be durable, for the entry of this term. */
export function appliedOf(
  { rows, removed, history, locks }: Step,
  { index, term, stateCrc, content }: {
    readonly index: number;
    readonly term: number;
    readonly stateCrc: number;
    readonly content: number;
  },
): NonNullable<DatabaseBatch["applied"]> {
  return {
    ...{ index, term, stateCrc, content, rows, removed },
    ...(locks !== null && locks.changed.length > 0 && { locks: locks.changed }),
    history: history === null ? [] : [{ ...history, term }],
    forget: Math.max(0, index - REQUEST_WINDOW - 1),
  };
}

function bounded(undo: readonly UndoRow[]): readonly UndoRow[] | null {
  let size = 0;
  for (const { before } of undo) size += before?.data.length ?? 0;
  return size <= UNDO_BYTES_MAX ? undo : null;
}
