/**
 * The rules that hold, looked up by resource: made once for each version of the file, asked many
 * times in each plan. Pure.
 *
 * @module
 */
import type { ResourceId } from "../base/id.ts";
import { type Conflict, joined, withoutConflicts } from "./rule_conflicts.ts";
import type { NodeRule, ResourceRule, Rule, RuleFault, RuleFile } from "./rules.ts";

/** Resources of which a plan counts how many are on each node. */
export interface Gathering {
  readonly members: readonly ResourceId[];
  /** The rule that gathers them. */
  readonly by: string;
  /** Points for each of the others on a node; null for a group that must be together. */
  readonly weight: number | null;
}

/** The strict rules about a resource and all that it must be together with. */
export interface Bound {
  readonly nodeRules: readonly NodeRule[];
  readonly apart: readonly ResourceRule[];
}

const UNBOUND: Bound = { nodeRules: [], apart: [] };

/** A resource that has to run before another starts, and the rule that says so. */
export interface Predecessor {
  readonly id: ResourceId;
  readonly by: string;
  readonly strict: boolean;
}

/** See the module's note. */
export class RuleBook {
  /** What is wrong with the file, and which rules contradict earlier ones and do not hold. */
  readonly faults: readonly RuleFault[];
  readonly #file: RuleFile;
  readonly #nodeRules = new Map<ResourceId, NodeRule>();
  readonly #leanings = new Map<ResourceId, NodeRule[]>();
  readonly #groups = new Map<ResourceId, Gathering>();
  readonly #bounds = new Map<Gathering, Bound>();
  readonly #soft = new Map<ResourceId, Gathering[]>();
  readonly #apart = new Map<ResourceId, ResourceRule[]>();
  readonly #before = new Map<ResourceId, Predecessor[]>();
  readonly #depths = new Map<ResourceId, number>();

  constructor(file: RuleFile) {
    this.#file = file;
    const { rules, conflicts } = withoutConflicts(file.rules);
    this.faults = [...file.faults, ...conflicts.map((each) => faultOf(each, file.rules))];
    const bonds: ResourceRule[] = [];
    for (const rule of rules) {
      if (rule.kind === "node-affinity") this.#addNodeRule(rule);
      else if (rule.kind === "ordering") this.#addOrder(rule);
      else if (rule.weight !== null) this.#addSoft(rule);
      else bonds.push(rule);
    }
    for (const { members, by } of joined(bonds)) {
      const group = { members, by, weight: null };
      for (const each of members) this.#groups.set(each, group);
    }
    for (const rule of bonds) {
      if (rule.affinity === "positive") continue;
      for (const each of rule.resources) push(this.#apart, each, rule);
    }
  }

  /** The same rules, with what is wrong with a newer file. */
  withFaults(faults: readonly RuleFault[]): RuleBook {
    return new RuleBook({ ...this.#file, faults });
  }

  /** The rule that says on which nodes it and its group run; of several in a group, the first. */
  nodeRule(id: ResourceId): NodeRule | null {
    const own = this.#nodeRules.get(id);
    const group = this.#groups.get(id);
    if (group === undefined) return own ?? null;
    const first = group.members.find((each) => this.#nodeRules.has(each));
    return (first === undefined ? own : this.#nodeRules.get(first)) ?? null;
  }

  /** The strict rules that say where it, and its group with it, cannot be. */
  bound(id: ResourceId): Bound {
    const group = this.#groups.get(id);
    // Asked for each resource of each plan, and most are bound by nothing.
    if (group === undefined) {
      const free = this.#nodeRules.get(id)?.strict !== true && !this.#apart.has(id);
      return free ? UNBOUND : this.#boundOf([id]);
    }
    const known = this.#bounds.get(group);
    if (known !== undefined) return known;
    const made = this.#boundOf(group.members);
    this.#bounds.set(group, made);
    return made;
  }

  /** Soft rules that say on which nodes it rather runs. */
  leanings(id: ResourceId): readonly NodeRule[] {
    return this.#leanings.get(id) ?? [];
  }

  /** Those that it must be together with, itself among them; null where there are none. */
  group(id: ResourceId): Gathering | null {
    return this.#groups.get(id) ?? null;
  }

  /** Itself and those that it must be together with. */
  together(id: ResourceId): readonly ResourceId[] {
    return this.#groups.get(id)?.members ?? [id];
  }

  /** Soft rules about it and others. */
  gatherings(id: ResourceId): readonly Gathering[] {
    return this.#soft.get(id) ?? [];
  }

  /** What has to run before it starts. */
  before(id: ResourceId): readonly Predecessor[] {
    return this.#before.get(id) ?? [];
  }

  /** How many must start one after the other before it does. */
  depth(id: ResourceId): number {
    const known = this.#depths.get(id);
    if (known !== undefined) return known;
    // By hand, for a chain may be long; there are no cycles.
    const open = [id];
    for (let at = open.at(-1); at !== undefined; at = open.at(-1)) {
      const unknown = this.before(at).filter((each) => !this.#depths.has(each.id));
      if (unknown.length > 0) open.push(...unknown.map((each) => each.id));
      else {
        const depths = this.before(at).map((each) => 1 + (this.#depths.get(each.id) ?? 0));
        this.#depths.set(at, depths.reduce((most, each) => Math.max(most, each), 0));
        open.pop();
      }
    }
    return this.#depths.get(id) ?? 0;
  }

  #boundOf(members: readonly ResourceId[]): Bound {
    const nodeRules = members.flatMap((each) => this.#nodeRules.get(each) ?? []);
    return {
      nodeRules: [...new Set(nodeRules.filter(({ strict }) => strict))],
      apart: [...new Set(members.flatMap((each) => this.#apart.get(each) ?? []))],
    };
  }

  #addNodeRule(rule: NodeRule): void {
    for (const each of rule.resources) {
      if (rule.weight === null) this.#nodeRules.set(each, rule);
      else push(this.#leanings, each, rule);
    }
  }

  #addSoft({ id, resources, affinity, weight }: ResourceRule): void {
    const points = affinity === "positive" ? weight : -(weight ?? 0);
    const gathering = { members: resources, by: id, weight: points };
    for (const each of resources) push(this.#soft, each, gathering);
  }

  #addOrder({ id: by, resources, strict }: Extract<Rule, { kind: "ordering" }>): void {
    for (const [at, each] of resources.entries()) {
      const id = resources[at - 1];
      if (id !== undefined) push(this.#before, each, { id, by, strict });
    }
  }
}

/** The rules of an empty file. */
export const NO_RULES: RuleBook = new RuleBook({ rules: [], broken: false, faults: [] });

function push<T>(map: Map<ResourceId, T[]>, key: ResourceId, value: T): void {
  const list = map.get(key);
  if (list === undefined) map.set(key, [value]);
  else list.push(value);
}

function faultOf({ rule, other, why }: Conflict, rules: readonly Rule[]): RuleFault {
  const line = rules.find(({ id }) => id === rule)?.at ?? 1;
  const against = other === null ? "" : ` against "${other}"`;
  return { line, why: `rule "${rule}" does not hold${against}: ${why}` };
}
