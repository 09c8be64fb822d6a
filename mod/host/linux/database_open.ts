/**
 * Opening a database, and what is done with one that cannot be trusted. Damage is never taken for
 * emptiness: whatever is not exactly what was written and sealed is told, left as it is, and only
 * when the node decides so put aside.
 *
 * @module
 */
import { isThere } from "./files.ts";
import { DatabaseSync } from "node:sqlite";
import type {
  DamageKind,
  DatabaseBeginning,
  DatabaseContent,
  DatabaseDamage,
  Rescued,
} from "../ports.ts";
import { contentOf } from "../../base/content_sum.ts";
import { isUnwritable } from "../database_failure.ts";
import { bringToForm, NewerForm, putMeta, putOrigin } from "./database_form.ts";
import {
  Damage,
  EMPTY_META,
  freshOrigin,
  type Meta,
  type Origin,
  readEntries,
  readLocks,
  readMeta,
  readOrigin,
  readRequests,
  readTree,
} from "./database_rows.ts";
import { readSeal, type Seal, SEAL_SUFFIX, staleness, writeSeal } from "./database_seal.ts";
import { syncDirectory } from "./durable_file.ts";
import { reserveWal, WAL_SUFFIX, walFault } from "./database_wal.ts";

/** Lost databases that are kept; where there are so many, the next one is left where it is. */
export const KEPT_MAX = 4;
/** Whoever reads the database reads the tree, private parts and all. */
const PRIVATE_MODE = 0o600;

/** An open database that is what it was. */
export interface Opening {
  readonly database: DatabaseSync;
  readonly meta: Meta;
  readonly origin: Origin;
  readonly sealed: Seal["sealed"];
  readonly content: DatabaseContent;
}

/** Not the damage itself, but of which kind it is. */
class Lost extends Error {
  readonly kind: DamageKind;
  constructor(kind: DamageKind, why: string) {
    super(why);
    this.kind = kind;
  }
}

/** Opens or makes a database, reads it, and compares it with its seal. */
export function openSealed(path: string, mustExist: boolean): Opening | DatabaseDamage {
  const found = readSeal(path);
  const seal = typeof found === "string" ? null : found;
  let database: DatabaseSync | null = null;
  let meta: Meta | null = null;
  try {
    if (!isThere(path) && (mustExist || found !== null)) throw new Lost("gone", "it is not there");
    const wal = walFault(path);
    if (wal !== null) throw new Damage(wal);
    makePrivate(path);
    database = new DatabaseSync(path);
    begin(database);
    const origin = readOrigin(database);
    meta = readMeta(database) ?? { ...EMPTY_META };
    const content = readContent(database, { meta, origin, seal });
    compare(seal, { origin, content, sealLost: found === null });
    const unproven = typeof found === "string" ? { unproven: found } : {};
    return open(database, { path, meta, origin, seal, content: { ...content, ...unproven } });
  } catch (error) {
    // Without its WAL the file would be another one; closing only checkpoints what is whole.
    database?.close();
    return damageOf(error, { seal, meta });
  }
}

function open(
  database: DatabaseSync,
  { path, meta, origin, seal, content }: {
    readonly path: string;
    readonly meta: Meta;
    readonly origin: Origin;
    readonly seal: Seal | null;
    readonly content: DatabaseContent;
  },
): Opening {
  const next = { ...origin, opens: origin.opens + 1 };
  const sealed = seal?.sealed ?? null;
  const { uuid, opens } = next;
  const { term, vote, applied } = meta;
  const known = origin.recovery?.known ?? true;
  const written = { uuid, term, vote, known, applied, closedAt: null, sealed };
  // The first seal is there before the first opening is counted: then one without the other is loss.
  const proven = content.unproven === undefined;
  if (seal === null && proven) writeSeal(path, { ...written, opens: origin.opens });
  putOrigin(database, next);
  if (proven) writeSeal(path, { ...written, opens });
  reserveWal(path);
  return { database, meta, origin: next, sealed, content };
}

/** Puts aside what is there and makes an empty database; the damage where that cannot be. */
export function renewFile(path: string, beginning: DatabaseBeginning): DatabaseDamage | null {
  const { term, vote, sealed, recovery } = beginning;
  const rescued = { term, vote, known: recovery.known, sealed };
  const origin = freshOrigin(recovery);
  let database: DatabaseSync | null = null;
  try {
    const aside = placeFor(path);
    if (aside === null) {
      const damaged = `${KEPT_MAX} lost databases are kept beside it already`;
      return { damaged, kind: "unwritable", rescued };
    }
    const { uuid, opens } = origin;
    // From here on nothing but the new one is taken for this node's database.
    writeSeal(path, {
      ...{ uuid, opens, term, vote, known: recovery.known, applied: 0, closedAt: null, sealed },
    });
    moveAside(path, aside);
    makePrivate(path);
    database = new DatabaseSync(path);
    database.exec("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;");
    bringToForm(database, origin);
    putMeta(database)({ ...EMPTY_META, term, vote });
    database.close();
    return null;
  } catch (error) {
    database?.close();
    const damaged = messageOf(error);
    return { damaged, kind: "unwritable", rescued };
  }
}

/**
 * Makes the file, or takes from it what others may do with it. SQLite makes a database of an empty
 * file, and gives the files beside it the same mode. Whatever stands against it is no damage.
 */
function makePrivate(path: string): void {
  try {
    Deno.openSync(path, { write: true, createNew: true, mode: PRIVATE_MODE }).close();
  } catch {
    for (const suffix of ["", WAL_SUFFIX, "-shm"]) {
      const place = `${path}${suffix}`;
      try {
        if (((Deno.statSync(place).mode ?? 0) & 0o077) !== 0) Deno.chmodSync(place, PRIVATE_MODE);
      } catch {
        // It is not there, or what keeps us from it is told by SQLite.
      }
    }
  }
}

function begin(database: DatabaseSync): void {
  database.exec("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;");
  const [verdict] = Object.values(database.prepare("PRAGMA quick_check(1)").get() ?? {});
  if (verdict !== "ok") throw new Damage(`SQLite says: ${String(verdict)}`);
  bringToForm(database, freshOrigin());
}

function readContent(
  database: DatabaseSync,
  { meta, origin, seal }: { meta: Meta; origin: Origin; seal: Seal | null },
): DatabaseContent {
  const { term, vote, diverged, applied, appliedTerm, stateCrc, base, baseTerm, baseChain } = meta;
  const rows = readTree(database);
  const locks = readLocks(database);
  if (meta.content !== null && contentOf(rows, locks) !== meta.content) {
    throw new Damage("the rows of the tree are whole, and not those that were written");
  }
  return {
    ...{ term, vote, diverged },
    base: { index: base, term: baseTerm, chain: baseChain },
    spec: meta.spec === null ? null : { index: meta.specIndex, body: meta.spec },
    entries: readEntries(database, meta),
    applied: { index: applied, term: appliedTerm, stateCrc },
    rows,
    requests: readRequests(database, "request"),
    locks,
    recovery: origin.recovery,
    sealed: seal?.sealed ?? null,
  };
}

function compare(
  seal: Seal | null,
  { origin, content, sealLost }: { origin: Origin; content: DatabaseContent; sealLost: boolean },
): void {
  if (sealLost && origin.opens > 0) throw new Lost("older", "its seal is not there");
  if (seal === null) return;
  const { term, vote, applied, entries, base } = content;
  const last = entries.at(-1)?.index ?? base.index;
  const { uuid, opens } = origin;
  const why = staleness(seal, { uuid, opens, term, vote, applied: applied.index, last });
  if (why !== null) throw new Lost("older", why);
}

function damageOf(
  error: unknown,
  { seal, meta }: { seal: Seal | null; meta: Meta | null },
): DatabaseDamage {
  const damaged = messageOf(error);
  const kind = kindOf(error, damaged);
  return { damaged, kind, rescued: rescuedFrom({ seal, meta, kind }) };
}

function kindOf(error: unknown, text: string): DamageKind {
  if (error instanceof Lost) return error.kind;
  if (error instanceof NewerForm) return "newer";
  if (error instanceof Damage) return "damaged";
  return isUnwritable(text) ? "unwritable" : "damaged";
}

/** The newer of what seal and database say; of an older copy only the seal counts. */
function rescuedFrom(
  { seal, meta, kind }: { seal: Seal | null; meta: Meta | null; kind: DamageKind },
): Rescued {
  const sealed = seal?.sealed ?? null;
  const stored = meta !== null && kind !== "older" ? meta : null;
  const newer = stored !== null && stored.term >= (seal?.term ?? 0);
  const { term, vote } = (newer ? stored : seal) ?? { term: 0, vote: 0 };
  const known = seal?.known ?? stored !== null;
  return { term, vote: vote || (seal?.term === term ? seal.vote : 0), known, sealed };
}

function placeFor(path: string): string | null {
  for (let number = 1; number <= KEPT_MAX; number++) {
    const place = `${path}.lost-${number}`;
    if (!isThere(place)) return place;
  }
  return null;
}

function moveAside(path: string, aside: string): void {
  const found = ["", WAL_SUFFIX, "-shm"].filter((suffix) => isThere(`${path}${suffix}`));
  if (found.length === 0) return;
  Deno.mkdirSync(aside, { mode: 0o700 });
  const name = path.slice(path.lastIndexOf("/") + 1);
  // The file itself last: as long as it is there, its WAL is not a new one's.
  for (const suffix of found.reverse()) {
    Deno.renameSync(`${path}${suffix}`, `${aside}/${name}${suffix}`);
  }
  syncDirectory(aside);
  syncDirectory(path.slice(0, path.lastIndexOf("/")) || "/");
}

/** A database, or what is left of one, is there. */
export function databaseExists(path: string): boolean {
  return isThere(path) || isThere(`${path}${SEAL_SUFFIX}`);
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
