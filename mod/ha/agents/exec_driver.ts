/** Kind `exec`: a command that is supervised from its start to its end. @module */
import type { Millis } from "../../base/time.ts";
import type { ProcessHealth, ProcessPort } from "../../host/ports.ts";
import { type ExecAction, KIND_TIMEOUTS } from "./action.ts";
import { type Done, GRACE_MS, type KindDriver, type MonitorSpec } from "./kind_driver.ts";
import { once, type Starting, type StartSpec } from "./kind_driver.ts";

export class ExecDriver implements KindDriver<ExecAction> {
  readonly #processes: ProcessPort;

  constructor(processes: ProcessPort) {
    this.#processes = processes;
  }

  start({ id, node, action }: Starting<ExecAction>, done: Done): void {
    const environment = { PENTAD_NODE_NAME: node };
    const spec = { id, command: action.command, environment, directory: null };
    this.#processes.start(spec, (why) => done(why === null ? null : once(why)));
  }

  stop({ id }: Pick<StartSpec, "id">, graceMs: Millis | null, done: Done): void {
    const tell = (why: string | null) => done(why === null ? null : once(why));
    this.#processes.stop(id, graceMs ?? GRACE_MS, tell);
  }

  monitor(spec: MonitorSpec<ExecAction>, done: (health: ProcessHealth) => void): void {
    const { id, action } = spec;
    const timeoutMs = spec.timeoutMs ?? KIND_TIMEOUTS.exec.monitor ?? GRACE_MS;
    this.#processes.monitor({ id, command: action.monitor, timeoutMs }, done);
  }
}
