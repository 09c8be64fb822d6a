/** SQLite under the database port: what survives, what is noticed, and what an older version wrote. */
import assert from "node:assert/strict";
import { DatabaseSync } from "node:sqlite";
import { DatabaseFile } from "../../mod/host/linux/database_file.ts";
import { type HistoryLimits } from "../../mod/host/linux/database_history.ts";
import { DATABASE_NAME, linuxDatabase } from "../../mod/host/linux/database.ts";
import type { DatabaseContent, DatabasePort } from "../../mod/host/ports.ts";
import {
  applied,
  databaseSuite,
  type DatabaseWorld,
  entry,
  unhashed,
} from "../contract/database_suite.ts";
import { makeForm1 } from "./database_form1.ts";

const MAIN = new URL("./database_main.ts", import.meta.url).pathname;

/** The database without its seal. */
const FILES = [DATABASE_NAME, `${DATABASE_NAME}-wal`];

function copyIfThere(from: string, to: string): void {
  try {
    Deno.copyFileSync(from, to);
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
}

function forget(path: string): void {
  for (const suffix of ["", "-wal", "-shm"]) {
    try {
      Deno.removeSync(`${path}${suffix}`);
    } catch (error) {
      if (!(error instanceof Deno.errors.NotFound)) throw error;
    }
  }
}

/** Each life has a directory of its own: a copy of the last one's files, taken while they are open. */
function linuxWorld(): DatabaseWorld {
  const folders = [Deno.makeTempDirSync({ prefix: "pentad-database-" })];
  const ports: DatabasePort[] = [];
  const opened: { close(): void }[] = [];
  const kept: string[] = [];
  return {
    port() {
      const real = linuxDatabase(folders.at(-1) ?? "");
      ports.push(real);
      return {
        open(done) {
          const database = real.open(done);
          opened.push(database);
          return database;
        },
        renew(beginning, done) {
          const database = real.renew(beginning, done);
          opened.push(database);
          return database;
        },
      };
    },
    crash() {
      const [last, next] = [folders.at(-1), Deno.makeTempDirSync({ prefix: "pentad-database-" })];
      for (const { name } of Deno.readDirSync(last ?? "")) {
        const whole = name.startsWith(DATABASE_NAME) && !name.includes(".lost-");
        if (whole) Deno.copyFileSync(`${last}/${name}`, `${next}/${name}`);
      }
      folders.push(next);
      return Promise.resolve();
    },
    hurt(how) {
      const path = `${folders.at(-1)}/${DATABASE_NAME}`;
      if (how === "gone") return forget(path);
      const raw = new DatabaseSync(path);
      raw.exec("UPDATE log SET body = x'0102'");
      raw.close();
    },
    keep() {
      const [from, to] = [folders.at(-1) ?? "", Deno.makeTempDirSync({ prefix: "pentad-kept-" })];
      kept.push(to);
      for (const name of FILES) copyIfThere(`${from}/${name}`, `${to}/${name}`);
      return () => {
        const now = folders.at(-1) ?? "";
        forget(`${now}/${DATABASE_NAME}`);
        for (const name of FILES) copyIfThere(`${to}/${name}`, `${now}/${name}`);
      };
    },
    settle: (answer) => answer,
    async close() {
      for (const database of opened) database.close();
      for (const folder of kept) Deno.removeSync(folder, { recursive: true });
      for (const folder of folders) {
        await linuxDatabase(folder).settled();
        Deno.removeSync(folder, { recursive: true });
      }
    },
  };
}

databaseSuite("SQLite", linuxWorld);

async function inFolder(
  run: (path: string, folder: string) => void | Promise<void>,
): Promise<void> {
  const folder = Deno.makeTempDirSync({ prefix: "pentad-database-" });
  try {
    await run(`${folder}/${DATABASE_NAME}`, folder);
  } finally {
    Deno.removeSync(folder, { recursive: true });
  }
}

function openFile(path: string, limits?: HistoryLimits) {
  const opened = DatabaseFile.open(path, limits && { limits });
  assert.ok(!("damaged" in opened), JSON.stringify(opened));
  return opened;
}

/** The lines that a child wrote until it ended; `kill` ends it by SIGKILL when it has got that far. */
async function child(
  command: readonly string[],
  kill: (lines: readonly string[]) => boolean,
): Promise<string[]> {
  const [program = "", ...args] = command;
  const process = new Deno.Command(program, { args, stdout: "piped", stdin: "null" }).spawn();
  const lines: string[] = [];
  let rest = "";
  for await (const text of process.stdout.pipeThrough(new TextDecoderStream())) {
    const all = (rest + text).split("\n");
    rest = all.pop() ?? "";
    lines.push(...all);
    if (kill(lines)) process.kill("SIGKILL");
  }
  await process.status;
  return lines;
}

Deno.test("a killed daemon's database holds every acknowledged batch, and each whole", async () => {
  await inFolder(async (path, folder) => {
    let known = 0;
    for (const stop of [7, 12, 25]) {
      const goal = known + stop;
      const lines = await child(
        [Deno.execPath(), "run", "-A", "--no-check", MAIN, folder],
        (all) => Number(all.at(-1)) >= goal,
      );
      const acknowledged = Number(lines.at(-1));
      const { file, content } = openFile(path);
      file.close();
      const { index, stateCrc } = content.applied;
      assert.ok(index >= acknowledged, `${index} of ${acknowledged}`);
      assert.equal(stateCrc, 100 + index, "the state is that of its index");
      const entries = content.entries.map((each) => each.index);
      const { base } = content;
      assert.deepEqual(
        entries,
        Array.from({ length: index - base.index }, (_, at) => base.index + at + 1),
      );
      known = index;
    }
  });
});

Deno.test("on a full disk a commit fails, and none after it succeeds; what was there is there", async () => {
  await inFolder(async (path, folder) => {
    // A limit on the size of files is a full disk that needs no rights; its signal is ignored.
    const command = `trap '' XFSZ; ulimit -f 1500; exec "$0" "$@"`;
    const run = [Deno.execPath(), "run", "-A", "--no-check", MAIN, folder, "100000"];
    const lines = await child(["sh", "-c", command, ...run], () => false);
    const at = lines.findIndex((line) => line.startsWith("failed: "));
    assert.ok(at > 3, lines.join("; "));
    assert.match(lines[at + 1] ?? "", /^again: the database is not open/);
    const { file, content } = openFile(path);
    file.close();
    assert.ok(content.applied.index >= Number(lines[at - 1]), "what was acknowledged");
    assert.equal(content.applied.stateCrc, 100 + content.applied.index);
  });
});

Deno.test("every kind of damage is told at start, with the row that is hurt", async () => {
  const hurts: [string, RegExp][] = [
    ["UPDATE meta SET term = term + 1", /term and vote fails its CRC-32/],
    ["UPDATE meta SET base_chain = base_chain + 1", /fails its CRC-32/],
    ["UPDATE meta SET spec = x'00'", /fails its CRC-32/],
    ["UPDATE log SET body = x'0102' WHERE idx = 5", /log entry 5 fails its CRC-32/],
    ["DELETE FROM log WHERE idx = 5", /log entry 5 is missing/],
    ["DELETE FROM log WHERE idx = 4", /log entry 4 is missing/],
    ["DELETE FROM log WHERE idx >= 5", /entry 6 is applied, the log is from 4 to 4/],
    ["UPDATE tree SET data = x'ff' WHERE ino = 7", /tree row 7 \("a"\) fails its CRC-32/],
    ["UPDATE request SET problem = 'x' WHERE idx = 2", /request 2 fails its CRC-32/],
    ["UPDATE locks SET body = x'00' WHERE key = 9", /locks of 9 fail their CRC-32/],
    ["PRAGMA user_version = 6", /it has form 6, this pentad reads 1 to 5/],
    ["UPDATE meta SET content = content + 1", /term and vote fails its CRC-32/],
    ["DELETE FROM tree WHERE ino = 7", /whole, and not those that were written/],
    ["DELETE FROM locks WHERE key = 9", /whole, and not those that were written/],
    ["UPDATE origin SET opens = opens + 1", /its origin fails its CRC-32/],
  ];
  for (const [sql, why] of hurts) {
    await inFolder((path) => {
      const { file } = openFile(path);
      for (let index = 1; index <= 6; index++) file.commit(applied(index));
      const spec = { index: 2, body: entry(2).body };
      file.commit({ compact: { base: { index: 3, term: 1, chain: 5 }, spec } });
      file.close();
      const raw = new DatabaseSync(path);
      raw.exec(sql);
      raw.close();
      const opened = DatabaseFile.open(path);
      assert.ok("damaged" in opened, sql);
      assert.match(opened.damaged, why);
    });
  }
  await inFolder((path) => {
    Deno.writeTextFileSync(
      path,
      "this is no database, and long enough to be looked at as one\n".repeat(40),
    );
    assert.ok("damaged" in DatabaseFile.open(path));
  });
});

Deno.test("damage in the history is told to who reads it, and stops no node", async () => {
  for (const column of ["body", "undo"]) {
    await inFolder((path) => {
      const first = openFile(path);
      for (let index = 1; index <= 4; index++) first.file.commit(applied(index));
      first.file.close();
      const raw = new DatabaseSync(path);
      raw.exec(`UPDATE history SET ${column} = x'0a0b' WHERE idx = 2`);
      raw.close();
      const { file } = openFile(path);
      const read = (undo: boolean, limit = 9, below = 9) => {
        const page = file.history({ below, from: 0, limit, undo });
        assert.ok("records" in page);
        return page;
      };
      const page = read(true);
      assert.deepEqual(page.records.map(({ index }) => index), [4, 3, 1], "it hides no other");
      assert.deepEqual(page.damaged, [{ index: 2, why: "History 2 fails its CRC-32" }]);
      const bare = read(false);
      assert.equal(bare.damaged === undefined, column === "undo", "what is not read is not judged");
      // Page by page: it is on the page that it falls on, and counts as one of it.
      assert.deepEqual([read(true, 2).more, read(true, 2).damaged], [true, undefined]);
      const next = read(true, 1, 3);
      assert.deepEqual([next.records, next.damaged?.length, next.more], [[], 1, true]);
      file.commit(applied(5));
      file.close();
    });
  }
});

Deno.test("the history is bounded by bytes and by age, and says since when it is whole", async () => {
  await inFolder((path) => {
    const limits = { bytes: 3000, seconds: 1e9, kept: 2 };
    const { file } = openFile(path, limits);
    for (let index = 1; index <= 100; index++) file.commit(applied(index));
    const ask = { below: Infinity, from: 0, limit: 1000, undo: true };
    const page = file.history(ask);
    assert.ok("records" in page);
    const count = page.records.length;
    assert.ok(count > 5 && count < 60, `${count} of 100`);
    assert.equal(page.since, 100 - count);
    assert.deepEqual(
      page.records.map(({ index }) => index),
      Array.from({ length: count }, (_, at) => 100 - at),
    );
    file.close();
    const content = openFile(path, limits).content;
    assert.equal(content.requests.length, 100, "the memory of requests is bounded by other rules");
    // Later, with an age of nothing: only the newest few stay.
    const old = openFile(path, { ...limits, seconds: -10 });
    old.file.commit(applied(101));
    const rest = old.file.history(ask);
    assert.ok("records" in rest);
    assert.deepEqual([rest.records.map(({ index }) => index), rest.since], [[101, 100], 99]);
    old.file.close();
  });
});

Deno.test("a page of the history is bounded by bytes, and one long record goes alone", async () => {
  await inFolder((path) => {
    const { file } = openFile(path);
    const body = new Uint8Array(700_000);
    for (let index = 1; index <= 3; index++) {
      const batch = applied(index);
      file.commit({ ...batch, entries: [{ index, term: 1, body }] });
    }
    const read = (below: number) => {
      const page = file.history({ below, from: 0, limit: 9, undo: false });
      assert.ok("records" in page);
      return [page.records.map(({ index }) => index), page.more];
    };
    assert.deepEqual(read(9), [[3], true]);
    assert.deepEqual(read(3), [[2], true]);
    assert.deepEqual(read(2), [[1], false]);
    file.close();
  });
});

Deno.test("a batch whose entry is not in the log fails whole", async () => {
  await inFolder((path) => {
    const { file } = openFile(path);
    file.commit(applied(1));
    const { applied: only } = applied(2);
    assert.ok(only);
    assert.throws(() => file.commit({ applied: only }), /Entry 2 is applied and not in the log/);
    file.close();
    assert.equal(openFile(path).content.applied.index, 1);
  });
});

Deno.test("a database of form 1 is read, and is of form 5 from then on", async () => {
  await inFolder((path) => {
    makeForm1(path);
    const first = openFile(path);
    const expected: DatabaseContent = {
      ...{ term: 6, vote: 3, diverged: false, spec: null },
      base: { index: 0, term: 0, chain: 0 },
      entries: [entry(1), entry(2), entry(3, 2)],
      applied: { index: 2, term: 1, stateCrc: 55 },
      rows: [{
        ...{ ino: 1025, parent: 0, name: "a", kind: "file", mtime: 12, version: 1, writer: 1 },
        data: Uint8Array.of(4, 5),
      }],
      requests: [
        { index: 1, request: "aa", problem: "", why: "" },
        { index: 2, request: "bb", problem: "config.exists", why: '"a" is there' },
      ],
      locks: [],
      ...{ recovery: null, sealed: null },
    };
    assert.deepEqual(first.content, expected);
    const page = first.file.history({ below: 9, from: 0, limit: 9, undo: true });
    assert.ok("records" in page);
    assert.deepEqual(page.records.map(({ index, body, undo }) => [index, body, undo]), [
      [2, entry(2).body, null],
      [1, entry(1).body, null],
    ]);
    first.file.commit(unhashed(applied(4)));
    first.file.close();
    const again = openFile(path).content;
    assert.equal(again.applied.index, 4);
    const raw = new DatabaseSync(path);
    assert.equal(raw.prepare("PRAGMA user_version").get()?.user_version, 5);
    raw.close();
  });
});

Deno.test("a damaged database of form 1 stays as it is, and is told", async () => {
  for (const sql of ["UPDATE meta SET term = 7", "UPDATE history SET why = 'x' WHERE idx = 2"]) {
    await inFolder((path) => {
      makeForm1(path);
      const raw = new DatabaseSync(path);
      raw.exec(sql);
      raw.close();
      const opened = DatabaseFile.open(path);
      assert.ok("damaged" in opened);
      assert.match(opened.damaged, /fails its CRC-32/);
      const after = new DatabaseSync(path);
      assert.equal(after.prepare("PRAGMA user_version").get()?.user_version, 1, "nothing was lost");
      assert.equal(after.prepare("SELECT count(*) AS n FROM history").get()?.n, 2);
      after.close();
    });
  }
});

Deno.test("a new and empty file of form 1 becomes one of form 4", async () => {
  await inFolder((path) => {
    makeForm1(path, { empty: true });
    const { file, content } = openFile(path);
    assert.equal(content.term, 0);
    file.commit(applied(1));
    file.close();
    assert.equal(openFile(path).content.applied.index, 1);
  });
});
