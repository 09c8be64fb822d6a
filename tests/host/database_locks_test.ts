/** Locks of programs in the database: what an older form lacks, what a new cluster does not take over. */
import assert from "node:assert/strict";
import { DatabaseSync } from "node:sqlite";
import { DatabaseFile } from "../../mod/host/linux/database_file.ts";
import { beginAnew } from "../../mod/host/linux/database_restore.ts";
import { DatabaseView } from "../../mod/host/linux/database_view.ts";
import { DATABASE_NAME } from "../../mod/host/linux/database.ts";
import { metaCrcOfForm4, readMeta } from "../../mod/host/linux/database_rows.ts";
import { applied } from "../contract/database_suite.ts";

async function inFolder(
  run: (path: string) => void | Promise<void>,
): Promise<void> {
  const folder = Deno.makeTempDirSync({ prefix: "pentad-database-" });
  try {
    await run(`${folder}/${DATABASE_NAME}`);
  } finally {
    Deno.removeSync(folder, { recursive: true });
  }
}

function openFile(path: string) {
  const opened = DatabaseFile.open(path);
  assert.ok(!("damaged" in opened), JSON.stringify(opened));
  return opened;
}

Deno.test("a database of form 3 can be read as it is, and becomes one of form 5 without a loss", async () => {
  await inFolder((path) => {
    const first = openFile(path);
    for (let index = 1; index <= 3; index++) first.file.commit(applied(index));
    first.file.close();
    const before = openFile(path);
    before.file.close();
    assert.deepEqual(before.content.locks, [
      { key: 8, body: Uint8Array.of(1) },
      { key: 9, body: Uint8Array.of(3) },
    ]);
    const raw = new DatabaseSync(path);
    const meta = readMeta(raw);
    assert.ok(meta);
    raw.exec("DROP TABLE locks; ALTER TABLE meta DROP COLUMN content; PRAGMA user_version = 3");
    raw.prepare("UPDATE meta SET crc = ?").run(metaCrcOfForm4(meta));
    raw.close();
    const view = DatabaseView.open(path, { immutable: false });
    view.check();
    assert.equal(view.rows().length, 1);
    view.close();
    const { file, content } = openFile(path);
    assert.deepEqual(content, { ...before.content, locks: [] });
    file.commit(applied(4));
    file.close();
    assert.deepEqual(openFile(path).content.locks, [{ key: 9, body: Uint8Array.of(4) }]);
    const damaged = new DatabaseSync(path);
    damaged.exec("UPDATE locks SET body = x'00'");
    damaged.close();
    const bad = DatabaseView.open(path, { immutable: false });
    assert.throws(() => bad.check(), /locks of 9 fail their CRC-32/);
    bad.close();
  });
});

Deno.test("a cluster that begins anew out of a backup has no locks of the old one", async () => {
  await inFolder((path) => {
    const first = openFile(path);
    first.file.commit(applied(1));
    first.file.close();
    assert.equal(openFile(path).content.locks.length, 2);
    Deno.removeSync(`${path}-seal`);
    beginAnew(path, { spec: Uint8Array.of(1), entries: [], drop: [] });
    const { content } = openFile(path);
    assert.deepEqual([content.locks, content.rows.length], [[], 1]);
  });
});
