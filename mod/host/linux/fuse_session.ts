/**
 * One mounted file system: takes requests from the device, and ends.
 *
 * Waiting (poll(2)) happens on another thread, so that timers, sockets and the watchdog go on;
 * reading happens on this one, for a thread hop costs more than most requests. After each request
 * the device is looked at for a moment longer: open, read and close of one program follow each
 * other at once. A turn is bounded in time, whatever the kernel has for us: beats come first.
 *
 * @module
 */
import {
  type FuseDevice,
  MNT_DETACH,
  MNT_FORCE,
  UMOUNT_NOFOLLOW,
  unmount,
} from "../ffi/fuse_device.ts";
import { ENODEV } from "../ffi/file.ts";
import type { FuseHandlers, FuseSession } from "../ports.ts";
import { type Mount, mountAt, readMounts } from "./mountinfo.ts";

/** How long the device is looked at after a request for the one that follows. */
export const SPIN_MS = 0.03;
/** Longest turn, but for the request that ends it; then the event loop has its own. */
export const TURN_MS = 2;
/** Notices that the kernel may hold back at a time: a thread each, of some 30 that there are. */
export const NOTICES_AT_ONCE_MAX = 4;
/** Notices that wait for their turn; more are dropped. */
export const NOTICES_MAX = 65_536;
/** An error of read(2) counts when it came so often in a row: errno is not ours alone. */
const READ_ERRORS_MAX = 3;
/** asm-generic/errno.h: the connection was aborted. */
const ECONNABORTED = 103;

/** The device, as a session uses it. */
export type FuseChannel = Pick<
  FuseDevice,
  "read" | "write" | "writeAside" | "wait" | "ring" | "close"
>;

/** What a session is made of. */
export interface FuseSessionParts {
  readonly device: FuseChannel;
  /** Ours, to be taken away at the end. */
  readonly mount: Mount;
  readonly handlers: FuseHandlers;
  /** Milliseconds of a monotonic clock, with fractions. */
  readonly now: () => number;
}

/** See the module's note. */
export class LinuxFuseSession implements FuseSession {
  readonly #device: FuseChannel;
  readonly #mount: Mount;
  readonly #handlers: FuseHandlers;
  readonly #now: () => number;
  /** Notices that wait, without those that are being written. */
  #notices: Uint8Array[] = [];
  readonly #writing = new Set<Promise<void>>();
  /** Why it ends; null while it runs. */
  #end: string | null = null;
  #ending: Promise<void> | null = null;
  #closed = false;

  constructor(parts: FuseSessionParts) {
    this.#device = parts.device;
    this.#mount = parts.mount;
    this.#handlers = parts.handlers;
    this.#now = parts.now;
  }

  /** Takes requests until the end, then tells it. */
  async run(): Promise<void> {
    while (!this.#closed) {
      await this.#device.wait();
      if (!this.#closed) this.#turn();
    }
    this.#ending ??= this.#unmount();
    await this.#ending;
    await Promise.all(this.#writing);
    this.#device.close();
    this.#handlers.onClosed(this.#end ?? "unmounted");
  }

  reply(bytes: Uint8Array): void {
    // Errors: ENOENT, the request was aborted; ENODEV, the mount is gone, which the next read tells;
    // EINVAL, the reply makes no sense, and the kernel has made an EIO of it.
    if (!this.#closed) this.#device.write(ownBytes(bytes));
  }

  notify(bytes: Uint8Array): void {
    if (this.#closed || this.#notices.length >= NOTICES_MAX) return;
    this.#notices.push(bytes);
    this.#writeNotices();
  }

  unmount(): void {
    this.#end ??= "unmounted";
    this.#ending ??= this.#unmount().then(() => this.#close());
  }

  /** Takes what is there, for a bounded time. */
  #turn(): void {
    const started = this.#now();
    let spinUntil = 0;
    let errors = 0;
    for (;;) {
      const result = this.#device.read();
      if (result.got === "request") {
        errors = 0;
        this.#handlers.onRequest(result.bytes);
        if (this.#closed) return;
        const now = this.#now();
        if (now - started >= TURN_MS) return;
        spinUntil = now + SPIN_MS;
      } else if (result.got === "nothing") {
        errors = 0;
        if (this.#now() >= spinUntil) return;
      } else if (result.got === "error" && ++errors >= READ_ERRORS_MAX) {
        this.#end ??= whyClosed(result.errno);
        return this.#close();
      }
    }
  }

  /** No more requests are taken, and what waits for them is woken. */
  #close(): void {
    this.#closed = true;
    this.#notices = [];
    this.#device.ring();
  }

  #writeNotices(): void {
    while (this.#writing.size < NOTICES_AT_ONCE_MAX) {
      const next = this.#notices.shift();
      if (next === undefined) return;
      const writing: Promise<void> = this.#device.writeAside(ownBytes(next)).then(() => {
        this.#writing.delete(writing);
        this.#writeNotices();
      });
      this.#writing.add(writing);
    }
  }

  /**
   * Gently, while requests are still answered; then, where files are open or nobody answers any
   * more, by force: MNT_FORCE aborts what is under way, so that nothing waits for us for ever.
   */
  async #unmount(): Promise<void> {
    for (const flags of [0, MNT_DETACH | MNT_FORCE]) {
      // Somebody else's mount on top of ours is not ours to take away.
      if (mountAt(readMounts(), this.#mount.target)?.id !== this.#mount.id) return;
      if (await unmount(this.#mount.target, flags | UMOUNT_NOFOLLOW)) return;
    }
  }
}

/** Nothing here is shared with another thread, which the type cannot tell. */
function ownBytes(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  return bytes as Uint8Array<ArrayBuffer>;
}

function whyClosed(errno: number): string {
  if (errno === ENODEV) return "it was unmounted from outside";
  if (errno === ECONNABORTED) return "its connection was aborted from outside";
  return `reading the device failed with errno ${errno}`;
}
