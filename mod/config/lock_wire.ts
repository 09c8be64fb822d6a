/** How locks lie in log entries, in snapshots and in the database. @module */
import { Writer } from "../base/bytes.ts";
import {
  bool,
  bytes,
  choice,
  decode,
  encode,
  hex,
  type Infer,
  list,
  type Schema,
  struct,
  u16,
  u32,
  u64,
} from "../base/schema.ts";

/** The last byte of every file, as fcntl(2) has it. */
export const OFFSET_MAX = 2n ** 63n - 1n;
/** Commands of one log entry. */
export const COMMANDS_MAX = 64;
/** Locks on one inode. */
export const LOCKS_PER_FILE_MAX = 1024;
/** Locks of one node; a node that wants more harms nobody but itself. */
export const LOCKS_PER_NODE_MAX = 1024;
/** Nodes whose lives are remembered: those that ever locked and are members. */
export const LIVES_MAX = 4096;
/** Bytes of the locks of one inode, or of all lives. */
export const LOCKS_BYTES_MAX = 128 * 1024;
/** The life of a node that never locked anything. */
export const NO_LIFE = "0".repeat(16);

/** All 64 bits: owners are the kernel's hashes, ranges end at {@link OFFSET_MAX}. */
const wide: Schema<bigint> = {
  shape: { kind: "hex", length: 8 },
  write(writer, value) {
    writer.u32(Number(value >> 32n)).u32(Number(value & 0xffff_ffffn));
  },
  read(reader) {
    const high = BigInt(reader.u32());
    return high << 32n | BigInt(reader.u32());
  },
};

const TYPE = choice(["posix", "flock"]);

const COMMAND = struct({
  type: TYPE,
  kind: choice(["read", "write", "unlock"]),
  ino: u64,
  owner: wide,
  start: wide,
  end: wide,
  pid: u32,
});

/** Commands of one life of a node, in order, as one step of the table. */
export const LOCKS_ENTRY = struct({
  node: u16,
  life: hex(8),
  /** The life of this node that the table showed its author: this one may follow no other. */
  before: hex(8),
  /** Rises with each entry of a life, so that one which comes twice is applied once. */
  seq: u64,
  commands: list(COMMAND, COMMANDS_MAX),
});

/** The leader knows that this life of a node writes no more. */
export const RELEASE_ENTRY = struct({ node: u16, life: hex(8) });

const LOCK = struct({
  node: u16,
  type: TYPE,
  kind: choice(["read", "write"]),
  owner: wide,
  start: wide,
  end: wide,
  pid: u32,
});
const LOCKS = list(LOCK, LOCKS_PER_FILE_MAX);
const LIVES = list(struct({ node: u16, life: hex(8), seq: u64, gone: bool }), LIVES_MAX);

/** As the database and a snapshot have it: key 0 for the lives, else an inode; empty for nothing. */
export const STORED_LOCKS = struct({ key: u64, body: bytes(LOCKS_BYTES_MAX) });

/** Takes, changes or gives back a range for an owner of the entry's node. `end` is inclusive. */
export type LockCommand = Infer<typeof COMMAND>;
/** See {@link LOCKS_ENTRY}. */
export type LocksEntry = Infer<typeof LOCKS_ENTRY>;
/** One range that is locked. */
export type Lock = Infer<typeof LOCK>;
/** A node's life as the table knows it. `gone`: it is over, and its commands are void. */
export type Life = Infer<typeof LIVES>[number];

/** Bytes of the locks of one inode; none for none. */
export function encodeLocks(locks: readonly Lock[]): Uint8Array {
  return locks.length === 0 ? new Uint8Array(0) : encode(LOCKS, locks);
}

/** The locks of one inode, or null where these are none. */
export function decodeLocks(body: Uint8Array): readonly Lock[] | null {
  return body.length === 0 ? [] : decode(LOCKS, body);
}

/** Bytes of all lives. */
export function encodeLives(lives: readonly Life[]): Uint8Array {
  return encode(LIVES, lives);
}

/** All lives, or null where these are none. */
export function decodeLives(body: Uint8Array): readonly Life[] | null {
  return body.length === 0 ? [] : decode(LIVES, body);
}

/** What changed in the table, for the rolling CRC. */
export function bytesOfStored(stored: readonly Infer<typeof STORED_LOCKS>[]): Uint8Array {
  const writer = new Writer();
  for (const each of stored) STORED_LOCKS.write(writer, each);
  return writer.finish();
}

/** What is wrong with an entry that could be decoded, as a clause; or null. */
export function locksFault({ life, seq, commands }: LocksEntry): string | null {
  if (life === NO_LIFE) return "it is of no life";
  if (seq < 1) return "its number is none";
  const bad = commands.some(({ ino, start, end }) => ino < 1 || start > end || end > OFFSET_MAX);
  return bad ? "a range is none" : null;
}
