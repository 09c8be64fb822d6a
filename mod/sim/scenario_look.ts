/** What a story looks at: expectations, and what an administrator is shown. @module */
import type { ResourceId } from "../base/id.ts";
import type { HaView } from "../ha/mod.ts";
import type { SimCluster, SimNode } from "./cluster.ts";

/** Finds a node by the name that a story gives it; throws where there is none. */
export type Find = (name: string) => SimNode;

/**
 * `exec:web runs nodeA`, `exec:web runs nowhere`, `exec:web is recovery`, `nodeA quorate yes`,
 * `nodeA manages yes`, `nodeA holds a/path`, `nodeA recovers no`, `nodeA differs no`. Null where it
 * is so, else how it is.
 */
export function expected(
  cluster: SimCluster,
  find: Find,
  [what = "", verb = "", wanted = ""]: readonly string[],
): string | null {
  if (verb === "runs") {
    const hosts = [...cluster.site.plant.running().get(what as ResourceId) ?? []];
    const names = hosts.map((host) => cluster.node(host).name).join("+") || "nowhere";
    return names === wanted ? null : `${what} runs ${names}`;
  }
  if (verb === "is") {
    const state = shownOf(cluster, what)?.state ?? "nothing";
    return state === wanted ? null : `${what} is ${state}`;
  }
  const node = find(what);
  const { runtime } = node;
  if (verb === "holds") {
    const found = runtime?.node.config.stat(wanted) ?? null;
    return found === null ? `${what} does not hold ${wanted}` : null;
  }
  if (verb === "recovers" && runtime === null) return `${what} does not run`;
  const is = answerOf(node, verb);
  if (is === null) return `"${verb}" cannot be expected`;
  return (is ? "yes" : "no") === wanted ? null : `${what}: ${verb} is ${is ? "yes" : "no"}`;
}

/** The manager, by what most know. */
export function managerOf(cluster: SimCluster): SimNode | null {
  const dc = viewOf(cluster)?.dc ?? null;
  return cluster.nodes.find(({ id }) => id === dc) ?? null;
}

/** What `ha show` prints of a resource: its state, and why. */
export function shown(cluster: SimCluster, id: string): string {
  const found = shownOf(cluster, id);
  if (found === null) return `${id} is nothing`;
  const name = cluster.nodes.find((node) => node.id === found.node)?.name;
  const detail = found.detail === "" ? "" : `, its node says: ${found.detail}`;
  return `${id} is ${found.state}${name === undefined ? "" : ` on ${name}`}${detail}  ` +
    `(${found.reason})`;
}

/** What is wrong with the files of stream 3. */
export function faultsOf(cluster: SimCluster): readonly string[] {
  const faults = viewOf(cluster)?.faults ?? [];
  return faults.map(({ line, why }) => `line ${line}: ${why}`);
}

/** As somebody sees it who has a majority, else as anybody does. */
function viewOf(cluster: SimCluster): HaView | null {
  const alive = cluster.nodes.filter(({ runtime }) => runtime !== null);
  const best = alive.find(({ runtime }) => runtime?.board.view?.quorate === true) ?? alive[0];
  return best?.runtime?.node.ha.view() ?? null;
}

function shownOf(cluster: SimCluster, id: string): HaView["resources"][number] | null {
  return viewOf(cluster)?.resources.find((each) => each.id === id) ?? null;
}

/** Null for a verb that is none. */
function answerOf({ id, runtime }: SimNode, verb: string): boolean | null {
  const quorate = runtime?.board.view?.quorate === true;
  switch (verb) {
    case "quorate":
      return quorate;
    case "writable":
      return runtime?.board.position?.writable === true && quorate;
    case "guard":
      return runtime?.node.ha.view().guard.held === true;
    case "manages":
      return runtime?.node.ha.view().dc === id;
    case "leads":
      return runtime?.node.config.view().role === "leader";
    case "removed":
      return runtime?.node.config.view().removed === true;
    case "recovers":
      return (runtime?.node.config.view().recovering ?? null) !== null;
    case "differs":
      return runtime?.node.config.view().diverged === true;
    default:
      return null;
  }
}
