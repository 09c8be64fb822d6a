/**
 * Resources as a daemon of one host sees them. Calls about one resource go one by one. What a
 * daemon does by itself (a start's last step, SIGKILL after the grace) does not happen while it is
 * stopped.
 *
 * @module
 */
import type { ResourceId } from "../base/id.ts";
import type { Prng } from "../base/prng.ts";
import type { Instant, Millis } from "../base/time.ts";
import type { Held, Operation, OperationResult } from "../host/ports.ts";
import type { ProcessHealth, ProcessPort, ProcessSpec } from "../host/ports.ts";
import { answerOf } from "./agent.ts";
import type { HostClock } from "./clock.ts";
import type { HostKeeper } from "./keeper.ts";
import type { Life } from "./life.ts";
import { draw, type Range } from "./options.ts";
import type { HostProcesses } from "./plant.ts";
import { isFailingCommand, type Proc } from "./proc.ts";
import type { World } from "./world.ts";

type Done = (failure: string | null) => void;

/** What the port works on. */
export interface ProcessParts {
  readonly life: Life;
  readonly clock: HostClock;
  readonly keeper: HostKeeper;
  readonly processes: HostProcesses;
  readonly prng: Prng;
}

/** The process port of one life of a host's daemon. */
export class SimProcesses implements ProcessPort {
  readonly places = { ocf: "/usr/lib/ocf", path: "/usr/bin" };
  readonly #world: World;
  readonly #parts: ProcessParts;
  readonly #lanes = new Map<ResourceId, (() => void)[]>();
  /** How many kills there were before it was held. */
  readonly #holdings = new Map<ResourceId, number>();
  readonly #listeners: ((id: ResourceId, how: string) => void)[] = [];
  /** The guard that this life told. */
  #guard: Instant | null = null;
  #kills = 0;
  #killing = 0;

  constructor(world: World, parts: ProcessParts) {
    this.#world = world;
    this.#parts = parts;
    for (const proc of parts.processes.all()) proc.quiet = false;
    parts.processes.listen((proc, how) => this.#onGone(proc, how));
  }

  start(spec: ProcessSpec, done: Done): void {
    if (!this.#parts.life.act()) return;
    this.#inLane(spec.id, (end) => this.#start(spec, end), done);
  }

  stop(id: ResourceId, graceMs: Millis, done: Done): void {
    if (!this.#parts.life.act()) return;
    this.#inLane(id, (end) => this.#stop(id, graceMs, end), done);
  }

  monitor(
    ask: {
      readonly id: ResourceId;
      readonly command: readonly string[] | null;
      readonly timeoutMs: Millis;
    },
    done: (result: ProcessHealth) => void,
  ): void {
    if (!this.#parts.life.act()) return;
    this.#later(this.#world.options.processMonitorMs, () => {
      const proc = this.#parts.processes.get(ask.id);
      done(proc === null ? { state: "stopped" } : healthOf(proc, ask.command));
    });
  }

  operate(operation: Operation, done: (result: OperationResult) => void): void {
    const { life, processes, prng } = this.#parts;
    if (!life.act()) return;
    const { processStartMs, processMonitorMs, processStartFails } = this.#world.options;
    const { id, role } = operation;
    const refused = role === "start" ? this.refusal(id) : null;
    const fails = role === "start" && (prng.chance(processStartFails) || processes.refuses(id));
    this.#later(role === "start" ? processStartMs : processMonitorMs, () => {
      if (refused === null) return done(answerOf(operation, { proc: processes.get(id), fails }));
      done({ status: null, failure: { absent: false, why: refused }, output: "" });
    });
  }

  hold(held: Held, done: Done): void {
    if (!this.#parts.life.act()) return;
    this.#inLane(held.id, (end) => this.#hold(held, end), done);
  }

  refusal(id: ResourceId): string | null {
    const same = this.#holdings.get(id) === this.#kills;
    if (!same || this.#killing > 0) return "Everything is being killed";
    const held = this.#guard !== null && this.#parts.clock.now() < this.#guard;
    return held ? null : "The guard is not held";
  }

  made(): void {
    if (this.#parts.life.act()) this.#parts.keeper.started();
  }

  note(id: ResourceId): string | null {
    return this.#parts.processes.get(id)?.note ?? null;
  }

  undo(_id: ResourceId, done: Done): void {
    if (!this.#parts.life.act()) return;
    this.#later(this.#world.options.processListMs, () => done(null));
  }

  free(id: ResourceId): void {
    if (!this.#parts.life.act()) return;
    this.#holdings.delete(id);
    this.#parts.processes.free(id);
  }

  killAll(done: Done): void {
    const { life, keeper, processes } = this.#parts;
    if (!life.act()) return;
    this.#kills++;
    this.#killing++;
    for (const proc of processes.all()) proc.quiet = true;
    keeper.killAll(() =>
      life.deliver(() => {
        this.#killing--;
        done(null);
      })
    );
  }

  list(done: (running: readonly ResourceId[]) => void): void {
    if (!this.#parts.life.act()) return;
    this.#later(this.#world.options.processListMs, () => done(this.#parts.processes.list()));
  }

  onExit(listener: (id: ResourceId, how: string) => void): void {
    this.#listeners.push(listener);
  }

  guardUntil(until: Instant): void {
    if (!this.#parts.life.act()) return;
    this.#guard = until;
    this.#parts.keeper.tell(until);
  }

  #start(spec: ProcessSpec, end: Done): void {
    const { processes, keeper, prng } = this.#parts;
    const kills = this.#kills;
    this.#later(this.#world.options.processListMs, () => {
      if (processes.refuses(spec.id)) return end("It does not start");
      if (processes.get(spec.id) !== null) return end(null);
      if (spec.command.length === 0) return end("An empty command");
      if (!keeper.held) return end("The keeper refuses: the guard is not held");
      const fails = prng.chance(this.#world.options.processStartFails);
      if (fails) return end("It does not start");
      this.#later(this.#world.options.processStartMs, () => end(this.#launch(spec, kills)));
    });
  }

  #hold({ id, note }: Held, end: Done): void {
    const { life, keeper, processes } = this.#parts;
    const kills = this.#kills;
    this.#later(this.#world.options.processListMs, () => {
      if (processes.get(id) !== null) return end(`Something of "${id}" is held still`);
      if (!keeper.held) return end("The keeper refuses: the guard is not held");
      this.#holdings.set(id, kills);
      const why = this.refusal(id);
      if (why !== null) return end(why);
      processes.hold(id, life.number, note);
      keeper.started();
      end(null);
    });
  }

  #launch(spec: ProcessSpec, kills: number): string | null {
    const { life, clock, keeper, processes } = this.#parts;
    if (kills !== this.#kills || this.#killing > 0) return "Everything is being killed";
    if (this.#guard === null || clock.now() >= this.#guard) return "The guard is not held";
    processes.run(spec.id, spec.command, life.number);
    keeper.started();
    return null;
  }

  #stop(id: ResourceId, graceMs: Millis, end: Done): void {
    const { life, clock, processes } = this.#parts;
    const proc = processes.get(id);
    if (proc === null) return this.#later(this.#world.options.processListMs, () => end(null));
    proc.quiet = true;
    proc.onGone.push(() => life.deliver(() => end(null)));
    processes.terminate(proc);
    const grace = clock.worldSpan(graceMs);
    this.#world.after(grace, () => life.deliver(() => processes.kill(proc)));
  }

  #onGone(proc: Proc, how: string): void {
    const { life } = this.#parts;
    const { processAdoptedMs, timerLateMs } = this.#world.options;
    this.#later(proc.life === life.number ? timerLateMs : processAdoptedMs, () => {
      if (proc.quiet) return;
      proc.quiet = true;
      for (const listener of this.#listeners) listener(proc.id, how);
    });
  }

  #later(delay: Range, tell: () => void): void {
    const { life, prng } = this.#parts;
    this.#world.after(draw(prng, delay), () => life.deliver(tell));
  }

  #inLane(id: ResourceId, work: (end: Done) => void, done: Done): void {
    let lane = this.#lanes.get(id);
    if (lane === undefined) this.#lanes.set(id, lane = []);
    const waiting = lane;
    const end: Done = (failure) => {
      waiting.shift();
      if (waiting.length === 0) this.#lanes.delete(id);
      else waiting[0]?.();
      done(failure);
    };
    waiting.push(() => work(end));
    if (waiting.length === 1) waiting[0]?.();
  }
}

function healthOf(proc: Proc, command: readonly string[] | null): ProcessHealth {
  if (command === null) return { state: "running" };
  if (isFailingCommand(command)) return { state: "failed", why: "exit status 1" };
  return proc.sick === null ? { state: "running" } : { state: "failed", why: proc.sick };
}
