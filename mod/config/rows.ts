/**
 * The rows of the replicated tree and the ways to them: by path, by inode, by name in a directory.
 * Rows are never changed in place, they are replaced; which replacement is right is `tree.ts`'s duty.
 *
 * @module
 */
import { assert } from "../base/assert.ts";
import { nodeId } from "../base/id.ts";
import type { StoredRow } from "../host/ports.ts";
import type { Change } from "../streams.ts";
import { type Guest, GuestIndex, guestOf, vmidOf } from "./guests.ts";

/** The directory in which everything is; it has no row. */
export const ROOT_INO = 0;

/** Reading by path, by inode, by name. */
export type RowsView = Pick<
  Rows,
  "bytes" | "child" | "children" | "find" | "guests" | "names" | "pathOf" | "row" | "size"
>;

/** See the module's note. */
export class Rows {
  readonly #rows = new Map<number, StoredRow>();
  readonly #children = new Map<number, Map<string, number>>([[ROOT_INO, new Map()]]);
  readonly #guests = new GuestIndex();
  #bytes = 0;

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
    for (const row of rows) this.#noteGuest(row);
  }

  /** Who has which VMID. */
  get guests(): Pick<GuestIndex, "all" | "get" | "places"> {
    return this.#guests;
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

  /** The row of an inode, or null. */
  row(ino: number): StoredRow | null {
    return this.#rows.get(ino) ?? null;
  }

  /** The row of this name in a directory, or null. */
  child(directory: number, name: string): StoredRow | null {
    const ino = this.#children.get(directory)?.get(name);
    return ino === undefined ? null : this.row(ino);
  }

  /** The inodes in a directory by name; null where there is none. */
  names(directory: number): ReadonlyMap<string, number> | null {
    return this.#children.get(directory) ?? null;
  }

  /** Where an inode is: the empty path for the root, null for one that is not there. */
  pathOf(ino: number): string | null {
    if (ino === ROOT_INO) return "";
    const names: string[] = [];
    for (let at = ino; at !== ROOT_INO;) {
      const row = this.#rows.get(at);
      if (row === undefined) return null;
      names.unshift(row.name);
      at = row.parent;
    }
    return names.join("/");
  }

  /** The children of a directory (the root for the empty path), by name; null where there is none. */
  children(path: string): readonly StoredRow[] | null {
    const row = this.find(path);
    if (path !== "" && row?.kind !== "directory") return null;
    const names = this.#children.get(row?.ino ?? ROOT_INO);
    return [...(names ?? [])].sort(([a], [b]) => a < b ? -1 : 1)
      .flatMap(([, ino]) => this.#rows.get(ino) ?? []);
  }

  /** Every row. */
  all(): readonly StoredRow[] {
    return [...this.#rows.values()];
  }

  /** The changes that would make this tree out of an empty one. */
  changes(): readonly Change[] {
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
    return changes;
  }

  /** Puts a row into its place, which is empty. */
  place(row: StoredRow): void {
    this.#rows.set(row.ino, row);
    this.#children.get(row.parent)?.set(row.name, row.ino);
    if (row.kind === "directory" && !this.#children.has(row.ino)) {
      this.#children.set(row.ino, new Map());
    }
    this.#bytes += row.data.length;
    this.#noteGuest(row);
  }

  /** Takes a row out of its place. What is in a directory stays known until `forget`. */
  displace(row: StoredRow): void {
    this.#rows.delete(row.ino);
    this.#guests.delete(row.ino);
    const siblings = this.#children.get(row.parent);
    if (siblings?.get(row.name) === row.ino) siblings.delete(row.name);
    this.#bytes -= row.data.length;
  }

  /** A displaced directory does not come back. */
  forget(ino: number): void {
    this.#children.delete(ino);
  }

  #noteGuest(row: StoredRow): void {
    if (row.kind !== "file" || vmidOf(row.name) === null) return;
    const path = this.pathOf(row.ino);
    const guest: Guest | null = path === null ? null : guestOf(path);
    if (guest !== null) this.#guests.add(row.ino, guest);
  }
}

/** A row as the streams are told of it. */
export function changeOf(path: string, row: StoredRow): Change {
  const { kind, version } = row;
  return {
    path,
    kind,
    version,
    data: kind === "file" ? row.data : null,
    writer: nodeId(row.writer),
  };
}
