/** Snapshots: cut into chunks, believed only as a whole, and sent until they have arrived. */
import assert from "node:assert/strict";
import { encodeLives, encodeLocks, type Lock } from "../../mod/config/lock_wire.ts";
import fc from "fast-check";
import { crc32 } from "../../mod/base/checksum.ts";
import { instant } from "../../mod/base/time.ts";
import { type Chunk, type Snapshot, SnapshotEncoder } from "../../mod/config/snapshot.ts";
import { SnapshotReader, treeFault } from "../../mod/config/snapshot_reader.ts";
import { Transfer, WINDOW_CHUNKS } from "../../mod/config/transfer.ts";
import { Tree, TREE_BYTES_MAX } from "../../mod/config/tree.ts";
import { encodeEntry, encodeParts, FILE_BYTES_MAX, type Part } from "../../mod/config/wire.ts";
import type { StoredRow } from "../../mod/host/ports.ts";
import { damaged } from "./arbitrary.ts";
import { specOf } from "./cluster.ts";

const INDEX = 500;
const LOCK: Lock = {
  ...{ node: 1, type: "posix", kind: "write", owner: 1n, start: 0n, end: 9n, pid: 0 },
};

function row(ino: number, name: string, data: Uint8Array | null, parent = 0): StoredRow {
  const kind = data === null ? "directory" as const : "file" as const;
  const rest = { mtime: ino, version: 1 + ino % INDEX, writer: 1, data: data ?? new Uint8Array(0) };
  return { ino, parent, name, kind, ...rest };
}

/** A directory, files in it and beside it, requests, a description. */
function snapshotOf(files: readonly Uint8Array[], requests: number): Snapshot {
  const rows = files.map((data, at) => row(10 + at, `f${at}`, data, at % 2 === 0 ? 0 : 1));
  const body = encodeEntry({ kind: "spec", spec: specOf(3, false), highest: 3 });
  return {
    ...{ applied: INDEX, stateCrc: 7, base: { index: INDEX, term: 3, chain: 9 } },
    spec: { index: 4, body },
    // A child may come before its directory: rows lie in no order.
    rows: [...rows, row(1, "d", null)],
    locks: [
      { key: 0, body: encodeLives([{ node: 1, life: "0".repeat(15) + "1", seq: 9, gone: false }]) },
      { key: 7, body: encodeLocks([LOCK, { ...LOCK, start: 10n, end: 19n }]) },
    ],
    requests: Array.from({ length: requests }, (_, at) => ({
      ...{ index: at + 1, request: `${at}`.padStart(16, "0") },
      ...{ problem: at % 3 === 0 ? "config.exists" : "", why: at % 3 === 0 ? `"f${at}"` : "" },
    })),
  };
}

function chunksOf(snapshot: Snapshot, chunkBytes: number): Chunk[] {
  const encoder = new SnapshotEncoder(snapshot, chunkBytes);
  const chunks: Chunk[] = [];
  for (let chunk = encoder.next(); chunk !== null; chunk = encoder.next()) chunks.push(chunk);
  return chunks;
}

/** What a reader makes of chunks; the fault if it finds one. */
function read(chunks: readonly Chunk[]) {
  const reader = new SnapshotReader(INDEX);
  for (const chunk of chunks) {
    const fault = reader.take(chunk);
    if (fault !== null) return fault;
  }
  return reader.finish();
}

const files = fc.array(fc.uint8Array({ maxLength: 400 }), { maxLength: 12 });

Deno.test("a snapshot comes out of its chunks as it was, however they are cut", () => {
  fc.assert(fc.property(files, fc.nat(20), fc.integer({ min: 1, max: 900 }), (all, many, size) => {
    const snapshot = snapshotOf(all, many);
    const chunks = chunksOf(snapshot, size);
    const read_ = read(chunks);
    const { spec, rows, requests, locks } = snapshot;
    assert.deepEqual(read_, { spec, rows, requests, locks });
    assert.deepEqual(
      chunks.map(({ last }) => last),
      chunks.map((_, at) => at + 1 === chunks.length),
    );
    // One part that is longer goes alone; here that is at most a description of three members.
    for (const { body } of chunks) assert.ok(body.length <= Math.max(size, 450), `${body.length}`);
  }));
});

Deno.test("SnapshotReader.take() finds every turned bit, and chunks that are missing or come twice", () => {
  const chunks = chunksOf(snapshotOf([new Uint8Array(300).fill(1), new Uint8Array(9)], 5), 200);
  assert.ok(chunks.length > 4);
  fc.assert(fc.property(fc.nat(), fc.nat(), (which, bit) => {
    const hurt = chunks.map((chunk, at) => {
      if (at !== which % chunks.length) return chunk;
      const body = chunk.body.slice();
      const place = bit % (8 * body.length);
      body[place >> 3] = (body[place >> 3] ?? 0) ^ (1 << (place & 7));
      return { ...chunk, body };
    });
    assert.match(String(read(hurt)), /CRC-32/);
  }));
  const [first, second, ...rest] = chunks;
  assert.ok(first && second);
  assert.match(String(read([first, ...rest])), /was needed/);
  assert.match(String(read([first, first])), /was needed/);
  const swapped = [first, { ...rest[0], at: 1 } as Chunk];
  assert.match(String(read(swapped)), /fail their CRC-32/, "right in itself, wrong in its place");
});

/** Chunks of what a liar writes: CRCs right, content of his choice. */
function lie(parts: readonly Part[]): Chunk[] {
  const body = encodeParts(parts);
  return [{
    at: 0,
    last: parts.at(-1)?.kind === "end",
    crc: crc32(body),
    whole: crc32(body),
    body,
  }];
}

function rowPart(over: Partial<Extract<Part, { kind: "row" }>>): Part {
  const data = new Uint8Array(0);
  const rest = { mtime: 1, version: 1, writer: 1, size: 0, data };
  return { kind: "row", ino: 5, parent: 0, name: "a", type: "file", ...rest, ...over };
}

Deno.test("SnapshotReader believes no claim: sizes, counts, numbers, names, descriptions", () => {
  const end: Part = { kind: "end", rows: 1, requests: 0 };
  const noRows: Part = { kind: "end", rows: 0, requests: 0 };
  const request = { kind: "request", request: "0".repeat(16), problem: "", why: "" } as const;
  const data = new Uint8Array(3);
  const lives = { kind: "locks", key: 0, body: encodeLives([]) } as const;
  const locked = (locks: readonly Lock[]): Part => {
    return { kind: "locks", key: 7, body: encodeLocks(locks) };
  };
  const lies: [RegExp, readonly Part[]][] = [
    [/is 1048577 bytes long/, [rowPart({ size: FILE_BYTES_MAX + 1 }), end]],
    [/is 1 bytes long/, [rowPart({ type: "directory", size: 1 }), end]],
    [/is cut short/, [rowPart({ size: 9, data }), end]],
    [/longer than it says/, [rowPart({ size: 2, data }), end]],
    [/without its file/, [{ kind: "more", data }, noRows]],
    [/its number is none/, [rowPart({ ino: 0 }), end]],
    [/its number is none/, [rowPart({ ino: (INDEX + 1) * 1024 + 1 }), end]],
    [/its name is none/, [rowPart({ name: ".." }), end]],
    [/its name is none/, [rowPart({ name: "a/b" }), end]],
    [/its version is none/, [rowPart({ version: INDEX + 1 }), end]],
    [/nobody wrote it/, [rowPart({ writer: 0 }), end]],
    [/two of inode 5/, [rowPart({}), rowPart({ name: "b" }), { ...end, rows: 2 }]],
    [/two of "a"/, [rowPart({}), rowPart({ ino: 6 }), { ...end, rows: 2 }]],
    [/in no directory/, [rowPart({ parent: 77 }), end]],
    [/not hold what it says/, [rowPart({}), { ...end, rows: 4_000_000_000 }]],
    [/not hold what it says/, [{ ...noRows, requests: 9 }]],
    [/something follows the end/, [noRows, noRows]],
    [/ends where it should not/, []],
    [/description of the cluster is none/, [{ kind: "spec", index: 1, body: data }, noRows]],
    [/out of order/, [{ ...request, index: INDEX + 1 }, { ...noRows, requests: 1 }]],
    [/out of order/, [{ ...request, index: 3 }, { ...request, index: 3 }, noRows]],
    [/locks of inode 7 are none/, [{ kind: "locks", key: 7, body: data }, noRows]],
    [/come twice/, [lives, lives, noRows]],
    [/its lives are none/, [{ ...lives, body: data }, noRows]],
    [/exclude each other/, [locked([LOCK, { ...LOCK, owner: 2n }]), noRows]],
    [/exclude each other/, [locked([LOCK, LOCK]), noRows]],
    [/a range is none/, [locked([{ ...LOCK, end: 2n ** 63n }]), noRows]],
    [/a range is none/, [locked([{ ...LOCK, start: 10n, end: 9n }]), noRows]],
    [/nobody knows/, [{ ...request, index: 3, problem: "config.nonsense" }, noRows]],
  ];
  for (const [why, parts] of lies) {
    const [chunk] = lie(parts);
    assert.ok(chunk);
    // A chunk that ends nothing and is said to be the last, too.
    const result = read([why.source.startsWith("ends") ? { ...chunk, last: true } : chunk]);
    assert.match(String(result), why);
  }
});

const anyPart: fc.Arbitrary<Part> = fc.oneof(
  fc.record({ ino: fc.nat(9), parent: fc.nat(9), version: fc.nat(600), size: fc.nat(5) }).chain(
    (numbers) =>
      fc.record({
        name: fc.constantFrom("a", "b", "..", "", "a/b"),
        type: fc.constantFrom("file" as const, "directory" as const),
        data: fc.uint8Array({ maxLength: 6 }),
        writer: fc.nat(2),
        mtime: fc.oneof(fc.double({ noNaN: true, noDefaultInfinity: true }), fc.nat(5)),
      }).map((rest): Part => ({ kind: "row", ...numbers, ...rest })),
  ),
  fc.uint8Array({ maxLength: 6 }).map((data): Part => ({ kind: "more", data })),
  fc.tuple(fc.nat(3), fc.nat(3)).map(([rows, requests]): Part => ({ kind: "end", rows, requests })),
  fc.tuple(fc.nat(600), fc.uint8Array({ maxLength: 40 }))
    .map(([index, body]): Part => ({ kind: "spec", index, body })),
  fc.tuple(fc.nat(9), fc.uint8Array({ maxLength: 40 }))
    .map(([key, body]): Part => ({ kind: "locks", key, body })),
  fc.tuple(fc.nat(600), fc.constantFrom("", "config.exists", "nonsense")).map(
    ([index, problem]): Part => ({
      ...{ kind: "request", index, request: `${index}`.padStart(16, "0"), problem, why: "" },
    }),
  ),
);

Deno.test("SnapshotReader takes any parts or bytes under the right CRC, and what it believes is a tree", () => {
  const parts = fc.array(anyPart, { maxLength: 8 }).map((all) =>
    encodeParts([...all, { kind: "end", rows: all.filter(isRow).length, requests: 0 }])
  );
  let believed = 0;
  fc.assert(
    fc.property(fc.oneof(parts, damaged(parts), fc.uint8Array()), fc.boolean(), (body, last) => {
      const crc = crc32(body);
      const result = read([{ at: 0, last, crc, whole: crc, body }]);
      if (typeof result === "string") return;
      assert.equal(treeFault(result.rows), null);
      new Tree(result.rows);
      believed++;
    }),
    { numRuns: 5000 },
  );
  assert.ok(believed > 20, `${believed}`);
});

function isRow({ kind }: Part): boolean {
  return kind === "row";
}

Deno.test("treeFault() finds directories that hang on each other, and takes the deepest that may be", () => {
  assert.match(
    String(treeFault([row(1, "a", null, 2), row(2, "b", null, 1)])),
    /not below the root/,
  );
  const deep = Array.from({ length: 32 }, (_, at) => row(at + 1, "d", null, at));
  assert.equal(treeFault(deep), null);
  assert.match(String(treeFault([...deep, row(33, "d", null, 32)])), /not below the root/);
});

Deno.test("SnapshotReader keeps no more than a tree may hold, whatever the chunks add up to", () => {
  const reader = new SnapshotReader(INDEX);
  const data = new Uint8Array(FILE_BYTES_MAX / 4);
  let whole = 0;
  for (let at = 0;; at++) {
    const body = encodeParts([
      ...at % 4 === 0
        ? [rowPart({ ino: at + 1, name: `f${at}`, size: FILE_BYTES_MAX, data })]
        : [{ kind: "more", data } as const],
    ]);
    whole = crc32(body, whole);
    const fault = reader.take({ at, last: false, crc: crc32(body), whole, body });
    if (fault === null) continue;
    assert.match(fault, /more than 134217728 bytes/);
    assert.equal(at, TREE_BYTES_MAX / data.length);
    return;
  }
});

Deno.test("Transfer keeps what is not acknowledged, and begins anew for a receiver that lost it", () => {
  const snapshot = snapshotOf(Array.from({ length: 8 }, () => new Uint8Array(300)), 0);
  const all = chunksOf(snapshot, 300);
  const options = { number: 1, snapshot, chunkBytes: 300, forced: false };
  const transfer = new Transfer(options, instant(0));
  const due = () => transfer.due().map(({ at }) => at);
  assert.deepEqual(due(), [0, 1, 2, 3].slice(0, WINDOW_CHUNKS));
  assert.deepEqual(due(), [], "no more before an answer");
  transfer.acknowledge(2, instant(5));
  assert.deepEqual(due(), [4, 5]);
  assert.equal(transfer.movedAt, 5);
  transfer.acknowledge(1, instant(6));
  transfer.acknowledge(99, instant(6));
  assert.deepEqual([due(), transfer.acknowledged, transfer.movedAt], [[], 2, 5], "late, and a lie");
  transfer.acknowledge(2, instant(7));
  assert.deepEqual(due(), [2, 3, 4, 5], "another chunk overtook the one that is needed");
  transfer.acknowledge(2, instant(8));
  assert.deepEqual(due(), [], "once");
  transfer.resend(instant(9));
  assert.deepEqual(due(), [2, 3, 4, 5], "from the first that was not acknowledged");
  transfer.acknowledge(0, instant(10));
  assert.deepEqual(transfer.due(), all.slice(0, WINDOW_CHUNKS), "its daemon died: the same again");
});

Deno.test("Transfer that began anew by a late answer goes on with what the receiver needs", () => {
  const snapshot = snapshotOf(Array.from({ length: 16 }, () => new Uint8Array(300)), 0);
  const options = { number: 1, snapshot, chunkBytes: 300, forced: false };
  const transfer = new Transfer(options, instant(0));
  const due = () => transfer.due().map(({ at }) => at);
  due();
  transfer.acknowledge(4, instant(1));
  assert.deepEqual(due(), [4, 5, 6, 7]);
  // Said when only the second chunk was there, and overtaken by what was said later.
  transfer.acknowledge(0, instant(2));
  assert.deepEqual(due(), [0, 1, 2, 3]);
  transfer.acknowledge(8, instant(3));
  assert.deepEqual([due(), transfer.acknowledged], [[8, 9, 10, 11], 8]);
  transfer.acknowledge(13, instant(4));
  assert.equal(transfer.acknowledged, 8, "nobody has what was never sent");
});

Deno.test("Transfer does not take the echo of what it sent twice for a gap, and grows patient", () => {
  const snapshot = snapshotOf(Array.from({ length: 16 }, () => new Uint8Array(300)), 0);
  const options = { number: 1, snapshot, chunkBytes: 300, forced: false };
  const transfer = new Transfer(options, instant(0));
  const due = () => transfer.due().map(({ at }) => at);
  due();
  const waits = [transfer.patience];
  for (let again = 1; again <= 6; again++) {
    transfer.resend(instant(again));
    assert.deepEqual(due(), [0, 1, 2, 3]);
    waits.push(transfer.patience);
  }
  assert.deepEqual(waits, [1, 2, 4, 8, 8, 8, 8], "a slow way is not made faster by more on it");
  // All seven trains arrive: the first is new, each chunk of the others is answered all the same.
  for (const next of [1, 2, 3, 4]) transfer.acknowledge(next, instant(10 + next));
  assert.deepEqual([due(), transfer.patience], [[4, 5, 6, 7], 1]);
  for (let late = 0; late < 24; late++) transfer.acknowledge(4, instant(20));
  assert.deepEqual(due(), [], "nothing was lost, so nothing is sent again");
  transfer.acknowledge(5, instant(30));
  assert.deepEqual(due(), [8]);
  transfer.acknowledge(5, instant(31));
  assert.deepEqual(due(), [5, 6, 7, 8], "but a gap behind all that is seen at once");
});

Deno.test("a whole tree of 128 MiB is encoded a chunk at a time, and no chunk is longer than agreed", () => {
  const data = new Uint8Array(FILE_BYTES_MAX);
  const rows = Array.from({ length: 128 }, (_, at) => row(at + 1, `f${at}`, data));
  const snapshot = { ...snapshotOf([], 0), rows };
  const encoder = new SnapshotEncoder(snapshot, 256 * 1024);
  let sum = 0;
  for (let chunk = encoder.next(); chunk !== null; chunk = encoder.next()) {
    assert.ok(chunk.body.length <= 256 * 1024);
    sum += chunk.body.length;
  }
  assert.ok(sum > 128 * FILE_BYTES_MAX);
});
