/** The cluster as it is, as a simulation can begin with it. @module */
import { decodeText } from "../base/bytes.ts";
import { isResourceId } from "../base/id.ts";
import { ProblemError } from "../base/problem.ts";
import type { NodeStatus, ResourceStatus, StatusDocument } from "../node/view.ts";
import type { Client } from "./client.ts";
import type { SimulationFile } from "./simulation_file.ts";

/** States in which a resource is on its node. */
const THERE: readonly string[] = ["started", "request_start", "relocate"];

/** States in which a node is there and stays. */
const PRESENT: readonly string[] = ["online", "maintenance"];
/** What is already so has come to its end after so long: a death too, and what it moves. */
const SETTLED_SECONDS = { standard: 120, fast: 20 } as const;

/** Is this node there, for longer than its orderly stop takes? */
export function isPresent({ state }: NodeStatus): boolean {
  return PRESENT.includes(state);
}

/**
 * Nodes begin well in a simulation. What is otherwise by now happens to them first: who is not there
 * loses its power, and who is in maintenance is sent there.
 */
function stateOfNodes(
  nodes: readonly NodeStatus[],
  profile: SimulationFile["profile"],
): SimulationFile["events"] {
  const events: SimulationFile["events"] = nodes.flatMap((node): SimulationFile["events"] => {
    const { name, state } = node;
    if (!isPresent(node)) return [{ event: "power", node: name, to: "off" }];
    return state === "maintenance" ? [{ event: "maintenance", node: name, to: "on" }] : [];
  });
  if (events.length === 0) return [];
  return [...events, { event: "delay", seconds: SETTLED_SECONDS[profile] }];
}

/** Votes of the shared disk that a survivor can count on: none where the disk is not well. */
export function witnessVotes({ votes, nodes, streams }: StatusDocument): number {
  const isWell = streams.some(({ name, state }) => name === "storage" && state === "ok");
  return isWell ? votes.expected - nodes.reduce((sum, { vote }) => sum + vote, 0) : 0;
}

/** Reads nodes, vitals, resources, rules and settings from the daemon. */
export async function liveCluster(client: Client): Promise<SimulationFile> {
  const status = await client.get<StatusDocument>("/v1/status");
  if (status.cluster === null) {
    throw new ProblemError("join.not-a-member", "there is no cluster here");
  }
  const { resources } = await client.get<{
    resources: readonly (ResourceStatus & { readonly properties: Record<string, string> })[];
  }>("/v1/ha/resources");
  const clamp = (value: number | null) => Math.min(1, Math.max(0, value ?? 0));
  const profile = status.cluster.profile === "fast" ? "fast" : "standard";
  return {
    ...{ seed: 1, profile, witness: witnessVotes(status) > 0 && status.nodes.length === 2 },
    events: stateOfNodes(status.nodes, profile),
    nodes: status.nodes.map(({ name, load, memory, io_delay }) => ({
      ...{ name, load: clamp(load), memory: clamp(memory), io_delay: clamp(io_delay) },
    })),
    resources: resources.flatMap(({ id, node, state, properties }) => {
      const at = node !== null && THERE.includes(state) ? { node } : {};
      return isResourceId(id) ? [{ id, properties, ...at }] : [];
    }),
    rules: await textOf(client, "ha/rules.cfg"),
    datacenter: await textOf(client, "datacenter.cfg"),
  };
}

async function textOf(client: Client, path: string): Promise<string> {
  try {
    const { bytes } = await client.send("GET", `/v1/config/${path}`);
    return decodeText(bytes) ?? "";
  } catch (error) {
    if (error instanceof ProblemError && error.problem.code === "config.not-found") return "";
    throw error;
  }
}
