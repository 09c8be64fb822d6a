/** What an errno of a disk call means. @module */
import {
  EACCES,
  EBADE,
  EINVAL,
  ENODEV,
  ENOENT,
  ENOTTY,
  ENXIO,
  EOPNOTSUPP,
  EPERM,
  EROFS,
} from "../ffi/file.ts";
import type { DiskFailure } from "../ports.ts";

/** The failure of a read, write or open that set `code`. */
export function failureOfErrno(code: number, call: string): DiskFailure {
  const detail = `${call} failed with errno ${code}`;
  if (code === EBADE) return { failure: "conflict", detail };
  if (code === ENOENT || code === ENXIO || code === ENODEV) return { failure: "absent", detail };
  if (code === EACCES || code === EPERM || code === EROFS) return { failure: "denied", detail };
  return { failure: "io", detail };
}

/** True where the kernel has no such ioctl for this device; disks say EINVAL as well as ENOTTY. */
export function isNoSuchCall(code: number): boolean {
  return code === ENOTTY || code === EINVAL || code === EOPNOTSUPP;
}
