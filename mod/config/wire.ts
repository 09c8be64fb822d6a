/** What the replicas say to each other, and what a log entry holds. @module */
import { CLUSTER_SPEC, type ClusterSpec, LINKS_MAX } from "../base/cluster.ts";
import { MEMBERS_MAX } from "../base/id.ts";
import { Writer } from "../base/bytes.ts";
import { PROBLEMS } from "../base/problem.ts";
import {
  bool,
  bytes,
  choice,
  decode,
  encode,
  f64,
  hex,
  type Infer,
  list,
  option,
  type Schema,
  struct,
  text,
  u16,
  u32,
  u64,
  union,
} from "../base/schema.ts";
import { PROFILE_NAMES } from "../base/timing.ts";
import type { Operation, Transaction } from "../streams.ts";
import { LOG_SHOWN_MAX, LOG_TEXT_MAX } from "./fuse/limits.ts";
import { LOCKS_ENTRY, type LocksEntry, RELEASE_ENTRY, STORED_LOCKS } from "./lock_wire.ts";

/** Bytes of one file. */
export const FILE_BYTES_MAX = 1024 * 1024;
/** Bytes of a path. */
export const PATH_BYTES_MAX = 4096;
/** Operations of one transaction. */
export const OPERATIONS_MAX = 1024;
/** Bytes of one encoded log entry: a whole file, and room for the rest. */
export const ENTRY_BYTES_MAX = FILE_BYTES_MAX + 128 * 1024;
/** Bytes of entries in one append; one entry may be longer and then goes alone. */
export const APPEND_BYTES_MAX = 256 * 1024;
/** Bytes of the clause that says why a transaction was refused. */
export const WHY_BYTES_MAX = 1000;
/** Bytes of one chunk of a snapshot, and of one part that is longer and goes alone. */
export const CHUNK_BYTES_MAX = 512 * 1024;
/** Parts of one chunk. */
export const PARTS_MAX = 16_384;
/** Entries in one append. */
export const APPEND_ENTRIES_MAX = 1024;

const PATH = text(PATH_BYTES_MAX);

const OPERATION = union({
  create: [1, struct({ path: PATH })],
  write: [2, struct({ path: PATH, offset: u32, data: bytes(FILE_BYTES_MAX) })],
  truncate: [3, struct({ path: PATH, size: u32 })],
  rename: [4, struct({ path: PATH, to: PATH })],
  remove: [5, struct({ path: PATH })],
  mkdir: [6, struct({ path: PATH })],
  rmdir: [7, struct({ path: PATH })],
  utime: [8, struct({ path: PATH, mtime: u64 })],
}, "op") as unknown as Schema<Operation>;

const TRANSACTION = struct({
  request: hex(8),
  base: u64,
  expect: list(struct({ path: PATH, version: u64 }), OPERATIONS_MAX),
  operations: list(OPERATION, OPERATIONS_MAX),
  author: text(255),
  reason: text(1000),
  time: u64,
});

const SPEC_TAG = 2;
const FORCED_TAG = 3;
const ENTRY = union({
  noop: [0, struct({})],
  /** `writer` is the node through which it came. */
  transaction: [1, struct({ writer: u16, transaction: TRANSACTION })],
  /** `highest` is the highest node id ever given: ids are not given twice. */
  spec: [SPEC_TAG, struct({ spec: CLUSTER_SPEC, highest: u16 })],
  /** One voter goes on alone by the word of a person: `force.ts`. */
  forced: [
    FORCED_TAG,
    struct({
      spec: CLUSTER_SPEC,
      highest: u16,
      writer: u16,
      /** Who was a member until then, and may run resources still. */
      out: list(struct({ id: u16, name: text(63) }), MEMBERS_MAX),
      request: hex(8),
      author: text(255),
      reason: text(1000),
      time: u64,
    }),
  ],
  locks: [4, LOCKS_ENTRY],
  "locks-release": [5, RELEASE_ENTRY],
});

/** A description that one node gave itself, without a majority: who is out, and on whose word. */
export interface ForcedEntry {
  readonly kind: "forced";
  readonly spec: ClusterSpec;
  readonly highest: number;
  readonly writer: number;
  readonly out: readonly { readonly id: number; readonly name: string }[];
  readonly request: string;
  readonly author: string;
  readonly reason: string;
  readonly time: number;
}

/** What a log entry means. */
export type Entry =
  | { readonly kind: "noop" }
  | { readonly kind: "transaction"; readonly writer: number; readonly transaction: Transaction }
  | { readonly kind: "spec"; readonly spec: ClusterSpec; readonly highest: number }
  | ForcedEntry
  | { readonly kind: "locks" } & LocksEntry
  | { readonly kind: "locks-release"; readonly node: number; readonly life: string };

const CHANGE = union({
  "add-learner": [
    1,
    struct({ name: text(63), links: list(text(255), LINKS_MAX), peer: text(255) }),
  ],
  promote: [2, struct({ node: u16 })],
  remove: [3, struct({ node: u16 })],
  profile: [4, struct({ profile: choice(PROFILE_NAMES as readonly ["standard", "fast"]) })],
  witness: [5, struct({ disk: option(hex(16)) })],
  rename: [6, struct({ node: u16, name: text(63) })],
  readdress: [7, struct({ node: u16, links: list(text(255), LINKS_MAX), peer: text(255) })],
});

/** One entry of `.clusterlog`. */
const LOG_ENTRY = struct({
  uid: u64,
  time: u64,
  pri: u16,
  tag: text(63),
  pid: u32,
  node: text(63),
  user: text(63),
  msg: text(LOG_TEXT_MAX),
});

const MESSAGE = union({
  append: [
    1,
    struct({
      term: u64,
      prevIndex: u64,
      prevTerm: u64,
      entries: list(struct({ term: u64, body: bytes(ENTRY_BYTES_MAX) }), APPEND_ENTRIES_MAX),
      commit: u64,
      /** ReadIndex: the reply carries it back. */
      round: u64,
    }),
  ],
  "append-reply": [
    2,
    struct({
      term: u64,
      ok: bool,
      /** Durable here up to this index, if ok; else the index from which the leader should send. */
      index: u64,
      /** CRC chain of the log at `index`. */
      chain: u32,
      applied: u64,
      /** Rolling CRC of the tree at `applied`; content hash of tree and locks there. */
      state: u32,
      content: u32,
      round: u64,
      /** It was told that it differs from its peers, and waits to be rebuilt. */
      diverged: bool,
    }),
  ],
  /** `transfer`: the leader itself asked for this election. */
  vote: [
    3,
    struct({ term: u64, pre: bool, transfer: bool, lastIndex: u64, lastTerm: u64 }),
  ],
  "vote-reply": [4, struct({ term: u64, pre: bool, granted: bool })],
  forward: [
    5,
    struct({
      id: u64,
      ask: union({
        propose: [1, struct({ transaction: TRANSACTION })],
        change: [2, struct({ change: CHANGE })],
        barrier: [3, struct({})],
        transfer: [4, struct({ to: option(u16) })],
      }),
    }),
  ],
  "forward-reply": [
    6,
    struct({
      id: u64,
      answer: union({
        done: [1, struct({ index: u64, crc32: u32 })],
        refused: [2, struct({ code: text(63), why: text(WHY_BYTES_MAX) })],
        barrier: [3, struct({ ok: bool, index: u64 })],
      }),
    }),
  ],
  /** Asks the leader to remove a lock that is not renewed; no answer. */
  unlock: [16, struct({ path: PATH, version: u64 })],
  /** Asks the leader to put this into its log; who sent it sees it applied, or sends it again. */
  locks: [17, LOCKS_ENTRY],
  /** There is a mount here: wants the entries of `.clusterlog`, now and as they come. */
  "log-ask": [18, struct({})],
  /** Entries that the receiver may not have yet; no answer. */
  log: [19, struct({ entries: list(LOG_ENTRY, LOG_SHOWN_MAX) })],
  /** One chunk of the leader's state, for one that the log cannot bring there any more. */
  snapshot: [
    7,
    struct({
      term: u64,
      /** Number of the transfer, in the leader's count. */
      transfer: u64,
      /** The state is that after this entry; its term, the log's CRC chain, the tree's rolling CRC. */
      index: u64,
      lastTerm: u64,
      chain: u32,
      state: u32,
      /** The receiver differs from its peers: it takes this whatever it has. */
      forced: bool,
      /** Number of the chunk, from 0. */
      at: u64,
      last: bool,
      /** CRC-32 of this body, and of all bodies up to and with it. */
      crc: u32,
      whole: u32,
      body: bytes(CHUNK_BYTES_MAX),
    }),
  ],
  "snapshot-reply": [
    8,
    struct({
      term: u64,
      transfer: u64,
      /** The chunk that it needs next; what is before it has arrived. */
      next: u64,
      /** All of it is installed here and durable, or was not needed. */
      done: bool,
    }),
  ],
  /** The leader of this term, whose log ends there, wants the receiver to lead in its place. */
  "timeout-now": [9, struct({ term: u64, lastIndex: u64, lastTerm: u64 })],
  /** The receiver is no member any more, by the description at this index. */
  removed: [10, struct({ index: u64 })],
  /** It lost what it held (`recovery.ts`); nonce 0: it is whole. */
  recovery: [11, struct({ term: u64, nonce: u64, known: bool })],
  /** Who holds everything up to here has recovered from the loss of that nonce. */
  recovered: [12, struct({ term: u64, nonce: u64, commit: u64 })],
  /** It holds less than it acknowledged. */
  lost: [13, struct({ term: u64 })],
  /** The receiver holds something else than the leader; `sure`: and than a majority. */
  differs: [14, struct({ term: u64, index: u64, sure: bool })],
});

const PART = union({
  /** The newest description of the cluster: its log entry, and its index. */
  spec: [1, struct({ index: u64, body: bytes(ENTRY_BYTES_MAX) })],
  /** A row, and the beginning of its content of `size` bytes. */
  row: [
    2,
    struct({
      ino: u64,
      parent: u64,
      name: text(255),
      type: choice(["file", "directory"]),
      mtime: f64,
      version: u64,
      writer: u16,
      size: u32,
      data: bytes(CHUNK_BYTES_MAX),
    }),
  ],
  /** The content of the last row goes on. */
  more: [3, struct({ data: bytes(CHUNK_BYTES_MAX) })],
  /** What became of a request. */
  request: [
    4,
    struct({ index: u64, request: hex(8), problem: text(63), why: text(WHY_BYTES_MAX) }),
  ],
  /** The locks of one inode. */
  locks: [6, STORED_LOCKS],
  /** Nothing follows: so many there were. */
  end: [5, struct({ rows: u32, requests: u32 })],
});
const PARTS = list(PART, PARTS_MAX);

/** What a chunk of a snapshot is made of. */
export type Part = Infer<typeof PART>;

/** The body of a chunk; `size` is about how long it will be, so that it is written in one place. */
export function encodeParts(parts: readonly Part[], size = 256): Uint8Array {
  const writer = new Writer(size);
  PARTS.write(writer, parts);
  return writer.finish();
}

/** The parts of a chunk, or null where these are none. */
export function decodeParts(body: Uint8Array): readonly Part[] | null {
  return decode(PARTS, body);
}

/** A message between replicas. */
export type Message = Infer<typeof MESSAGE>;
/** One kind of message. */
export type MessageOf<K extends Message["kind"]> = Extract<Message, { readonly kind: K }>;
/** What a follower asks of the leader. */
export type Ask = MessageOf<"forward">["ask"];
/** What the leader answers. */
export type Answer = MessageOf<"forward-reply">["answer"];

/** Bytes of a message. */
export function encodeMessage(message: Message): Uint8Array {
  return encode(MESSAGE, message);
}

/** A message out of hostile bytes, or null. */
export function decodeMessage(input: Uint8Array): Message | null {
  return decode(MESSAGE, input);
}

const ENTRY_SCHEMA = ENTRY as unknown as Schema<Entry>;

/** The entry that holds a cluster's description. */
export type SpecEntry = Extract<Entry, { readonly kind: "spec" }>;

/** Bytes of a log entry. */
export function encodeEntry(entry: Entry): Uint8Array {
  return encode(ENTRY_SCHEMA, entry);
}

/** A log entry out of stored or received bytes, or null where they are none. */
export function decodeEntry(input: Uint8Array): Entry | null {
  return decode(ENTRY_SCHEMA, input);
}

/** False for a log entry without a description of the cluster: most need not be decoded for one. */
export function mayDescribe(body: Uint8Array): boolean {
  return body[0] === SPEC_TAG || body[0] === FORCED_TAG;
}

/** True for a code that this version knows. */
export function isProblemCode(code: string): code is keyof typeof PROBLEMS {
  return Object.hasOwn(PROBLEMS, code);
}
