/** Orders of people to the manager: the lines of `ha/crm_commands`. @module */
import { type BootId, bootId, isResourceId, type NodeId, type ResourceId } from "../base/id.ts";
import type { ClusterSpec } from "../base/cluster.ts";

export type Command =
  /** `cold`: by a stop and a start, whatever else it could. */
  | {
    readonly order: "migrate";
    readonly id: ResourceId;
    readonly node: NodeId;
    readonly cold?: true;
  }
  | { readonly order: "maintenance"; readonly node: NodeId; readonly on: boolean }
  | {
    readonly order: "shutdown";
    readonly node: NodeId;
    readonly how: "freeze" | "migrate";
    readonly boot: BootId;
  }
  | { readonly order: "confirm-dead"; readonly node: NodeId }
  /** Its resources move away, then its host begins anew; only in this life of it. */
  | { readonly order: "reboot"; readonly node: NodeId; readonly boot: BootId }
  /** Of the whole stack. */
  | { readonly order: "arm" | "disarm" };

/**
 * An order, or null for a line that is none (the manager drops it). `former` are nodes that are no
 * members any more: they can be vouched for, by name or number, and nothing else.
 */
export function parseCommand(
  line: string,
  spec: ClusterSpec,
  former: ReadonlyMap<NodeId, string> = new Map(),
): Command | null {
  const [order, first = "", second = "", third = ""] = line.trim().split(/\s+/);
  if (order === "arm" || order === "disarm") return first === "" ? { order } : null;
  const idOf = (name: string) => spec.members.find((member) => member.name === name)?.id;
  if (order === "migrate") {
    const node = idOf(second);
    const cold = third === "cold" && { cold: true as const };
    return isResourceId(first) && node !== undefined ? { order, id: first, node, ...cold } : null;
  }
  const node = idOf(first);
  if (node === undefined) {
    const gone = formerOf(first, former);
    return order === "confirm-dead" && gone !== null ? { order, node: gone } : null;
  }
  if (order === "shutdown" && (second === "freeze" || second === "migrate")) {
    return /^[0-9a-f]{16}$/.test(third) ? { order, node, how: second, boot: bootId(third) } : null;
  }
  if (order === "reboot") {
    return /^[0-9a-f]{16}$/.test(second) ? { order, node, boot: bootId(second) } : null;
  }
  if (order === "maintenance" && (second === "on" || second === "off")) {
    return { order, node, on: second === "on" };
  }
  return order === "confirm-dead" ? { order, node } : null;
}

/** The word for a node of which only the number is sure: digits alone may be somebody's name. */
export function numberWord(node: NodeId): string {
  return `#${node}`;
}

/** Who of the former is meant by a name, or else by a number. */
function formerOf(word: string, former: ReadonlyMap<NodeId, string>): NodeId | null {
  const all = [...former];
  const found = all.find(([, name]) => name === word) ??
    all.find(([id]) => numberWord(id) === word || String(id) === word);
  return found?.[0] ?? null;
}
