/**
 * One simulated run: a cluster under clients, orders and faults (the safety phase), then with
 * everything mended, in which it must come to rest whole (the liveness phase).
 *
 * @module
 */
import { type ResourceId, resourceId } from "../base/id.ts";
import { Prng } from "../base/prng.ts";
import { Admin, drawnResource } from "./admin.ts";
import { Checks, type Violation } from "./checks.ts";
import { Clients } from "./clients.ts";
import { Contenders } from "./contenders.ts";
import { type ClusterShape, SimCluster, type SimNode } from "./cluster.ts";
import { drawFaults, drawStoreFaults, type Fault, strike } from "./faults.ts";
import { type MemberOrder, Membership } from "./membership.ts";
import type { WorldOptions } from "./options.ts";

/** Everything that is drawn from a seed. */
export interface RunPlan {
  readonly seed: number;
  readonly shape: ClusterShape;
  readonly world: Partial<WorldOptions>;
  readonly resources: number;
  readonly clients: number;
  /** Clients that all write the same files. */
  readonly contenders: number;
  readonly safetyMs: number;
  readonly faults: readonly Fault[];
  /** Orders of an administrator: at a time, a change of what is wanted or a move. */
  readonly orders: readonly { readonly at: number; readonly order: string }[];
  /** Who comes and goes, and who is to lead. */
  readonly members: readonly MemberOrder[];
  /** Hosts beside the members that the cluster is made with. */
  readonly spares: number;
  /** Nothing fails: then nobody has a reason to stand for election. */
  readonly calm: boolean;
}

/** How a run ended. */
export interface RunResult {
  readonly violations: readonly Violation[];
  /** Hash of all that happened. */
  readonly trace: number;
  readonly simulatedMs: number;
  readonly events: number;
  readonly acknowledged: number;
  readonly starts: number;
  readonly takeovers: number;
  /** States that a node took over from another. */
  readonly snapshots: number;
  /** Databases that were lost and given back by the others. */
  readonly recoveries: number;
}

/** When faults begin: by then the cluster has formed. */
const CALM_MS = 6000;
const SAFETY_MS = [20_000, 60_000] as const;
/** How long a healed cluster may take to come to rest. */
const LIVENESS_MS = 60_000;
/** A node that stopped in order is back, and has caught up, after so long. */
const AWAY_MS = 12_000;
/** Between two looks at those who wait. */
const NUDGE_MS = 500;

/** Draws a plan from a seed. */
export function drawPlan(seed: number, shape: ClusterShape): RunPlan {
  const prng = new Prng(seed * 4 + (shape.witness ? 1 : 0) + (shape.nodes > 2 ? 2 : 0));
  const safetyMs = prng.between(...SAFETY_MS);
  const resources = prng.between(0, 3);
  const world: Partial<WorldOptions> = {
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
    ...drawLog(new Prng(seed * 4 + 3)),
  };
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
  // In a part of those whose members stay the databases suffer too.
  const suffers = spares === 0 && store.chance(0.5);
  const faults = [
    ...drawFaults(prng, ask),
    ...(suffers ? drawStoreFaults(store, ask) : []),
  ].sort((a, b) => a.at - b.at);
  const clients = prng.between(2, 30);
  const contenders = prng.chance(0.5) ? prng.between(2, 6) : 0;
  const orders = drawOrders();
  // What is left of a pair has to be elected anew, with the witness or when the other one is back.
  const isQuiet = shape.nodes > 2 || members.every(({ order }) => order !== "stop");
  const calm = members.length > 0 && isQuiet && seed % 8 === 0;
  const rest = {
    seed,
    shape,
    resources,
    clients,
    contenders,
    safetyMs,
    orders,
    members,
    spares,
    calm,
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

/** Plays a plan. */
export function play(plan: RunPlan, hear: (line: string) => void = quiet): RunResult {
  return new Run(plan, hear).play();
}

function quiet(): void {
  // Nobody wants to read the conversation.
}

class Run {
  readonly #plan: RunPlan;
  readonly #cluster: SimCluster;
  readonly #checks: Checks;
  readonly #clients: Clients;
  readonly #contenders: Contenders;
  readonly #ids: readonly ResourceId[];
  readonly #admin: Admin;
  readonly #membership: Membership;
  /** The term in which the cluster had formed. */
  #calmTerm = 0;
  /** How often a leader handed over: each may cost a term. */
  #handed = 0;
  #starts = 0;
  #takeovers = 0;
  #snapshots = 0;
  #recoveries = 0;

  constructor(plan: RunPlan, hear: (line: string) => void) {
    this.#plan = plan;
    const { seed, shape, world } = plan;
    const line = (node: SimNode, stream: string, text: string) =>
      hear(`${(this.#cluster.world.now / 1000).toFixed(3)} ${node.name} ${stream} ${text}`);
    this.#cluster = new SimCluster(seed, {
      shape,
      options: world,
      spares: plan.spares,
      events: {
        onFact: (node, fact) => {
          this.#checks.onFact(node, fact);
          this.#clients.onFact(node, fact);
          this.#contenders.onFact(node, fact);
          this.#membership.onFact(node, fact);
          if (fact.fact === "ha.takeover") this.#takeovers++;
        },
        onSaying: (node, { stream, text, routine }) => {
          if (stream === "config" && text.startsWith("snapshot=")) this.#snapshots++;
          if (stream === "config" && text === "recovered") this.#recoveries++;
          // By an order, or because its node is in maintenance.
          if (stream === "config" && text.startsWith("lead →")) this.#handed++;
          if (!routine) line(node, stream, text);
        },
        onLife: (node, what) => line(node, "host", what),
      },
    });
    this.#checks = new Checks(this.#cluster);
    this.#clients = new Clients(this.#cluster, this.#checks);
    this.#contenders = new Contenders(this.#cluster, this.#checks, plan.contenders);
    this.#admin = new Admin(this.#cluster);
    this.#membership = new Membership(this.#cluster, this.#admin);
    this.#ids = Array.from({ length: plan.resources }, (_, at) => drawnResource(at));
    this.#cluster.site.plant.onChange((id, host, runs) => {
      if (runs) this.#starts++;
      line(this.#cluster.node(host), "plant", `${id} ${runs ? "runs" : "is gone"}`);
    });
  }

  play(): RunResult {
    const { world } = this.#cluster;
    const { faults, orders, members, safetyMs, clients } = this.#plan;
    this.#cluster.bootAll();
    world.after(0, () => this.#define());
    const onAcknowledged = (run: () => void) => this.#clients.onAcknowledged(run);
    const struck = { resources: this.#ids, onAcknowledged };
    for (const fault of faults) world.at(fault.at, () => strike(this.#cluster, fault, struck));
    for (const { at, order } of orders) world.at(at, () => this.#order(order));
    for (const each of members) world.at(each.at, () => this.#membership.obey(each));
    world.at(CALM_MS, () => this.#calmTerm = this.#term());
    for (let i = 0; i < clients; i++) {
      world.at(500 + i * safetyMs / clients, () => this.#clients.begin());
    }
    this.#runUntil(safetyMs);
    this.#heal();
    const end = safetyMs + LIVENESS_MS;
    while (world.now < end && this.#unrest() !== null) this.#runUntil(world.now + NUDGE_MS);
    const unrest = this.#unrest();
    if (unrest !== null) this.#checks.fail("a healed cluster comes to rest", unrest);
    else {
      this.#clients.verify();
      this.#contenders.verify();
      this.#verifyCalm();
    }
    return {
      violations: this.#checks.violations,
      trace: world.trace,
      simulatedMs: world.now,
      events: world.events,
      acknowledged: this.#clients.acknowledged,
      starts: this.#starts,
      takeovers: this.#takeovers,
      snapshots: this.#snapshots,
      recoveries: this.#recoveries,
    };
  }

  #runUntil(time: number): void {
    const { world } = this.#cluster;
    while (world.now < time && this.#checks.violations.length === 0) {
      world.runUntil(Math.min(time, world.now + NUDGE_MS));
      this.#clients.nudge();
      this.#contenders.nudge();
      this.#membership.nudge();
    }
    if (this.#checks.violations.length > 0) return;
  }

  /** Everything is mended and turned on. */
  #heal(): void {
    const { site, all } = this.#cluster;
    this.#clients.calm();
    this.#contenders.calm();
    site.network.heal();
    site.disks.heal();
    for (const node of all) {
      if (node.spec !== null) node.host.powerOn();
      node.host.store.failCommits(null);
      for (const id of this.#ids) site.plant.sicken(id, node.host.index, null);
    }
  }

  /** What is not as it must be at the end; null where all is. */
  #unrest(): string | null {
    if (this.#checks.violations.length > 0) return null;
    const moving = this.#membership.unrest();
    if (moving !== null) return moving;
    const runtimes = this.#membership.present().map((node) => node.runtime);
    for (const [at, runtime] of runtimes.entries()) {
      const name = this.#cluster.node(at).name;
      if (runtime === null) return `${name} does not run`;
      if (runtime.board.view?.quorate !== true) return `${name} has no quorum`;
      if (runtime.board.position?.writable !== true) return `${name} cannot write`;
      if (!runtime.node.ha.view().guard.held) return `${name} holds no guard`;
    }
    const open = this.#clients.open() + this.#contenders.open();
    if (open > 0) return `${open} clients have no answer`;
    const views = runtimes.map((runtime) => runtime?.node.config.view());
    if (views.some((view) => view?.recovering !== null)) return "a replica recovers";
    if (new Set(views.map((view) => `${view?.applied} ${view?.stateCrc}`)).size !== 1) {
      return "replicas are not equal";
    }
    return this.#resourceUnrest(runtimes[0]?.node.ha.view().nodes ?? []);
  }

  #resourceUnrest(
    nodes: readonly { readonly state: string; readonly maintenance: boolean }[],
  ): string | null {
    const able = nodes.filter((node) => node.state === "online" && !node.maintenance).length;
    const ha = this.#cluster.node(0).runtime?.node.ha.view();
    for (const id of this.#ids) {
      const runs = this.#cluster.site.plant.running().get(id)?.size ?? 0;
      const shown = ha?.resources.find((each) => each.id === id);
      const wanted = shown?.wanted === "started";
      // One that failed everywhere was given up, which is an answer.
      const given = shown?.state === "error";
      if (wanted && !given && runs !== 1 && able > 0) {
        return `${id} runs on ${runs} nodes, shown ${shown?.state}: ${shown?.reason}`;
      }
      if (!wanted && runs !== 0) return `${id} runs and is not wanted`;
    }
    return null;
  }

  #term(): number {
    const terms = this.#cluster.nodes.map((node) => node.runtime?.node.config.view().term ?? 0);
    return Math.max(...terms);
  }

  /** Where nothing failed, only a leader that handed over may have caused a term. */
  #verifyCalm(): void {
    const risen = this.#term() - this.#calmTerm;
    const handed = this.#handed;
    // One that stops while another is still away may find nobody to hand over to.
    const stops = this.#plan.members.filter(({ order }) => order === "stop").map(({ at }) => at);
    const alone = stops.filter((at) => stops.some((each) => each < at && at - each < AWAY_MS));
    if (!this.#plan.calm || risen <= handed + alone.length) return;
    const what = `${risen} terms began, and ${handed} times a leader handed over`;
    this.#checks.fail("a healthy leader is not disturbed", what);
  }

  #order(order: string): void {
    const [verb, id, state] = order.split(" ");
    if (verb !== "state") return this.#admin.order(order);
    this.#admin.set(resourceId(id ?? ""), { state: state ?? "started" });
    this.#admin.apply();
  }

  #define(): void {
    for (const id of this.#ids) this.#admin.set(id, { max_restart: "2", max_relocate: "2" });
    if (this.#ids.length > 0) this.#admin.apply();
  }
}
