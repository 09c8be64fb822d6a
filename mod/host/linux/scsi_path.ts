/**
 * One path to a SCSI disk: one I_T nexus. Sends commands through SG_IO and reads what it asked for.
 *
 * @module
 */
import { toHex } from "../../base/bytes.ts";
import { CommandFile } from "../ffi/block_ioctl.ts";
import type { DiskFailure, ReservationCapabilities, ReservationState } from "../ports.ts";
import {
  ALLOCATION_MAX,
  inquiry,
  persistentReserveIn,
  type PrInAction,
  type ScsiCommand,
  testUnitReady,
} from "../scsi/command.ts";
import { execute } from "../scsi/execute.ts";
import { failureOf, type Outcome } from "../scsi/outcome.ts";
import { tellsOfEjection } from "../scsi/sense.ts";
import { bytesNeeded, decodeCapabilities, decodeKeys, decodeReservation } from "../scsi/reply.ts";
import { failureOfErrno, isNoSuchCall } from "./device_errno.ts";
import { isFailure } from "./worker_disk.ts";

/**
 * The kernel's patience with one command, that of its own disk driver. A shorter one would have it
 * reset the unit, which every other nexus would hear of; who waits has a deadline of his own.
 */
const COMMAND_MS = 30_000;
/** The first allocation: 511 keys. */
const ALLOCATION_FIRST = 4096;
/** Keys and reservation are two commands: read again while somebody registers in between. */
const SNAPSHOTS_MAX = 8;

/** Answers of the target as they came. */
export interface Snapshot {
  readonly state: ReservationState;
  readonly keys: Uint8Array;
  readonly reservation: Uint8Array;
}

/** See the module's note. Calls block. */
export class ScsiPath {
  readonly name: string;
  readonly #file: CommandFile;
  #ejected = false;

  private constructor(name: string, file: CommandFile) {
    this.name = name;
    this.#file = file;
  }

  /** Opens a path. `unsupported`: the kernel takes no SCSI commands there. */
  static open(name: string): ScsiPath | DiskFailure {
    const file = CommandFile.open(name);
    if (typeof file === "number") return failureOfErrno(file, `open "${name}"`);
    const end = file.scsi(inquiry(null), COMMAND_MS);
    if (typeof end !== "number") return new ScsiPath(name, file);
    file.close();
    const refused = isNoSuchCall(end) || failureOfErrno(end, "").failure === "denied";
    return refused
      ? { failure: "unsupported", detail: `"${name}" takes no SCSI commands (errno ${end})` }
      : failureOfErrno(end, `SG_IO on "${name}"`);
  }

  /** Sends a command until it has an outcome; see `scsi/execute.ts`. */
  run(command: ScsiCommand, options: { readonly registers?: boolean } = {}): Outcome {
    const sender = {
      send: (each: ScsiCommand) => {
        const end = this.#file.scsi(each, COMMAND_MS);
        if (typeof end !== "number") return end;
        return { end: "lost", why: `SG_IO on "${this.name}" failed with errno ${end}` } as const;
      },
      pause,
    };
    const { outcome, attentions } = execute(sender, command, options);
    if (attentions.some(tellsOfEjection)) this.#ejected = true;
    return outcome;
  }

  /** The target told this path that registrations were taken away, and nobody looked since. */
  get ejected(): boolean {
    return this.#ejected;
  }

  /** Whoever asked has seen who is registered, all that the target had to tell included. */
  looked(): void {
    this.#ejected = false;
  }

  /** True where the target answers at all, whatever it says. Takes pending unit attentions away. */
  answers(): boolean {
    return this.run(testUnitReady()).end !== "lost";
  }

  /** A whole answer of PERSISTENT RESERVE IN. */
  ask(action: PrInAction): Uint8Array | DiskFailure {
    let length = ALLOCATION_FIRST;
    for (;;) {
      const command = persistentReserveIn(action, length);
      const outcome = this.run(command);
      if (outcome.end !== "good") return failureOf(outcome, command.name);
      if (action === "capabilities") return outcome.data;
      const needed = bytesNeeded(outcome.data);
      if (needed === null) return damaged(command.name, outcome.data);
      if (needed <= outcome.data.length) return outcome.data.subarray(0, needed);
      if (needed > ALLOCATION_MAX || length === ALLOCATION_MAX) {
        return { failure: "io", detail: `${command.name}: an answer of ${needed} bytes` };
      }
      length = ALLOCATION_MAX;
    }
  }

  /** READ KEYS and READ RESERVATION of one generation. */
  snapshot(): Snapshot | DiskFailure {
    for (let tries = 0; tries < SNAPSHOTS_MAX; tries++) {
      const keys = this.ask("keys");
      if (isFailure(keys)) return keys;
      const reservation = this.ask("reservation");
      if (isFailure(reservation)) return reservation;
      const read = decodeKeys(keys);
      const held = decodeReservation(reservation);
      if (read === null) return damaged("READ KEYS", keys);
      if (held === null) return damaged("READ RESERVATION", reservation);
      if (read.generation !== held.generation) continue;
      const { key: holder, type } = held.held ?? { key: null, type: null };
      return { state: { ...read, holder, type }, keys, reservation };
    }
    return { failure: "io", detail: "Registrations change all the time" };
  }

  /** REPORT CAPABILITIES; null where the target does not know it. */
  capabilities(): { value: ReservationCapabilities; raw: Uint8Array } | null | DiskFailure {
    const raw = this.ask("capabilities");
    if (isFailure(raw)) return raw.failure === "unsupported" ? null : raw;
    const value = decodeCapabilities(raw);
    return value === null ? damaged("REPORT CAPABILITIES", raw) : { value, raw };
  }

  close(): void {
    this.#file.close();
  }
}

/** An answer that is not what the standard says. */
export function damaged(name: string, bytes: Uint8Array): DiskFailure {
  return { failure: "io", detail: `${name}: malformed answer ${toHex(bytes.subarray(0, 64))}` };
}

function pause(ms: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);
}
