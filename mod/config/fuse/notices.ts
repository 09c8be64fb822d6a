/**
 * What the kernel is told unasked. It may believe for an hour what it was told about names and
 * attributes; so whatever changes any of it, here or on another node, is said at once.
 *
 * While the kernel waits for our answer about an inode, it keeps that inode locked, and a notice about
 * a name in it would wait for the lock: so the notice waits here.
 *
 * @module
 */
import type { RowEdit } from "../tree.ts";
import type { Calls } from "./calls.ts";
import type { MountOutput } from "./context.ts";
import { SWEEP_MAX } from "./limits.ts";
import { Nodes } from "./nodes.ts";
import type { FuseNotice } from "./requests.ts";
import { SPECIALS } from "./specials.ts";

/** See the module's note. */
export class Notices {
  readonly #nodes: Nodes;
  readonly #calls: Calls;
  #queue = new Map<string, FuseNotice>();
  #sweep: IterableIterator<number> | null = null;

  constructor(nodes: Nodes, calls: Calls) {
    this.#nodes = nodes;
    this.#calls = calls;
  }

  /** More is to be told than was told yet. */
  get sweeping(): boolean {
    return this.#sweep !== null;
  }

  /** Content or attributes of an inode changed. */
  inode(node: number): void {
    if (this.#nodes.knows(node)) this.#add(`i${node}`, { notice: "inode", node });
  }

  /** A name in a directory (an inode of the tree) stands for something else now, or for something. */
  entry(ino: number, name: string): void {
    const directory = Nodes.nodeOfDirectory(ino);
    if (!this.#nodes.knows(directory)) return;
    this.#add(`e${directory}/${name}`, { notice: "entry", directory, name });
  }

  /** A name is gone, and what it stood for with it. */
  gone(ino: number, name: string, child: number): void {
    const directory = Nodes.nodeOfDirectory(ino);
    if (!this.#nodes.knows(directory)) return;
    this.#add(`e${directory}/${name}`, { notice: "delete", directory, child, name });
  }

  /** An inode of the tree changed. `silent`: the kernel learns about names by our answer. */
  edit({ before, after }: RowEdit, silent: boolean, replaced: boolean): void {
    if (after !== null) { for (const node of this.#nodes.knownAs(after.ino)) this.inode(node); }
    if (silent) return;
    const moved = before?.parent !== after?.parent || before?.name !== after?.name;
    if (before !== null && after === null && !replaced) {
      const child = this.#nodes.knownAs(before.ino).at(-1) ?? before.ino;
      return this.gone(before.parent, before.name, child);
    }
    if (before !== null && moved) this.entry(before.parent, before.name);
    if (after !== null && moved) this.entry(after.parent, after.name);
  }

  /** The attributes of everything changed: quorum came or went. Links first, for they are asked. */
  all(): void {
    for (const { node, kind } of SPECIALS) if (kind === "link") this.inode(node);
    this.#sweep = this.#nodes.known();
  }

  /** What may be said now; the rest waits, for the kernel or for the next step. */
  take(): MountOutput[] {
    for (let left = SWEEP_MAX; left > 0 && this.#sweep !== null; left--) {
      const { done, value } = this.#sweep.next();
      if (done) this.#sweep = null;
      else this.inode(value);
    }
    const out: MountOutput[] = [];
    for (const [key, notice] of this.#queue) {
      if (this.#isLocked(notice)) continue;
      this.#queue.delete(key);
      out.push({ output: "notice", notice });
    }
    return out;
  }

  /** Nobody is there to be told. */
  clear(): void {
    this.#queue.clear();
    this.#sweep = null;
  }

  /** A later notice about the same replaces an earlier one. */
  #add(key: string, notice: FuseNotice): void {
    this.#queue.delete(key);
    this.#queue.set(key, notice);
  }

  #isLocked(notice: FuseNotice): boolean {
    if (notice.notice === "inode") return false;
    const child = notice.notice === "delete" && this.#calls.holds(notice.child);
    return child || this.#calls.holds(notice.directory);
  }
}
