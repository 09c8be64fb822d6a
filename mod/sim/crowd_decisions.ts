/**
 * What a crowd's strict rules forbid is forbidden in each status of the manager, too: whether two that
 * must be apart meet is a matter of milliseconds, that they may is not.
 *
 * @module
 */
import type { NodeId, ResourceId } from "../base/id.ts";
import type { ManagerStatus, ServiceEntry } from "../ha/mod.ts";

/** One rule about some resources, by their places; no resource is under two of one kind. */
export type CrowdRule =
  & { readonly resources: readonly number[] }
  & (
    | { readonly rule: "on"; readonly nodes: readonly number[]; readonly strict: boolean }
    | { readonly rule: "together" | "apart" }
    | { readonly rule: "after"; readonly strict: boolean }
  );

/** Whom the rules are about. */
export interface Ruled {
  readonly rules: readonly CrowdRule[];
  /** Resources and nodes by the places that rules name. */
  readonly ids: readonly ResourceId[];
  readonly nodes: readonly NodeId[];
}

/** The first decision that a strict rule forbids; null: there is none. */
export function forbidden(
  { services }: ManagerStatus,
  { rules, ids, nodes }: Ruled,
): string | null {
  for (const rule of rules) {
    const taken = new Map<NodeId, ResourceId>();
    for (const place of rule.resources) {
      const id = ids[place];
      const entry = id === undefined ? undefined : services.get(id);
      if (id === undefined || entry === undefined) continue;
      for (const node of placesOf(entry)) {
        if (rule.rule === "on" && rule.strict && !rule.nodes.includes(nodes.indexOf(node))) {
          return `${id} is ${entry.state} on node ${node}, which its rule closes`;
        }
        if (rule.rule !== "apart") continue;
        const other = taken.get(node);
        if (other !== undefined && other !== id) {
          return `${id} is ${entry.state} on node ${node}, where ${other} may run still`;
        }
        taken.set(node, id);
      }
    }
  }
  return null;
}

/** Where it may run by what is decided. What failed, or is proven away, its node's word decides. */
function placesOf({ state, node, target }: ServiceEntry): readonly NodeId[] {
  if (state === "stopped" || state === "error" || state === "recovery") return [];
  return [node, state === "relocate" ? target : null].filter((each) => each !== null);
}
