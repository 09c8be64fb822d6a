/**
 * A disk of this host, for commands: promises, each with a deadline outside the call. What does not
 * answer is told as hung; its process is left to the kernel, which lets it go or does not.
 *
 * @module
 */
import { type ProblemCode, ProblemError } from "../base/problem.ts";
import type { Disk, DiskFailure, DiskPort, DiskReport, ReservationCommand } from "../host/ports.ts";

const CODES: Readonly<Record<DiskFailure["failure"], ProblemCode>> = {
  conflict: "storage.conflict",
  io: "storage.unusable",
  differs: "storage.unusable",
  hung: "storage.hung",
  absent: "storage.unusable",
  unsupported: "storage.unsupported",
  denied: "storage.unusable",
};

/** See the module's note. */
export class DiskHand {
  readonly path: string;
  readonly #disk: Disk;
  readonly #limitMs: number;

  private constructor(path: string, disk: Disk, limitMs: number) {
    this.path = path;
    this.#disk = disk;
    this.#limitMs = limitMs;
  }

  /** Opens a disk, or throws the problem. */
  static async open(port: DiskPort, path: string, limitMs: number): Promise<DiskHand> {
    const disk = await within<Disk | DiskFailure>(limitMs, (done) => port.open(path, done));
    if ("failure" in disk) throw problemOf(path, disk);
    return new DiskHand(path, disk, limitMs);
  }

  /** A command's failure, or null. */
  command(command: ReservationCommand): Promise<DiskFailure | null> {
    return within(this.#limitMs, (done) => this.#disk.command(command, done));
  }

  inspect(): Promise<DiskReport | DiskFailure> {
    return within(this.#limitMs, (done) => this.#disk.inspect(done));
  }

  tryWrite(): Promise<DiskFailure | null> {
    return within(this.#limitMs, (done) => this.#disk.tryWrite(done));
  }

  /** The report, or throws the problem. */
  async report(): Promise<DiskReport> {
    const report = await this.inspect();
    if ("failure" in report) throw problemOf(this.path, report);
    return report;
  }

  close(): void {
    this.#disk.close();
  }
}

/** A disk's failure as the user's problem. */
export function problemOf(path: string, { failure, detail }: DiskFailure): ProblemError {
  return new ProblemError(CODES[failure], `"${path}": ${detail}`);
}

function within<T>(
  limitMs: number,
  start: (done: (value: T | DiskFailure) => void) => void,
): Promise<T | DiskFailure> {
  return new Promise((resolve) => {
    const hung: DiskFailure = { failure: "hung", detail: `no answer within ${limitMs / 1000} s` };
    const timer = setTimeout(() => resolve(hung), limitMs);
    start((value) => {
      clearTimeout(timer);
      resolve(value);
    });
  });
}
