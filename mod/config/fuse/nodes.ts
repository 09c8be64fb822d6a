/**
 * Node numbers: what the kernel calls an inode, and what that is here.
 *
 * An inode of the tree has its own number, one of the mount (root, virtual files, links) a small one.
 * A file that was created and is not committed yet has none in the tree, for that will come from the
 * log; it is given one from {@link PENDING_FIRST} on, and keeps it when it is committed for as long as
 * the kernel knows it: to a program the file is the same one before and after.
 *
 * @module
 */
import { assert } from "../../base/assert.ts";
import type { StoredRow } from "../../host/ports.ts";
import { ROOT_INO } from "../rows.ts";
import type { Tree } from "../tree.ts";
import { ORPHAN_BYTES_MAX } from "./limits.ts";
import { join } from "./paths.ts";
import { type Special, specialNamed, specialOf } from "./specials.ts";

/** The root, as FUSE has it. */
export const ROOT_NODE = 1;
/** First number of files that are not in the tree yet; the log will not reach it. */
export const PENDING_FIRST = 2 ** 52;

/** A file that is created here and nowhere else yet. */
export interface PendingFile {
  readonly node: number;
  /** Inode of the directory in the tree. */
  readonly directory: number;
  readonly name: string;
  readonly mtime: number;
}

/** What a node number stands for. */
export type Place =
  | { readonly place: "root" }
  | { readonly place: "special"; readonly special: Special }
  | { readonly place: "row"; readonly row: StoredRow }
  | { readonly place: "pending"; readonly pending: PendingFile }
  /** Unlinked, and still open here. Without data where there was too much to keep. */
  | {
    readonly place: "orphan";
    readonly data: Uint8Array | null;
    readonly mtime: number;
    /** No program of this node unlinked it: whoever writes to it does not know. */
    readonly foreign: boolean;
  };

/** What has a number by which it can be found. */
export type Findable = Exclude<Place, { place: "orphan" }>;

/** See the module's note. */
export class Nodes {
  readonly #tree: () => Tree;
  /** LOOKUPs of each number that were not forgotten. */
  readonly #known = new Map<number, number>();
  readonly #pending = new Map<number, PendingFile>();
  /** Directory inode → name → the pending file. */
  readonly #names = new Map<number, Map<string, PendingFile>>();
  /** Number that was given before the commit → inode, and the other way round. */
  readonly #inos = new Map<number, number>();
  readonly #aliases = new Map<number, number[]>();
  readonly #orphans = new Map<number, Extract<Place, { place: "orphan" }>>();
  #orphanBytes = 0;
  #next = PENDING_FIRST;

  constructor(tree: () => Tree) {
    this.#tree = tree;
  }

  /** How many files are pending. */
  get pendingCount(): number {
    return this.#pending.size;
  }

  /** What a number stands for; null for nothing (any more). */
  find(node: number): Place | null {
    if (node === ROOT_NODE) return { place: "root" };
    const special = specialOf(node);
    if (special !== undefined) return { place: "special", special };
    const pending = this.#pending.get(node);
    if (pending !== undefined) return { place: "pending", pending };
    const row = this.#tree().view.row(this.#inos.get(node) ?? node);
    if (row !== null) return { place: "row", row };
    return this.#orphans.get(node) ?? null;
  }

  /** The inode that a number stands for, or stood for; a file that never was committed has none. */
  inoOf(node: number): number {
    return this.#inos.get(node) ?? node;
  }

  /** The inode of a directory in the tree; null where the number stands for none. */
  directory(node: number): number | null {
    if (node === ROOT_NODE) return ROOT_INO;
    const place = this.find(node);
    return place?.place === "row" && place.row.kind === "directory" ? place.row.ino : null;
  }

  /** What a name in a directory (an inode of the tree) stands for. */
  lookup(directory: number, name: string): Findable | null {
    const special = directory === ROOT_INO ? specialNamed(name) : undefined;
    if (special !== undefined) return { place: "special", special };
    const row = this.#tree().view.child(directory, name);
    if (row !== null) return { place: "row", row };
    const pending = this.pendingNamed(directory, name);
    return pending === undefined ? null : { place: "pending", pending };
  }

  /** The pending file of this name, or undefined. */
  pendingNamed(directory: number, name: string): PendingFile | undefined {
    return this.#names.get(directory)?.get(name);
  }

  /** Files that are pending in a directory. */
  pendingIn(directory: number): Iterable<PendingFile> {
    return this.#names.get(directory)?.values() ?? [];
  }

  /** All that are pending. */
  allPending(): readonly PendingFile[] {
    return [...this.#pending.values()];
  }

  /** The number of a directory that is an inode of the tree. */
  static nodeOfDirectory(ino: number): number {
    return ino === ROOT_INO ? ROOT_NODE : ino;
  }

  /** The number of what is at a place; orphans have none by which they could be found. */
  nodeOf(place: Findable): number {
    switch (place.place) {
      case "root":
        return ROOT_NODE;
      case "special":
        return place.special.node;
      case "pending":
        return place.pending.node;
      case "row":
        return this.#aliases.get(place.row.ino)?.at(-1) ?? place.row.ino;
    }
  }

  /** The path of what is at a place; null for what has none. */
  pathOf(place: Place): string | null {
    switch (place.place) {
      case "root":
        return "";
      case "special":
        return place.special.name;
      case "row":
        return this.#tree().view.pathOf(place.row.ino);
      case "pending": {
        const { directory, name } = place.pending;
        const parent = this.#tree().view.pathOf(directory);
        return parent === null ? null : join(parent, name);
      }
      case "orphan":
        return null;
    }
  }

  /** A new file that is here only. */
  create(directory: number, name: string, mtime: number): PendingFile {
    const pending: PendingFile = { node: this.#next++, directory, name, mtime };
    this.#put(pending);
    return pending;
  }

  /** It has another name from now on. */
  move(pending: PendingFile, directory: number, name: string): void {
    this.#take(pending);
    this.#put({ ...pending, directory, name });
  }

  /** It is committed, or somebody else committed one of its name: it is that inode from now on. */
  bind(pending: PendingFile, ino: number): void {
    this.#take(pending);
    this.#inos.set(pending.node, ino);
    this.#aliases.set(ino, [...this.#aliases.get(ino) ?? [], pending.node]);
  }

  /** It is unlinked before it ever was committed. */
  drop(pending: PendingFile, stillOpen: boolean): void {
    this.#take(pending);
    if (stillOpen) {
      this.orphan(pending.node, { data: new Uint8Array(0), mtime: pending.mtime }, false);
    }
  }

  /** What this number stood for is unlinked, and somebody has it open. */
  orphan(
    node: number,
    { data, mtime }: Pick<StoredRow, "data" | "mtime">,
    foreign: boolean,
  ): void {
    const kept = this.#orphanBytes + data.length <= ORPHAN_BYTES_MAX ? data : null;
    this.#orphanBytes += kept?.length ?? 0;
    this.#orphans.set(node, { place: "orphan", data: kept, mtime, foreign });
  }

  /** Nobody has it open any more. */
  closed(node: number): void {
    const orphan = this.#orphans.get(node);
    this.#orphanBytes -= orphan?.data?.length ?? 0;
    this.#orphans.delete(node);
    if (!this.#known.has(node)) this.#forgetAlias(node);
  }

  /** The kernel is told of this number once more. */
  count(node: number): void {
    this.#known.set(node, (this.#known.get(node) ?? 0) + 1);
  }

  /** It forgets that often; `open` says whether the file is still open. */
  forget(node: number, count: number, open: boolean): void {
    const left = (this.#known.get(node) ?? 0) - count;
    if (left > 0) {
      this.#known.set(node, left);
      return;
    }
    this.#known.delete(node);
    if (!open) this.#forgetAlias(node);
  }

  /** True where the kernel knows it. */
  knows(node: number): boolean {
    return node === ROOT_NODE || this.#known.has(node);
  }

  /** All numbers that the kernel knows. */
  known(): IterableIterator<number> {
    return this.#known.keys();
  }

  /** The numbers by which the kernel knows an inode of the tree. */
  knownAs(ino: number): number[] {
    return this.numbersOf(ino).filter((each) => this.knows(each));
  }

  /** The numbers under which an inode of the tree may be open. */
  numbersOf(ino: number): number[] {
    return [ino, ...this.#aliases.get(ino) ?? []];
  }

  #put(pending: PendingFile): void {
    const { directory, name, node } = pending;
    const names = this.#names.get(directory) ?? new Map<string, PendingFile>();
    assert(!names.has(name), "A pending file has a name of its own");
    this.#names.set(directory, names.set(name, pending));
    this.#pending.set(node, pending);
  }

  #take({ directory, name, node }: PendingFile): void {
    const names = this.#names.get(directory);
    names?.delete(name);
    if (names?.size === 0) this.#names.delete(directory);
    this.#pending.delete(node);
  }

  #forgetAlias(node: number): void {
    const ino = this.#inos.get(node);
    if (ino === undefined) return;
    this.#inos.delete(node);
    const left = this.#aliases.get(ino)?.filter((each) => each !== node) ?? [];
    if (left.length > 0) this.#aliases.set(ino, left);
    else this.#aliases.delete(ino);
  }
}
