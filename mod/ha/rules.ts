/**
 * Rules of `ha/rules.cfg`: where resources may run, with whom, after whom. Proxmox VE's section
 * format and its kinds `node-affinity` and `resource-affinity`; `ordering` and the key `weight`
 * are pentad's own.
 *
 * ```text
 * node-affinity: fast-disks
 * 	resources exec:db
 * 	nodes nodeA:2,nodeB
 * 	strict 1
 * ```
 *
 * @module
 */
import { isNodeName, isResourceId, type ResourceId } from "../base/id.ts";
import { parseSections, propertiesOf, type Section } from "./section_config.ts";

export const RULES_FILE = "ha/rules.cfg";
/** Rules in one cluster. */
export const RULES_MAX = 1000;
/** Resources that one rule names. */
export const RULE_RESOURCES_MAX = 10_000;
/** Weight of a soft rule, in points of the score. */
export const WEIGHT_MAX = 1000;
/** Priority of a node in a rule, as in Proxmox VE. */
export const PRIORITY_MAX = 1000;

/** The kinds of a rule. */
export const RULE_KINDS = ["node-affinity", "resource-affinity", "ordering"] as const;
/** One of them. */
export type RuleKind = typeof RULE_KINDS[number];

interface Common {
  readonly id: string;
  /** Line of its header, from 1. */
  readonly at: number;
  readonly resources: readonly ResourceId[];
  readonly disabled: boolean;
}

/** On which nodes resources run. */
export interface NodeRule extends Common {
  readonly kind: "node-affinity";
  /** Name of a node → its priority; the highest of those that are there wins. */
  readonly nodes: ReadonlyMap<string, number>;
  /** On no other node, whatever happens. */
  readonly strict: boolean;
  /** A mere leaning: points of the score for each node named. Null: it is a rule. */
  readonly weight: number | null;
}

/** Which resources run on one node, or never on one. */
export interface ResourceRule extends Common {
  readonly kind: "resource-affinity";
  readonly affinity: "positive" | "negative";
  /** A mere leaning: points of the score for each partner on a node. Null: it is a rule. */
  readonly weight: number | null;
}

/** In which order resources start: each only after the one before it runs. */
export interface OrderRule extends Common {
  readonly kind: "ordering";
  /** Also while the one before cannot run, or is not wanted. */
  readonly strict: boolean;
}

/** One rule. */
export type Rule = NodeRule | ResourceRule | OrderRule;

/** What is wrong with a file: line and clause. */
export interface RuleFault {
  readonly line: number;
  readonly why: string;
}

/** What a file says; `broken`: it cannot be read as a whole, and says nothing. */
export interface RuleFile {
  readonly rules: readonly Rule[];
  readonly broken: boolean;
  readonly faults: readonly RuleFault[];
}

/** Reads `ha/rules.cfg`. A section with a fault is no rule; the others stand. */
export function readRules(text: string): RuleFile {
  const file = parseSections(text);
  if ("why" in file) return { rules: [], broken: true, faults: [file] };
  if (file.sections.length > RULES_MAX) {
    const why = `there are more than ${RULES_MAX} rules`;
    return { rules: [], broken: true, faults: [{ line: file.sections[RULES_MAX]?.at ?? 1, why }] };
  }
  const rules: Rule[] = [];
  const faults: RuleFault[] = [];
  const names = new Set<string>();
  for (const section of file.sections) {
    // A rule's name is its own in the whole file, whatever its kind.
    const rule = names.has(section.id)
      ? `there is another rule "${section.id}"`
      : readRule(section);
    names.add(section.id);
    if (typeof rule === "string") faults.push({ line: section.at, why: rule });
    else rules.push(rule);
  }
  return { rules, broken: false, faults };
}

/** One section as a rule, or a clause that says why it is none. */
export function readRule(section: Section): Rule | string {
  const { type, id, at } = section;
  if (!/^[A-Za-z][A-Za-z0-9_-]{0,63}$/.test(id)) return `"${id}" is not a rule's name`;
  const properties = propertiesOf(section);
  const resources = resourcesOf(properties.get("resources") ?? "");
  if (typeof resources === "string") return `rule "${id}": ${resources}`;
  const disabled = flagOf(properties, "disable");
  const strict = flagOf(properties, "strict");
  const weight = weightOf(properties.get("weight"));
  if (disabled === null || strict === null) return `rule "${id}": a switch is 0 or 1`;
  if (weight === undefined) return `rule "${id}": weight is 1 to ${WEIGHT_MAX}`;
  const common = { id, at, resources, disabled };
  if (type === "node-affinity") {
    const nodes = nodesOf(properties.get("nodes") ?? "");
    if (typeof nodes === "string") return `rule "${id}": ${nodes}`;
    if (strict && weight !== null) return `rule "${id}" is strict, so it has no weight`;
    return { kind: type, ...common, nodes, strict, weight };
  }
  if (type !== "resource-affinity" && type !== "ordering") {
    return `"${type}" is none of ${RULE_KINDS.join(", ")}`;
  }
  if (resources.length < 2) return `rule "${id}" names one resource; it needs two`;
  if (type === "ordering") return { kind: type, ...common, strict };
  const affinity = properties.get("affinity");
  if (affinity !== "positive" && affinity !== "negative") {
    return `rule "${id}": affinity is positive or negative`;
  }
  return { kind: type, ...common, affinity, weight };
}

function listOf(text: string): string[] {
  return text.split(/[\s,;]+/).filter((each) => each !== "");
}

function resourcesOf(text: string): ResourceId[] | string {
  const resources: ResourceId[] = [];
  const words = listOf(text);
  if (words.length === 0) return "it names no resources";
  if (words.length > RULE_RESOURCES_MAX) {
    return `it names more than ${RULE_RESOURCES_MAX} resources`;
  }
  for (const word of words) {
    if (!isResourceId(word)) return `"${word.slice(0, 80)}" is not kind:name`;
    resources.push(word);
  }
  const twice = resources.length - new Set(resources).size;
  return twice > 0 ? "it names a resource twice" : resources;
}

function nodesOf(text: string): Map<string, number> | string {
  const nodes = new Map<string, number>();
  for (const word of listOf(text)) {
    const [name = "", priority = "0", ...rest] = word.split(":");
    if (!isNodeName(name) || rest.length > 0) {
      return `"${word.slice(0, 80)}" is not node[:priority]`;
    }
    if (!/^\d{1,4}$/.test(priority) || Number(priority) > PRIORITY_MAX) {
      return `the priority of "${name}" is not 0 to ${PRIORITY_MAX}`;
    }
    if (nodes.has(name)) return `it names "${name}" twice`;
    nodes.set(name, Number(priority));
  }
  return nodes.size === 0 ? "it names no nodes" : nodes;
}

/** A switch of a section; `disable` alone is on. Null where it is neither on nor off. */
function flagOf(properties: ReadonlyMap<string, string>, key: string): boolean | null {
  const value = properties.get(key);
  if (value === undefined || value === "0") return false;
  return value === "1" || value === "" ? true : null;
}

/** Null where there is none; undefined where it cannot be read. */
function weightOf(text: string | undefined): number | null | undefined {
  if (text === undefined) return null;
  const weight = /^\d{1,4}$/.test(text) ? Number(text) : 0;
  return weight >= 1 && weight <= WEIGHT_MAX ? weight : undefined;
}
