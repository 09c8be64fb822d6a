/**
 * The file that `pentad simulate` reads, and how it becomes a simulation: a cluster, and what
 * happens to it. The JSON Schema that `--schema` prints is made of this.
 *
 * @module
 */
import * as z from "zod";
import { isNodeName, isResourceId, MEMBERS_MAX } from "../base/id.ts";
import { ProblemError } from "../base/problem.ts";
import { PROFILE_NAMES } from "../base/timing.ts";
import type { SimulatedEvent, SimulationAsk } from "../sim/mod.ts";

/** Bytes of a file. */
export const SIMULATION_BYTES_MAX: number = 4 * 1024 * 1024;
const SECONDS_MAX = 3600;

const FRACTION = z.number().min(0).max(1).default(0);
const NODE_NAME = z.string().refine(isNodeName, "must be a node's name");
const RESOURCE_ID = z.string().refine(isResourceId, "must be kind:name");
const AT = z.number().min(0).max(SECONDS_MAX).optional()
  .meta({ description: "Seconds after the beginning; where it is missing, with the one before" });
const ON_OFF = z.enum(["on", "off"]);

const PROPERTIES = z.record(
  z.string().regex(/^[a-z][a-z0-9_-]*$/),
  z.string().regex(/^[^\p{Cc}]*$/u),
);

const EVENT = z.discriminatedUnion("event", [
  z.strictObject({ at: AT, event: z.literal("power"), node: NODE_NAME, to: ON_OFF }),
  z.strictObject({ at: AT, event: z.literal("network"), node: NODE_NAME, to: ON_OFF }),
  z.strictObject({
    ...{ at: AT, event: z.literal("disk"), node: NODE_NAME },
    to: z.enum(["ok", "hung", "failing"]),
  }),
  z.strictObject({
    event: z.literal("delay"),
    seconds: z.number().min(0).max(SECONDS_MAX).meta({ description: "What follows comes later" }),
  }),
  z.strictObject({
    ...{ at: AT, event: z.literal("service"), id: RESOURCE_ID },
    state: z.enum(["started", "stopped", "disabled", "ignored"]),
  }),
  z.strictObject({
    ...{ at: AT, event: z.literal("define"), id: RESOURCE_ID },
    properties: PROPERTIES.meta({ description: "What changes; an empty value takes one away" }),
  }),
  z.strictObject({ at: AT, event: z.literal("remove"), id: RESOURCE_ID }),
  z.strictObject({
    ...{ at: AT, event: z.literal("rules") },
    text: z.string().meta({ description: "The text of ha/rules.cfg" }),
  }),
  z.strictObject({ at: AT, event: z.literal("migrate"), id: RESOURCE_ID, node: NODE_NAME }),
  z.strictObject({ at: AT, event: z.literal("maintenance"), node: NODE_NAME, to: ON_OFF }),
  z.strictObject({
    ...{ at: AT, event: z.literal("shutdown"), node: NODE_NAME },
    how: z.enum(["reboot", "poweroff", "restart", "stop"]).default("stop"),
  }),
  z.strictObject({ at: AT, event: z.literal("confirm-dead"), node: NODE_NAME }),
]);
type Event = z.infer<typeof EVENT>;

/** The whole file. */
const SIMULATION_FILE = z.strictObject({
  profile: z.enum(PROFILE_NAMES).default("standard"),
  seed: z.int().min(0).max(2 ** 31).default(1).meta({ description: "Another one is other luck" }),
  witness: z.boolean().default(false).meta({ description: "A shared disk with the third vote" }),
  nodes: z.array(z.strictObject({
    name: NODE_NAME,
    load: FRACTION.meta({ description: "Load average of one minute by processors" }),
    memory: FRACTION,
    io_delay: FRACTION,
  })).min(1).max(MEMBERS_MAX),
  resources: z.array(z.strictObject({
    id: RESOURCE_ID,
    node: NODE_NAME.optional().meta({ description: "Where it is; without, it is placed" }),
    properties: PROPERTIES.default({}).meta({ description: "As ha/resources.cfg has them" }),
  })).max(10_000).default([]),
  rules: z.string().default("").meta({ description: "The text of ha/rules.cfg" }),
  datacenter: z.string().default("").meta({ description: "The text of datacenter.cfg" }),
  events: z.array(EVENT).max(1000).default([]),
  seconds: z.number().min(1).max(SECONDS_MAX).optional()
    .meta({ description: "How long to look on after the last event" }),
});
/** What a file says, with its defaults. */
export type SimulationFile = z.infer<typeof SIMULATION_FILE>;

/** The form of the file, as JSON Schema (draft 2020-12). */
export function simulationSchema(): object {
  return z.toJSONSchema(SIMULATION_FILE, { io: "input" });
}

/** Reads a file; refuses with the place of what is wrong in it. */
export function readSimulation(text: string): SimulationFile {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw new ProblemError("cli.usage", `the file is not JSON: ${(error as Error).message}`);
  }
  const read = SIMULATION_FILE.safeParse(value);
  if (!read.success) {
    const faults = read.error.issues.slice(0, 8).map(({ path, message }) =>
      `${path.length === 0 ? "the file" : path.map(String).join(".")}: ${message}`
    );
    throw new ProblemError("cli.usage", faults.join("; "));
  }
  const stranger = strangerIn(read.data);
  if (stranger !== null) throw new ProblemError("cli.usage", stranger);
  return read.data;
}

/** How long nothing new may come after the last event: a failover and its start, by profile. */
const REST_SECONDS = { standard: 120, fast: 20 } as const;

/** The simulation that a file asks for. */
export function simulationOf(file: SimulationFile): SimulationAsk {
  let now = 0;
  const events: { at: number; what: SimulatedEvent }[] = [];
  for (const each of file.events) {
    if (each.event === "delay") {
      now += 1000 * each.seconds;
      continue;
    }
    const { at, ...what } = each;
    now = at === undefined ? now : 1000 * at;
    events.push({ at: now, what });
  }
  return {
    ...{ seed: file.seed, profile: file.profile, witness: file.witness },
    nodes: file.nodes.map(({ io_delay: ioDelay, ...rest }) => ({ ...rest, ioDelay })),
    resources: new Map(file.resources.map(({ id, properties }) => [id, properties])),
    placed: new Map(
      file.resources.flatMap(({ id, node }) => node === undefined ? [] : [[id, node]]),
    ),
    ...{ rules: file.rules, datacenter: file.datacenter, events },
    // What is told to happen late is seen to its end.
    restMs: 1000 * Math.max(file.seconds ?? REST_SECONDS[file.profile], 1) +
      Math.max(0, ...events.map(({ at }) => at - now)),
  };
}

/** The first thing that an event or a resource names and the file does not have. */
function strangerIn({ nodes, resources, events, witness }: SimulationFile): string | null {
  const names = new Set(nodes.map(({ name }) => name));
  const ids = new Set(resources.map(({ id }) => id));
  if (names.size < nodes.length) return "nodes: a name is there twice";
  if (ids.size < resources.length) return "resources: an id is there twice";
  if (witness && nodes.length !== 2) return "witness: it is for a pair of nodes";
  const at = (place: string, what: Partial<Pick<Extract<Event, { node: string }>, "node">>) =>
    what.node === undefined || names.has(what.node) ? null : `${place}: there is no "${what.node}"`;
  for (const [place, each] of resources.entries()) {
    const why = at(`resources.${place}`, each.node === undefined ? {} : { node: each.node });
    if (why !== null) return why;
  }
  for (const [place, each] of events.entries()) {
    const why = at(`events.${place}`, "node" in each ? { node: each.node } : {});
    if (why !== null) return why;
    if (each.event === "define") ids.add(each.id);
    if ("id" in each && !ids.has(each.id)) return `events.${place}: there is no "${each.id}"`;
    if (each.event === "disk" && !witness) return `events.${place}: only a witness is on a disk`;
  }
  return null;
}
