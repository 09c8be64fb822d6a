/** Kind `vm` on a host without Proxmox VE: QEMU itself, driven through its monitor. @module */
import type { ResourceId } from "../../base/id.ts";
import { after, type Instant, type Millis } from "../../base/time.ts";
import type { ProcessHealth } from "../../host/ports.ts";
import { KIND_TIMEOUTS, type VmAction } from "./action.ts";
import { type Done, endHeld, type KindDriver, type MonitorSpec } from "./kind_driver.ts";
import type { Starting, StartSpec } from "./kind_driver.ts";
import { ARRIVAL_OBJECT, hasObject, LIST_OBJECTS } from "./qemu_migration.ts";
import { ANSWER_MS, QemuStart, type VmPorts } from "./qemu_start.ts";
import { statusIn } from "./qmp.ts";
import { healthOfMachine } from "./vm.ts";

/** How long a machine may take to end once QEMU was told to. */
const QUIT_MS: Millis = 5000;

export class QemuDriver implements KindDriver<VmAction> {
  readonly #ports: VmPorts;
  readonly #start: QemuStart;

  constructor(ports: VmPorts) {
    this.#ports = ports;
    this.#start = new QemuStart(ports);
  }

  start(spec: Starting<VmAction>, done: Done): void {
    const begun = this.#start.begin(spec);
    if ("why" in begun) return done(begun);
    this.#start.launch(spec, begun, null, (failure) => {
      if (failure !== null) return done(failure);
      this.#start.letRun(begun.start, done);
    });
  }

  stop({ id }: StartSpec<VmAction>, graceMs: Millis | null, done: Done): void {
    const { clock, guest } = this.#ports;
    guest.forgetKey(id);
    const limitMs = graceMs ?? KIND_TIMEOUTS.vm.stop ?? ANSWER_MS;
    const end = after(clock.now(), limitMs);
    const finish = () => endHeld(this.#ports.process, id, done);
    const quit = () =>
      this.#start.talk(id, [{ execute: "quit" }], () => {
        this.#awaitEnd(id, after(clock.now(), QUIT_MS), finish);
      });
    this.#start.talk(id, [{ execute: "query-status" }, LIST_OBJECTS], (result) => {
      // Whoever cannot be asked cannot be told either. One that was never let run writes nothing.
      if ("why" in result || hasObject(result.answers[1], ARRIVAL_OBJECT)) return finish();
      if (limitMs === 0 || statusIn(result.answers[0]) !== "running") return quit();
      this.#start.talk(id, [{ execute: "system_powerdown" }], () => {
        this.#awaitEnd(id, end, (ended) => ended ? finish() : quit());
      });
    });
  }

  monitor(spec: MonitorSpec<VmAction>, done: (health: ProcessHealth) => void): void {
    const { id, action: { remarks, received } } = spec;
    const limitMs = spec.timeoutMs ?? KIND_TIMEOUTS.vm.monitor ?? ANSWER_MS;
    this.#ports.process.monitor({ id, command: null, timeoutMs: limitMs }, (health) => {
      if (health.state !== "running") return done(health);
      const commands = [{ execute: "query-status" }, ...(received === true ? [LIST_OBJECTS] : [])];
      this.#start.talk(id, commands, (result) => {
        if ("why" in result) return done({ state: "failed", why: result.why });
        const [status, objects] = result.answers;
        const word = statusIn(status);
        // Whoever was to let it run ended before that.
        const waits = word !== "running" && hasObject(objects, ARRIVAL_OBJECT);
        done(healthOfMachine(waits ? "prelaunch" : word, remarks));
      }, limitMs);
    });
  }

  /** Told whether it ended in time. */
  #awaitEnd(id: ResourceId, end: Instant, tell: (ended: boolean) => void): void {
    const { process: processes, clock } = this.#ports;
    processes.monitor({ id, command: null, timeoutMs: ANSWER_MS }, ({ state }) => {
      if (state === "stopped") return tell(true);
      if (clock.now() >= end) return tell(false);
      this.#start.later(() => this.#awaitEnd(id, end, tell));
    });
  }
}
