/**
 * Kind `vm` on a Proxmox VE host: `qm` starts and stops the machine, with the host's storages and
 * networks. After each call its word is checked against what it shows: where `ha/resources.cfg` of
 * /etc/pve names the machine, `qm` hands a start to pve-ha-manager and ends with 0.
 *
 * @module
 */
import type { Millis } from "../../base/time.ts";
import type { OperationResult, ProcessHealth, ProcessPort } from "../../host/ports.ts";
import { KIND_TIMEOUTS, type VmAction } from "./action.ts";
import { type Done, endHeld, holdFor, type KindDriver, type MonitorSpec } from "./kind_driver.ts";
import { once, printNote, type Starting, type StartSpec } from "./kind_driver.ts";
import { healthOfMachine } from "./vm.ts";

const LOOK_MS: Millis = 20_000;
/** What `qm` may take beyond the time that the guest is given. */
const MORE_MS: Millis = 30_000;
const END_MS: Millis = 10_000;
const WORDS_MAX = 240;

/**
 * Ends a machine without `qm`, which may wait for /etc/pve: its process is known by the file that
 * Proxmox VE keeps, and by its own words.
 */
const END = 'file=/run/qemu-server/$1.pid; [ -f "$file" ] || exit 0; pid=$(cat "$file"); ' +
  'case $pid in ""|*[!0-9]*) exit 1;; esac; ' +
  'while tr "\\0" " " <"/proc/$pid/cmdline" 2>/dev/null | grep -q -- " -id $1 "; ' +
  'do kill -KILL "$pid" 2>/dev/null; sleep 0.05; done';

/** Command lines. */
export const QM = {
  status: (vmid: number) => ["qm", "status", String(vmid), "--verbose"],
  start: (vmid: number) => ["qm", "start", String(vmid)],
  shutdown: (vmid: number, seconds: number) => [
    ...["qm", "shutdown", String(vmid), "--timeout", String(seconds), "--forceStop", "1"],
  ],
  end: (vmid: number) => ["/bin/sh", "-c", END, "sh", String(vmid)],
};

/** What `qm status` says. */
export interface QmState {
  readonly runs: boolean;
  /** QEMU's own word for it. */
  readonly detail: string;
}

/** Reads `status: running` and `qmpstatus: paused`; null where there is no state in it. */
export function readQm({ status, output }: OperationResult): QmState | null {
  const of = (key: string) => new RegExp(`^${key}: ([a-z-]{1,40})\\s*$`, "m").exec(output)?.[1];
  const word = of("status");
  if (status !== 0 || word === undefined) return null;
  return { runs: word !== "stopped", detail: of("qmpstatus") ?? word };
}

export class QmDriver implements KindDriver<VmAction> {
  readonly #processes: ProcessPort;

  constructor(processes: ProcessPort) {
    this.#processes = processes;
  }

  /** Its state by `qm`; null where there is none on this host. */
  look(
    spec: StartSpec<VmAction>,
    tell: (state: QmState | null | { readonly why: string }) => void,
  ): void {
    const ask = { command: QM.status(spec.action.vmid), timeoutMs: LOOK_MS, role: "look" } as const;
    this.#run(spec, ask, (result) => {
      if (result.failure?.absent === true) return tell(null);
      tell(readQm(result) ?? { why: wordsOf("status", result) });
    });
  }

  start(spec: Starting<VmAction>, done: Done): void {
    const { id, action: { vmid } } = spec;
    this.look(spec, (state) => {
      if (state === null) return done({ why: "qm is not installed here", scope: "node" });
      if ("why" in state) return done({ ...state, scope: "node" });
      const note = printNote({ ...spec, action: { ...spec.action, file: null, by: "qm" } });
      const undo = [{
        undo: "command",
        command: QM.end(vmid),
        environment: this.#environment,
        timeoutMs: END_MS,
      }] as const;
      holdFor(this.#processes, { spec, undo, note }, (refused) => {
        if (refused !== null) return done(once(refused));
        const timeoutMs = spec.timeoutMs ?? KIND_TIMEOUTS.vm.start ?? LOOK_MS;
        if (state.runs) {
          this.#processes.made(id);
          return done(null);
        }
        this.#run(spec, { command: QM.start(vmid), timeoutMs, role: "start" }, (result) => {
          if (result.status !== 0) return done(once(wordsOf("start", result)));
          this.look(spec, (now) => {
            if (now !== null && "runs" in now && now.runs) return done(null);
            done(once("qm start ended with 0 and the machine does not run: pve-ha-manager has it"));
          });
        });
      });
    });
  }

  stop(spec: StartSpec<VmAction>, graceMs: Millis | null, done: Done): void {
    const limitMs = graceMs ?? KIND_TIMEOUTS.vm.stop ?? LOOK_MS;
    const command = QM.shutdown(spec.action.vmid, Math.ceil(limitMs / 1000));
    const ask = { command, timeoutMs: limitMs + MORE_MS, role: "undo" } as const;
    this.#run(spec, ask, (result) => {
      this.look(spec, (now) => {
        // What is surely down need not be stopped, whatever qm thought of it.
        const isDown = now !== null && "runs" in now && !now.runs;
        if (!isDown) return done(once(wordsOf("shutdown", result)));
        endHeld(this.#processes, spec.id, done);
      });
    });
  }

  monitor(spec: MonitorSpec<VmAction>, done: (health: ProcessHealth) => void): void {
    this.look(spec, (state) => {
      if (state === null) return done({ state: "failed", why: "qm is gone" });
      if ("why" in state) return done({ state: "failed", ...state });
      done(state.runs ? healthOfMachine(state.detail) : { state: "stopped" });
    });
  }

  get #environment(): Record<string, string> {
    return { PATH: this.#processes.places.path, LC_ALL: "C" };
  }

  #run(
    { id }: StartSpec<VmAction>,
    ask: {
      readonly command: readonly string[];
      readonly timeoutMs: Millis;
      readonly role: "start" | "look" | "undo";
    },
    done: (result: OperationResult) => void,
  ): void {
    const environment = this.#environment;
    this.#processes.operate({ id, environment, output: "all", ...ask }, done);
  }
}

function wordsOf(what: string, { status, failure, output }: OperationResult): string {
  const last = output.trim().split("\n").at(-1)?.slice(0, WORDS_MAX) ?? "";
  return `qm ${what}: ${failure?.why ?? `it ended with ${status}`}: ${last}`;
}
