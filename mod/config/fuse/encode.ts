/**
 * From an answer to the bytes that the kernel takes. What does not fit its request is a bug of
 * pentad, and asserted.
 *
 * @module
 */
import { assert, unreachable } from "../../base/assert.ts";
import { encodeText } from "../../base/bytes.ts";
import { ERRNO } from "./errno.ts";
import { type InitRequest, negotiate } from "./init.ts";
import { LittleWriter } from "./little.ts";
import {
  DIRENT_BYTES,
  direntBytes,
  ENTRY_OUT_BYTES,
  FILE_TYPES,
  FOPEN,
  LOCK_KINDS,
  MAJOR,
  MINOR,
  NOTICE,
  OUT_HEADER_BYTES,
} from "./protocol.ts";
import type {
  Attributes,
  DirectoryEntry,
  Errno,
  FuseNotice,
  FuseReply,
  FuseRequest,
} from "./requests.ts";

/** struct fuse_init_out */
const INIT_OUT_BYTES = 64;
/** struct fuse_attr_out: 16 bytes and a fuse_attr. */
const ATTR_OUT_BYTES = 104;
/** struct fuse_open_out */
const OPEN_OUT_BYTES = 16;
const STATFS_OUT_BYTES = 80;
const LOCK_OUT_BYTES = 24;
/** st_blksize: what programs read and write at a time. */
const BLOCK_BYTES = 4096;
/** time_gran: whole seconds, in nanoseconds. */
const TIME_GRAIN = 1_000_000_000;

/** The answer to `request`, ready to be written to the device. */
export function encodeReply(request: FuseRequest, reply: FuseReply): Uint8Array {
  const { unique, call } = request;
  assert(call !== "forget" && call !== "interrupt", `A request "${call}" is answered`);
  switch (reply.reply) {
    case "error":
      return encodeError(unique, reply.errno);
    case "ok":
      return head(unique, 0).finish();
    case "init":
      assert(call === "init", "INIT is what is answered so");
      return encodeInit(request, reply);
    case "entry":
      return entryOut(head(unique, ENTRY_OUT_BYTES), reply.attributes).finish();
    case "absent":
      assert(call === "lookup", "Only a LOOKUP finds nothing");
      return validity(head(unique, ENTRY_OUT_BYTES).skip(16), reply.validMs).skip(88).finish();
    case "attributes":
      return attributesOut(head(unique, ATTR_OUT_BYTES), reply.attributes).finish();
    case "data":
      assert(call !== "read" || reply.data.length <= request.size, "No more than was asked for");
      return head(unique, reply.data.length).bytes(reply.data).finish();
    case "opened":
      return openOut(head(unique, OPEN_OUT_BYTES), reply).finish();
    case "created": {
      const out = head(unique, ENTRY_OUT_BYTES + OPEN_OUT_BYTES);
      const opened = { handle: reply.handle, direct: reply.direct ?? false, keepCache: false };
      return openOut(entryOut(out, reply.attributes), opened).finish();
    }
    case "written":
      return head(unique, 8).u32(reply.size).skip(4).finish();
    case "directory":
      assert(call === "readdir", "READDIR is what is answered so");
      return encodeDirectory(request, reply.entries);
    case "statfs":
      return encodeStatfs(unique, reply);
    case "lock": {
      const { start, end, kind, pid } = reply.range;
      const out = head(unique, LOCK_OUT_BYTES).wide(start).wide(end);
      return out.u32(LOCK_KINDS.indexOf(kind)).u32(pid).finish();
    }
    default:
      return unreachable(reply);
  }
}

/** A notice, ready to be written to the device. */
export function encodeNotice(notice: FuseNotice): Uint8Array {
  if (notice.notice === "inode") {
    // u64 ino; i64 off, len: all of its pages, and its attributes.
    return noticeHead(NOTICE.inode, 24).u64(notice.node).u64(0).u64(0).finish();
  }
  const name = encodeText(notice.name);
  if (notice.notice === "entry") {
    // u64 parent; u32 namelen, flags; name and NUL.
    const out = noticeHead(NOTICE.entry, 16 + name.length + 1).u64(notice.directory);
    return out.u32(name.length).skip(4).bytes(name).skip(1).finish();
  }
  // u64 parent, child; u32 namelen, padding; name and NUL.
  const out = noticeHead(NOTICE.delete, 24 + name.length + 1);
  out.u64(notice.directory).u64(notice.child).u32(name.length).skip(4);
  return out.bytes(name).skip(1).finish();
}

/**
 * How many of the entries fit the asked size. With `plus` the kernel counts each of these, but for
 * `.` and `..`, as a LOOKUP, to be forgotten later.
 */
export function fittingEntries(
  asked: { readonly size: number; readonly plus: boolean },
  entries: readonly DirectoryEntry[],
): number {
  let left = asked.size;
  let count = 0;
  for (const { name } of entries) {
    left -= direntBytes(encodeText(name).length, asked.plus);
    if (left < 0) break;
    count++;
  }
  return count;
}

function encodeError(unique: number, errno: Errno): Uint8Array {
  return new LittleWriter(OUT_HEADER_BYTES).u32(OUT_HEADER_BYTES).i32(-ERRNO[errno]).u64(unique)
    .finish();
}

/** struct fuse_out_header: u32 len; i32 error; u64 unique. */
function head(unique: number, bodyBytes: number): LittleWriter {
  const length = OUT_HEADER_BYTES + bodyBytes;
  return new LittleWriter(length).u32(length).i32(0).u64(unique);
}

/** A notice has its code in the place of the error, and no unique. */
function noticeHead(code: number, bodyBytes: number): LittleWriter {
  const length = OUT_HEADER_BYTES + bodyBytes;
  return new LittleWriter(length).u32(length).i32(code).u64(0);
}

/**
 * struct fuse_init_out: u32 major, minor, max_readahead, flags; u16 max_background,
 * congestion_threshold (0: the kernel's own); u32 max_write, time_gran; u16 max_pages,
 * map_alignment; u32 flags2, unused[7].
 */
function encodeInit(
  request: InitRequest,
  reply: Extract<FuseReply, { reply: "init" }>,
): Uint8Array {
  const locks = { posix: reply.posixLocks ?? false, flock: reply.flockLocks ?? false };
  const agreed = negotiate(request, locks);
  if (agreed === "older") return encodeError(request.unique, "EPROTO");
  const out = head(request.unique, INIT_OUT_BYTES).u32(MAJOR);
  if (agreed === "newer") return out.u32(MINOR).skip(INIT_OUT_BYTES - 8).finish();
  out.u32(agreed.minor).u32(agreed.maxReadahead).u32(Number(agreed.flags & 0xffff_ffffn));
  out.skip(4).u32(agreed.maxWrite).u32(TIME_GRAIN).u16(agreed.maxPages).skip(2);
  return out.u32(Number(agreed.flags >> 32n)).skip(28).finish();
}

/**
 * struct fuse_entry_out: u64 nodeid, generation, entry_valid, attr_valid; u32 entry_valid_nsec,
 * attr_valid_nsec; fuse_attr. Numbers are never used again, so the generation is always 0.
 */
function entryOut(out: LittleWriter, attributes: Attributes): LittleWriter {
  out.u64(attributes.node).skip(8);
  return attributeBytes(validity(out, attributes.validMs), attributes);
}

/** Of the name, then of the attributes: both seconds, then both nanoseconds. */
function validity(out: LittleWriter, validMs: number): LittleWriter {
  const [seconds, nanoseconds] = timeout(validMs);
  return out.u64(seconds).u64(seconds).u32(nanoseconds).u32(nanoseconds);
}

/** struct fuse_attr_out: u64 attr_valid; u32 attr_valid_nsec, dummy; fuse_attr. */
function attributesOut(out: LittleWriter, attributes: Attributes): LittleWriter {
  const [seconds, nanoseconds] = timeout(attributes.validMs);
  return attributeBytes(out.u64(seconds).u32(nanoseconds).skip(4), attributes);
}

function timeout(validMs: number): [seconds: number, nanoseconds: number] {
  return [Math.floor(validMs / 1000), Math.floor((validMs % 1000) * 1e6)];
}

/**
 * struct fuse_attr: u64 ino, size, blocks, atime, mtime, ctime; u32 atimensec, mtimensec,
 * ctimensec, mode, nlink, uid, gid, rdev, blksize, flags. Blocks are of 512 bytes.
 */
function attributeBytes(out: LittleWriter, attributes: Attributes): LittleWriter {
  const { node, kind, mode, size, links, uid, gid, mtime } = attributes;
  out.u64(node).u64(size).u64(Math.ceil(size / 512)).u64(mtime).u64(mtime).u64(mtime).skip(12);
  return out.u32(FILE_TYPES[kind].mode | mode).u32(links).u32(uid).u32(gid).skip(4)
    .u32(BLOCK_BYTES).skip(4);
}

/** struct fuse_open_out: u64 fh; u32 open_flags, padding. FOPEN_CACHE_DIR is for directories only. */
function openOut(
  out: LittleWriter,
  opened: { readonly handle: number; readonly direct: boolean; readonly keepCache: boolean },
): LittleWriter {
  const flags = (opened.direct ? FOPEN.directIo : 0) |
    (opened.keepCache ? FOPEN.keepCache | FOPEN.cacheDir : 0);
  return out.u64(opened.handle).u32(flags).skip(4);
}

/** struct fuse_dirent: u64 ino, off; u32 namelen, type; the name, padded to 8. */
function encodeDirectory(
  request: Extract<FuseRequest, { call: "readdir" }>,
  entries: readonly DirectoryEntry[],
): Uint8Array {
  const { plus, unique } = request;
  const fitting = entries.slice(0, fittingEntries(request, entries))
    .map((entry) => ({ ...entry, bytes: encodeText(entry.name) }));
  const total = fitting.reduce((sum, { bytes }) => sum + direntBytes(bytes.length, plus), 0);
  const out = head(unique, total);
  for (const { name, attributes, next, bytes } of fitting) {
    const dots = name === "." || name === "..";
    // A node number there would be one more LOOKUP, which the kernel does not count for dots.
    if (plus) dots ? out.skip(ENTRY_OUT_BYTES) : entryOut(out, attributes);
    out.u64(attributes.node).u64(next).u32(bytes.length);
    out.u32(FILE_TYPES[attributes.kind].entry).bytes(bytes);
    out.skip(direntBytes(bytes.length, false) - DIRENT_BYTES - bytes.length);
  }
  return out.finish();
}

/** struct fuse_kstatfs: u64 blocks, bfree, bavail, files, ffree; u32 bsize, namelen, frsize, … */
function encodeStatfs(
  unique: number,
  { blocks, free, files, filesFree, blockSize, nameMax }: Extract<FuseReply, { reply: "statfs" }>,
): Uint8Array {
  const out = head(unique, STATFS_OUT_BYTES).u64(blocks).u64(free).u64(free).u64(files);
  return out.u64(filesFree).u32(blockSize).u32(nameMax).u32(blockSize).skip(28).finish();
}
