/** Shared disks as a daemon of one host sees them. @module */
import { equalBytes } from "../base/bytes.ts";
import type {
  Disk,
  DiskFailure,
  DiskPort,
  DiskReport,
  PreemptAsk,
  ReservationCommand,
  ReservationState,
  ReservationType,
} from "../host/ports.ts";
import { type SimDisks, transferFault } from "./disk.ts";
import { DiskOpening } from "./disk_opening.ts";
import type { Life } from "./life.ts";
import { draw } from "./options.ts";

type Done = (failure: DiskFailure | null) => void;

/** The disk port of one life of a host's daemon. */
export class SimDiskPort implements DiskPort {
  readonly #disks: SimDisks;
  readonly #host: number;
  readonly #life: Life;

  constructor(disks: SimDisks, host: number, life: Life) {
    this.#disks = disks;
    this.#host = host;
    this.#life = life;
  }

  open(path: string, done: (result: Disk | DiskFailure) => void): void {
    if (!this.#life.act()) return;
    const disk = this.#disks.disk(path);
    const { world, prng } = this.#disks;
    const delay = draw(prng, world.options.diskCallMs);
    if (disk === null) {
      const failure: DiskFailure = { failure: "absent", detail: `There is no disk "${path}"` };
      world.after(delay, () => this.#life.deliver(() => done(failure)));
      return;
    }
    const opening = new DiskOpening(this.#disks, { host: this.#host, disk, life: this.#life });
    this.#life.onEnd(() => opening.orphan());
    opening.call({
      execute: () => () => done(new OpenDisk(opening)),
      fail: (failure) => {
        opening.close();
        done(failure);
      },
    });
  }
}

class OpenDisk implements Disk {
  readonly kind = "file";
  readonly sizeBytes: number;
  readonly #opening: DiskOpening;

  constructor(opening: DiskOpening) {
    this.#opening = opening;
    this.sizeBytes = opening.disk.sizeBytes;
  }

  read(offset: number, length: number, done: (result: Uint8Array | DiskFailure) => void): void {
    const { disk, nexus } = this.#opening;
    const fault = transferFault(offset, length, disk.sizeBytes);
    this.#call({
      execute: () => {
        const allowed = disk.reservations.allows(nexus, "read");
        const { host } = this.#opening;
        const result = fault ?? (allowed ? disk.readBy(host, offset, length) : RESERVED);
        return () => done(result);
      },
      fail: done,
    });
  }

  write(offset: number, bytes: Uint8Array, done: Done): void {
    const { disk, nexus } = this.#opening;
    const fault = transferFault(offset, bytes.length, disk.sizeBytes);
    // The caller may use its buffer again.
    const own = bytes.slice();
    const execute = () => {
      const allowed = disk.reservations.allows(nexus, "write") || this.#opening.lingers;
      const failure = fault ?? (allowed ? null : RESERVED);
      if (failure === null) disk.take(offset, own);
      return () => done(failure);
    };
    const call = { execute, fail: done };
    this.#call(fault === null ? { ...call, write: { offset, bytes: own } } : call);
  }

  compareAndWrite(
    ask: { readonly offset: number; readonly expect: Uint8Array; readonly bytes: Uint8Array },
    done: Done,
  ): void {
    const { disk, nexus } = this.#opening;
    const { offset } = ask;
    const [expect, own] = [ask.expect.slice(), ask.bytes.slice()];
    const fault = expect.length === own.length
      ? transferFault(offset, own.length, disk.sizeBytes)
      : UNEQUAL;
    this.#call({
      execute: () => {
        const allowed = disk.reservations.allows(nexus, "write") || this.#opening.lingers;
        const failure = fault ?? (allowed ? null : RESERVED);
        if (failure !== null) return () => done(failure);
        if (!equalBytes(disk.read(offset, own.length), expect)) return () => done(DIFFERS);
        disk.take(offset, own);
        return () => done(null);
      },
      fail: done,
    });
  }

  register(key: string, done: Done): void {
    const { disk, nexus } = this.#opening;
    this.#reservation(() => disk.reservations.register(nexus, key), done);
  }

  unregister(key: string, done: Done): void {
    const { disk, nexus } = this.#opening;
    this.#reservation(() => disk.reservations.unregister(nexus, key), done);
  }

  reserve(key: string, type: ReservationType, done: Done): void {
    const { disk, nexus } = this.#opening;
    this.#reservation(() => disk.reservations.reserve(nexus, key, type), done);
  }

  preempt(ask: PreemptAsk, done: Done): void {
    const { nexus } = this.#opening;
    this.#reservation(() => this.#opening.preempt(nexus, ask), done);
  }

  readReservations(done: (result: ReservationState | DiskFailure) => void): void {
    const { disk } = this.#opening;
    this.#call({
      execute: () => {
        const state = disk.reservations.report();
        return () => done(state);
      },
      fail: done,
    });
  }

  command(command: ReservationCommand, done: Done): void {
    const { disk, nexus } = this.#opening;
    this.#reservation(
      () =>
        command.kind === "preempt"
          ? this.#opening.preempt(nexus, command)
          : disk.reservations.command(nexus, command),
      done,
    );
  }

  inspect(done: (result: DiskReport | DiskFailure) => void): void {
    const { disk } = this.#opening;
    this.#call({
      execute: () => {
        const report: DiskReport = {
          name: disk.path,
          model: "simulated",
          through: "file",
          paths: [disk.path],
          state: disk.reservations.report(),
          capabilities: CAPABILITIES,
          registrations: disk.reservations.registrations(),
          compareBlocks: 0,
          raw: { keys: null, reservation: null, capabilities: null, fullStatus: null },
        };
        return () => done(report);
      },
      fail: done,
    });
  }

  tryWrite(done: Done): void {
    const { disk, nexus } = this.#opening;
    this.#reservation(() => disk.reservations.allows(nexus, "write") ? null : RESERVED, done);
  }

  close(): void {
    if (this.#opening.life.alive) this.#opening.close();
  }

  #reservation(command: () => DiskFailure | null, done: Done): void {
    this.#call({
      execute: () => {
        const failure = command();
        return () => done(failure);
      },
      fail: done,
    });
  }

  #call(call: Parameters<DiskOpening["call"]>[0]): void {
    if (this.#opening.life.act()) this.#opening.call(call);
  }
}

const UNEQUAL: DiskFailure = { failure: "io", detail: "Cannot compare unequal lengths" };
const DIFFERS: DiskFailure = { failure: "differs", detail: "Something else lies there" };
const CAPABILITIES: DiskReport["capabilities"] = {
  ...{ allTargetPorts: false, initiatorPorts: false, persist: true, persistActive: true },
  types: [1, 3, 5, 6],
};
const RESERVED: DiskFailure = { failure: "conflict", detail: "The disk is reserved" };
