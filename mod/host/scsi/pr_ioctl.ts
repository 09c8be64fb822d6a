/**
 * The block layer's own reservation calls, as numbers and results: for NVMe, and for disks that
 * take no SCSI commands from us. Pure.
 *
 * linux/pr.h. A positive result is an `enum pr_status`, not a success; and kernels were seen to let
 * an inner byte leak into it, so that a conflict came as 118h: only the low byte counts for it.
 *
 * @module
 */
import type { ReservationType } from "../ports.ts";

/** Numbers of _IOW and _IOR with 'p', equal on x86-64 and arm64. */
export const PR_IOCTL = {
  register: 0x401870c8,
  reserve: 0x401070c9,
  release: 0x401070ca,
  preempt: 0x401870cb,
  preemptAbort: 0x401870cc,
  clear: 0x401070cd,
  /** Linux 6.19. */
  readKeys: 0xc01070ce,
  readReservation: 0x801070cf,
} as const;

/** PR_FL_IGNORE_KEY */
export const IGNORE_KEY = 1;

/** `enum pr_type` is no SCSI code: by place, 1 to 6. */
const TYPES: readonly ReservationType[] = [1, 3, 5, 6, 7, 8];

/** The kernel's number of a type. */
export function prType(type: ReservationType): number {
  return TYPES.indexOf(type) + 1;
}

/** The type of a kernel's number; null for none. */
export function scsiType(number: number): ReservationType | null {
  return TYPES[number - 1] ?? null;
}

/** How a call ended. */
export type PrEnd =
  | { readonly end: "done" }
  | { readonly end: "conflict" }
  | { readonly end: "errno"; readonly errno: number }
  | { readonly end: "failed"; readonly why: string };

/** PR_STS_… */
const CONFLICT = 0x18;
const STATUS: Readonly<Record<number, string>> = {
  0x2: "I/O error",
  0xe0000: "the path failed, another try may do",
  0xf0000: "the path failed fast",
  0x10000: "the path failed",
};

/** Reads the result of an ioctl: 0, a status, or −1 with `errno`. */
export function prEnd(result: number, errno: number): PrEnd {
  if (result === 0) return { end: "done" };
  if (result < 0) return { end: "errno", errno };
  if ((result & 0xff) === CONFLICT) return { end: "conflict" };
  const why = STATUS[result] ?? `unknown status ${result.toString(16)}h`;
  return { end: "failed", why };
}
