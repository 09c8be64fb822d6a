/** Kind `vm`: whose folder has the definition owns the machine; `qm` runs it where there is one. @module */
import type { Millis } from "../../base/time.ts";
import type { ProcessHealth } from "../../host/ports.ts";
import type { ResourceId } from "../../base/id.ts";
import type { Failure } from "./ocf.ts";
import type { VmAction } from "./action.ts";
import type { Done, KindDriver, MonitorSpec, Starting, StartSpec } from "./kind_driver.ts";
import type { Arrival, MigrationGround, MigrationTarget } from "./migration.ts";
import { QemuDriver } from "./qemu_driver.ts";
import { type MigrationPorts, QemuMigration } from "./qemu_migration.ts";
import { QmDriver } from "./qm_driver.ts";
import { once } from "./kind_driver.ts";
import { ownershipFailure } from "./vm.ts";

export class VmDriver implements KindDriver<VmAction> {
  readonly #qemu: QemuDriver;
  readonly #migration: QemuMigration;
  readonly #qm: QmDriver;

  constructor(ports: MigrationPorts) {
    this.#qemu = new QemuDriver(ports);
    this.#migration = new QemuMigration(ports);
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

  /** Makes a machine that waits for the memory of one that `on.from` owns still. */
  receive(
    spec: Starting<VmAction>,
    on: MigrationGround,
    done: (failure: Failure | null, arrival?: Arrival) => void,
  ): void {
    const failure = ownershipFailure(spec.action, on.from);
    if (failure !== null) return done(failure);
    this.#qm.look(spec, (state) => {
      if (state !== null) return done(once("Proxmox VE's qm runs the machines of this node"));
      this.#migration.receive(spec, on, done);
    });
  }

  /** It has its memory, and is this node's now. */
  resume(spec: Starting<VmAction>, done: Done): void {
    const failure = ownershipFailure(spec.action, spec.node);
    if (failure !== null) return done(failure);
    this.#migration.resume(spec, done);
  }

  handOver(
    ask: { readonly id: ResourceId; readonly live: number; readonly to: MigrationTarget },
    done: Done,
  ): void {
    this.#migration.handOver(ask, done);
  }

  callOff(id: ResourceId): void {
    this.#migration.callOff(id);
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
