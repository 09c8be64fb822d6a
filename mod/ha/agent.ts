/**
 * This node's share of the plan: starts what it was given, stops what it was not, restarts what
 * fails, and says how it is. It decides nothing about other nodes.
 *
 * @module
 */
import { clipText } from "../base/bytes.ts";
import type { ResourceId } from "../base/id.ts";
import { type Reason, reason } from "../base/reason.ts";
import { after, earliest, EPOCH, type Instant, type Millis, NEVER } from "../base/time.ts";
import type { FailureScope, ProcessHealth } from "../host/ports.ts";
import type { HaContext } from "./context.ts";
import type { Machines } from "./machines.ts";
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
}

/** A start or a stop that ended. */
export interface Ended {
  readonly tag: number;
  readonly failure: string | null;
  readonly scope?: FailureScope;
}

interface Local {
  readonly id: ResourceId;
  /** `waiting`: down, to be started again. */
  state: "starting" | "running" | "stopping" | "waiting" | "failed" | "invalid" | "stuck";
  /** The call under way. */
  op: number | null;
  /** What it is once the stop under way has ended. */
  then: "gone" | "waiting" | "failed" | "invalid";
  tries: number;
  why: string;
  since: Instant;
  notBefore: Instant;
  monitorAt: Instant;
  monitor: number | null;
}

/** See the module's note. */
export class Agent {
  readonly #context: HaContext;
  readonly #locals = new Map<ResourceId, Local>();
  #listed = false;
  /** See {@link Permit.hold}, as it was last said. */
  #holds = false;

  constructor(context: HaContext) {
    this.#context = context;
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
    return [...this.#locals.values()].filter((local) => !isDown(local)).map(({ id }) => id);
  }

  services(): Report["services"] {
    return [...this.#locals.values()].map(({ id, state, why }) => ({
      id,
      state: state === "waiting" ? "starting" : state,
      why: clipText(why, WHY_BYTES_MAX),
    }));
  }

  stateOf(id: ResourceId): LocalState {
    const state = this.#locals.get(id)?.state ?? "stopped";
    return state === "waiting" ? "starting" : state;
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
      this.#locals.set(id, { ...this.#fresh(id), state: "running" });
      const because = reason("ha.adopted", { id, node: this.#context.name(this.#context.self) });
      this.#context.say(`${spoken(id)} adopted`, because);
    }
  }

  /** A start or a stop ended; returns why the node must be fenced for it, if it must. */
  onDone({ tag, failure, scope }: Ended, definitions: Definitions): Reason | null {
    const local = [...this.#locals.values()].find(({ op }) => op === tag);
    if (local === undefined) return null;
    local.op = null;
    if (local.state === "starting") this.#onStarted(local, { failure, scope }, definitions);
    else if (local.state === "stopping") return this.#onStopped(local, failure, definitions);
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
      this.#context.say(`${spoken(id)} does not stop`, because);
      // Of one that nobody defines nothing starts elsewhere: it may stay.
      const fences = definitions.resources.get(id)?.onStopFailure === "fence";
      return fences ? reason("ha.stop-fenced", { id, node }) : null;
    }
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
      if (this.isSteady(local.id)) local.tries = 0;
      return;
    }
    const failure = health.state === "failed" ? health : { why: "nothing of it runs any more" };
    if (this.#holds) return this.#leave(local, failure.why);
    this.#sayFailed(local.id, failure.why);
    this.#onFailure(local, failure, definitions.resources.get(local.id));
  }

  onExited(id: ResourceId, how: string, definitions: Definitions): void {
    const local = this.#locals.get(id);
    if (local === undefined || local.state !== "running" || local.op !== null) return;
    const why = `its main process ended: ${how}`;
    if (this.#holds) return this.#leave(local, why);
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
    for (const local of [...this.#locals.values()]) {
      if (local.op !== null || (permit.hold && !permit.drain)) continue;
      if (this.#keeps(local.id, permit)) {
        // It failed, and what is left of it is in the way of its next start.
        if (local.state === "stuck") this.#stop(local, local.then, permit.definitions);
        continue;
      }
      if (isDown(local)) this.#locals.delete(local.id);
      else if (permit.stop || permit.drain) this.#stop(local, "gone", permit.definitions);
    }
    if (permit.start) {
      for (const [id, entry] of permit.status.services) {
        if (entry.state !== "started" || entry.node !== this.#context.self) continue;
        const resource = permit.definitions.resources.get(id);
        if (resource !== undefined && this.#starting < permit.maxWorkers) {
          this.#startIfDown(resource, permit.machines);
        }
      }
    }
    for (const local of this.#locals.values()) this.#monitorIfDue(local, permit.definitions);
  }

  deadline(): Instant {
    return earliest(
      NEVER,
      ...[...this.#locals.values()].map((local) => {
        if (local.op !== null) return NEVER;
        if (local.state === "waiting" || local.state === "stuck") return local.notBefore;
        return local.state === "running" && local.monitor === null ? local.monitorAt : NEVER;
      }).filter((at) => at > this.#context.now),
    );
  }

  get #starting(): number {
    return [...this.#locals.values()].filter(({ state }) => state === "starting").length;
  }

  /** It is ours, or it is not ours to judge. */
  #keeps(id: ResourceId, { drain, status }: Permit): boolean {
    if (drain) return false;
    const entry = status.services.get(id);
    const ours = entry?.node === this.#context.self;
    return ours && (entry.state === "started" || entry.state === "fence");
  }

  #startIfDown(resource: Resource, machines: Machines): void {
    const { now } = this.#context;
    const local = this.#locals.get(resource.id) ?? this.#fresh(resource.id);
    const known = this.#locals.has(resource.id);
    if (known && (local.state !== "waiting" || local.op !== null || now < local.notBefore)) return;
    this.#locals.set(resource.id, local);
    local.state = "starting";
    local.op = this.#context.tag();
    const { id, startTimeoutMs: timeoutMs } = resource;
    const action = machines.complete(resource.action);
    const spec = { id, action, timeoutMs, node: this.#context.name(this.#context.self) };
    this.#context.do({ kind: "start", tag: local.op, spec });
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
    if (now < local.monitorAt) return;
    const resource = resources.get(local.id);
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

  /** It is as it is until the cluster is armed; said once. */
  #leave(local: Local, why: string): void {
    if (local.why === why) return;
    local.why = why;
    this.#sayFailed(local.id, why);
  }

  #sayFailed(id: ResourceId, why: string): void {
    const node = this.#context.name(this.#context.self);
    this.#context.say(`${spoken(id)} failed`, reason("ha.monitor-failed", { id, node, why }));
  }

  #fresh(id: ResourceId): Local {
    const { now } = this.#context;
    return {
      id,
      state: "waiting",
      op: null,
      then: "gone",
      tries: 0,
      why: "",
      since: now,
      notBefore: EPOCH,
      monitorAt: now,
      monitor: null,
    };
  }
}

/** Nothing of it runs, and nothing is under way. */
function isDown({ state }: Local): boolean {
  return state === "failed" || state === "invalid" || state === "waiting";
}
