/**
 * Changes of `ha/rules.cfg`, each refused before it is written where it could not hold; comments,
 * unknown keys and other rules stay as they are. Pure.
 *
 * @module
 */
import { conflictsOf } from "./rule_conflicts.ts";
import {
  readRule,
  readRules,
  type Rule,
  type RuleFault,
  type RuleKind,
  RULES_FILE,
  RULES_MAX,
} from "./rules.ts";
import { parseSections, printSections, propertiesOf, type Section } from "./section_config.ts";

/** What the cluster has, that rules may name. */
export interface RuleWorld {
  readonly nodes: readonly string[];
  readonly resources: readonly string[];
}

/** Keys and values as the file has them; null takes a key away. */
export type RuleProperties = Readonly<Record<string, string | null>>;

/** One change. */
export type RuleEdit =
  | {
    readonly edit: "add";
    readonly kind: RuleKind;
    readonly id: string;
    readonly properties: RuleProperties;
  }
  | { readonly edit: "set"; readonly id: string; readonly properties: RuleProperties }
  | { readonly edit: "remove"; readonly id: string };

/** Why a change is not made: a problem's code and detail. */
export interface RuleRefusal {
  readonly code:
    | "ha.bad-file"
    | "ha.no-such-rule"
    | "ha.rule-exists"
    | "ha.bad-rule"
    | "ha.rule-conflict";
  readonly why: string;
}

/** The file after a change, or why it is not made. */
export function editRules(text: string, edit: RuleEdit, world: RuleWorld): string | RuleRefusal {
  const file = parseSections(text);
  if ("why" in file) {
    return { code: "ha.bad-file", why: `"${RULES_FILE}" line ${file.line}: ${file.why}` };
  }
  const { id } = edit;
  const old = file.sections.find((section) => section.id === id);
  if (edit.edit === "add" && old !== undefined) {
    return { code: "ha.rule-exists", why: `"${id}" is there already` };
  }
  if (edit.edit !== "add" && old === undefined) {
    return { code: "ha.no-such-rule", why: `there is no "${id}"` };
  }
  if (edit.edit === "remove") {
    return printSections({ ...file, sections: file.sections.filter((each) => each !== old) });
  }
  if (file.sections.length >= RULES_MAX && old === undefined) {
    return { code: "ha.bad-rule", why: `there are ${RULES_MAX} rules already` };
  }
  const blank = { type: edit.edit === "add" ? edit.kind : "", id, lines: [], at: 1 };
  const changed = changeOf(old ?? blank, edit.properties);
  const rule = readRule(changed);
  if (typeof rule === "string") return { code: "ha.bad-rule", why: rule };
  const stranger = strangerIn(rule, world);
  if (stranger !== null) return { code: "ha.bad-rule", why: stranger };
  const sections = old === undefined
    ? [...apart(file.sections), changed]
    : file.sections.map((each) => each === old ? changed : each);
  const next = printSections({ ...file, sections });
  const [conflict] = conflictsOf(readRules(next).rules, world.nodes)
    .filter(({ rule, other }) => rule === id || other === id);
  if (conflict === undefined) return next;
  const other = conflict.rule === id ? conflict.other : conflict.rule;
  const pair = other === null ? `"${id}"` : `"${id}" and "${other}"`;
  return { code: "ha.rule-conflict", why: `${pair}: ${conflict.why}` };
}

/** With an empty line at the end, before the next one. */
function apart(sections: readonly Section[]): readonly Section[] {
  const last = sections.at(-1);
  const end = last?.lines.at(-1);
  if (last === undefined || (end !== undefined && "raw" in end && end.raw === "")) return sections;
  return [...sections.slice(0, -1), { ...last, lines: [...last.lines, { raw: "" }] }];
}

/** Everything that is wrong with a file, line by line: what cannot be read, contradicts or is unknown. */
export function checkRules(text: string, world: RuleWorld): RuleFault[] {
  const { rules, faults } = readRules(text);
  const lineOf = (id: string) => rules.find((rule) => rule.id === id)?.at ?? 1;
  const conflicts = conflictsOf(rules, world.nodes).map(({ rule, other, why }) => {
    const against = other === null ? "" : ` against "${other}"`;
    return { line: lineOf(rule), why: `rule "${rule}" does not hold${against}: ${why}` };
  });
  const strangers = rules.flatMap((rule) => {
    const why = strangerIn(rule, world);
    return why === null ? [] : [{ line: rule.at, why }];
  });
  return [...faults, ...conflicts, ...strangers].sort((a, b) => a.line - b.line);
}

/** What a rule names and nobody knows. */
function strangerIn(rule: Rule, { nodes, resources }: RuleWorld): string | null {
  const node = rule.kind === "node-affinity"
    ? [...rule.nodes.keys()].find((name) => !nodes.includes(name))
    : undefined;
  if (node !== undefined) {
    return `rule "${rule.id}": there is no node "${node}", only ${nodes.join(", ")}`;
  }
  const known = new Set(resources);
  const resource = rule.resources.find((id) => !known.has(id));
  return resource === undefined ? null : `rule "${rule.id}": there is no resource "${resource}"`;
}

/** The section with other values; keys keep their places, new ones come last. */
function changeOf(section: Section, properties: RuleProperties): Section {
  const left = new Map(Object.entries(properties));
  const seen = propertiesOf(section);
  const lines = section.lines.flatMap((line) => {
    if ("raw" in line || !(line.key in properties)) return [line];
    const value = properties[line.key] ?? null;
    // Of a key that stands twice the last one counts: the change takes the place of the first.
    if (!left.delete(line.key) || value === null) return [];
    return [{ key: line.key, value }];
  });
  const added = [...left].flatMap(([key, value]) =>
    value === null || seen.has(key) ? [] : [{ key, value }]
  );
  // New keys go before what sets the next section apart: blank lines and its comment.
  let end = lines.length;
  for (let last = lines[end - 1]; last !== undefined && "raw" in last; last = lines[end - 1]) end--;
  return { ...section, lines: [...lines.slice(0, end), ...added, ...lines.slice(end)] };
}
