/**
 * Reads and writes past the page cache. Without O_DIRECT a reader of a shared disk sees its own
 * cache for ever; where a file system refuses the flag (it is then no shared disk), plain calls
 * serve.
 *
 * open(2), notes on O_DIRECT: buffer, offset and length are aligned to the logical block size; 4096
 * satisfies every device.
 *
 * @module
 */
import type { DiskFailure } from "../ports.ts";
import {
  EINVAL,
  errno,
  type FileLibrary,
  fileLibrary,
  O_CLOEXEC,
  O_DIRECT,
  O_RDWR,
  SEEK_END,
} from "../ffi/file.ts";
import { failureOfErrno } from "./device_errno.ts";

/** Offsets and lengths are multiples of this. */
export const ALIGNMENT = 4096;
/** The longest single transfer. */
export const TRANSFER_BYTES_MAX = 1024 * 1024;

/** A file or block device, open for direct reads and durable writes. */
export class DirectFile {
  /** False where the file system refuses O_DIRECT. */
  readonly direct: boolean;
  readonly sizeBytes: number;
  readonly #libc: FileLibrary;
  readonly #fd: number;
  readonly #buffer: Deno.PointerObject;

  private constructor(libc: FileLibrary, opened: { fd: number; direct: boolean; size: number }) {
    this.#libc = libc;
    this.#fd = opened.fd;
    this.direct = opened.direct;
    this.sizeBytes = opened.size;
    this.#buffer = alignedBuffer(libc);
  }

  /** Opens `path` for reading and writing. */
  static open(path: string): DirectFile | DiskFailure {
    const libc = fileLibrary();
    const name = new TextEncoder().encode(`${path}\0`);
    let fd = libc.open(name, O_RDWR | O_CLOEXEC | O_DIRECT, 0);
    const direct = fd >= 0;
    if (!direct && errno() === EINVAL) fd = libc.open(name, O_RDWR | O_CLOEXEC, 0);
    if (fd < 0) return failureOfErrno(errno(), `open "${path}"`);
    const size = Number(libc.lseek(fd, 0n, SEEK_END));
    if (size >= 0) return new DirectFile(libc, { fd, direct, size });
    const failure = failureOfErrno(errno(), `lseek "${path}"`);
    libc.close(fd);
    return failure;
  }

  /** Reads `length` bytes at `offset`; both are multiples of {@link ALIGNMENT}. */
  read(offset: number, length: number): Uint8Array | DiskFailure {
    const fault = transferFault(offset, length, this.sizeBytes);
    if (fault !== null) return fault;
    const got = Number(this.#libc.pread(this.#fd, this.#buffer, BigInt(length), BigInt(offset)));
    if (got < 0) return failureOfErrno(errno(), "pread");
    if (got !== length) return { failure: "io", detail: `Read ${got} of ${length} bytes` };
    return new Uint8Array(Deno.UnsafePointerView.getArrayBuffer(this.#buffer, length).slice(0));
  }

  /** Writes `bytes` at `offset`, durable when this returns null. */
  write(offset: number, bytes: Uint8Array): DiskFailure | null {
    const fault = transferFault(offset, bytes.length, this.sizeBytes);
    if (fault !== null) return fault;
    const length = bytes.length;
    new Uint8Array(Deno.UnsafePointerView.getArrayBuffer(this.#buffer, length)).set(bytes);
    const put = Number(this.#libc.pwrite(this.#fd, this.#buffer, BigInt(length), BigInt(offset)));
    if (put < 0) return failureOfErrno(errno(), "pwrite");
    if (put !== length) return { failure: "io", detail: `Wrote ${put} of ${length} bytes` };
    return this.#libc.fdatasync(this.#fd) < 0 ? failureOfErrno(errno(), "fdatasync") : null;
  }

  close(): void {
    this.#libc.close(this.#fd);
    this.#libc.free(this.#buffer);
  }
}

/** What is wrong with a transfer, before the system is asked; null where nothing is. */
export function transferFault(
  offset: number,
  length: number,
  sizeBytes: number,
): DiskFailure | null {
  const whole = Number.isSafeInteger(offset) && Number.isSafeInteger(length);
  if (!whole || offset % ALIGNMENT !== 0 || length % ALIGNMENT !== 0) {
    return {
      failure: "io",
      detail: `${length} bytes at ${offset} are not aligned to ${ALIGNMENT}`,
    };
  }
  if (offset < 0 || length <= 0 || length > TRANSFER_BYTES_MAX) {
    return { failure: "io", detail: `${length} bytes at ${offset} are out of bounds` };
  }
  if (offset + length > sizeBytes) {
    return { failure: "io", detail: `${length} bytes at ${offset} pass the end at ${sizeBytes}` };
  }
  return null;
}

function alignedBuffer(libc: FileLibrary): Deno.PointerObject {
  const out = new BigUint64Array(1);
  const code = libc.posix_memalign(
    new Uint8Array(out.buffer),
    BigInt(ALIGNMENT),
    BigInt(TRANSFER_BYTES_MAX),
  );
  const pointer = Deno.UnsafePointer.create(out[0] ?? 0n);
  if (code !== 0 || pointer === null) throw new Error(`Cannot allocate a buffer: error ${code}`);
  return pointer;
}
