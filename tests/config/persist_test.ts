/** The barrier on the way to the disk, joined writes, and the end that a failed write is. */
import assert from "node:assert/strict";
import fc from "fast-check";
import { nodeId } from "../../mod/base/id.ts";
import { joinBatches } from "../../mod/config/batch.ts";
import type { ConfigEvent } from "../../mod/config/mod.ts";
import {
  GROUP_MAX,
  HELD_MAX,
  LATER_MAX,
  LAZY_MS,
  PersistDriver,
  type PersistDriverEffect,
  READS_MAX,
} from "../../mod/config/sqlite_driver.ts";
import type { DatabaseBatch, StoredRow } from "../../mod/host/ports.ts";
import { HandClock } from "./channels.ts";
import { FakeDatabase } from "./cluster.ts";

/** A driver whose commits end when the test says so. */
class Bench {
  readonly clock = new HandClock();
  readonly log: string[] = [];
  readonly batches: DatabaseBatch[] = [];
  readonly #done: ((failure: string | null) => void)[] = [];
  readonly driver: PersistDriver;

  constructor() {
    this.driver = new PersistDriver({
      database: {
        commit: (batch, done) => {
          this.batches.push(batch);
          this.log.push("commit");
          this.#done.push(done);
        },
        history: (ask, done) => {
          this.log.push(`read below ${ask.below}`);
          done({ records: [], more: false, since: 0, oldest: null });
        },
        close: () => {},
      },
      clock: this.clock,
      send: (_to, bytes) => this.log.push(`send ${bytes[0]}`),
      feed: (event: ConfigEvent) =>
        this.log.push(event.kind === "persisted" ? `persisted ${event.upTo}` : event.kind),
      onFatal: (why) => this.log.push(`fatal ${why}`),
    });
  }

  persist(number: number, lazy = false): void {
    const batch = { hardState: { term: number, vote: 0, diverged: false } };
    this.driver.perform({ kind: "persist", number, batch, lazy });
  }

  /** Entries of the log, or (lazy) what was applied of them. */
  entry(number: number, index: number, lazy = false): void {
    const [term, stateCrc] = [1, 0];
    const body = new Uint8Array(0);
    const rest = { rows: [], removed: [], history: [], forget: 0 };
    const batch: DatabaseBatch = lazy
      ? { applied: { index, term, stateCrc, ...rest } }
      : { entries: [{ index, term, body }] };
    this.driver.perform({ kind: "persist", number, batch, lazy });
  }

  frame(name: number, eager = false): void {
    const effect: PersistDriverEffect = {
      kind: "frame",
      ...{ to: nodeId(2), bytes: Uint8Array.of(name), eager },
    };
    this.driver.perform(effect);
  }

  end(failure: string | null = null): void {
    const done = this.#done.shift();
    assert.ok(done !== undefined, "a commit is under way");
    done(failure);
  }

  take(): string[] {
    return this.log.splice(0);
  }
}

Deno.test("PersistDriver holds frames behind the persists before them, and eager ones not", () => {
  const bench = new Bench();
  bench.frame(1);
  bench.persist(1);
  bench.frame(2);
  bench.frame(3, true);
  assert.deepEqual(bench.take(), ["send 1", "commit", "send 3"]);
  bench.persist(2);
  bench.frame(4);
  assert.deepEqual(bench.take(), []);
  bench.end();
  assert.deepEqual(bench.take(), ["send 2", "commit", "persisted 1"], "4 waits for 2");
  bench.end();
  bench.frame(5);
  assert.deepEqual(bench.take(), ["send 4", "persisted 2", "send 5"]);
});

Deno.test("PersistDriver joins what came while the disk was busy, and tells the last number", () => {
  const bench = new Bench();
  for (let number = 1; number <= 5; number++) bench.persist(number);
  bench.end();
  assert.deepEqual(bench.take(), ["commit", "commit", "persisted 1"]);
  assert.deepEqual(bench.batches[1]?.hardState, { term: 5, vote: 0, diverged: false });
  bench.end();
  assert.deepEqual(bench.take(), ["persisted 5"]);
});

Deno.test("PersistDriver makes no frame wait for a lazy persist, and writes it soon all the same", () => {
  const bench = new Bench();
  bench.entry(1, 1, true);
  bench.frame(1);
  assert.deepEqual(bench.take(), ["send 1"]);
  bench.clock.pass(LAZY_MS - 1);
  assert.deepEqual(bench.take(), []);
  bench.clock.pass(1);
  assert.deepEqual(bench.take(), ["commit"]);
  bench.end();
  assert.deepEqual(bench.take(), ["persisted 1"]);
  assert.equal(bench.clock.pending, 0);
});

Deno.test("PersistDriver lets entries overtake what was applied, and nothing else", () => {
  const bench = new Bench();
  bench.entry(1, 1, true);
  bench.entry(2, 2);
  bench.frame(1);
  bench.end();
  assert.deepEqual(bench.take(), ["commit", "send 1", "persisted 2"]);
  assert.deepEqual(Object.keys(bench.batches[0] ?? {}), ["entries"]);
  bench.persist(3);
  bench.end();
  assert.deepEqual(bench.take(), ["commit", "persisted 3"], "what it is among goes with it");
  assert.equal(bench.batches[1]?.applied?.index, 1);
  assert.equal(bench.batches[1]?.hardState?.term, 3);
  assert.equal(bench.clock.pending, 0);
});

Deno.test("PersistDriver writes what was applied in the end, however many entries come", () => {
  const bench = new Bench();
  bench.entry(1, 1);
  for (let number = 2; number <= LATER_MAX + 1; number++) bench.entry(number, number, true);
  bench.entry(LATER_MAX + 2, 2);
  bench.end();
  const last = LATER_MAX + 2;
  assert.deepEqual(bench.take(), ["commit", "commit", "persisted 1"]);
  assert.equal(bench.batches[1]?.applied?.index, LATER_MAX + 1);
  assert.equal(bench.batches[1]?.entries?.length, 1);
  bench.entry(last + 1, 3, true);
  bench.end();
  bench.clock.pass(LAZY_MS - 1);
  bench.entry(last + 2, 3);
  bench.clock.pass(1);
  assert.deepEqual(bench.take(), [`persisted ${last}`, "commit"]);
  bench.end();
  assert.deepEqual(bench.take(), ["commit", `persisted ${last + 2}`]);
  assert.equal(bench.batches[3]?.applied?.index, 3);
});

Deno.test("PersistDriver ends at a failed write: nothing is sent, written or told after it", () => {
  const bench = new Bench();
  bench.persist(1);
  bench.frame(1);
  bench.persist(2);
  bench.end("disk full");
  assert.deepEqual(bench.take(), ["commit", "fatal disk full"]);
  bench.persist(3);
  bench.persist(4, true);
  bench.frame(2);
  bench.frame(3, true);
  bench.clock.pass(10 * LAZY_MS);
  assert.deepEqual(bench.take(), []);
});

Deno.test("PersistDriver tells nothing after close, not even of the commit under way", () => {
  const bench = new Bench();
  bench.persist(1);
  bench.frame(1);
  bench.driver.close();
  bench.take();
  bench.end();
  assert.deepEqual(bench.take(), []);
  assert.equal(bench.clock.pending, 0);
});

Deno.test("PersistDriver bounds what one transaction holds and how many frames wait", () => {
  const bench = new Bench();
  bench.persist(1);
  for (let number = 2; number <= GROUP_MAX + 3; number++) bench.persist(number);
  for (let at = 0; at < HELD_MAX + 10; at++) bench.frame(at % 256);
  bench.take();
  bench.end();
  assert.deepEqual(bench.take(), ["commit", "persisted 1"]);
  bench.end();
  assert.deepEqual(bench.take(), ["commit", `persisted ${GROUP_MAX + 1}`]);
  bench.end();
  assert.equal(bench.take().filter((line) => line.startsWith("send")).length, HELD_MAX);
});

Deno.test("joinBatches(): one write of the joined leaves the database as one write after the other", () => {
  interface Move {
    readonly cut: number;
    readonly add: number;
    readonly rows: readonly number[];
    readonly removed: readonly number[];
    readonly vote: boolean;
  }
  const inos = fc.uniqueArray(fc.integer({ min: 1, max: 6 }), { maxLength: 3 });
  const move: fc.Arbitrary<Move> = fc.record({
    ...{ cut: fc.nat(4), add: fc.nat(3), rows: inos, removed: inos, vote: fc.boolean() },
  });
  fc.assert(fc.property(fc.array(move, { minLength: 1, maxLength: 8 }), (moves) => {
    let last = 0;
    const batches = moves.map(({ cut, add, rows, removed, vote }, at): DatabaseBatch => {
      const from = Math.max(1, last + 1 - cut);
      const entries = Array.from({ length: add }, (_, each) => {
        return { index: from + each, term: at, body: Uint8Array.of(at) };
      });
      const truncates = from <= last;
      last = from - 1 + add;
      const row = (ino: number): StoredRow => ({
        ...{ ino, parent: 0, name: `n${ino}`, kind: "file", mtime: 0, version: at, writer: 1 },
        data: Uint8Array.of(at),
      });
      return {
        ...(truncates ? { truncateFrom: from } : {}),
        ...(add > 0 ? { entries } : {}),
        ...(vote ? { hardState: { term: at, vote: 1, diverged: false } } : {}),
        applied: {
          ...{ index: at, term: at, stateCrc: at },
          rows: rows.map(row),
          removed: removed.filter((ino) => !rows.includes(ino)),
          history: [{ index: at, term: 1, request: `${at}`, problem: "", why: "", undo: [] }],
          forget: 0,
        },
      };
    });
    const [each, joined] = [new FakeDatabase(), new FakeDatabase()];
    for (const batch of batches) each.write(batch);
    joined.write(joinBatches(batches));
    const sorted = ({ content }: FakeDatabase) => ({
      ...content,
      rows: [...content.rows].sort((a, b) => a.ino - b.ino),
    });
    assert.deepEqual(sorted(joined), sorted(each));
  }));
});

Deno.test("PersistDriver writes a state that is taken over alone, in its turn", () => {
  const bench = new Bench();
  const install = (number: number) => {
    const base = { index: number, term: 1, chain: 0 };
    const rest = { spec: null, stateCrc: 0, rows: [], requests: [], locks: [] };
    const batch = { install: { base, ...rest, keepLog: false, keepHistory: true } };
    bench.driver.perform({ kind: "persist", number, batch, lazy: false });
  };
  bench.persist(1);
  bench.persist(2);
  bench.persist(3, true);
  install(4);
  bench.persist(5);
  install(6);
  bench.frame(1);
  assert.deepEqual(bench.take(), ["commit"]);
  for (const upTo of [1, 3, 4, 5]) {
    bench.end();
    assert.deepEqual(bench.take(), ["commit", `persisted ${upTo}`]);
  }
  bench.end();
  assert.deepEqual(bench.take(), ["send 1", "persisted 6"], "acknowledged when it is durable");
  const kinds = bench.batches.map((batch) => batch.install?.base.index ?? "joined");
  assert.deepEqual(kinds, ["joined", "joined", 4, "joined", 6]);
});

Deno.test("PersistDriver reads the history behind all that was applied, and waits for nothing lazy", () => {
  const bench = new Bench();
  const read = (below: number) => {
    const done = (page: object) => bench.log.push("failure" in page ? `${page.failure}` : "page");
    bench.driver.history({ below, from: 0, limit: 1, undo: false }, done);
  };
  read(1);
  assert.deepEqual(bench.take(), ["read below 1", "page"]);
  bench.entry(1, 1, true);
  assert.deepEqual(bench.take(), [], "lazy");
  read(2);
  assert.deepEqual(bench.take(), ["commit"]);
  bench.entry(2, 2, true);
  bench.end();
  assert.deepEqual(bench.take(), ["read below 2", "page", "persisted 1"]);
  read(3);
  bench.take();
  for (let more = 1; more <= READS_MAX; more++) read(4);
  assert.deepEqual(bench.take(), ["too many read it already"]);
  bench.driver.close();
  assert.deepEqual(bench.take(), Array.from({ length: READS_MAX }, () => "the node stops"));
  read(5);
  assert.deepEqual(bench.take(), ["the node stops"]);
});

Deno.test("joinBatches() leaves the log where the last compaction did, and asserts that states go alone", () => {
  const compact = (index: number) => ({
    compact: { base: { index, term: 1, chain: index }, spec: null },
  });
  assert.equal(joinBatches([compact(3), compact(5)]).compact?.base.index, 5);
  assert.equal(joinBatches([compact(3), {}]).compact?.base.index, 3);
  const base = { index: 9, term: 1, chain: 0 };
  const rest = {
    spec: null,
    stateCrc: 0,
    rows: [],
    requests: [],
    locks: [],
    keepLog: true,
    keepHistory: true,
  };
  assert.throws(() => joinBatches([compact(3), { install: { base, ...rest } }]), /goes alone/);
});
