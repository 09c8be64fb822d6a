/**
 * What a transaction out of the history did to each path: its operations, once more, on what its
 * undo record says was there. Pure; needs no tree.
 *
 * @module
 */
import { equalBytes } from "../base/bytes.ts";
import type { HistoryRecord, StoredRow } from "../host/ports.ts";
import type { Operation } from "../streams.ts";
import { contentAfter } from "./content.ts";
import { pathsNamed, transactionOf } from "./history.ts";
import type { PathDiff } from "./past.ts";

/** A path before and after a transaction; both null where it came and went within it. */
export interface PathChange {
  readonly path: string;
  readonly before: StoredRow | null;
  readonly after: StoredRow | null;
}

/**
 * Every path that a transaction named, in the order of its operations. Null where what was before is
 * not kept; empty for one that was refused.
 */
export function changesOf(record: HistoryRecord): readonly PathChange[] | null {
  const transaction = transactionOf(record);
  if (transaction === null || record.undo === null) return null;
  if (record.problem !== "") return [];
  const before = new Map<string, StoredRow>();
  for (const { path, before: row } of record.undo) if (row !== null) before.set(path, row);
  const now = new Map(before);
  const { time } = transaction;
  for (const operation of transaction.operations) perform(now, operation, record.index, time);
  // Renaming something to itself touches nothing.
  const operations = transaction.operations.filter((each) =>
    each.op !== "rename" || each.path !== each.to
  );
  return [...pathsNamed({ ...transaction, operations })].map((path) => ({
    path,
    before: before.get(path) ?? null,
    after: now.get(path) ?? null,
  }));
}

/** Those paths that are another kind or content than before. */
export function differencesOf(changes: readonly PathChange[]): readonly PathDiff[] {
  return changes.flatMap(({ path, before, after }): PathDiff[] => {
    if (before === null) return after === null ? [] : [{ path, change: "added", before, after }];
    if (after === null) return [{ path, change: "removed", before, after }];
    const same = before.kind === after.kind && equalBytes(before.data, after.data);
    return same ? [] : [{ path, change: "changed", before, after }];
  });
}

const NOTHING: Omit<StoredRow, "kind"> = {
  ...{ ino: 0, parent: 0, name: "", mtime: 0, version: 0, writer: 0 },
  data: new Uint8Array(0),
};

/** What the tree did, without its refusals: it was applied. */
function perform(
  now: Map<string, StoredRow>,
  operation: Operation,
  version: number,
  mtime: number,
): void {
  const { path } = operation;
  const row = now.get(path) ?? { ...NOTHING, kind: "file" as const };
  switch (operation.op) {
    case "create":
      return void now.set(path, { ...NOTHING, kind: "file", version, mtime });
    case "mkdir":
      return void now.set(path, { ...NOTHING, kind: "directory", version, mtime });
    case "remove":
    case "rmdir":
      return void now.delete(path);
    case "rename":
      if (operation.to === path) return;
      now.delete(path);
      return void now.set(operation.to, { ...row, version });
    case "write":
    case "truncate":
      return void now.set(path, {
        ...row,
        ...{ version, mtime },
        data: contentAfter(row.data, operation) ?? row.data,
      });
    case "utime":
      return void now.set(path, { ...row, version, mtime: operation.mtime });
  }
}
