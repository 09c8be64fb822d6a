/**
 * What a seed draws for a crowd: many resources of several kinds under rules, and a manager that
 * dies in the midst of what it does.
 *
 * @module
 */
import { Prng } from "../base/prng.ts";
import type { Millis } from "../base/time.ts";
import { drawnMachine, drawnResource } from "./admin.ts";
import type { ClusterShape } from "./cluster.ts";
import { DC_PHASES, type DcFault } from "./crowd.ts";
import type { CrowdRule } from "./crowd_decisions.ts";
import { drawFaults } from "./faults.ts";
import { CALM_MS, drawWorld, type RunPlan } from "./plan.ts";

const SAFETY_MS = [25_000, 50_000] as const;
const RESOURCES = [20, 32] as const;
const MACHINES_MAX = 4;
/** Orders for each. */
const MIGRATIONS = 4;
const LONGEST_MS = 15_000;
/** An agent that cannot stop what it started. */
const STUCK = "sim:Stuck";
/** How often two that must be apart chase each other. */
const CHASES = 6;
const DC_FAULTS = ["crash", "crash-in-step", "power", "power-in-step", "isolate", "pause"] as const;

/** Draws a plan. */
export function drawCrowd(seed: number, shape: ClusterShape): RunPlan {
  const prng = new Prng(seed * 64 + shape.nodes * 2 + (shape.witness ? 1 : 0));
  const safetyMs = prng.between(...SAFETY_MS);
  const resources = prng.between(...RESOURCES);
  const own = new Prng(seed * 64 + 1_000_003);
  const machines = own.chance(0.7) ? own.between(1, MACHINES_MAX) : 0;
  const world = {
    ...drawWorld(prng, new Prng(seed * 4 + 3)),
    // What fails everywhere is given up, and then says nothing any more.
    ...{ migrationFails: 0.1, migrationHalf: 0.1 },
    processStartFails: prng.chance(0.2) ? 0.03 : 0.001,
  };
  const window = { from: CALM_MS, to: safetyMs, longest: LONGEST_MS };
  const { nodes, witness } = shape;
  const faults = drawFaults(prng, {
    ...{ nodes, witness, resources, count: prng.between(0, 6) },
    ...window,
  });
  const dc = Array.from({ length: prng.between(2, 7) }, (): DcFault => ({
    // Early: it takes another fault, or an order, until a manager comes to most phases.
    at: prng.between(CALM_MS, (CALM_MS + safetyMs) / 2),
    phase: prng.pick(DC_PHASES) ?? "lock",
    // Decisions take a few milliseconds to be committed, and some hundreds to be carried out.
    delay: prng.chance(0.5) ? prng.between(0, 12) : prng.between(0, 800),
    fault: prng.pick(DC_FAULTS) ?? "crash",
    ms: Math.round(LONGEST_MS * prng.fraction() * prng.fraction()),
    calls: prng.between(0, 40),
  })).sort((a, b) => a.at - b.at);
  const properties = Array.from(
    { length: resources },
    (_, at) => drawProperties(prng, at, world.watchdogPresent === true),
  );
  // What cannot stop and is nobody's any more stays where it is, for nothing starts elsewhere.
  const stays = properties.flatMap(({ agent }, at) => agent === STUCK ? [drawnResource(at)] : []);
  const rules = drawRules(prng, resources, nodes);
  const orders = drawOrders(prng, { resources, nodes, safetyMs })
    .filter(({ order }) => !stays.some((id) => order === `remove ${id}`));
  return {
    ...{ seed, shape, world, resources, machines, faults, dc, safetyMs },
    ...{ clients: 4, contenders: 0, registers: 1, scribes: 0, lockers: 0 },
    ...{ spares: 0, force: null, calm: false },
    members: drawMembers(prng, nodes, safetyMs),
    policy: prng.pick(["freeze", "failover", "conditional", "migrate", null] as const) ?? null,
    properties,
    rules,
    orders: [
      ...orders,
      ...drawChases(prng.split(), rules, safetyMs),
      ...drawMigrations(own, { machines, nodes, safetyMs }),
    ].sort((a, b) => a.at - b.at),
  };
}

/**
 * Agents of this kind may find their parameters wrong, or be unable to stop: see `agent.ts`. Without a
 * watchdog the latter would wait for a person.
 */
function drawProperties(
  prng: Prng,
  at: number,
  armed: boolean,
): Readonly<Record<string, string>> {
  const stuck = prng.chance(0.1) && armed;
  const agent = stuck ? STUCK : prng.chance(0.05) ? "sim:Wrong" : "sim:Dummy";
  return {
    max_restart: String(prng.between(0, 2)),
    max_relocate: String(prng.between(0, 2)),
    priority: String(prng.between(0, 3)),
    failback: prng.chance(0.5) ? "1" : "0",
    ...(drawnResource(at).startsWith("ocf:") && { agent }),
  };
}

/** Groups that do not overlap, each with a rule that can be kept while all nodes are there. */
function drawRules(prng: Prng, resources: number, nodes: number): CrowdRule[] {
  const left = Array.from({ length: resources }, (_, at) => at);
  const draw = (count: number): number[] =>
    Array.from({ length: count }, () => left.splice(prng.between(0, left.length - 1), 1)).flat();
  const on = (members: readonly number[]): CrowdRule => {
    const all = Array.from({ length: nodes }, (_, at) => at);
    const out = prng.between(0, nodes - 1);
    const strict = prng.chance(0.7);
    return { rule: "on", resources: members, nodes: all.filter((at) => at !== out), strict };
  };
  const rules: CrowdRule[] = [];
  for (let more = prng.between(3, 6); more > 0 && left.length >= 5; more--) {
    const kind = prng.pick(["on", "together", "apart", "after", "bound"] as const);
    const members = draw(kind === "apart" ? prng.between(2, nodes) : prng.between(2, 5));
    if (kind === "on" || kind === "bound") rules.push(on(members));
    if (kind === "together" || kind === "bound") {
      rules.push({ rule: "together", resources: members });
    } else if (kind === "apart") rules.push({ rule: kind, resources: members });
    else if (kind === "after") {
      rules.push({ rule: kind, resources: members, strict: prng.chance(0.5) });
    }
  }
  // Two of three nodes, so that one of them always has somewhere to go.
  if (nodes >= 3 && left.length >= 2) rules.push({ rule: "apart", resources: draw(2) });
  return rules;
}

/** Of each two that must be apart: one goes away, and the other is sent to where it was. */
function drawChases(
  prng: Prng,
  rules: readonly CrowdRule[],
  safetyMs: Millis,
): RunPlan["orders"] {
  return rules.flatMap(({ rule, resources }) => {
    const [first, second] = resources;
    if (rule !== "apart" || first === undefined || second === undefined) return [];
    const ids = [drawnResource(first), drawnResource(second)];
    return Array.from({ length: CHASES }, (_, at) => ({
      at: prng.between(CALM_MS, safetyMs),
      // Either may be the one that is decided about first.
      order: `chase ${(at % 2 === 0 ? ids : ids.toReversed()).join(" ")}`,
    }));
  });
}

/** Nodes that stop in order, in every way that there is, and leaders that hand over. */
function drawMembers(prng: Prng, nodes: number, safetyMs: Millis): RunPlan["members"] {
  return Array.from({ length: prng.chance(0.6) ? prng.between(1, 4) : 0 }, () => {
    const [at, to] = [prng.between(CALM_MS, safetyMs), prng.between(0, nodes - 1)];
    if (prng.chance(0.2)) return { at, order: "transfer" as const, to };
    const how = prng.pick(["stop", "restart", "reboot", "poweroff"] as const) ?? "stop";
    return { at, order: "stop" as const, to, how };
  }).sort((a, b) => a.at - b.at);
}

function drawOrders(
  prng: Prng,
  { resources, nodes, safetyMs }: { resources: number; nodes: number; safetyMs: Millis },
): RunPlan["orders"] {
  return Array.from({ length: prng.between(0, 14) }, () => {
    const id = drawnResource(prng.between(0, resources - 1));
    const node = `node${"ABCDEFGH".charAt(prng.between(0, nodes - 1))}`;
    const order = prng.pick([
      `migrate ${id} ${node}`,
      `migrate ${id} ${node}`,
      `maintenance ${node} on`,
      `maintenance ${node} off`,
      `state ${id} stopped`,
      `state ${id} started`,
      `state ${id} disabled`,
      `state ${id} ignored`,
      `remove ${id}`,
      `state ${id} started`,
    ]) ?? "";
    return { at: prng.between(CALM_MS, safetyMs), order };
  }).sort((a, b) => a.at - b.at);
}

/** Machines are sent about, most of them while they run. */
function drawMigrations(
  prng: Prng,
  { machines, nodes, safetyMs }: { machines: number; nodes: number; safetyMs: Millis },
): RunPlan["orders"] {
  return Array.from({ length: machines * MIGRATIONS }, () => {
    const id = drawnMachine(prng.between(0, machines - 1));
    const node = `node${"ABCDEFGH".charAt(prng.between(0, nodes - 1))}`;
    const order = `migrate ${id} ${node}${prng.chance(0.1) ? " cold" : ""}`;
    return { at: prng.between(CALM_MS, safetyMs), order };
  });
}

/** One strike for people. */
export function printDcFault({ at, phase, delay, fault, ms, calls }: DcFault): string {
  return `at ${
    (at / 1000).toFixed(2)
  } s: dc ${fault} in ${phase} delay=${delay} ms=${ms} calls=${calls}`;
}

/** How one resource is defined, for people. */
export function printProperties(properties: Readonly<Record<string, string>>, at: number): string {
  const rest = Object.entries(properties).map(([key, value]) => `${key}=${value}`).join(" ");
  return `${drawnResource(at)} ${rest}`;
}

/** One rule for people. */
export function printCrowdRule({ resources, ...rule }: CrowdRule): string {
  const rest = Object.entries(rule).map(([key, value]) => `${key}=${value}`).join(" ");
  return `${rest} resources=${resources.map(drawnResource).join(",")}`;
}
