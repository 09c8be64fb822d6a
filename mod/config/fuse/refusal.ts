/**
 * Which error a program is given for each cause. One cause, one error, wherever programs know it:
 * "no quorum", "busy", "not done in time" and "denied" look all the same in Proxmox VE (EACCES).
 *
 * @module
 */
import type { ProblemCode } from "../../base/problem.ts";
import type { Errno } from "./requests.ts";

/** Nobody knows yet whether it will be committed. */
export const UNKNOWN_OUTCOME: Errno = "ETIMEDOUT";
/** It surely did not happen, for want of room or of time. */
export const BUSY: Errno = "EAGAIN";
/** This node sees no majority. */
export const NO_QUORUM: Errno = "EROFS";

const ERRNOS: Readonly<Partial<Record<ProblemCode, Errno>>> = {
  "api.busy": BUSY,
  "config.no-quorum": NO_QUORUM,
  "config.unknown-outcome": UNKNOWN_OUTCOME,
  // Others changed it again and again while we tried.
  "config.version-mismatch": BUSY,
  "config.not-found": "ENOENT",
  "config.exists": "EEXIST",
  "config.guest-exists": "EEXIST",
  "config.not-a-directory": "ENOTDIR",
  "config.is-a-directory": "EISDIR",
  "config.not-empty": "ENOTEMPTY",
  "config.bad-path": "EINVAL",
  "config.too-large": "EFBIG",
  "config.full": "ENOSPC",
};

/** The error for a transaction that was refused. What no program can cause is EIO. */
export function errnoOf(code: ProblemCode): Errno {
  return ERRNOS[code] ?? "EIO";
}

/** True where somebody else's transaction may be why, so that another look at the tree may help. */
export function isConflict(code: ProblemCode): boolean {
  return code === "config.version-mismatch" || code === "config.exists" ||
    code === "config.not-found";
}
