/** Which resource is looked at first, and which has to run before another may start. @module */
import type { NodeId, ResourceId } from "../base/id.ts";
import { type Reason, reason } from "../base/reason.ts";
import type { Draft } from "./draft.ts";
import type { Situation } from "./situation.ts";
import { type LocalState, stateIn } from "./wire.ts";

/** Higher priority first, then what others wait for, then by name. */
export function inOrder(
  ids: ReadonlySet<ResourceId>,
  { definitions, rules }: Situation,
): ResourceId[] {
  const keyed = [...ids].map((id) => ({
    id,
    priority: definitions.resources.get(id)?.priority ?? 0,
    depth: rules.depth(id),
  }));
  keyed.sort((a, b) => b.priority - a.priority || a.depth - b.depth || (a.id < b.id ? -1 : 1));
  return keyed.map(({ id }) => id);
}

/** What must run first, by a rule of order, and does not; null: nothing. */
export function waitsFor(situation: Situation, draft: Draft, id: ResourceId): Reason | null {
  const { rules, definitions } = situation;
  for (const { id: other, by: rule, strict } of rules.before(id)) {
    const entry = draft.get(other);
    const at = entry?.state === "started" ? entry.node : null;
    if (at !== null && localOf(situation, other, at).state === "running") continue;
    // Without `strict` only what is on its way is waited for.
    const comes = definitions.resources.get(other)?.wanted === "started" &&
      (entry?.state === "started" || entry?.state === "relocate");
    if (strict || comes) return reason("ha.waits-for", { id, other, rule });
  }
  return null;
}

/** What a node says of a resource, knowing what is decided; `unknown` where it does not say. */
export function localOf(
  situation: Situation,
  id: ResourceId,
  node: NodeId,
): { readonly state: LocalState | "unknown"; readonly why: string } {
  const report = situation.report(node);
  return report === null ? { state: "unknown", why: "" } : stateIn(report, id);
}

/** Its node says, knowing what is decided, that nothing of it runs there. */
export function isGone(situation: Situation, id: ResourceId, node: NodeId): boolean {
  const { state } = localOf(situation, id, node);
  return state === "stopped" || state === "failed" || state === "invalid";
}
