/**
 * A replica's state as a train of chunks, for another replica that the log cannot catch up. The rows
 * are immutable, so a snapshot is a list of them and costs no copy; a chunk is encoded when it is to
 * be sent, so no single step is long, however large the tree is.
 *
 * @module
 */
import { crc32 } from "../base/checksum.ts";
import type { LogBase, StoredRow, StoredSpec } from "../host/ports.ts";
import type { ReplicaState } from "./replica.ts";
import { encodeParts, type Part } from "./wire.ts";

/** Everything that another replica needs to go on from here. */
export interface Snapshot extends ReplicaState {
  /** The entry after which this is the state. */
  readonly base: LogBase;
  /** The description in force there; null for the one that is in no log. */
  readonly spec: StoredSpec | null;
}

/** One chunk; the fields are those of the message. */
export interface Chunk {
  readonly at: number;
  readonly last: boolean;
  readonly crc: number;
  readonly whole: number;
  readonly body: Uint8Array;
}

/**
 * Parts of one chunk: a chunk of small files is bounded by the time that they take, to write here and
 * to read there, and not by its bytes.
 */
export const CHUNK_PARTS_MAX = 512;
/** What a part takes beside its texts and bytes, at most. */
const PART_BYTES = 64;

/** Cuts a snapshot into chunks, one at a time; the same snapshot gives the same chunks. */
export class SnapshotEncoder {
  readonly #parts: Iterator<Part>;
  readonly #chunkBytes: number;
  /** Taken from the parts and not sent: it did not fit any more. */
  #held: Part | null = null;
  #at = 0;
  #whole = 0;
  #done = false;

  constructor(snapshot: Snapshot, chunkBytes: number) {
    this.#parts = partsOf(snapshot, Math.max(1, chunkBytes - 2 * PART_BYTES));
    this.#chunkBytes = chunkBytes;
  }

  /** The next chunk; null after the last. */
  next(): Chunk | null {
    if (this.#done) return null;
    const parts: Part[] = [];
    let size = 0;
    for (;;) {
      const part = this.#held ?? this.#take();
      this.#held = null;
      if (part === null) break;
      const next = size + sizeOf(part);
      if (parts.length > 0 && (next > this.#chunkBytes || parts.length === CHUNK_PARTS_MAX)) {
        this.#held = part;
        break;
      }
      parts.push(part);
      size = next;
    }
    const body = encodeParts(parts, size);
    this.#whole = crc32(body, this.#whole);
    this.#done = this.#held === null;
    return { at: this.#at++, last: this.#done, crc: crc32(body), whole: this.#whole, body };
  }

  #take(): Part | null {
    const { done, value } = this.#parts.next();
    return done ? null : value;
  }
}

function* partsOf({ spec, rows, requests, locks }: Snapshot, pieceBytes: number): Iterator<Part> {
  if (spec !== null) yield { kind: "spec", ...spec };
  for (const row of rows) yield* rowParts(row, pieceBytes);
  for (const request of requests) yield { ...request, kind: "request" };
  for (const each of locks) yield { ...each, kind: "locks" };
  yield { kind: "end", rows: rows.length, requests: requests.length };
}

function* rowParts({ data, kind: type, ...row }: StoredRow, pieceBytes: number): Iterable<Part> {
  const first = data.subarray(0, pieceBytes);
  yield { kind: "row", ...row, type, size: data.length, data: first };
  for (let at = pieceBytes; at < data.length; at += pieceBytes) {
    yield { kind: "more", data: data.subarray(at, at + pieceBytes) };
  }
}

function sizeOf(part: Part): number {
  switch (part.kind) {
    case "spec":
    case "locks":
      return PART_BYTES + part.body.length;
    case "row":
      return PART_BYTES + textBytesMax(part.name) + part.data.length;
    case "more":
      return PART_BYTES + part.data.length;
    case "request":
      return PART_BYTES + textBytesMax(part.why);
    case "end":
      return PART_BYTES;
  }
}

/** A UTF-16 unit takes at most three bytes of UTF-8; to count them exactly takes as long as to write. */
function textBytesMax(text: string): number {
  return 3 * text.length;
}
