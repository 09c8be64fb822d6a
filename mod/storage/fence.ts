/**
 * Storage proof: a silent node's keys are ejected from the disks that its resources live on, and it
 * is told only after they were seen gone on every one of them.
 *
 * @module
 */
import type { NodeId } from "../base/id.ts";
import { type Reason, reason } from "../base/reason.ts";
import { ejectNode } from "./arbiter.ts";
import type { StorageContext } from "./context.ts";
import type { Lun } from "./lun.ts";
import type { Procedure, Procedures } from "./procedure.ts";

interface Fence {
  readonly name: string;
  readonly node: NodeId;
  readonly disks: readonly string[] | null;
  readonly luns: readonly Lun[];
  left: number;
  why: string;
  /** A disk from which the node is gone, but not what it had sent. */
  unproven: string | null;
}

/** See the module's note. */
export class Fences {
  readonly #context: StorageContext;
  readonly #procedures: Procedures;
  readonly #luns: readonly Lun[];
  /** Fences under way, by node and disk. */
  readonly #fencing = new Map<string, Fence>();
  #said = "";

  constructor(context: StorageContext, procedures: Procedures, luns: readonly Lun[]) {
    this.#context = context;
    this.#procedures = procedures;
    this.#luns = luns;
  }

  /** Ejects `node` from the disks with these uuids, each told by itself, or (null) from all. */
  fence(node: NodeId, disks: readonly string[] | null): void {
    if (node === this.#context.self || this.#luns.length === 0) return;
    if (disks === null) return this.#fence(node, null, this.#luns);
    for (const uuid of disks) {
      const lun = this.#luns.find((each) => each.uuid === uuid);
      if (lun === undefined) this.#failed(node, `the disk ${uuid} is not there`);
      else this.#fence(node, [uuid], [lun]);
    }
  }

  /** It lives, and may be registered again where it was ejected first: what is under way proves nothing. */
  heard(node: NodeId): void {
    for (const fence of this.#fencing.values()) {
      if (fence.node === node) fence.why = "it was heard in the meantime";
    }
  }

  #fence(node: NodeId, disks: readonly string[] | null, luns: readonly Lun[]): void {
    const name = `${node} ${disks?.join() ?? "all"}`;
    if (this.#fencing.has(name)) return;
    const missing = luns.find((lun) => lun.liveKey === null);
    if (missing !== undefined) return this.#failed(node, `${missing.path} is not ready`);
    const fence: Fence = { name, node, disks, luns, left: luns.length, why: "", unproven: null };
    this.#fencing.set(name, fence);
    for (const lun of luns) {
      this.#procedures.start(lun.index, this.#eject(lun, lun.liveKey ?? "", fence));
    }
  }

  *#eject(lun: Lun, key: string, fence: Fence): Procedure<void> {
    const { node } = fence;
    const end = yield* ejectNode(this.#context, { key, node, aborts: lun.aborts });
    if (end.end === "failed") fence.why = `${lun.path}: ${end.why}`;
    else if (!end.proven) fence.unproven = lun.path;
    fence.left -= 1;
    if (fence.left > 0) return;
    this.#fencing.delete(fence.name);
    if (fence.why !== "") return this.#failed(node, fence.why);
    if (fence.unproven !== null) return this.#unproven(node, fence.unproven);
    this.#said = "";
    const name = this.#context.name(node);
    const disk = fence.luns.map(({ path }) => path).join(", ");
    const because = reason("storage.fenced", { node: name, disk });
    const uuids = fence.luns.flatMap(({ uuid }) => uuid ?? []);
    this.#context.tell({ fact: "storage.fenced", node, disks: uuids, because });
    if (fence.disks === null) {
      this.#context.tell({ fact: "storage.fenced", node, disks: null, because });
    }
    this.#context.say(`scsi_res: ${name} is ejected from ${disk}`, because);
  }

  #failed(node: NodeId, why: string): void {
    this.#say(`${this.#context.name(node)} is not ejected: ${why}`, null);
  }

  /** It can send nothing more, which is good; but its death is not proven by that. */
  #unproven(node: NodeId, disk: string): void {
    const name = this.#context.name(node);
    const because = reason("storage.no-abort", { disk });
    this.#say(`scsi_res: ${name} is ejected from ${disk}, which proves nothing`, because);
  }

  #say(text: string, because: Reason | null): void {
    if (this.#said === text) return;
    this.#said = text;
    this.#context.say(text, because);
  }
}
