/** Is everything where a rule wants it? What `--wait` of `ha rules` looks at. @module */
import type { ResourceStatus } from "../node/view.ts";
import type { Look } from "./outcome.ts";

/** One rule as the API has it. */
export interface RuleAnswer {
  readonly id: string;
  readonly kind: string;
  readonly holds: boolean;
  readonly why: string;
  readonly properties: Readonly<Record<string, string>>;
}

/** A rule that only leans, orders starts, or does not hold moves nothing, and is not waited for. */
export function keptBy(
  rule: RuleAnswer | undefined,
  resources: readonly ResourceStatus[],
): Look {
  if (rule === undefined) return { done: "the rule is gone" };
  const { id, kind, holds, properties } = rule;
  if (!holds || properties.weight !== undefined) return { done: `rule "${id}" moves nothing` };
  const named = listOf(properties.resources);
  const ours = resources.filter((each) => named.includes(each.id) && each.wanted === "started");
  const moving = ours.find(({ state }) => state !== "started" && state !== "error");
  if (moving !== undefined) return { now: told(moving) };
  const placed = ours.filter(({ state, node }) => state === "started" && node !== null);
  const wrong = kind === "node-affinity" && properties.strict === "1"
    ? strayIn(placed, listOf(properties.nodes).map((each) => each.split(":")[0] ?? ""))
    : kind !== "resource-affinity"
    ? null
    : properties.affinity === "positive"
    ? placed.find(({ node }) => node !== placed[0]?.node)
    : placed.find((each, at) => placed.findIndex(({ node }) => node === each.node) < at);
  return wrong ? { now: told(wrong) } : { done: `rule "${id}" is kept` };
}

function strayIn(
  placed: readonly ResourceStatus[],
  nodes: readonly string[],
): ResourceStatus | undefined {
  return placed.find(({ node }) => !nodes.includes(node ?? ""));
}

function listOf(text: string | undefined): readonly string[] {
  return (text ?? "").split(/[\s,;]+/).filter((each) => each !== "");
}

function told({ id, state, node, reason }: ResourceStatus): string {
  return `${id} is ${state} on ${node ?? "no node"}${reason === "" ? "" : ` (${reason})`}`;
}
