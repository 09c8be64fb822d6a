/**
 * A disk as the worker process sees it. A regular file is a *stand-in for a LUN*: its reservation
 * state lies beside it in `<path>.reservations`, and a lock on the data file (flock(2)) makes
 * commands atomic between processes, on one host or on a shared file system that carries flock.
 *
 * It is honest about what it is (`kind: "file"`): what a storage array enforces against everybody
 * is enforced here only against those who go through this class. It exists for demos, tests and
 * trials.
 *
 * What makes it a judge all the same: each write holds a shared lock while it checks that its
 * nexus may write and then writes; each reservation command holds the exclusive lock. So when a
 * PREEMPT AND ABORT returns, every write of the victim has either landed or will be refused.
 *
 * A block device is opened for reading and writing; its reservations are unsupported here.
 *
 * @module
 */
import { equalBytes } from "../../base/bytes.ts";
import type { DiskFailure, ReservationState, ReservationType } from "../ports.ts";
import { DirectFile } from "./direct_io.ts";
import {
  allows,
  FRESH,
  type LunState,
  parseState,
  preempt,
  printState,
  register,
  report,
  reserve,
  STATE_BYTES_MAX,
  type Transition,
  unregister,
} from "./lun_state.ts";

const NO_EXCHANGE: DiskFailure = {
  failure: "unsupported",
  detail: "COMPARE AND WRITE of block devices is not spoken yet",
};
const UNSUPPORTED: DiskFailure = {
  failure: "unsupported",
  detail: "Reservations of block devices are not spoken yet",
};

/** One open disk: one nexus. Calls block. */
export class LunFile {
  readonly kind: "scsi" | "nvme" | "file";
  readonly sizeBytes: number;
  readonly #path: string;
  readonly #nexus: string;
  readonly #data: DirectFile;
  /** Open for its lock only; null for a block device. */
  readonly #lock: Deno.FsFile | null;

  private constructor(
    path: string,
    parts: { kind: LunFile["kind"]; nexus: string; data: DirectFile; lock: Deno.FsFile | null },
  ) {
    this.#path = path;
    this.kind = parts.kind;
    this.#nexus = parts.nexus;
    this.#data = parts.data;
    this.#lock = parts.lock;
    this.sizeBytes = parts.data.sizeBytes;
  }

  /** Opens a regular file or block device. `nexus` is 16 hex digits, drawn for this opening. */
  static open(name: string, nexus: string): LunFile | DiskFailure {
    let path: string;
    let info: Deno.FileInfo;
    try {
      // Several names, as links make them, are several paths to one disk.
      path = Deno.realPathSync(name);
      info = Deno.statSync(path);
    } catch (error) {
      const absent = error instanceof Deno.errors.NotFound;
      return { failure: absent ? "absent" : "denied", detail: `Cannot look at "${name}"` };
    }
    const device = info.isBlockDevice === true;
    if (!device && !info.isFile) {
      return { failure: "unsupported", detail: `"${path}" is no file or block device` };
    }
    const data = DirectFile.open(path);
    if ("failure" in data) return data;
    const nvme = /^\/dev\/nvme/.test(path) ? "nvme" : "scsi";
    const lock = device ? null : Deno.openSync(path, { read: true });
    return new LunFile(path, { kind: device ? nvme : "file", nexus, data, lock });
  }

  read(offset: number, length: number): Uint8Array | DiskFailure {
    return this.#locked(false, (state) => {
      if (!allows(state, this.#nexus, "read")) return conflict("The disk is reserved");
      return this.#data.read(offset, length);
    });
  }

  write(offset: number, bytes: Uint8Array): DiskFailure | null {
    return this.#locked(false, (state) => {
      if (!allows(state, this.#nexus, "write")) return conflict("This nexus may not write");
      return this.#data.write(offset, bytes);
    });
  }

  /** Under the exclusive lock: nobody writes between the comparison and the write. */
  compareAndWrite(
    { offset, expect, bytes }: {
      readonly offset: number;
      readonly expect: Uint8Array;
      readonly bytes: Uint8Array;
    },
  ): DiskFailure | null {
    if (this.#lock === null) return NO_EXCHANGE;
    return this.#locked<DiskFailure | null>(true, (state) => {
      if (!allows(state, this.#nexus, "write")) return conflict("This nexus may not write");
      const there = this.#data.read(offset, expect.length);
      if (!(there instanceof Uint8Array)) return there;
      if (equalBytes(there, expect)) return this.#data.write(offset, bytes);
      return { failure: "differs", detail: "Something else lies there" };
    });
  }

  register(key: string): DiskFailure | null {
    return this.#command((state) => register(state, this.#nexus, key));
  }

  unregister(key: string): DiskFailure | null {
    return this.#command((state) => unregister(state, this.#nexus, key));
  }

  reserve(key: string, type: ReservationType): DiskFailure | null {
    return this.#command((state) => reserve(state, this.#nexus, { key, type }));
  }

  preempt(
    ask: { readonly key: string; readonly victim: string; readonly type: ReservationType },
  ): DiskFailure | null {
    return this.#command((state) => preempt(state, this.#nexus, ask));
  }

  readReservations(): ReservationState | DiskFailure {
    if (this.#lock === null) return UNSUPPORTED;
    return this.#locked(false, report);
  }

  close(): void {
    this.#data.close();
    this.#lock?.close();
  }

  #command(change: (state: LunState) => Transition): DiskFailure | null {
    if (this.#lock === null) return UNSUPPORTED;
    return this.#locked(true, (state) => {
      const next = change(state);
      if ("failure" in next) return next;
      if (next !== state) this.#store(next);
      return null;
    });
  }

  /**
   * Runs `body` with the state under the lock; a state that cannot be trusted fails the command.
   */
  #locked<T>(exclusive: boolean, body: (state: LunState) => T): T | DiskFailure {
    if (this.#lock === null) return body(FRESH);
    this.#lock.lockSync(exclusive);
    try {
      const state = this.#load();
      return "failure" in state ? state : body(state);
    } catch (error) {
      return { failure: "io", detail: `The reservation state failed: ${String(error)}` };
    } finally {
      this.#lock.unlockSync();
    }
  }

  #load(): LunState | DiskFailure {
    let text: string;
    try {
      const { size, isFile } = Deno.lstatSync(this.#statePath());
      if (!isFile || size > STATE_BYTES_MAX) return damaged(this.#statePath());
      text = Deno.readTextFileSync(this.#statePath());
    } catch (error) {
      if (error instanceof Deno.errors.NotFound) return FRESH;
      throw error;
    }
    return parseState(text) ?? damaged(this.#statePath());
  }

  /** Replaces the state file as a whole, durable before it returns. */
  #store(state: LunState): void {
    const fresh = `${this.#statePath()}.new`;
    const file = Deno.openSync(fresh, { write: true, create: true, truncate: true, mode: 0o600 });
    try {
      const bytes = new TextEncoder().encode(printState(state));
      for (let at = 0; at < bytes.length;) at += file.writeSync(bytes.subarray(at));
      file.syncSync();
    } finally {
      file.close();
    }
    Deno.renameSync(fresh, this.#statePath());
    const slash = this.#path.lastIndexOf("/");
    const folder = Deno.openSync(slash < 0 ? "." : this.#path.slice(0, slash + 1));
    try {
      folder.syncSync();
    } finally {
      folder.close();
    }
  }

  #statePath(): string {
    return `${this.#path}.reservations`;
  }
}

function conflict(detail: string): DiskFailure {
  return { failure: "conflict", detail };
}

function damaged(path: string): DiskFailure {
  return { failure: "io", detail: `"${path}" is not a reservation state` };
}
