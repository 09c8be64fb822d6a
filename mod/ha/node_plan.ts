/**
 * The manager's decisions about nodes: online → fence → dead, and back.
 *
 * `fence` and `dead` are never decided in one transaction: a node that comes back in between finds
 * itself in `fence` in the log, and starts nothing.
 *
 * @module
 */
import { type Member, memberOf, nameOf } from "../base/cluster.ts";
import type { NodeId } from "../base/id.ts";
import { type Reason, reason, type ReasonCode } from "../base/reason.ts";
import type { DeathProof } from "../streams.ts";
import { type Evidence, proofOf } from "./death.ts";
import { isGuardedAgain, UNKNOWN } from "./frozen.ts";
import type { Situation } from "./situation.ts";
import type { NodeEntry } from "./status.ts";

/** The entries of all nodes as they are to be. */
export function planNodes(
  situation: Situation,
  say: (text: string, because: Reason) => void,
): Map<NodeId, NodeEntry> {
  const { spec, status } = situation;
  const nodes = new Map<NodeId, NodeEntry>();
  for (const member of spec.members) {
    const old = status.nodes.get(member.id);
    const next = nextEntry(situation, member, old);
    if (next === null) continue;
    const changed = old !== undefined && old.state !== next.state;
    const why = changed ? whyNode(situation, member, next) : next.why;
    nodes.set(member.id, { ...next, why });
    if (changed && why !== null) say(`node ${member.name}=${told(next)}`, why);
  }
  // A member that was removed runs nothing that may be trusted to be gone: it stays as it was.
  for (const [id, entry] of status.nodes) {
    const kept = isReferred(situation, id) || situation.out.has(id) || entry.unguarded;
    if (memberOf(spec, id) === undefined && kept) nodes.set(id, formerEntry(situation, id, entry));
  }
  return nodes;
}

/** Nobody hears a former member: only a person's word proves its death. */
function formerEntry(situation: Situation, id: NodeId, old: NodeEntry): NodeEntry {
  const vouched = isVouchedFor(situation, id);
  // It can never say itself that it is guarded again.
  const unguarded = old.unguarded && !vouched;
  if (old.state === "dead") return { ...old, unguarded };
  const confirmed = old.confirmed || vouched;
  // Cut off, it may have its lease still; from who knows that it is no member it gets no other.
  const lives = situation.goneFor(id) < situation.timing.leaseMs + situation.timing.slackMs;
  if (old.state === "online" || !confirmed || lives) return { ...old, state: "fence", confirmed };
  return { ...old, state: "dead", confirmed, proof: "confirmed", unguarded };
}

/** Did a person say that it is dead? */
export function isVouchedFor({ commands }: Situation, node: NodeId): boolean {
  return commands.some((each) => each.order === "confirm-dead" && each.node === node);
}

/** What is known of a node's death. */
export function evidenceOf(
  situation: Situation,
  node: NodeId,
  entry: NodeEntry,
  luns: readonly string[] = [],
): Evidence | null {
  const health = situation.health(node);
  if (health === null) return null;
  return {
    health,
    armed: entry.armed,
    unguarded: entry.unguarded,
    words: situation.words(node),
    confirmed: entry.confirmed,
    storageFenced: situation.storageFenced(node, luns),
  };
}

/** Nobody heard it for as long as a lease and a watchdog could last, whatever it was. */
export function isLongSilent({ health, timing }: Situation, node: NodeId): boolean {
  const known = health(node);
  if (known?.state !== "down") return false;
  return known.vouched - known.lastHeard >= timing.deadMs + timing.fenceWaitMs;
}

function nextEntry(
  situation: Situation,
  { id }: Member,
  old: NodeEntry | undefined,
): NodeEntry | null {
  const state = id === situation.self ? "online" : situation.health(id)?.state ?? "unknown";
  const report = situation.present(id);
  if (old === undefined) {
    // Nobody has said of it that it is guarded since all was disarmed.
    if (situation.mode !== "armed") return UNKNOWN;
    if (state !== "online" || report === null) return null;
    const armed = report.watchdog === "armed";
    const fresh = { maintenance: false, armed, confirmed: false, proof: null, shutdown: null };
    return { state: "online", ...fresh, unguarded: false, why: null };
  }
  const entry: NodeEntry = {
    ...old,
    maintenance: maintenanceOf(situation, id, old.maintenance),
    shutdown: shutdownOf(situation, id, old.shutdown),
    armed: report === null || (report.watchdog !== "armed" && report.watchdog !== "none")
      ? old.armed
      : report.watchdog === "armed",
    unguarded: old.unguarded && !isGuardedAgain(situation, id),
  };
  if (state === "online") return { ...entry, state: "online", confirmed: false, proof: null };
  const confirmed = entry.confirmed ||
    (state === "down" && isVouchedFor(situation, id));
  if (old.state === "online") {
    return state === "down" ? { ...entry, state: "fence", confirmed } : entry;
  }
  // A person's word also frees what waits for a node that stopped in order.
  if (old.state === "dead") return { ...entry, confirmed };
  const evidence = evidenceOf(situation, id, old);
  const proof = evidence && proofOf(evidence, situation.timing);
  if (proof) return { ...entry, state: "dead", confirmed, proof };
  return { ...entry, confirmed };
}

function maintenanceOf({ commands }: Situation, node: NodeId, before: boolean): boolean {
  let on = before;
  for (const each of commands) {
    if (each.order === "maintenance" && each.node === node) on = each.on;
  }
  return on;
}

/** It ends with the life that asked for it. */
function shutdownOf(
  { commands, present }: Situation,
  node: NodeId,
  before: NodeEntry["shutdown"],
): NodeEntry["shutdown"] {
  const order = commands.findLast((each) =>
    (each.order === "shutdown" || each.order === "reboot") && each.node === node
  );
  const asked = order?.order === "shutdown"
    ? { how: order.how, boot: order.boot }
    : order?.order === "reboot"
    ? { how: "migrate" as const, boot: order.boot, reboot: true as const }
    : null;
  // Whoever calls a node back from maintenance calls it back from this too.
  const back = commands.some((each) => each.order === "maintenance" && each.node === node);
  const now = asked ?? (back && before?.reboot === true ? null : before);
  const report = present(node);
  return now !== null && report !== null && report.boot !== now.boot ? null : now;
}

function isReferred({ status }: Situation, node: NodeId): boolean {
  return [...status.services.values()].some((each) => each.node === node || each.target === node);
}

const PROOF_REASON: Readonly<Record<DeathProof, ReasonCode>> = {
  wait: "ha.fence-wait",
  "clean-stop": "ha.clean-stop",
  "self-fenced": "ha.self-fenced",
  "fence-agent": "ha.fence-wait",
  storage: "ha.storage-proof",
  confirmed: "ha.confirmed-dead",
};

/** Why a node counts as dead. */
export function proofReason(
  { spec, health }: Pick<Situation, "spec" | "health">,
  node: NodeId,
  proof: DeathProof,
): Reason {
  const known = health(node);
  // Where no majority vouches for anything, there is no silence to tell of.
  const silence = known === null ? 0 : known.vouched - known.lastHeard;
  const ms = Number.isFinite(silence) ? Math.round(silence) : 0;
  return reason(PROOF_REASON[proof], { node: nameOf(spec, node), ms });
}

function told({ state, proof }: NodeEntry): string {
  return state === "dead" ? `dead, proof=${proof ?? "wait"}` : state;
}

/** Why a node is now what it is decided to be. */
function whyNode(situation: Situation, { id, name }: Member, entry: NodeEntry): Reason {
  if (entry.state === "dead") return proofReason(situation, id, entry.proof ?? "wait");
  if (entry.state === "online") return reason("ha.node-back", { node: name });
  if (entry.unguarded) return reason("ha.fence-disarmed", { node: name });
  if (!entry.armed) return reason("ha.fence-unarmed", { node: name });
  const health = situation.health(id);
  const { deadMs, beatLossMax } = situation.timing;
  // It is DOWN, so it was silent for that long; more only as far as a majority vouches for it.
  const vouched = health === null ? 0 : Math.round(health.vouched - health.lastHeard);
  return reason("heartbeat.silent", {
    node: name,
    ms: Math.max(deadMs, vouched),
    max: beatLossMax,
  });
}
