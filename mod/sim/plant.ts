/**
 * The physical truth about resources: which of them runs on which hosts now. A checker reads it; no
 * daemon can.
 *
 * @module
 */
import type { ResourceId } from "../base/id.ts";
import { isDeafCommand, isFailingCommand, type Proc } from "./proc.ts";
import { draw } from "./options.ts";
import type { World } from "./world.ts";

/** Where the first machine waits for memory. */
const FIRST_PORT = 40_000;

type OnChange = (id: ResourceId, host: number, runs: boolean) => void;

/** See the module's note. */
export class SimPlant {
  readonly world: World;
  readonly #running = new Map<ResourceId, Set<number>>();
  readonly #hosts = new Map<number, HostProcesses>();
  readonly #listeners: OnChange[] = [];
  /** How often each was let run, anywhere. */
  readonly #ages = new Map<ResourceId, number>();
  /** Machines that wait for memory, by port. */
  readonly #awaited = new Map<number, { readonly proc: Proc; readonly processes: HostProcesses }>();
  /** A machine is let run with memory of the past: it, or another one, ran since. */
  onPast: ((id: ResourceId, host: number) => void) | null = null;

  constructor(world: World) {
    this.world = world;
  }

  /** Hosts by resource; a resource that never ran is absent, one that runs nowhere has none. */
  running(): ReadonlyMap<ResourceId, ReadonlySet<number>> {
    return this.#running;
  }

  /** Called after each start and end. */
  onChange(listener: OnChange): void {
    this.#listeners.push(listener);
  }

  /** The resource's process ends by itself, on this host or wherever it runs. */
  crashProcess(id: ResourceId, host: number | null = null): void {
    for (const each of host === null ? [...this.#running.get(id) ?? []] : [host]) {
      this.#hosts.get(each)?.crash(id);
    }
  }

  /** Monitors fail for this reason from now on; null: they are content again. */
  sicken(id: ResourceId, host: number, why: string | null): void {
    this.#hosts.get(host)?.sicken(id, why);
  }

  /** Makes room for a host's processes. */
  addHost(host: number, name: string): HostProcesses {
    const note = (proc: Proc, runs: boolean) => this.#note(proc, host, runs);
    const processes = new HostProcesses(this.world, name, note);
    this.#hosts.set(host, processes);
    return processes;
  }

  /** A machine waits for memory; the port at which it does. */
  await(proc: Proc, processes: HostProcesses): number {
    const port = FIRST_PORT + this.#awaited.size;
    this.#awaited.set(port, { proc, processes });
    proc.migration.port = port;
    return port;
  }

  /** The machine that waits at a port, if it lives. */
  awaitedAt(port: number): Proc | null {
    const { proc, processes } = this.#awaited.get(port) ?? {};
    return proc !== undefined && processes?.get(proc.id) === proc ? proc : null;
  }

  /** Its memory arrives. What its source does with its own copy from now on makes this one old. */
  deliver(proc: Proc): void {
    proc.migration.status = "completed";
    proc.migration.age = this.#ages.get(proc.id) ?? 0;
  }

  /** It goes on with what it has sent. */
  outlive(id: ResourceId): void {
    this.#ages.set(id, (this.#ages.get(id) ?? 0) + 1);
  }

  #note(proc: Proc, host: number, runs: boolean): void {
    const { id, migration } = proc;
    if (runs) {
      if (migration.waits && migration.age !== (this.#ages.get(id) ?? 0)) this.onPast?.(id, host);
      this.outlive(id);
    }
    let hosts = this.#running.get(id);
    if (hosts === undefined) this.#running.set(id, hosts = new Set());
    if (runs) hosts.add(host);
    else hosts.delete(host);
    this.world.note(id, host, runs ? 1 : 0);
    for (const listener of this.#listeners) listener(id, host, runs);
  }
}

/** What runs on one host. It outlives daemons, but not the host's power. */
export class HostProcesses {
  readonly world: World;
  readonly #prng;
  readonly #note: (proc: Proc, runs: boolean) => void;
  readonly #procs = new Map<ResourceId, Proc>();
  readonly #refused = new Set<ResourceId>();
  /** Is told when one ends that was not told to. */
  #onExit: ((proc: Proc, how: string) => void) | null = null;

  constructor(world: World, name: string, note: (proc: Proc, runs: boolean) => void) {
    this.world = world;
    this.#prng = world.prng(`processes ${name}`);
    this.#note = note;
  }

  get(id: ResourceId): Proc | null {
    return this.#procs.get(id) ?? null;
  }

  list(): readonly ResourceId[] {
    return [...this.#procs.keys()].sort();
  }

  all(): readonly Proc[] {
    return [...this.#procs.values()];
  }

  /** The daemon of now hears of exits. */
  listen(onExit: (proc: Proc, how: string) => void): void {
    this.#onExit = onExit;
  }

  /** From now on no start of it succeeds here; or it does again. */
  refuse(id: ResourceId, refused: boolean): void {
    if (refused) this.#refused.add(id);
    else this.#refused.delete(id);
  }

  refuses(id: ResourceId): boolean {
    return this.#refused.has(id);
  }

  /** Runs it from this moment on. */
  run(id: ResourceId, command: readonly string[], life: number): void {
    const proc = this.#begin(id, life, null);
    proc.deaf = isDeafCommand(command);
    if (!isFailingCommand(command)) return;
    const delay = draw(this.#prng, this.world.options.processStartMs);
    this.world.after(delay, () => this.#end(proc, "exit status 1"));
  }

  /** It is held, and counts as running from this moment on. */
  hold(id: ResourceId, life: number, note: string): void {
    this.#begin(id, life, note);
  }

  /** Nothing of it is left. */
  free(id: ResourceId): void {
    const proc = this.#procs.get(id);
    if (proc === undefined) return;
    proc.quiet = true;
    this.#end(proc, "undone");
  }

  /** SIGTERM: most processes heed it, after a while, whether or not anybody waits for it. */
  terminate(proc: Proc): void {
    const { processStopHangs, processStopMs } = this.world.options;
    if (this.#prng.chance(processStopHangs) || proc.deaf) return;
    const delay = draw(this.#prng, processStopMs);
    this.world.after(delay, () => this.#end(proc, "SIGTERM"));
  }

  /** SIGKILL. */
  kill(proc: Proc): void {
    if (proc.killed) return;
    proc.killed = true;
    const delay = draw(this.#prng, this.world.options.processKillMs);
    this.world.after(delay, () => this.#end(proc, "SIGKILL"));
  }

  /** SIGKILL to all; `done` when all of them are gone, but never within this call. */
  killAll(done: () => void): void {
    let left = this.#procs.size + 1;
    const one = () => {
      if (--left === 0) done();
    };
    this.world.after(draw(this.#prng, this.world.options.processListMs), one);
    for (const proc of this.#procs.values()) {
      proc.onGone.push(one);
      this.kill(proc);
    }
  }

  crash(id: ResourceId): void {
    const proc = this.#procs.get(id);
    if (proc !== undefined) this.#end(proc, "SIGSEGV");
  }

  sicken(id: ResourceId, why: string | null): void {
    const proc = this.#procs.get(id);
    if (proc !== undefined) proc.sick = why;
  }

  powerOff(): void {
    this.#onExit = null;
    for (const proc of this.all()) {
      this.#procs.delete(proc.id);
      if (!proc.halted) this.#note(proc, false);
    }
  }

  /** A virtual machine executes nothing from now on, or goes on. */
  halt(proc: Proc, halted: boolean): void {
    if (this.#procs.get(proc.id) !== proc || proc.halted === halted) return;
    proc.halted = halted;
    this.#note(proc, !halted);
    if (!halted) proc.migration.waits = false;
  }

  #begin(id: ResourceId, life: number, note: string | null): Proc {
    const waits = note?.includes('"received":true') === true;
    const proc: Proc = {
      ...{
        id,
        life,
        note,
        quiet: false,
        killed: false,
        deaf: false,
        sick: null,
        onGone: [],
        halted: waits,
      },
      migration: { status: "none", port: 0, age: null, waits },
    };
    this.#procs.set(id, proc);
    if (!waits) this.#note(proc, true);
    return proc;
  }

  #end(proc: Proc, how: string): void {
    if (this.#procs.get(proc.id) !== proc) return;
    this.#procs.delete(proc.id);
    if (!proc.halted) this.#note(proc, false);
    this.#onExit?.(proc, how);
    for (const gone of proc.onGone) gone();
  }
}
