/**
 * The replicated tree of files, in memory. A transaction is applied whole or not at all, and every
 * replica that applies the same transactions at the same indexes gets the same rows.
 *
 * Inode numbers come from the log index, not from a counter: a replica that was restarted, and never
 * saw a file that is gone, must still number the next one as the others do.
 *
 * @module
 */
import { assert } from "../base/assert.ts";
import { type Problem, problem } from "../base/problem.ts";
import type { StoredRow, UndoRow } from "../host/ports.ts";
import type { Change, Expectation, Operation, Transaction } from "../streams.ts";
import { nodeId } from "../base/id.ts";
import { pathFault, splitPath } from "./path.ts";
import { FILE_BYTES_MAX, OPERATIONS_MAX } from "./wire.ts";

/** Bytes of all files together. */
export const TREE_BYTES_MAX = 128 * 1024 * 1024;
/** Files and directories. */
export const INODES_MAX = 256 * 1024;
/** The root has no row. */
export const ROOT_INO = 0;
const EMPTY = new Uint8Array(0);

/** A file or directory; rows are never changed in place, they are replaced. */
type Row = StoredRow;

/** What a transaction did. */
export interface Applied {
  readonly rows: readonly StoredRow[];
  readonly removed: readonly number[];
  readonly changes: readonly Change[];
  /** Every row that it touched, as it was before. */
  readonly undo: readonly UndoRow[];
}

/** A tree for reading. */
export type TreeReader = Pick<Tree, "find" | "row" | "rows" | "children">;

/** When and by whom a transaction is applied. */
export interface Stamp {
  readonly index: number;
  readonly writer: number;
  /** The limits of the whole tree do not count. */
  readonly unbounded?: boolean;
}

/** See the module's note. */
export class Tree {
  readonly #rows = new Map<number, Row>();
  readonly #children = new Map<number, Map<string, number>>([[ROOT_INO, new Map()]]);
  #bytes = 0;
  /** What one transaction under way has touched: the row as it was, or null for none. */
  #before = new Map<number, Row | null>();
  #touched = new Set<string>();

  /** The tree of these rows. Asserts that they make one: the database has checked them. */
  constructor(rows: readonly StoredRow[]) {
    for (const row of rows) {
      if (row.kind === "directory") this.#children.set(row.ino, new Map());
    }
    for (const row of rows) {
      const siblings = this.#children.get(row.parent);
      assert(siblings !== undefined && !siblings.has(row.name), "Stored rows make a tree");
      siblings.set(row.name, row.ino);
      this.#rows.set(row.ino, row);
      this.#bytes += row.data.length;
    }
  }

  /** Bytes of all files. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Files and directories. */
  get size(): number {
    return this.#rows.size;
  }

  /** The row at a path, or null. */
  find(path: string): StoredRow | null {
    let ino = ROOT_INO;
    if (path === "") return null;
    for (const name of path.split("/")) {
      const next = this.#children.get(ino)?.get(name);
      if (next === undefined) return null;
      ino = next;
    }
    return this.#rows.get(ino) ?? null;
  }

  /** The children of a directory (the root for the empty path), by name; null where there is none. */
  children(path: string): readonly StoredRow[] | null {
    const row = this.find(path);
    if (path !== "" && row?.kind !== "directory") return null;
    const names = this.#children.get(row?.ino ?? ROOT_INO);
    return [...(names ?? [])].sort(([a], [b]) => a < b ? -1 : 1)
      .flatMap(([, ino]) => this.#rows.get(ino) ?? []);
  }

  /** Every row. Rows are never changed, so this is the tree as it is now, whatever comes. */
  rows(): readonly StoredRow[] {
    return [...this.#rows.values()];
  }

  /** The row of an inode, or null. */
  row(ino: number): StoredRow | null {
    return this.#rows.get(ino) ?? null;
  }

  /** Every row, and the changes that would make this tree out of an empty one. */
  all(): Omit<Applied, "undo"> {
    const changes: Change[] = [];
    const visit = (ino: number, prefix: string): void => {
      for (const [name, child] of this.#children.get(ino) ?? []) {
        const row = this.#rows.get(child);
        if (row === undefined) continue;
        changes.push(changeOf(prefix + name, row));
        if (row.kind === "directory") visit(child, `${prefix}${name}/`);
      }
    };
    visit(ROOT_INO, "");
    return { rows: this.rows(), removed: [], changes };
  }

  /** Applies a transaction, or says why not and leaves the tree as it was. */
  apply(transaction: Transaction, stamp: Stamp): Applied | Problem {
    this.#before = new Map();
    this.#touched = new Set();
    const refused = this.#expect(transaction.expect) ??
      this.#perform(transaction.operations, transaction.time, stamp);
    if (refused !== null) {
      this.#undo();
      return refused;
    }
    return this.#applied(stamp);
  }

  #expect(expectations: readonly Expectation[]): Problem | null {
    for (const { path, version } of expectations) {
      const found = this.find(path)?.version ?? 0;
      if (found !== version) {
        const why = `"${path}" has version ${found}, expected was ${version}`;
        return problem("config.version-mismatch", why);
      }
    }
    return null;
  }

  #perform(operations: readonly Operation[], time: number, stamp: Stamp): Problem | null {
    for (const [at, operation] of operations.entries()) {
      const fault = pathFault(operation.path) ??
        (operation.op === "rename" ? pathFault(operation.to) : null);
      if (fault !== null) return problem("config.bad-path", `"${operation.path}": ${fault}`);
      const refused = this.#one(operation, { ...stamp, time, ino: inoOf(stamp.index, at) });
      if (refused !== null) return refused;
    }
    if (stamp.unbounded) return null;
    if (this.#bytes > TREE_BYTES_MAX) {
      return problem("config.too-large", `the tree would hold ${this.#bytes} bytes`);
    }
    if (this.#rows.size > INODES_MAX) {
      return problem("config.too-large", `the tree would have ${this.#rows.size} entries`);
    }
    return null;
  }

  #one(operation: Operation, stamp: Stamp & { time: number; ino: number }): Problem | null {
    switch (operation.op) {
      case "create":
        return this.#make(operation.path, "file", stamp);
      case "mkdir":
        return this.#make(operation.path, "directory", stamp);
      case "remove":
        return this.#unlink(operation.path, "file");
      case "rmdir":
        return this.#unlink(operation.path, "directory");
      case "rename":
        return this.#rename(operation.path, operation.to, stamp);
      case "write":
      case "truncate": {
        const row = this.#file(operation.path);
        if (!("ino" in row)) return row;
        const data = contentAfter(row.data, operation);
        if (data === null) {
          return problem(
            "config.too-large",
            `"${operation.path}" would pass ${FILE_BYTES_MAX} bytes`,
          );
        }
        const { index: version, writer, time: mtime } = stamp;
        this.#touched.add(operation.path);
        this.#put({ ...row, data, version, writer, mtime });
        return null;
      }
      case "utime": {
        const row = this.find(operation.path);
        if (row === null) return missing(operation.path);
        const { index: version, writer } = stamp;
        this.#touched.add(operation.path);
        this.#put({ ...row, mtime: operation.mtime, version, writer });
        return null;
      }
    }
  }

  #make(
    path: string,
    kind: Row["kind"],
    stamp: Stamp & { time: number; ino: number },
  ): Problem | null {
    const parent = this.#parentOf(path);
    if (typeof parent !== "number") return parent;
    if (this.find(path) !== null) return problem("config.exists", `"${path}" is there`);
    const { ino, index: version, writer, time: mtime } = stamp;
    const { name } = splitPath(path);
    this.#touched.add(path);
    this.#put({ ino, parent, name, kind, mtime, version, writer, data: EMPTY });
    return null;
  }

  #unlink(path: string, kind: Row["kind"]): Problem | null {
    const row = this.find(path);
    if (row === null) return missing(path);
    if (row.kind !== kind) {
      return problem(
        kind === "file" ? "config.is-a-directory" : "config.not-a-directory",
        `"${path}"`,
      );
    }
    if ((this.#children.get(row.ino)?.size ?? 0) > 0) {
      return problem("config.not-empty", `"${path}"`);
    }
    this.#touched.add(path);
    this.#drop(row);
    return null;
  }

  #rename(path: string, to: string, stamp: Stamp): Problem | null {
    const row = this.find(path);
    if (row === null) return missing(path);
    // It would hang on itself, and be found by nobody.
    if (to.startsWith(`${path}/`)) return problem("config.bad-path", `"${to}" is below "${path}"`);
    const parent = this.#parentOf(to);
    if (typeof parent !== "number") return parent;
    if (row.kind === "directory" && (this.#children.get(row.ino)?.size ?? 0) > 0) {
      return problem("config.not-empty", `"${path}"`);
    }
    const target = this.find(to);
    if (target?.ino === row.ino) return null;
    if (target !== null) {
      if (target.kind !== "file" || row.kind !== "file") return problem("config.exists", `"${to}"`);
      this.#drop(target);
    }
    this.#touched.add(path).add(to);
    this.#drop(row);
    const { index: version, writer } = stamp;
    this.#put({ ...row, parent, name: splitPath(to).name, version, writer });
    return null;
  }

  #file(path: string): Row | Problem {
    const row = this.find(path);
    if (row === null) return missing(path);
    return row.kind === "file" ? row : problem("config.is-a-directory", `"${path}"`);
  }

  #parentOf(path: string): number | Problem {
    const { directory } = splitPath(path);
    if (directory === "") return ROOT_INO;
    const row = this.find(directory);
    if (row === null) return missing(directory);
    return row.kind === "directory" ? row.ino : problem("config.not-a-directory", `"${directory}"`);
  }

  #put(row: Row): void {
    const old = this.#rows.get(row.ino);
    if (!this.#before.has(row.ino)) this.#before.set(row.ino, old ?? null);
    this.#place(row, old);
  }

  #drop(row: Row): void {
    if (!this.#before.has(row.ino)) this.#before.set(row.ino, row);
    this.#displace(row);
  }

  #place(row: Row, old: Row | undefined): void {
    if (old !== undefined) this.#displace(old);
    this.#rows.set(row.ino, row);
    this.#children.get(row.parent)?.set(row.name, row.ino);
    if (row.kind === "directory" && !this.#children.has(row.ino)) {
      this.#children.set(row.ino, new Map());
    }
    this.#bytes += row.data.length;
  }

  #displace(row: Row): void {
    this.#rows.delete(row.ino);
    const siblings = this.#children.get(row.parent);
    if (siblings?.get(row.name) === row.ino) siblings.delete(row.name);
    this.#bytes -= row.data.length;
  }

  #undo(): void {
    for (const ino of this.#before.keys()) {
      const row = this.#rows.get(ino);
      if (row !== undefined) this.#displace(row);
    }
    for (const [ino, row] of this.#before) {
      if (row !== null) this.#place(row, undefined);
      else this.#children.delete(ino);
    }
  }

  #applied({ index, writer }: Stamp): Applied {
    const rows: StoredRow[] = [];
    const removed: number[] = [];
    for (const [ino, before] of this.#before) {
      const row = this.#rows.get(ino);
      if (row !== undefined) rows.push(row);
      else {
        if (before !== null) removed.push(ino);
        this.#children.delete(ino);
      }
    }
    const changes = [...this.#touched].map((path): Change => {
      const row = this.find(path);
      if (row !== null) return changeOf(path, row);
      return { path, kind: "gone", version: index, data: null, writer: nodeId(writer) };
    });
    const undo = [...this.#before].map(([ino, before]) => ({ ino, before }));
    return { rows, removed, changes, undo };
  }
}

/** The inode number of what operation `at` of the transaction at `index` makes. */
function inoOf(index: number, at: number): number {
  return index * OPERATIONS_MAX + at + 1;
}

function changeOf(path: string, row: Row): Change {
  const { kind, version } = row;
  return {
    path,
    kind,
    version,
    data: kind === "file" ? row.data : null,
    writer: nodeId(row.writer),
  };
}

function missing(path: string): Problem {
  return problem("config.not-found", `"${path}" is not there`);
}

/** A file's content after a write or truncate; null where it would be too long. */
function contentAfter(
  data: Uint8Array,
  operation: Extract<Operation, { op: "write" | "truncate" }>,
): Uint8Array | null {
  if (operation.op === "truncate") {
    if (operation.size > FILE_BYTES_MAX) return null;
    const cut = new Uint8Array(operation.size);
    cut.set(data.subarray(0, operation.size));
    return cut;
  }
  const { offset, data: added } = operation;
  const size = Math.max(data.length, offset + added.length);
  if (size > FILE_BYTES_MAX) return null;
  const whole = new Uint8Array(size);
  whole.set(data);
  whole.set(added, offset);
  return whole;
}
