/**
 * Questions about the past, answered from a database file alone: a living node's (in a Worker, for
 * some take long), a dead node's, a backup. Refusals are ProblemErrors.
 *
 * @module
 */
import type {
  HistoryBounds,
  HistoryEntry,
  HistoryList,
  HistoryPageAsk,
  OperationLine,
  TransactionDetail,
  TreeDiff,
} from "../api/running_node.ts";
import type { ClusterSpec } from "../base/cluster.ts";
import { nameOf } from "../base/cluster.ts";
import { nodeId } from "../base/id.ts";
import { ProblemError } from "../base/problem.ts";
import {
  changesOf,
  decodeEntry,
  diffBetween,
  differencesOf,
  fileDiffs,
  historyLine,
  pathsNamed,
  type Point,
  type SpecEntry,
  transactionOf,
  treeAt,
} from "../config/mod.ts";
import type { DatabaseView } from "../host/linux/database_view.ts";
import type { HistoryRecord, StoredRow } from "../host/ports.ts";
import type { Operation } from "../streams.ts";

/** Everything, the newest first. */
export const NEWEST_FIRST = {
  ...{ below: Number.MAX_SAFE_INTEGER, from: 0, limit: -1, undo: false },
} as const;

/** The cluster's description in force, where the log has ever had one. */
export function specIn(view: DatabaseView): SpecEntry | null {
  const bodies = view.entries().filter(({ index }) => index <= view.meta.applied)
    .map(({ body }) => body);
  const { spec } = view.meta;
  for (const body of [...bodies.reverse(), ...(spec === null ? [] : [spec])]) {
    const entry = decodeEntry(body);
    if (entry?.kind === "spec") return entry;
    if (entry?.kind === "forced") {
      const { spec, highest } = entry;
      return { kind: "spec", spec, highest };
    }
  }
  return null;
}

/** A page of the history. */
export function historyList(
  view: DatabaseView,
  { limit, path, after }: HistoryPageAsk,
  limits: HistoryBounds,
): HistoryList {
  const entries: HistoryEntry[] = [];
  let next: number | null = null;
  const ask = { ...NEWEST_FIRST, below: after ?? NEWEST_FIRST.below };
  for (const read of view.recordsOrDamage(ask)) {
    const line = "body" in read ? entryOf(read, path) : damagedEntry(read.index, read.why);
    if (line === null) continue;
    if (entries.length === limit) {
      next = entries.at(-1)?.txn_id ?? null;
      break;
    }
    entries.push(line);
  }
  return { entries, next, oldest: view.oldest, since: view.meta.since, limits };
}

/** What is said of a transaction that is not what was written: it may have been of any path. */
export function damagedEntry(index: number, why: string): HistoryEntry {
  const nothing = { term: 0, author: "", reason: "", time: 0, diff: [], problem: null };
  return { txn_id: index, ...nothing, damaged: why };
}

/** A record as a line, or null where it does not touch the path, or cannot be read. */
export function entryOf(
  record: HistoryRecord,
  path: string | null,
): HistoryList["entries"][number] | null {
  const transaction = transactionOf(record);
  if (transaction === null || (path !== null && !pathsNamed(transaction).has(path))) return null;
  return historyLine(record);
}

/** One transaction whole. */
export function transactionDetail(
  view: DatabaseView,
  txn: number,
  spec: ClusterSpec | null,
): TransactionDetail {
  const record = mustHave(view, txn);
  const entry = decodeEntry(record.body);
  const line = historyLine(record);
  const transaction = transactionOf(record);
  const readable = entry?.kind === "transaction" || entry?.kind === "forced";
  if (line === null || transaction === null || !readable) {
    throw new ProblemError("config.no-history", `transaction ${txn} has a form unknown here`);
  }
  const changes = changesOf(record);
  return {
    ...line,
    node: nameOf(spec, nodeId(entry.writer)),
    request: record.request,
    why: record.problem === "" ? null : record.why,
    operations: transaction.operations.map(operationLine),
    kept: changes !== null,
    ...fileDiffs(differencesOf(changes ?? [])),
  };
}

/** What differs between two points. */
export function treeDiff(
  view: DatabaseView,
  { from, to, path }: { readonly from: Point; readonly to: Point; readonly path: string | null },
): TreeDiff {
  const [a, b] = [indexOf(view, from), indexOf(view, to)];
  const rows = view.rows();
  const all = diffBetween(rowsAt(view, a, rows), rowsAt(view, b, rows));
  const asked = all.filter((each) => path === null || isAtOrBelow(each.path, path));
  return { from: a, to: b, ...fileDiffs(asked) };
}

/** True for a path and for everything below it; the root has everything below it. */
export function isAtOrBelow(path: string, above: string): boolean {
  return above === "" || path === above || path.startsWith(`${above}/`);
}

/** The index that a point means. */
export function indexOf(view: DatabaseView, point: Point): number {
  const { applied, since } = view.meta;
  if (point.at === "now") return applied;
  if (point.at === "txn") {
    if (point.index <= applied) return point.index;
    throw new ProblemError("config.no-transaction", `${point.index} is not yet, ${applied} is`);
  }
  for (const record of view.records(NEWEST_FIRST)) {
    const time = transactionOf(record)?.time;
    if (time !== undefined && time <= point.seconds) return record.index;
  }
  if (since === 0) return 0;
  const at = new Date(point.seconds * 1000).toISOString();
  throw new ProblemError("config.no-history", `nothing is known of ${at}`);
}

/** The tree after an index. `rows`: the tree as it is now. */
export function rowsAt(
  view: DatabaseView,
  index: number,
  rows: readonly StoredRow[] = view.rows(),
): readonly StoredRow[] {
  const { applied, since } = view.meta;
  const records = view.records({ ...NEWEST_FIRST, from: index, undo: true });
  const tree = treeAt({ rows, applied, records, since }, index);
  if ("code" in tree) throw new ProblemError(tree.code, tree.why);
  return tree;
}

/** A transaction of the history, or why there is none. */
export function mustHave(view: DatabaseView, txn: number): HistoryRecord {
  const record = view.record(txn);
  if (record !== null) return record;
  const { applied, since } = view.meta;
  if (txn > applied) {
    throw new ProblemError("config.no-transaction", `${txn} is not yet, the newest is ${applied}`);
  }
  if (txn <= since) {
    const why = `${txn} is not kept here; all is kept that came after ${since}`;
    throw new ProblemError("config.no-history", why);
  }
  const why = `${txn} is no transaction of clients: the log holds other entries too`;
  throw new ProblemError("config.no-transaction", why);
}

function operationLine(operation: Operation): OperationLine {
  const { op, path } = operation;
  return {
    op,
    path,
    to: op === "rename" ? operation.to : null,
    offset: op === "write" ? operation.offset : null,
    size: op === "write" ? operation.data.length : op === "truncate" ? operation.size : null,
    mtime: op === "utime" ? operation.mtime : null,
  };
}
