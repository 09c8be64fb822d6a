/**
 * The main function of the keeper: one small process per node, in a session of its own, that kills
 * the node's resources when their guard ends, though the daemon hangs or is dead. While it is armed
 * as the process watchdog, it kills the daemon as well when that does not pet it.
 *
 * It ends by itself when no daemon is connected, no watchdog is armed and no resource is left.
 *
 * @module
 */
import type { ResourceId } from "../../base/id.ts";
import type { Millis } from "../../base/time.ts";
import { boottime, SIGKILL } from "../ffi/pidfd.ts";
import { ControlGroups } from "./cgroup.ts";
import { HeldList, UNDO_LIMIT_MS } from "./held.ts";
import { KeeperDuty } from "./keeper_duty.ts";
import { KEEPER_ARGUMENT, KEEPER_PROTOCOL, type KeeperAsk } from "./keeper_wire.ts";
import { LineReader, parseAsk } from "./keeper_wire.ts";
import { nodeToken, runPaths } from "./run_directory.ts";
import { readAllStats, readEnvironment, readStat, valueOf } from "./proc.ts";
import { descendants, describeLeft, KILL_LIMIT_MS, signal } from "./process_hunt.ts";
import { NODE_VARIABLE, pause, ProcessHunt } from "./process_hunt.ts";

/** Timers count no suspended time, so the clock is looked at this often while a deadline is set. */
const LOOK_MS: Millis = 50;
/** A process that a SIGKILL has not ended by then hangs in the kernel (state D), or on its way out. */
const SOON_MS: Millis = 300;
/** How often a keeper without a daemon looks whether it may end. */
const IDLE_MS: Millis = 400;
/** Empty looks in a row before it ends: the daemon may have died in the midst of a start. */
const IDLE_LOOKS = 3;
/** Exit codes. */
const DONE = 0;
const NOT_ALONE = 3;
/** The log of what was killed and why is begun anew at this size. */
const LOG_BYTES_MAX = 64 * 1024;
/** Of what it keeps in the run directory. */
const PRIVATE_MODE = 0o600;
const ENCODER = new TextEncoder();

/** Runs a keeper over the run directory `args[0]`; returns the exit code. */
export async function keeperMain(args: readonly string[]): Promise<number> {
  const [folder] = args[0] === KEEPER_ARGUMENT ? args.slice(1) : args;
  if (folder === undefined) return 64;
  // Only the end of its duty ends it: a signal to the daemon's group must not.
  for (const name of ["SIGTERM", "SIGINT", "SIGHUP"] as const) Deno.addSignalListener(name, ignore);
  try {
    Deno.writeTextFileSync("/proc/self/oom_score_adj", "-1000");
  } catch {
    // Only root may.
  }
  const paths = runPaths(folder);
  const lock = Deno.openSync(paths.keeperLock, {
    ...{ create: true, read: true, write: true },
    mode: PRIVATE_MODE,
  });
  if (!lock.tryLockSync(true)) return NOT_ALONE;
  const self = `${Deno.pid} ${readStat(Deno.pid)?.start ?? 0}`;
  Deno.writeTextFileSync(paths.keeperPid, `${self}\n`, { mode: PRIVATE_MODE });
  try {
    Deno.removeSync(paths.keeperSocket);
  } catch {
    // There was none.
  }
  // Nobody else may speak to it, not even before its mode could be set.
  const umask = Deno.umask(0o777 & ~PRIVATE_MODE);
  const listener = Deno.listen({ transport: "unix", path: paths.keeperSocket });
  Deno.umask(umask);
  Deno.stdout.writeSync(ENCODER.encode("ready\n"));
  Deno.stdout.close();
  const code = await new Keeper({ folder, listener, self }).run();
  ControlGroups.removeAll(nodeToken(folder));
  // Not in order: whatever still runs here must not hold the process.
  Deno.exit(code);
}

function ignore(): void {}

/** The keeper at work. */
class Keeper {
  readonly #duty = new KeeperDuty();
  readonly #hunt: ProcessHunt;
  readonly #held: HeldList;
  readonly #token: string;
  readonly #log: string;
  readonly #self: string;
  readonly #listener: Deno.Listener<Deno.UnixConn>;
  readonly #ended = Promise.withResolvers<number>();
  /** Resources that the daemon may start at any moment. */
  readonly #pending = new Set<ResourceId>();
  /** Whoever waits for an answer to `kill-all`. */
  #waiting: ((why: string | null) => void)[] = [];
  #connection: Deno.UnixConn | null = null;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #looked = false;
  #sweeping = false;
  #biting = false;
  #idle = 0;

  constructor(options: {
    readonly folder: string;
    readonly listener: Deno.Listener<Deno.UnixConn>;
    readonly self: string;
  }) {
    this.#token = nodeToken(options.folder);
    this.#hunt = new ProcessHunt("resource", this.#token);
    this.#held = new HeldList(options.folder, this.#token);
    this.#log = runPaths(options.folder).keeperLog;
    this.#listener = options.listener;
    this.#self = options.self;
  }

  async run(): Promise<number> {
    this.#accept();
    this.#watchIdle();
    return await this.#ended.promise;
  }

  async #accept(): Promise<void> {
    for await (const connection of this.#listener) {
      // One daemon at a time; the newest is the one that lives.
      this.#hangUp(this.#connection);
      this.#connection = connection;
      this.#idle = 0;
      this.#listen(connection);
    }
  }

  async #listen(connection: Deno.UnixConn): Promise<void> {
    const reader = new LineReader();
    const chunk = new Uint8Array(4096);
    try {
      for (;;) {
        const length = await connection.read(chunk);
        const lines = length === null ? null : reader.push(chunk.subarray(0, length));
        if (lines === null) break;
        for (const line of lines) this.#obey(connection, line);
        this.#turn();
      }
    } catch {
      // A broken connection is an ended daemon.
    }
    this.#hangUp(connection);
  }

  #hangUp(connection: Deno.UnixConn | null): void {
    if (connection === null || this.#connection !== connection) return;
    this.#connection = null;
    connection.close();
    // Whatever it was about to start has been started by now or never will be.
    if (this.#pending.size > 0 && !this.#duty.held(boottime())) this.#duty.want();
    this.#pending.clear();
    this.#turn();
  }

  #obey(connection: Deno.UnixConn, line: string): void {
    const parsed = parseAsk(line);
    if (parsed === null || this.#connection !== connection) return;
    const answer = (words: string) => {
      connection.write(ENCODER.encode(`${parsed.tag} ${words}\n`)).catch(() => {});
    };
    if (parsed.ask.verb !== "kill-all") return answer(this.#answer(parsed.ask));
    this.#duty.want();
    this.#waiting.push((why) => answer(why === null ? "ok" : `no ${why}`));
  }

  #answer(ask: KeeperAsk): string {
    const duty = this.#duty;
    switch (ask.verb) {
      case "hello":
        if (ask.protocol !== KEEPER_PROTOCOL) return `no it speaks protocol ${KEEPER_PROTOCOL}`;
        return `ok ${this.#self} ${duty.told ? "told" : "fresh"}`;
      case "guard":
        duty.guard(ask.until, ask.sentAt);
        return "ok";
      case "add":
        if (this.#biting || this.#sweeping) return "no everything is being killed";
        if (!duty.held(boottime())) return "no the guard is not held";
        this.#pending.add(ask.id);
        return "ok";
      case "main":
        this.#pending.delete(ask.id);
        this.#hunt.know({ ...ask.main, id: ask.id });
        // It was started after the guard had ended.
        if (!duty.held(boottime())) duty.want();
        return "ok";
      case "made":
        this.#pending.delete(ask.id);
        if (!duty.held(boottime())) duty.want();
        return "ok";
      case "gone":
        this.#pending.delete(ask.id);
        return "ok";
      case "arm":
        duty.arm(ask.daemon, ask);
        return "ok";
      case "pet":
        duty.pet(ask.sentAt);
        return "ok";
      case "disarm":
        duty.disarm();
        return "ok";
      default:
        return "no";
    }
  }

  /** Does what is due and sets the timer for what will be. */
  #turn(): void {
    clearTimeout(this.#timer);
    const now = boottime();
    const due = this.#duty.due(now);
    if (due === null) this.#looked = false;
    else if (!this.#looked) {
      // What the daemon sent in time may lie unread in the socket: one more look after reading.
      this.#looked = true;
      this.#timer = setTimeout(() => this.#turn(), 0);
      return;
    } else if (due === "bite") this.#bite();
    else this.#sweep();
    if (this.#pending.size > 0 && !this.#duty.held(now)) this.#duty.want();
    const wait = Math.max(0, Math.min(this.#duty.deadline() - now, LOOK_MS));
    this.#timer = setTimeout(() => this.#turn(), due === null ? wait : LOOK_MS);
  }

  async #sweep(): Promise<void> {
    if (this.#sweeping || this.#biting) return;
    this.#sweeping = true;
    const { wanted } = this.#duty;
    const waiting = this.#waiting;
    this.#waiting = [];
    const before = this.#hunt.find({ environments: false });
    for (const each of before) signal(each, SIGKILL);
    let left = await this.#hunt.killAll({}, SOON_MS);
    if (left.length > 0) {
      // One that is stuck in the kernel must not keep what all others hold.
      await this.#undoBeside(new Set(left.map(({ id }) => id)));
      left = await this.#hunt.killAll({}, KILL_LIMIT_MS - SOON_MS);
    }
    const why = left.length > 0 ? describeLeft(left) : await this.#undoAll();
    this.#sweeping = false;
    if (why === null) this.#duty.killed(wanted);
    for (const done of waiting) done(why);
    if (before.length > 0) this.#write(`killed ${before.map(({ id, pid }) => `${id} (${pid})`)}`);
    if (why !== null) this.#write(why);
    this.#turn();
  }

  /** Whatever is held besides processes; null, or why it is not all undone. */
  async #undoAll(): Promise<string | null> {
    const why = await this.#undoBeside(new Set());
    // What an undo left running, or what it was kept from ending.
    const left = await this.#hunt.killAll({}, KILL_LIMIT_MS);
    return why ?? (left.length > 0 ? describeLeft(left) : null);
  }

  /** What is held by all resources but these. */
  async #undoBeside(living: ReadonlySet<ResourceId>): Promise<string | null> {
    const failures = await Promise.all(
      this.#held.ids().filter((id) => !living.has(id)).map(async (id) => {
        await this.#held.interrupt(id);
        const why = await this.#held.undo(id, UNDO_LIMIT_MS);
        this.#write(why ?? `undone: ${id}`);
        if (why !== null) return why;
        // The daemon may be about to make it at this moment: then this was too early.
        if (this.#pending.has(id)) return `"${id}" is being started`;
        this.#held.remove(id);
        return null;
      }),
    );
    return failures.find((why) => why !== null) ?? null;
  }

  /** The watchdog was not petted: resources first, then the daemon and all its helpers. */
  async #bite(): Promise<void> {
    const daemon = this.#duty.daemon;
    if (this.#biting || daemon === null) return;
    this.#biting = true;
    for (const each of this.#hunt.find({ environments: false })) signal(each, SIGKILL);
    const helpers = descendants(daemon).filter(({ pid }) => pid !== Deno.pid);
    signal(daemon, SIGKILL);
    for (const each of helpers) signal(each, SIGKILL);
    const left = await this.#hunt.killAll({}, KILL_LIMIT_MS);
    this.#killMarked();
    this.#write(`bit daemon ${daemon.pid}: it was not petted; ${left.length} processes are left`);
    this.#pending.clear();
    // What does not end is stuck in the kernel: stay and go on.
    while (await this.#undoAll() !== null) await pause(IDLE_MS);
    this.#ended.resolve(DONE);
  }

  /** Helpers whose daemon was dead already are known by the node's mark. */
  #killMarked(): void {
    for (const stat of readAllStats()) {
      if (stat.pid === Deno.pid) continue;
      const mark = valueOf(readEnvironment(stat.pid), `${NODE_VARIABLE}=`);
      if (mark === this.#token) signal(stat, SIGKILL);
    }
  }

  async #watchIdle(): Promise<void> {
    while (this.#idle < IDLE_LOOKS) {
      await pause(IDLE_MS);
      const busy = this.#connection !== null || this.#duty.daemon !== null || this.#sweeping ||
        this.#biting;
      this.#idle = busy ? 0 : this.#idle + 1;
      // Only then: it reads the environment of every process of the host.
      const empty = !busy && this.#hunt.find({ environments: true }).length === 0 &&
        this.#held.ids().length === 0;
      if (busy || empty) continue;
      this.#idle = 0;
      // Nobody answers for what runs here.
      if (!this.#duty.held(boottime())) this.#duty.want();
      this.#turn();
    }
    this.#ended.resolve(DONE);
  }

  #write(text: string): void {
    try {
      using file = Deno.openSync(this.#log, { append: true, create: true, mode: PRIVATE_MODE });
      if (file.statSync().size > LOG_BYTES_MAX) file.truncateSync(0);
      file.writeSync(ENCODER.encode(`${new Date().toISOString()} ${text}\n`));
    } catch {
      // The work is done; a full or missing run directory must not undo it.
    }
  }
}
