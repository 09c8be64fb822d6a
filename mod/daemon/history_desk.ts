/**
 * What the API asks about the past of a running member. Pages of the history come through the
 * node's own database; what may take long goes to the archive's Workers, once everything that is
 * applied is in the file that they read.
 *
 * @module
 */
import type {
  ChangeAsk,
  ChangePage,
  HistoryBounds,
  HistoryList,
  HistoryPageAsk,
  ResourceLog,
  ResourceLogAsk,
  TransactionDetail,
  TreeDiff,
  UndoAnswer,
  UndoAsk,
} from "../api/running_node.ts";
import { ProblemError } from "../base/problem.ts";
import type { Point } from "../config/mod.ts";
import type { NodeRuntime } from "../runtime/mod.ts";
import type { Fact, Outcome } from "../streams.ts";
import type { ArchivePool } from "./archive_pool.ts";
import { nextPage, readChanges, readHistory } from "./history.ts";

/** What it works with. */
export interface DeskParts {
  readonly runtime: NodeRuntime;
  readonly pool: ArchivePool;
  /** Path of the database. */
  readonly database: string;
  readonly limits: HistoryBounds;
  readonly change: (ask: ChangeAsk) => Promise<Outcome>;
}

/** See the module's note. */
export class HistoryDesk {
  readonly #parts: DeskParts;
  readonly #listeners = new Set<() => void>();
  /** Pages under way. Readers that keep up ask for the same one at the same time: it is read once. */
  readonly #pages = new Map<number, Promise<ChangePage>>();

  constructor(parts: DeskParts) {
    this.#parts = parts;
  }

  /** The runtime tells every fact here. */
  onFact(fact: Fact): void {
    if (fact.fact !== "config.applied") return;
    this.#pages.clear();
    for (const listener of this.#listeners) listener();
  }

  /** Resolves when all that is applied now is in the file. */
  async flushed(): Promise<void> {
    await nextPage(this.#source, { below: 1, from: 0, limit: 1, undo: false });
  }

  list(ask: HistoryPageAsk): Promise<HistoryList> {
    return readHistory(this.#source, ask, this.#parts.limits);
  }

  async transaction(txn: number): Promise<TransactionDetail> {
    await this.flushed();
    const { pool, database, runtime } = this.#parts;
    return await pool.ask("show", { database, txn, spec: runtime.spec });
  }

  async diff(from: Point, to: Point, path: string | null): Promise<TreeDiff> {
    await this.flushed();
    const { pool, database } = this.#parts;
    return await pool.ask("diff", { database, from, to, path });
  }

  async resourceLog(ask: ResourceLogAsk): Promise<ResourceLog> {
    await this.flushed();
    const { pool, database, runtime } = this.#parts;
    return await pool.ask("log", { database, ask, spec: runtime.spec });
  }

  async undo({ txn, dryRun, request, author, reason }: UndoAsk): Promise<UndoAnswer> {
    await this.flushed();
    const { pool, database, change } = this.#parts;
    const plan = await pool.ask("undo", { database, txn, request });
    const { diffs } = plan;
    if (dryRun) return { ...diffs, index: null, crc32: null };
    if (plan.plan === "done") return { ...diffs, index: plan.index, crc32: null };
    const { expect, operations } = plan.undo;
    const outcome = await change({ request, expect, operations, author, reason });
    if (!outcome.ok) throw new ProblemError(outcome.problem.code, outcome.problem.why);
    return { ...diffs, index: outcome.index, crc32: outcome.crc32 };
  }

  async exportTree(at: Point): Promise<ReadableStream<Uint8Array>> {
    await this.flushed();
    const { pool, database } = this.#parts;
    return await pool.stream({ database, at });
  }

  applied(): number {
    return this.#parts.runtime.node.config.applied;
  }

  changesAfter(index: number): Promise<ChangePage> {
    const known = this.#pages.get(index);
    if (known !== undefined) return known;
    const page = readChanges(this.#source, { index, applied: this.applied() });
    this.#pages.set(index, page);
    const forget = () => {
      if (this.#pages.get(index) === page) this.#pages.delete(index);
    };
    page.then(forget, forget);
    return page;
  }

  onApplied(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  readonly #source = (...ask: Parameters<NodeRuntime["history"]>) => {
    this.#parts.runtime.history(...ask);
  };
}
