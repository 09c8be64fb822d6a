/**
 * Many resources under rules: what the rules forbid must not be seen even for a moment, and a
 * manager is struck in the midst of what it does.
 *
 * @module
 */
import type { ResourceId } from "../base/id.ts";
import type { Millis } from "../base/time.ts";
import { type HaView, parseStatus, STATUS_FILE } from "../ha/mod.ts";
import type { Fact, Saying } from "../streams.ts";
import { type Admin, COMMANDS_FILE, DATACENTER_FILE, RULES_FILE } from "./admin.ts";
import type { Checks } from "./checks.ts";
import type { SimCluster, SimNode } from "./cluster.ts";
import { type CrowdRule, forbidden, type Ruled } from "./crowd_decisions.ts";
import { strike, type Struck } from "./faults.ts";

/** What the manager has just done, or learnt, when it is struck. */
export const DC_PHASES = [
  "lock",
  "down",
  "fence",
  "dead",
  "recovery",
  "takeover",
  "place",
  "relocate",
  "stop",
] as const;

/** From `at` on the first node that manages and comes to this phase is struck, `delay` later. */
export interface DcFault {
  readonly at: Millis;
  readonly phase: typeof DC_PHASES[number];
  readonly delay: Millis;
  readonly fault: "crash" | "crash-in-step" | "power" | "power-in-step" | "isolate" | "pause";
  readonly ms: Millis;
  readonly calls: number;
}

/** Between two looks at whether the rules are there. */
const LOOK_MS = 200;
/** Between two tries of ending all maintenance. */
const AGAIN_MS = 4000;

/** What a manager says when it comes to a phase. */
const SAYS: Readonly<Record<DcFault["phase"], RegExp>> = {
  lock: /^dc=/,
  down: / is DOWN$/,
  fence: /^node \S+=fence/,
  dead: /^node \S+=dead/,
  recovery: /: recovery\b/,
  takeover: /^takeover: /,
  place: /: started, node=/,
  relocate: /: relocate, node=/,
  stop: /: request_stop\b/,
};

/** What a crowd works on. */
export interface CrowdParts {
  readonly checks: Checks;
  readonly admin: Admin;
  readonly ids: readonly ResourceId[];
  readonly rules: readonly CrowdRule[];
  readonly dc: readonly DcFault[];
  readonly policy: string | null;
}

/** See the module's note. */
export class Crowd {
  /** How often a manager was struck. */
  struck = 0;
  readonly #cluster: SimCluster;
  readonly #parts: CrowdParts;
  readonly #armed: DcFault[];
  readonly #strikes: Struck;
  readonly #ruled: Ruled;
  /** Of the status that was looked at last. */
  #version = 0;

  constructor(cluster: SimCluster, parts: CrowdParts, strikes: Struck) {
    this.#cluster = cluster;
    this.#parts = parts;
    this.#armed = [...parts.dc];
    this.#strikes = strikes;
    const nodes = cluster.nodes.map(({ id }) => id);
    this.#ruled = { rules: parts.rules, ids: parts.ids, nodes };
    cluster.site.plant.onChange((id, host, runs) => runs && this.#onStart(id, host));
  }

  /** Writes the rules; `then` once they are there, so that they held from the first start on. */
  define(then: () => void): void {
    const { admin, policy } = this.#parts;
    if (policy !== null) admin.write(DATACENTER_FILE, `ha: shutdown_policy=${policy}\n`);
    if (this.#parts.rules.length === 0) return then();
    admin.write(RULES_FILE, this.#parts.rules.map(this.#print, this).join("\n"));
    this.#await(then);
  }

  /** What any node tells: each status is looked at once, whoever applies it first. */
  onFact(fact: Fact): void {
    if (fact.fact !== "config.applied") return;
    for (const { path, data, version } of fact.changes) {
      if (path !== STATUS_FILE || data === null || version <= this.#version) continue;
      this.#version = version;
      const status = parseStatus(data);
      const what = status === null ? null : forbidden(status, this.#ruled);
      if (what !== null) this.#parts.checks.fail("no decision breaks a strict rule", what);
    }
  }

  /** One that must be apart from another is sent away, and the other to where it was, by one letter. */
  chase(first: ResourceId, second: ResourceId): void {
    const { nodes } = this.#cluster;
    const [from] = this.#hosts(first);
    const [beside] = this.#hosts(second);
    const free = nodes.findIndex((_, at) => at !== from && at !== beside);
    if (from === undefined || beside === undefined || free < 0) return;
    const send = (id: ResourceId, to: number) => `migrate ${id} ${this.#cluster.node(to).name}`;
    this.#parts.admin.order(`${send(first, free)}\n${send(second, from)}`);
  }

  /** What a node says; while it manages this may be the moment. */
  onSaying(node: SimNode, { text }: Saying): void {
    const { world } = this.#cluster;
    const place = this.#armed.findIndex(({ at, phase }) =>
      at <= world.now && SAYS[phase].test(text)
    );
    if (place < 0 || node.runtime?.node.ha.view().dc !== node.id) return;
    const [found] = this.#armed.splice(place, 1);
    if (found === undefined) return;
    const { fault, ms, calls, delay } = found;
    const at = this.#cluster.all.indexOf(node);
    this.struck++;
    // Not within the call of the one that is struck.
    world.after(
      delay,
      () => strike(this.#cluster, { at: world.now, fault, node: at, ms, calls }, this.#strikes),
    );
  }

  /** Nobody is struck any more, and no node is in maintenance. */
  calm(): void {
    this.#armed.length = 0;
    if (this.#parts.rules.length > 0) this.#endMaintenance();
  }

  /** May it be left without a node at the end? Where what it depends on was given up, or is not wanted. */
  excuses(id: ResourceId, shown: HaView["resources"]): boolean {
    const stateOf = (at: number) => shown.find((each) => each.id === this.#parts.ids[at]);
    return this.#of(id).some((rule) => {
      const own = rule.resources.findIndex((at) => this.#parts.ids[at] === id);
      if (rule.rule === "together") {
        return rule.resources.some((at) => stateOf(at)?.state === "error");
      }
      const before = rule.rule === "after" && rule.strict ? rule.resources.slice(0, own) : [];
      return before.some((at) =>
        stateOf(at)?.state === "error" || stateOf(at)?.wanted !== "started"
      );
    });
  }

  /** What is not as the rules want it; null where all is. */
  unrest({ nodes, resources }: HaView): string | null {
    const { rules, ids } = this.#parts;
    const busy = rules.length > 0 && nodes.find((each) => each.maintenance);
    if (busy) return `node ${busy.node} is in maintenance`;
    for (const rule of rules) {
      if (rule.rule !== "together") continue;
      // Where one is that a person does something with, the others need not follow.
      const isOwn = (at: number) =>
        resources.find(({ id }) => id === ids[at])?.wanted !== "ignored";
      const hosts = rule.resources.filter(isOwn).flatMap((at) => [...this.#hosts(ids[at])]);
      if (new Set(hosts).size > 1) {
        return `${rule.resources.map((at) => ids[at]).join(" ")} run on hosts ${hosts.join(" ")}`;
      }
    }
    return null;
  }

  /** What a strict rule forbids is forbidden at every moment. */
  #onStart(id: ResourceId, host: number): void {
    const { checks, ids } = this.#parts;
    const name = this.#cluster.node(host).name;
    for (const rule of this.#of(id)) {
      if (rule.rule === "on" && rule.strict && !rule.nodes.includes(host)) {
        checks.fail("a strict rule holds", `${id} started on ${name}`);
      }
      if (rule.rule !== "apart") continue;
      for (const at of rule.resources) {
        if (ids[at] === id || !this.#hosts(ids[at]).has(host)) continue;
        checks.fail("a strict rule holds", `${id} started on ${name}, where ${ids[at]} runs`);
      }
    }
  }

  #of(id: ResourceId): readonly CrowdRule[] {
    const place = this.#parts.ids.indexOf(id);
    return this.#parts.rules.filter(({ resources }) => resources.includes(place));
  }

  #hosts(id: ResourceId | undefined): ReadonlySet<number> {
    return (id && this.#cluster.site.plant.running().get(id)) ?? new Set();
  }

  #await(then: () => void): void {
    const there = this.#cluster.nodes.some(({ runtime }) =>
      (runtime?.node.config.read(RULES_FILE)?.length ?? 0) > 0
    );
    if (there) then();
    else this.#cluster.world.after(LOOK_MS, () => this.#await(then));
  }

  #endMaintenance(): void {
    const { nodes, world } = this.#cluster;
    const lines = nodes.map(({ name }) => `maintenance ${name} off\n`);
    this.#parts.admin.write(COMMANDS_FILE, lines.join(""));
    world.after(AGAIN_MS, () => {
      const ha = nodes.find(({ runtime }) => runtime !== null)?.runtime?.node.ha.view();
      if (ha === undefined || ha.nodes.some((each) => each.maintenance)) this.#endMaintenance();
    });
  }

  #print(rule: CrowdRule, at: number): string {
    const resources = `\tresources ${rule.resources.map((place) => this.#parts.ids[place])}\n`;
    switch (rule.rule) {
      case "on": {
        const names = rule.nodes.map((node) => this.#cluster.node(node).name);
        const strict = rule.strict ? "\tstrict 1\n" : "";
        return `node-affinity: r${at}\n${resources}\tnodes ${names}\n${strict}`;
      }
      case "together":
        return `resource-affinity: r${at}\n${resources}\taffinity positive\n`;
      case "apart":
        return `resource-affinity: r${at}\n${resources}\taffinity negative\n`;
      case "after":
        return `ordering: r${at}\n${resources}${rule.strict ? "\tstrict 1\n" : ""}`;
    }
  }
}
