/**
 * What the tests start as "this very program": a keeper, or a daemon that only has processes.
 *
 * `daemon RUN GUARD_MS WATCHDOG_MS SCRIPT…`: starts one resource for each script under a guard of so
 * many ms, arms the process watchdog (0: not), says so, then obeys: `pet` pets, all else is ignored.
 *
 * @module
 */
import { toHex } from "../../mod/base/bytes.ts";
import { resourceId } from "../../mod/base/id.ts";
import { deriveKey } from "../../mod/base/seal.ts";
import { after } from "../../mod/base/time.ts";
import { boottime } from "../../mod/host/ffi/pidfd.ts";
import { ActionDriver } from "../../mod/ha/action_driver.ts";
import type { HaEvent } from "../../mod/ha/mod.ts";
import { AF_PACKET, RawSocket } from "../../mod/host/ffi/socket.ts";
import { linuxClock } from "../../mod/host/linux/clock.ts";
import { LinuxGuestPort } from "../../mod/host/linux/guest.ts";
import { Keeper } from "../../mod/host/linux/keeper.ts";
import { keeperMain } from "../../mod/host/linux/keeper_main.ts";
import { LinuxProcessPort } from "../../mod/host/linux/process.ts";
import { LinuxAddressPort } from "../../mod/host/linux/virtual_address.ts";
import { ProcessWatchdogPort } from "../../mod/host/linux/watchdog_process.ts";
import type { Watchdog } from "../../mod/host/ports.ts";
import { TextLineStream } from "./lines.ts";

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

async function agents(args: readonly string[]): Promise<void> {
  const [run = "", guardMs, ocf = ""] = args;
  const selfCommand = [Deno.execPath(), "run", "-A", "--no-lock", import.meta.filename ?? ""];
  const process = new LinuxProcessPort(new Keeper({ selfCommand, runDirectory: run }), { ocf });
  process.guardUntil(after(boottime(), Number(guardMs)));
  const host = { address: new LinuxAddressPort(), guest: new LinuxGuestPort(run) };
  const migrationKey = (name: string) => deriveKey(new Uint8Array(32), name);
  const ports = { process, ...host, load: NO_LOAD, clock: linuxClock(), migrationKey };
  const print = (event: HaEvent) => Deno.stdout.writeSync(line(JSON.stringify(event)));
  const driver = new ActionDriver(ports, print);
  const lines = Deno.stdin.readable.pipeThrough(new TextDecoderStream())
    .pipeThrough(new TextLineStream());
  for await (const text of lines) driver.perform(JSON.parse(text));
  Deno.exit(0);
}

async function capture(): Promise<void> {
  // ETH_P_ALL of linux/if_ether.h, in network order
  const socket = RawSocket.open(AF_PACKET, 0x0300);
  if (typeof socket === "number") throw new Error(`errno ${socket}`);
  Deno.stdout.writeSync(line("ready"));
  for (;;) {
    for (let frame = socket.receive(); frame !== null; frame = socket.receive()) {
      const type = (frame[12] ?? 0) << 8 | (frame[13] ?? 0);
      // ARP, RARP, ICMPv6
      if (type === 0x0806 || type === 0x8035 || (type === 0x86dd && frame[20] === 58)) {
        Deno.stdout.writeSync(line(toHex(frame)));
      }
    }
    await new Promise((done) => setTimeout(done, 2));
  }
}

async function serve([hostname = "", port, words = ""]: readonly string[]): Promise<void> {
  const listener = Deno.listen({ hostname, port: Number(port) });
  Deno.stdout.writeSync(line("ready"));
  for await (const connection of listener) {
    await connection.write(line(words));
    connection.close();
  }
}

function line(text: string): Uint8Array {
  return new TextEncoder().encode(`${text}\n`);
}

const NO_LOAD = {
  sample: (done: (load: { load: number; memory: number; ioDelay: number }) => void) =>
    done({ load: 0, memory: 0, ioDelay: 0 }),
};

const [what, ...args] = Deno.args;
if (what === "keeper") Deno.exit(await keeperMain(args));
if (what === "agents") await agents(args);
if (what === "capture") await capture();
if (what === "serve") await serve(args);
await daemon(args);
