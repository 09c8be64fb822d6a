/** The tree as it was: pure functions over rows and undo records. @module */
import { equalBytes } from "../base/bytes.ts";
import { type Problem, problem } from "../base/problem.ts";
import type { HistoryRecord, StoredRow } from "../host/ports.ts";
import { ROOT_INO } from "./tree.ts";

/** A tree and how it came to be. */
export interface Past {
  /** The tree after the entry `applied`. */
  readonly rows: readonly StoredRow[];
  readonly applied: number;
  /** Newest first, with their undo records: every transaction behind `since` and up to `applied`. */
  readonly records: Iterable<HistoryRecord>;
  readonly since: number;
}

/** The rows as they were after the entry at an older index, or why that cannot be told. */
export function treeAt(past: Past, index: number): readonly StoredRow[] | Problem {
  const { rows, applied, records, since } = past;
  if (index > applied) {
    return problem("config.no-history", `index ${index} is not applied yet, ${applied} is`);
  }
  if (index < since) {
    return problem("config.no-history", `the history here begins behind index ${since}`);
  }
  const tree = new Map(rows.map((row) => [row.ino, row]));
  for (const record of records) {
    if (record.index <= index) break;
    if (record.index > applied) continue;
    if (record.undo === null) {
      const why = `what was before transaction ${record.index} is not kept`;
      return problem("config.no-history", why);
    }
    for (const { ino, before } of record.undo) {
      if (before === null) tree.delete(ino);
      else tree.set(ino, before);
    }
  }
  return [...tree.values()];
}

/** One path that is not the same in two trees. */
export interface PathDiff {
  readonly path: string;
  readonly change: "added" | "removed" | "changed";
  /** Null where it was not there. */
  readonly before: StoredRow | null;
  readonly after: StoredRow | null;
}

/** What differs between two trees in kind or content, by path. */
export function diffBetween(
  before: readonly StoredRow[],
  after: readonly StoredRow[],
): readonly PathDiff[] {
  const [old, young] = [rowsByPath(before), rowsByPath(after)];
  const found: PathDiff[] = [];
  for (const [path, row] of young) {
    const was = old.get(path) ?? null;
    if (was === null) found.push({ path, change: "added", before: null, after: row });
    else if (was.kind !== row.kind || !equalBytes(was.data, row.data)) {
      found.push({ path, change: "changed", before: was, after: row });
    }
  }
  for (const [path, row] of old) {
    if (!young.has(path)) found.push({ path, change: "removed", before: row, after: null });
  }
  return found.sort((a, b) => a.path < b.path ? -1 : 1);
}

/** Rows by their path; one that hangs on nothing is left out. */
export function rowsByPath(rows: readonly StoredRow[]): ReadonlyMap<string, StoredRow> {
  const byIno = new Map(rows.map((row) => [row.ino, row]));
  const paths = new Map<string, StoredRow>();
  for (const row of rows) {
    const path = pathOf(row, (ino) => byIno.get(ino) ?? null);
    if (path !== null) paths.set(path, row);
  }
  return paths;
}

/** The path of a row, or null where one of its directories is not there. */
function pathOf(
  row: StoredRow,
  rowOf: (ino: number) => StoredRow | null,
): string | null {
  let path = row.name;
  for (let at = row.parent; at !== ROOT_INO;) {
    const directory = rowOf(at);
    if (directory === null) return null;
    path = `${directory.name}/${path}`;
    at = directory.parent;
  }
  return path;
}
