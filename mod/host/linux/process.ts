/**
 * The process port: each resource of kind `exec` runs in a session of its own, outlives the daemon,
 * and is killed by the keeper when the guard ends.
 *
 * @module
 */
import type { ResourceId } from "../../base/id.ts";
import type { Instant, Millis } from "../../base/time.ts";
import { boottime, SIGTERM } from "../ffi/pidfd.ts";
import type { AgentPlaces, Held, Operation, OperationResult } from "../process_port.ts";
import type { ProcessHealth, ProcessPort, ProcessSpec } from "../process_port.ts";
import { agentPlaces } from "./agent_places.ts";
import { UNDO_LIMIT_MS } from "./held.ts";
import { Holdings } from "./holdings.ts";
import type { Keeper } from "./keeper.ts";
import type { KeeperAsk } from "./keeper_wire.ts";
import { KIND_OF, runOperation } from "./operation.ts";
import { isAlive, type ProcessName, readStat } from "./proc.ts";
import { describeLeft, KILL_LIMIT_MS, pause, ProcessHunt, signal } from "./process_hunt.ts";
import { runPaths } from "./run_directory.ts";
import { boundLog, describeStatus, readRecords, runMonitor } from "./session.ts";
import { startFault, startSession, wordsOf, writeRecords } from "./session.ts";

/** How often processes that are no children of this daemon are looked at. */
const ADOPTED_LOOK_MS: Millis = 250;
/** Between two looks at processes that were asked to end. */
const STOP_LOOK_MS: Millis = 20;
/** The keeper's own kill of everything, with what it undoes, and the way there and back. */
const KEEPER_KILL_MS: Millis = KILL_LIMIT_MS + UNDO_LIMIT_MS + 2000;

interface Entry {
  readonly main: ProcessName;
  /** Started by a former life of this daemon. */
  readonly adopted: boolean;
  /** Its end is wanted, or has been told. */
  quiet: boolean;
}

/** Resources of a Linux host. See the module's note. */
export class LinuxProcessPort implements ProcessPort {
  readonly places: AgentPlaces;
  readonly #keeper: Keeper;
  readonly #hunt: ProcessHunt;
  /** Processes of monitors and of what is undone. */
  readonly #asides: Readonly<Record<"monitor" | "undo", ProcessHunt>>;
  readonly #holdings: Holdings;
  readonly #entries = new Map<ResourceId, Entry>();
  readonly #children = new Set<Deno.ChildProcess>();
  readonly #listeners: ((id: ResourceId, how: string) => void)[] = [];
  /** Calls about one resource go one by one. */
  readonly #lanes = new Map<ResourceId, Promise<void>>();
  /** So do looks, which must not wait behind a start. */
  readonly #looks = new Map<ResourceId, Promise<OperationResult>>();
  readonly #ready: Promise<void>;
  readonly #timer: ReturnType<typeof setInterval>;
  #guard: Instant | null = null;
  #kills = 0;
  #killing = 0;

  constructor(keeper: Keeper, options: { readonly ocf?: string } = {}) {
    this.#keeper = keeper;
    this.#hunt = new ProcessHunt("resource", keeper.token);
    this.#asides = {
      monitor: new ProcessHunt("monitor", keeper.token),
      undo: new ProcessHunt("undo", keeper.token),
    };
    this.#holdings = new Holdings(keeper, () => ({
      kills: this.#kills,
      killing: this.#killing > 0,
      guard: this.#guard,
    }));
    this.places = agentPlaces(this.#paths.standIns, options.ocf);
    Deno.mkdirSync(this.#paths.logs, { recursive: true, mode: 0o700 });
    this.#adopt();
    keeper.onConnect(() => this.#replay());
    this.#ready = this.#begin();
    this.#timer = setInterval(() => this.#lookAtAdopted(), ADOPTED_LOOK_MS);
  }

  start(spec: ProcessSpec, done: (failure: string | null) => void): void {
    this.#inLane(spec.id, () => this.#start(spec), done);
  }

  stop(id: ResourceId, graceMs: Millis, done: (failure: string | null) => void): void {
    this.#inLane(id, () => this.#stop(id, graceMs), done);
  }

  monitor(
    ask: {
      readonly id: ResourceId;
      readonly command: readonly string[] | null;
      readonly timeoutMs: Millis;
    },
    done: (result: ProcessHealth) => void,
  ): void {
    this.#monitor(ask).then(done);
  }

  operate(operation: Operation, done: (result: OperationResult) => void): void {
    const { id, role } = operation;
    const run = () => this.#operate(operation);
    if (role !== "look") {
      this.#ready.then(run).then(done);
      return;
    }
    const look = (this.#looks.get(id) ?? this.#ready).then(run);
    this.#looks.set(id, look);
    look.then((result) => {
      if (this.#looks.get(id) === look) this.#looks.delete(id);
      done(result);
    });
  }

  hold(held: Held, done: (failure: string | null) => void): void {
    this.#inLane(held.id, () => this.#holdings.hold(held), done);
  }

  refusal(id: ResourceId): string | null {
    return this.#holdings.refusal(id);
  }

  made(id: ResourceId): void {
    this.#holdings.made(id);
  }

  note(id: ResourceId): string | null {
    return this.#holdings.note(id);
  }

  undo(id: ResourceId, done: (failure: string | null) => void): void {
    this.#ready.then(() => this.#holdings.undo(id)).then(done);
  }

  free(id: ResourceId): void {
    this.#holdings.free(id);
  }

  killAll(done: (failure: string | null) => void): void {
    this.#killAll().then(done);
  }

  list(done: (running: readonly ResourceId[]) => void): void {
    this.#ready.then(() => {
      const found = this.#hunt.find({ environments: true }).map(({ id }) => id);
      done([...new Set([...found, ...this.#holdings.ids()])].sort());
    });
  }

  onExit(listener: (id: ResourceId, how: string) => void): void {
    this.#listeners.push(listener);
  }

  /** Called when the keeper is lost; a new one is started and told everything at once. */
  onKeeperLost(listener: (why: string) => void): void {
    this.#keeper.onLost(listener);
  }

  guardUntil(until: Instant): void {
    this.#guard = until;
    this.#keeper.tell({ verb: "guard", until, sentAt: boottime() });
  }

  /** Lets go of everything; resources go on under the keeper, whose client is not closed. */
  close(): void {
    clearInterval(this.#timer);
    for (const entry of this.#entries.values()) entry.quiet = true;
    for (const child of this.#children) child.unref();
  }

  get #paths() {
    return runPaths(this.#keeper.runDirectory);
  }

  async #begin(): Promise<void> {
    const monitors = this.#asides.monitor.killAll({}, KILL_LIMIT_MS);
    const connected = await this.#keeper.connect();
    // A keeper that was never told a guard cannot vouch for what it finds.
    const unguarded = connected === null || connected.fresh;
    if (unguarded && this.#guard === null) await this.#sweep();
    else for (const ask of this.#replay()) this.#keeper.tell(ask);
    await monitors;
  }

  #replay(): KeeperAsk[] {
    const sentAt = boottime();
    const guard: KeeperAsk[] = this.#guard === null
      ? []
      : [{ verb: "guard", until: this.#guard, sentAt }];
    const living = [...this.#entries].filter(([, { main }]) => isAlive(main));
    return [
      ...guard,
      ...this.#holdings.replay(),
      ...living.map(([id, { main }]) => ({ verb: "main" as const, id, main })),
    ];
  }

  #adopt(): void {
    for (const { id, main } of readRecords(this.#paths.records)) {
      if (!isAlive(main)) continue;
      this.#hunt.know({ ...main, id });
      this.#entries.set(id, { main, adopted: true, quiet: false });
    }
    // The former daemon may have ended between a start and its record.
    const found = this.#hunt.find({ environments: true }).sort((a, b) => a.start - b.start);
    for (const { id, pid, start } of found) {
      if (this.#entries.has(id) || readStat(pid)?.leader !== true) continue;
      this.#entries.set(id, { main: { pid, start }, adopted: true, quiet: false });
    }
  }

  #inLane(
    id: ResourceId,
    work: () => Promise<string | null>,
    done: (failure: string | null) => void,
  ): void {
    const before = this.#lanes.get(id) ?? this.#ready;
    const lane = before.then(work).catch(wordsOf).then((failure) => {
      if (this.#lanes.get(id) === lane) this.#lanes.delete(id);
      done(failure);
    });
    this.#lanes.set(id, lane);
  }

  async #operate(operation: Operation): Promise<OperationResult> {
    const { id, role } = operation;
    const kind = KIND_OF[role];
    const start = {
      refusal: () => this.refusal(id),
      forked: (main: ProcessName) => {
        this.#holdings.forked(id);
        this.#keeper.tell({ verb: "main", id, main });
      },
    };
    return await runOperation(operation, {
      token: this.#keeper.token,
      logs: this.#paths.logs,
      hunt: kind === "resource" ? this.#hunt : this.#asides[kind],
      ...(role === "start" ? start : {}),
    });
  }

  async #start(spec: ProcessSpec): Promise<string | null> {
    const { id } = spec;
    const kills = this.#kills;
    const present = this.#entries.get(id);
    if (present !== undefined && isAlive(present.main)) return null;
    const left = this.#hunt.find({ environments: true, id });
    if (left.length > 0) return `Something of "${id}" still runs: process ${left[0]?.pid}`;
    const fault = await startFault(spec);
    if (fault !== null) return fault;
    const refused = await this.#keeper.ask({ verb: "add", id });
    if (refused !== null) return `The keeper refuses: ${refused}`;
    const failure = this.#launch(spec, kills);
    if (failure !== null) this.#keeper.tell({ verb: "gone", id });
    return failure;
  }

  /** From the look at the guard to the fork nothing else can happen in this process. */
  #launch(spec: ProcessSpec, kills: number): string | null {
    const { id } = spec;
    if (kills !== this.#kills || this.#killing > 0) return "Everything is being killed";
    if (this.#guard === null || boottime() >= this.#guard) return "The guard is not held";
    const log = this.#logOf(id);
    let child: Deno.ChildProcess;
    try {
      Deno.writeTextFileSync(log, "", { mode: 0o600 });
      const { groups } = this.#hunt;
      child = startSession(spec, { token: this.#keeper.token, kind: "resource", log, groups });
    } catch (error) {
      return wordsOf(error);
    }
    const main = { pid: child.pid, start: readStat(child.pid)?.start ?? 0 };
    this.#keeper.tell({ verb: "main", id, main });
    this.#hunt.know({ ...main, id });
    const entry: Entry = { main, adopted: false, quiet: false };
    this.#entries.set(id, entry);
    this.#children.add(child);
    child.status.then((status) => {
      this.#children.delete(child);
      this.#onEnd(id, entry, describeStatus(status));
    });
    this.#record();
    return null;
  }

  async #stop(id: ResourceId, graceMs: Millis): Promise<string | null> {
    const entry = this.#entries.get(id);
    if (entry !== undefined) entry.quiet = true;
    const end = performance.now() + graceMs;
    let left: readonly ProcessName[] = this.#hunt.find({ environments: true, id });
    for (const each of left) signal(each, SIGTERM);
    for (left = left.filter(isAlive); left.length > 0; left = left.filter(isAlive)) {
      if (performance.now() >= end) break;
      await pause(STOP_LOOK_MS);
    }
    left = await this.#hunt.killAll({ id }, KILL_LIMIT_MS);
    if (left.length > 0) return describeLeft(left);
    this.#forget(id, entry);
    return null;
  }

  async #monitor(ask: Parameters<ProcessPort["monitor"]>[0]): Promise<ProcessHealth> {
    await this.#ready;
    const { id, command, timeoutMs } = ask;
    const entry = this.#entries.get(id);
    boundLog(this.#logOf(id));
    if (entry === undefined || !isAlive(entry.main)) {
      const left = this.#hunt.find({ environments: true, id });
      if (left.length === 0) return { state: "stopped" };
      return { state: "failed", why: `Its main process has ended, ${left.length} others go on` };
    }
    if (command === null) return { state: "running" };
    const spec: ProcessSpec = { id, command, environment: {}, directory: null };
    const log = this.#logOf(id);
    const token = this.#keeper.token;
    const why = await runMonitor(spec, { token, kind: "monitor", log, timeoutMs });
    if (why !== null) return { state: "failed", why };
    return isAlive(entry.main) ? { state: "running" } : { state: "stopped" };
  }

  async #killAll(): Promise<string | null> {
    this.#kills++;
    this.#killing++;
    const failure = await this.#sweep();
    this.#killing--;
    return failure;
  }

  /** By our own hand and by the keeper's: either may be slow. */
  async #sweep(): Promise<string | null> {
    const entries = [...this.#entries];
    for (const [, entry] of entries) entry.quiet = true;
    const keeper = this.#keeper.process === null
      ? Promise.resolve(null)
      : this.#keeper.ask({ verb: "kill-all" }, KEEPER_KILL_MS);
    const left = await this.#hunt.killAll({}, KILL_LIMIT_MS);
    // A later kill by the keeper must not meet what is started after this one.
    const why = await keeper;
    if (left.length > 0) {
      const living = new Set(left.map(({ id }) => id));
      if (this.#keeper.process === null) await this.#holdings.undoAll(living);
      return describeLeft(left);
    }
    for (const [id, entry] of entries) this.#forget(id, entry);
    if (this.#holdings.ids().length === 0) return null;
    if (this.#keeper.process === null) return await this.#holdings.undoAll();
    return why ?? "Something is held still";
  }

  #onEnd(id: ResourceId, entry: Entry, how: string): void {
    if (this.#entries.get(id) !== entry || entry.quiet) return;
    entry.quiet = true;
    for (const listener of this.#listeners) listener(id, how);
  }

  #lookAtAdopted(): void {
    for (const [id, entry] of this.#entries) {
      if (entry.adopted && !entry.quiet && !isAlive(entry.main)) this.#onEnd(id, entry, "ended");
    }
  }

  #forget(id: ResourceId, entry: Entry | undefined): void {
    this.#keeper.tell({ verb: "gone", id });
    if (entry === undefined || this.#entries.get(id) !== entry) return;
    this.#entries.delete(id);
    this.#record();
  }

  #record(): void {
    const records = [...this.#entries].map(([id, { main }]) => ({ id, main }));
    try {
      writeRecords(this.#paths.records, records);
    } catch {
      // The processes carry their mark: they are found without the list.
    }
  }

  #logOf(id: ResourceId): string {
    return `${this.#paths.logs}/${id}.log`;
  }
}
