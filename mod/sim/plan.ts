/**
 * What is drawn from a seed before a run begins: the cluster, its world, its faults, and who does what.
 *
 * @module
 */
import { drawnResource } from "./admin.ts";
import { Prng } from "../base/prng.ts";
import type { ClusterShape } from "./cluster.ts";
import { drawFaults, drawStoreFaults, type Fault } from "./faults.ts";
import type { DcFault } from "./crowd.ts";
import type { CrowdRule } from "./crowd_decisions.ts";
import type { MemberOrder } from "./membership.ts";
import type { WorldOptions } from "./options.ts";

/** Everything that is drawn from a seed. */
export interface RunPlan {
  readonly seed: number;
  readonly shape: ClusterShape;
  readonly world: Partial<WorldOptions>;
  readonly resources: number;
  /** Virtual machines beside these, which may move while they run. */
  readonly machines: number;
  readonly clients: number;
  /** Clients that all write the same files. */
  readonly contenders: number;
  /** Clients whose operations are written down. */
  readonly registers: number;
  /** Programs on the mounts: some write files, some count under a lock. Without any nothing is mounted. */
  readonly scribes: number;
  readonly lockers: number;
  readonly safetyMs: number;
  readonly faults: readonly Fault[];
  /** Orders of an administrator: at a time, a change of what is wanted or a move. */
  readonly orders: readonly { readonly at: number; readonly order: string }[];
  /** Who comes and goes, and who is to lead. */
  readonly members: readonly MemberOrder[];
  /** Hosts beside the members that the cluster is made with. */
  readonly spares: number;
  /** At the end all are lost but the host at this place, which is let go on alone; null: nobody is. */
  readonly force: number | null;
  /** Nothing fails: then nobody has a reason to stand for election. */
  readonly calm: boolean;
  /** Rules for the resources, and when the manager is struck: see `crowd_plan.ts`. */
  readonly rules: readonly CrowdRule[];
  readonly dc: readonly DcFault[];
  /** What resources are defined with, by their places. */
  readonly properties: readonly Readonly<Record<string, string>>[];
  /** What becomes of resources whose host goes down; null for what it is by default. */
  readonly policy: string | null;
}

/** When faults begin: by then the cluster has formed. */
export const CALM_MS = 6000;
const SAFETY_MS = [20_000, 60_000] as const;

/** Draws a plan from a seed. */
export function drawPlan(seed: number, shape: ClusterShape): RunPlan {
  const prng = new Prng(seed * 4 + (shape.witness ? 1 : 0) + (shape.nodes > 2 ? 2 : 0));
  const safetyMs = prng.between(...SAFETY_MS);
  const resources = prng.between(0, 3);
  const world = drawWorld(prng, new Prng(seed * 4 + 3));
  const members = drawMembers(new Prng(seed * 4 + 2), shape, safetyMs);
  const spares = members.some(({ order }) => order === "join") ? 1 : 0;
  const ask = {
    nodes: shape.nodes + spares,
    witness: shape.witness,
    resources,
    count: prng.between(1, 14),
    from: CALM_MS,
    to: safetyMs,
    longest: 20_000,
  };
  const store = new Prng(seed * 4 + 1_000_003);
  // In a part of them the databases suffer too, also where members come and go.
  const suffers = store.chance(0.5);
  const faults = [
    ...drawFaults(prng, ask),
    ...(suffers ? drawStoreFaults(store, ask) : []),
  ].sort((a, b) => a.at - b.at);
  const clients = prng.between(2, 30);
  const contenders = prng.chance(0.5) ? prng.between(2, 6) : 0;
  const wanted = drawOrders();
  // What is left of a pair has to be elected anew, with the witness or when the other one is back.
  const isQuiet = shape.nodes > 2 || members.every(({ order }) => order !== "stop");
  const calm = members.length > 0 && isQuiet && seed % 8 === 0;
  const worst = new Prng(seed * 4 + 3_000_003);
  const isForced = spares === 0 && !calm && worst.chance(0.08);
  // Who goes on alone has lost all whose guards would have to be held again.
  const modes = isForced ? [] : drawModes(new Prng(seed * 4 + 4_000_003), safetyMs);
  const orders = [...wanted, ...modes].sort((a, b) => a.at - b.at);
  const rest = {
    force: isForced ? worst.between(0, shape.nodes - 1) : null,
    seed,
    shape,
    resources,
    machines: 0,
    clients,
    contenders,
    registers: 2,
    ...drawPrograms(new Prng(seed * 4 + 2_000_003)),
    safetyMs,
    orders,
    members,
    spares,
    calm,
    rules: [],
    dc: [],
    properties: Array.from({ length: resources }, () => ({ max_restart: "2", max_relocate: "2" })),
    policy: null,
  };
  return calm ? { ...rest, world: {}, faults: [] } : { ...rest, world, faults };

  function drawOrders(): RunPlan["orders"] {
    if (resources === 0) return [];
    let at = CALM_MS;
    return Array.from({ length: prng.between(0, 8) }, () => {
      // Some come in a burst: an order in the midst of another's consequences.
      if (!prng.chance(0.4)) at = prng.between(CALM_MS, safetyMs);
      else at = Math.min(safetyMs, at + prng.between(0, 400));
      const id = drawnResource(prng.between(0, resources - 1));
      const node = `node${"ABCDEFGH".charAt(prng.between(0, shape.nodes - 1))}`;
      const order = prng.pick([
        `migrate ${id} ${node}`,
        `maintenance ${node} on`,
        `maintenance ${node} off`,
        `state ${id} stopped`,
        `state ${id} started`,
      ]);
      return { at, order: order ?? "" };
    }).sort((a, b) => a.at - b.at);
  }
}

/** A third of all clusters is disarmed for a while, one or several times; whatever fails, fails then too. */
function drawModes(prng: Prng, safetyMs: number): RunPlan["orders"] {
  if (!prng.chance(0.33)) return [];
  return Array.from({ length: prng.between(1, 3) }, () => {
    const at = prng.between(CALM_MS, safetyMs);
    const ms = prng.chance(0.3) ? prng.between(0, 300) : prng.between(300, 20_000);
    return [{ at, order: "disarm" }, { at: Math.min(safetyMs, at + ms), order: "arm" }];
  }).flat();
}

/** Draws what the world is like; what is kept of the log from a generator of its own. */
export function drawWorld(prng: Prng, log: Prng): Partial<WorldOptions> {
  return {
    netLoss: prng.chance(0.3) ? prng.fraction() * 0.1 : 0.001,
    netDuplicate: prng.chance(0.3) ? prng.fraction() * 0.1 : 0.001,
    netReplay: prng.chance(0.3) ? prng.fraction() * 0.05 : 0.0005,
    netDelayMs: [0.1, prng.chance(0.2) ? prng.between(5, 40) : 2],
    timerLateMs: [0, prng.chance(0.2) ? prng.between(10, 60) : 5],
    databaseCommitMs: [0.3, prng.chance(0.2) ? prng.between(10, 60) : 6],
    processStartFails: prng.chance(0.2) ? 0.2 : 0.005,
    processStopHangs: prng.chance(0.2) ? 0.3 : 0.02,
    databaseCrashDurable: prng.fraction(),
    diskCrashTorn: prng.fraction(),
    rebootMs: [500, 8000],
    watchdogPresent: prng.chance(0.9),
    ...drawLog(log),
  };
}

/** One in five clusters has its tree mounted. */
function drawPrograms(prng: Prng): Pick<RunPlan, "scribes" | "lockers"> {
  if (!prng.chance(0.2)) return { scribes: 0, lockers: 0 };
  return { scribes: prng.between(0, 3), lockers: prng.between(1, 3) };
}

/** Half of all clusters of three or more see somebody come and go, half of all another leader. */
function drawMembers(prng: Prng, shape: ClusterShape, safetyMs: number): MemberOrder[] {
  const orders: MemberOrder[] = [];
  const at = () => prng.between(CALM_MS, safetyMs);
  if (shape.nodes >= 3 && prng.chance(0.5)) {
    const times = Array.from({ length: prng.between(1, 4) }, at).sort((a, b) => a - b);
    for (const [place, time] of times.entries()) {
      orders.push({ at: time, order: place % 2 === 0 ? "join" : "leave", to: null });
    }
  }
  if (shape.nodes >= 2 && prng.chance(0.5)) {
    for (let left = prng.between(1, 5); left > 0; left--) {
      const to = prng.chance(0.5) ? null : prng.between(0, shape.nodes - 1);
      orders.push({ at: at(), order: "transfer", to });
    }
  }
  if (prng.chance(0.3)) {
    for (let left = prng.between(1, 3); left > 0; left--) {
      orders.push({ at: at(), order: "stop", to: prng.between(0, shape.nodes - 1) });
    }
  }
  return orders.sort((a, b) => a.at - b.at);
}

/** Half of all clusters keep so little of their log that whoever was away needs a snapshot. */
function drawLog(prng: Prng): Partial<WorldOptions> {
  if (!prng.chance(0.5)) return {};
  return {
    logTailBytes: prng.between(0, 1500),
    logTailEntries: prng.between(0, 8),
    // Less, and a slow network would never bring a snapshot over before its log is gone.
    logTailBytesMax: prng.between(20_000, 80_000),
    snapshotChunkBytes: prng.between(200, 2000),
  };
}
