/** Actions on resources, by their kind, and load ↔ events of stream 3. @module */
import type { ResourceId } from "../base/id.ts";
import type { AddressPort, ClockPort, GuestPort, LoadPort } from "../host/ports.ts";
import type { ProcessHealth, ProcessPort } from "../host/ports.ts";
import { unreachable } from "../base/assert.ts";
import type { Action } from "./agents/action.ts";
import { ExecDriver } from "./agents/exec_driver.ts";
import { IpDriver } from "./agents/ip_driver.ts";
import {
  CALLED_OFF,
  type Done,
  type KindDriver,
  once,
  readNote,
  type Starting,
  type StartSpec,
  undoHeld,
} from "./agents/kind_driver.ts";
import type { Arrival } from "./agents/migration.ts";
import type { Failure } from "./agents/ocf.ts";
import { OcfDriver } from "./agents/ocf_driver.ts";
import { SystemdDriver } from "./agents/systemd_driver.ts";
import { VmDriver } from "./agents/vm_driver.ts";
import type { HaEffect, HaEvent } from "./events.ts";

type Kind =
  | ("sample" | "start" | "stop" | "monitor" | "list" | "kill-all" | "guard-until")
  | ("receive" | "hand-over" | "call-off" | "resume");
export type ActionEffect = Extract<HaEffect, { readonly kind: Kind }>;
type Stop = Extract<HaEffect, { readonly kind: "stop" }>;
/** As {@link Done}, of a machine that is awaited. */
type Ending = (failure: Failure | null, arrival?: Arrival) => void;

/** What the driver works on. */
export interface ActionPorts {
  readonly process: ProcessPort;
  readonly address: AddressPort;
  readonly guest: GuestPort;
  readonly load: LoadPort;
  readonly clock: ClockPort;
  /** The secret that both ends of this migration derive from the cluster's key. */
  readonly migrationKey: (name: string) => Uint8Array;
}

/** One per node. */
export class ActionDriver {
  readonly #ports: ActionPorts;
  readonly #feed: (event: HaEvent) => void;
  readonly #ip: IpDriver;
  readonly #exec: ExecDriver;
  readonly #vm: VmDriver;
  readonly #kinds: { readonly [Kind in Action["kind"]]: KindDriver<never> };
  /** Starts and stops of one resource go one by one. */
  readonly #lanes = new Map<ResourceId, (() => void)[]>();
  /** How often everything was killed. */
  #kills = 0;

  constructor(ports: ActionPorts, feed: (event: HaEvent) => void) {
    this.#ports = ports;
    this.#feed = feed;
    this.#ip = new IpDriver(ports);
    this.#exec = new ExecDriver(ports.process);
    this.#vm = new VmDriver(ports);
    this.#kinds = {
      exec: this.#exec,
      ip: this.#ip,
      ocf: new OcfDriver(ports.process),
      systemd: new SystemdDriver(ports.process),
      vm: this.#vm,
    };
    ports.process.onExit((id, how) => feed({ kind: "exited", id, how }));
  }

  perform(effect: ActionEffect): void {
    const feed = this.#feed;
    const { process: processes, load } = this.#ports;
    switch (effect.kind) {
      case "sample":
        return load.sample((now) => feed({ kind: "sampled", ...now }));
      case "start": {
        const driver = this.#of(effect.spec.action);
        return this.#unlessKilled(effect, (spec, done) => driver.start(spec, done));
      }
      case "receive": {
        const { on } = effect;
        return this.#unlessKilled(effect, (spec, done) => this.#vm.receive(spec, on, done));
      }
      case "resume":
        return this.#unlessKilled(effect, (spec, done) => this.#vm.resume(spec, done));
      case "hand-over": {
        const { id, live, to } = effect;
        return this.#inLane(id, effect.tag, (done) => this.#vm.handOver({ id, live, to }, done));
      }
      case "call-off":
        return this.#vm.callOff(effect.id);
      case "stop":
        return this.#inLane(effect.id, effect.tag, (done) => this.#stop(effect, done));
      case "monitor": {
        const { tag } = effect;
        // What was started is watched, whatever the definition says by now.
        const action = readNote(processes.note(effect.spec.id) ?? "")?.action ?? effect.spec.action;
        const tell = (health: ProcessHealth) => feed({ kind: "monitored", tag, health });
        return this.#of(action).monitor({ ...effect.spec, action }, tell);
      }
      case "list":
        return processes.list((running) => feed({ kind: "listed", running }));
      case "kill-all": {
        this.#kills++;
        this.#ip.onKilled();
        const { tag } = effect;
        return processes.killAll((failure) => feed({ kind: "done", tag, failure }));
      }
      case "guard-until":
        return processes.guardUntil(effect.until);
      default:
        return unreachable(effect);
    }
  }

  /** A start of some kind: nothing of it is made after a kill of everything. */
  #unlessKilled(
    { spec, tag }: { readonly spec: StartSpec; readonly tag: number },
    work: (spec: Starting<never>, done: Ending) => void,
  ): void {
    const kills = this.#kills;
    const calledOff = () => kills !== this.#kills;
    this.#inLane(spec.id, tag, (done) => {
      if (calledOff()) return done(once(CALLED_OFF));
      work({ ...spec, calledOff } as unknown as Starting<never>, done);
    });
  }

  /** What was started is stopped, as it was noted then. */
  #stop({ id, graceMs }: Stop, done: Done): void {
    const { process: processes } = this.#ports;
    const note = processes.note(id);
    if (note === null) return this.#exec.stop({ id }, graceMs, done);
    const spec = readNote(note);
    const driver = spec === null ? undefined : this.#of(spec.action);
    if (spec === null || driver === undefined) return undoHeld(processes, id, done);
    driver.stop({ ...spec, id }, graceMs, done);
  }

  /** Each driver is handed actions of its own kind only. */
  #of({ kind }: Action): KindDriver {
    return this.#kinds[kind] as unknown as KindDriver;
  }

  #inLane(id: ResourceId, tag: number, work: (done: Ending) => void): void {
    let lane = this.#lanes.get(id);
    if (lane === undefined) this.#lanes.set(id, lane = []);
    const waiting = lane;
    waiting.push(() =>
      work((failed, arrival) => {
        waiting.shift();
        const next = waiting[0];
        if (next === undefined) this.#lanes.delete(id);
        else next();
        const failure = failed?.why ?? null;
        const more = { ...(failed && { scope: failed.scope }), ...(arrival && { arrival }) };
        this.#feed({ kind: "done", tag, failure, ...more });
      })
    );
    if (waiting.length === 1) waiting[0]?.();
  }
}
