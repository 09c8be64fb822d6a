/**
 * What the kernel asks of a mount, decoded, and what it is answered: the words between the codec
 * (`wire.ts`) and those who know what a file is. Numbers of the protocol (linux/fuse.h) stay in the
 * codec.
 *
 * @module
 */

/** Who asks. */
export interface Caller {
  readonly uid: number;
  readonly gid: number;
  /** 0 where the asker is in another pid namespace. */
  readonly pid: number;
}

/** A byte range that is locked; `end` is inclusive, and 2 ** 63 − 1 is the end of every file. */
export interface LockRange {
  readonly kind: "read" | "write" | "unlock";
  readonly start: bigint;
  readonly end: bigint;
  readonly pid: number;
}

/** What SETATTR sets; what is absent stays. Times are whole seconds since 1970. */
export interface SetAttributes {
  readonly mode?: number;
  readonly uid?: number;
  readonly gid?: number;
  readonly size?: number;
  readonly mtime?: number | "now";
  readonly atime?: number | "now";
}

/** How a file is opened: open(2), without what the kernel keeps to itself. */
export interface OpenFlags {
  readonly read: boolean;
  readonly write: boolean;
  readonly truncate: boolean;
  readonly append: boolean;
  /** With CREATE: the file must not be there. */
  readonly exclusive: boolean;
}

/** One call; `node` of the request is the inode that it is about, or the directory of `name`. */
export type FuseCall =
  | {
    readonly call: "init";
    readonly major: number;
    readonly minor: number;
    readonly flags: bigint;
    readonly maxReadahead: number;
  }
  | { readonly call: "destroy" }
  | { readonly call: "lookup"; readonly name: string }
  /** No reply. */
  | {
    readonly call: "forget";
    readonly forgets: readonly { readonly node: number; readonly count: number }[];
  }
  | { readonly call: "getattr"; readonly handle: number | null }
  | { readonly call: "setattr"; readonly handle: number | null; readonly set: SetAttributes }
  | { readonly call: "readlink" }
  | { readonly call: "symlink"; readonly name: string; readonly target: string }
  | { readonly call: "mknod"; readonly name: string; readonly mode: number }
  | { readonly call: "mkdir"; readonly name: string; readonly mode: number }
  | { readonly call: "unlink" | "rmdir"; readonly name: string }
  | {
    readonly call: "rename";
    readonly name: string;
    readonly directory: number;
    readonly to: string;
    readonly noReplace: boolean;
    readonly exchange: boolean;
  }
  | { readonly call: "link"; readonly target: number; readonly name: string }
  | { readonly call: "open"; readonly flags: OpenFlags }
  | {
    readonly call: "create";
    readonly name: string;
    readonly flags: OpenFlags;
    readonly mode: number;
  }
  | {
    readonly call: "read";
    readonly handle: number;
    readonly offset: number;
    readonly size: number;
  }
  | {
    readonly call: "write";
    readonly handle: number;
    readonly offset: number;
    readonly data: Uint8Array;
  }
  | { readonly call: "statfs" }
  /** One descriptor of an open file is closed; there may be others. `owner` is the process's lock owner. */
  | { readonly call: "flush"; readonly handle: number; readonly owner: bigint }
  /** The last descriptor is closed. `flockOwner`: its flock(2) must be released too. */
  | { readonly call: "release"; readonly handle: number; readonly flockOwner: bigint | null }
  | { readonly call: "fsync" | "fsyncdir"; readonly handle: number }
  | { readonly call: "opendir" }
  | {
    readonly call: "readdir";
    readonly handle: number;
    readonly offset: number;
    readonly size: number;
    readonly plus: boolean;
  }
  | { readonly call: "releasedir"; readonly handle: number }
  | { readonly call: "access"; readonly mask: number }
  | {
    readonly call: "getlk";
    readonly handle: number;
    readonly owner: bigint;
    readonly range: LockRange;
  }
  | {
    readonly call: "setlk";
    readonly handle: number;
    readonly owner: bigint;
    readonly range: LockRange;
    readonly flock: boolean;
    readonly wait: boolean;
  }
  | {
    readonly call: "fallocate";
    readonly handle: number;
    readonly offset: number;
    readonly length: number;
    readonly mode: number;
  }
  /** The caller of that request was interrupted by a signal. No reply of its own. */
  | { readonly call: "interrupt"; readonly target: number }
  | { readonly call: "setxattr" | "getxattr" | "listxattr" | "removexattr" }
  /** Any other opcode: answered with ENOSYS, and the kernel does not ask again. */
  | { readonly call: "unsupported"; readonly opcode: number }
  /** Bytes that make no sense, or a name that is no UTF-8 (EILSEQ): answered with that error. */
  | { readonly call: "malformed"; readonly errno: Errno };

/** A request of the kernel. */
export type FuseRequest = FuseCall & {
  /** Names the request; its reply carries it back. */
  readonly unique: number;
  /** Inode number; the root is 1. */
  readonly node: number;
  readonly caller: Caller;
};

/** A request of one kind. */
export type RequestOf<Call extends FuseCall["call"]> = Extract<
  FuseRequest,
  { readonly call: Call }
>;

/** What stat(2) shows. */
export interface Attributes {
  readonly node: number;
  readonly kind: "file" | "directory" | "link";
  /** Permission bits only. */
  readonly mode: number;
  readonly size: number;
  readonly links: number;
  readonly uid: number;
  readonly gid: number;
  /** Seconds since 1970; atime and ctime are the same. */
  readonly mtime: number;
  /** How long the kernel may believe it, in milliseconds; invalidation comes earlier where needed. */
  readonly validMs: number;
}

/** One name in a directory. */
export interface DirectoryEntry {
  readonly name: string;
  readonly attributes: Attributes;
  /** Where the next READDIR goes on after this entry. */
  readonly next: number;
}

/** Errors by their C names; the codec has the numbers. */
export type Errno =
  | "EPERM"
  | "ENOENT"
  | "EINTR"
  | "EIO"
  | "EBADF"
  | "EAGAIN"
  | "EACCES"
  | "EBUSY"
  | "EEXIST"
  | "EXDEV"
  | "ENOTDIR"
  | "EISDIR"
  | "EINVAL"
  | "EFBIG"
  | "ENOSPC"
  | "EROFS"
  | "ENAMETOOLONG"
  | "ENOSYS"
  | "ENOTEMPTY"
  | "EPROTO"
  | "EILSEQ"
  | "EOPNOTSUPP"
  | "ESTALE"
  | "EDEADLK"
  | "ENOLCK"
  | "ETIMEDOUT";

/** The answer to one request. */
export type FuseReply =
  | { readonly reply: "error"; readonly errno: Errno }
  | { readonly reply: "ok" }
  /** `posixLocks`: fcntl(2) locks come here as GETLK and SETLK; `flockLocks`: those of flock(2). */
  | { readonly reply: "init"; readonly posixLocks?: boolean; readonly flockLocks?: boolean }
  | { readonly reply: "entry"; readonly attributes: Attributes }
  /** LOOKUP of a name that is not there, to be believed so long. */
  | { readonly reply: "absent"; readonly validMs: number }
  | { readonly reply: "attributes"; readonly attributes: Attributes }
  | { readonly reply: "data"; readonly data: Uint8Array }
  | {
    readonly reply: "opened";
    readonly handle: number;
    readonly direct: boolean;
    readonly keepCache: boolean;
  }
  | {
    readonly reply: "created";
    readonly attributes: Attributes;
    readonly handle: number;
    /** Default false. */
    readonly direct?: boolean;
  }
  | { readonly reply: "written"; readonly size: number }
  /** As many of the entries as fit the asked size. */
  | { readonly reply: "directory"; readonly entries: readonly DirectoryEntry[] }
  | {
    readonly reply: "statfs";
    readonly blocks: number;
    readonly free: number;
    readonly files: number;
    readonly filesFree: number;
    readonly blockSize: number;
    readonly nameMax: number;
  }
  | { readonly reply: "lock"; readonly range: LockRange };

/** What the kernel is told unasked, so that it forgets what it cached. */
export type FuseNotice =
  | { readonly notice: "inode"; readonly node: number }
  | { readonly notice: "entry"; readonly directory: number; readonly name: string }
  /** As `entry`, and whoever watches it with inotify(7) sees it deleted. */
  | {
    readonly notice: "delete";
    readonly directory: number;
    readonly child: number;
    readonly name: string;
  };
