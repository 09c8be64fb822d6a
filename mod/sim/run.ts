/**
 * One simulated run: a cluster under clients, orders and faults (the safety phase), then with
 * everything mended, in which it must come to rest whole (the liveness phase).
 *
 * @module
 */
import { type ResourceId, resourceId } from "../base/id.ts";
import { Admin, drawnMachine, drawnResource } from "./admin.ts";
import { Checks, type Violation } from "./checks.ts";
import { Clients } from "./clients.ts";
import { Contenders } from "./contenders.ts";
import { SimCluster, type SimNode } from "./cluster.ts";
import { Crowd } from "./crowd.ts";
import { strike, type Struck } from "./faults.ts";
import { Forced } from "./forced.ts";
import { Membership } from "./membership.ts";
import { Mounts } from "./mounts.ts";
import { CALM_MS, type RunPlan } from "./plan.ts";
import { type Recorded, Registers } from "./registers.ts";

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
  /** Sections of programs under a lock. */
  readonly sections: number;
  /** How often a manager was struck in the midst of what it did. */
  readonly struck: number;
  /** What was asked of the registers, and answered: for a checker of linearizability. */
  readonly history: readonly Recorded[];
}

/** How long a healed cluster may take to come to rest. */
const LIVENESS_MS = 60_000;
/** Clients of one that goes on alone. */
const CLIENTS_ALONE = 3;
/** Between two looks at those who wait. */
const NUDGE_MS = 500;

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
  readonly #registers: Registers;
  readonly #mounts: Mounts;
  readonly #ids: readonly ResourceId[];
  readonly #admin: Admin;
  readonly #membership: Membership;
  readonly #forced: Forced;
  readonly #crowd: Crowd;
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
      mounts: plan.scribes + plan.lockers > 0,
      events: {
        onFact: (node, fact) => {
          this.#checks.onFact(node, fact);
          this.#clients.onFact(node, fact);
          this.#contenders.onFact(node, fact);
          this.#registers.onFact(node, fact);
          this.#membership.onFact(node, fact);
          this.#forced.onFact(node, fact);
          this.#crowd.onFact(fact);
          if (fact.fact === "ha.takeover") this.#takeovers++;
        },
        onSaying: (node, saying) => {
          const { stream, text, routine } = saying;
          if (stream === "config" && text.startsWith("snapshot=")) this.#snapshots++;
          if (stream === "config" && text === "recovered") this.#recoveries++;
          // By an order, or because its node is in maintenance.
          if (stream === "config" && text.startsWith("lead →")) this.#handed++;
          if (!routine) line(node, stream, text);
          this.#crowd.onSaying(node, saying);
        },
        onLife: (node, what) => line(node, "host", what),
      },
    });
    this.#checks = new Checks(this.#cluster);
    this.#clients = new Clients(this.#cluster, this.#checks);
    this.#contenders = new Contenders(this.#cluster, this.#checks, plan.contenders);
    this.#mounts = new Mounts(this.#cluster, this.#checks, plan);
    this.#registers = new Registers(this.#cluster, plan.registers, CALM_MS);
    this.#admin = new Admin(this.#cluster);
    this.#membership = new Membership(this.#cluster, this.#admin);
    this.#forced = new Forced(this.#cluster, this.#checks, this.#admin);
    this.#forced.onDone = () => this.#goOn();
    const machines = Array.from({ length: plan.machines }, (_, at) => drawnMachine(at));
    const others = Array.from({ length: plan.resources }, (_, at) => drawnResource(at));
    this.#ids = [...others, ...machines];
    const { rules, dc, policy } = plan;
    const whole = { checks: this.#checks, admin: this.#admin, ids: this.#ids };
    const parts = { ...whole, rules, dc, policy };
    this.#crowd = new Crowd(this.#cluster, parts, this.#strikes());
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
    const struck = this.#strikes();
    for (const fault of faults) world.at(fault.at, () => strike(this.#cluster, fault, struck));
    for (const { at, order } of orders) world.at(at, () => this.#order(order));
    for (const each of members) world.at(each.at, () => this.#membership.obey(each));
    world.at(CALM_MS, () => this.#calmTerm = this.#term());
    for (let i = 0; i < clients; i++) {
      world.at(500 + i * safetyMs / clients, () => this.#clients.begin());
    }
    this.#runUntil(safetyMs);
    const { force } = this.#plan;
    if (force !== null) this.#forced.begin(this.#cluster.node(force));
    this.#heal();
    const end = safetyMs + LIVENESS_MS;
    while (world.now < end && this.#unrest() !== null) {
      this.#arm();
      this.#runUntil(world.now + NUDGE_MS);
    }
    const unrest = this.#unrest();
    if (unrest !== null) this.#checks.fail("a healed cluster comes to rest", unrest);
    else {
      this.#clients.verify(this.#present());
      if (this.#forced.survivor === null) this.#verifyWhole();
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
      sections: this.#mounts.sections,
      struck: this.#crowd.struck,
      history: this.#forced.survivor === null ? this.#registers.history : [],
    };
  }

  #strikes(): Struck {
    const onAcknowledged = (run: () => void) => this.#clients.onAcknowledged(run);
    return { resources: this.#ids, onAcknowledged };
  }

  #runUntil(time: number): void {
    const { world } = this.#cluster;
    while (world.now < time && this.#checks.violations.length === 0) {
      world.runUntil(Math.min(time, world.now + NUDGE_MS));
      this.#clients.nudge();
      this.#contenders.nudge();
      this.#registers.nudge();
      this.#mounts.nudge();
      this.#membership.nudge();
      this.#forced.nudge();
    }
    if (this.#checks.violations.length > 0) return;
  }

  /** Everything is mended and turned on. */
  #heal(): void {
    const { site, all } = this.#cluster;
    this.#clients.calm();
    this.#contenders.calm();
    this.#registers.calm();
    this.#mounts.calm();
    this.#crowd.calm();
    site.network.heal();
    site.disks.heal();
    for (const node of all) {
      if (node.spec !== null) node.host.powerOn();
      node.host.store.failCommits(null);
      for (const id of this.#ids) site.plant.sicken(id, node.host.index, null);
    }
  }

  /** Nobody leaves a cluster disarmed that is to come to rest. */
  #arm(): void {
    const modes = this.#present().map(({ runtime }) => runtime?.node.ha.view().mode);
    if (modes.includes("disarmed")) this.#admin.order("arm");
  }

  /** What is not as it must be at the end; null where all is. */
  #unrest(): string | null {
    if (this.#checks.violations.length > 0) return null;
    const moving = this.#membership.unrest() ?? this.#forced.unrest();
    if (moving !== null) return moving;
    const runtimes = this.#present().map(({ runtime }) => runtime);
    for (const { name, runtime } of this.#present()) {
      if (runtime === null) return `${name} does not run`;
      if (runtime.board.view?.quorate !== true) return `${name} has no quorum`;
      if (runtime.board.position?.writable !== true) return `${name} cannot write`;
      if (!runtime.node.ha.view().guard.held) return `${name} holds no guard`;
    }
    const open = this.#clients.open() + this.#contenders.open() + this.#registers.open();
    // Whoever asked a host that is lost for good is told nothing any more.
    if (open > 0 && this.#forced.survivor === null) return `${open} clients have no answer`;
    if (this.#mounts.open() > 0) return `${this.#mounts.open()} programs have no answer`;
    const views = runtimes.map((runtime) => runtime?.node.config.view());
    if (views.some((view) => view?.recovering !== null)) return "a replica recovers";
    if (new Set(views.map((view) => `${view?.applied} ${view?.stateCrc}`)).size !== 1) {
      return "replicas are not equal";
    }
    return this.#resourceUnrest();
  }

  #resourceUnrest(): string | null {
    const ha = this.#present()[0]?.runtime?.node.ha.view();
    const nodes = ha?.nodes ?? [];
    const able = nodes.filter((node) => node.state === "online" && !node.maintenance).length;
    for (const id of this.#ids) {
      const runs = this.#cluster.site.plant.running().get(id)?.size ?? 0;
      const shown = ha?.resources.find((each) => each.id === id);
      // Nobody knows what a person does with it.
      if (shown?.wanted === "ignored") continue;
      const wanted = shown?.wanted === "started";
      // One that failed everywhere was given up, which is an answer.
      const given = shown?.state === "error" || this.#crowd.excuses(id, ha?.resources ?? []);
      if (wanted && !given && runs !== 1 && able > 0) {
        return `${id} runs on ${runs} nodes, shown ${shown?.state}: ${shown?.reason}`;
      }
      if (!wanted && runs !== 0) return `${id} runs and is not wanted`;
    }
    return ha === undefined ? null : this.#crowd.unrest(ha);
  }

  /** Who takes part at the end. */
  #present(): readonly SimNode[] {
    const { survivor } = this.#forced;
    return survivor === null ? this.#membership.present() : [survivor];
  }

  /** One goes on alone: what is acknowledged from now on must stay as ever. */
  #goOn(): void {
    const { survivor } = this.#forced;
    if (survivor !== null) this.#clients.forgive(survivor);
    for (let more = 0; more < CLIENTS_ALONE; more++) this.#clients.begin();
  }

  #verifyWhole(): void {
    this.#contenders.verify();
    this.#mounts.verify();
    this.#verifyCalm();
  }

  #term(): number {
    const terms = this.#cluster.nodes.map((node) => node.runtime?.node.config.view().term ?? 0);
    return Math.max(...terms);
  }

  /** Where nothing failed, only a leader that handed over may have caused a term. */
  #verifyCalm(): void {
    const risen = this.#term() - this.#calmTerm;
    const handed = this.#handed;
    const { stranded } = this.#membership;
    if (!this.#plan.calm || risen <= handed + stranded) return;
    const what =
      `${risen} terms began, ${handed} times a leader handed over, ${stranded} times it could not`;
    this.#checks.fail("a healthy leader is not disturbed", what);
  }

  #order(order: string): void {
    const [verb, id, state] = order.split(" ");
    if (verb === "remove") this.#admin.remove(resourceId(id ?? ""));
    else if (verb === "chase") {
      return this.#crowd.chase(resourceId(id ?? ""), resourceId(state ?? ""));
    } else if (verb !== "state") return this.#admin.order(order);
    else this.#set(resourceId(id ?? ""), state ?? "started");
    this.#admin.apply();
  }

  #set(id: ResourceId, state: string): void {
    this.#admin.set(id, { ...this.#plan.properties[this.#ids.indexOf(id)], state });
  }

  #define(): void {
    for (const [at, id] of this.#ids.entries()) {
      this.#set(id, "started");
      const [kind, number] = id.split(":");
      const { name } = this.#cluster.node(at % this.#plan.shape.nodes);
      const path = `nodes/${name}/qemu-server/${number}.conf`;
      if (kind === "vm") this.#admin.write(path, "memory: 64\n");
    }
    if (this.#ids.length > 0) this.#crowd.define(() => this.#admin.apply());
  }
}
