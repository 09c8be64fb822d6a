/**
 * What is agreed with the kernel at INIT.
 *
 * No writeback cache: a write must be here when write(2) returns, for close(2) makes it a
 * transaction. No EXPORT_SUPPORT: nothing here is looked up by number over NFS.
 *
 * @module
 */
import { INIT, MAJOR, MINOR, MINOR_MIN, PAGES_MAX, TRANSFER_BYTES_MAX } from "./protocol.ts";
import type { FuseRequest } from "./requests.ts";

/** The kernel's offer. */
export type InitRequest = Extract<FuseRequest, { call: "init" }>;

/** What the INIT reply says. */
export interface Agreement {
  readonly minor: number;
  readonly maxReadahead: number;
  readonly flags: bigint;
  readonly maxWrite: number;
  readonly maxPages: number;
}

/** Asked for wherever the kernel has it. */
const WANTED = INIT.asyncRead | INIT.atomicTruncate | INIT.bigWrites | INIT.autoInvalidateData |
  INIT.readdirplus | INIT.readdirplusAuto | INIT.parallelDirectories | INIT.handleKillPrivileges |
  INIT.abortError | INIT.maxPages | INIT.cacheSymlinks | INIT.handleKillPrivilegesV2 |
  INIT.extended;

/** Bytes of a WRITE without MAX_PAGES: 32 pages. */
const OLD_TRANSFER_BYTES_MAX = 32 * 4096;

/**
 * What to agree to. `older`: the kernel is older than 7.31 and is refused; `newer`: it knows a
 * later major version, is told ours, and asks again.
 */
export function negotiate(
  offer: Pick<InitRequest, "major" | "minor" | "flags" | "maxReadahead">,
  locks: { readonly posix: boolean; readonly flock: boolean },
): Agreement | "older" | "newer" {
  if (offer.major > MAJOR) return "newer";
  if (offer.major < MAJOR || offer.minor < MINOR_MIN) return "older";
  const wanted = WANTED | (locks.posix ? INIT.posixLocks : 0n) |
    (locks.flock ? INIT.flockLocks : 0n);
  const flags = wanted & offer.flags;
  const many = (flags & INIT.maxPages) !== 0n;
  return {
    minor: Math.min(offer.minor, MINOR),
    maxReadahead: Math.min(offer.maxReadahead, TRANSFER_BYTES_MAX),
    flags,
    maxWrite: many ? TRANSFER_BYTES_MAX : OLD_TRANSFER_BYTES_MAX,
    maxPages: many ? PAGES_MAX : 0,
  };
}
