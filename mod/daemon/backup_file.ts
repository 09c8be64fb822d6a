/**
 * The backup file: the database as it was at one moment, and in a table beside its own what makes a
 * member of a host: the cluster key and the description of the cluster. Whoever reads it is the
 * cluster, so it is of mode 0600 from its first byte on.
 *
 * It has its name only when it is whole, verified and on the disk.
 *
 * @module
 */
import { DatabaseSync } from "node:sqlite";
import { concat } from "../base/bytes.ts";
import { type ClusterSpec, specFault } from "../base/cluster.ts";
import { NODE_ID_MAX } from "../base/id.ts";
import { ProblemError } from "../base/problem.ts";
import { KEY_BYTES } from "../base/seal.ts";
import { decodeEntry, encodeEntry, pathFault, rowsByPath, type SpecEntry } from "../config/mod.ts";
import { DatabaseView, vacuumInto } from "../host/linux/database_view.ts";
import type { StoredRow } from "../host/ports.ts";
import { bytesOf, crcOf } from "../host/linux/database_rows.ts";
import { specIn } from "./archive.ts";
import { syncDirectory } from "../host/linux/durable_file.ts";
import type { Identity } from "./state.ts";

/** Form of the table `backup`; another is refused by name. */
export const BACKUP_FORMAT = 1;
/** The table that a backup has beside those of a database. */
export const BACKUP_TABLE = "backup";
const TABLE = `CREATE TABLE ${BACKUP_TABLE} (
  id INTEGER PRIMARY KEY CHECK (id = 1), format INTEGER NOT NULL, at TEXT NOT NULL,
  node INTEGER NOT NULL, key BLOB NOT NULL, spec BLOB NOT NULL, crc INTEGER NOT NULL
) STRICT`;

/** What a backup is made of. */
export interface BackupAsk {
  /** The living database. */
  readonly database: string;
  readonly target: string;
  readonly identity: Identity;
  /** RFC 3339, UTC. */
  readonly at: string;
}

/** What a backup holds. */
export interface BackupContent {
  readonly clusterKey: Uint8Array;
  readonly entry: SpecEntry;
  readonly at: string;
  readonly applied: number;
  readonly tree: ReadonlyMap<string, StoredRow>;
}

/** Makes one; nothing is left of it where it fails. Returns its size and the index of its state. */
export function makeBackup(
  { database, target, identity, at }: BackupAsk,
): { readonly bytes: number; readonly applied: number } {
  const temporary = `${target}.${crypto.randomUUID().slice(0, 8)}.new`;
  const failed = (error: unknown) => {
    const why = `"${target}": ${error instanceof Error ? error.message : String(error)}`;
    return new ProblemError("config.backup-failed", why, { cause: error });
  };
  if (exists(target)) throw new ProblemError("config.backup-exists", `"${target}"`);
  try {
    // SQLite writes into an empty file that is there: nobody else could ever open it.
    Deno.openSync(temporary, { write: true, createNew: true, mode: 0o600 }).close();
    vacuumInto(database, temporary);
    putIdentity(temporary, identity, at);
    const { applied } = readBackup(temporary);
    sync(temporary);
    give(temporary, target);
    syncDirectory(target.slice(0, Math.max(1, target.lastIndexOf("/"))));
    return { bytes: Deno.statSync(target).size, applied };
  } catch (error) {
    for (const leftover of [temporary, `${temporary}-journal`]) remove(leftover);
    throw error instanceof ProblemError ? error : failed(error);
  }
}

/**
 * Reads and verifies all of a backup. Throws `config.bad-backup` with what is wrong; `named` is what
 * its user calls it.
 */
export function readBackup(path: string, named = path): BackupContent {
  const bad = (why: string, cause?: unknown) =>
    new ProblemError("config.bad-backup", `"${named}": ${why}`, { cause });
  let view: DatabaseView | null = null;
  try {
    view = DatabaseView.open(path, { immutable: true });
    view.check();
    const tree = rowsByPath(view.rows());
    for (const name of tree.keys()) {
      const fault = pathFault(name);
      if (fault !== null) throw bad(`the path "${name}" in it is none: ${fault}`);
    }
    const row = view.rowOf(BACKUP_TABLE);
    if (row === null) throw bad("it is a database, and no backup");
    if (row.format !== BACKUP_FORMAT) {
      throw bad(`it has format ${String(row.format)}, this pentad reads ${BACKUP_FORMAT}`);
    }
    const [clusterKey, spec] = [bytesOf(row.key), bytesOf(row.spec)];
    const [node, at] = [Number(row.node), String(row.at)];
    if (rowCrc(node, at, clusterKey, spec) !== row.crc) throw bad("its identity fails its CRC-32");
    const entry = specIn(view) ?? decodeEntry(spec);
    const whole = entry?.kind === "spec" && specFault(entry.spec) === null &&
      clusterKey.length === KEY_BYTES && node >= 1 && node <= NODE_ID_MAX;
    if (!whole) throw bad("it holds no description of a cluster");
    return { clusterKey, entry, at, applied: view.meta.applied, tree };
  } catch (error) {
    if (error instanceof ProblemError) throw error;
    throw bad(error instanceof Error ? error.message : String(error), error);
  } finally {
    view?.close();
  }
}

function putIdentity(path: string, { node, clusterKey, spec }: Identity, at: string): void {
  const body = encodeEntry({ kind: "spec", spec, highest: highestOf(spec) });
  const database = new DatabaseSync(path);
  try {
    database.exec(`PRAGMA synchronous = FULL; ${TABLE}`);
    database.prepare(`INSERT INTO ${BACKUP_TABLE} VALUES (1, ?, ?, ?, ?, ?, ?)`)
      .run(BACKUP_FORMAT, at, node, clusterKey, body, rowCrc(node, at, clusterKey, body));
  } finally {
    database.close();
  }
}

function rowCrc(node: number, at: string, key: Uint8Array, spec: Uint8Array): number {
  return crcOf([BACKUP_FORMAT, node, key.length], [at], concat(key, spec));
}

function highestOf({ members }: ClusterSpec): number {
  return Math.max(...members.map(({ id }) => id));
}

/** Gives a file its name. Unlike a renaming, a link never takes the place of one that came meanwhile. */
function give(temporary: string, target: string): void {
  try {
    Deno.linkSync(temporary, target);
  } catch (error) {
    if (error instanceof Deno.errors.AlreadyExists) throw error;
    // A file system without links.
    return Deno.renameSync(temporary, target);
  }
  Deno.removeSync(temporary);
}

function exists(path: string): boolean {
  try {
    Deno.lstatSync(path);
    return true;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw new ProblemError("config.backup-failed", `"${path}" cannot be looked at`, {
      cause: error,
    });
  }
}

function remove(path: string): void {
  try {
    Deno.removeSync(path);
  } catch {
    // It was never made, or the directory is gone; what failed before is what is told.
  }
}

function sync(path: string): void {
  const file = Deno.openSync(path, { read: true, write: true });
  try {
    file.syncSync();
  } finally {
    file.close();
  }
}
