/** Writes a database as the first version did: tables and CRCs of form 1, word for word. */
import { DatabaseSync } from "node:sqlite";
import { Writer } from "../../mod/base/bytes.ts";
import { crc32 } from "../../mod/base/checksum.ts";
import { entry } from "../contract/database_suite.ts";

const SCHEMA = `
  CREATE TABLE IF NOT EXISTS meta (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    term INTEGER NOT NULL, vote INTEGER NOT NULL,
    applied INTEGER NOT NULL, applied_term INTEGER NOT NULL, state_crc INTEGER NOT NULL,
    crc INTEGER NOT NULL
  ) STRICT;
  CREATE TABLE IF NOT EXISTS log (
    idx INTEGER PRIMARY KEY, term INTEGER NOT NULL, body BLOB NOT NULL, crc INTEGER NOT NULL
  ) STRICT;
  CREATE TABLE IF NOT EXISTS tree (
    ino INTEGER PRIMARY KEY, parent INTEGER NOT NULL, name TEXT NOT NULL, kind TEXT NOT NULL,
    mtime REAL NOT NULL, version INTEGER NOT NULL, writer INTEGER NOT NULL,
    data BLOB NOT NULL, crc INTEGER NOT NULL
  ) STRICT;
  CREATE TABLE IF NOT EXISTS history (
    idx INTEGER PRIMARY KEY, request TEXT NOT NULL, problem TEXT NOT NULL, why TEXT NOT NULL,
    crc INTEGER NOT NULL
  ) STRICT;
  PRAGMA user_version = 1;
`;

function crcOf(numbers: number[], texts: string[] = [], bytes = new Uint8Array(0)): number {
  const writer = new Writer(128);
  for (const number of numbers) writer.f64(number);
  for (const text of texts) {
    const encoded = new TextEncoder().encode(text);
    writer.f64(encoded.length).bytes(encoded);
  }
  return crc32(bytes, crc32(writer.finish()));
}

/** Term 6, three entries, two of them applied: one made a file, one was refused. */
export function makeForm1(path: string, { empty = false } = {}): void {
  const database = new DatabaseSync(path);
  database.exec("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;");
  database.exec(`BEGIN; ${SCHEMA} COMMIT;`);
  if (!empty) {
    const put = (table: string, ...values: (number | string | Uint8Array)[]) =>
      database.prepare(`INSERT INTO ${table} VALUES (${values.map(() => "?").join()})`)
        .run(...values);
    put("meta", 1, 6, 3, 2, 1, 55, crcOf([6, 3, 2, 1, 55]));
    for (const { index, term, body } of [entry(1), entry(2), entry(3, 2)]) {
      put("log", index, term, body, crcOf([index, term], [], body));
    }
    const data = Uint8Array.of(4, 5);
    const crc = crcOf([1025, 0, 12, 1, 1], ["a", "file"], data);
    put("tree", 1025, 0, "a", "file", 12, 1, 1, data, crc);
    put("history", 1, "aa", "", "", crcOf([1], ["aa", "", ""]));
    const why = '"a" is there';
    put("history", 2, "bb", "config.exists", why, crcOf([2], ["bb", "config.exists", why]));
  }
  database.close();
}
