/** Bytes of a database that turned while nobody looked: told or never read, no crash and no lie. */
import assert from "node:assert/strict";
import { Prng } from "../../mod/base/prng.ts";
import { DATABASE_NAME } from "../../mod/host/linux/database.ts";
import { DatabaseFile } from "../../mod/host/linux/database_file.ts";
import type { DatabaseContent } from "../../mod/host/ports.ts";
import { applied } from "../contract/database_suite.ts";

const TRIES = 150;
const ENTRIES = 40;

/** What is read at start, and the history; or why it is not. */
function read(path: string): { content: Partial<DatabaseContent>; told: string | null } {
  const opened = DatabaseFile.open(path, { mustExist: true });
  if ("damaged" in opened) return { content: {}, told: opened.damaged };
  const { file, content } = opened;
  const history = file.history({ below: Infinity, from: 0, limit: 1000, undo: true });
  try {
    file.close();
  } catch {
    // What stands in the way of an orderly end is found at the next start.
  }
  return { content, told: "failure" in history ? history.failure : null };
}

/** Some bytes turned in one place, or a page of zeros, or of another place. */
function turned(prng: Prng, whole: Uint8Array): Uint8Array {
  const bytes = whole.slice();
  const at = prng.between(0, bytes.length - 1);
  const page = at - at % 4096;
  const how = prng.between(0, 3);
  if (how === 0) bytes.fill(0, page, page + 4096);
  else if (how === 1) bytes.copyWithin(page, prng.between(0, bytes.length / 4096 - 1) * 4096);
  else for (let more = 0; more < how; more++) bytes[at + more] = prng.between(0, 255);
  return bytes;
}

Deno.test("any bytes of a database that turn are told, or what is read has not changed", () => {
  const folder = Deno.makeTempDirSync({ prefix: "pentad-database-" });
  try {
    const path = `${folder}/${DATABASE_NAME}`;
    const made = DatabaseFile.open(path);
    assert.ok(!("damaged" in made));
    for (let index = 1; index <= ENTRIES; index++) made.file.commit(applied(index));
    made.file.close();
    const files = [...Deno.readDirSync(folder)].map(({ name }) =>
      [name, Deno.readFileSync(`${folder}/${name}`)] as const
    );
    const restore = () => {
      for (const { name } of [...Deno.readDirSync(folder)]) Deno.removeSync(`${folder}/${name}`);
      for (const [name, bytes] of files) Deno.writeFileSync(`${folder}/${name}`, bytes);
    };
    const known = read(path);
    assert.equal(known.told, null);
    const prng = new Prng(2026);
    const results = { told: 0, unread: 0 };
    for (let at = 0; at < TRIES; at++) {
      restore();
      Deno.writeFileSync(path, turned(prng, Deno.readFileSync(path)));
      const { content, told } = read(path);
      // Damage in the history alone stops no start: the rest is as it was.
      if (Object.keys(content).length > 0) assert.deepEqual(content, known.content, `try ${at}`);
      results[told === null ? "unread" : "told"]++;
    }
    assert.ok(results.told > TRIES / 4, JSON.stringify(results));
  } finally {
    Deno.removeSync(folder, { recursive: true });
  }
});
