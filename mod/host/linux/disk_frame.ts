/**
 * What the daemon and its disk processes say to each other over a pipe: frames of a length and one
 * encoded value. A frame past the bound, or one that does not decode, ends the conversation.
 *
 * @module
 */
import {
  bool,
  bytes,
  choice,
  decode,
  encode,
  type Infer,
  list,
  option,
  type Schema,
  struct,
  text,
  u32,
  u64,
  union,
} from "../../base/schema.ts";
import type { ReservationType } from "../ports.ts";
import { ALLOCATION_MAX } from "../scsi/command.ts";
import { REGISTRATIONS_MAX } from "../scsi/reply.ts";
import { PATHS_MAX } from "./device_place.ts";
import { TRANSFER_BYTES_MAX } from "./direct_io.ts";

/** The longest frame: the longest transfer and what stands around it. */
export const FRAME_BYTES_MAX = TRANSFER_BYTES_MAX + 4096;
/** The longest path: linux/limits.h, PATH_MAX. */
export const PATH_BYTES_MAX = 4096;
/** The most initiator ports of one registration. */
export const PORTS_MAX = 64;
/** Bytes of a frame's length. */
export const LENGTH_BYTES = 4;

/** The longest COMPARE AND WRITE. */
export const EXCHANGE_BYTES_MAX = 64 * 1024;

const KEY = text(16);
const TYPE: Schema<ReservationType> = {
  shape: { kind: "u8" },
  write: (writer, value) => writer.u8(value),
  read(reader) {
    const type = [1, 3, 5, 6, 7, 8].indexOf(reader.u8());
    if (type < 0) reader.fail();
    return ([1, 3, 5, 6, 7, 8] as const)[type] ?? 1;
  },
};
/** Initiator ports, models, names. */
const NAME = text(1024);
const PATH = text(PATH_BYTES_MAX);
/** The longest answer of a target. */
const RAW = bytes(ALLOCATION_MAX);

const COMMANDS = union({
  register: [
    1,
    struct({
      key: KEY,
      old: option(KEY),
      persist: option(bool),
      allTargetPorts: bool,
      initiatorPorts: list(NAME, PORTS_MAX),
    }),
  ],
  reserve: [2, struct({ key: KEY, type: TYPE })],
  release: [3, struct({ key: KEY, type: TYPE })],
  clear: [4, struct({ key: KEY })],
  preempt: [5, struct({ key: KEY, victim: KEY, type: TYPE, abort: bool })],
});

const STATE = struct({
  generation: u32,
  keys: list(KEY, REGISTRATIONS_MAX),
  holder: option(KEY),
  type: option(TYPE),
});

const REPORT = struct({
  name: option(NAME),
  model: NAME,
  through: choice(["SG_IO", "pr.h", "file"]),
  paths: list(PATH, PATHS_MAX),
  state: STATE,
  capabilities: option(
    struct({
      allTargetPorts: bool,
      initiatorPorts: bool,
      persist: bool,
      persistActive: bool,
      types: option(list(TYPE, 8)),
    }),
  ),
  registrations: option(
    list(
      struct({
        key: KEY,
        allTargetPorts: bool,
        holds: option(TYPE),
        targetPort: u32,
        initiatorPort: NAME,
      }),
      REGISTRATIONS_MAX,
    ),
  ),
  compareBlocks: u32,
  raw: struct({
    keys: option(RAW),
    reservation: option(RAW),
    capabilities: option(RAW),
    fullStatus: option(RAW),
  }),
});

/** One call; the first is `open`. */
export const DISK_ASK = struct({
  tag: u32,
  call: union({
    open: [1, struct({ path: PATH })],
    read: [2, struct({ offset: u64, length: u32 })],
    write: [3, struct({ offset: u64, bytes: bytes(TRANSFER_BYTES_MAX) })],
    command: [4, struct({ command: COMMANDS })],
    reservations: [5, struct({})],
    inspect: [6, struct({})],
    tryWrite: [7, struct({})],
    exchange: [
      8,
      struct({ offset: u64, expect: bytes(EXCHANGE_BYTES_MAX), bytes: bytes(EXCHANGE_BYTES_MAX) }),
    ],
  }),
});

/** One answer. */
export const DISK_ANSWER = struct({
  tag: u32,
  result: union({
    done: [1, struct({})],
    opened: [2, struct({ disk: choice(["scsi", "nvme", "file"]), sizeBytes: u64 })],
    bytes: [3, struct({ bytes: bytes(TRANSFER_BYTES_MAX) })],
    reservations: [4, STATE],
    failed: [
      5,
      struct({
        failure: choice(["conflict", "io", "hung", "absent", "unsupported", "denied", "differs"]),
        detail: text(1024),
      }),
    ],
    report: [6, REPORT],
  }),
});

export type DiskAsk = Infer<typeof DISK_ASK>;
export type DiskAnswer = Infer<typeof DISK_ANSWER>;

/** A value as a frame. */
export function encodeFrame<T>(schema: Schema<T>, value: T): Uint8Array {
  const body = encode(schema, value);
  const frame = new Uint8Array(LENGTH_BYTES + body.length);
  new DataView(frame.buffer).setUint32(0, body.length);
  frame.set(body, LENGTH_BYTES);
  return frame;
}

/** Cuts a stream of bytes into values. */
export class FrameReader<T> {
  readonly #schema: Schema<T>;
  #held = new Uint8Array(0);

  constructor(schema: Schema<T>) {
    this.#schema = schema;
  }

  /** The values that are complete now, or null where the stream is malformed. */
  push(chunk: Uint8Array): T[] | null {
    const joined = new Uint8Array(this.#held.length + chunk.length);
    joined.set(this.#held);
    joined.set(chunk, this.#held.length);
    const values: T[] = [];
    let at = 0;
    while (joined.length - at >= LENGTH_BYTES) {
      const length = new DataView(joined.buffer, at).getUint32(0);
      if (length > FRAME_BYTES_MAX) return null;
      const end = at + LENGTH_BYTES + length;
      if (end > joined.length) break;
      const value = decode(this.#schema, joined.subarray(at + LENGTH_BYTES, end));
      if (value === null) return null;
      values.push(value);
      at = end;
    }
    this.#held = joined.slice(at);
    return values;
  }
}
