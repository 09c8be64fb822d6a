/**
 * What would happen? A cluster as it is described, with the daemon's own cores, in virtual time:
 * things happen to it, and everything that its manager decides is told with the reason.
 *
 * @module
 */
import type { ClusterSpec } from "../base/cluster.ts";
import { isResourceId, type NodeId, type ResourceId } from "../base/id.ts";
import { formatReason, type Reason } from "../base/reason.ts";
import type { Millis } from "../base/time.ts";
import { timingOf } from "../base/timing.ts";
import type { ShutdownHow } from "../base/shutdown.ts";
import { Admin } from "./admin.ts";
import { Checks } from "./checks.ts";
import { SHARED_DISK, SimCluster } from "./cluster.ts";
import type { DiskPath } from "./disk.ts";
import { CALM } from "./options.ts";

/** One node; fractions. */
export interface SimulatedNode {
  readonly name: string;
  readonly load: number;
  readonly memory: number;
  readonly ioDelay: number;
}

/** What happens to it. */
export type SimulatedEvent =
  | { readonly event: "power" | "network"; readonly node: string; readonly to: "on" | "off" }
  | { readonly event: "disk"; readonly node: string; readonly to: DiskPath }
  | { readonly event: "service"; readonly id: string; readonly state: string }
  /** A resource is added, or these properties of it change; an empty value takes one away. */
  | {
    readonly event: "define";
    readonly id: string;
    readonly properties: Readonly<Record<string, string>>;
  }
  | { readonly event: "remove"; readonly id: string }
  /** The file of the rules becomes this. */
  | { readonly event: "rules"; readonly text: string }
  | { readonly event: "migrate"; readonly id: string; readonly node: string }
  | { readonly event: "maintenance"; readonly node: string; readonly to: "on" | "off" }
  | { readonly event: "shutdown"; readonly node: string; readonly how: ShutdownHow }
  | { readonly event: "confirm-dead"; readonly node: string };

/** The cluster and its story. */
export interface SimulationAsk {
  readonly seed: number;
  readonly profile: ClusterSpec["profile"];
  readonly witness: boolean;
  readonly nodes: readonly SimulatedNode[];
  /** Properties of each resource, as `ha/resources.cfg` has them. */
  readonly resources: ReadonlyMap<string, Readonly<Record<string, string>>>;
  /** Where resources are at the beginning; the others are placed. */
  readonly placed: ReadonlyMap<string, string>;
  /** Whole files. */
  readonly rules: string;
  readonly datacenter: string;
  /** With the time after the cluster has come to rest. */
  readonly events: readonly { readonly at: Millis; readonly what: SimulatedEvent }[];
  /** How long to look on after the last one. */
  readonly restMs: Millis;
}

/** Something that was decided, or that happened. */
export interface SimulatedLine {
  /** Milliseconds after the cluster had come to rest; negative before. */
  readonly at: Millis;
  readonly node: string;
  readonly text: string;
  readonly because: Reason | null;
}

/** How it went. */
export interface Simulation {
  readonly lines: readonly SimulatedLine[];
  /** Where each resource is in the end, its state, and why it is in it. */
  readonly resources: readonly {
    readonly id: string;
    readonly state: string;
    readonly node: string | null;
    readonly why: string;
    readonly runs: boolean;
    readonly wanted: boolean;
  }[];
  /** Nodes that were proven dead, in that order. */
  readonly fenced: readonly string[];
  readonly quorate: boolean;
  /** Promises of pentad that were broken: always none. */
  readonly violations: readonly string[];
}

/** Longest that a cluster may take to come to rest before the first event. */
const SETTLE_MS = 120_000;
const LOOK_MS = 500;
/** What else stands in the definition of a machine is not known here. */
const MACHINE = "memory: 512\n";

/** Plays it. */
export function simulate(ask: SimulationAsk): Simulation {
  return new Stage(ask).play();
}

class Stage {
  readonly #ask: SimulationAsk;
  readonly #cluster: SimCluster;
  readonly #checks: Checks;
  readonly #admin: Admin;
  readonly #lines: SimulatedLine[] = [];
  readonly #fenced: string[] = [];
  readonly #cut = new Set<number>();
  /** Resources that an event defines. */
  readonly #defined = new Set<string>();
  #zero: Millis = 0;

  constructor(ask: SimulationAsk) {
    this.#ask = ask;
    const { seed, witness, profile, nodes } = ask;
    this.#cluster = new SimCluster(seed, {
      shape: { nodes: nodes.length, witness, profile, names: nodes.map(({ name }) => name) },
      options: CALM,
      events: {
        onFact: (node, fact) => this.#checks.onFact(node, fact),
        onSaying: ({ name }, { stream, text, routine, because }) => {
          // What each node sees of its own is what the manager decided.
          if (stream !== "ha" || routine || text.startsWith("ha_state:")) return;
          const dead = /^node (\S+)=dead,/.exec(text);
          if (dead?.[1] !== undefined) this.#fenced.push(dead[1]);
          this.#say(name, text, because);
        },
        onLife: ({ name }, what) => this.#say(name, `host: ${what}`, null),
      },
    });
    this.#checks = new Checks(this.#cluster);
    this.#admin = new Admin(this.#cluster);
    for (const [at, { load, memory, ioDelay }] of nodes.entries()) {
      this.#cluster.node(at).host.load.set({ load, memory, ioDelay });
    }
  }

  play(): Simulation {
    const { world } = this.#cluster;
    this.#cluster.bootAll();
    this.#settle();
    this.#zero = world.now;
    const shift = ({ at, ...rest }: SimulatedLine) => ({ at: at - this.#zero, ...rest });
    const before = this.#lines.splice(0).map(shift);
    const events = [...this.#ask.events].sort((a, b) => a.at - b.at);
    for (const { at, what } of events) {
      world.runUntil(this.#zero + at);
      this.#lines.push({ at: world.now, node: "", text: `> ${told(what)}`, because: null });
      this.#happen(what);
    }
    world.runUntil(world.now + this.#ask.restMs);
    return { lines: [...before, ...this.#lines.map(shift)], ...this.#end() };
  }

  #say(node: string, text: string, because: Reason | null): void {
    this.#lines.push({ at: this.#cluster.world.now, node, text, because });
  }

  /** The files are written once somebody can; then everything is to run that can. */
  #settle(): void {
    const { world, nodes } = this.#cluster;
    const { rules, datacenter, profile } = this.#ask;
    const step = 2 * timingOf(profile).deadMs;
    const until = (isSo: () => boolean) => {
      while (world.now < SETTLE_MS && !isSo()) world.runUntil(world.now + LOOK_MS);
    };
    const ha = () => nodes.find(({ runtime }) => runtime !== null)?.runtime?.node.ha.view();
    until(() => ha()?.nodes.length === nodes.length);
    if (rules !== "") this.#write("ha/rules.cfg", rules);
    if (datacenter !== "") this.#write("datacenter.cfg", datacenter);
    const machines = [...this.#ask.resources.keys()].flatMap((id) => this.#machineOf(id) ?? []);
    const folders = new Set<string>();
    for (const { path, folder } of machines) {
      this.#admin.write(path, MACHINE);
      // Its folder is there for the others.
      if (!folders.has(folder)) world.runUntil(world.now + LOOK_MS);
      folders.add(folder);
    }
    const tree = () => nodes.find(({ runtime }) => runtime !== null)?.runtime?.node.config;
    until(() => machines.every(({ path }) => tree()?.stat(path) !== null));
    if (this.#ask.placed.size > 0) {
      // The manager leaves alone what is ignored, so that it begins where it is said to be.
      this.#define("ignored");
      this.#write("ha/manager_status", this.#status());
    }
    this.#define(null);
    const asked = [...this.#ask.resources.keys()];
    until(() => asked.every((id) => ha()?.resources.some((each) => each.id === id) === true));
    world.runUntil(world.now + step);
  }

  #write(path: string, text: string): void {
    this.#admin.write(path, text);
    this.#cluster.world.runUntil(this.#cluster.world.now + LOOK_MS);
  }

  /** A machine runs where its definition lies; null for another resource. */
  #machineOf(id: string): { readonly folder: string; readonly path: string } | null {
    const vmid = /^vm:(\d+)$/.exec(id)?.[1];
    if (vmid === undefined) return null;
    const owner = this.#ask.placed.get(id) ?? this.#ask.nodes[0]?.name ?? "";
    const folder = `nodes/${owner}/qemu-server`;
    return { folder, path: `${folder}/${vmid}.conf` };
  }

  #define(state: string | null): void {
    for (const [id, properties] of this.#ask.resources) {
      const wanted = state ?? properties.state ?? "started";
      // What a command does is not known here: it starts, and goes on.
      const known = { ...properties, command: "run", state: wanted };
      if (isResourceId(id)) this.#admin.set(id, known);
    }
    this.#admin.apply();
    this.#cluster.world.runUntil(this.#cluster.world.now + LOOK_MS);
  }

  /** The decisions with which it begins: everybody is there, and this is where. */
  #status(): string {
    const { nodes } = this.#cluster;
    const view = nodes[0]?.runtime?.node.ha.view().nodes ?? [];
    const services: Record<string, unknown> = {};
    for (const [id, name] of this.#ask.placed) {
      const node = nodes.find((each) => each.name === name)?.id;
      const asked = this.#ask.resources.get(id);
      if (node === undefined || asked === undefined || asked.state === "stopped") continue;
      services[id] = { state: "started", node, target: null, home: null, tried: [], why: null };
    }
    const entries = Object.fromEntries(view.map(({ node, ...entry }) => [node, entry]));
    return `${JSON.stringify({ form: 1, nodes: entries, services }, null, 1)}\n`;
  }

  #happen(what: SimulatedEvent): void {
    const { site } = this.#cluster;
    switch (what.event) {
      case "power": {
        const { host } = this.#node(what.node);
        return what.to === "on" ? host.powerOn() : void host.powerCut(null);
      }
      case "network":
        return this.#network(this.#index(what.node), what.to === "on");
      case "disk":
        if (this.#ask.witness) site.disks.setPath(this.#index(what.node), SHARED_DISK, what.to);
        return;
      case "service":
        if (!isResourceId(what.id)) return;
        this.#admin.set(what.id, { state: what.state });
        return this.#admin.apply();
      case "define":
        if (!isResourceId(what.id)) return;
        // What a command does is not known here, of the new one neither.
        this.#admin.set(what.id, { ...what.properties, command: "run" });
        if (!this.#ask.resources.has(what.id)) {
          const machine = this.#machineOf(what.id);
          if (machine !== null) this.#admin.write(machine.path, MACHINE);
        }
        this.#defined.add(what.id);
        return this.#admin.apply();
      case "remove":
        if (!isResourceId(what.id)) return;
        this.#admin.remove(what.id);
        return this.#admin.apply();
      case "rules":
        return this.#admin.write("ha/rules.cfg", what.text);
      case "migrate":
        return this.#admin.order(`migrate ${what.id} ${what.node}`);
      case "maintenance":
        return this.#admin.order(`maintenance ${what.node} ${what.to}`);
      case "confirm-dead":
        return this.#admin.order(`confirm-dead ${what.node}`);
      case "shutdown":
        this.#node(what.node).runtime?.request({
          request: "ha.shutdown",
          tag: "simulation",
          how: what.how,
        });
        return;
    }
  }

  #network(at: number, on: boolean): void {
    const { network } = this.#cluster.site;
    if (on) this.#cut.delete(at);
    else this.#cut.add(at);
    network.heal();
    if (this.#cut.size === 0) return;
    const rest = this.#ask.nodes.map((_, each) => each).filter((each) => !this.#cut.has(each));
    network.partition([rest, ...[...this.#cut].map((each) => [each])]);
  }

  #end(): Omit<Simulation, "lines"> {
    const { nodes, site } = this.#cluster;
    // Whoever has the votes knows; of several the one that is furthest.
    const knowing = nodes.filter(({ runtime }) => runtime?.board.view?.quorate === true);
    const view = (knowing[0] ?? nodes.find(({ runtime }) => runtime !== null))?.runtime?.node.ha
      .view();
    const running = site.plant.running();
    const nameOf = (id: NodeId | null) => nodes.find((each) => each.id === id)?.name ?? null;
    const ids = new Set([...this.#ask.resources.keys(), ...this.#defined]);
    const resources = [...ids].sort().map((id) => {
      const shown = view?.resources.find((each) => each.id === id);
      return {
        id,
        state: shown?.state ?? "unknown",
        node: nameOf(shown?.node ?? null),
        why: shown?.reason ?? "nobody knows of it",
        runs: (running.get(id as ResourceId)?.size ?? 0) > 0,
        wanted: shown?.wanted === "started",
      };
    });
    const violations = this.#checks.violations.map(({ rule, what }) => `${rule}: ${what}`);
    return { resources, fenced: this.#fenced, quorate: knowing.length > 0, violations };
  }

  #index(name: string): number {
    return this.#ask.nodes.findIndex((node) => node.name === name);
  }

  #node(name: string) {
    return this.#cluster.node(this.#index(name));
  }
}

/** One line as it is printed; seconds, who, what, and why. */
export function printLine({ at, node, text, because }: SimulatedLine): string {
  const time = (at / 1000).toFixed(1).padStart(7);
  const who = node === "" ? "" : `${node} `;
  return `${time} ${who}${text}${because === null ? "" : `  (${formatReason(because)})`}`;
}

function told(what: SimulatedEvent): string {
  const { event, ...rest } = what;
  const words = Object.values(rest).map((value) =>
    typeof value === "string"
      ? value
      : Object.entries(value).map(([key, each]) => `${key}=${each}`).join(" ")
  );
  return [event, ...words].join(" ");
}
