/**
 * Decisions about the whole stack: when it may be disarmed, what is decided while it is, and when it
 * is armed again. See `mode.ts`.
 *
 * @module
 */
import { memberOf, nameOf } from "../base/cluster.ts";
import type { NodeId } from "../base/id.ts";
import { type Reason, reason } from "../base/reason.ts";
import type { Command } from "./commands.ts";
import type { Mode } from "./mode.ts";
import type { Plan, Situation } from "./situation.ts";
import type { NodeEntry } from "./status.ts";

/** What keeps the cluster from being disarmed now, as a clause; null: nothing. */
export function unsettled(situation: Situation): string | null {
  const { spec, status, self } = situation;
  for (const { id, name } of spec.members) {
    const entry = status.nodes.get(id);
    if (entry?.state === "dead") continue;
    const heard = id === self ? "online" : situation.health(id)?.state ?? "unknown";
    if (entry?.state !== "online" || heard !== "online") {
      return `node ${name} is neither online nor proven dead`;
    }
    if (entry.shutdown !== null) return `node ${name} stops`;
  }
  for (const [id, { state, live }] of status.services) {
    if (MOVING.has(state) || live !== undefined) return `${id} is in ${state}`;
  }
  return null;
}

const MOVING: ReadonlySet<string> = new Set(["fence", "recovery", "relocate", "request_stop"]);

/** The last order about the whole stack; null: there is none. */
export function modeOrder({ commands }: Situation): "arm" | "disarm" | null {
  const last = commands.findLast(({ order }) => order === "arm" || order === "disarm")?.order;
  return last === "arm" || last === "disarm" ? last : null;
}

/** The plan of a disarmed cluster: all is as it was, and nobody counts as guarded. */
export function frozenPlan(situation: Situation): Plan {
  const { spec, status, commands, mode, out } = situation;
  const nodes = new Map<NodeId, NodeEntry>();
  for (const [id, entry] of status.nodes) nodes.set(id, { ...entry, unguarded: true });
  for (const { id } of spec.members) if (!nodes.has(id)) nodes.set(id, UNKNOWN);
  const said: { text: string; because: Reason }[] = [];
  const arm = mode === "disarmed" && modeOrder(situation) === "arm";
  if (mode !== "disarmed") said.push({ text: "HA is disarmed", because: reason("ha.disarmed") });
  if (arm) said.push({ text: "HA is to be armed", because: reason("ha.arming") });
  for (const order of commands) {
    if (order.order === "arm" || order.order === "disarm") continue;
    const because = reason("ha.disarmed-refused", { order: printOrder(situation, order) });
    said.push({ text: "an order is dropped", because });
  }
  return {
    ...{ mode: arm ? "arming" : "disarmed", out, said, takeovers: [], eject: new Map() },
    status: { nodes, services: status.services },
  };
}

/** Of a member of which nothing is decided: it may run anything. */
export const UNKNOWN: NodeEntry = {
  ...{ state: "online", maintenance: false, armed: false, confirmed: false, proof: null },
  ...{ shutdown: null, unguarded: true, why: null },
};

/** It said that it is guarded, knowing all that is decided: then it never ends its guard by this. */
export function isGuardedAgain(situation: Situation, node: NodeId): boolean {
  if (situation.mode === "disarmed") return false;
  const watchdog = situation.report(node)?.watchdog;
  return watchdog === "armed" || watchdog === "none";
}

/** The mode once these entries are decided: those who are dead are not waited for. */
export function modeAfter(mode: Mode, nodes: ReadonlyMap<NodeId, NodeEntry>): Mode {
  const waits = [...nodes.values()].some(({ unguarded, state }) => unguarded && state !== "dead");
  return waits ? mode : "armed";
}

function printOrder({ spec }: Situation, order: Command): string {
  const { order: verb, ...rest } = order;
  const words = Object.entries(rest).map(([key, value]) =>
    key === "node" && memberOf(spec, value as NodeId)
      ? nameOf(spec, value as NodeId)
      : String(value)
  );
  return [verb, ...words].join(" ");
}
