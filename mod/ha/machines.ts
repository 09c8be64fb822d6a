/**
 * Definitions of virtual machines in the tree. In whose folder a file lies is who owns the machine;
 * a decision that gives it to another node moves the file in the same transaction.
 *
 * @module
 */
import { decodeText } from "../base/bytes.ts";
import { type ClusterSpec, nameOf } from "../base/cluster.ts";
import type { NodeId, ResourceId } from "../base/id.ts";
import type { Change, Expectation, Operation } from "../streams.ts";
import type { Action } from "./agents/action.ts";
import { definitionPath } from "./agents/vm.ts";
import type { ManagerStatus } from "./status.ts";

const FILE = /^nodes\/([^/]+)\/qemu-server\/([1-9]\d{2,8})\.conf$/;
/** Files that one decision moves: each takes two expectations, of 1024 that a transaction may have. */
export const MACHINE_MOVES_MAX = 256;
const FOLDER = /^nodes(\/[^/]+(\/qemu-server)?)?$/;

/** A definition, as it was last applied here. */
export interface MachineFile {
  readonly path: string;
  /** Name of the node whose folder has it. */
  readonly node: string;
  readonly version: number;
  readonly data: Uint8Array;
}

/** Does a path say something about machines? */
export function isMachinePath(path: string): boolean {
  return FILE.test(path) || FOLDER.test(path);
}

/** The machine that a resource is; null for one of another kind. */
export function vmidOf(id: ResourceId): number | null {
  return id.startsWith("vm:") ? Number(id.slice("vm:".length)) : null;
}

/** See the module's note. */
export class Machines {
  readonly #files = new Map<number, MachineFile>();
  readonly #folders = new Set<string>();

  clear(): void {
    this.#files.clear();
    this.#folders.clear();
  }

  apply({ path, kind, version, data }: Change): void {
    if (FOLDER.test(path)) {
      if (kind === "directory") this.#folders.add(path);
      else this.#folders.delete(path);
      return;
    }
    const [, node = "", number = ""] = FILE.exec(path) ?? [];
    const vmid = Number(number);
    if (kind === "file" && data !== null) this.#files.set(vmid, { path, node, version, data });
    // It may have been moved: where it is now was told before, or will be.
    else if (this.#files.get(vmid)?.path === path) this.#files.delete(vmid);
  }

  of(vmid: number): MachineFile | null {
    return this.#files.get(vmid) ?? null;
  }

  /** What a resource's definition says, with what the tree says of its machine. */
  complete(action: Action): Action {
    if (action.kind !== "vm") return action;
    const file = this.of(action.vmid);
    if (file === null) return action;
    // What is no text is no definition: its first line will be told.
    const text = decodeText(file.data) ?? "it is not UTF-8";
    return { ...action, file: { node: file.node, text } };
  }

  /**
   * What moves with a decision: files of machines that it gives to another node, each from the very
   * node that had the machine until now. Nothing is known of any other that has the file.
   */
  moves(
    spec: ClusterSpec,
    before: ManagerStatus,
    next: ManagerStatus,
  ): { readonly expect: Expectation[]; readonly operations: Operation[] } {
    const expect: Expectation[] = [];
    const operations: Operation[] = [];
    const made = new Set<string>();
    for (const [id, entry] of next.services) {
      const vmid = vmidOf(id);
      const file = vmid === null ? null : this.of(vmid);
      const from = before.services.get(id)?.node ?? null;
      if (file === null || from === null || from === entry.node) continue;
      if (vmid === null || entry.node === null || entry.state !== "started") continue;
      if (file.node !== nameOf(spec, from)) continue;
      const node = nameOf(spec, entry.node);
      const to = definitionPath(node, vmid);
      for (const path of ["nodes", `nodes/${node}`, `nodes/${node}/qemu-server`]) {
        if (this.#folders.has(path) || made.has(path)) continue;
        made.add(path);
        expect.push({ path, version: 0 });
        operations.push({ op: "mkdir", path });
      }
      expect.push({ path: file.path, version: file.version }, { path: to, version: 0 });
      operations.push({ op: "rename", path: file.path, to });
    }
    return { expect, operations };
  }
}

/** The owner of a machine, or why nobody is; null for a resource of another kind. */
export function ownerOf(
  { machines, spec }: { readonly machines: Machines; readonly spec: ClusterSpec },
  id: ResourceId,
): { readonly node: NodeId; readonly name: string } | { readonly why: string } | null {
  const vmid = vmidOf(id);
  if (vmid === null) return null;
  const file = machines.of(vmid);
  if (file === null) return { why: `there is no nodes/*/qemu-server/${vmid}.conf` };
  const owner = spec.members.find(({ name }) => name === file.node);
  if (owner !== undefined) return { node: owner.id, name: owner.name };
  return { why: `"${file.path}" lies with no member; move it to the node that is to have it` };
}
