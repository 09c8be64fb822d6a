/**
 * This node's part in live migrations of machines. Two halves: the one it leaves sends, the one it
 * comes to has a halted machine that receives. Neither decides anything: the source may send only
 * while the decision stands, the target lets nothing run before it is decided that it has it.
 *
 * @module
 */
import { parseAddress } from "../base/address.ts";
import { memberOf } from "../base/cluster.ts";
import type { NodeId, ResourceId } from "../base/id.ts";
import { reason } from "../base/reason.ts";
import { after, type Instant, type Millis, NEVER } from "../base/time.ts";
import type { StartSpec } from "./agents/kind_driver.ts";
import type { Arrival } from "./agents/migration.ts";
import type { HaContext } from "./context.ts";
import { freshLocal, type Local } from "./local.ts";
import { about, type MigrationNews, MIGRATIONS_MAX, shortened } from "./migration_wire.ts";
import { type Resource, spoken } from "./resource.ts";
import type { ServiceEntry } from "./status.ts";

/** How long a source waits for its target to be ready. */
export const ARRIVAL_MS: Millis = 30_000;
/** After so long what could not move may be asked again by a rule. */
const STAYED_MS: Millis = 10 * 60_000;
/** Machines that leave a node at a time; the others wait. */
export const SENDS_MAX = 2;

/** What a decision that concerns a migration is looked at with. */
export interface MigrationPermit {
  /** What a node said in its present life. */
  readonly news: (node: NodeId) => MigrationNews | null;
  readonly resource: Resource;
  /** What a driver needs to make the machine. */
  readonly spec: StartSpec;
  /** Something may be started here, and so many at a time. */
  readonly start: boolean;
  readonly maxWorkers: number;
}

type Told = Pick<MigrationNews, "machines" | "arrivals" | "handed" | "refused">;

/** See the module's note. */
export class Migrations {
  readonly #context: HaContext;
  readonly #locals: Map<ResourceId, Local>;
  readonly #handed = new Map<ResourceId, number>();
  readonly #refused = new Map<ResourceId, { readonly live: number; readonly why: string }>();

  /** `locals`: the agent's own. */
  constructor(context: HaContext, locals: Map<ResourceId, Local>) {
    this.#context = context;
    this.#locals = locals;
  }

  /** What the others are told. */
  told(): Told {
    const locals = [...this.#locals.values()];
    const machines = locals.filter(({ id, state }) =>
      id.startsWith("vm:") && (state === "running" || state === "moving")
    );
    const arrivals = locals.flatMap(({ id, state, passage }) =>
      state === "arrived" && passage !== null
        ? [{ id, live: passage.live, port: passage.port, build: passage.build }]
        : []
    );
    return {
      machines: machines.map(({ id, stayedAt }) => ({
        id,
        stayed: this.#context.now < after(stayedAt, STAYED_MS),
      })),
      arrivals: arrivals.slice(0, MIGRATIONS_MAX),
      handed: [...this.#handed].map(([id, live]) => ({ id, live })).slice(0, MIGRATIONS_MAX),
      refused: [...this.#refused].map(([id, each]) => ({ id, ...each })).slice(0, MIGRATIONS_MAX),
    };
  }

  /** By this decision it is not to be stopped here. */
  keeps({ state, passage }: Local, entry: ServiceEntry | undefined): boolean {
    if (entry?.live === undefined) return false;
    const { self } = this.#context;
    if (entry.state === "relocate" && entry.node === self) {
      return state === "running" || state === "moving";
    }
    if (passage?.way !== "in" || passage.live !== entry.live) return false;
    return (entry.state === "relocate" && entry.target === self) ||
      (entry.state === "started" && entry.node === self);
  }

  /** Looks once more at what is under way; `entryOf` null: everything stops here. */
  review(entryOf: ((id: ResourceId) => ServiceEntry | undefined) | null): void {
    const { self } = this.#context;
    const stands = (id: ResourceId, live: number) => {
      const entry = entryOf?.(id);
      return entry?.state === "relocate" && entry.live === live ? entry : null;
    };
    for (const [id, live] of this.#handed) if (stands(id, live) === null) this.#handed.delete(id);
    for (const [id, { live }] of this.#refused) {
      if (stands(id, live) === null) this.#refused.delete(id);
    }
    for (const local of this.#locals.values()) {
      const { id, state, passage } = local;
      if (passage?.way !== "out" || stands(id, passage.live)?.node === self) continue;
      if (state !== "moving") {
        local.passage = null;
        local.stayedAt = this.#context.now;
      } else if (!passage.calledOff) {
        passage.calledOff = true;
        this.#context.do({ kind: "call-off", id });
      }
    }
  }

  /** Does what a decision of a migration asks for here. */
  tend(
    entry: ServiceEntry & { readonly live: number },
    permit: MigrationPermit,
  ): void {
    const { self } = this.#context;
    const { resource: { id } } = permit;
    if (this.#refused.get(id)?.live === entry.live) return;
    if (entry.state === "started") {
      // It was started long ago, elsewhere.
      if (entry.node === self && permit.start) this.#resume(entry.live, permit);
    } else if (entry.state !== "relocate" || entry.target === null || entry.node === null) return;
    else if (entry.node === self) this.#send(entry.live, entry.target, permit);
    else if (entry.target === self) this.#receive(entry.live, entry.node, permit);
  }

  /** A `receive` ended. What is left of one that failed is to be stopped. */
  onReceived(local: Local, end: { readonly failure: string | null } & Partial<Arrival>): boolean {
    const { passage, id } = local;
    if (passage === null) return false;
    if (end.failure !== null) {
      this.#refuse(id, passage.live, end.failure);
      return false;
    }
    passage.port = end.port ?? 0;
    passage.build = end.build ?? 0;
    local.state = "arrived";
    return true;
  }

  /** A `hand-over` ended; true where the machine is another node's to go on with, and is stopped. */
  onSent(local: Local, failure: string | null): boolean {
    const { passage, id } = local;
    const live = passage?.live ?? 0;
    local.passage = null;
    if (failure === null) {
      this.#handed.set(id, live);
      return true;
    }
    local.state = "running";
    local.stayedAt = this.#context.now;
    local.monitorAt = this.#context.now;
    this.#refuse(id, live, failure);
    return false;
  }

  /** Memory is on its way from here. */
  get sends(): boolean {
    return this.#count("moving") > 0;
  }

  /** When a target's silence will have been too long. */
  deadline({ state, passage }: Local): Instant {
    const waits = state === "running" && passage?.way === "out";
    return waits ? after(passage.since, ARRIVAL_MS) : NEVER;
  }

  #send(live: number, target: NodeId, { news, resource: { id } }: MigrationPermit): void {
    const { now } = this.#context;
    const local = this.#locals.get(id);
    if (local === undefined || local.state !== "running" || local.op !== null) return;
    if (local.passage?.live !== live) {
      const none = { port: 0, build: 0, calledOff: false };
      local.passage = { live, way: "out", since: now, ...none };
    }
    if (this.#count("moving") >= SENDS_MAX) {
      local.passage = { ...local.passage, since: now };
      return;
    }
    const told = news(target);
    const arrival = about(told?.arrivals, { id, live });
    const host = this.#hostOf(target);
    if (told !== null && arrival !== undefined && host !== null) {
      local.state = "moving";
      local.op = this.#context.tag();
      const { port, build } = arrival;
      const to = { host, port, build, boot: told.boot };
      this.#context.do({ kind: "hand-over", tag: local.op, id, live, to });
    } else if (now >= after(local.passage.since, ARRIVAL_MS)) {
      this.#refuse(id, live, `${this.#context.name(target)} did not get ready for it`);
    }
  }

  #receive(live: number, from: NodeId, permit: MigrationPermit): void {
    const { resource: { id }, spec, start, maxWorkers } = permit;
    const { self, now, boot } = this.#context;
    // What is left here of another time has to be gone first.
    if (this.#locals.has(id) || !start || this.#count("arriving") >= maxWorkers) return;
    const host = this.#hostOf(self);
    if (host === null) return this.#refuse(id, live, "this node's own address is not known");
    const local = freshLocal(id, now);
    this.#locals.set(id, local);
    local.state = "arriving";
    local.passage = { live, way: "in", since: now, port: 0, build: 0, calledOff: false };
    local.op = this.#context.tag();
    const on = { live, from: this.#context.name(from), host, boot };
    this.#context.do({ kind: "receive", tag: local.op, spec, on });
  }

  #resume(live: number, { resource: { id }, spec }: MigrationPermit): void {
    const local = this.#locals.get(id);
    if (local?.state !== "arrived" || local.passage?.live !== live || local.op !== null) return;
    local.state = "starting";
    local.passage = null;
    local.op = this.#context.tag();
    this.#context.do({ kind: "resume", tag: local.op, spec });
  }

  #hostOf(node: NodeId): string | null {
    return parseAddress(memberOf(this.#context.spec, node)?.peer ?? "")?.hostname ?? null;
  }

  #count(phase: Local["state"]): number {
    return [...this.#locals.values()].filter(({ state }) => state === phase).length;
  }

  #refuse(id: ResourceId, live: number, why: string): void {
    if (this.#refused.get(id)?.live === live) return;
    this.#refused.set(id, { live, why: shortened(why) });
    const node = this.#context.name(this.#context.self);
    const because = reason("ha.migration-refused", { id, node, why });
    this.#context.say(`${spoken(id)} does not migrate`, because);
  }
}
