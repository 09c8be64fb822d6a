/** What is found to be lost, and what is done with it: the seal, SQLite's log, renewing. */
import assert from "node:assert/strict";
import { DatabaseSync } from "node:sqlite";
import { DATABASE_NAME } from "../../mod/host/linux/database.ts";
import { DatabaseFile } from "../../mod/host/linux/database_file.ts";
import { KEPT_MAX } from "../../mod/host/linux/database_open.ts";
import { readSeal, type Seal, staleness, writeSeal } from "../../mod/host/linux/database_seal.ts";
import { walFault } from "../../mod/host/linux/database_wal.ts";
import { failureCode, isUnwritable } from "../../mod/host/database_failure.ts";
import { applied } from "../contract/database_suite.ts";

function inFolder(run: (path: string, folder: string) => void): void {
  const folder = Deno.makeTempDirSync({ prefix: "pentad-loss-" });
  try {
    run(`${folder}/${DATABASE_NAME}`, folder);
  } finally {
    Deno.removeSync(folder, { recursive: true });
  }
}

function openFile(path: string) {
  const opened = DatabaseFile.open(path);
  assert.ok(!("damaged" in opened), JSON.stringify(opened));
  return opened;
}

function lossOf(path: string) {
  const opened = DatabaseFile.open(path, { mustExist: true });
  assert.ok("damaged" in opened);
  return opened;
}

const SEAL: Seal = {
  ...{ uuid: "0a".repeat(16), opens: 3, term: 7, vote: 2, known: true, applied: 40 },
  ...{ closedAt: null, sealed: null },
};
const FOUND = { uuid: SEAL.uuid, opens: 3, term: 7, vote: 2, applied: 40, last: 44 };

Deno.test("staleness() knows an older copy, and lets pass what is newer than the seal", () => {
  const newer = [{}, { opens: 4 }, { term: 8, vote: 0 }, { applied: 41 }, { last: 50 }];
  for (const change of newer) assert.equal(staleness(SEAL, { ...FOUND, ...change }), null);
  const older = [{ opens: 2 }, { term: 6 }, { vote: 0 }, { vote: 3 }, { applied: 39 }];
  for (const change of older) {
    assert.match(staleness(SEAL, { ...FOUND, ...change }) ?? "", /older than its seal/);
  }
  assert.match(staleness(SEAL, { ...FOUND, uuid: "b" }) ?? "", /not the database/);
  const closed = { ...SEAL, closedAt: 44 };
  assert.equal(staleness(closed, FOUND), null);
  assert.match(staleness(closed, { ...FOUND, last: 43 }) ?? "", /ends at 43, sealed 44/);
  assert.equal(staleness(closed, { ...FOUND, opens: 4, last: 43 }), null, "opened since then");
});

Deno.test("readSeal() gives back what was written, and no damaged seal for a good one", () => {
  inFolder((path) => {
    assert.equal(readSeal(path), null);
    const spec = { index: 9, body: Uint8Array.of(1, 2, 250) };
    for (
      const sealed of [null, { spec: null, settled: true, alone: false }, {
        ...{ spec, settled: false, alone: true },
      }]
    ) {
      writeSeal(path, { ...SEAL, sealed });
      assert.deepEqual(readSeal(path), { ...SEAL, sealed });
    }
    const bytes = Deno.readFileSync(`${path}-seal`);
    for (let at = 0; at < bytes.length - 1; at++) {
      const hurt = bytes.slice();
      hurt[at] = (hurt[at] ?? 0) ^ 4;
      Deno.writeFileSync(`${path}-seal`, hurt);
      assert.equal(typeof readSeal(path), "string", `byte ${at}`);
    }
    Deno.writeFileSync(`${path}-seal`, bytes.subarray(0, 20));
    assert.match(String(readSeal(path)), /fails its CRC-32/);
  });
});

Deno.test("a copy made while it was open and put back after it was closed in order is known as one", () => {
  inFolder((path) => {
    const { file } = openFile(path);
    for (let index = 1; index <= 3; index++) file.commit(applied(index));
    for (const suffix of ["", "-wal"]) Deno.copyFileSync(path + suffix, `${path}.kept${suffix}`);
    file.commit(applied(4));
    file.close();
    for (const suffix of ["", "-wal"]) Deno.renameSync(`${path}.kept${suffix}`, path + suffix);
    const loss = lossOf(path);
    assert.equal(loss.kind, "older");
    assert.match(loss.damaged, /index 3 is applied, sealed 4/);
  });
});

Deno.test("a database without its seal is no database that can be believed", () => {
  inFolder((path) => {
    openFile(path).file.close();
    Deno.removeSync(`${path}-seal`);
    const { kind, rescued } = lossOf(path);
    assert.deepEqual([kind, rescued.known], ["older", false]);
  });
});

Deno.test("walFault() tells damage in the middle of SQLite's log from an end that was never written", () => {
  inFolder((path) => {
    const raw = new DatabaseSync(path);
    raw.exec("PRAGMA journal_mode = WAL; CREATE TABLE t (x BLOB)");
    for (let at = 0; at < 6; at++) raw.exec(`INSERT INTO t VALUES (zeroblob(${3000 + at}))`);
    const wal = Deno.readFileSync(`${path}-wal`);
    // The connection stays open: closing it would take the log away.
    const copy = `${path}.copy`;
    const check = (bytes: Uint8Array) => {
      Deno.writeFileSync(`${copy}-wal`, bytes);
      return walFault(copy);
    };
    assert.equal(check(wal), null);
    const frame = 4096 + 24;
    const frames = (wal.length - 32) / frame;
    const commits = Array.from({ length: frames }, (_, at) => at)
      .filter((at) => new DataView(wal.buffer).getUint32(32 + at * frame + 4) !== 0);
    const last = commits.at(-2) ?? 0;
    for (let at = 0; at < frames; at++) {
      const hurt = wal.slice();
      const place = 32 + at * frame + 24 + 100;
      hurt[place] = (hurt[place] ?? 0) ^ 1;
      // Only the newest transaction cannot be told from one that was never finished.
      if (at <= last) assert.match(check(hurt) ?? "", /fails its checksum, and others come after/);
      else assert.equal(check(hurt), null);
    }
    for (let length = wal.length - frame; length < wal.length; length += 512) {
      assert.equal(check(wal.subarray(0, length)), null, "a torn end");
    }
    assert.equal(check(new Uint8Array(0)), null);
    const sum = wal.slice();
    sum[26] = (sum[26] ?? 0) ^ 1;
    assert.match(check(sum) ?? "", /fails its checksum/, "a header that fits no frame's chain");
    raw.close();
  });
});

/** Where the frames of a write-ahead log end; behind them is room for more. */
function endOf(wal: Uint8Array): number {
  const salts = (at: number) => wal.subarray(at, at + 8).join();
  let end = 32;
  while (end < wal.length && salts(end + 8) === salts(16)) end += 24 + 4096;
  return end;
}

Deno.test("SQLite's log is as long as it will be from the beginning, and closing takes it away", () => {
  inFolder((path) => {
    const { file } = openFile(path);
    const { size } = Deno.statSync(`${path}-wal`);
    assert.ok(size > 4 * 2 ** 20);
    for (let index = 1; index <= 6; index++) file.commit(applied(index));
    assert.equal(Deno.statSync(`${path}-wal`).size, size);
    // As after a crash: nothing is closed.
    const again = openFile(path);
    assert.equal(again.content.applied.index, 6);
    assert.equal(Deno.statSync(`${path}-wal`).size, size);
    again.file.close();
    file.close();
    assert.throws(() => Deno.statSync(`${path}-wal`), Deno.errors.NotFound);
  });
});

Deno.test("damage in SQLite's log is told, where SQLite itself would silently have less", () => {
  inFolder((path, folder) => {
    const { file } = openFile(path);
    for (let index = 1; index <= 6; index++) file.commit(applied(index));
    const after = `${folder}/after`;
    Deno.mkdirSync(after);
    for (const suffix of ["", "-wal", "-seal"]) {
      Deno.copyFileSync(path + suffix, `${after}/${DATABASE_NAME}${suffix}`);
    }
    file.close();
    const wal = `${after}/${DATABASE_NAME}-wal`;
    const bytes = Deno.readFileSync(wal);
    const middle = Math.floor(endOf(bytes) / 2);
    bytes[middle] = (bytes[middle] ?? 0) ^ 1;
    Deno.writeFileSync(wal, bytes);
    const { kind, damaged } = lossOf(`${after}/${DATABASE_NAME}`);
    assert.equal(kind, "damaged");
    assert.match(damaged, /write-ahead log fails its checksum/);
    assert.deepEqual(Deno.readFileSync(wal), bytes, "what is left is left as it is");
  });
});

const BEGINNING = {
  ...{ term: 4, vote: 1, sealed: null },
  recovery: { nonce: 5, known: true, why: "gone" },
};

Deno.test("DatabaseFile.renew() keeps what it replaces, and no more than a few of them", () => {
  inFolder((path, folder) => {
    openFile(path).file.close();
    for (let number = 1; number <= KEPT_MAX; number++) {
      Deno.writeTextFileSync(path, `damaged ${number}`);
      const begun = DatabaseFile.renew(path, BEGINNING);
      assert.ok("file" in begun);
      begun.file.close();
      const kept = Deno.readTextFileSync(`${path}.lost-${number}/${DATABASE_NAME}`);
      assert.equal(kept, `damaged ${number}`);
    }
    Deno.writeTextFileSync(path, "damaged once more");
    const refused = DatabaseFile.renew(path, BEGINNING);
    assert.ok("damaged" in refused);
    assert.match(refused.damaged, /4 lost databases are kept beside it already/);
    assert.equal(Deno.readTextFileSync(path), "damaged once more", "nothing is changed");
    assert.equal([...Deno.readDirSync(folder)].filter(({ isDirectory }) => isDirectory).length, 4);
  });
});

Deno.test("a crash at any point of a renewal is a loss once more, never an empty database", () => {
  inFolder((path) => {
    const { file } = openFile(path);
    file.commit({ ...applied(1), hardState: { term: 4, vote: 1, diverged: false } });
    file.close();
    const before = new Map(["", "-seal"].map((each) => [each, Deno.readFileSync(path + each)]));
    const begun = DatabaseFile.renew(path, BEGINNING);
    assert.ok("file" in begun);
    const seal = readSeal(path);
    assert.ok(seal !== null && typeof seal !== "string");
    begun.file.close();
    writeSeal(path, { ...seal, opens: 0 });
    // The seal is the new one's, the database still the old one.
    Deno.writeFileSync(path, before.get("") ?? new Uint8Array(0));
    assert.deepEqual([lossOf(path).kind, lossOf(path).rescued.term], ["older", 4]);
    // It is put aside, and the new one is not there yet, or empty.
    Deno.removeSync(path);
    assert.equal(lossOf(path).kind, "gone");
    Deno.writeFileSync(path, new Uint8Array(0));
    assert.equal(lossOf(path).kind, "older");
  });
});

Deno.test("failureCode() tells a full disk and a read-only one from a broken one", () => {
  assert.equal(failureCode("database or disk is full"), "node.disk-full");
  assert.equal(failureCode("No space left on device (os error 28)"), "node.disk-full");
  assert.equal(failureCode("attempt to write a readonly database"), "node.disk-read-only");
  assert.equal(failureCode("Read-only file system (os error 30)"), "node.disk-read-only");
  assert.equal(failureCode("disk I/O error"), "node.database-failed");
  assert.deepEqual(["disk I/O error", "unable to open database file"].map(isUnwritable), [
    ...[false, true],
  ]);
});

Deno.test("a damaged seal beside a sound database is told, and stays until it is decided what that means", () => {
  inFolder((path) => {
    const { file } = openFile(path);
    file.commit({ ...applied(1), hardState: { term: 4, vote: 2, diverged: false } });
    file.close();
    const seal = `${path}-seal`;
    const hurt = Deno.readFileSync(seal);
    hurt[30] = (hurt[30] ?? 0) ^ 1;
    Deno.writeFileSync(seal, hurt);
    for (const how of ["crash", "close"]) {
      const opened = openFile(path);
      assert.equal(opened.content.unproven, "the seal fails its CRC-32");
      assert.deepEqual([opened.content.term, opened.content.applied.index], [4, 1]);
      assert.deepEqual(Deno.readFileSync(seal), hurt, "it says so as long as nobody has decided");
      if (how === "close") opened.file.close();
    }
    const opened = openFile(path);
    const recovery = { nonce: 5, known: true, why: "the seal fails its CRC-32" };
    opened.file.commit({ recovery });
    opened.file.close();
    const again = openFile(path).content;
    assert.equal(again.unproven, undefined);
    assert.deepEqual(again.recovery, recovery);
  });
});

/** Flips a byte in the newest transaction of SQLite's log, as it is after a power cut. */
function loseNewest(path: string, folder: string): string {
  const place = `${folder}/cut`;
  Deno.mkdirSync(place);
  for (const suffix of ["", "-wal", "-seal"]) {
    Deno.copyFileSync(path + suffix, `${place}/config.db${suffix}`);
  }
  const wal = Deno.readFileSync(`${place}/config.db-wal`);
  const at = endOf(wal) - 100;
  wal[at] = (wal[at] ?? 0) ^ 1;
  Deno.writeFileSync(`${place}/config.db-wal`, wal);
  assert.equal(walFault(`${place}/config.db`), null, "it looks like one that was never finished");
  return `${place}/config.db`;
}

Deno.test("a damaged newest transaction is told from an unfinished one where the seal knows of it", () => {
  inFolder((path, folder) => {
    const { file } = openFile(path);
    file.commit(applied(1));
    // A vote is sealed before anybody hears of it.
    file.commit({ ...applied(2), hardState: { term: 4, vote: 2, diverged: false } });
    const loss = lossOf(loseNewest(path, folder));
    assert.equal(loss.kind, "older");
    assert.match(loss.damaged, /term 0, sealed 4/);
    assert.deepEqual([loss.rescued.term, loss.rescued.vote, loss.rescued.known], [4, 2, true]);
    file.close();
  });
});

Deno.test("a damaged newest transaction that no seal names is a torn end: only a peer can tell", () => {
  inFolder((path, folder) => {
    const { file } = openFile(path);
    for (let index = 1; index <= 3; index++) file.commit(applied(index));
    const { content } = openFile(loseNewest(path, folder));
    assert.equal(content.applied.index, 2, "no seal was written since: this is the limit of it");
    file.close();
  });
});
