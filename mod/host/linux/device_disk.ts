/** A block device as a disk process sees it. @module */
import type { DiskFailure, DiskReport, ReservationCommand, ReservationState } from "../ports.ts";
import { type DevicePlace, placeOf } from "./device_place.ts";
import { DirectFile } from "./direct_io.ts";
import { LunFile } from "./lun_file.ts";
import { PrWay } from "./pr_way.ts";
import { ScsiWay } from "./scsi_way.ts";
import { isFailure, type ReservationWay, type WorkerDisk } from "./worker_disk.ts";

/** See the module's note. Calls block. */
class DeviceDisk implements WorkerDisk {
  readonly kind: "scsi" | "nvme";
  readonly sizeBytes: number;
  readonly #data: DirectFile;
  readonly #way: ReservationWay;

  constructor(kind: "scsi" | "nvme", data: DirectFile, way: ReservationWay) {
    this.kind = kind;
    this.sizeBytes = data.sizeBytes;
    this.#data = data;
    this.#way = way;
  }

  read(offset: number, length: number): Uint8Array | DiskFailure {
    return this.#data.read(offset, length);
  }

  write(offset: number, bytes: Uint8Array): DiskFailure | null {
    return this.#data.write(offset, bytes);
  }

  /** The targets that were tried take one block of 512 bytes at most, and nobody asks for so little. */
  compareAndWrite(): DiskFailure | null {
    return { failure: "unsupported", detail: "COMPARE AND WRITE of so many bytes" };
  }

  command(command: ReservationCommand): DiskFailure | null {
    return this.#way.command(command);
  }

  readReservations(): ReservationState | DiskFailure {
    return this.#way.readReservations();
  }

  inspect(): DiskReport | DiskFailure {
    return this.#way.inspect();
  }

  tryWrite(): DiskFailure | null {
    return this.#way.tryWrite();
  }

  close(): void {
    this.#data.close();
    this.#way.close();
  }
}

/** Opens a regular file, block device or SCSI generic device. `nexus`: see {@link LunFile}. */
export function openWorkerDisk(name: string, nexus: string): WorkerDisk | DiskFailure {
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
  if (info.isFile) return LunFile.open(path, nexus);
  const generic = info.isCharDevice === true && /^\/dev\/sg\d+$/.test(path);
  if (info.isBlockDevice !== true && !generic) {
    return { failure: "unsupported", detail: `"${path}" is no file or block device` };
  }
  const place = placeOf(path, info.rdev ?? 0);
  return isFailure(place) ? place : openDevice(place);
}

function openDevice(place: DevicePlace): WorkerDisk | DiskFailure {
  const data = DirectFile.open(place.data);
  if (isFailure(data)) return data;
  const way = openWay(place);
  if (!isFailure(way)) return new DeviceDisk(place.kind, data, way);
  data.close();
  return way;
}

function openWay({ kind, data, paths }: DevicePlace): ReservationWay | DiskFailure {
  if (kind === "nvme") return PrWay.open(data);
  const way = ScsiWay.open(paths);
  return isFailure(way) && way.failure === "unsupported" ? PrWay.open(data) : way;
}
