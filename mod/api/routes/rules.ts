/** `/v1/ha/rules`: where resources may run, with whom, and after whom. @module */
import * as z from "zod";
import { isResourceId } from "../../base/id.ts";
import { ProblemError } from "../../base/problem.ts";
import {
  checkRules,
  editRules,
  parseSections,
  propertiesOf,
  RULE_KINDS,
  type RuleEdit,
  RULES_FILE,
  type RuleWorld,
  WEIGHT_MAX,
} from "../../ha/mod.ts";
import { parseResources, RESOURCES_FILE } from "../ha_files.ts";
import { type Call, DONE, done, json, type Route, route } from "../route.ts";
import { readText, updateFile } from "../transact.ts";

const NAME = z.string().regex(/^[A-Za-z][A-Za-z0-9_-]{0,63}$/, "must be a rule's name");
const PROPERTIES = z.strictObject({
  resources: z.array(z.string().refine(isResourceId, "must be kind:name")).min(1).max(10_000),
  nodes: z.array(z.string().regex(/^[A-Za-z0-9-]{1,63}(:\d{1,4})?$/, "must be name[:priority]"))
    .min(1).max(64).nullable()
    .meta({ description: "node-affinity: the highest priority that is there wins" }),
  strict: z.boolean().nullable()
    .meta({ description: "node-affinity: nowhere else; ordering: never without the one before" }),
  affinity: z.enum(["positive", "negative"]).meta({ description: "Together, or apart" }),
  weight: z.int().min(1).max(WEIGHT_MAX).nullable()
    .meta({ description: "Makes a rule a mere leaning: points of the score" }),
  disable: z.boolean().nullable(),
  comment: z.string().max(4096).regex(/^[^\p{Cc}]*$/u, "must be one line of text").nullable(),
}).partial();
type Properties = z.infer<typeof PROPERTIES>;

const RULE = z.strictObject({
  id: z.string(),
  kind: z.string(),
  /** False: it is off, cannot be read, or contradicts an earlier one. */
  holds: z.boolean(),
  why: z.string(),
  properties: z.record(z.string(), z.string()),
});
const LIST = z.strictObject({
  schema: z.literal("pentad.rules/1"),
  rules: z.array(RULE),
  faults: z.array(z.strictObject({ line: z.int(), why: z.string() })),
});
const EDIT = z.discriminatedUnion("edit", [
  z.strictObject({
    edit: z.literal("add"),
    ...{ id: NAME, kind: z.enum(RULE_KINDS), properties: PROPERTIES },
  }),
  z.strictObject({ edit: z.literal("set"), id: NAME, properties: PROPERTIES }),
  z.strictObject({ edit: z.literal("remove"), id: NAME }),
]);
const TEXT = z.strictObject({
  schema: z.literal("pentad.rules-text/1"),
  text: z.string().meta({ description: "What ha/rules.cfg would hold" }),
});
const PROBLEMS = ["ha.bad-file", "ha.bad-rule", "ha.rule-conflict", "config.no-quorum"] as const;

export const ruleRoutes: readonly Route[] = [
  route({
    method: "GET",
    path: "/v1/ha/rules",
    summary: "Every rule of ha/rules.cfg, and what is wrong with them",
    answer: { status: 200, content: LIST },
    problems: ["ha.bad-file"],
    handle: (call) => json(listOf(call)),
  }),
  route({
    method: "POST",
    path: "/v1/ha/rules",
    summary: "Adds a rule, unless it contradicts another",
    body: z.strictObject({ id: NAME, kind: z.enum(RULE_KINDS), ...PROPERTIES.shape }),
    answer: { status: 201, content: DONE },
    problems: ["ha.rule-exists", ...PROBLEMS],
    async handle(call) {
      const { id, kind, ...properties } = call.body;
      await change(call, { edit: "add", id, kind, properties: textOf(properties) });
      return done(201);
    },
  }),
  route({
    method: "POST",
    path: "/v1/ha/rules-preview",
    summary: "The text of ha/rules.cfg after a change; nothing is written",
    body: EDIT,
    answer: { status: 200, content: TEXT },
    problems: [
      ...["ha.rule-exists", "ha.no-such-rule", "ha.bad-file"] as const,
      ...["ha.bad-rule", "ha.rule-conflict"] as const,
    ],
    handle: (call) => json({ schema: "pentad.rules-text/1", text: textAfter(call, call.body) }),
  }),
  route({
    method: "PATCH",
    path: "/v1/ha/rules/{id}",
    summary: "Changes properties of a rule; null takes one away",
    body: PROPERTIES,
    answer: { status: 200, content: DONE },
    problems: ["ha.no-such-rule", ...PROBLEMS],
    async handle(call) {
      const { id = "" } = call.parameters;
      await change(call, { edit: "set", id, properties: textOf(call.body) });
      return done();
    },
  }),
  route({
    method: "DELETE",
    path: "/v1/ha/rules/{id}",
    summary: "Takes a rule away; what runs stays where it is",
    answer: { status: 200, content: DONE },
    problems: ["ha.no-such-rule", "ha.bad-file", "config.no-quorum"],
    async handle(call) {
      await change(call, { edit: "remove", id: call.parameters.id ?? "" });
      return done();
    },
  }),
];

type AnyCall = Call<unknown, unknown>;

function worldOf(call: AnyCall): RuleWorld {
  return {
    nodes: call.node.status().nodes.map(({ name }) => name),
    resources: parseResources(readText(call, RESOURCES_FILE)).map(({ id }) => id),
  };
}

async function change(call: AnyCall, edit: RuleEdit): Promise<void> {
  const world = worldOf(call);
  await updateFile(call, RULES_FILE, (text) => {
    const next = editRules(text, edit, world);
    if (typeof next === "string") return next;
    // The answer to the first try was lost, and this is the retry: it is done.
    if (call.mayBeRetry && isDone(text, edit)) return null;
    throw new ProblemError(next.code, next.why);
  });
}

/** Refuses what the change itself would refuse. */
function textAfter(call: AnyCall, edit: z.infer<typeof EDIT>): string {
  const whole = edit.edit === "remove" ? edit : { ...edit, properties: textOf(edit.properties) };
  const next = editRules(readText(call, RULES_FILE), whole, worldOf(call));
  if (typeof next === "string") return next;
  throw new ProblemError(next.code, next.why);
}

/** The file is as the edit would make it. */
function isDone(text: string, edit: RuleEdit): boolean {
  const file = parseSections(text);
  const found = "sections" in file ? file.sections.find(({ id }) => id === edit.id) : undefined;
  if (edit.edit === "remove") return "sections" in file && found === undefined;
  if (found === undefined || (edit.edit === "add" && found.type !== edit.kind)) return false;
  const now = propertiesOf(found);
  const wanted = Object.entries(edit.properties);
  const same = wanted.every(([key, value]) => (now.get(key) ?? null) === value);
  return same && now.size === wanted.filter(([, value]) => value !== null).length;
}

function listOf(call: AnyCall): z.infer<typeof LIST> {
  const text = readText(call, RULES_FILE);
  const file = parseSections(text);
  const faults = checkRules(text, worldOf(call));
  const sections = "sections" in file ? file.sections : [];
  const rules = sections.map((section) => {
    const properties = propertiesOf(section);
    const fault = faults.find(({ line }) => line === section.at);
    const off = ["", "1"].includes(properties.get("disable") ?? "0");
    return {
      id: section.id,
      kind: section.type,
      holds: !off && fault === undefined,
      why: fault?.why ?? (off ? "it is disabled" : ""),
      properties: Object.fromEntries(properties),
    };
  });
  return { schema: "pentad.rules/1", rules, faults };
}

/** As the file has it. */
function textOf(properties: Properties): Record<string, string | null> {
  const text: Record<string, string | null> = {};
  for (const [key, value] of Object.entries(properties)) {
    if (value === undefined) continue;
    if (value === null || value === false || value === "") text[key] = null;
    else text[key] = Array.isArray(value) ? value.join(",") : value === true ? "1" : String(value);
  }
  return text;
}
