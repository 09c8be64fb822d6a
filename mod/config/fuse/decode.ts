/**
 * From the bytes of one request to what is asked. The kernel is trusted to mean well, not to be
 * right: nothing here throws, reads past the end or allocates by a number that it was told.
 *
 * What a newer kernel appends to a structure is skipped; names and data must fill theirs exactly.
 *
 * @module
 */
import {
  FATTR,
  GETATTR_HANDLE,
  IN_HEADER_BYTES,
  INIT,
  LOCK_FLOCK,
  LOCK_KINDS,
  OPCODE,
  OPEN,
  PERMISSION_BITS,
  RELEASE_FLOCK_UNLOCK,
  RENAME,
  TRANSFER_BYTES_MAX,
} from "./protocol.ts";
import { LittleReader } from "./little.ts";
import type { FuseCall, FuseRequest, LockRange, OpenFlags, SetAttributes } from "./requests.ts";

/** Reads the body of one opcode; faults are noted in the reader. */
type Decoder = (body: LittleReader, node: number) => FuseCall;

/**
 * One request as it was read from the device. Null where nobody waits for an answer: bytes without
 * a whole header, a damaged FORGET or INTERRUPT. The data of a WRITE is a view on `bytes`.
 */
export function decodeRequest(bytes: Uint8Array): FuseRequest | null {
  const header = new LittleReader(bytes);
  const length = header.u32();
  const opcode = header.u32();
  const unique = header.id();
  const askedNode = header.u64();
  const caller = { uid: header.u32(), gid: header.u32(), pid: header.u32() };
  const extensionBytes = header.u16() * 8;
  header.skip(2);
  // A reply to 0 would be a notice.
  if (header.fault !== null || unique === 0 || opcode === OPCODE.notifyReply) return null;
  const node = Number(askedNode);
  const bodyBytes = bytes.length - IN_HEADER_BYTES - extensionBytes;
  const sound = length === bytes.length && bodyBytes >= 0 && Number.isSafeInteger(node);
  const at = { unique, node: sound ? node : 0, caller };
  const decode = DECODERS.get(opcode);
  if (!sound) return refuse(at, opcode, "EINVAL");
  if (decode === undefined) return { ...at, call: "unsupported", opcode };
  const body = new LittleReader(bytes.subarray(IN_HEADER_BYTES, IN_HEADER_BYTES + bodyBytes));
  const call = decode(body, node);
  return body.fault === null ? { ...at, ...call } : refuse(at, opcode, body.fault);
}

/** Opcodes that are never answered. */
const SILENT: ReadonlySet<number> = new Set([OPCODE.forget, OPCODE.batchForget, OPCODE.interrupt]);

function refuse(
  at: Pick<FuseRequest, "unique" | "node" | "caller">,
  opcode: number,
  errno: "EINVAL" | "EILSEQ",
): FuseRequest | null {
  return SILENT.has(opcode) ? null : { ...at, call: "malformed", errno };
}

const DECODERS: ReadonlyMap<number, Decoder> = new Map<number, Decoder>([
  [OPCODE.init, init],
  [OPCODE.destroy, () => ({ call: "destroy" })],
  [OPCODE.lookup, (body) => ({ call: "lookup", name: lastName(body) })],
  [OPCODE.forget, (body, node) => ({ call: "forget", forgets: [{ node, count: body.amount() }] })],
  [OPCODE.batchForget, batchForget],
  [OPCODE.getattr, getattr],
  [OPCODE.setattr, setattr],
  [OPCODE.readlink, () => ({ call: "readlink" })],
  [OPCODE.symlink, symlink],
  [OPCODE.mknod, mknod],
  [OPCODE.mkdir, mkdir],
  [OPCODE.unlink, (body) => ({ call: "unlink", name: lastName(body) })],
  [OPCODE.rmdir, (body) => ({ call: "rmdir", name: lastName(body) })],
  [OPCODE.rename, (body) => rename(body, body.id(), 0)],
  [OPCODE.rename2, rename2],
  [OPCODE.link, (body) => ({ call: "link", target: body.id(), name: lastName(body) })],
  [OPCODE.open, (body) => ({ call: "open", flags: openFlags(body.u32()) })],
  [OPCODE.create, create],
  [OPCODE.read, (body) => ({ call: "read", ...span(body) })],
  [OPCODE.write, write],
  [OPCODE.statfs, () => ({ call: "statfs" })],
  [OPCODE.flush, flush],
  [OPCODE.release, release],
  [OPCODE.fsync, (body) => ({ call: "fsync", handle: body.id() })],
  [OPCODE.fsyncdir, (body) => ({ call: "fsyncdir", handle: body.id() })],
  [OPCODE.opendir, () => ({ call: "opendir" })],
  [OPCODE.readdir, (body) => ({ call: "readdir", ...span(body), plus: false })],
  [OPCODE.readdirplus, (body) => ({ call: "readdir", ...span(body), plus: true })],
  [OPCODE.releasedir, (body) => ({ call: "releasedir", handle: body.id() })],
  [OPCODE.access, (body) => ({ call: "access", mask: body.u32() })],
  [OPCODE.getlk, getlk],
  [OPCODE.setlk, (body) => setlk(body, false)],
  [OPCODE.setlkw, (body) => setlk(body, true)],
  [OPCODE.fallocate, fallocate],
  [OPCODE.interrupt, (body) => ({ call: "interrupt", target: body.id() })],
  [OPCODE.setxattr, () => ({ call: "setxattr" })],
  [OPCODE.getxattr, () => ({ call: "getxattr" })],
  [OPCODE.listxattr, () => ({ call: "listxattr" })],
  [OPCODE.removexattr, () => ({ call: "removexattr" })],
]);

/** A name up to its NUL. The kernel resolves `.`, `..` and slashes itself and never sends them. */
function name(body: LittleReader): string {
  const text = body.text();
  if (text === "" || text === "." || text === ".." || text.includes("/")) body.fail();
  return text;
}

/** A name with which the request ends. */
function lastName(body: LittleReader): string {
  const text = name(body);
  if (body.left > 0) body.fail();
  return text;
}

/** struct fuse_init_in: u32 major, minor, max_readahead, flags; since 7.36 u32 flags2, … */
function init(body: LittleReader): FuseCall {
  const [major, minor, maxReadahead] = [body.u32(), body.u32(), body.u32()];
  const low = BigInt(body.u32());
  const extended = (low & INIT.extended) !== 0n;
  return {
    call: "init",
    major,
    minor,
    maxReadahead,
    flags: extended ? low | (BigInt(body.u32()) << 32n) : low,
  };
}

/** struct fuse_batch_forget_in: u32 count, dummy; then pairs of u64 nodeid, nlookup. */
function batchForget(body: LittleReader): FuseCall {
  const count = body.u32();
  body.skip(4);
  const forgets: { node: number; count: number }[] = [];
  if (count * 16 > body.left) body.fail();
  for (let i = 0; i < count && body.fault === null; i++) {
    forgets.push({ node: body.id(), count: body.amount() });
  }
  return { call: "forget", forgets };
}

/** struct fuse_getattr_in: u32 getattr_flags, dummy; u64 fh. */
function getattr(body: LittleReader): FuseCall {
  const flags = body.u32();
  body.skip(4);
  return { call: "getattr", handle: optionalHandle(body, (flags & GETATTR_HANDLE) !== 0) };
}

/** Where it does not hold, the field is anything. */
function optionalHandle(body: LittleReader, holds: boolean): number | null {
  if (holds) return body.id();
  body.skip(8);
  return null;
}

/**
 * struct fuse_setattr_in: u32 valid, padding; u64 fh, size, lock_owner, atime, mtime, ctime;
 * u32 atimensec, mtimensec, ctimensec, mode, unused4, uid, gid, unused5.
 */
function setattr(body: LittleReader): FuseCall {
  const valid = body.u32();
  body.skip(4);
  const handle = optionalHandle(body, (valid & FATTR.handle) !== 0);
  const size = body.amount();
  body.skip(8);
  const [atime, mtime] = [body.seconds(), body.seconds()];
  body.skip(8 + 3 * 4);
  const mode = body.u32() & PERMISSION_BITS;
  body.skip(4);
  const [uid, gid] = [body.u32(), body.u32()];
  const set: SetAttributes = {
    ...((valid & FATTR.mode) !== 0 ? { mode } : {}),
    ...((valid & FATTR.uid) !== 0 ? { uid } : {}),
    ...((valid & FATTR.gid) !== 0 ? { gid } : {}),
    ...((valid & FATTR.size) !== 0 ? { size } : {}),
    ...((valid & FATTR.atime) !== 0 ? { atime } : {}),
    ...((valid & FATTR.mtime) !== 0 ? { mtime } : {}),
    // Both bits are set for "now".
    ...((valid & FATTR.atimeNow) !== 0 ? { atime: "now" } : {}),
    ...((valid & FATTR.mtimeNow) !== 0 ? { mtime: "now" } : {}),
  };
  return { call: "setattr", handle, set };
}

/** Name, NUL, target, NUL. */
function symlink(body: LittleReader): FuseCall {
  const link = name(body);
  const target = body.text();
  if (body.left > 0) body.fail();
  return { call: "symlink", name: link, target };
}

/** struct fuse_mknod_in: u32 mode, rdev, umask, padding; then the name. */
function mknod(body: LittleReader): FuseCall {
  const mode = body.u32();
  body.skip(12);
  return { call: "mknod", mode, name: lastName(body) };
}

/** struct fuse_mkdir_in: u32 mode, umask (already applied); then the name. */
function mkdir(body: LittleReader): FuseCall {
  const mode = body.u32() & PERMISSION_BITS;
  body.skip(4);
  return { call: "mkdir", mode, name: lastName(body) };
}

/** struct fuse_rename2_in: u64 newdir; u32 flags, padding; then both names. */
function rename2(body: LittleReader): FuseCall {
  const directory = body.id();
  const flags = body.u32();
  body.skip(4);
  return rename(body, directory, flags);
}

function rename(body: LittleReader, directory: number, flags: number): FuseCall {
  const from = name(body);
  const to = lastName(body);
  const noReplace = (flags & RENAME.noReplace) !== 0;
  const exchange = (flags & RENAME.exchange) !== 0;
  if ((flags & ~(RENAME.noReplace | RENAME.exchange)) !== 0 || (noReplace && exchange)) body.fail();
  return { call: "rename", name: from, directory, to, noReplace, exchange };
}

/** struct fuse_create_in: u32 flags, mode, umask (already applied), open_flags; then the name. */
function create(body: LittleReader): FuseCall {
  const flags = openFlags(body.u32());
  const mode = body.u32() & PERMISSION_BITS;
  body.skip(8);
  return { call: "create", flags, mode, name: lastName(body) };
}

/** Access mode 3 is Linux's own: it asks for both permissions. */
function openFlags(flags: number): OpenFlags {
  const access = flags & OPEN.accessMode;
  return {
    read: access !== OPEN.writeOnly,
    write: access !== OPEN.readOnly,
    truncate: (flags & OPEN.truncate) !== 0,
    append: (flags & OPEN.append) !== 0,
    exclusive: (flags & OPEN.exclusive) !== 0,
  };
}

/** struct fuse_read_in: u64 fh, offset; u32 size, read_flags; u64 lock_owner; u32 flags, padding. */
function span(body: LittleReader): { handle: number; offset: number; size: number } {
  const handle = body.id();
  const offset = body.amount();
  const size = Math.min(body.u32(), TRANSFER_BYTES_MAX);
  body.skip(20);
  return { handle, offset, size };
}

/** struct fuse_write_in: as fuse_read_in; then `size` bytes. */
function write(body: LittleReader): FuseCall {
  const handle = body.id();
  const offset = body.amount();
  const size = body.u32();
  body.skip(20);
  if (size !== body.left) body.fail();
  return { call: "write", handle, offset, data: body.bytes(size) };
}

/** struct fuse_flush_in: u64 fh; u32 unused, padding; u64 lock_owner. */
function flush(body: LittleReader): FuseCall {
  const handle = body.id();
  body.skip(8);
  return { call: "flush", handle, owner: body.u64() };
}

/** struct fuse_release_in: u64 fh; u32 flags, release_flags; u64 lock_owner. */
function release(body: LittleReader): FuseCall {
  const handle = body.id();
  body.skip(4);
  const unlock = (body.u32() & RELEASE_FLOCK_UNLOCK) !== 0;
  const owner = body.u64();
  return { call: "release", handle, flockOwner: unlock ? owner : null };
}

/** struct fuse_lk_in: u64 fh, owner; fuse_file_lock: u64 start, end, u32 type, pid; u32 lk_flags, padding. */
function lock(body: LittleReader) {
  const handle = body.id();
  const owner = body.u64();
  const [start, end] = [body.u64(), body.u64()];
  const kind = LOCK_KINDS[body.u32()];
  const pid = body.u32();
  const flock = (body.u32() & LOCK_FLOCK) !== 0;
  body.skip(4);
  if (kind === undefined || start > end) body.fail();
  const range: LockRange = { kind: kind ?? "unlock", start, end, pid };
  return { handle, owner, range, flock };
}

function getlk(body: LittleReader): FuseCall {
  const { handle, owner, range } = lock(body);
  return { call: "getlk", handle, owner, range };
}

function setlk(body: LittleReader, wait: boolean): FuseCall {
  return { call: "setlk", ...lock(body), wait };
}

/** struct fuse_fallocate_in: u64 fh, offset, length; u32 mode, padding. */
function fallocate(body: LittleReader): FuseCall {
  const handle = body.id();
  const [offset, length] = [body.amount(), body.amount()];
  const mode = body.u32();
  body.skip(4);
  return { call: "fallocate", handle, offset, length, mode };
}
