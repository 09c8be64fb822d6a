/** A resource of which nothing is decided: new, or the decisions were lost. @module */
import type { NodeId, ResourceId } from "../base/id.ts";
import { nameOf } from "../base/cluster.ts";
import { reason } from "../base/reason.ts";
import type { Draft } from "./draft.ts";
import { isLongSilent } from "./node_plan.ts";
import type { Situation } from "./situation.ts";
import type { ServiceEntry } from "./status.ts";
import { stateIn } from "./wire.ts";

const BLANK: ServiceEntry = {
  ...{ state: "stopped", node: null, target: null, home: null, tried: [], why: null },
};

/**
 * Where a node says that it has it, it is there; null while a node of which nothing is known may
 * have it.
 */
export function found(situation: Situation, draft: Draft, id: ResourceId): ServiceEntry | null {
  const { spec, status } = situation;
  for (const { id: node } of spec.members) {
    const report = situation.present(node);
    if (report === null || stateIn(report, id).state === "stopped") continue;
    if (draft.nodes.get(node)?.state !== "online") continue;
    const why = reason("ha.adopted", { id, node: nameOf(spec, node) });
    return { ...BLANK, state: "started", node, why };
  }
  const isKnown = (node: NodeId) =>
    status.nodes.has(node) || draft.nodes.has(node) || isLongSilent(situation, node);
  const known = spec.members.every(({ id: node }) => {
    const { unguarded = false, state } = draft.nodes.get(node) ?? {};
    // Of one that was disarmed silence says nothing, and neither does that it is known.
    if (unguarded && state !== "dead") return situation.present(node) !== null;
    return isKnown(node);
  });
  return known ? BLANK : null;
}
