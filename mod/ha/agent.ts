/**
 * This node's share of the plan: starts what it was given, stops what it was not, restarts what
 * fails, and says how it is. It decides nothing about other nodes.
 *
 * @module
 */
import { clipText } from "../base/bytes.ts";
import type { NodeId, ResourceId } from "../base/id.ts";
import { type Reason, reason } from "../base/reason.ts";
import { after, earliest, type Instant, type Millis, NEVER } from "../base/time.ts";
import type { FailureScope, ProcessHealth } from "../host/ports.ts";
import type { StartSpec } from "./agents/kind_driver.ts";
import type { Arrival } from "./agents/migration.ts";
import type { HaContext } from "./context.ts";
import { freshLocal, isDown, isGuestRoom, type Local, type LocalPhase } from "./local.ts";
import type { Machines } from "./machines.ts";
import { Migrations } from "./migrations.ts";
import type { MigrationNews } from "./migration_wire.ts";
import type { Definitions, Resource } from "./resource.ts";
import { spoken } from "./resource.ts";
import type { ManagerStatus } from "./status.ts";
import type { LocalState, Report } from "./wire.ts";

/** After so long of running well, former failures are forgiven. */
export const STEADY_MS: Millis = 60_000;
/** Bytes of a failure's words in a report. */
const WHY_BYTES_MAX = 300;

/** What the agent may do now, judged by `core.ts`. */
export interface Permit {
  /** Guard held, barrier passed in this tenure, node decided online, watchdog known. */
  readonly start: boolean;
  /** The decisions that are applied here are fresh enough to stop something by. */
  readonly stop: boolean;
  /** The node stops in order: everything must go. */
  readonly drain: boolean;
  /** The cluster is disarmed: nothing is started, stopped or restarted, whatever it is found to be. */
  readonly hold: boolean;
  readonly status: ManagerStatus;
  readonly definitions: Definitions;
  readonly machines: Machines;
  /** So many may be starting at a time. */
  readonly maxWorkers: number;
  /** What a node says of live migrations, in its present life. */
  readonly news: (node: NodeId) => MigrationNews | null;
}

/** A start or a stop that ended. */
export interface Ended {
  readonly tag: number;
  readonly failure: string | null;
  readonly scope?: FailureScope;
  /** Of a `receive`: where the machine is awaited. */
  readonly arrival?: Arrival;
}

/** How a phase is told. */
const REPORTED: Readonly<Record<LocalPhase, LocalState>> = {
  starting: "starting",
  waiting: "starting",
  running: "running",
  moving: "running",
  arriving: "stopped",
  arrived: "stopped",
  stopping: "stopping",
  failed: "failed",
  invalid: "invalid",
  stuck: "stuck",
};

/** See the module's note. */
export class Agent {
  readonly #context: HaContext;
  readonly #locals = new Map<ResourceId, Local>();
  readonly #migrations: Migrations;
  #listed = false;
  /** See {@link Permit.hold}, as it was last said. */
  #holds = false;

  constructor(context: HaContext) {
    this.#context = context;
    this.#migrations = new Migrations(context, this.#locals);
  }

  /** What runs here from a former life is known. */
  get ready(): boolean {
    return this.#listed;
  }

  /** Nothing of any resource runs or may run here. */
  get empty(): boolean {
    return [...this.#locals.values()].every(isDown);
  }

  /** Ids of resources that take this node's strength. */
  busy(): ResourceId[] {
    const all = [...this.#locals.values()];
    return all.filter((local) => !isDown(local) && !isGuestRoom(local)).map(({ id }) => id);
  }

  /** Memory of a machine is on its way from here. */
  get sends(): boolean {
    return this.#migrations.sends;
  }

  /** What is to be told of live migrations. */
  migrations(): ReturnType<Migrations["told"]> {
    return this.#migrations.told();
  }

  services(): Report["services"] {
    // What only waits for another one's memory does not run here.
    const here = [...this.#locals.values()].filter((local) => !isGuestRoom(local));
    return here.map(({ id, state, why }) => ({
      id,
      state: REPORTED[state],
      why: clipText(why, WHY_BYTES_MAX),
    }));
  }

  /** It has run well for long. */
  isSteady(id: ResourceId): boolean {
    const local = this.#locals.get(id);
    return local?.state === "running" && this.#context.now - local.since >= STEADY_MS;
  }

  onListed(running: readonly ResourceId[]): void {
    this.#listed = true;
    for (const id of running) {
      if (this.#locals.has(id)) continue;
      this.#locals.set(id, { ...freshLocal(id, this.#context.now), state: "running" });
      const because = reason("ha.adopted", { id, node: this.#context.name(this.#context.self) });
      this.#context.say(`${spoken(id)} adopted`, because);
    }
  }

  /** A start or a stop ended; returns why the node must be fenced for it, if it must. */
  onDone({ tag, failure, scope, arrival }: Ended, definitions: Definitions): Reason | null {
    const local = [...this.#locals.values()].find(({ op }) => op === tag);
    if (local === undefined) return null;
    local.op = null;
    if (local.state === "starting") this.#onStarted(local, { failure, scope }, definitions);
    else if (local.state === "moving") {
      if (this.#migrations.onSent(local, failure)) this.#stop(local, "gone", definitions);
    } else if (local.state === "arriving") {
      const ready = this.#migrations.onReceived(local, { failure, ...arrival });
      if (!ready) this.#stop(local, "gone", definitions);
    } else if (local.state === "stopping") return this.#onStopped(local, failure, definitions);
    return null;
  }

  #onStarted(
    local: Local,
    { failure, scope }: { failure: string | null; scope: FailureScope | undefined },
    definitions: Definitions,
  ): void {
    const node = this.#context.name(this.#context.self);
    const { id } = local;
    if (failure === null) {
      local.state = "running";
      local.since = this.#context.now;
      local.monitorAt = this.#nextMonitor(definitions.resources.get(id));
      return this.#context.say(`${spoken(id)} started`, reason("ha.started", { id, node }));
    }
    const because = reason("ha.start-failed", { id, node, why: failure });
    this.#context.say(`${spoken(id)} did not start`, because);
    this.#onFailure(local, { why: failure, scope }, definitions.resources.get(id));
  }

  #onStopped(local: Local, failure: string | null, definitions: Definitions): Reason | null {
    const node = this.#context.name(this.#context.self);
    const { id } = local;
    if (failure !== null) {
      local.state = "stuck";
      local.why = failure;
      local.notBefore = after(this.#context.now, this.#context.timing.haRoundMs);
      const because = reason("ha.stop-failed", { id, node, why: failure });
      if (isTold(++local.stops)) this.#context.say(`${spoken(id)} does not stop`, because);
      // Of one that nobody defines nothing starts elsewhere: it may stay.
      const fences = definitions.resources.get(id)?.onStopFailure === "fence";
      return fences ? reason("ha.stop-fenced", { id, node }) : null;
    }
    local.stops = 0;
    if (local.then !== "gone") local.state = local.then;
    else {
      this.#locals.delete(id);
      this.#context.say(`${spoken(id)} stopped`, reason("ha.stopped", { id, node }));
    }
    return null;
  }

  onMonitored(tag: number, health: ProcessHealth, definitions: Definitions): void {
    const local = [...this.#locals.values()].find(({ monitor }) => monitor === tag);
    if (local === undefined) return;
    local.monitor = null;
    if (local.state !== "running" || local.op !== null) return;
    if (health.state === "running") {
      if (health.why !== undefined) local.why = health.why;
      if (this.#context.now - local.since >= STEADY_MS) local.tries = 0;
      return;
    }
    const failure = health.state === "failed" ? health : { why: "nothing of it runs any more" };
    if (this.#isLeft(local.id, definitions)) return this.#leave(local, failure.why);
    this.#sayFailed(local.id, failure.why);
    this.#onFailure(local, failure, definitions.resources.get(local.id));
  }

  onExited(id: ResourceId, how: string, definitions: Definitions): void {
    const local = this.#locals.get(id);
    if (local === undefined || local.state !== "running" || local.op !== null) return;
    const why = `its main process ended: ${how}`;
    if (this.#isLeft(id, definitions)) return this.#leave(local, why);
    this.#sayFailed(id, why);
    this.#onFailure(local, { why }, definitions.resources.get(id));
  }

  /** Everything was killed and is gone. */
  onKilled(): void {
    this.#locals.clear();
  }

  /** Starts, stops and monitors what is due. */
  tend(permit: Permit): void {
    // What failed while the cluster was disarmed is seen to at once.
    if (this.#holds && !permit.hold) this.#lookAtAll();
    this.#holds = permit.hold;
    const { services } = permit.status;
    this.#migrations.review(permit.drain ? null : (id) => services.get(id));
    for (const local of [...this.#locals.values()]) {
      if (local.op !== null || (permit.hold && !permit.drain)) continue;
      if (this.#keeps(local, permit)) {
        // It failed, and what is left of it is in the way of its next start.
        if (local.state === "stuck") this.#stop(local, local.then, permit.definitions);
        continue;
      }
      if (isDown(local)) this.#locals.delete(local.id);
      else if (permit.stop || permit.drain) this.#stop(local, "gone", permit.definitions);
    }
    if (permit.stop) this.#migrate(permit);
    if (permit.start) this.#startWhatIsDue(permit);
    for (const local of this.#locals.values()) this.#monitorIfDue(local, permit.definitions);
  }

  deadline(): Instant {
    return earliest(
      NEVER,
      ...[...this.#locals.values()].map((local) => {
        if (local.op !== null) return NEVER;
        if (local.state === "waiting" || local.state === "stuck") return local.notBefore;
        const due = local.state === "running" && local.monitor === null ? local.monitorAt : NEVER;
        return earliest(due, this.#migrations.deadline(local));
      }).filter((at) => at > this.#context.now),
    );
  }

  get #starting(): number {
    return [...this.#locals.values()].filter(({ state }) => state === "starting").length;
  }

  /** It is ours, or it is not ours to judge. */
  #keeps(local: Local, { drain, status }: Permit): boolean {
    if (drain) return false;
    const entry = status.services.get(local.id);
    const ours = entry?.node === this.#context.self;
    if (ours && entry.state === "started") {
      // A machine that waited for memory which will not be its own is in the way of a start.
      return !isGuestRoom(local) || this.#migrations.keeps(local, entry);
    }
    return (ours && entry.state === "fence") || this.#migrations.keeps(local, entry);
  }

  /** Whatever a decision of a live migration asks for here. */
  #migrate({ status, definitions, machines, start, maxWorkers, news }: Permit): void {
    for (const [id, entry] of status.services) {
      const { live } = entry;
      const resource = live === undefined ? undefined : definitions.resources.get(id);
      if (live === undefined || resource === undefined) continue;
      const spec = this.#specOf(resource, machines);
      this.#migrations.tend({ ...entry, live }, { news, resource, spec, start, maxWorkers });
    }
  }

  /** The highest priority first, for only so many may be starting at a time. */
  #startWhatIsDue({ status, definitions, machines, maxWorkers }: Permit): void {
    const due: Resource[] = [];
    for (const [id, { state, node }] of status.services) {
      if (state !== "started" || node !== this.#context.self || !this.#isDown(id)) continue;
      const resource = definitions.resources.get(id);
      if (resource !== undefined && resource.wanted !== "ignored") due.push(resource);
    }
    if (due.length === 0) return;
    due.sort((a, b) => b.priority - a.priority);
    for (const each of due.slice(0, Math.max(0, maxWorkers - this.#starting))) {
      this.#start(each, machines);
    }
  }

  /** It may be started now. */
  #isDown(id: ResourceId): boolean {
    const local = this.#locals.get(id);
    if (local === undefined) return true;
    return local.state === "waiting" && local.op === null && this.#context.now >= local.notBefore;
  }

  #start(resource: Resource, machines: Machines): void {
    const local = this.#locals.get(resource.id) ?? freshLocal(resource.id, this.#context.now);
    this.#locals.set(resource.id, local);
    local.state = "starting";
    local.op = this.#context.tag();
    this.#context.do({ kind: "start", tag: local.op, spec: this.#specOf(resource, machines) });
  }

  #specOf({ id, action, startTimeoutMs: timeoutMs }: Resource, machines: Machines): StartSpec {
    const node = this.#context.name(this.#context.self);
    return { id, action: machines.complete(action), timeoutMs, node };
  }

  #stop(local: Local, then: Local["then"], definitions: Definitions): void {
    if (local.state === "stuck" && this.#context.now < local.notBefore) return;
    local.state = "stopping";
    local.then = then;
    local.op = this.#context.tag();
    const graceMs = definitions.resources.get(local.id)?.stopTimeoutMs ?? null;
    this.#context.do({ kind: "stop", tag: local.op, id: local.id, graceMs });
  }

  /** What is left of it is cleared away; then it is started again, or given up here. */
  #onFailure(
    local: Local,
    { why, scope = "once" }: { readonly why: string; readonly scope?: FailureScope | undefined },
    resource: Resource | undefined,
  ): void {
    const { now, timing } = this.#context;
    local.tries++;
    local.why = why;
    local.notBefore = after(now, Math.min(local.tries, 8) * timing.haRoundMs);
    const max = resource?.maxRestart ?? 0;
    const again = scope === "once" && local.tries <= max;
    local.state = "stopping";
    local.then = again ? "waiting" : scope === "everywhere" ? "invalid" : "failed";
    local.op = this.#context.tag();
    const graceMs = resource?.stopTimeoutMs ?? null;
    this.#context.do({ kind: "stop", tag: local.op, id: local.id, graceMs });
    if (!again) return;
    const { id, tries } = local;
    const node = this.#context.name(this.#context.self);
    this.#context.say(`${spoken(id)} restarts`, reason("ha.restarted", { id, node, tries, max }));
  }

  #monitorIfDue(local: Local, { resources }: Definitions): void {
    const { now } = this.#context;
    if (local.state !== "running" || local.op !== null || local.monitor !== null) return;
    const resource = resources.get(local.id);
    if (now < local.monitorAt || resource?.wanted === "ignored") return;
    local.monitorAt = this.#nextMonitor(resource);
    if (resource === undefined) return;
    local.monitor = this.#context.tag();
    const { id, action, monitorTimeoutMs: timeoutMs, monitorIntervalMs: intervalMs } = resource;
    const node = this.#context.name(this.#context.self);
    const spec = { id, action, timeoutMs, intervalMs, node };
    this.#context.do({ kind: "monitor", tag: local.monitor, spec });
  }

  #nextMonitor(resource: Resource | undefined): Instant {
    return after(this.#context.now, resource?.monitorIntervalMs ?? STEADY_MS);
  }

  #lookAtAll(): void {
    for (const local of this.#locals.values()) local.monitorAt = this.#context.now;
  }

  /** Nobody wants it started again, whatever becomes of it. */
  #isLeft(id: ResourceId, { resources }: Definitions): boolean {
    return this.#holds || resources.get(id)?.wanted === "ignored";
  }

  /** It is as it is until the cluster is armed, or it is wanted; said once. */
  #leave(local: Local, why: string): void {
    if (local.why === why) return;
    local.why = why;
    this.#sayFailed(local.id, why);
  }

  #sayFailed(id: ResourceId, why: string): void {
    const node = this.#context.name(this.#context.self);
    this.#context.say(`${spoken(id)} failed`, reason("ha.monitor-failed", { id, node, why }));
  }
}

/** What fails again and again is told ever more seldom: the first, second, fourth, eighth time … */
export function isTold(failures: number): boolean {
  return Number.isInteger(Math.log2(failures));
}
