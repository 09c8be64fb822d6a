/**
 * The tables of the database, and the way from an older form of them to this one.
 *
 * | form | what changed |
 * |---|---|
 * | 1 | `meta`, `log` from its beginning, `tree`, `history` as the memory of requests |
 * | 2 | the log has a base; `request` is that memory; `history` holds transactions and undo records |
 * | 3 | `origin`: which database this is, how often it was opened, what it has lost |
 * | 4 | `locks`: those of programs |
 * | 5 | `meta` holds the content hash of tree and locks |
 *
 * @module
 */
import type { DatabaseSync } from "node:sqlite";
import { contentOf } from "../../base/content_sum.ts";
import { putHistory } from "./database_history.ts";
import {
  bytesOf,
  crcOf,
  Damage,
  EMPTY_META,
  type Meta,
  metaCrc,
  metaCrcOfForm4,
  type Origin,
  originCrc,
  readLocks,
  readMeta,
  readRequests,
  readTree,
  requestCrc,
} from "./database_rows.ts";

/** Form of the tables, in `user_version`. */
export const FORM = 5;
/** From this form on there are locks of programs. */
export const FORM_LOCKS = 4;
/** The oldest form from which on tables were only added: it can be read as it is. */
export const FORM_READ_MIN = 2;

const LOG_AND_TREE = `
  CREATE TABLE log (
    idx INTEGER PRIMARY KEY, term INTEGER NOT NULL, body BLOB NOT NULL, crc INTEGER NOT NULL
  ) STRICT;
  CREATE TABLE tree (
    ino INTEGER PRIMARY KEY, parent INTEGER NOT NULL, name TEXT NOT NULL, kind TEXT NOT NULL,
    mtime REAL NOT NULL, version INTEGER NOT NULL, writer INTEGER NOT NULL,
    data BLOB NOT NULL, crc INTEGER NOT NULL
  ) STRICT;
`;

/** What form 2 brought. */
const META_AND_HISTORY = `
  CREATE TABLE meta (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    term INTEGER NOT NULL, vote INTEGER NOT NULL, diverged INTEGER NOT NULL,
    applied INTEGER NOT NULL, applied_term INTEGER NOT NULL, state_crc INTEGER NOT NULL,
    base INTEGER NOT NULL, base_term INTEGER NOT NULL, base_chain INTEGER NOT NULL,
    spec_index INTEGER NOT NULL, spec BLOB, since INTEGER NOT NULL,
    crc INTEGER NOT NULL
  ) STRICT;
  CREATE TABLE request (
    idx INTEGER PRIMARY KEY, request TEXT NOT NULL, problem TEXT NOT NULL, why TEXT NOT NULL,
    crc INTEGER NOT NULL
  ) STRICT;
  CREATE TABLE history (
    idx INTEGER PRIMARY KEY, term INTEGER NOT NULL, stored_at INTEGER NOT NULL,
    request TEXT NOT NULL, problem TEXT NOT NULL, why TEXT NOT NULL,
    body BLOB NOT NULL, crc INTEGER NOT NULL, undo BLOB, undo_crc INTEGER NOT NULL
  ) STRICT;
`;

/** What form 3 brought: one row. */
const ORIGIN = `
  CREATE TABLE origin (
    id INTEGER PRIMARY KEY CHECK (id = 1), uuid TEXT NOT NULL, opens INTEGER NOT NULL,
    nonce INTEGER NOT NULL, known INTEGER NOT NULL, why TEXT NOT NULL, crc INTEGER NOT NULL
  ) STRICT;
`;

/** What form 4 brought. */
const LOCKS = `
  CREATE TABLE locks (key INTEGER PRIMARY KEY, body BLOB NOT NULL, crc INTEGER NOT NULL) STRICT;
`;

/** A newer version wrote the database: it is whole, and not for us. */
export class NewerForm extends Error {
  override readonly name = "NewerForm";
}

/** Makes the tables, or brings older ones to this form: wholly or not at all. */
export function bringToForm(database: DatabaseSync, beginning: Origin): void {
  const form = database.prepare("PRAGMA user_version").get()?.user_version;
  if (form === FORM) return;
  if (typeof form !== "number" || form < 0 || form > FORM) {
    throw new NewerForm(`it has form ${String(form)}, this pentad reads 1 to ${FORM}`);
  }
  database.exec("BEGIN IMMEDIATE");
  try {
    if (form === 0) database.exec(`${LOG_AND_TREE} ${META_AND_HISTORY}`);
    if (form === 1) fromForm1(database);
    if (form < 3) {
      database.exec(ORIGIN);
      putOrigin(database, beginning);
    }
    if (form < 4) database.exec(LOCKS);
    addContent(database);
    database.exec(`PRAGMA user_version = ${FORM}; COMMIT;`);
  } catch (error) {
    database.exec("ROLLBACK");
    throw error;
  }
}

/** The hash of what is there: every row is checked by its own CRC-32 as it is read. */
function addContent(database: DatabaseSync): void {
  const meta = readMeta(database);
  database.exec("ALTER TABLE meta ADD COLUMN content INTEGER");
  if (meta === null) return;
  putMeta(database)({ ...meta, content: contentOf(readTree(database), readLocks(database)) });
}

function fromForm1(database: DatabaseSync): void {
  const row = database.prepare("SELECT * FROM meta").get();
  const meta: Meta | null = row === undefined ? null : {
    ...EMPTY_META,
    ...{ term: Number(row.term), vote: Number(row.vote), applied: Number(row.applied) },
    ...{ appliedTerm: Number(row.applied_term), stateCrc: Number(row.state_crc) },
  };
  if (meta !== null) {
    const { term, vote, applied, appliedTerm, stateCrc } = meta;
    if (crcOf([term, vote, applied, appliedTerm, stateCrc]) !== row?.crc) {
      throw new Damage("the row of term and vote fails its CRC-32");
    }
  }
  const requests = readRequests(database, "history");
  database.exec(`DROP TABLE meta; DROP TABLE history; ${META_AND_HISTORY}`);
  if (meta !== null) putOldMeta(database, meta);
  const put = database.prepare("INSERT INTO request VALUES (?, ?, ?, ?, ?)");
  const find = database.prepare("SELECT term, body FROM log WHERE idx = ?");
  const keep = putHistory(database);
  for (const each of requests) {
    put.run(each.index, each.request, each.problem, each.why, requestCrc(each));
    const entry = find.get(each.index);
    if (entry === undefined) continue;
    // What was before it was not kept: it can be shown, and not be taken back.
    const history = { ...each, term: Number(entry.term), undo: null };
    keep({ ...history, body: bytesOf(entry.body) }, 0);
  }
}

/** As forms 2 to 4 had it. */
function putOldMeta(database: DatabaseSync, meta: Meta): void {
  const { term, vote, applied, appliedTerm, stateCrc } = meta;
  database.prepare("INSERT INTO meta VALUES (1, ?, ?, 0, ?, ?, ?, 0, 0, 0, 0, NULL, 0, ?)")
    .run(term, vote, applied, appliedTerm, stateCrc, metaCrcOfForm4(meta));
}

/** A function that writes the one row of `meta`. */
export function putMeta(database: DatabaseSync): (meta: Meta) => void {
  const put = database.prepare(
    "INSERT OR REPLACE INTO meta VALUES (1, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
  );
  return (meta) => {
    const { term, vote, diverged, applied, appliedTerm, stateCrc } = meta;
    const { base, baseTerm, baseChain, specIndex, spec, since, content } = meta;
    put.run(
      ...[term, vote, diverged ? 1 : 0, applied, appliedTerm, stateCrc] as const,
      ...[base, baseTerm, baseChain, specIndex, spec, since, metaCrc(meta), content] as const,
    );
  };
}

/** Writes the one row of `origin`. */
export function putOrigin(database: DatabaseSync, origin: Origin): void {
  const { uuid, opens, recovery } = origin;
  const { nonce = 0, known = true, why = "" } = recovery ?? {};
  database.prepare("INSERT OR REPLACE INTO origin VALUES (1, ?, ?, ?, ?, ?, ?)")
    .run(uuid, opens, nonce, known ? 1 : 0, why, originCrc(origin));
}
