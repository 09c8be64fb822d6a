/**
 * Rules that cannot hold together, whatever happens: found before they are written, and named in
 * pairs. What a cluster of the moment cannot satisfy (a node is down) is no conflict. Pure.
 *
 * @module
 */
import { MEMBERS_MAX, type ResourceId } from "../base/id.ts";
import type { NodeRule, OrderRule, ResourceRule, Rule } from "./rules.ts";

/** One conflict: the later rule, the one it contradicts (null: the cluster itself), and why. */
export interface Conflict {
  readonly rule: string;
  readonly other: string | null;
  readonly why: string;
}

/** Which resources must be on one node, and which nodes they may have together. */
interface Group {
  readonly members: readonly ResourceId[];
  /** A rule that binds it; null for a resource alone. */
  readonly by: string | null;
  /** Nodes that every strict rule of a member allows, with the last such rule; null: all. */
  readonly allowed: { readonly nodes: ReadonlySet<string>; readonly by: string } | null;
}

/** All conflicts between enabled rules; with `nodes` also those with the number of nodes. */
export function conflictsOf(
  rules: readonly Rule[],
  nodes: readonly string[] | null = null,
): Conflict[] {
  const live = rules.filter(({ disabled }) => !disabled);
  const place = new Map(live.map(({ id }, at) => [id, at]));
  const nodeRules = live.filter((rule) => rule.kind === "node-affinity")
    .filter(({ weight }) => weight === null);
  const bonds = live.filter((rule) => rule.kind === "resource-affinity")
    .filter(({ weight }) => weight === null);
  const { groups, conflicts } = groupsOf(bonds, nodeRules);
  const found = [
    ...twiceRuled(nodeRules),
    ...conflicts,
    ...bonds.filter(({ affinity }) => affinity === "negative")
      .flatMap((rule) => apartConflict(rule, groups, nodes) ?? []),
    ...cycles(live.filter((rule) => rule.kind === "ordering")),
  ];
  // The one that stands later in the file is the one that contradicts.
  return found.map(({ rule, other, why }) =>
    other !== null && (place.get(other) ?? 0) > (place.get(rule) ?? 0)
      ? { rule: other, other: rule, why }
      : { rule, other, why }
  );
}

/** The rules that hold: without those that contradict an earlier one, and without disabled ones. */
export function withoutConflicts(rules: readonly Rule[]): {
  readonly rules: readonly Rule[];
  readonly conflicts: readonly Conflict[];
} {
  let left = rules.filter(({ disabled }) => !disabled);
  const conflicts: Conflict[] = [];
  while (true) {
    const found = conflictsOf(left);
    if (found.length === 0) return { rules: left, conflicts };
    const out = new Set(found.map(({ rule }) => rule));
    conflicts.push(...found);
    left = left.filter(({ id }) => !out.has(id));
  }
}

function twiceRuled(rules: readonly NodeRule[]): Conflict[] {
  const first = new Map<ResourceId, string>();
  const found: Conflict[] = [];
  for (const { id, resources } of rules) {
    const taken = resources.find((each) => first.has(each));
    if (taken !== undefined) {
      const why = `both say on which nodes ${taken} runs`;
      found.push({ rule: id, other: first.get(taken) ?? null, why });
    }
    for (const each of resources) if (!first.has(each)) first.set(each, id);
  }
  return found;
}

/** Joins positive rules that overlap; a group whose members share no node is a conflict. */
function groupsOf(
  bonds: readonly ResourceRule[],
  nodeRules: readonly NodeRule[],
): { readonly groups: ReadonlyMap<ResourceId, Group>; readonly conflicts: Conflict[] } {
  const strict = new Map<ResourceId, NodeRule>();
  for (const rule of nodeRules) {
    if (rule.strict) rule.resources.forEach((each) => strict.set(each, rule));
  }
  const groups = new Map<ResourceId, Group>();
  const conflicts: Conflict[] = [];
  for (const { by, members } of joined(bonds)) {
    let allowed: Group["allowed"] = null;
    for (const rule of new Set(members.flatMap((each) => strict.get(each) ?? []))) {
      const names = [...rule.nodes.keys()];
      const both: string[] = names.filter((name) => allowed === null || allowed.nodes.has(name));
      if (both.length === 0 && allowed !== null) {
        const other: string = allowed.by;
        const why = `${members.join(" and ")} run together (rule "${by}"), on no common node`;
        conflicts.push({ rule: rule.id, other, why });
        break;
      }
      allowed = { nodes: new Set(both), by: rule.id };
    }
    const group = { members, by, allowed };
    for (const each of members) groups.set(each, group);
  }
  for (const [id, rule] of strict) {
    const allowed = { nodes: new Set(rule.nodes.keys()), by: rule.id };
    if (!groups.has(id)) groups.set(id, { members: [id], by: null, allowed });
  }
  return { groups, conflicts };
}

/** Resources that positive rules bind together, directly or by others; in rising order. */
export function joined(
  bonds: readonly ResourceRule[],
): readonly { readonly by: string; readonly members: readonly ResourceId[] }[] {
  const root = new Map<ResourceId, ResourceId>();
  const find = (id: ResourceId): ResourceId => {
    let at = id;
    while (root.get(at) !== undefined && root.get(at) !== at) at = root.get(at) ?? at;
    root.set(id, at);
    return at;
  };
  const by = new Map<ResourceId, string>();
  for (const { id, affinity, resources } of bonds) {
    const [first] = resources;
    if (affinity !== "positive" || first === undefined) continue;
    for (const each of resources) {
      if (!by.has(each)) by.set(each, id);
      root.set(find(each), find(first));
    }
  }
  const found = new Map<ResourceId, { readonly by: string; readonly members: ResourceId[] }>();
  for (const each of [...by.keys()].sort()) {
    const top = find(each);
    const group = found.get(top) ?? { by: by.get(each) ?? "", members: [] };
    group.members.push(each);
    found.set(top, group);
  }
  return [...found.values()];
}

/** Resources that must be apart, though they must be together, or have too few nodes. */
function apartConflict(
  rule: ResourceRule,
  groups: ReadonlyMap<ResourceId, Group>,
  nodes: readonly string[] | null,
): Conflict | null {
  const seen = new Map<Group, ResourceId>();
  for (const id of rule.resources) {
    const group = groups.get(id);
    if (group === undefined) continue;
    const before = seen.get(group);
    if (before !== undefined && group.by !== null) {
      return { rule: rule.id, other: group.by, why: `${before} and ${id} are together and apart` };
    }
    seen.set(group, id);
  }
  const most = nodes?.length ?? MEMBERS_MAX;
  if (rule.resources.length > most) {
    const why = `${rule.resources.length} resources apart need as many nodes, not ${most}`;
    return { rule: rule.id, other: null, why };
  }
  return crowded(rule, groups);
}

/** Kuhn's matching of resources to the nodes that strict rules leave them. */
function crowded(rule: ResourceRule, groups: ReadonlyMap<ResourceId, Group>): Conflict | null {
  const taken = new Map<string, ResourceId>();
  const settle = (id: ResourceId, tried: Set<string>): boolean => {
    for (const node of groups.get(id)?.allowed?.nodes ?? []) {
      if (tried.has(node)) continue;
      tried.add(node);
      const holder = taken.get(node);
      if (holder !== undefined && !settle(holder, tried)) continue;
      taken.set(node, id);
      return true;
    }
    return false;
  };
  for (const id of rule.resources) {
    const allowed = groups.get(id)?.allowed;
    if (allowed === undefined || allowed === null || settle(id, new Set())) continue;
    const why = `${id} may run on ${[...allowed.nodes].join(", ")} only, and others need these too`;
    return { rule: rule.id, other: allowed.by, why };
  }
  return null;
}

interface Step {
  readonly id: ResourceId;
  readonly by: string;
}

/** Orders that bite their own tail: one conflict for each way back. Depth-first, by hand. */
function cycles(rules: readonly OrderRule[]): Conflict[] {
  const after = new Map<ResourceId, Step[]>();
  for (const { id: by, resources } of rules) {
    for (const [at, each] of resources.entries()) {
      const next = resources[at + 1];
      const steps = after.get(each) ?? [];
      if (next !== undefined) steps.push({ id: next, by });
      after.set(each, steps);
    }
  }
  const found: Conflict[] = [];
  const done = new Set<ResourceId>();
  for (const start of after.keys()) {
    if (done.has(start)) continue;
    const path: { readonly id: ResourceId; readonly by: string; next: number }[] = [
      { id: start, by: "", next: 0 },
    ];
    const place = new Map<ResourceId, number>([[start, 0]]);
    for (let top = path.at(-1); top !== undefined; top = path.at(-1)) {
      const step = after.get(top.id)?.[top.next++];
      const back = step === undefined ? undefined : place.get(step.id);
      if (step === undefined) {
        path.pop();
        place.delete(top.id);
        done.add(top.id);
      } else if (back !== undefined) {
        // A rule names nothing twice, so no cycle is made of one rule alone.
        const other = path.slice(back + 1).find(({ by }) => by !== step.by)?.by ?? null;
        found.push({ rule: step.by, other, why: `${step.id} would have to start before itself` });
      } else if (!done.has(step.id)) {
        place.set(step.id, path.length);
        path.push({ ...step, next: 0 });
      }
    }
  }
  return found;
}
