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
 * @module
 */
import { equalBytes } from "../../base/bytes.ts";
import type { DiskFailure, DiskReport, ReservationCommand, ReservationState } from "../ports.ts";
import { DirectFile } from "./direct_io.ts";
import {
  allows,
  apply,
  FRESH,
  type LunState,
  parseState,
  printState,
  registrations,
  report,
  STATE_BYTES_MAX,
} from "./lun_state.ts";
import { type CompareAndWrite, isFailure, type WorkerDisk } from "./worker_disk.ts";

/** One open disk: one nexus. Calls block. */
export class LunFile implements WorkerDisk {
  readonly kind = "file";
  readonly sizeBytes: number;
  readonly #path: string;
  readonly #nexus: string;
  readonly #data: DirectFile;
  /** Open for its lock only. */
  readonly #lock: Deno.FsFile;

  private constructor(
    path: string,
    parts: { nexus: string; data: DirectFile; lock: Deno.FsFile },
  ) {
    this.#path = path;
    this.#nexus = parts.nexus;
    this.#data = parts.data;
    this.#lock = parts.lock;
    this.sizeBytes = parts.data.sizeBytes;
  }

  /** Opens a regular file by its real path. `nexus` is 16 hex digits, drawn for this opening. */
  static open(path: string, nexus: string): LunFile | DiskFailure {
    const data = DirectFile.open(path);
    if ("failure" in data) return data;
    return new LunFile(path, { nexus, data, lock: Deno.openSync(path, { read: true }) });
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
  compareAndWrite({ offset, expect, bytes }: CompareAndWrite): DiskFailure | null {
    return this.#locked<DiskFailure | null>(true, (state) => {
      if (!allows(state, this.#nexus, "write")) return conflict("This nexus may not write");
      const there = this.#data.read(offset, expect.length);
      if (!(there instanceof Uint8Array)) return there;
      if (equalBytes(there, expect)) return this.#data.write(offset, bytes);
      return { failure: "differs", detail: "Something else lies there" };
    });
  }

  command(command: ReservationCommand): DiskFailure | null {
    return this.#locked(true, (state) => {
      const next = apply(state, this.#nexus, command);
      if ("failure" in next) return next;
      if (next !== state) this.#store(next);
      return null;
    });
  }

  readReservations(): ReservationState | DiskFailure {
    return this.#locked(false, report);
  }

  inspect(): DiskReport | DiskFailure {
    const state = this.#locked(false, (value) => value);
    if (isFailure(state)) return state;
    return {
      name: null,
      model: "a file that stands in for a LUN",
      through: "file",
      paths: [this.#path],
      state: report(state),
      capabilities: {
        ...{ allTargetPorts: false, initiatorPorts: false, persist: true, persistActive: true },
        types: [1, 3, 5, 6, 7, 8],
      },
      registrations: registrations(state),
      compareBlocks: 0,
      raw: { keys: null, reservation: null, capabilities: null, fullStatus: null },
    };
  }

  tryWrite(): DiskFailure | null {
    return this.#locked(false, (state) => {
      return allows(state, this.#nexus, "write") ? null : conflict("This nexus may not write");
    });
  }

  close(): void {
    this.#data.close();
    this.#lock.close();
  }

  /**
   * Runs `body` with the state under the lock; a state that cannot be trusted fails the command.
   */
  #locked<T>(exclusive: boolean, body: (state: LunState) => T): T | DiskFailure {
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
