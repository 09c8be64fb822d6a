import assert from "node:assert/strict";
import type { DatabaseContent, DatabaseDamage, DiskFailure } from "../../mod/host/ports.ts";
import { ask, BLOCK, block, host, makeSite, openDisk } from "./fixture.ts";

const PATH = "/dev/shared";
const KEY_A = "00000000000000a1";
const KEY_B = "00000000000000b2";

Deno.test("SimDisks tears a write in flight at a power cut by whole 512-byte sectors", () => {
  let mixed = 0;
  for (let seed = 0; seed < 20; seed++) {
    const site = makeSite(seed, { diskCrashExecuted: 1, diskCrashTorn: 1, diskCallMs: [10, 10] });
    const disk = site.disks.make(PATH, 4 * BLOCK);
    const open = openDisk(site, host(site, 0).boot(), PATH);
    assert.equal(ask(site, (done) => open.write(0, block(1), (failure) => done(failure ?? 1))), 1);
    open.write(0, block(2), () => assert.fail("the dead are not answered"));
    site.world.runUntil(site.world.now + 1);
    host(site, 0).powerCut(null);
    const sectors = Array.from({ length: 8 }, (_, i) => disk.read(0, BLOCK).subarray(i * 512));
    const bytes = sectors.map((sector) => {
      assert.ok(sector.subarray(0, 512).every((byte) => byte === sector[0]));
      return sector[0];
    });
    if (new Set(bytes).size === 2) mixed++;
    site.world.runUntil(10_000);
    assert.deepEqual(disk.read(0, BLOCK)[0], bytes[0]);
  }
  assert.ok(mixed > 10, `${mixed} of 20 are torn`);
});

Deno.test("SimDisks draws at a daemon's crash how much of what it asked is still done", () => {
  const counts = new Set<number>();
  for (let seed = 0; seed < 20; seed++) {
    const site = makeSite(seed);
    const disk = site.disks.make(PATH, 8 * BLOCK);
    const open = openDisk(site, host(site, 0).boot(), PATH);
    for (let i = 0; i < 4; i++) open.write(i * BLOCK, block(1), () => assert.fail());
    host(site, 0).crashDaemon();
    site.world.runUntil(1000);
    const written = [0, 1, 2, 3].map((i) => disk.read(i * BLOCK, BLOCK)[0]);
    assert.deepEqual(written, [...written].sort().reverse(), "in order");
    counts.add(written.filter((byte) => byte === 1).length);
  }
  assert.deepEqual([...counts].sort(), [0, 1, 2, 3, 4]);
});

Deno.test("SimDisks answers a call of a hung path when it is mended: late, or as lost", () => {
  const ends = new Set<string>();
  for (let seed = 0; seed < 20; seed++) {
    const site = makeSite(seed);
    const disk = site.disks.make(PATH, 4 * BLOCK);
    const open = openDisk(site, host(site, 0).boot(), PATH);
    site.disks.setPath(0, PATH, "hung");
    const answers: string[] = [];
    open.write(0, block(1), (failure) => answers.push(failure?.failure ?? "ok"));
    site.world.runUntil(30_000);
    assert.deepEqual([answers, disk.read(0, BLOCK)[0]], [[], 0]);
    site.disks.heal();
    site.world.runUntil(31_000);
    assert.equal(answers.length, 1);
    ends.add(`${answers[0]} ${disk.read(0, BLOCK)[0]}`);
  }
  assert.deepEqual([...ends].sort(), ["io 0", "ok 1"]);
});

Deno.test("SimDisks refuses a late write of a dead host whose key was ejected meanwhile", () => {
  for (let seed = 0; seed < 20; seed++) {
    const site = makeSite(seed, { diskHungExecuted: 1 });
    const disk = site.disks.make(PATH, 4 * BLOCK);
    const a = openDisk(site, host(site, 0).boot(), PATH);
    const b = openDisk(site, host(site, 1).boot(), PATH);
    ask(site, (done) => a.register(KEY_A, () => done(1)));
    ask(site, (done) => a.reserve(KEY_A, 5, () => done(1)));
    ask(site, (done) => b.register(KEY_B, () => done(1)));
    site.disks.setPath(0, PATH, "hung");
    a.write(0, block(1), () => assert.fail());
    host(site, 0).powerCut(null);
    const preempt = { key: KEY_B, victim: KEY_A, type: 5 } as const;
    ask(site, (done) => b.preempt(preempt, (failure) => done(failure ?? 1)));
    ask(site, (done) => b.write(BLOCK, block(2), (failure) => done(failure ?? 1)));
    site.disks.heal();
    site.world.runUntil(site.world.now + 1000);
    assert.deepEqual([disk.read(0, BLOCK)[0], disk.read(BLOCK, BLOCK)[0]], [0, 2]);
  }
});

Deno.test("SimDisks fails calls over a failing path, and answers everything at close", () => {
  const site = makeSite(1);
  site.disks.make(PATH, 4 * BLOCK);
  const open = openDisk(site, host(site, 0).boot(), PATH);
  site.disks.setPath(0, PATH, "failing");
  const failure = ask(site, (done) => open.write(0, block(1), (each) => done(each?.failure ?? "")));
  assert.equal(failure, "io");
  site.disks.heal();
  let answers = 0;
  for (let i = 0; i < 3; i++) open.read(0, BLOCK, () => answers++);
  open.close();
  assert.equal(answers, 0, "nothing is told within close()");
  open.read(0, BLOCK, () => answers++);
  site.world.runUntil(site.world.now + 1000);
  assert.equal(answers, 4);
});

function content(seed: number, crash: "crash" | "power") {
  const site = makeSite(seed);
  const a = host(site, 0);
  const first = a.boot().database;
  let durable = 0;
  const database = first.open(() => {
    for (let index = 1; index <= 6; index++) {
      const entries = [{ index: 2 * index - 1, term: 1, body: block(1) }];
      database.commit({
        entries: [...entries, { index: 2 * index, term: 1, body: block(1) }],
        hardState: { term: index, vote: index, diverged: false },
      }, (failure) => {
        assert.equal(failure, null);
        durable = index;
      });
    }
  });
  site.world.runUntil(40);
  if (crash === "crash") a.crashDaemon();
  else a.powerCut(null);
  const before = durable;
  const again = ask<DatabaseContent | { readonly damaged: string }>(
    site,
    (done) => a.boot().database.open(done),
  );
  assert.ok("entries" in again);
  assert.equal(durable, before, "a dead daemon is told nothing");
  return { durable, again };
}

Deno.test("SimDatabase keeps what was durable, and of the rest whole commits in order", () => {
  const surplus = new Set<number>();
  for (let seed = 0; seed < 40; seed++) {
    const { durable, again } = content(seed, seed % 2 === 0 ? "crash" : "power");
    const { term, vote, entries } = again;
    assert.ok(term >= durable, `${term} of ${durable}`);
    assert.equal(vote, term);
    assert.deepEqual(entries.map(({ index }) => index), entries.map((_, i) => i + 1));
    assert.equal(entries.length, 2 * term, "whole commits");
    surplus.add(term - durable);
  }
  assert.ok(surplus.has(0) && surplus.has(1), [...surplus].join());
});

Deno.test("SimDatabase truncates, replaces, applies and removes as a batch says", () => {
  const site = makeSite(2);
  const a = host(site, 0);
  const row = (ino: number, name: string) => ({
    ino,
    parent: 1,
    name,
    kind: "file" as const,
    mtime: 1,
    version: 1,
    writer: 1,
    data: block(1),
  });
  const entry = (index: number, term: number) => ({ index, term, body: block(term) });
  const database = a.boot().database.open(() => {
    database.commit({ entries: [1, 2, 3].map((index) => entry(index, 1)) }, () => {});
    database.commit({
      truncateFrom: 2,
      entries: [entry(2, 2)],
      hardState: { term: 2, vote: 3, diverged: false },
      applied: {
        index: 1,
        term: 1,
        stateCrc: 9,
        rows: [row(3, "c"), row(2, "b")],
        removed: [],
        history: [{ index: 1, term: 1, request: "r", problem: "", why: "", undo: [] }],
        forget: 0,
      },
    }, () => {});
    database.commit({
      applied: {
        ...{ index: 2, term: 2, stateCrc: 8, rows: [row(2, "d")], removed: [3], history: [] },
        forget: 0,
      },
    }, () => {});
  });
  site.world.runUntil(5000);
  a.crashDaemon();
  const again = ask<DatabaseContent | { readonly damaged: string }>(
    site,
    (done) => a.boot().database.open(done),
  );
  assert.ok("entries" in again);
  assert.deepEqual(again.entries.map(({ index, term }) => [index, term]), [[1, 1], [2, 2]]);
  assert.deepEqual([again.term, again.vote], [2, 3]);
  assert.deepEqual(again.applied, { index: 2, term: 2, stateCrc: 8 });
  assert.deepEqual(again.rows.map(({ ino, name }) => [ino, name]), [[2, "d"]]);
  assert.deepEqual(again.requests.length, 1);
});

Deno.test("DatabaseStore tells damage and failure in words", () => {
  const site = makeSite(3);
  const a = host(site, 0);
  const failures: (string | null)[] = [];
  const database = a.boot().database.open(() => {
    a.store.failCommits("the disk is full");
    database.commit(
      { hardState: { term: 5, vote: 1, diverged: false } },
      (failure) => failures.push(failure),
    );
  });
  site.world.runUntil(1000);
  assert.deepEqual(failures, ["the disk is full"]);
  a.crashDaemon();
  const full = ask<DatabaseContent | DatabaseDamage>(site, (done) => a.boot().database.open(done));
  assert.ok("damaged" in full && full.kind === "unwritable", "nothing is lost, it is only full");
  a.store.failCommits(null);
  a.crashDaemon();
  a.store.damage("a row fails its CRC-32");
  const again = ask<DatabaseContent | DatabaseDamage>(site, (done) => a.boot().database.open(done));
  assert.ok("damaged" in again && again.kind === "damaged");
  assert.equal(again.damaged, "a row fails its CRC-32");
});

Deno.test("SimDisks lets only the holder write with types 1 and 3, and refuses type 7", () => {
  for (const type of [1, 3] as const) {
    const site = makeSite(4);
    site.disks.make(PATH, 4 * BLOCK);
    const a = openDisk(site, host(site, 0).boot(), PATH);
    const b = openDisk(site, host(site, 1).boot(), PATH);
    const outcome = (call: (done: (failure: DiskFailure | null) => void) => void) =>
      ask<string>(site, (done) => call((failure) => done(failure?.failure ?? "ok")));
    assert.equal(outcome((done) => a.register(KEY_A, done)), "ok");
    assert.equal(outcome((done) => b.register(KEY_B, done)), "ok");
    assert.equal(outcome((done) => a.reserve(KEY_A, 7, done)), "unsupported");
    assert.equal(outcome((done) => a.reserve(KEY_A, type, done)), "ok");
    assert.equal(outcome((done) => a.write(0, block(1), done)), "ok");
    assert.equal(outcome((done) => b.write(0, block(2), done)), "conflict");
    const read = ask<unknown>(site, (done) => b.read(0, BLOCK, done));
    assert.equal(read instanceof Uint8Array, type === 1);
  }
});
