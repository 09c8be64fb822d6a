/**
 * What every `DatabasePort` promises. The same suite runs against SQLite and the simulator's store.
 *
 * @module
 */
import { contentOf } from "../../mod/base/content_sum.ts";
import assert from "node:assert/strict";
import type {
  Database,
  DatabaseBatch,
  DatabaseBeginning,
  DatabaseContent,
  DatabaseDamage,
  DatabaseInstall,
  DatabasePort,
  HistoryAsk,
  HistoryPage,
  StoredHistory,
  StoredRow,
} from "../../mod/host/ports.ts";

/** A host with one database. */
export interface DatabaseWorld {
  /** The port of the daemon that lives. */
  port(): DatabasePort;
  /** The daemon's life ends without a word; the next `port()` is that of its next life. */
  crash(): Promise<void>;
  /** The next life finds something else: a damaged row, nothing at all. After `crash`, before `port`. */
  hurt(how: "damaged" | "gone"): void;
  /** Keeps a copy of the database as it is; what is returned puts that in its place, after a crash. */
  keep(): () => void;
  /** Resolves as `answer` does. A simulator runs its events until then. */
  settle<T>(answer: Promise<T>): Promise<T>;
  close(): Promise<void>;
}

export function bytes(...values: number[]): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(values);
}

export function entry(index: number, term = 1) {
  return { index, term, body: bytes(index, term) };
}

export function row(ino: number, name: string, ...data: number[]): StoredRow {
  const rest = { mtime: 1.5, version: 1, writer: 2, data: bytes(...data) };
  return { ino, parent: 0, name, kind: "file", ...rest };
}

/** Entry `index` is appended and applied: it wrote a row, over what was there before. */
export function applied(index: number, over: Partial<StoredHistory> = {}): DatabaseBatch {
  const before = index === 1 ? null : row(7, "a", index - 1);
  const history = {
    ...{ index, term: 1, request: `r${index}`, problem: "", why: "" },
    ...{ undo: [{ ino: 7, path: before === null ? "" : "a", before }] },
    ...over,
  };
  // One that stays, and one that comes and goes.
  const locks = [{ key: 9, body: bytes(index) }, { key: 8, body: bytes(...index % 2 ? [1] : []) }];
  const rows = [row(7, "a", index)];
  const content = contentOf(rows, locks);
  const rest = { term: 1, stateCrc: 100 + index, content, removed: [], forget: 0 };
  return {
    entries: [entry(index)],
    applied: {
      ...{ index, ...rest, rows, history: [history], locks },
    },
  };
}

/** The same, without a content hash: its state is another one than the suite's. */
export function unhashed(batch: DatabaseBatch): DatabaseBatch {
  if (batch.applied === undefined) return batch;
  const { content: _content, ...rest } = batch.applied;
  return { ...batch, applied: rest };
}

export const INSTALL: DatabaseInstall = {
  base: { index: 5, term: 4, chain: 999 },
  spec: { index: 3, body: bytes(1, 2, 3) },
  stateCrc: 4242,
  rows: [row(1, "x", 1, 2), { ...row(2, "d"), kind: "directory" }],
  requests: [{ index: 4, request: "r4", problem: "config.exists", why: "it is there" }],
  locks: [{ key: 7, body: Uint8Array.of(7, 8) }],
  keepLog: false,
  keepHistory: true,
};

const EVERYTHING: HistoryAsk = { below: Infinity, from: 0, limit: 1000, undo: true };

/** A database with promises. */
class Hand {
  readonly #world: DatabaseWorld;
  #open: Database | null = null;

  constructor(world: DatabaseWorld) {
    this.#world = world;
  }

  get database(): Database {
    assert.ok(this.#open !== null, "it is open");
    return this.#open;
  }

  async open(): Promise<DatabaseContent> {
    const content = await this.tryOpen();
    assert.ok(!("damaged" in content), JSON.stringify(content));
    return content;
  }

  async tryOpen(): Promise<DatabaseContent | DatabaseDamage> {
    return await this.#world.settle(
      new Promise<DatabaseContent | DatabaseDamage>((resolve) => {
        this.#open = this.#world.port().open(resolve);
      }),
    );
  }

  async renew(beginning: DatabaseBeginning): Promise<DatabaseContent> {
    const content = await this.#world.settle(
      new Promise<DatabaseContent | DatabaseDamage>((resolve) => {
        this.#open = this.#world.port().renew(beginning, resolve);
      }),
    );
    assert.ok(!("damaged" in content), JSON.stringify(content));
    return content;
  }

  async commit(batch: DatabaseBatch): Promise<void> {
    const failure = await this.#world.settle(
      new Promise<string | null>((resolve) => this.database.commit(batch, resolve)),
    );
    assert.equal(failure, null);
  }

  async history(ask: Partial<HistoryAsk> = {}): Promise<HistoryPage> {
    const page = await this.#world.settle(
      new Promise<HistoryPage | { readonly failure: string }>((resolve) =>
        this.database.history({ ...EVERYTHING, ...ask }, resolve)
      ),
    );
    assert.ok(!("failure" in page), JSON.stringify(page));
    return page;
  }

  /** What the next life finds. */
  async again(): Promise<DatabaseContent> {
    await this.#world.crash();
    return await this.open();
  }
}

export function databaseSuite(name: string, makeWorld: () => DatabaseWorld): void {
  function test(what: string, run: (hand: Hand, world: DatabaseWorld) => Promise<void>): void {
    Deno.test(`${name} ${what}`, async () => {
      const world = makeWorld();
      try {
        await run(new Hand(world), world);
      } finally {
        await world.close();
      }
    });
  }

  test("begins with nothing, and is the same after a life without a commit", async (hand) => {
    const nothing = {
      ...{
        term: 0,
        vote: 0,
        diverged: false,
        spec: null,
        entries: [],
        rows: [],
        requests: [],
        locks: [],
      },
      base: { index: 0, term: 0, chain: 0 },
      applied: { index: 0, term: 0, stateCrc: 0 },
      ...{ recovery: null, sealed: null },
    };
    assert.deepEqual(await hand.open(), nothing);
    assert.deepEqual(await hand.again(), nothing);
    assert.deepEqual(await hand.history(), { records: [], more: false, since: 0, oldest: null });
  });

  test("holds after a crash what was acknowledged before it", async (hand) => {
    await hand.open();
    await hand.commit({ hardState: { term: 3, vote: 2, diverged: true } });
    for (let index = 1; index <= 4; index++) await hand.commit(applied(index));
    await hand.commit({ truncateFrom: 5, entries: [entry(5), entry(6)] });
    await hand.commit({ truncateFrom: 6, entries: [entry(6, 2)] });
    const content = await hand.again();
    assert.deepEqual([content.term, content.vote, content.diverged], [3, 2, true]);
    assert.deepEqual(content.entries, [1, 2, 3, 4, 5].map((at) => entry(at)).concat(entry(6, 2)));
    assert.deepEqual(content.applied, { index: 4, term: 1, stateCrc: 104 });
    assert.deepEqual(content.rows, [row(7, "a", 4)]);
    assert.deepEqual(content.requests.map(({ request }) => request), ["r1", "r2", "r3", "r4"]);
  });

  test("lets the beginning of the log go and keeps what came of it", async (hand) => {
    await hand.open();
    for (let index = 1; index <= 4; index++) await hand.commit(applied(index));
    const base = { index: 3, term: 1, chain: 77 };
    const spec = { index: 2, body: bytes(9, 9) };
    // All in one batch: the entry is in the log when it is applied, and gone afterwards.
    await hand.commit({ ...applied(5), compact: { base, spec } });
    const content = await hand.again();
    assert.deepEqual([content.base, content.spec], [base, spec]);
    assert.deepEqual(content.entries, [entry(4), entry(5)]);
    await hand.commit({ compact: { base: { index: 5, term: 1, chain: 78 }, spec: null } });
    const later = await hand.again();
    assert.deepEqual([later.entries, later.spec, later.base.index], [[], null, 5]);
    assert.equal((await hand.history()).records.length, 5, "the history has it all");
  });

  test("forgets requests when it is told to", async (hand) => {
    await hand.open();
    for (let index = 1; index <= 3; index++) await hand.commit(applied(index));
    const four = applied(4);
    assert.ok(four.applied);
    await hand.commit({ ...four, applied: { ...four.applied, forget: 2 } });
    const content = await hand.again();
    assert.deepEqual(content.requests.map(({ index }) => index), [3, 4]);
  });

  test("becomes another replica in one batch, with or without the log behind it", async (hand) => {
    await hand.open();
    for (let index = 1; index <= 3; index++) await hand.commit(applied(index));
    await hand.commit({ entries: [4, 5, 6, 7].map((at) => entry(at)) });
    await hand.commit({
      hardState: { term: 9, vote: 0, diverged: false },
      install: { ...INSTALL, keepLog: true },
    });
    const kept = await hand.again();
    assert.deepEqual(kept.entries, [entry(6), entry(7)]);
    const { base, spec, stateCrc, rows, requests, locks } = INSTALL;
    assert.deepEqual(
      [kept.base, kept.spec, kept.rows, kept.requests, kept.locks],
      [base, spec, rows, requests, locks],
    );
    assert.deepEqual(kept.applied, { index: 5, term: 4, stateCrc });
    assert.equal(kept.term, 9);
    const page = await hand.history();
    assert.deepEqual(page.records.map(({ index }) => index), [3, 2, 1]);
    assert.equal(page.since, 5, "what came between is not known here");
    await hand.commit({ install: { ...INSTALL, spec: null, keepHistory: false } });
    const bare = await hand.again();
    assert.deepEqual([bare.entries, bare.spec], [[], null]);
    assert.deepEqual((await hand.history()).records, []);
    await hand.commit(unhashed(applied(6)));
    assert.deepEqual((await hand.history()).records.map(({ index }) => index), [6]);
  });

  test("reads the history newest first, by range and page, with or without undo", async (hand) => {
    await hand.open();
    for (let index = 1; index <= 12; index++) {
      await hand.commit(applied(index, index === 4 ? { problem: "config.exists", undo: [] } : {}));
    }
    const page = await hand.history({ below: 9, from: 3, limit: 3 });
    assert.deepEqual(page.records.map(({ index }) => index), [8, 7, 6]);
    assert.equal(page.more, true);
    const rest = await hand.history({ below: 6, from: 3, limit: 3 });
    assert.deepEqual([rest.records.map(({ index }) => index), rest.more], [[5, 4], false]);
    const [five, four] = rest.records;
    assert.deepEqual(five, {
      ...{ index: 5, term: 1, request: "r5", problem: "", why: "", body: entry(5).body },
      undo: [{ ino: 7, path: "a", before: row(7, "a", 4) }],
    });
    assert.deepEqual([four?.problem, four?.undo], ["config.exists", []]);
    const up = await hand.history({ below: 9, from: 3, limit: 3, oldestFirst: true });
    assert.deepEqual(up.records.map(({ index }) => index), [4, 5, 6]);
    assert.deepEqual([up.more, up.oldest], [true, 1]);
    const last = await hand.history({ below: 9, from: 6, limit: 3, oldestFirst: true });
    assert.deepEqual([last.records.map(({ index }) => index), last.more], [[7, 8], false]);
    const bare = await hand.history({ below: 6, from: 4, undo: false });
    assert.deepEqual(bare.records, [{ ...five, undo: null }]);
    const first = await hand.history({ below: 2 });
    assert.deepEqual(
      first.records[0]?.undo,
      [{ ino: 7, path: "", before: null }],
      "there was nothing before",
    );
  });

  test("tells an undo record that is not kept from one that is empty", async (hand) => {
    await hand.open();
    await hand.commit(applied(1, { undo: null }));
    await hand.commit(applied(2, { undo: [] }));
    const { records } = await hand.history();
    assert.deepEqual(records.map(({ undo }) => undo), [[], null]);
  });

  test("answers in the order of the calls, and never within a call", async (hand, world) => {
    await hand.open();
    const answers: string[] = [];
    const last = new Promise<void>((resolve) => {
      hand.database.commit(applied(1), () => answers.push("commit 1"));
      hand.database.history(EVERYTHING, (page) => {
        answers.push("records" in page ? "read" : page.failure);
      });
      hand.database.commit(applied(2), () => {
        answers.push("commit 2");
        hand.database.history(EVERYTHING, (page) => {
          answers.push(`read ${"records" in page ? page.records.length : page.failure}`);
          resolve();
        });
      });
    });
    assert.deepEqual(answers, []);
    await world.settle(last);
    assert.deepEqual(answers.filter((each) => each !== "read"), ["commit 1", "commit 2", "read 2"]);
  });

  test("writes what was handed over before it was closed, and tells nothing after", async (hand) => {
    await hand.open();
    const late = () => assert.fail("it is closed");
    hand.database.commit(applied(1), late);
    hand.database.history(EVERYTHING, late);
    hand.database.close();
    hand.database.close();
    const content = await hand.open();
    assert.equal(content.applied.index, 1);
  });

  for (const how of ["damaged", "gone"] as const) {
    test(
      `tells a ${how} database apart from an empty one, and what of it is known`,
      async (hand, world) => {
        await hand.open();
        const sealed = { spec: { index: 1, body: bytes(8) }, settled: true, alone: false };
        await hand.commit({
          ...applied(1),
          hardState: { term: 5, vote: 2, diverged: false },
          sealed,
        });
        await world.crash();
        world.hurt(how);
        const damage = await hand.tryOpen();
        assert.ok("damaged" in damage);
        assert.equal(damage.kind, how);
        assert.deepEqual(damage.rescued, { term: 5, vote: 2, known: true, sealed });
      },
    );
  }

  test("begins anew in the place of a lost one, and remembers the loss", async (hand, world) => {
    await hand.open();
    await hand.commit({ ...applied(1), hardState: { term: 5, vote: 2, diverged: false } });
    await world.crash();
    world.hurt("damaged");
    assert.ok("damaged" in await hand.tryOpen());
    await world.crash();
    assert.ok("damaged" in await hand.tryOpen(), "it stays damaged");
    const sealed = { spec: { index: 1, body: bytes(8) }, settled: false, alone: true };
    const recovery = { nonce: 77, known: true, why: "a row" };
    const begun = await hand.renew({ term: 5, vote: 2, sealed, recovery });
    const expected = {
      ...{ term: 5, vote: 2, diverged: false, spec: null, entries: [], rows: [], requests: [] },
      base: { index: 0, term: 0, chain: 0 },
      applied: { index: 0, term: 0, stateCrc: 0 },
      ...{ locks: [], recovery, sealed },
    };
    assert.deepEqual(begun, expected);
    assert.deepEqual(await hand.again(), expected);
    await hand.commit({ ...applied(1), hardState: { term: 6, vote: 0, diverged: false } });
    await hand.commit({ recovery: null, sealed: { spec: null, settled: true, alone: false } });
    const content = await hand.again();
    assert.deepEqual([content.term, content.recovery, content.applied.index], [6, null, 1]);
    assert.deepEqual(content.sealed, { spec: null, settled: true, alone: false });
  });

  test(
    "knows an older copy of itself by term, vote and how often it was opened",
    async (hand, world) => {
      await hand.open();
      await hand.commit({ hardState: { term: 5, vote: 0, diverged: false } });
      const putBack = world.keep();
      await hand.commit({ hardState: { term: 5, vote: 3, diverged: false } });
      await world.crash();
      putBack();
      const damage = await hand.tryOpen();
      assert.ok("damaged" in damage);
      assert.equal(damage.kind, "older");
      assert.deepEqual(damage.rescued, { term: 5, vote: 3, known: true, sealed: null });
    },
  );
}
