/**
 * What befalls a simulated cluster: a schedule drawn from the seed before the run begins, so that it
 * can be printed, repeated, and shrunk to what it takes.
 *
 * @module
 */
import type { ResourceId } from "../base/id.ts";
import type { Prng } from "../base/prng.ts";
import type { Millis } from "../base/time.ts";
import type { Lie } from "./bad_places.ts";
import { SHARED_DISK, type SimCluster } from "./cluster.ts";
import { IO_ERROR } from "./database.ts";

/** One thing that happens at `at`; what lasts is undone `ms` later. */
export type Fault =
  & { readonly at: Millis }
  & (
    | { readonly fault: "crash"; readonly node: number }
    | { readonly fault: "crash-in-step"; readonly node: number; readonly calls: number }
    | { readonly fault: "power"; readonly node: number; readonly ms: Millis }
    | {
      readonly fault: "power-in-step";
      readonly node: number;
      readonly ms: Millis;
      readonly calls: number;
    }
    /**
     * The power of all hosts goes at the moment at which the next write is acknowledged, and comes
     * back for each after a time of its own. Only this tells an acknowledgement that a majority has
     * on disk from one that it merely has in memory: of single deaths a majority forgets nothing.
     */
    | { readonly fault: "blackout" }
    | { readonly fault: "pause"; readonly node: number; readonly ms: Millis }
    | { readonly fault: "hang"; readonly node: number; readonly ms: Millis }
    | { readonly fault: "isolate"; readonly node: number; readonly ms: Millis }
    | {
      readonly fault: "one-way";
      readonly node: number;
      readonly to: number;
      readonly ms: Millis;
    }
    | { readonly fault: "loss"; readonly node: number; readonly loss: number; readonly ms: Millis }
    | { readonly fault: "slow"; readonly node: number; readonly delay: number; readonly ms: Millis }
    | { readonly fault: "disk-hung"; readonly node: number; readonly ms: Millis }
    | { readonly fault: "disk-failing"; readonly node: number; readonly ms: Millis }
    /** A bit turns over in a database that lies still; with `seal` the seal is damaged too. */
    | { readonly fault: "damage"; readonly node: number; readonly seal: boolean }
    /** A copy of the database is made, and put back `ms` later. */
    | { readonly fault: "rollback"; readonly node: number; readonly ms: Millis }
    /**
     * A host's own disk fails (EIO): for a while all writes, with 0 one sync, whose data may be there
     * or not; with `read` what is there cannot be read any more.
     */
    | {
      readonly fault: "io-error";
      readonly node: number;
      readonly read: boolean;
      readonly ms: Millis;
    }
    /** A commit is acknowledged and not written, or in another's place; it is read `ms` later. */
    | { readonly fault: "lie"; readonly node: number; readonly lie: Lie; readonly ms: Millis }
    /** Nothing can be written to a host's own disk. */
    | { readonly fault: "full"; readonly node: number; readonly ms: Millis }
    | { readonly fault: "exit"; readonly resource: number }
    | { readonly fault: "sick"; readonly resource: number; readonly node: number }
  );

/** Faults of the databases, which are drawn apart from all others. */
type StoreKind = "damage" | "rollback" | "full" | "io-error" | "lie";
type Kind = Exclude<Fault["fault"], StoreKind>;
const STORE_KINDS = ["damage", "rollback", "full", "io-error", "lie", "lie"] as const;
/** Databases are struck so often in one run, at most. */
const STORE_FAULTS_MAX = 4;

/** How often each kind is drawn, relative to the others. */
const WEIGHTS: Readonly<Record<Kind, number>> = {
  crash: 3,
  "crash-in-step": 3,
  power: 3,
  "power-in-step": 3,
  blackout: 3,
  pause: 3,
  hang: 3,
  isolate: 5,
  "one-way": 2,
  loss: 2,
  slow: 2,
  "disk-hung": 2,
  "disk-failing": 1,
  exit: 2,
  sick: 1,
};
const DISK_KINDS: readonly Kind[] = ["disk-hung", "disk-failing"];

/** What a schedule is drawn for. */
export interface FaultOptions {
  readonly nodes: number;
  readonly witness: boolean;
  readonly resources: number;
  readonly count: number;
  /** Faults begin between these times. */
  readonly from: Millis;
  readonly to: Millis;
  /** The longest that one lasts; most are much shorter. */
  readonly longest: Millis;
}

/** Draws a schedule, in order of time. */
export function drawFaults(prng: Prng, options: FaultOptions): Fault[] {
  const kinds = (Object.keys(WEIGHTS) as Kind[])
    .filter((kind) => options.witness || !DISK_KINDS.includes(kind))
    .filter((kind) => options.resources > 0 || (kind !== "exit" && kind !== "sick"));
  const total = kinds.reduce((sum, kind) => sum + WEIGHTS[kind], 0);
  const drawKind = (): Kind => {
    let left = prng.fraction() * total;
    for (const kind of kinds) {
      left -= WEIGHTS[kind];
      if (left < 0) return kind;
    }
    return "crash";
  };
  const faults: Fault[] = [];
  for (let i = 0; i < options.count; i++) {
    const at = prng.between(options.from, options.to);
    // Some come together: a second fault in the midst of the first one's consequences.
    const near = faults.at(-1);
    const when = near !== undefined && prng.chance(0.4) ? near.at + prng.between(0, 6000) : at;
    faults.push({ ...drawOne(prng, drawKind(), options), at: Math.min(when, options.to) } as Fault);
  }
  return faults.sort((a, b) => a.at - b.at);
}

/**
 * Draws what befalls the databases. A lie comes true some time later: of a pair with a witness that
 * node may hold alone by then what is committed, and then only a person can go on. So a pair's disks
 * tell none here, but in stories.
 */
export function drawStoreFaults(prng: Prng, options: FaultOptions): Fault[] {
  const { nodes, witness, from, to, longest } = options;
  const drawn = Array.from({ length: prng.between(1, STORE_FAULTS_MAX) }, (): Fault => {
    const at = prng.between(from, to);
    const node = prng.between(0, nodes - 1);
    const fault = prng.pick(STORE_KINDS) ?? "damage";
    if (fault === "damage") return { at, fault, node, seal: prng.chance(0.25) };
    const ms = Math.round(longest * prng.fraction() * prng.fraction());
    if (fault === "io-error") {
      const read = prng.chance(0.3);
      return { at, fault, node, read, ms: prng.chance(0.5) ? 0 : ms };
    }
    if (fault !== "lie") return { at, fault, node, ms };
    return { at, fault, node, lie: prng.chance(0.5) ? "dropped" : "misdirected", ms };
  });
  return drawn.filter(({ fault }) => fault !== "lie" || !witness);
}

/**
 * What is committed must stay somewhere: a database is hurt only while all are whole, so that one at
 * a time recovers; and of a pair with a witness only that of a follower, for a leader may have
 * committed alone. Of a pair without one each node holds everything, but not each knows its vote.
 */
function maySpare(cluster: SimCluster, at: number, seal: boolean): boolean {
  const members = cluster.all.filter(({ spec }) => spec !== null);
  // What one alone holds is nowhere else.
  if (members.length < 2 || !members.every(({ host }) => host.store.isWhole)) return false;
  if (cluster.nodes.length > 2) return true;
  if (seal) return false;
  if (cluster.spec.witness === null) return true;
  const { role, leader } = cluster.node(at).runtime?.node.config.view() ?? {};
  const other = cluster.nodes.find((_, index) => index !== at);
  const leads = other?.runtime?.node.config.view().role === "leader";
  return role === "follower" && leader === other?.id && leads === true;
}

function drawOne(prng: Prng, fault: Kind, options: FaultOptions): Record<string, unknown> {
  const { nodes, resources, longest } = options;
  const node = prng.between(0, nodes - 1);
  // Short ones matter as much as long ones: they end in the midst of what they began.
  const ms = Math.round(longest * prng.fraction() * prng.fraction());
  switch (fault) {
    case "crash-in-step":
      return { fault, node, calls: prng.between(0, 40) };
    case "power":
      return { fault, node, ms };
    case "power-in-step":
      return { fault, node, ms, calls: prng.between(0, 40) };
    case "one-way":
      return { fault, node, to: (node + prng.between(1, Math.max(1, nodes - 1))) % nodes, ms };
    case "loss":
      return { fault, node, loss: Math.round(100 * prng.fraction()) / 100, ms };
    case "slow":
      return { fault, node, delay: Math.round(20 + 3000 * prng.fraction() ** 3), ms };
    case "exit":
      return { fault, resource: prng.between(0, resources - 1) };
    case "sick":
      return { fault, resource: prng.between(0, resources - 1), node };
    case "crash":
      return { fault, node };
    case "blackout":
      return { fault };
    default:
      return { fault, node, ms };
  }
}

/** Prints one fault for people: `at 12.3 s: isolate node=1 ms=4000`. */
export function printFault({ at, fault, ...rest }: Fault): string {
  const args = Object.entries(rest).map(([key, value]) => `${key}=${value}`).join(" ");
  return `at ${(at / 1000).toFixed(2)} s: ${fault} ${args}`.trimEnd();
}

/** What faults strike beside the cluster itself. */
export interface Struck {
  readonly resources: readonly ResourceId[];
  /** Calls back once, when the next write is acknowledged. */
  readonly onAcknowledged: (run: () => void) => void;
}

/** Makes a fault happen now. */
export function strike(cluster: SimCluster, fault: Fault, struck: Struck): void {
  const { resources, onAcknowledged } = struck;
  const { network, disks, plant } = cluster.site;
  const later = "ms" in fault ? (run: () => void) => cluster.world.after(fault.ms, run) : null;
  const host = "node" in fault ? cluster.node(fault.node).host : null;
  const others = cluster.all.map((_, at) => at);
  switch (fault.fault) {
    case "crash":
      return host?.crashDaemon();
    case "crash-in-step":
      return host?.crashDaemonAfter(fault.calls);
    case "power":
      return host?.powerCut(fault.ms);
    case "power-in-step":
      return host?.powerCutAfter(fault.calls, fault.ms);
    case "blackout":
      return onAcknowledged(() => {
        for (const node of cluster.all) node.host.powerCut();
      });
    case "pause":
      return host?.pauseDaemon(fault.ms);
    case "hang":
      return host?.hang(fault.ms);
    case "isolate":
      for (const other of others) {
        if (other === fault.node) continue;
        for (const [from, to] of [[fault.node, other], [other, fault.node]] as const) {
          network.cut({ from, to });
          later?.(() => network.mend({ from, to }));
        }
      }
      return;
    case "one-way": {
      const way = { from: fault.node, to: fault.to };
      network.cut(way);
      later?.(() => network.mend(way));
      return;
    }
    case "loss":
    case "slow":
      return degrade(cluster, fault);
    case "disk-hung":
    case "disk-failing":
      disks.setPath(fault.node, SHARED_DISK, fault.fault === "disk-hung" ? "hung" : "failing");
      later?.(() => disks.setPath(fault.node, SHARED_DISK, "ok"));
      return;
    case "damage": {
      const { seal } = fault;
      if (!maySpare(cluster, fault.node, seal)) return;
      host?.store.damage("a row fails its CRC-32", { seal });
      return host?.crashDaemon();
    }
    case "rollback": {
      const putBack = host?.store.copy();
      later?.(() => {
        if (!maySpare(cluster, fault.node, false)) return;
        // Nobody puts a database back under a daemon that lives.
        host?.crashDaemon();
        putBack?.();
      });
      return;
    }
    case "io-error":
      return failDisk(cluster, fault);
    case "lie":
      if (!maySpare(cluster, fault.node, false)) return;
      host?.store.lie(fault.lie);
      later?.(() => host?.crashDaemon());
      return;
    case "full":
      host?.store.failCommits("database or disk is full");
      later?.(() => host?.store.failCommits(null));
      return;
    case "exit":
      return plant.crashProcess(resources[fault.resource] ?? ("none:none" as ResourceId));
    case "sick":
      return plant.sicken(
        resources[fault.resource] ?? ("none:none" as ResourceId),
        fault.node,
        "drawn by the seed",
      );
  }
}

function failDisk(
  cluster: SimCluster,
  { node, read, ms }: Extract<Fault, { fault: "io-error" }>,
): void {
  if (!maySpare(cluster, node, false)) return;
  const { host } = cluster.node(node);
  if (read) {
    host.store.damage(IO_ERROR);
    return host.crashDaemon();
  }
  if (ms === 0) return host.store.failOnce();
  host.store.failCommits(IO_ERROR, "damaged");
  cluster.world.after(ms, () => host.store.failCommits(null));
}

function degrade(cluster: SimCluster, fault: Extract<Fault, { fault: "loss" | "slow" }>): void {
  const { network, world } = cluster.site;
  const { netLoss, netDelayMs } = world.options;
  const [worse, usual] = fault.fault === "loss"
    ? [{ loss: fault.loss }, { loss: netLoss }]
    : [{ delayMs: [0, fault.delay] as const }, { delayMs: netDelayMs }];
  for (const other of cluster.all.keys()) {
    if (other === fault.node) continue;
    for (const [from, to] of [[fault.node, other], [other, fault.node]] as const) {
      network.degrade({ from, to }, worse);
      world.after(fault.ms, () => network.degrade({ from, to }, usual));
    }
  }
}
