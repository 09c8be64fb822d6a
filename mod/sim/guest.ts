/** Monitors of simulated virtual machines: each runs while its processes do. @module */
import { decodeText, encodeText } from "../base/bytes.ts";
import type { ResourceId } from "../base/id.ts";
import type { GuestPort, TcpConnection, TcpEvents } from "../host/ports.ts";
import type { Life } from "./life.ts";
import type { HostProcesses } from "./plant.ts";
import type { World } from "./world.ts";

const ANSWER_MS = 1;
const GREETING = '{"QMP":{"version":{"qemu":{"major":7,"minor":2,"micro":0}}}}';

/** See `GuestPort`. */
export class SimGuests implements GuestPort {
  readonly #world: World;
  readonly #processes: HostProcesses;
  readonly #life: Life;

  constructor(world: World, processes: HostProcesses, life: Life) {
    this.#world = world;
    this.#processes = processes;
    this.#life = life;
  }

  kvm(): boolean {
    return true;
  }

  socketsOf(id: ResourceId): string {
    return id;
  }

  connect(path: string, events: TcpEvents): TcpConnection {
    if (!this.#life.act()) return { write: () => {}, queued: () => 0, close: () => {} };
    const id = path.replace(/\.qmp$/, "");
    const runs = () => this.#processes.all().find((proc) => proc.id === id);
    let open = true;
    const say = (line: string) =>
      this.#world.after(ANSWER_MS, () =>
        this.#life.deliver(() => {
          if (open) events.onData(encodeText(`${line}\n`));
        }));
    const close = () => {
      this.#world.after(ANSWER_MS, () =>
        this.#life.deliver(() => {
          if (open) events.onClose();
          open = false;
        }));
    };
    if (runs() === undefined) close();
    else say(GREETING);
    return {
      write: (bytes) => {
        if (!this.#life.act()) return;
        const { execute, id: number } = JSON.parse(decodeText(bytes) ?? "");
        const proc = runs();
        if (proc === undefined) return close();
        const answer = execute === "query-status" ? { status: "running" } : {};
        say(JSON.stringify({ return: answer, id: number }));
        if (execute === "system_powerdown") this.#processes.terminate(proc);
        if (execute === "quit") this.#processes.kill(proc);
      },
      queued: () => 0,
      close: () => {
        open = false;
      },
    };
  }

  bridgeFault(): string | null {
    return null;
  }

  attach(): string | null {
    return null;
  }
}
