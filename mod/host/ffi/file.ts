/**
 * The C library's calls for raw file access. Each C prototype stands beside its symbol.
 *
 * @module
 */
import { HERE } from "./abi.ts";

/** Of open(2) and lseek(2). */
export const { O_RDWR, O_DSYNC, O_CLOEXEC, O_DIRECT, SEEK_END } = HERE;

/** Numbers of asm-generic/errno-base.h and errno.h. */
export const EPERM = 1;
export const ENOENT = 2;
export const EIO = 5;
export const ENXIO = 6;
export const EACCES = 13;
export const ENODEV = 19;
export const EINVAL = 22;
export const ENOTTY = 25;
export const EROFS = 30;
/** What the block layer makes of a RESERVATION CONFLICT. */
export const EBADE = 52;
export const EOPNOTSUPP = 95;

const SYMBOLS = {
  // int open(const char *pathname, int flags, ...);
  open: { parameters: ["buffer", "i32", "u32"], result: "i32" },
  // int close(int fd);
  close: { parameters: ["i32"], result: "i32" },
  // ssize_t pread(int fd, void *buf, size_t count, off_t offset);
  pread: { parameters: ["i32", "pointer", "usize", "i64"], result: "isize" },
  // ssize_t pwrite(int fd, const void *buf, size_t count, off_t offset);
  pwrite: { parameters: ["i32", "pointer", "usize", "i64"], result: "isize" },
  // int fdatasync(int fd);
  fdatasync: { parameters: ["i32"], result: "i32" },
  // off_t lseek(int fd, off_t offset, int whence);
  lseek: { parameters: ["i32", "i64", "i32"], result: "i64" },
  // int posix_memalign(void **memptr, size_t alignment, size_t size);
  posix_memalign: { parameters: ["buffer", "usize", "usize"], result: "i32" },
  // void free(void *ptr);
  free: { parameters: ["pointer"], result: "void" },
  // int *__errno_location(void);
  __errno_location: { parameters: [], result: "pointer" },
} as const satisfies Deno.ForeignLibraryInterface;

/** The loaded library. */
export type FileLibrary = Deno.DynamicLibrary<typeof SYMBOLS>["symbols"];

/** Names under which Linux has its C library: glibc, then musl. */
const LIBRARIES = ["libc.so.6", "libc.musl-x86_64.so.1", "libc.musl-aarch64.so.1"];

let loaded: FileLibrary | null = null;

/** Loads the C library once. Throws where the host has none that we know. */
export function fileLibrary(): FileLibrary {
  let cause: unknown = null;
  for (const name of LIBRARIES) {
    if (loaded !== null) return loaded;
    try {
      loaded = Deno.dlopen(name, SYMBOLS).symbols;
    } catch (error) {
      cause ??= error;
    }
  }
  if (loaded !== null) return loaded;
  throw new Error("Cannot load the C library", { cause });
}

/** errno of the call just made. Read it at once: any other call may change it. */
export function errno(): number {
  const at = fileLibrary().__errno_location();
  return at === null ? EIO : new Deno.UnsafePointerView(at).getInt32();
}
