/**
 * Numbers of the FUSE protocol, as linux/fuse.h has them (7.31 and newer; sizes in bytes). Errors
 * are in `errno.ts`.
 *
 * @module
 */

/** FUSE_KERNEL_VERSION: the only major version there is. */
export const MAJOR = 7;
/** The oldest kernel that is served: Linux 5.4. Structures are not sized for older ones. */
export const MINOR_MIN = 31;
/** FUSE_KERNEL_MINOR_VERSION of the header that this was written from. */
export const MINOR = 38;
/** FUSE_ROOT_ID */
export const ROOT_NODE = 1;

/** struct fuse_in_header: u32 len, opcode; u64 unique, nodeid; u32 uid, gid, pid; u16 extlen, padding. */
export const IN_HEADER_BYTES = 40;
/** struct fuse_out_header: u32 len; i32 error; u64 unique. */
export const OUT_HEADER_BYTES = 16;
/** struct fuse_write_in */
export const WRITE_IN_BYTES = 40;
/** struct fuse_entry_out: 40 bytes and a fuse_attr. */
export const ENTRY_OUT_BYTES = 128;
/** struct fuse_dirent, without the name. */
export const DIRENT_BYTES = 24;

/** max_pages in INIT: what Linux allows at most unless told otherwise. */
export const PAGES_MAX = 256;
/** Most bytes that one WRITE or READ carries: 256 pages of 4096 bytes, one MiB. */
export const TRANSFER_BYTES_MAX = PAGES_MAX * 4096;

/** enum fuse_opcode, as far as it is understood here. */
export const OPCODE = {
  lookup: 1,
  forget: 2,
  getattr: 3,
  setattr: 4,
  readlink: 5,
  symlink: 6,
  mknod: 8,
  mkdir: 9,
  unlink: 10,
  rmdir: 11,
  rename: 12,
  link: 13,
  open: 14,
  read: 15,
  write: 16,
  statfs: 17,
  release: 18,
  fsync: 20,
  setxattr: 21,
  getxattr: 22,
  listxattr: 23,
  removexattr: 24,
  flush: 25,
  init: 26,
  opendir: 27,
  readdir: 28,
  releasedir: 29,
  fsyncdir: 30,
  getlk: 31,
  setlk: 32,
  setlkw: 33,
  access: 34,
  create: 35,
  interrupt: 36,
  destroy: 38,
  /** The answer to FUSE_NOTIFY_RETRIEVE, which is never sent. No reply. */
  notifyReply: 41,
  batchForget: 42,
  fallocate: 43,
  readdirplus: 44,
  rename2: 45,
} as const;

/** enum fuse_notify_code */
export const NOTICE = { inode: 2, entry: 3, delete: 6 } as const;

/** FATTR_*: which members of fuse_setattr_in hold. */
export const FATTR = {
  mode: 1 << 0,
  uid: 1 << 1,
  gid: 1 << 2,
  size: 1 << 3,
  atime: 1 << 4,
  mtime: 1 << 5,
  handle: 1 << 6,
  atimeNow: 1 << 7,
  mtimeNow: 1 << 8,
} as const;

/** FOPEN_* */
export const FOPEN = { directIo: 1 << 0, keepCache: 1 << 1, cacheDir: 1 << 3 } as const;

/** FUSE_GETATTR_FH: the handle holds. */
export const GETATTR_HANDLE = 1;
/** FUSE_RELEASE_FLOCK_UNLOCK */
export const RELEASE_FLOCK_UNLOCK = 2;
/** FUSE_LK_FLOCK */
export const LOCK_FLOCK = 1;

/** RENAME_* of renameat2(2); RENAME_WHITEOUT (4) is refused. */
export const RENAME = { noReplace: 1, exchange: 2 } as const;

/** open(2), the same on x86-64 and arm64 (asm-generic/fcntl.h). */
export const OPEN = {
  accessMode: 0o3,
  readOnly: 0o0,
  writeOnly: 0o1,
  exclusive: 0o200,
  truncate: 0o1000,
  append: 0o2000,
} as const;

/** F_RDLCK, F_WRLCK, F_UNLCK of fcntl(2), at the index that is their number. */
export const LOCK_KINDS = ["read", "write", "unlock"] as const;

/** S_IFMT bits of inode(7), and DT_* of readdir(3). */
export const FILE_TYPES = {
  file: { mode: 0o100000, entry: 8 },
  directory: { mode: 0o040000, entry: 4 },
  link: { mode: 0o120000, entry: 10 },
} as const;
/** Permission bits with setuid, setgid and sticky. */
export const PERMISSION_BITS = 0o7777;

/** Flags of INIT (FUSE_*); those from bit 32 on travel in flags2. */
export const INIT = {
  asyncRead: 1n << 0n,
  posixLocks: 1n << 1n,
  /** O_TRUNC comes with OPEN, so that opening for overwriting is one request. */
  atomicTruncate: 1n << 3n,
  bigWrites: 1n << 5n,
  flockLocks: 1n << 10n,
  /** A newer mtime or another size drops the cached pages. */
  autoInvalidateData: 1n << 12n,
  readdirplus: 1n << 13n,
  /** READDIRPLUS only where whoever lists a directory also looks at its files. */
  readdirplusAuto: 1n << 14n,
  parallelDirectories: 1n << 18n,
  /** Nothing here is ever setuid; so the kernel need not ask before each write. */
  handleKillPrivileges: 1n << 19n,
  /** A device whose connection was aborted answers ECONNABORTED, not ENODEV. */
  abortError: 1n << 21n,
  maxPages: 1n << 22n,
  cacheSymlinks: 1n << 23n,
  handleKillPrivilegesV2: 1n << 28n,
  /** flags2 holds. */
  extended: 1n << 30n,
} as const;

/** Bytes of a directory entry, padded to 8 (FUSE_REC_ALIGN). */
export function direntBytes(nameBytes: number, plus: boolean): number {
  const whole = (plus ? ENTRY_OUT_BYTES : 0) + DIRENT_BYTES + nameBytes;
  return Math.ceil(whole / 8) * 8;
}
