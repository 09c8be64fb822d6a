/** The cluster as it is, as a simulation can begin with it. @module */
import { decodeText } from "../base/bytes.ts";
import { isResourceId } from "../base/id.ts";
import { ProblemError } from "../base/problem.ts";
import type { ResourceStatus, StatusDocument } from "../node/view.ts";
import { isThere, witnessVotes } from "./check/readiness.ts";
import type { Client } from "./client.ts";
import type { SimulationFile } from "./simulation_file.ts";

/** States in which a resource is on its node. */
const THERE: readonly string[] = ["started", "request_start", "relocate"];

/** Longer than a death takes to be proven by its time. */
const AWAY_SECONDS = { standard: 90, fast: 15 } as const;

/** Reads nodes, vitals, resources, rules and settings from the daemon. */
export async function liveCluster(client: Client): Promise<SimulationFile> {
  const status = await client.get<StatusDocument>("/v1/status");
  if (status.cluster === null) {
    throw new ProblemError("join.not-a-member", "there is no cluster here");
  }
  const { resources } = await client.get<{
    resources: readonly (ResourceStatus & { readonly properties: Record<string, string> })[];
  }>("/v1/ha/resources");
  const profile = status.cluster.profile === "fast" ? "fast" : "standard";
  const clamp = (value: number | null) => Math.min(1, Math.max(0, value ?? 0));
  return {
    ...{ seed: 1, profile, witness: hasWitness(status), events: awayIn(status, profile) },
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

/** Only of a pair the disk's vote is played. */
function hasWitness(status: StatusDocument): boolean {
  return status.nodes.length === 2 && witnessVotes(status) > 0;
}

/** Who is away already, or kept empty, is that in what is played too: long enough to count as dead. */
function awayIn(
  { nodes }: StatusDocument,
  profile: keyof typeof AWAY_SECONDS,
): SimulationFile["events"] {
  const events = nodes.flatMap(({ name: node, self, state }): SimulationFile["events"] => {
    if (state === "maintenance") return [{ event: "maintenance", node, to: "on" }];
    return self || isThere(state) ? [] : [{ event: "power", node, to: "off" }];
  });
  return events.length === 0 ? [] : [
    ...events,
    { event: "delay", seconds: AWAY_SECONDS[profile] },
  ];
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
