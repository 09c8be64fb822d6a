/**
 * What a device file is, and which paths lead to its disk: read from sysfs
 * (Documentation/ABI/stable/sysfs-block, scsi_generic, and dm's `dm/uuid`).
 *
 * @module
 */
import type { DiskFailure } from "../ports.ts";

/** A disk's places. */
export interface DevicePlace {
  readonly kind: "scsi" | "nvme";
  /** Where blocks are read and written. */
  readonly data: string;
  /** Where commands go, each a path (an I_T nexus) of its own: at least one. */
  readonly paths: readonly string[];
}

/** Where sysfs is mounted. */
const SYS = "/sys";
/** linux/major.h: SCSI_GENERIC_MAJOR */
const SG_MAJOR = 21;
/** More paths than this to one disk are not believed. */
export const PATHS_MAX = 64;

/** Looks at the device file `path`, of device number `rdev`. */
export function placeOf(path: string, rdev: number, sys = SYS): DevicePlace | DiskFailure {
  const { major, minor } = split(rdev);
  if (major === SG_MAJOR) return placeOfGeneric(path, minor, sys);
  const folder = `${sys}/dev/block/${major}:${minor}`;
  if (exists(`${folder}/partition`)) {
    return { failure: "unsupported", detail: `"${path}" is a partition; name the whole disk` };
  }
  if (/^mpath-/.test(text(`${folder}/dm/uuid`) ?? "")) {
    const paths = names(`${folder}/slaves`).map((name) => `/dev/${name}`);
    const count = paths.length;
    if (count >= 1 && count <= PATHS_MAX) return { kind: "scsi", data: path, paths };
    return { failure: "absent", detail: `"${path}" has ${count} paths` };
  }
  const nvme = names(`${folder}/device`).some((name) => /^nvme\d/.test(name)) ||
    /^\/dev\/nvme/.test(path);
  return { kind: nvme ? "nvme" : "scsi", data: path, paths: [path] };
}

/** Major and minor of a device number: sys/sysmacros.h. */
function split(rdev: number): { major: number; minor: number } {
  const low = rdev >>> 0;
  const high = Math.floor(rdev / 2 ** 32);
  const major = ((low >>> 8) & 0xfff) | ((high & 0xfffff000) >>> 0);
  const minor = (low & 0xff) | ((low >>> 12) & 0xffffff00);
  return { major, minor };
}

/** Commands go to the generic device, blocks to the disk that belongs to it. */
function placeOfGeneric(path: string, minor: number, sys: string): DevicePlace | DiskFailure {
  const blocks = names(`${sys}/class/scsi_generic/sg${minor}/device/block`);
  const [name] = blocks;
  if (name === undefined) {
    return { failure: "unsupported", detail: `"${path}" is no disk` };
  }
  return { kind: "scsi", data: `/dev/${name}`, paths: [path] };
}

function names(folder: string): string[] {
  try {
    return [...Deno.readDirSync(folder)].map(({ name }) => name).sort();
  } catch {
    return [];
  }
}

function text(file: string): string | null {
  try {
    return Deno.readTextFileSync(file).trim();
  } catch {
    return null;
  }
}

function exists(path: string): boolean {
  try {
    Deno.lstatSync(path);
    return true;
  } catch {
    return false;
  }
}
