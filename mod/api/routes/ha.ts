/** `/v1/ha`: resources, and orders to the manager. @module */
import * as z from "zod";
import { isResourceId } from "../../base/id.ts";
import { ProblemError } from "../../base/problem.ts";
import {
  addCommand,
  COMMANDS_FILE,
  parseResources,
  printResources,
  RESOURCES_FILE,
  type Section,
} from "../ha_files.ts";
import { type Call, DONE, done, json, NOTHING, type Route, route } from "../route.ts";
import { KIND_PROPERTIES } from "../../ha/agents/action.ts";
import { readResources } from "../../ha/resource.ts";
import { RESOURCE } from "../schemas.ts";
import { mustBeArmed } from "./ha_mode.ts";
import { readText, updateFile } from "../transact.ts";

/** One line of text: what goes into the file must not be able to begin a new line. */
const LINE = z.string().max(4096).regex(/^[^\p{Cc}]*$/u, "must be one line of text")
  .regex(/^(\S|$)/, "must not begin with a space").regex(/(\S|^)$/, "must not end with a space");
/** Tries of a start or a move before a resource counts as failed, as in Proxmox VE. */
const TRIES = z.int().min(0).max(100);

const SECONDS = z.int().min(1).max(86_400);

const PROPERTIES = z.strictObject({
  command: LINE.min(1).optional().meta({ description: "What an exec resource runs" }),
  state: z.enum(["started", "stopped", "disabled", "ignored"]).optional(),
  max_restart: TRIES.optional(),
  max_relocate: TRIES.optional(),
  recover_on: z.enum(["death", "storage"]).optional(),
  monitor: LINE.optional().meta({ description: "A command whose exit status 0 means healthy" }),
  address: LINE.optional().meta({ description: "Of an ip resource, if not its name" }),
  cidr: z.int().min(1).max(128).optional().meta({ description: "Length of the prefix in bits" }),
  interface: LINE.optional().meta({ description: "Where the address goes, if not by its network" }),
  agent: LINE.optional().meta({ description: "Of an ocf resource: PROVIDER:TYPE" }),
  params: LINE.optional().meta({
    description: "NAME=VALUE words for the agent, quoted as in a shell",
  }),
  check_level: z.int().min(0).max(100).optional(),
  unit: LINE.optional().meta({ description: "Of a systemd resource, if not its name" }),
  on_stop_failure: z.enum(["fence", "block"]).optional().meta({
    description: "Whether a stop that fails fences the node",
  }),
  start_timeout: SECONDS.optional(),
  stop_timeout: SECONDS.optional(),
  monitor_timeout: SECONDS.optional(),
  monitor_interval: SECONDS.optional(),
  comment: LINE.optional(),
});
type Properties = z.infer<typeof PROPERTIES>;

const ID = z.string().refine(isResourceId, "must be kind:name, as exec:web");
const FULL = z.strictObject({
  ...RESOURCE.shape,
  properties: z.record(z.string(), z.string()),
});
const RESOURCE_PROBLEMS = ["ha.no-such-resource", "ha.bad-file", "config.no-quorum"] as const;

export const haRoutes: readonly Route[] = [
  route({
    method: "GET",
    path: "/v1/ha",
    summary: "Manager, agents and scores of stream 3",
    answer: {
      status: 200,
      content: z.strictObject({ schema: z.literal("pentad.ha/1"), view: z.unknown() }),
    },
    problems: ["join.not-a-member"],
    handle: ({ node }) => json({ schema: "pentad.ha/1", view: node.streamView("ha") }),
  }),
  route({
    method: "GET",
    path: "/v1/ha/resources",
    summary: "Every resource: what is wanted, and what is",
    answer: {
      status: 200,
      content: z.strictObject({
        schema: z.literal("pentad.resources/1"),
        resources: z.array(FULL),
      }),
    },
    problems: ["ha.bad-file"],
    handle: (call) => {
      const resources = sectionsOf(call).map((section) => whole(call, section));
      return json({ schema: "pentad.resources/1", resources });
    },
  }),
  route({
    method: "POST",
    path: "/v1/ha/resources",
    summary: "Adds a resource; wanted started unless said otherwise",
    body: z.strictObject({ id: ID, ...PROPERTIES.shape }),
    answer: { status: 201, content: FULL },
    problems: ["ha.exists", "ha.bad-resource", "ha.too-many", ...RESOURCE_PROBLEMS],
    async handle(call) {
      const { id, ...properties } = call.body;
      checkKind(id, properties);
      await add(call, id, properties);
      const headers = { Location: `/v1/ha/resources/${id}` };
      return json(whole(call, { id, properties: merge(new Map(), properties) }), 201, headers);
    },
  }),
  route({
    method: "GET",
    path: "/v1/ha/resources/{id}",
    summary: "One resource",
    answer: { status: 200, content: FULL },
    problems: ["ha.no-such-resource", "ha.bad-file"],
    handle: (call) => json(whole(call, find(sectionsOf(call), idOf(call)))),
  }),
  route({
    method: "GET",
    path: "/v1/ha/resources/{id}/output",
    summary: "The end of what a resource and its agent printed on this node",
    answer: {
      status: 200,
      content: z.strictObject({
        schema: z.literal("pentad.output/1"),
        id: z.string(),
        node: z.string(),
        output: z.string(),
      }),
    },
    problems: ["ha.no-such-resource", "ha.bad-file"],
    handle: async (call) => {
      const { id } = find(sectionsOf(call), idOf(call));
      const output = isResourceId(id) ? await call.node.resourceOutput(id) : "";
      const node = call.node.status().node?.name ?? "";
      return json({ schema: "pentad.output/1", id, node, output });
    },
  }),
  route({
    method: "PATCH",
    path: "/v1/ha/resources/{id}",
    summary: "Changes properties of a resource; null takes one away",
    body: z.strictObject(nullable()),
    answer: { status: 200, content: FULL },
    problems: ["ha.bad-resource", ...RESOURCE_PROBLEMS],
    async handle(call) {
      const id = idOf(call);
      let section: Section = { id, properties: new Map() };
      await updateFile(call, RESOURCES_FILE, (text) => {
        const sections = parseResources(text);
        const old = find(sections, id);
        section = { id, properties: merge(old.properties, call.body) };
        checkKind(id, Object.fromEntries(section.properties));
        return printResources(sections.map((each) => each === old ? section : each));
      });
      return json(whole(call, section));
    },
  }),
  route({
    method: "DELETE",
    path: "/v1/ha/resources/{id}",
    summary: "Takes a resource out of pentad's care; it is stopped",
    answer: { status: 200, content: DONE },
    problems: RESOURCE_PROBLEMS,
    async handle(call) {
      const id = idOf(call);
      await updateFile(call, RESOURCES_FILE, (text) => {
        const sections = parseResources(text);
        const old = find(sections, id);
        return printResources(sections.filter((each) => each !== old));
      });
      return done();
    },
  }),
  route({
    method: "POST",
    path: "/v1/ha/resources/{id}/migrate",
    summary: "Orders the manager to move a resource to a node",
    body: z.strictObject({
      node: z.string(),
      cold: z.boolean().optional().describe("By a stop and a start, also what could run on"),
    }),
    answer: { status: 202, content: DONE },
    problems: ["ha.no-such-node", "ha.node-unfit", "ha.disarmed", ...RESOURCE_PROBLEMS],
    async handle(call) {
      mustBeArmed(call);
      const { id } = find(sectionsOf(call), idOf(call));
      const target = memberNamed(call, call.body.node);
      if (target.state !== "online") {
        throw new ProblemError("ha.node-unfit", `"${target.name}" is ${target.state}`);
      }
      await order(call, `migrate ${id} ${target.name}${call.body.cold === true ? " cold" : ""}`);
      return done(202);
    },
  }),
  route({
    method: "POST",
    path: "/v1/nodes/{name}/maintenance",
    summary: "Moves every resource away from a node and keeps it empty, or ends that",
    body: z.strictObject({ on: z.boolean() }),
    answer: { status: 202, content: DONE },
    problems: ["ha.no-such-node", "ha.disarmed", "config.no-quorum"],
    async handle(call) {
      mustBeArmed(call);
      const { name } = memberNamed(call, call.parameters.name ?? "");
      await order(call, `maintenance ${name} ${call.body.on ? "on" : "off"}`);
      return done(202);
    },
  }),
  route({
    method: "POST",
    path: "/v1/nodes/{name}/reboot",
    summary:
      "Moves every resource away from a node, has its host begin anew, and lets them go home",
    body: NOTHING,
    answer: { status: 202, content: DONE },
    problems: ["ha.no-such-node", "ha.node-unfit", "ha.disarmed", "config.no-quorum"],
    async handle(call) {
      mustBeArmed(call);
      const { name, state, boot } = memberNamed(call, call.parameters.name ?? "");
      if ((state !== "online" && state !== "maintenance") || boot === null) {
        throw new ProblemError("ha.node-unfit", `"${name}" is ${state}`);
      }
      await order(call, `reboot ${name} ${boot}`);
      return done(202);
    },
  }),
  route({
    method: "POST",
    path: "/v1/nodes/{name}/confirm-dead",
    summary: "A person vouches that this node is dead: its resources start elsewhere",
    body: NOTHING,
    answer: { status: 202, content: DONE },
    problems: ["ha.no-such-node", "ha.not-dead", "ha.disarmed", "join.not-a-member"],
    async handle(call) {
      mustBeArmed(call);
      const name = call.parameters.name ?? "";
      // One that is no member (any more) is the node's to judge.
      const { nodes } = call.node.status();
      const member = nodes.find((each) => each.name === name) ??
        nodes.find((each) => String(each.id) === name);
      const lives = ["online", "maintenance", "stopping"].includes(member?.state ?? "");
      if (member !== undefined && (member.self || lives)) {
        const why = `"${name}" is ${member.self ? "this node" : member.state}`;
        throw new ProblemError("ha.not-dead", why);
      }
      await call.node.confirmDead(name);
      return done(202);
    },
  }),
];

type AnyCall = Call<unknown, unknown>;

function sectionsOf(call: AnyCall): Section[] {
  return parseResources(readText(call, RESOURCES_FILE));
}

function idOf(call: AnyCall): string {
  const id = call.parameters.id ?? "";
  if (isResourceId(id)) return id;
  throw new ProblemError("ha.no-such-resource", `"${id.slice(0, 80)}" is not kind:name`);
}

function find(sections: readonly Section[], id: string): Section {
  const found = sections.find((section) => section.id === id);
  if (found !== undefined) return found;
  throw new ProblemError("ha.no-such-resource", `there is no "${id}"`);
}

/** The file says what is wanted, the status what is. */
function whole(call: AnyCall, { id, properties }: Section): z.infer<typeof FULL> {
  const now = call.node.status().resources.find((resource) => resource.id === id);
  return {
    id,
    state: now?.state ?? "unknown",
    wanted: properties.get("state") ?? "started",
    node: now?.node ?? null,
    reason: now?.reason ?? "",
    detail: now?.detail ?? "",
    properties: Object.fromEntries(properties),
  };
}

function merge(
  old: ReadonlyMap<string, string>,
  change: Readonly<Record<string, string | number | null | undefined>>,
): Map<string, string> {
  const properties = new Map(old);
  for (const [key, value] of Object.entries(change)) {
    if (value === null || value === "") properties.delete(key);
    else if (value !== undefined) properties.set(key, String(value));
  }
  return properties;
}

async function add(call: AnyCall, id: string, properties: Properties): Promise<void> {
  await updateFile(call, RESOURCES_FILE, (text) => {
    const sections = parseResources(text);
    const added: Section = {
      id,
      properties: merge(new Map(), { state: "started", ...properties }),
    };
    const old = sections.find((section) => section.id === id);
    if (old !== undefined) {
      // The answer to the first try was lost, and this is the retry: it is done.
      if (call.mayBeRetry && printResources([old]) === printResources([added])) return null;
      throw new ProblemError("ha.exists", `"${id}" is there already`);
    }
    const next = printResources([...sections, added]);
    const { broken, faults } = readResources(next);
    if (broken) {
      const why = faults[0]?.why ?? "the file could not be read";
      throw new ProblemError("ha.too-many", `there are ${sections.length}; ${why}`);
    }
    return next;
  });
}

/** Refuses what this pentad would read as no resource, and properties of other kinds. */
function checkKind(id: string, properties: Properties | Readonly<Record<string, string>>): void {
  const section: Section = { id, properties: merge(new Map(), properties) };
  const [fault] = readResources(printResources([section])).faults;
  if (fault !== undefined) throw new ProblemError("ha.bad-resource", `"${id}": ${fault.why}`);
  const kind = id.slice(0, id.indexOf(":"));
  const own = Object.entries(KIND_PROPERTIES).find(([name]) => name === kind)?.[1] ?? {};
  for (const key of section.properties.keys()) {
    const owners = Object.entries(KIND_PROPERTIES).filter(([, all]) => key in all);
    if (owners.length === 0 || key in own) continue;
    const names = owners.map(([name]) => name).join(", ");
    throw new ProblemError("ha.bad-resource", `"${id}": "${key}" belongs to the kind ${names}`);
  }
}

function memberNamed(call: AnyCall, name: string) {
  const { nodes } = call.node.status();
  const found = nodes.find((member) => member.name === name);
  if (found !== undefined) return found;
  const names = nodes.map((member) => member.name).join(", ");
  throw new ProblemError("ha.no-such-node", `"${name.slice(0, 80)}" is none of: ${names}`);
}

async function order(call: AnyCall, command: string): Promise<void> {
  await updateFile(call, COMMANDS_FILE, (text) => addCommand(text, command));
}

function nullable() {
  const { command, state, ...others } = PROPERTIES.shape;
  const entries = Object.entries(others).map(([key, type]) => [key, type.nullable()]);
  return { command, state, ...Object.fromEntries(entries) as Nullable<typeof others> };
}

type Nullable<Shape extends Record<string, z.ZodType>> = {
  [Key in keyof Shape]: z.ZodNullable<Shape[Key]>;
};
