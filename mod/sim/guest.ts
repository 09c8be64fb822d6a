/** Monitors of simulated virtual machines: each runs while its processes do. @module */
import { decodeText, encodeText } from "../base/bytes.ts";
import type { ResourceId } from "../base/id.ts";
import type { GuestPort, TcpConnection, TcpEvents } from "../host/ports.ts";
import type { Life } from "./life.ts";
import { migrate } from "./migration.ts";
import type { HostProcesses, SimPlant } from "./plant.ts";
import type { Proc } from "./proc.ts";
import type { World } from "./world.ts";

const ANSWER_MS = 1;
const GREETING = '{"QMP":{"version":{"qemu":{"major":7,"minor":2,"micro":0}}}}';

/** What guests of one life of a daemon are made of. */
export interface GuestParts {
  readonly processes: HostProcesses;
  readonly plant: SimPlant;
  readonly life: Life;
}

/** One command, as its monitor hears it. */
interface Command {
  readonly execute: string;
  readonly id: number;
  readonly arguments?: { readonly uri?: string; readonly id?: string };
}

/** See `GuestPort`. */
export class SimGuests implements GuestPort {
  readonly #world: World;
  readonly #parts: GuestParts;

  constructor(world: World, parts: GuestParts) {
    this.#world = world;
    this.#parts = parts;
  }

  kvm(): boolean {
    return true;
  }

  processor(): string {
    return "simulated";
  }

  socketsOf(id: ResourceId): string {
    return id;
  }

  connect(path: string, events: TcpEvents): TcpConnection {
    const { life, processes } = this.#parts;
    if (!life.act()) return { write: () => {}, queued: () => 0, close: () => {} };
    const id = path.replace(/\.qmp$/, "");
    const runs = () => processes.all().find((proc) => proc.id === id);
    let open = true;
    const say = (line: string) =>
      this.#world.after(ANSWER_MS, () =>
        life.deliver(() => {
          if (open) events.onData(encodeText(`${line}\n`));
        }));
    const close = () => {
      this.#world.after(ANSWER_MS, () =>
        life.deliver(() => {
          if (open) events.onClose();
          open = false;
        }));
    };
    if (runs() === undefined) close();
    else say(GREETING);
    return {
      write: (bytes) => {
        if (!life.act()) return;
        const command = JSON.parse(decodeText(bytes) ?? "") as Command;
        const proc = runs();
        if (proc === undefined) return close();
        say(JSON.stringify({ return: this.#obey(proc, command), id: command.id }));
      },
      queued: () => 0,
      close: () => {
        open = false;
      },
    };
  }

  keepKey(): string {
    return "/run/keys";
  }

  forgetKey(): void {}

  bridgeFault(): string | null {
    return null;
  }

  attach(): string | null {
    return null;
  }

  #obey(proc: Proc, { execute, arguments: given = {} }: Command): unknown {
    const { processes, plant } = this.#parts;
    const { migration } = proc;
    switch (execute) {
      case "query-status":
        return { status: statusOf(proc) };
      case "query-migrate": {
        const { status, port } = migration;
        const place = { type: "inet", host: "sim", port: String(port) };
        return { status, ...(port > 0 && { "socket-address": [place] }) };
      }
      case "migrate-incoming":
        plant.await(proc, processes);
        return {};
      case "migrate":
        migrate(this.#world, this.#parts, proc, Number(/:(\d+)$/.exec(given.uri ?? "")?.[1]));
        return {};
      case "migrate_cancel":
        if (migration.status === "active") migration.status = "cancelled";
        return {};
      case "qom-list":
        return migration.waits ? [{ name: "arrival" }] : [];
      case "cont":
        processes.halt(proc, false);
        return {};
      case "system_powerdown":
        processes.terminate(proc);
        return {};
      case "quit":
        processes.kill(proc);
        return {};
      default:
        return {};
    }
  }
}

/** RunState of QEMU's qapi/run-state.json. */
function statusOf({ halted, migration }: Proc): string {
  if (!halted) return "running";
  if (!migration.waits) return "postmigrate";
  return migration.status === "completed" ? "paused" : "inmigrate";
}
