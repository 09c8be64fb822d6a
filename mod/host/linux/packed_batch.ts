/**
 * What most batches are made of, log entries and what was applied of them, as three flat values for
 * the way to the database's thread: a tree of small objects takes much longer to cross.
 *
 * @module
 */
import type {
  DatabaseBatch,
  StoredEntry,
  StoredHistory,
  StoredLocks,
  StoredRow,
  UndoRow,
} from "../ports.ts";

type Applied = NonNullable<DatabaseBatch["applied"]>;

/** The parts of a batch that are packed. */
export interface PackedParts {
  readonly entries?: DatabaseBatch["entries"] | undefined;
  readonly applied?: Applied | undefined;
}

/** These in a form that crosses to another thread at once. */
export interface PackedBatch {
  /** All numbers, and the lengths of all that has one, in the order in which they are read. */
  readonly numbers: Float64Array<ArrayBuffer>;
  /** All texts, one after the other. */
  readonly text: string;
  /** All byte strings. */
  readonly data: Uint8Array<ArrayBuffer>;
}

/** Packs; shares no memory with what it packs. */
export function packBatch({ entries = [], applied }: PackedParts): PackedBatch {
  const packer = new Packer();
  packer.list(entries, (entry) => {
    packer.number(entry.index);
    packer.number(entry.term);
    packer.bytes(entry.body);
  });
  packer.number(applied === undefined ? 0 : 1);
  if (applied !== undefined) packApplied(packer, applied);
  return packer.finish();
}

/** The parts again; their byte strings are views on the packed ones. */
export function unpackBatch(packed: PackedBatch): Pick<DatabaseBatch, "entries" | "applied"> {
  const reader = new Unpacker(packed);
  const entries = reader.list((): StoredEntry => ({
    index: reader.number(),
    term: reader.number(),
    body: reader.bytes(),
  }));
  const applied = reader.number() === 1 ? unpackApplied(reader) : undefined;
  return { ...(entries.length > 0 && { entries }), ...(applied && { applied }) };
}

function packApplied(packer: Packer, applied: Applied): void {
  const { index, term, stateCrc, forget, rows, removed, locks = [], history } = applied;
  for (const value of [index, term, stateCrc, forget]) packer.number(value);
  packer.list(rows, (row) => packRow(packer, row));
  packer.list(removed, (ino) => packer.number(ino));
  packer.list(locks, ({ key, body }) => {
    packer.number(key);
    packer.bytes(body);
  });
  packer.list(history, (each) => packHistory(packer, each));
}

function unpackApplied(reader: Unpacker): Applied {
  const [index, term] = [reader.number(), reader.number()];
  const [stateCrc, forget] = [reader.number(), reader.number()];
  const rows = reader.list(() => unpackRow(reader));
  const removed = reader.list(() => reader.number());
  const locks = reader.list((): StoredLocks => ({ key: reader.number(), body: reader.bytes() }));
  const history = reader.list(() => unpackHistory(reader));
  return {
    ...{ index, term, stateCrc, forget, rows, removed, history },
    ...(locks.length > 0 && { locks }),
  };
}

function packRow(packer: Packer, row: StoredRow): void {
  packer.number(row.ino);
  packer.number(row.parent);
  packer.text(row.name);
  packer.number(row.kind === "directory" ? 1 : 0);
  packer.number(row.mtime);
  packer.number(row.version);
  packer.number(row.writer);
  packer.bytes(row.data);
}

function unpackRow(reader: Unpacker): StoredRow {
  return {
    ino: reader.number(),
    parent: reader.number(),
    name: reader.text(),
    kind: reader.number() === 1 ? "directory" : "file",
    mtime: reader.number(),
    version: reader.number(),
    writer: reader.number(),
    data: reader.bytes(),
  };
}

function packHistory(packer: Packer, each: StoredHistory): void {
  packer.number(each.index);
  packer.number(each.term);
  packer.text(each.request);
  packer.text(each.problem);
  packer.text(each.why);
  packer.number(each.undo === null ? 0 : 1);
  packer.list(each.undo ?? [], ({ ino, path, before }) => {
    packer.number(ino);
    packer.text(path);
    packer.number(before === null ? 0 : 1);
    if (before !== null) packRow(packer, before);
  });
}

function unpackHistory(reader: Unpacker): StoredHistory {
  const [index, term] = [reader.number(), reader.number()];
  const [request, problem, why] = [reader.text(), reader.text(), reader.text()];
  const known = reader.number() === 1;
  const undo = reader.list((): UndoRow => ({
    ino: reader.number(),
    path: reader.text(),
    before: reader.number() === 1 ? unpackRow(reader) : null,
  }));
  return { index, term, request, problem, why, undo: known ? undo : null };
}

class Packer {
  readonly #numbers: number[] = [];
  readonly #parts: Uint8Array[] = [];
  #text = "";
  #size = 0;

  number(value: number): void {
    this.#numbers.push(value);
  }

  text(value: string): void {
    this.#numbers.push(value.length);
    this.#text += value;
  }

  bytes(value: Uint8Array): void {
    this.#numbers.push(value.length);
    this.#parts.push(value);
    this.#size += value.length;
  }

  list<T>(items: readonly T[], pack: (item: T) => void): void {
    this.#numbers.push(items.length);
    items.forEach(pack);
  }

  finish(): PackedBatch {
    const data = new Uint8Array(this.#size);
    let end = 0;
    for (const part of this.#parts) {
      data.set(part, end);
      end += part.length;
    }
    return { numbers: Float64Array.from(this.#numbers), text: this.#text, data };
  }
}

/** Reads in the order in which it was packed. */
class Unpacker {
  readonly #packed: PackedBatch;
  #number = 0;
  #text = 0;
  #byte = 0;

  constructor(packed: PackedBatch) {
    this.#packed = packed;
  }

  number(): number {
    return this.#packed.numbers[this.#number++] ?? 0;
  }

  text(): string {
    const start = this.#text;
    return this.#packed.text.slice(start, this.#text = start + this.number());
  }

  bytes(): Uint8Array {
    const start = this.#byte;
    return this.#packed.data.subarray(start, this.#byte = start + this.number());
  }

  list<T>(unpack: () => T): T[] {
    const length = this.number();
    const items: T[] = [];
    for (let at = 0; at < length; at++) items.push(unpack());
    return items;
  }
}
