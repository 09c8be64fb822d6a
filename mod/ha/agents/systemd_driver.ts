/** Kind `systemd`: a unit that systemd runs and pentad decides about. @module */
import type { Millis } from "../../base/time.ts";
import type { OperationResult, ProcessHealth, ProcessPort } from "../../host/ports.ts";
import { KIND_TIMEOUTS, type SystemdAction } from "./action.ts";
import { type Done, endHeld, GRACE_MS, holdFor, type KindDriver } from "./kind_driver.ts";
import { type MonitorSpec, once, type Starting, type StartSpec } from "./kind_driver.ts";
import { failureOf } from "./ocf.ts";
import { readUnit, SYSTEMCTL, unitFault, unitHealth } from "./systemd.ts";

const LOOK_MS: Millis = 20_000;

export class SystemdDriver implements KindDriver<SystemdAction> {
  readonly #processes: ProcessPort;

  constructor(processes: ProcessPort) {
    this.#processes = processes;
  }

  start(spec: Starting<SystemdAction>, done: Done): void {
    const { unit } = spec.action;
    const timeoutMs = spec.timeoutMs ?? KIND_TIMEOUTS.systemd.start ?? LOOK_MS;
    this.#run({ spec, command: SYSTEMCTL.show(unit), timeoutMs: LOOK_MS, role: "look" }, (seen) => {
      const state = readUnit(seen);
      if ("why" in state) return done(state);
      const fault = unitFault(unit, state);
      if (fault !== null) return done(fault);
      const undo = [{
        undo: "command",
        command: SYSTEMCTL.end(unit),
        environment: this.#environment,
        timeoutMs: GRACE_MS,
      }] as const;
      holdFor(this.#processes, { spec, undo }, (refused) => {
        if (refused !== null) return done(once(refused));
        const command = SYSTEMCTL.start(unit);
        this.#run({ spec, command, timeoutMs, role: "start" }, (result) => {
          done(failureOf("start", result) === null ? null : once(wordsOf("start", result)));
        });
      });
    });
  }

  stop(spec: StartSpec<SystemdAction>, graceMs: Millis | null, done: Done): void {
    const timeoutMs = graceMs ?? KIND_TIMEOUTS.systemd.stop ?? GRACE_MS;
    const command = SYSTEMCTL.stop(spec.action.unit);
    this.#run({ spec, command, timeoutMs, role: "undo" }, (result) => {
      if (result.status !== 0) return done(once(wordsOf("stop", result)));
      endHeld(this.#processes, spec.id, done);
    });
  }

  monitor(spec: MonitorSpec<SystemdAction>, done: (health: ProcessHealth) => void): void {
    const timeoutMs = spec.timeoutMs ?? LOOK_MS;
    const command = SYSTEMCTL.show(spec.action.unit);
    this.#run({ spec, command, timeoutMs, role: "look" }, (seen) => {
      const state = readUnit(seen);
      done("why" in state ? { state: "failed", ...state } : unitHealth(state));
    });
  }

  get #environment(): Record<string, string> {
    return { PATH: this.#processes.places.path, LC_ALL: "C", SYSTEMD_COLORS: "0" };
  }

  #run(
    ask: {
      readonly spec: StartSpec;
      readonly command: readonly string[];
      readonly timeoutMs: Millis;
      readonly role: "start" | "look" | "undo";
    },
    done: (result: OperationResult) => void,
  ): void {
    const { spec, command, timeoutMs, role } = ask;
    const environment = this.#environment;
    this.#processes.operate(
      { id: spec.id, command, environment, timeoutMs, role, output: "all" },
      done,
    );
  }
}

function wordsOf(what: string, { status, failure, output }: OperationResult): string {
  const last = output.trim().split("\n").at(-1)?.slice(0, 240) ?? "";
  return `systemctl ${what}: ${failure?.why ?? `it ended with ${status}`}: ${last}`;
}
