/** Backups on a real disk: whole, verified, secret; and what is no backup, or finds no room. */
import assert from "node:assert/strict";
import { DatabaseSync } from "node:sqlite";
import type { BackupTime } from "../../mod/base/settings.ts";
import { nodeId } from "../../mod/base/id.ts";
import { type ProblemCode, ProblemError } from "../../mod/base/problem.ts";
import { changesOf } from "../../mod/config/mod.ts";
import { makeBackup, readBackup } from "../../mod/daemon/backup_file.ts";
import { nextBackup, RETRY_MS } from "../../mod/daemon/backup_schedule.ts";
import { Backups } from "../../mod/daemon/backups.ts";
import { ArchivePool } from "../../mod/daemon/archive_pool.ts";
import { Recorder } from "../../mod/daemon/recorder.ts";
import { restoreBackup } from "../../mod/daemon/restore.ts";
import { DatabaseFile } from "../../mod/host/linux/database_file.ts";
import { KEY, type PastWorld, withPast, write } from "./past_world.ts";

const AT = "2026-11-22T09:04:00.000Z";
const SELF = { name: "c", links: ["192.0.2.9:5405"], peer: "192.0.2.9:5406" };

function refusedWith(code: ProblemCode, why: RegExp): (error: unknown) => boolean {
  return (error) => {
    assert.ok(error instanceof ProblemError, String(error));
    assert.equal(error.problem.code, code, error.problem.why);
    assert.match(error.problem.why, why);
    return true;
  };
}

function identityOf({ spec }: PastWorld) {
  return { node: nodeId(1), clusterKey: KEY, spec };
}

function backup(world: PastWorld, name = "b.db") {
  const target = `${world.directory}/${name}`;
  const identity = identityOf(world);
  return { target, ...makeBackup({ database: world.path, target, identity, at: AT }) };
}

function names(directory: string): string[] {
  return [...Deno.readDirSync(directory)].map(({ name }) => name).sort();
}

Deno.test("makeBackup() copies a database in use: whole, verified, for its owner only", async () => {
  await withPast((world) => {
    world.apply(write("f", "one", true));
    const before = names(world.directory);
    const { target, bytes, applied } = backup(world);
    assert.equal(applied, world.index);
    assert.equal(Deno.statSync(target).size, bytes);
    assert.equal((Deno.statSync(target).mode ?? 0) & 0o777, 0o600);
    assert.deepEqual(names(world.directory), ["b.db", ...before], "nothing else is left");
    world.apply(write("g", "two", true));
    const content = readBackup(target);
    assert.deepEqual([...content.tree.keys()], ["f"]);
    assert.deepEqual(content.clusterKey, KEY);
    assert.deepEqual(content.entry, { kind: "spec", spec: world.spec, highest: 5 });
    assert.equal(content.at, AT);
  });
});

Deno.test("makeBackup() touches nothing that is there, and says where it finds no place", async () => {
  await withPast((world) => {
    const { target } = backup(world);
    const before = Deno.readFileSync(target);
    assert.throws(() => backup(world), refusedWith("config.backup-exists", /b\.db/));
    assert.deepEqual(Deno.readFileSync(target), before);
    Deno.symlinkSync(`${world.directory}/elsewhere`, `${world.directory}/link`);
    assert.throws(() => backup(world, "link"), refusedWith("config.backup-exists", /link/));
    const nowhere = () => backup(world, "none/b.db");
    assert.throws(nowhere, refusedWith("config.backup-failed", /No such file/));
    const notThere = { database: `${world.path}.none`, identity: identityOf(world), at: AT };
    const nothing = () => makeBackup({ ...notThere, target: `${world.directory}/c.db` });
    assert.throws(nothing, refusedWith("config.backup-failed", /unable to open/));
    assert.ok(!names(world.directory).some((name) => name.endsWith(".new")));
  });
});

Deno.test("a backup that does not fit on its disk fails, and leaves nothing", async () => {
  await withPast(async (world) => {
    world.apply(write("f", "x".repeat(900_000), true));
    const script = `
      import { makeBackup } from "${new URL("../../mod/daemon/backup_file.ts", import.meta.url)}";
      const [database, target] = Deno.args;
      const spec = ${JSON.stringify(world.spec)};
      const identity = { node: 1, clusterKey: new Uint8Array(32), spec };
      try { makeBackup({ database, target, identity, at: "${AT}" }); }
      catch ({ problem }) { console.log(JSON.stringify(problem)); }`;
    Deno.writeTextFileSync(`${world.directory}/fill.ts`, script);
    Deno.mkdirSync(`${world.directory}/full`);
    const run = [Deno.execPath(), "run", "-A", "--no-check", "--quiet", "--no-lock"];
    const { stdout, stderr } = await new Deno.Command("bash", {
      // A file may grow to 256 KiB and no further; without the trap that would be deadly.
      args: ["-c", 'trap "" XFSZ; ulimit -f 256; exec "$@"', "-", ...run]
        .concat([`${world.directory}/fill.ts`, world.path, `${world.directory}/full/b.db`]),
    }).output();
    const said = new TextDecoder().decode(stdout);
    assert.match(said, /"config\.backup-failed"/, new TextDecoder().decode(stderr));
    assert.match(said, /full|disk I\/O error/);
    assert.deepEqual(names(`${world.directory}/full`), []);
  });
});

Deno.test("readBackup() refuses what is damaged, no backup, or of another form", async () => {
  await withPast((world) => {
    world.apply([{ op: "mkdir", path: "d" }, ...write("d/f", "one", true)]);
    const { target } = backup(world);
    const whole = Deno.readFileSync(target);
    const copy = `${world.directory}/copy.db`;
    const changed = (sql: string) => {
      Deno.writeFileSync(copy, whole);
      const database = new DatabaseSync(copy);
      database.exec(sql);
      database.close();
      return () => readBackup(copy);
    };
    const bad = (why: RegExp) => refusedWith("config.bad-backup", why);
    assert.throws(
      changed("UPDATE backup SET format = 2"),
      bad(/has format 2, this pentad reads 1/),
    );
    assert.throws(changed("PRAGMA user_version = 9"), bad(/has form 9/));
    assert.throws(changed("DROP TABLE backup"), bad(/is a database, and no backup/));
    assert.throws(changed("UPDATE backup SET key = x'00'"), bad(/identity fails its CRC-32/));
    assert.throws(changed("UPDATE tree SET name = 'x'"), bad(/fails its CRC-32/));
    assert.throws(changed("DELETE FROM tree WHERE kind = 'directory'"), bad(/hangs on nothing/));
    Deno.writeTextFileSync(copy, "");
    assert.throws(() => readBackup(copy), bad(/has form 0/));
    Deno.writeTextFileSync(copy, "text ".repeat(1000));
    assert.throws(() => readBackup(copy), bad(/not a database/));
    assert.throws(() => readBackup(`${copy}.none`), bad(/unable to open/));
    Deno.writeFileSync(copy, whole.subarray(0, whole.length / 2));
    assert.throws(() => readBackup(copy), bad(/malformed|SQLite says|CRC/));
  });
});

Deno.test("no turned bit passes as a whole backup with another content", async () => {
  await withPast((world) => {
    world.apply(write("f", "the content", true));
    const { target } = backup(world);
    const whole = Deno.readFileSync(target);
    const copy = `${world.directory}/copy.db`;
    let refused = 0;
    for (let at = 100; at < whole.length; at += 211) {
      const turned = whole.slice();
      turned[at] = (turned[at] ?? 0) ^ 0x10;
      Deno.writeFileSync(copy, turned);
      try {
        const { tree, clusterKey } = readBackup(copy);
        // What is not read is free space: it changes nothing.
        assert.deepEqual([...tree.keys()], ["f"]);
        assert.deepEqual(tree.get("f")?.data, new TextEncoder().encode("the content"));
        assert.deepEqual(clusterKey, KEY);
      } catch (error) {
        refusedWith("config.bad-backup", /./)(error);
        refused++;
      }
    }
    assert.ok(refused > 10, `${refused} were refused`);
  });
});

function restore(world: PastWorld, file: string, alone: boolean) {
  const directory = `${world.directory}/state`;
  Deno.mkdirSync(directory, { recursive: true });
  return { directory, ...restoreBackup({ file, directory, self: SELF, alone }) };
}

Deno.test("restoreBackup() makes the only member of a new cluster, with tree and history", async () => {
  await withPast((world) => {
    world.apply([{ op: "mkdir", path: "ha" }, ...write("ha/manager_status", "old", true)]);
    const written = world.apply(write("f", "one", true));
    const { target, applied } = backup(world);
    const unsafe = () => restore(world, target, false);
    assert.throws(unsafe, refusedWith("config.not-alone", /had other members: /));
    assert.deepEqual(names(`${world.directory}/state`), []);
    const { directory, identity } = restore(world, target, true);
    assert.notEqual(identity.spec.id, world.spec.id);
    assert.deepEqual(identity.clusterKey, KEY);
    assert.equal(identity.node, 6, "5 was the highest that was ever given");
    assert.deepEqual(identity.spec.members.map(({ name }) => name), ["c"]);
    assert.deepEqual(names(directory), ["config.db"]);
    assert.equal((Deno.statSync(`${directory}/config.db`).mode ?? 0) & 0o777, 0o600);
    const opened = DatabaseFile.open(`${directory}/config.db`);
    assert.ok("content" in opened);
    const { file, content } = opened;
    assert.deepEqual(content.rows.map(({ name }) => name), ["ha", "manager_status", "f"]);
    assert.equal(content.base.index, applied);
    assert.equal(content.vote, 0);
    assert.equal(content.entries.length, 1, "the decisions of the old manager are taken away");
    const page = file.history({ below: written + 1, from: written - 1, limit: 1, undo: true });
    assert.ok("records" in page);
    const [record] = page.records;
    assert.ok(record !== undefined);
    assert.equal(changesOf(record)?.[0]?.path, "f");
    file.close();
  });
});

Deno.test("restoreBackup() leaves an empty directory where the file is no good", async () => {
  await withPast((world) => {
    const text = `${world.directory}/text`;
    Deno.writeTextFileSync(text, "x".repeat(10_000));
    const bad = (file: string, why: RegExp) => {
      const named = new RegExp(`^"${file}": .*(${why.source})`);
      assert.throws(() => restore(world, file, true), refusedWith("config.bad-backup", named));
      assert.deepEqual(names(`${world.directory}/state`), []);
    };
    bad(text, /not a database/);
    bad(`${world.directory}/none`, /No such file/);
    bad(world.path, /no backup|form/);
  });
});

function local(text: string): number {
  return new Date(text).getTime();
}

Deno.test("nextBackup(): once a day at its minute, or so many hours after the last", () => {
  const daily: BackupTime = { kind: "daily", minute: 3 * 60 + 15 };
  const now = local("2026-11-22T12:00:00");
  const base = { now, last: null, failed: null, since: now };
  assert.equal(nextBackup({ kind: "off" }, base), null);
  assert.equal(nextBackup(daily, base), local("2026-11-23T03:15:00"));
  const yesterday = local("2026-11-21T03:15:02");
  assert.equal(nextBackup(daily, { ...base, last: yesterday }), local("2026-11-22T03:15:00"));
  const future = { ...base, last: now + 1_000_000 };
  assert.equal(nextBackup(daily, future), local("2026-11-23T03:15:00"), "a clock was wrong");
  const every: BackupTime = { kind: "every", hours: 6 };
  assert.equal(nextBackup(every, base), now, "the first one at once");
  assert.equal(nextBackup(every, { ...base, last: now }), now + 6 * 3_600_000);
  const failed = { ...base, last: now - 24 * 3_600_000, failed: now };
  assert.equal(nextBackup(every, failed), now + RETRY_MS);
});

Deno.test("Backups keeps as many as it is told, shows the newest, and says what failed", async () => {
  await withPast(async (world) => {
    const pool = new ArchivePool();
    const recorder = new Recorder(() => "c");
    const settings = {
      state: world.directory,
      backup: { when: { kind: "off" }, keep: 2 },
    } as const;
    const parts = {
      settings,
      database: world.path,
      identity: () => identityOf(world),
      pool,
      recorder,
    };
    const backups = new Backups({ ...parts, flushed: () => Promise.resolve() });
    try {
      assert.equal(backups.status().state, "none");
      const folder = `${world.directory}/backup`;
      Deno.mkdirSync(folder);
      for (const old of ["config-20200101T000000Z.db", "config-20210101T000000Z.db"]) {
        Deno.writeTextFileSync(`${folder}/${old}`, "");
      }
      Deno.writeTextFileSync(`${folder}/config-20210101T000000Z.db.1234.new`, "interrupted");
      Deno.writeTextFileSync(`${folder}/mine`, "not one of them");
      const { file } = await backups.make(null);
      assert.deepEqual(
        names(folder),
        [
          "config-20210101T000000Z.db",
          file.slice(folder.length + 1),
          "mine",
        ].sort(),
      );
      const status = backups.status();
      assert.deepEqual([status.state, status.file, status.next], ["ok", file, null]);
      assert.equal(new Backups({ ...parts, flushed: () => Promise.resolve() }).status().file, file);
      Deno.removeSync(folder, { recursive: true });
      Deno.writeTextFileSync(folder, "in the way");
      await assert.rejects(backups.make(null), refusedWith("config.backup-failed", /./));
      assert.equal(backups.status().state, "failed");
      assert.match(backups.status().why ?? "", /exists|directory/i);
      const said = recorder.after(0).lines.map(({ code }) => code);
      assert.deepEqual(said, [null, "config.backup-failed"]);
    } finally {
      backups.stop();
      pool.close();
    }
  });
});

Deno.test("Backups makes the first one by itself when it is due, after what is applied is in the file", async () => {
  await withPast(async (world) => {
    const pool = new ArchivePool();
    const recorder = new Recorder(() => "c");
    const said = Promise.withResolvers<string>();
    recorder.listen(({ text }) => said.resolve(text));
    const when = { kind: "every", hours: 1 } as const;
    const settings = { state: world.directory, backup: { when, keep: 2 } };
    const parts = {
      settings,
      database: world.path,
      identity: () => identityOf(world),
      pool,
      recorder,
    };
    const flushed = () => Promise.resolve(void world.apply(write("late", "x", true)));
    const backups = new Backups({ ...parts, flushed });
    try {
      assert.match(await said.promise, /^backup=.*, index=2, \d+ bytes, verified$/);
      const { file, state, next, at } = backups.status();
      assert.equal(state, "ok");
      assert.deepEqual([...readBackup(file ?? "").tree.keys()], ["late"]);
      assert.equal(Date.parse(next ?? "") - Date.parse(at ?? ""), 3_600_000);
    } finally {
      backups.stop();
      pool.close();
    }
  });
});
