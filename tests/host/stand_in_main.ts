/**
 * What the tests start as "this very program": a keeper, or a daemon that only has processes.
 *
 * `daemon RUN GUARD_MS WATCHDOG_MS SCRIPT…`: starts one resource for each script under a guard of so
 * many ms, arms the process watchdog (0: not), says so, then obeys: `pet` pets, all else is ignored.
 *
 * @module
 */
import { resourceId } from "../../mod/base/id.ts";
import { after } from "../../mod/base/time.ts";
import { boottime } from "../../mod/host/ffi/pidfd.ts";
import { Keeper } from "../../mod/host/linux/keeper.ts";
import { keeperMain } from "../../mod/host/linux/keeper_main.ts";
import { LinuxProcessPort } from "../../mod/host/linux/process.ts";
import { ProcessWatchdogPort } from "../../mod/host/linux/watchdog_process.ts";
import type { Watchdog } from "../../mod/host/ports.ts";

async function daemon(args: readonly string[]): Promise<never> {
  const [run = "", guardMs, watchdogMs, ...scripts] = args;
  const selfCommand = [Deno.execPath(), "run", "-A", "--no-lock", import.meta.filename ?? ""];
  const keeper = new Keeper({ selfCommand, runDirectory: run });
  const port = new LinuxProcessPort(keeper);
  port.guardUntil(after(boottime(), Number(guardMs)));
  const dog = new ProcessWatchdogPort(keeper);
  const watchdog = Number(watchdogMs) === 0
    ? null
    : await new Promise<Watchdog | null>((done) => dog.open(Number(watchdogMs), done));
  for (const [at, script] of scripts.entries()) {
    const id = resourceId(`exec:r${at}`);
    const spec = { id, command: ["/bin/sh", "-c", script], environment: {}, directory: null };
    const failure = await new Promise<string | null>((done) => port.start(spec, done));
    if (failure !== null) throw new Error(failure);
  }
  Deno.stdout.writeSync(new TextEncoder().encode("started\n"));
  for await (const _ of Deno.stdin.readable) watchdog?.pet();
  // Its input has ended, it has not: a daemon that hangs.
  for (;;) await new Promise((done) => setTimeout(done, 1 << 30));
}

const [what, ...args] = Deno.args;
if (what === "keeper") Deno.exit(await keeperMain(args));
await daemon(args);
