/** Which nodes take nothing now, and which strict rules close to a resource, now or later. @module */
import { type Member, memberOf } from "../base/cluster.ts";
import type { NodeId, ResourceId } from "../base/id.ts";
import { type Draft, willBeOn } from "./draft.ts";
import type { NodeRule } from "./rules.ts";
import type { Situation } from "./situation.ts";
import { stateIn } from "./wire.ts";

/** Why nothing may be given to a node now, as a verb; null: it takes what it is given. */
export function unfit(situation: Situation, draft: Draft, node: NodeId): string | null {
  const entry = draft.nodes.get(node);
  const report = situation.present(node);
  if (entry?.state !== "online" || report === null) return "is not online";
  // Its guard needs a majority with it in it: until it votes it starts nothing, however long that is.
  if (memberOf(situation.spec, node)?.role !== "voter") return "has no vote yet";
  if (isGuardless(situation, node)) return "holds no guard";
  if (entry.maintenance) return "is in maintenance";
  return entry.shutdown !== null || report.departure !== "none" ? "stops" : null;
}

/** It is heard, and no majority hears it, for as long as one that is DOWN would be waited for. */
export function isGuardless({ mode, guardless, timing }: Situation, node: NodeId): boolean {
  return mode === "armed" && guardless(node) >= timing.deadMs;
}

/** Members that take what they are given now; of one draft always the same, and asked for often. */
export function fitMembers(situation: Situation, draft: Draft): readonly Member[] {
  const known = FIT.get(draft);
  if (known?.situation === situation) return known.members;
  const members = situation.spec.members.filter(({ id }) => unfit(situation, draft, id) === null);
  FIT.set(draft, { situation, members });
  return members;
}

const FIT = new WeakMap<Draft, {
  readonly situation: Situation;
  readonly members: readonly Member[];
}>();

/** A node is closed: by which rule, and a clause that says why. */
export interface Closed {
  readonly rule: string;
  readonly why: string;
}

/**
 * Tells of each node whether it is closed to a resource and to all that it must be together with.
 * `now`: also where a partner may still run; `then`: only where it will be.
 */
export function closedTo(
  situation: Situation,
  draft: Draft,
  { id, when }: { readonly id: ResourceId; readonly when: "now" | "then" },
): (node: { readonly id: NodeId; readonly name: string }) => Closed | null {
  const { nodeRules, apart } = situation.rules.bound(id);
  if (nodeRules.length === 0 && apart.length === 0) return open;
  const taken = new Map<NodeId, Closed>();
  const group = situation.rules.group(id);
  for (const rule of apart) {
    for (const partner of rule.resources) {
      if (partner === id || (group !== null && situation.rules.group(partner) === group)) continue;
      const closed = { rule: rule.id, why: `it must not be with ${partner}` };
      const places = when === "now"
        ? placesOf(situation, draft, partner)
        : [willBeOn(draft.get(partner))];
      for (const node of places) if (node !== null) taken.set(node, closed);
    }
  }
  return ({ id: node, name }) => {
    const rule = nodeRules.find(({ nodes }) => !nodes.has(name));
    if (rule !== undefined) return { rule: rule.id, why: `it may run on ${namesOf(rule)} only` };
    return taken.get(node) ?? null;
  };
}

function open(): null {
  return null;
}

/** Every node on which it runs, may run or is to run. */
function placesOf(situation: Situation, draft: Draft, id: ResourceId): (NodeId | null)[] {
  const entry = draft.get(id);
  if (entry === undefined) return [];
  switch (entry.state) {
    case "stopped":
      return [];
    case "relocate":
      return [entry.node, entry.target];
    case "recovery":
    case "error": {
      // It may run there still, as long as its node does not say otherwise.
      const report = entry.node === null ? null : situation.report(entry.node);
      const state = report === null ? "running" : stateIn(report, id).state;
      return state === "stopped" || state === "failed" ? [] : [entry.node];
    }
    default:
      return [entry.node];
  }
}

function namesOf({ nodes }: NodeRule): string {
  return [...nodes.keys()].join(", ");
}
