/**
 * From which disks nodes were ejected: the storage proof of stream 4, kept while a node is in `fence`.
 * Who is heard again may have registered again, and is proven nothing any more.
 *
 * @module
 */
import type { NodeId } from "../base/id.ts";
import type { ManagerStatus } from "./status.ts";

/** See the module's note. */
export class Ejections {
  /** Uuids of disks, by node. */
  readonly #disks = new Map<NodeId, ReadonlySet<string>>();
  /** Who is ejected from every disk that the one who did it has. */
  readonly #all = new Set<NodeId>();

  /** It was ejected from these too; null: from all, which are named beside it. */
  add(node: NodeId, disks: readonly string[] | null): void {
    if (disks === null) this.#all.add(node);
    else this.#disks.set(node, new Set([...this.#disks.get(node) ?? [], ...disks]));
  }

  /** It is heard. */
  forget(node: NodeId): void {
    this.#disks.delete(node);
    this.#all.delete(node);
  }

  /** Only who is in `fence` is asked about. */
  keepFenced(status: ManagerStatus): void {
    for (const node of [...this.#disks.keys(), ...this.#all]) {
      if (status.nodes.get(node)?.state !== "fence") this.forget(node);
    }
  }

  /** It can write to none of these disks; where none is named, to none at all. */
  covers(node: NodeId, luns: readonly string[]): boolean {
    // A disk that is named may be one that whoever ejected it from all of its own does not have.
    if (luns.length > 0) return luns.every((uuid) => this.#disks.get(node)?.has(uuid) === true);
    return this.#all.has(node);
  }
}
