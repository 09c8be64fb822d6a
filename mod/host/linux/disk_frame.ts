/**
 * What the daemon and its disk processes say to each other over a pipe: frames of a length and one
 * encoded value. A frame past the bound, or one that does not decode, ends the conversation.
 *
 * @module
 */
import {
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
import { TRANSFER_BYTES_MAX } from "./direct_io.ts";
import { REGISTRATIONS_MAX } from "./lun_state.ts";

/** The longest frame: the longest transfer and what stands around it. */
export const FRAME_BYTES_MAX = TRANSFER_BYTES_MAX + 4096;
/** Bytes of a frame's length. */
export const LENGTH_BYTES = 4;

/** The longest COMPARE AND WRITE. */
export const EXCHANGE_BYTES_MAX = 64 * 1024;

const KEY = text(16);
const TYPE = u32;

/** One call; the first is `open`. */
export const DISK_ASK = struct({
  tag: u32,
  call: union({
    open: [1, struct({ path: text(4096) })],
    read: [2, struct({ offset: u64, length: u32 })],
    write: [3, struct({ offset: u64, bytes: bytes(TRANSFER_BYTES_MAX) })],
    register: [4, struct({ key: KEY })],
    unregister: [5, struct({ key: KEY })],
    reserve: [6, struct({ key: KEY, type: TYPE })],
    preempt: [7, struct({ key: KEY, victim: KEY, type: TYPE })],
    reservations: [8, struct({})],
    exchange: [
      9,
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
    reservations: [
      4,
      struct({
        generation: u32,
        keys: list(KEY, REGISTRATIONS_MAX),
        holder: option(KEY),
        type: option(TYPE),
      }),
    ],
    failed: [
      5,
      struct({
        failure: choice(["conflict", "io", "hung", "absent", "unsupported", "denied", "differs"]),
        detail: text(1024),
      }),
    ],
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
