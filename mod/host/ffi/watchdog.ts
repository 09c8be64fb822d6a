/**
 * The watchdog device's ioctls (linux/watchdog.h).
 *
 * @module
 */
import { HERE } from "./abi.ts";
import { openLibc } from "./libc.ts";

/** SETTIMEOUT takes seconds, and gives back what was set. */
const { WDIOC_GETSUPPORT, WDIOC_KEEPALIVE, WDIOC_SETTIMEOUT, WDIOC_GETTIMEOUT } = HERE;
/** watchdog_info.options: the timeout can be set; writing `V` before close disarms. */
export const { WDIOF_SETTIMEOUT, WDIOF_MAGICCLOSE } = HERE;

/** linux/watchdog.h: `V` */
const MAGIC = new Uint8Array([0x56]);
const { O_WRONLY, O_CLOEXEC } = HERE;

/** struct watchdog_info: u32 options, u32 firmware_version, u8 identity[32] */
const INFO_BYTES = 40;
const IDENTITY_AT = 8;

const SYMBOLS = {
  // int open(const char *pathname, int flags, ...);
  open: { parameters: ["buffer", "i32", "u32"], result: "i32" },
  // int close(int fd);
  close: { parameters: ["i32"], result: "i32" },
  // ssize_t write(int fd, const void *buf, size_t count);
  write: { parameters: ["i32", "buffer", "usize"], result: "isize" },
  // int ioctl(int fd, unsigned long request, ...);
  ioctl: { parameters: ["i32", "u64", "buffer"], result: "i32" },
} as const satisfies Deno.ForeignLibraryInterface;

type Library = Deno.DynamicLibrary<typeof SYMBOLS>["symbols"];

/** What a device says about itself. */
export interface WatchdogInfo {
  readonly options: number;
  readonly identity: string;
}

/** An open watchdog device: it is armed from the moment of opening. */
export class WatchdogFile {
  readonly #libc: Library;
  readonly #fd: number;
  readonly #value = new Int32Array(1);
  readonly #bytes = new Uint8Array(this.#value.buffer);

  private constructor(libc: Library, fd: number) {
    this.#libc = libc;
    this.#fd = fd;
  }

  /** Opens and so arms the device; null where there is none or another program has it. */
  static open(path: string): WatchdogFile | null {
    const libc = openLibc(SYMBOLS);
    const fd = libc.open(new TextEncoder().encode(`${path}\0`), O_WRONLY | O_CLOEXEC, 0);
    return fd < 0 ? null : new WatchdogFile(libc, fd);
  }

  /** Options and identity; null where the file is no watchdog. */
  info(): WatchdogInfo | null {
    const bytes = new Uint8Array(INFO_BYTES);
    if (this.#libc.ioctl(this.#fd, BigInt(WDIOC_GETSUPPORT), bytes) !== 0) return null;
    const text = new TextDecoder("latin1").decode(bytes.subarray(IDENTITY_AT));
    return {
      options: new DataView(bytes.buffer).getUint32(0, true),
      identity: text.split("\0", 1)[0] ?? "",
    };
  }

  /** Asks for a timeout in seconds; returns the one in force, null where it cannot be told. */
  setTimeout(seconds: number): number | null {
    this.#value[0] = seconds;
    this.#libc.ioctl(this.#fd, BigInt(WDIOC_SETTIMEOUT), this.#bytes);
    this.#value[0] = 0;
    const told = this.#libc.ioctl(this.#fd, BigInt(WDIOC_GETTIMEOUT), this.#bytes) === 0;
    return told ? this.#value[0] ?? null : null;
  }

  /** Restarts the device's countdown; false where the device refused. */
  keepAlive(): boolean {
    return this.#libc.ioctl(this.#fd, BigInt(WDIOC_KEEPALIVE), this.#bytes) === 0;
  }

  /** Writes the magic character and closes: disarms, unless the driver is built with nowayout. */
  magicClose(): void {
    this.#libc.write(this.#fd, MAGIC, 1n);
    this.#libc.close(this.#fd);
  }
}
