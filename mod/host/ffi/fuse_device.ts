/**
 * /dev/fuse and the calls about mounts. Each C prototype stands beside its symbol.
 *
 * Calls that can wait for somebody run off the event loop's thread (`nonblocking`); their errno is
 * that of another thread and cannot be told, so they say only whether they succeeded.
 *
 * @module
 */
import { HERE } from "./abi.ts";
import { errno } from "./file.ts";
import { openLibc } from "./libc.ts";

const { O_RDWR, O_CLOEXEC, O_NONBLOCK, POLLIN } = HERE;
/** Of mount(2). */
export const MS_NOSUID = BigInt(HERE.MS_NOSUID);
export const MS_NODEV = BigInt(HERE.MS_NODEV);
export const MS_NOATIME = BigInt(HERE.MS_NOATIME);
/** Of umount2(2). */
export const { MNT_FORCE, MNT_DETACH, UMOUNT_NOFOLLOW } = HERE;
const EFD_FLAGS = HERE.EFD_CLOEXEC | HERE.EFD_NONBLOCK;

/** asm-generic/errno-base.h and errno.h */
const EINTR = 4;
const ENOENT = 2;
const EAGAIN = 11;

const SYMBOLS = {
  // int open(const char *pathname, int flags, ...);
  open: { parameters: ["buffer", "i32", "u32"], result: "i32" },
  // int close(int fd);
  close: { parameters: ["i32"], result: "i32" },
  // ssize_t read(int fd, void *buf, size_t count);
  read: { parameters: ["i32", "buffer", "usize"], result: "isize" },
  // ssize_t write(int fd, const void *buf, size_t count);
  write: { parameters: ["i32", "buffer", "usize"], result: "isize" },
  writeAside: {
    name: "write",
    parameters: ["i32", "buffer", "usize"],
    result: "isize",
    nonblocking: true,
  },
  // int poll(struct pollfd *fds, nfds_t nfds, int timeout);
  poll: { parameters: ["buffer", "u64", "i32"], result: "i32", nonblocking: true },
  // int eventfd(unsigned int initval, int flags);
  eventfd: { parameters: ["u32", "i32"], result: "i32" },
  // int mount(const char *source, const char *target, const char *filesystemtype,
  //           unsigned long mountflags, const void *data);
  mount: { parameters: ["buffer", "buffer", "buffer", "u64", "buffer"], result: "i32" },
  // int umount2(const char *target, int flags);
  umount2: { parameters: ["buffer", "i32"], result: "i32", nonblocking: true },
} as const satisfies Deno.ForeignLibraryInterface;

type Library = Deno.DynamicLibrary<typeof SYMBOLS>["symbols"];

let loaded: Library | null = null;

function library(): Library {
  loaded ??= openLibc(SYMBOLS);
  return loaded;
}

function text(value: string): Uint8Array<ArrayBuffer> {
  return new TextEncoder().encode(`${value}\0`);
}

/** Buffers that a call on another thread has the address of: they must not be collected. */
const pinned = new Set<Uint8Array>();

async function aside<T>(buffer: Uint8Array, call: Promise<T>): Promise<T> {
  pinned.add(buffer);
  try {
    return await call;
  } finally {
    pinned.delete(buffer);
  }
}

/** Unmounts what is on top at `target`; false where the kernel refuses. `flags` of umount2(2). */
export async function unmount(target: string, flags: number): Promise<boolean> {
  const path = text(target);
  return await aside(path, library().umount2(path, flags)) === 0;
}

/** What reading a device brought: so many bytes, nothing yet, try again, or an errno. */
export type ReadResult =
  | { readonly got: "request"; readonly bytes: Uint8Array }
  | { readonly got: "nothing" | "retry" }
  | { readonly got: "error"; readonly errno: number };

const NOTHING: ReadResult = { got: "nothing" };
const RETRY: ReadResult = { got: "retry" };

/** An open /dev/fuse: one connection to the kernel from `mount` on. */
export class FuseDevice {
  readonly #libc: Library;
  readonly #fd: number;
  readonly #bell: number;
  readonly #buffer: Uint8Array<ArrayBuffer>;
  /** struct pollfd { int fd; short events; short revents; }, of the device and of the bell */
  readonly #polled = new Int32Array(4);
  readonly #polledBytes = new Uint8Array(this.#polled.buffer);

  private constructor(
    libc: Library,
    parts: { fd: number; bell: number; bufferBytes: number },
  ) {
    this.#libc = libc;
    this.#fd = parts.fd;
    this.#bell = parts.bell;
    this.#buffer = new Uint8Array(parts.bufferBytes);
    this.#polled.set([parts.fd, POLLIN, parts.bell, POLLIN]);
  }

  /** Opens the device at `path`; an errno where that fails. */
  static open(path: string, bufferBytes: number): FuseDevice | number {
    const libc = library();
    const fd = libc.open(text(path), O_RDWR | O_CLOEXEC | O_NONBLOCK, 0);
    if (fd < 0) return errno();
    const bell = libc.eventfd(0, EFD_FLAGS);
    if (bell >= 0) return new FuseDevice(libc, { fd, bell, bufferBytes });
    const code = errno();
    libc.close(fd);
    return code;
  }

  /** mount(2) with this device; 0, or an errno. Does not wait for the INIT that it causes. */
  mount(
    ask: { source: string; target: string; type: string; flags: bigint; data: string },
  ): number {
    const { source, target, type, flags, data } = ask;
    const whole = text(`fd=${this.#fd},${data}`);
    const code = this.#libc.mount(text(source), text(target), text(type), flags, whole);
    return code === 0 ? 0 : errno();
  }

  /** The next request, as bytes of its own, or why there is none. Never waits. */
  read(): ReadResult {
    const got = Number(this.#libc.read(this.#fd, this.#buffer, BigInt(this.#buffer.length)));
    if (got >= 0) return { got: "request", bytes: this.#buffer.slice(0, got) };
    const code = errno();
    if (code === EAGAIN) return NOTHING;
    // ENOENT: that request was aborted while it was being read.
    return code === EINTR || code === ENOENT ? RETRY : { got: "error", errno: code };
  }

  /** Writes a reply; 0, or an errno. */
  write(bytes: Uint8Array<ArrayBuffer>): number {
    return this.#libc.write(this.#fd, bytes, BigInt(bytes.length)) < 0 ? errno() : 0;
  }

  /** Writes off this thread, for as long as the kernel wants to wait. */
  async writeAside(bytes: Uint8Array<ArrayBuffer>): Promise<void> {
    const call = this.#libc.writeAside(this.#fd, bytes, BigInt(bytes.length));
    await aside(bytes, call);
  }

  /** Waits, off this thread, until there is something to read, an error, or the bell. */
  async wait(): Promise<void> {
    await aside(this.#polledBytes, this.#libc.poll(this.#polledBytes, 2n, -1));
  }

  /** Ends a `wait` that is under way, and every later one. */
  ring(): void {
    this.#libc.write(this.#bell, new Uint8Array([1, 0, 0, 0, 0, 0, 0, 0]), 8n);
  }

  /** Only while no `wait` and no `writeAside` is under way: a closed number is soon another file's. */
  close(): void {
    this.#libc.close(this.#fd);
    this.#libc.close(this.#bell);
  }
}
