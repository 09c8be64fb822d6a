/**
 * Process handles that cannot be reused (pidfd_open(2), pidfd_send_signal(2)) and the clock that
 * goes on while the host is suspended (clock_gettime(2)).
 *
 * @module
 */
import { type Instant, instant } from "../../base/time.ts";
import { HERE } from "./abi.ts";
import { openLibc } from "./libc.ts";

const SYS_PIDFD_SEND_SIGNAL = BigInt(HERE.SYS_pidfd_send_signal);
const SYS_PIDFD_OPEN = BigInt(HERE.SYS_pidfd_open);
const { CLOCK_BOOTTIME } = HERE;

export const { SIGKILL, SIGTERM } = HERE;

const SYMBOLS = {
  // long syscall(long number, ...);
  syscall: { parameters: ["i64", "i64", "i64", "i64", "i64"], result: "i64" },
  // int close(int fd);
  close: { parameters: ["i32"], result: "i32" },
  // int clock_gettime(clockid_t clockid, struct timespec *tp);
  clock_gettime: { parameters: ["i32", "buffer"], result: "i32" },
} as const satisfies Deno.ForeignLibraryInterface;

type Library = Deno.DynamicLibrary<typeof SYMBOLS>["symbols"];

let loaded: Library | null = null;

function library(): Library {
  loaded ??= openLibc(SYMBOLS);
  return loaded;
}

/** struct timespec { time_t tv_sec; long tv_nsec; }, both of 64 bits */
const timespec = new BigInt64Array(2);
const timespecBytes = new Uint8Array(timespec.buffer);

/** CLOCK_BOOTTIME in milliseconds. */
export function boottime(): Instant {
  if (library().clock_gettime(CLOCK_BOOTTIME, timespecBytes) !== 0) {
    throw new Error("Cannot read CLOCK_BOOTTIME");
  }
  return instant(Number(timespec[0] ?? 0n) * 1000 + Number(timespec[1] ?? 0n) / 1e6);
}

/**
 * Signals the process `pid` if `same()` says, while the handle is held, that it is the one meant.
 * Returns false where it is gone, is another, or may not be signalled.
 */
export function signalProcess(pid: number, signal: number, same: () => boolean): boolean {
  const libc = library();
  const fd = Number(libc.syscall(SYS_PIDFD_OPEN, BigInt(pid), 0n, 0n, 0n));
  if (fd < 0) return false;
  try {
    if (!same()) return false;
    return libc.syscall(SYS_PIDFD_SEND_SIGNAL, BigInt(fd), BigInt(signal), 0n, 0n) === 0n;
  } finally {
    libc.close(fd);
  }
}
