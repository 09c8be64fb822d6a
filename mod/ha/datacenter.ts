/**
 * What `datacenter.cfg` says to stream 3: the properties `ha`, `crs` and `max_workers`, in Proxmox
 * VE's form (`key: value`, a value of `name=value` with commas). Other lines are other programs'.
 *
 * @module
 */
export const DATACENTER_FILE = "datacenter.cfg";

/** What becomes of a node's resources when its host is shut down. */
export const SHUTDOWN_POLICIES = ["freeze", "failover", "conditional", "migrate"] as const;
/**
 * `freeze`: they wait for the node to come back. `failover`: they start elsewhere. `conditional`:
 * the first for a reboot, the second for a power-off. `migrate`: they move before it goes.
 */
export type ShutdownPolicy = typeof SHUTDOWN_POLICIES[number];

/** By what nodes are compared: only by how many resources they have, or by what they measure. */
export type Scheduling = "basic" | "static" | "dynamic";

/** The settings. */
export interface Datacenter {
  readonly shutdownPolicy: ShutdownPolicy;
  readonly scheduling: Scheduling;
  /** `max_workers`: so many resources may be starting on one node at a time. */
  readonly maxWorkers: number;
  readonly faults: readonly { readonly line: number; readonly why: string }[];
}

/** Starts at a time on one node, as in Proxmox VE; and the most that may be set. */
const WORKERS = 4;
const WORKERS_MAX = 64;

const SCHEDULINGS: readonly string[] = ["basic", "static", "dynamic"];

/** Reads the file. What it does not say, or says wrongly, is as it is by default. */
export function readDatacenter(text: string): Datacenter {
  let shutdownPolicy: ShutdownPolicy = "conditional";
  let scheduling: Scheduling = "dynamic";
  const faults: { line: number; why: string }[] = [];
  for (const [at, line] of text.split("\n").entries()) {
    const match = /^(ha|crs):\s*(.*?)\s*$/.exec(line);
    if (match === null) continue;
    const [, key = "", value = ""] = match;
    for (const part of value.split(",")) {
      const [name = "", word = ""] = part.trim().split("=");
      if (key === "ha" && name === "shutdown_policy") {
        const found = SHUTDOWN_POLICIES.find((each) => each === word);
        if (found !== undefined) shutdownPolicy = found;
        else refuse(at, `shutdown_policy "${word}" is none of ${SHUTDOWN_POLICIES.join(", ")}`);
      } else if (key === "crs" && name === "ha") {
        if (isScheduling(word)) scheduling = word;
        else refuse(at, `crs ha "${word}" is none of ${SCHEDULINGS.join(", ")}`);
      }
    }
  }
  return { shutdownPolicy, scheduling, maxWorkers: workersIn(text), faults };

  function refuse(at: number, why: string): void {
    faults.push({ line: at + 1, why: `${DATACENTER_FILE}: ${why.slice(0, 200)}` });
  }
}

function isScheduling(word: string): word is Scheduling {
  return SCHEDULINGS.includes(word);
}

function workersIn(text: string): number {
  const value = Number(/^max_workers:\s*(\d{1,4})\s*$/m.exec(text)?.[1] ?? WORKERS);
  return Math.min(WORKERS_MAX, Math.max(1, value));
}
