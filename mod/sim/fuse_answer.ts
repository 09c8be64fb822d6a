/**
 * What a kernel makes of the bytes it is answered with: the other direction of
 * `config/fuse/encode.ts`, and as strict about sizes as Linux is.
 *
 * @module
 */
import { decodeName } from "../base/bytes.ts";
import { errnoName } from "../config/fuse/errno.ts";
import { LittleReader } from "../config/fuse/little.ts";
import {
  FILE_TYPES,
  FOPEN,
  LOCK_KINDS,
  NOTICE,
  OUT_HEADER_BYTES,
  PERMISSION_BITS,
} from "../config/fuse/protocol.ts";
import type {
  Attributes,
  FuseCall,
  FuseNotice,
  FuseReply,
  LockRange,
} from "../config/fuse/requests.ts";
import type { Agreement } from "../config/fuse/wire.ts";

/** One name that a directory shows; attributes only with READDIRPLUS, and not for dots. */
export interface Listed {
  readonly name: string;
  readonly node: number;
  readonly kind: Attributes["kind"];
  readonly next: number;
  readonly attributes: Attributes | null;
}

/** A decoded reply. */
export type Answer =
  | Exclude<FuseReply, { reply: "init" | "directory" }>
  | ({ readonly reply: "init"; readonly major: number } & Agreement)
  | { readonly reply: "directory"; readonly entries: readonly Listed[] };

/** The unique of a reply; 0 for a notice, null where the bytes are neither. */
export function uniqueOf(bytes: Uint8Array): number | null {
  const header = new LittleReader(bytes);
  const length = header.u32();
  header.skip(4);
  const unique = header.id();
  return header.fault === null && length === bytes.length ? unique : null;
}

/** The reply to `call`; null where Linux would refuse it. */
export function decodeReply(call: FuseCall, bytes: Uint8Array): Answer | null {
  const reader = new LittleReader(bytes);
  const length = reader.u32();
  const error = reader.i32();
  reader.skip(8);
  if (reader.fault !== null || length !== bytes.length) return null;
  if (error !== 0) {
    const errno = errnoName(-error);
    return errno === null || length !== OUT_HEADER_BYTES ? null : { reply: "error", errno };
  }
  const answer = body(call, reader);
  return reader.fault === null && reader.left === 0 ? answer : null;
}

/** A notice; null where Linux would refuse it. */
export function decodeNotice(bytes: Uint8Array): FuseNotice | null {
  const reader = new LittleReader(bytes);
  const length = reader.u32();
  const code = reader.i32();
  const unique = reader.id();
  if (length !== bytes.length || unique !== 0) return null;
  const node = reader.id();
  let notice: FuseNotice | null = null;
  if (code === NOTICE.inode) {
    reader.skip(16);
    notice = { notice: "inode", node };
  } else if (code === NOTICE.entry) {
    notice = { notice: "entry", directory: node, name: noticeName(reader) };
  } else if (code === NOTICE.delete) {
    const child = reader.id();
    notice = { notice: "delete", directory: node, child, name: noticeName(reader) };
  }
  return reader.fault === null && reader.left === 0 ? notice : null;
}

function noticeName(reader: LittleReader): string {
  const length = reader.u32();
  reader.skip(4);
  const name = decodeName(reader.bytes(length));
  if (name === null || reader.text() !== "") reader.fail();
  return name ?? "";
}

function body(call: FuseCall, reader: LittleReader): Answer {
  switch (call.call) {
    case "init":
      return init(reader);
    case "lookup":
    case "mkdir":
    case "mknod":
    case "symlink":
    case "link":
      return entry(reader);
    case "getattr":
    case "setattr": {
      const validMs = timeout(reader.u64(), reader.u32());
      reader.skip(4);
      return { reply: "attributes", attributes: attributesOf(reader, validMs) };
    }
    case "readlink":
      return { reply: "data", data: reader.bytes(reader.left) };
    case "read":
      if (reader.left > call.size) reader.fail();
      return { reply: "data", data: reader.bytes(reader.left) };
    case "open":
    case "opendir":
      return opened(reader);
    case "create": {
      const found = entry(reader);
      const { handle } = opened(reader);
      if (found.reply !== "entry") reader.fail();
      return { reply: "created", attributes: attributesIn(found), handle };
    }
    case "write": {
      const size = reader.u32();
      reader.skip(4);
      return { reply: "written", size };
    }
    case "readdir":
      if (reader.left > call.size) reader.fail();
      return { reply: "directory", entries: listed(reader, call.plus) };
    case "statfs":
      return statfs(reader);
    case "getlk": {
      const [start, end] = [reader.u64(), reader.u64()];
      const kind = LOCK_KINDS[reader.u32()];
      if (kind === undefined) reader.fail();
      const range: LockRange = { kind: kind ?? "unlock", start, end, pid: reader.u32() };
      return { reply: "lock", range };
    }
    default:
      return { reply: "ok" };
  }
}

function init(reader: LittleReader): Answer {
  const [major, minor, maxReadahead] = [reader.u32(), reader.u32(), reader.u32()];
  const low = BigInt(reader.u32());
  reader.skip(4);
  const maxWrite = reader.u32();
  reader.skip(4);
  const maxPages = reader.u16();
  reader.skip(2);
  const flags = low | (BigInt(reader.u32()) << 32n);
  reader.skip(28);
  return { reply: "init", major, minor, maxReadahead, flags, maxWrite, maxPages };
}

function entry(reader: LittleReader): Extract<Answer, { reply: "entry" | "absent" }> {
  const node = reader.id();
  reader.skip(8);
  const [seconds, attributeSeconds] = [reader.u64(), reader.u64()];
  const [nanoseconds, attributeNanoseconds] = [reader.u32(), reader.u32()];
  if (node === 0) {
    reader.skip(88);
    return { reply: "absent", validMs: timeout(seconds, nanoseconds) };
  }
  const attributes = attributesOf(reader, timeout(attributeSeconds, attributeNanoseconds));
  if (attributes.node !== node) reader.fail();
  return { reply: "entry", attributes };
}

function attributesIn(found: Extract<Answer, { reply: "entry" | "absent" }>): Attributes {
  if (found.reply === "entry") return found.attributes;
  const none = { node: 0, mode: 0, size: 0, links: 0, uid: 0, gid: 0, mtime: 0, validMs: 0 };
  return { ...none, kind: "file" };
}

function timeout(seconds: bigint, nanoseconds: number): number {
  return Number(seconds) * 1000 + nanoseconds / 1e6;
}

function attributesOf(reader: LittleReader, validMs: number): Attributes {
  const [node, size] = [reader.id(), reader.id()];
  reader.skip(16);
  const mtime = reader.seconds();
  reader.skip(20);
  const mode = reader.u32();
  const [links, uid, gid] = [reader.u32(), reader.u32(), reader.u32()];
  reader.skip(12);
  const kind = kindOf((each) => each.mode === (mode & ~PERMISSION_BITS), reader);
  return { node, kind, mode: mode & PERMISSION_BITS, size, links, uid, gid, mtime, validMs };
}

function kindOf(
  is: (type: { readonly mode: number; readonly entry: number }) => boolean,
  reader: LittleReader,
): Attributes["kind"] {
  for (const kind of ["file", "directory", "link"] as const) if (is(FILE_TYPES[kind])) return kind;
  reader.fail();
  return "file";
}

function opened(reader: LittleReader): Extract<Answer, { reply: "opened" }> {
  const handle = reader.id();
  const flags = reader.u32();
  reader.skip(4);
  const direct = (flags & FOPEN.directIo) !== 0;
  return { reply: "opened", handle, direct, keepCache: (flags & FOPEN.keepCache) !== 0 };
}

function listed(reader: LittleReader, plus: boolean): Listed[] {
  const entries: Listed[] = [];
  while (reader.left > 0 && reader.fault === null) {
    const found = plus ? entry(reader) : null;
    const [node, next] = [reader.id(), reader.id()];
    const length = reader.u32();
    const type = reader.u32();
    const name = decodeName(reader.bytes(length));
    reader.skip((8 - (length % 8)) % 8);
    if (name === null || name === "") reader.fail();
    const kind = kindOf((each) => each.entry === type, reader);
    const attributes = found?.reply === "entry" ? found.attributes : null;
    entries.push({ name: name ?? "", node, kind, next, attributes });
  }
  return entries;
}

function statfs(reader: LittleReader): Answer {
  const [blocks, free] = [reader.id(), reader.id()];
  reader.skip(8);
  const [files, filesFree] = [reader.id(), reader.id()];
  const [blockSize, nameMax] = [reader.u32(), reader.u32()];
  reader.skip(32);
  return { reply: "statfs", blocks, free, files, filesFree, blockSize, nameMax };
}
