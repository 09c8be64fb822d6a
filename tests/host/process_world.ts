/** A run directory of its own, with what tests of processes need, and the end of all of it. @module */
import assert from "node:assert/strict";
import { boottime, SIGKILL } from "../../mod/host/ffi/pidfd.ts";
import { ControlGroups } from "../../mod/host/linux/cgroup.ts";
import { Keeper } from "../../mod/host/linux/keeper.ts";
import { LinuxProcessPort } from "../../mod/host/linux/process.ts";
import { isAlive, type ProcessName, readAllStats } from "../../mod/host/linux/proc.ts";
import { readEnvironment, readStat, valueOf } from "../../mod/host/linux/proc.ts";
import { pause, signal } from "../../mod/host/linux/process_hunt.ts";
import { nodeToken } from "../../mod/host/linux/run_directory.ts";
import { ProcessWatchdogPort } from "../../mod/host/linux/watchdog_process.ts";
import type { ProcessWorld } from "../contract/process_suite.ts";

const MAIN = new URL("./stand_in_main.ts", import.meta.url).pathname;
export const SELF = [Deno.execPath(), "run", "-A", "--no-lock", MAIN];

/** A resource that does its best to stay: other sessions, and no mind for SIGTERM. */
export const STUBBORN = 'trap "" TERM; setsid sleep 1000 & sleep 1000; sleep 1000';
/** And with a child that only its control group tells: no parent, no session, no environment. */
export const UNMARKED = `(setsid env -i sleep 1000 &); ${STUBBORN}`;

/** One node's processes on this host. */
export class LinuxProcessWorld implements ProcessWorld {
  readonly folder = Deno.makeTempDirSync({ prefix: "pentad-process-" });
  readonly token = nodeToken(this.folder);
  readonly lasting = ["sleep", "1000"];
  readonly failing = ["/bin/sh", "-c", "exit 3"];
  #keeper: Keeper | null = null;
  #port: LinuxProcessPort | null = null;
  #dog: ProcessWatchdogPort | null = null;

  keeper(): Keeper {
    this.#keeper ??= new Keeper({ selfCommand: SELF, runDirectory: this.folder });
    return this.#keeper;
  }

  port(): LinuxProcessPort {
    this.#port ??= new LinuxProcessPort(this.keeper());
    return this.#port;
  }

  watchdog(): ProcessWatchdogPort {
    this.#dog ??= new ProcessWatchdogPort(this.keeper());
    return this.#dog;
  }

  crash(): Promise<void> {
    this.#port?.close();
    this.#keeper?.close();
    this.#port = null;
    this.#keeper = null;
    this.#dog = null;
    return Promise.resolve();
  }

  now() {
    return boottime();
  }

  settle<T>(answer: Promise<T>): Promise<T> {
    return answer;
  }

  /** Every living process with this node's mark, and every one in a session of such a process. */
  marked(): ProcessName[] {
    return readAllStats().filter(({ pid }) =>
      pid !== Deno.pid && valueOf(readEnvironment(pid), "PENTAD_NODE=") === this.token
    );
  }

  /** Ends all that is left of this node; fails where a resource was left by its port. */
  async close(): Promise<void> {
    if (this.#port !== null) {
      const port = this.#port;
      assert.equal(await new Promise<string | null>((done) => port.killAll(done)), null);
    }
    await this.crash();
    for (const each of this.marked()) signal(each, SIGKILL);
    while (this.marked().length > 0) await pause(10);
    ControlGroups.removeAll(this.token);
    Deno.removeSync(this.folder, { recursive: true });
  }
}

/** Resolves when the process is gone. */
export async function gone(process: ProcessName): Promise<void> {
  while (isAlive(process)) await pause(10);
}

/** Names a living process. */
export function nameOf(pid: number): ProcessName {
  const stat = readStat(pid);
  assert.ok(stat !== null, `process ${pid} lives`);
  return stat;
}

/** Resolves with the processes once there are `count` with this in their command line. */
export async function commands(text: string, count: number): Promise<ProcessName[]> {
  for (;;) {
    const found = readAllStats().filter(({ pid }) => commandLine(pid).includes(text));
    if (found.length >= count) return found;
    await pause(10);
  }
}

function commandLine(pid: number): string {
  try {
    return Deno.readTextFileSync(`/proc/${pid}/cmdline`).replaceAll("\0", " ");
  } catch {
    return "";
  }
}

/** A daemon as a process of its own. */
export class StandIn {
  readonly child: Deno.ChildProcess;
  readonly #input: WritableStreamDefaultWriter<Uint8Array<ArrayBufferLike>>;

  private constructor(child: Deno.ChildProcess) {
    this.child = child;
    this.#input = child.stdin.getWriter();
  }

  /** Starts it and resolves when its resources run. */
  static async start(
    world: LinuxProcessWorld,
    options: { guardMs: number; watchdogMs: number; scripts: readonly string[] },
  ): Promise<StandIn> {
    const [program = "", ...prefix] = SELF;
    const child = new Deno.Command(program, {
      args: [
        ...prefix,
        "daemon",
        world.folder,
        String(options.guardMs),
        String(options.watchdogMs),
        ...options.scripts,
      ],
      env: { PENTAD_NODE: world.token },
      stdin: "piped",
      stdout: "piped",
      stderr: "inherit",
    }).spawn();
    const reader = child.stdout.getReader();
    const { done } = await reader.read();
    await reader.cancel();
    assert.equal(done, false, "the daemon started its resources");
    return new StandIn(child);
  }

  async pet(): Promise<void> {
    await this.#input.write(new TextEncoder().encode("pet\n"));
  }

  async kill(): Promise<void> {
    try {
      this.child.kill("SIGKILL");
    } catch {
      // It has ended.
    }
    await this.child.status;
    await this.#input.close().catch(() => {});
  }
}
