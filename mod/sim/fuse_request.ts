/** Requests as a kernel writes them: the other direction of `config/fuse/decode.ts`. @module */
import { assert } from "../base/assert.ts";
import { encodeText } from "../base/bytes.ts";
import { LittleWriter } from "../config/fuse/little.ts";
import {
  FATTR,
  FILE_TYPES,
  GETATTR_HANDLE,
  IN_HEADER_BYTES,
  LOCK_FLOCK,
  LOCK_KINDS,
  OPCODE,
  OPEN,
  RELEASE_FLOCK_UNLOCK,
  RENAME,
} from "../config/fuse/protocol.ts";
import type { FuseRequest, LockRange, OpenFlags, SetAttributes } from "../config/fuse/requests.ts";

type Body = readonly [opcode: number, bytes: Uint8Array];

/** The bytes of one request. A malformed one has none. */
export function encodeRequest(request: FuseRequest): Uint8Array {
  const [opcode, body] = bodyOf(request);
  const { unique, node, caller } = request;
  const out = new LittleWriter(IN_HEADER_BYTES + body.length);
  out.u32(IN_HEADER_BYTES + body.length).u32(opcode).u64(unique).u64(node);
  return out.u32(caller.uid).u32(caller.gid).u32(caller.pid).skip(4).bytes(body).finish();
}

function bodyOf(request: FuseRequest): Body {
  switch (request.call) {
    case "init": {
      const { major, minor, maxReadahead, flags } = request;
      const out = new LittleWriter(64).u32(major).u32(minor).u32(maxReadahead);
      out.u32(Number(flags & 0xffff_ffffn)).u32(Number(flags >> 32n)).skip(44);
      return [OPCODE.init, out.finish()];
    }
    case "lookup":
    case "unlink":
    case "rmdir":
      return [OPCODE[request.call], named(0, request.name).finish()];
    case "forget":
      return forget(request);
    case "getattr": {
      const flags = request.handle === null ? 0 : GETATTR_HANDLE;
      return [OPCODE.getattr, words(16).u32(flags).skip(4).u64(request.handle ?? 0).finish()];
    }
    case "setattr":
      return [OPCODE.setattr, setattr(request.handle, request.set)];
    case "symlink":
      return [OPCODE.symlink, named(0, `${request.name}\0${request.target}`).finish()];
    case "mknod":
      return [OPCODE.mknod, named(16, request.name, (out) => out.u32(request.mode)).finish()];
    case "mkdir":
      return [OPCODE.mkdir, named(8, request.name, (out) => out.u32(request.mode)).finish()];
    case "rename":
      return rename(request);
    case "link":
      return [OPCODE.link, named(8, request.name, (out) => out.u64(request.target)).finish()];
    case "open":
      return [OPCODE.open, words(8).u32(openBits(request.flags)).skip(4).finish()];
    case "create": {
      const mode = FILE_TYPES.file.mode | request.mode;
      const fill = (out: LittleWriter) => out.u32(openBits(request.flags)).u32(mode);
      return [OPCODE.create, named(16, request.name, fill).finish()];
    }
    case "read":
      return [OPCODE.read, span(request, request.size).finish()];
    case "readdir":
      return [
        request.plus ? OPCODE.readdirplus : OPCODE.readdir,
        span(request, request.size).finish(),
      ];
    case "write": {
      const { data } = request;
      return [OPCODE.write, span(request, data.length, data.length).bytes(data).finish()];
    }
    case "flush":
      return [OPCODE.flush, words(24).u64(request.handle).skip(8).wide(request.owner).finish()];
    case "release": {
      const { handle, flockOwner } = request;
      const out = words(24).u64(handle).skip(4).u32(flockOwner === null ? 0 : RELEASE_FLOCK_UNLOCK);
      return [OPCODE.release, out.wide(flockOwner ?? 0n).finish()];
    }
    case "fsync":
    case "fsyncdir":
      return [OPCODE[request.call], words(16).u64(request.handle).skip(8).finish()];
    case "releasedir":
      return [OPCODE.releasedir, words(24).u64(request.handle).skip(16).finish()];
    case "access":
      return [OPCODE.access, words(8).u32(request.mask).skip(4).finish()];
    case "getlk":
      return [OPCODE.getlk, lock({ ...request, flock: false })];
    case "setlk":
      return [request.wait ? OPCODE.setlkw : OPCODE.setlk, lock(request)];
    case "fallocate": {
      const { handle, offset, length, mode } = request;
      const out = words(32).u64(handle).u64(offset).u64(length).u32(mode).skip(4);
      return [OPCODE.fallocate, out.finish()];
    }
    case "interrupt":
      return [OPCODE.interrupt, words(8).u64(request.target).finish()];
    case "unsupported":
      return [request.opcode, new Uint8Array(0)];
    case "malformed":
      assert(false, "What is malformed cannot be made");
      break;
    default:
      // Of these nothing but the header is read.
      return [OPCODE[request.call], new Uint8Array(request.call === "opendir" ? 8 : 0)];
  }
}

function words(bytes: number): LittleWriter {
  return new LittleWriter(bytes);
}

/** A structure of `bytes`, filled from its start, and a name with its NUL behind it. */
function named(
  bytes: number,
  name: string,
  fill: (out: LittleWriter) => LittleWriter = (out) => out,
): LittleWriter {
  const encoded = encodeText(name);
  const out = fill(words(bytes + encoded.length + 1));
  return out.skip(bytes - out.length).bytes(encoded).skip(1);
}

function forget(request: Extract<FuseRequest, { call: "forget" }>): Body {
  const { forgets, node } = request;
  const [first] = forgets;
  if (first !== undefined && forgets.length === 1 && first.node === node) {
    return [OPCODE.forget, words(8).u64(first.count).finish()];
  }
  const out = words(8 + 16 * forgets.length).u32(forgets.length).skip(4);
  for (const each of forgets) out.u64(each.node).u64(each.count);
  return [OPCODE.batchForget, out.finish()];
}

function setattr(handle: number | null, set: SetAttributes): Uint8Array {
  const time = (value: number | "now" | undefined, bit: number, now: number) =>
    value === undefined ? 0 : value === "now" ? bit | now : bit;
  const seconds = (value: number | "now" | undefined) => typeof value === "number" ? value : 0;
  const valid = (handle === null ? 0 : FATTR.handle) | (set.mode === undefined ? 0 : FATTR.mode) |
    (set.uid === undefined ? 0 : FATTR.uid) | (set.gid === undefined ? 0 : FATTR.gid) |
    (set.size === undefined ? 0 : FATTR.size) | time(set.atime, FATTR.atime, FATTR.atimeNow) |
    time(set.mtime, FATTR.mtime, FATTR.mtimeNow);
  const out = words(88).u32(valid).skip(4).u64(handle ?? 0).u64(set.size ?? 0).skip(8);
  out.u64(seconds(set.atime)).u64(seconds(set.mtime)).skip(20);
  return out.u32(set.mode ?? 0).skip(4).u32(set.uid ?? 0).u32(set.gid ?? 0).skip(4).finish();
}

function rename(request: Extract<FuseRequest, { call: "rename" }>): Body {
  const { name, to, directory, noReplace, exchange } = request;
  const flags = (noReplace ? RENAME.noReplace : 0) | (exchange ? RENAME.exchange : 0);
  const both = `${name}\0${to}`;
  if (flags === 0) return [OPCODE.rename, named(8, both, (out) => out.u64(directory)).finish()];
  return [OPCODE.rename2, named(16, both, (out) => out.u64(directory).u32(flags)).finish()];
}

function openBits({ read, write, truncate, append, exclusive }: OpenFlags): number {
  const access = read && write ? 2 : write ? OPEN.writeOnly : OPEN.readOnly;
  return access | (truncate ? OPEN.truncate : 0) | (append ? OPEN.append : 0) |
    (exclusive ? OPEN.exclusive : 0);
}

/** struct fuse_read_in or fuse_write_in, with room for `more` bytes behind it. */
function span(
  at: { readonly handle: number; readonly offset: number },
  size: number,
  more = 0,
): LittleWriter {
  return words(40 + more).u64(at.handle).u64(at.offset).u32(size).skip(20);
}

function lock(
  ask: { handle: number; owner: bigint; range: LockRange; flock: boolean },
): Uint8Array {
  const { start, end, kind, pid } = ask.range;
  const out = words(48).u64(ask.handle).wide(ask.owner).wide(start).wide(end);
  out.u32(LOCK_KINDS.indexOf(kind)).u32(pid);
  return out.u32(ask.flock ? LOCK_FLOCK : 0).skip(4).finish();
}
