/** What a disk process works on: a file that stands in for a LUN, or a device. @module */
import type { DiskFailure, DiskReport, ReservationCommand, ReservationState } from "../ports.ts";

/** What is to lie there, and what lies there now: both of one length. */
export interface CompareAndWrite {
  readonly offset: number;
  readonly expect: Uint8Array;
  readonly bytes: Uint8Array;
}

/** One open disk. Calls block. */
export interface WorkerDisk {
  readonly kind: "scsi" | "nvme" | "file";
  readonly sizeBytes: number;
  read(offset: number, length: number): Uint8Array | DiskFailure;
  write(offset: number, bytes: Uint8Array): DiskFailure | null;
  compareAndWrite(ask: CompareAndWrite): DiskFailure | null;
  command(command: ReservationCommand): DiskFailure | null;
  readReservations(): ReservationState | DiskFailure;
  inspect(): DiskReport | DiskFailure;
  tryWrite(): DiskFailure | null;
  close(): void;
}

/** How reservations of a device are spoken. Calls block. */
export interface ReservationWay {
  command(command: ReservationCommand): DiskFailure | null;
  readReservations(): ReservationState | DiskFailure;
  inspect(): DiskReport | DiskFailure;
  tryWrite(): DiskFailure | null;
  close(): void;
}

/** Tells a failure from an answer. */
export function isFailure(value: unknown): value is DiskFailure {
  return typeof value === "object" && value !== null && "failure" in value;
}
