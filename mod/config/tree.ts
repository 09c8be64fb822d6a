/**
 * The replicated tree of files, in memory. A transaction is applied whole or not at all, and every
 * replica that applies the same transactions at the same indexes gets the same rows.
 *
 * Inode numbers come from the log index, not from a counter: a replica that was restarted, and never
 * saw a file that is gone, must still number the next one as the others do.
 *
 * @module
 */
import { type Problem, problem } from "../base/problem.ts";
import type { StoredRow, UndoRow } from "../host/ports.ts";
import type { Change, Expectation, Operation, Transaction } from "../streams.ts";
import { nodeId } from "../base/id.ts";
import { contentAfter } from "./content.ts";
import { pathFault, splitPath } from "./path.ts";
import { changeOf, ROOT_INO, Rows, type RowsView } from "./rows.ts";
import { FILE_BYTES_MAX, OPERATIONS_MAX } from "./wire.ts";

/** Bytes of all files together. */
export const TREE_BYTES_MAX = 128 * 1024 * 1024;
/** Files and directories. */
export const INODES_MAX = 256 * 1024;
/** The root has no row. */
export { ROOT_INO } from "./rows.ts";
const EMPTY = new Uint8Array(0);

/** A file or directory; rows are never changed in place, they are replaced. */
type Row = StoredRow;

/** How much a tree may hold; the same on every replica of a cluster. */
export interface TreeLimits {
  readonly bytes: number;
  readonly inodes: number;
}

const LIMITS: TreeLimits = { bytes: TREE_BYTES_MAX, inodes: INODES_MAX };

/** What became of one inode: null for "it was not there" and "it is gone". */
export interface RowEdit {
  readonly before: StoredRow | null;
  readonly after: StoredRow | null;
}

/** What a transaction did. */
export interface Applied {
  readonly rows: readonly StoredRow[];
  readonly removed: readonly number[];
  readonly changes: readonly Change[];
  /** The same by inode: who asks by inode needs to know what was there before. */
  readonly edits: readonly RowEdit[];
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
  readonly limits: TreeLimits;
  readonly #rows: Rows;
  /** What one transaction under way has touched, as it was; the row is null for none. */
  #before = new Map<number, Omit<UndoRow, "ino">>();
  #touched = new Set<string>();

  /** The tree of these rows. Asserts that they make one: the database has checked them. */
  constructor(rows: readonly StoredRow[], limits = LIMITS) {
    this.#rows = new Rows(rows);
    this.limits = limits;
  }

  /** Reading by path, inode or name. */
  get view(): RowsView {
    return this.#rows;
  }

  /** Bytes of all files. */
  get bytes(): number {
    return this.#rows.bytes;
  }

  /** Files and directories. */
  get size(): number {
    return this.#rows.size;
  }

  /** The row at a path, or null. */
  find(path: string): StoredRow | null {
    return this.#rows.find(path);
  }

  /** The children of a directory (the root for the empty path), by name; null where there is none. */
  children(path: string): readonly StoredRow[] | null {
    return this.#rows.children(path);
  }

  /** Every row. Rows are never changed, so this is the tree as it is now, whatever comes. */
  rows(): readonly StoredRow[] {
    return this.#rows.all();
  }

  /** The row of an inode, or null. */
  row(ino: number): StoredRow | null {
    return this.#rows.row(ino);
  }

  /** Every row, and the changes that would make this tree out of an empty one. */
  all(): Omit<Applied, "undo"> {
    return { rows: this.rows(), removed: [], changes: this.#rows.changes(), edits: [] };
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
    if (!stamp.unbounded && this.#rows.bytes > this.limits.bytes) {
      return problem("config.full", `the tree would hold ${this.#rows.bytes} bytes`);
    }
    if (!stamp.unbounded && this.#rows.size > this.limits.inodes) {
      return problem("config.full", `the tree would have ${this.#rows.size} entries`);
    }
    return this.#guestFault();
  }

  /** A VMID that came to a new place while it has another: judged when the whole transaction is done. */
  #guestFault(): Problem | null {
    for (const [ino, { before }] of this.#before) {
      const guest = this.#rows.guests.get(ino);
      const row = this.#rows.row(ino);
      if (guest === undefined || row === null) continue;
      if (before !== null && before.parent === row.parent && before.name === row.name) continue;
      for (const other of this.#rows.guests.places(guest.vmid)) {
        if (other === ino) continue;
        const place = this.#rows.pathOf(other);
        return problem("config.guest-exists", `VMID ${guest.vmid} is that of "${place}"`);
      }
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
    if ((this.#rows.names(row.ino)?.size ?? 0) > 0) {
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
    if (row.kind === "directory" && (this.#rows.names(row.ino)?.size ?? 0) > 0) {
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
    const old = this.#rows.row(row.ino);
    if (!this.#before.has(row.ino)) this.#before.set(row.ino, this.#asIs(old));
    if (old !== null) this.#rows.displace(old);
    this.#rows.place(row);
  }

  #drop(row: Row): void {
    if (!this.#before.has(row.ino)) this.#before.set(row.ino, this.#asIs(row));
    this.#rows.displace(row);
  }

  /**
   * A row that the transaction touches for the first time is where it was before: what is above it
   * is not empty, so the transaction could neither move nor remove that.
   */
  #asIs(row: Row | null): Omit<UndoRow, "ino"> {
    return { path: row === null ? "" : this.#rows.pathOf(row.ino) ?? "", before: row };
  }

  #undo(): void {
    for (const ino of this.#before.keys()) {
      const row = this.#rows.row(ino);
      if (row !== null) this.#rows.displace(row);
    }
    // Directories first: a guest is known by the path to its file.
    for (const [ino, { before }] of this.#before) {
      if (before === null) this.#rows.forget(ino);
      else if (before.kind === "directory") this.#rows.place(before);
    }
    for (const { before } of this.#before.values()) {
      if (before?.kind === "file") this.#rows.place(before);
    }
  }

  #applied({ index, writer }: Stamp): Applied {
    const rows: StoredRow[] = [];
    const removed: number[] = [];
    const edits: RowEdit[] = [];
    for (const [ino, { before }] of this.#before) {
      const row = this.#rows.row(ino);
      edits.push({ before, after: row });
      if (row !== null) rows.push(row);
      else {
        if (before !== null) removed.push(ino);
        this.#rows.forget(ino);
      }
    }
    const changes = [...this.#touched].map((path): Change => {
      const row = this.find(path);
      if (row !== null) return changeOf(path, row);
      return { path, kind: "gone", version: index, data: null, writer: nodeId(writer) };
    });
    const undo = [...this.#before].map(([ino, was]) => ({ ino, ...was }));
    return { rows, removed, changes, edits, undo };
  }
}

/** The inode number of what operation `at` of the transaction at `index` makes. */
export function inoOf(index: number, at: number): number {
  return index * OPERATIONS_MAX + at + 1;
}

function missing(path: string): Problem {
  return problem("config.not-found", `"${path}" is not there`);
}
