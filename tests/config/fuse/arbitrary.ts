/** Requests, replies and notices of every kind, at random. @module */
import fc from "fast-check";
import type {
  Attributes,
  DirectoryEntry,
  FuseCall,
  FuseNotice,
  FuseReply,
  FuseRequest,
} from "../../../mod/config/fuse/requests.ts";
import { OPCODE, TRANSFER_BYTES_MAX } from "../../../mod/config/fuse/protocol.ts";
import { ERRNO } from "../../../mod/config/fuse/errno.ts";
import type { Errno } from "../../../mod/config/fuse/requests.ts";

/** Plain objects, as the codec makes them. */
function record<T>(model: { [K in keyof T]: fc.Arbitrary<T[K]> }): fc.Arbitrary<T> {
  return fc.record(model, { noNullPrototype: true });
}

const u32 = fc.nat({ max: 0xffff_ffff });
/** Nodes, handles, sizes: anything that a number holds. */
const id = fc.nat({ max: Number.MAX_SAFE_INTEGER });
const u64 = fc.bigInt({ min: 0n, max: 2n ** 64n - 1n });
const seconds = fc.integer({ min: -(2 ** 40), max: 2 ** 40 });
const bits = fc.nat({ max: 0o7777 });
/** Well-formed names, with byte order marks and everything else that UTF-8 has. */
export const name = fc.oneof(
  fc.string({ unit: "binary", minLength: 1, maxLength: 60 }),
  fc.constantFrom("\ufeff", "\ufeffa", "a", "100.conf", "...", "ä".repeat(120)),
).filter((text) => !/[\0/]/.test(text) && text !== "." && text !== ".." && text.isWellFormed());

const flags = record({
  read: fc.boolean(),
  write: fc.boolean(),
  truncate: fc.boolean(),
  append: fc.boolean(),
  exclusive: fc.boolean(),
}).filter(({ read, write }) => read || write);
const range = fc.tuple(fc.constantFrom("read", "write", "unlock"), u64, u64, u32)
  .map(([kind, a, b, pid]) => ({ kind, start: a < b ? a : b, end: a < b ? b : a, pid }) as const);
const time = fc.oneof(seconds, fc.constant("now" as const));
const set = fc.record({ mode: bits, uid: u32, gid: u32, size: id, mtime: time, atime: time }, {
  noNullPrototype: true,
  requiredKeys: [],
});
const size = fc.nat({ max: TRANSFER_BYTES_MAX });
const span = { handle: id, offset: id };
const data = fc.uint8Array({ maxLength: 300 });

function called<K extends FuseCall["call"], T extends object>(
  call: K,
  parts: { [P in keyof T]: fc.Arbitrary<T[P]> } = {} as { [P in keyof T]: fc.Arbitrary<T[P]> },
): fc.Arbitrary<FuseCall> {
  return record({ call: fc.constant(call), ...parts }) as unknown as fc.Arbitrary<FuseCall>;
}

const known: ReadonlySet<number> = new Set(Object.values(OPCODE));

const call: fc.Arbitrary<FuseCall> = fc.oneof(
  called("init", { major: u32, minor: u32, maxReadahead: u32, flags: u64 })
    .map((each) => each.call === "init" ? { ...each, flags: each.flags | (1n << 30n) } : each),
  called("destroy"),
  called("lookup", { name }),
  called("forget", {
    forgets: fc.array(record({ node: id, count: id }), { minLength: 1, maxLength: 50 }),
  }),
  called("getattr", { handle: fc.option(id) }),
  called("setattr", { handle: fc.option(id), set }),
  called("readlink"),
  called("symlink", { name, target: fc.string({ maxLength: 50 }).filter((t) => !/\0/.test(t)) }),
  called("mknod", { name, mode: u32 }),
  called("mkdir", { name, mode: bits }),
  called("unlink", { name }),
  called("rmdir", { name }),
  fc.tuple(name, name, id, fc.constantFrom("", "noReplace", "exchange")).map(
    ([from, to, directory, how]): FuseCall => ({
      call: "rename",
      name: from,
      directory,
      to,
      noReplace: how === "noReplace",
      exchange: how === "exchange",
    }),
  ),
  called("link", { target: id, name }),
  called("open", { flags }),
  called("create", { name, flags, mode: bits }),
  called("read", { ...span, size }),
  called("write", { ...span, data }),
  called("statfs"),
  called("flush", { handle: id, owner: u64 }),
  called("release", { handle: id, flockOwner: fc.option(u64) }),
  called("fsync", { handle: id }),
  called("fsyncdir", { handle: id }),
  called("opendir"),
  called("readdir", { ...span, size, plus: fc.boolean() }),
  called("releasedir", { handle: id }),
  called("access", { mask: u32 }),
  called("getlk", { handle: id, owner: u64, range }),
  called("setlk", {
    handle: id,
    owner: u64,
    range,
    flock: fc.boolean(),
    wait: fc.boolean(),
  }),
  called("fallocate", { ...span, length: id, mode: u32 }),
  called("interrupt", { target: id }),
  called("setxattr"),
  called("getxattr"),
  called("listxattr"),
  called("removexattr"),
  called("unsupported", { opcode: u32.filter((opcode) => !known.has(opcode)) }),
);

/** A request as it can come from a kernel. */
export const request: fc.Arbitrary<FuseRequest> = record({
  unique: fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER }),
  node: id,
  caller: record({ uid: u32, gid: u32, pid: u32 }),
  call,
}).map(({ call, ...rest }) => ({ ...rest, ...call }));

export const attributes: fc.Arbitrary<Attributes> = record({
  node: fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER }),
  kind: fc.constantFrom("file", "directory", "link"),
  mode: bits,
  size: id,
  links: u32,
  uid: u32,
  gid: u32,
  mtime: seconds,
  validMs: fc.nat({ max: 10 ** 9 }),
});

export const entries: fc.Arbitrary<DirectoryEntry[]> = fc.array(
  record({ name: fc.oneof(name, fc.constantFrom(".", "..")), attributes, next: id }),
  { maxLength: 40 },
);

const errno = fc.constantFrom(...Object.keys(ERRNO) as Errno[]);

/** Replies but for INIT and directories, each with a call that it answers. */
export const exchange: fc.Arbitrary<[FuseCall, FuseReply]> = fc.oneof(
  fc.tuple(call, errno).map(([asked, each]): [FuseCall, FuseReply] => [
    asked.call === "forget" || asked.call === "interrupt" ? { call: "statfs" } : asked,
    { reply: "error", errno: each },
  ]),
  pair({ call: "rmdir", name: "a" }, fc.constant({ reply: "ok" })),
  pair(
    { call: "lookup", name: "a" },
    attributes.map((each) => ({ reply: "entry", attributes: each })),
  ),
  pair(
    { call: "lookup", name: "a" },
    fc.nat({ max: 10 ** 9 }).map((validMs) => ({ reply: "absent", validMs })),
  ),
  pair(
    { call: "getattr", handle: null },
    attributes.map((each) => ({ reply: "attributes", attributes: each })),
  ),
  pair(
    { call: "read", handle: 1, offset: 0, size: 300 },
    data.map((each) => ({ reply: "data", data: each })),
  ),
  pair({ call: "readlink" }, data.map((each) => ({ reply: "data", data: each }))),
  pair(
    { call: "opendir" },
    fc.tuple(id, fc.boolean(), fc.boolean())
      .map(([handle, direct, keepCache]) => ({ reply: "opened", handle, direct, keepCache })),
  ),
  pair(
    {
      call: "create",
      name: "a",
      mode: 0,
      flags: { read: true, write: true, truncate: false, append: false, exclusive: false },
    },
    fc.tuple(attributes, id)
      .map(([each, handle]) => ({ reply: "created", attributes: each, handle })),
  ),
  pair(
    { call: "write", handle: 1, offset: 0, data: new Uint8Array(3) },
    u32.map((each) => ({ reply: "written", size: each })),
  ),
  pair(
    { call: "statfs" },
    record({
      reply: fc.constant("statfs" as const),
      blocks: id,
      free: id,
      files: id,
      filesFree: id,
      blockSize: u32,
      nameMax: u32,
    }),
  ),
  pair(
    { call: "getlk", handle: 1, owner: 1n, range: { kind: "read", start: 0n, end: 1n, pid: 1 } },
    range.map((each) => ({ reply: "lock", range: each })),
  ),
);

function pair(
  asked: FuseCall,
  reply: fc.Arbitrary<FuseReply>,
): fc.Arbitrary<[FuseCall, FuseReply]> {
  return reply.map((each) => [asked, each]);
}

export const notice: fc.Arbitrary<FuseNotice> = fc.oneof(
  record({ notice: fc.constant("inode" as const), node: id }),
  record({ notice: fc.constant("entry" as const), directory: id, name }),
  record({ notice: fc.constant("delete" as const), directory: id, child: id, name }),
);
