/**
 * Reservations through the block layer (linux/pr.h): NVMe, and disks that take no SCSI commands
 * from us. Reading them needs Linux 6.19; on older kernels that is said, and nothing is guessed.
 *
 * @module
 */
import { CommandFile } from "../ffi/block_ioctl.ts";
import type { DiskFailure, DiskReport, ReservationCommand, ReservationState } from "../ports.ts";
import { type PrEnd, scsiType } from "../scsi/pr_ioctl.ts";
import { REGISTRATIONS_MAX } from "../scsi/reply.ts";
import { failureOfErrno, isNoSuchCall } from "./device_errno.ts";
import { isFailure, type ReservationWay } from "./worker_disk.ts";

/** Keys and reservation are two calls: read again while somebody registers in between. */
const SNAPSHOTS_MAX = 8;

/** See the module's note. Calls block. */
export class PrWay implements ReservationWay {
  readonly #file: CommandFile;

  private constructor(file: CommandFile) {
    this.#file = file;
  }

  static open(name: string): PrWay | DiskFailure {
    const file = CommandFile.open(name);
    return typeof file === "number" ? failureOfErrno(file, `open "${name}"`) : new PrWay(file);
  }

  command(command: ReservationCommand): DiskFailure | null {
    switch (command.kind) {
      case "register": {
        if (command.allTargetPorts || command.initiatorPorts.length > 0) {
          return lacks("registrations for other ports");
        }
        if (command.persist === false) return lacks("registrations that do not persist");
        const old = command.old === null ? null : number(command.old);
        return failureOf(this.#file.prRegister(old, number(command.key)), "IOC_PR_REGISTER");
      }
      case "reserve":
      case "release": {
        const { kind: call, key, type } = command;
        const end = this.#file.prHold(call, number(key), type);
        return failureOf(end, call === "reserve" ? "IOC_PR_RESERVE" : "IOC_PR_RELEASE");
      }
      case "preempt": {
        const { key, victim, type, abort = true } = command;
        const end = this.#file.prPreempt(
          abort ? "preemptAbort" : "preempt",
          { key: number(key), victim: number(victim), type },
        );
        return failureOf(end, abort ? "IOC_PR_PREEMPT_ABORT" : "IOC_PR_PREEMPT");
      }
      case "clear":
        return failureOf(this.#file.prClear(number(command.key)), "IOC_PR_CLEAR");
    }
  }

  readReservations(): ReservationState | DiskFailure {
    for (let tries = 0; tries < SNAPSHOTS_MAX; tries++) {
      const keys = this.#file.prReadKeys(REGISTRATIONS_MAX);
      if ("end" in keys) return readFailure(keys);
      const held = this.#file.prReadReservation();
      if ("end" in held) return readFailure(held);
      if (keys.total > REGISTRATIONS_MAX) {
        return { failure: "io", detail: `${keys.total} registrations are too many` };
      }
      if (keys.generation !== held.generation) continue;
      const type = scsiType(held.type);
      return {
        generation: keys.generation,
        keys: keys.keys.map(hex),
        holder: type === null ? null : hex(type === 7 || type === 8 ? 0n : held.key),
        type,
      };
    }
    return { failure: "io", detail: "Registrations change all the time" };
  }

  inspect(): DiskReport | DiskFailure {
    const state = this.readReservations();
    if (isFailure(state)) return state;
    return {
      name: null,
      model: "",
      through: "pr.h",
      paths: [this.#file.path],
      state,
      capabilities: null,
      registrations: null,
      compareBlocks: 0,
      raw: { keys: null, reservation: null, capabilities: null, fullStatus: null },
    };
  }

  tryWrite(): DiskFailure | null {
    return lacks("writes of nothing");
  }

  close(): void {
    this.#file.close();
  }
}

function failureOf(end: PrEnd, call: string): DiskFailure | null {
  switch (end.end) {
    case "done":
      return null;
    case "conflict":
      return { failure: "conflict", detail: `${call}: RESERVATION CONFLICT` };
    case "failed":
      return { failure: "io", detail: `${call}: ${end.why}` };
    case "errno":
      return isNoSuchCall(end.errno)
        ? { failure: "unsupported", detail: `${call}: the disk has no reservations` }
        : failureOfErrno(end.errno, call);
  }
}

function readFailure(end: PrEnd): DiskFailure {
  if (end.end === "errno" && isNoSuchCall(end.errno)) {
    const detail = "To read reservations of this disk takes Linux 6.19 or newer";
    return { failure: "unsupported", detail };
  }
  return failureOf(end, "IOC_PR_READ") ?? { failure: "io", detail: "No answer" };
}

function lacks(what: string): DiskFailure {
  return { failure: "unsupported", detail: `The block layer has no ${what}` };
}

function number(key: string): bigint {
  return BigInt(`0x${key}`);
}

function hex(key: bigint): string {
  return key.toString(16).padStart(16, "0");
}
