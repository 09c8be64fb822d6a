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
  /** Uuids of disks; null: every one. */
  readonly #disks = new Map<NodeId, ReadonlySet<string> | null>();

  /** It was ejected from these too; null: from all. */
  add(node: NodeId, disks: readonly string[] | null): void {
    const known = this.#disks.get(node);
    const all = known === null || disks === null;
    this.#disks.set(node, all ? null : new Set([...known ?? [], ...disks ?? []]));
  }

  /** It is heard. */
  forget(node: NodeId): void {
    this.#disks.delete(node);
  }

  /** Only who is in `fence` is asked about. */
  keepFenced(status: ManagerStatus): void {
    for (const node of this.#disks.keys()) {
      if (status.nodes.get(node)?.state !== "fence") this.#disks.delete(node);
    }
  }

  /** It can write to none of these disks; where none is named, to none at all. */
  covers(node: NodeId, luns: readonly string[]): boolean {
    const disks = this.#disks.get(node);
    if (disks === null) return true;
    return disks !== undefined && luns.length > 0 && luns.every((uuid) => disks.has(uuid));
  }
}
