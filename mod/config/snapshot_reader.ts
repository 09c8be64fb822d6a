/**
 * A snapshot as it arrives. Nothing is believed: what is kept is what really came, within the bounds
 * of a tree, and at the end it must be one. Sizes and counts that are only claimed set nothing aside.
 *
 * @module
 */
import { concat } from "../base/bytes.ts";
import { crc32 } from "../base/checksum.ts";
import { specFault } from "../base/cluster.ts";
import { NODE_ID_MAX } from "../base/id.ts";
import type { StoredLocks, StoredRequest, StoredRow, StoredSpec } from "../host/ports.ts";
import { storedFault } from "./lock_table.ts";
import { LOCKS_PER_NODE_MAX } from "./lock_wire.ts";
import { DEPTH_MAX, pathFault } from "./path.ts";
import { REQUEST_WINDOW } from "./replica.ts";
import type { Chunk } from "./snapshot.ts";
import { INODES_MAX, ROOT_INO, TREE_BYTES_MAX } from "./tree.ts";
import {
  decodeEntry,
  decodeParts,
  FILE_BYTES_MAX,
  isProblemCode,
  OPERATIONS_MAX,
  type Part,
} from "./wire.ts";

/** What came out of all chunks. */
export interface SnapshotContent {
  readonly spec: StoredSpec | null;
  readonly rows: readonly StoredRow[];
  readonly requests: readonly StoredRequest[];
  readonly locks: readonly StoredLocks[];
}

/** Inodes with locks: no node has locks on more than this. */
const LOCKED_INODES_MAX = 64 * LOCKS_PER_NODE_MAX;

type RowPart = Extract<Part, { kind: "row" }>;

/** Takes the chunks of one snapshot, in order. After a fault it must be dropped. */
export class SnapshotReader {
  readonly #index: number;
  readonly #check = new TreeCheck();
  readonly #rows: StoredRow[] = [];
  readonly #requests: StoredRequest[] = [];
  readonly #locks: StoredLocks[] = [];
  #spec: StoredSpec | null = null;
  #open: { readonly row: RowPart; readonly pieces: Uint8Array[]; missing: number } | null = null;
  #next = 0;
  #whole = 0;
  #bytes = 0;
  #ended = false;

  /** For the state after the entry at this index. */
  constructor(index: number) {
    this.#index = index;
  }

  /** Number of the chunk that is needed next. */
  get next(): number {
    return this.#next;
  }

  /** Takes the chunk that is needed next, or says as a clause why it is none. */
  take({ at, last, crc, whole, body }: Chunk): string | null {
    if (at !== this.#next) return `chunk ${at} came, ${this.#next} was needed`;
    if (crc32(body) !== crc) return `chunk ${at} fails its CRC-32`;
    this.#whole = crc32(body, this.#whole);
    if (this.#whole !== whole) return `the chunks up to ${at} fail their CRC-32`;
    const parts = decodeParts(body);
    if (parts === null) return `chunk ${at} is malformed`;
    for (const part of parts) {
      const fault = this.#ended ? "something follows the end" : this.#part(part);
      if (fault !== null) return fault;
    }
    this.#next++;
    return last === this.#ended ? null : "it ends where it should not";
  }

  /** The whole, once the last chunk was taken; or a clause that says why it is no state. */
  finish(): SnapshotContent | string {
    return this.#check.finish() ?? storedFault(this.#locks) ??
      { spec: this.#spec, rows: this.#rows, requests: this.#requests, locks: this.#locks };
  }

  #part(part: Part): string | null {
    if (part.kind === "more") return this.#more(part.data);
    if (this.#open !== null) return `the content of inode ${this.#open.row.ino} is cut short`;
    switch (part.kind) {
      case "spec":
        return this.#onSpec(part);
      case "row":
        return this.#row(part);
      case "request":
        return this.#request(part);
      case "locks":
        if (this.#locks.length > LOCKED_INODES_MAX) return "it has too many locks";
        this.#locks.push({ key: part.key, body: part.body.slice() });
        return null;
      case "end":
        this.#ended = true;
        return part.rows === this.#rows.length && part.requests === this.#requests.length
          ? null
          : "it does not hold what it says";
    }
  }

  #onSpec({ index, body }: StoredSpec): string | null {
    const entry = decodeEntry(body);
    if (entry?.kind !== "spec" || index < 1 || index > this.#index || this.#spec !== null) {
      return "its description of the cluster is none";
    }
    this.#spec = { index, body: body.slice() };
    return specFault(entry.spec);
  }

  #row(row: RowPart): string | null {
    const fault = rowFault(row, this.#index);
    if (fault !== null) return `inode ${row.ino}: ${fault}`;
    if (this.#rows.length >= INODES_MAX) return `it has more than ${INODES_MAX} entries`;
    this.#open = { row, pieces: [], missing: row.size };
    return this.#more(row.data);
  }

  #more(data: Uint8Array): string | null {
    const open = this.#open;
    if (open === null) return "content came without its file";
    if (data.length > open.missing) return `inode ${open.row.ino} is longer than it says`;
    this.#bytes += data.length;
    if (this.#bytes > TREE_BYTES_MAX) return `it has more than ${TREE_BYTES_MAX} bytes`;
    open.missing -= data.length;
    // The pieces are views on the frame that came; the row is kept, so they are copied.
    open.pieces.push(open.missing === 0 ? data : data.slice());
    if (open.missing > 0) return null;
    const { size: _size, kind: _kind, type, ...row } = open.row;
    const whole: StoredRow = { ...row, kind: type, data: concat(...open.pieces) };
    this.#rows.push(whole);
    this.#open = null;
    return this.#check.add(whole);
  }

  #request({ kind: _kind, ...request }: Extract<Part, { kind: "request" }>): string | null {
    const { index, problem } = request;
    const before = this.#requests.at(-1)?.index ?? 0;
    if (index <= before || index > this.#index || index + REQUEST_WINDOW < this.#index) {
      return `request ${request.request} is out of order`;
    }
    if (problem !== "" && !isProblemCode(problem)) return `nobody knows the problem "${problem}"`;
    this.#requests.push(request);
    return null;
  }
}

function rowFault(
  { ino, name, type, version, writer, size }: RowPart,
  index: number,
): string | null {
  // Inodes are numbered by the log index that made them.
  if (ino <= ROOT_INO || ino > (index + 1) * OPERATIONS_MAX) return "its number is none";
  if (pathFault(name) !== null || name.includes("/")) return "its name is none";
  if (version < 1 || version > index) return "its version is none";
  if (writer < 1 || writer > NODE_ID_MAX) return "nobody wrote it";
  if (size > (type === "file" ? FILE_BYTES_MAX : 0)) return `it is ${size} bytes long`;
  return null;
}

/**
 * Whether rows make a tree, looked at one by one as they come: at the end of hundreds of thousands
 * only the directories are left to be seen.
 */
class TreeCheck {
  readonly #inodes = new Set<number>();
  readonly #names = new Map<number, Set<string>>();
  /** Each directory and its parent. */
  readonly #directories = new Map<number, number>();

  /** Why this row cannot be in one tree with those before it, as a clause; or null. */
  add({ ino, parent, name, kind }: StoredRow): string | null {
    if (this.#inodes.has(ino)) return `there are two of inode ${ino}`;
    this.#inodes.add(ino);
    const siblings = this.#names.get(parent) ?? new Set();
    if (siblings.has(name)) return `there are two of "${name}" in one directory`;
    this.#names.set(parent, siblings.add(name));
    if (kind === "directory") this.#directories.set(ino, parent);
    return null;
  }

  /** Why all of them make no tree, as a clause; or null. */
  finish(): string | null {
    for (const parent of this.#names.keys()) {
      if (parent !== ROOT_INO && !this.#directories.has(parent)) {
        return `what is in inode ${parent} is in no directory`;
      }
    }
    for (const ino of this.#directories.keys()) {
      let at = ino;
      // A ring of directories would not end here.
      for (let depth = 0; at !== ROOT_INO; depth++) {
        if (depth >= DEPTH_MAX) return `directory ${ino} is not below the root`;
        at = this.#directories.get(at) ?? ROOT_INO;
      }
    }
    return null;
  }
}

/** Why rows make no tree, as a clause; or null. */
export function treeFault(rows: readonly StoredRow[]): string | null {
  const check = new TreeCheck();
  for (const row of rows) {
    const fault = check.add(row);
    if (fault !== null) return fault;
  }
  return check.finish();
}
