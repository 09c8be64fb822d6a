/** Reading a database back: every kind of damage is found, in slices, while commits go on. */
import assert from "node:assert/strict";
import { DatabaseSync } from "node:sqlite";
import { DATABASE_NAME, linuxDatabase } from "../../mod/host/linux/database.ts";
import { DatabaseFile } from "../../mod/host/linux/database_file.ts";
import { verifyFile, verifySteps } from "../../mod/host/linux/database_verify.ts";
import { rowsOf, type VerifyReport, vitalDamage } from "../../mod/base/verify_report.ts";
import type { Database, DatabaseContent, DatabaseDamage } from "../../mod/host/ports.ts";
import { applied, entry, row } from "../contract/database_suite.ts";

async function inFolder(
  run: (path: string, folder: string) => void | Promise<void>,
): Promise<void> {
  const folder = Deno.makeTempDirSync({ prefix: "pentad-verify-" });
  try {
    await run(`${folder}/${DATABASE_NAME}`, folder);
  } finally {
    Deno.removeSync(folder, { recursive: true });
  }
}

function openFile(path: string): DatabaseFile {
  const opened = DatabaseFile.open(path);
  assert.ok(!("damaged" in opened), JSON.stringify(opened));
  return opened.file;
}

/** An open database with a base in its log, and ten transactions. */
function filled(path: string): DatabaseFile {
  const file = openFile(path);
  for (let index = 1; index <= 10; index++) file.commit(applied(index));
  const spec = { index: 2, body: entry(2).body };
  file.commit({ compact: { base: { index: 3, term: 1, chain: 5 }, spec } });
  return file;
}

const HURTS: readonly [sql: string, part: string, at: number | null, why: RegExp][] = [
  ["UPDATE meta SET term = term + 1", "meta", null, /term and vote fails its CRC-32/],
  ["UPDATE meta SET content = 1", "meta", null, /fails its CRC-32/],
  ["UPDATE origin SET opens = 9", "meta", null, /its origin fails its CRC-32/],
  ["UPDATE log SET body = x'0102' WHERE idx = 5", "log", 5, /log entry 5 fails its CRC-32/],
  ["DELETE FROM log WHERE idx = 5", "log", 5, /log entry 5 is missing/],
  ["DELETE FROM log WHERE idx = 10", "log", 10, /log entry 10 is missing/],
  ["UPDATE tree SET data = x'ff' WHERE ino = 7", "tree", 7, /tree row 7 \("a"\) fails/],
  ["DELETE FROM tree", "content", null, /not those that were written/],
  ["DELETE FROM locks WHERE key = 9", "content", null, /not those that were written/],
  ["UPDATE locks SET body = x'00' WHERE key = 9", "locks", 9, /locks of 9 fail their CRC-32/],
  ["UPDATE request SET why = 'x' WHERE idx = 4", "requests", 4, /request 4 fails its CRC-32/],
  ["UPDATE history SET why = 'x' WHERE idx = 4", "history", 4, /History 4 fails its CRC-32/],
  ["UPDATE history SET undo = x'00' WHERE idx = 6", "history", 6, /History 6 fails its CRC-32/],
];

Deno.test("verifyFile() finds nothing in a database that is what was written, and counts its rows", async () => {
  await inFolder((path) => {
    const file = filled(path);
    const report = verifyFile(path);
    assert.deepEqual(report, {
      rows: { log: 7, tree: 1, locks: 1, requests: 10, history: 10 },
      ...{ applied: 10, damaged: [], count: 0 },
    });
    assert.equal(rowsOf(report), 29);
    file.close();
    assert.deepEqual(verifyFile(path, { immutable: true }), report);
  });
});

Deno.test("verifyFile() names every kind of damage, and goes on behind it", async () => {
  for (const [sql, part, at, why] of HURTS) {
    await inFolder((path) => {
      const file = filled(path);
      const raw = new DatabaseSync(path);
      raw.exec(sql);
      raw.close();
      const { damaged, count, rows } = verifyFile(path);
      assert.equal(count, 1, `${sql}: ${JSON.stringify(damaged)}`);
      assert.deepEqual([damaged[0]?.part, damaged[0]?.at], [part, at], sql);
      assert.match(damaged[0]?.why ?? "", why);
      assert.equal(rows.history, 10, "what comes behind it is read all the same");
      const vital = vitalDamage({ damaged, count, rows, applied: 0 });
      assert.equal(vital === null, part === "history", sql);
      file.close();
    });
  }
});

Deno.test("verifyFile() lists a few of many damaged rows, and counts all", async () => {
  await inFolder((path) => {
    const file = openFile(path);
    for (let index = 1; index <= 60; index++) file.commit(applied(index));
    const raw = new DatabaseSync(path);
    raw.exec("UPDATE history SET crc = crc + 1; UPDATE log SET crc = crc + 1 WHERE idx = 60");
    raw.close();
    const { damaged, count } = verifyFile(path);
    assert.deepEqual([damaged.length, count], [16, 61]);
    file.close();
  });
});

Deno.test("a page of SQLite's own that is overwritten is told, and ends nothing but its table", async () => {
  await inFolder((path) => {
    const file = openFile(path);
    for (let index = 1; index <= 200; index++) file.commit(applied(index));
    file.close();
    const bytes = Deno.readFileSync(path);
    const raw = new DatabaseSync(path, { readOnly: true });
    const root = Number(
      raw.prepare("SELECT rootpage AS at FROM sqlite_schema WHERE name = 'log'").get()?.at,
    );
    raw.close();
    bytes.fill(0xa5, (root - 1) * 4096, root * 4096);
    Deno.writeFileSync(path, bytes);
    const { damaged, rows } = verifyFile(path, { immutable: true });
    assert.ok(damaged.some(({ part }) => part === "log"), JSON.stringify(damaged));
    assert.equal(rows.history, 200);
  });
});

Deno.test("verifySteps() reads one state, whatever is committed between its steps", async () => {
  await inFolder((path) => {
    const file = openFile(path);
    for (let index = 1; index <= 400; index++) file.commit(applied(index));
    const steps = verifySteps(path);
    let index = 400;
    let count = 0;
    for (;;) {
      const { done, value } = steps.next();
      if (done) {
        assert.deepEqual([value.count, value.damaged], [0, []]);
        assert.equal(value.applied, 400);
        break;
      }
      count++;
      index++;
      file.commit(applied(index));
    }
    assert.ok(count > 5, `${count} steps`);
    file.close();
  });
});

/** The Worker's. */
class Opened {
  readonly #folder: string;
  database: Database | null = null;
  constructor(folder: string) {
    this.#folder = folder;
  }
  open(): Promise<DatabaseContent | DatabaseDamage> {
    return new Promise((resolve) => {
      this.database = linuxDatabase(this.#folder).open(resolve);
    });
  }
  verify(): Promise<VerifyReport | { readonly failure: string }> {
    return new Promise((resolve) => this.database?.verify(resolve));
  }
}

Deno.test("on the Worker commits go on between the slices, and what a close interrupts is not told", async () => {
  await inFolder(async (path, folder) => {
    const file = openFile(path);
    const data = new Uint8Array(600_000).fill(7);
    const big = Array.from({ length: 60 }, (_, at) => ({ ...row(100 + at, `f${at}`), data }));
    const batch = applied(1);
    assert.ok(batch.applied);
    const { content: _content, ...rest } = batch.applied;
    file.commit({ ...batch, applied: { ...rest, rows: big } });
    file.close();
    const opened = new Opened(folder);
    assert.ok(!("damaged" in await opened.open()));
    const order: string[] = [];
    const verified = opened.verify().then((report) => {
      order.push("verified");
      return report;
    });
    let commits = 0;
    const commit = async () => {
      for (let index = 2; !order.includes("verified"); index++) {
        const { applied: _applied, ...bare } = applied(index);
        await new Promise<void>((resolve) => opened.database?.commit(bare, () => resolve()));
        commits++;
      }
    };
    const [report] = await Promise.all([verified, commit()]);
    assert.ok(!("failure" in report) && report.count === 0, JSON.stringify(report));
    assert.equal(report.rows.tree, 60);
    assert.ok(commits > 3, `${commits} commits in the meantime`);
    let told = false;
    opened.database?.verify(() => told = true);
    opened.database?.close();
    await linuxDatabase(folder).settled();
    assert.equal(told, false);
  });
});
