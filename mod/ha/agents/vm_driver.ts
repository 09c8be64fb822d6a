/** Kind `vm`: whose folder has the definition owns the machine; `qm` runs it where there is one. @module */
import type { Millis } from "../../base/time.ts";
import type { ProcessHealth } from "../../host/ports.ts";
import type { VmAction } from "./action.ts";
import type { Done, KindDriver, MonitorSpec, Starting, StartSpec } from "./kind_driver.ts";
import { QemuDriver, type VmPorts } from "./qemu_driver.ts";
import { QmDriver } from "./qm_driver.ts";
import { ownershipFailure } from "./vm.ts";

export class VmDriver implements KindDriver<VmAction> {
  readonly #qemu: QemuDriver;
  readonly #qm: QmDriver;

  constructor(ports: VmPorts) {
    this.#qemu = new QemuDriver(ports);
    this.#qm = new QmDriver(ports.process);
  }

  start(spec: Starting<VmAction>, done: Done): void {
    const failure = ownershipFailure(spec.action, spec.node);
    if (failure !== null) return done(failure);
    this.#qm.look(spec, (state) => {
      // A qm that does not answer is no leave to start the machine beside it.
      if (state === null) this.#qemu.start(spec, done);
      else this.#qm.start(spec, done);
    });
  }

  stop(spec: StartSpec<VmAction>, graceMs: Millis | null, done: Done): void {
    this.#of(spec.action).stop(spec, graceMs, done);
  }

  monitor(spec: MonitorSpec<VmAction>, done: (health: ProcessHealth) => void): void {
    this.#of(spec.action).monitor(spec, done);
  }

  #of({ by }: VmAction): KindDriver<VmAction> {
    return by === "qm" ? this.#qm : this.#qemu;
  }
}
