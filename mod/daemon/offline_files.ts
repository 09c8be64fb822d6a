/**
 * A dead node's database for reading, without a trace: nothing is written beside it, no lock is
 * taken, and a living daemon is not disturbed.
 *
 * SQLite would make files beside a database in WAL mode, so one that was not closed in order is read
 * from a copy of it and its WAL. If it changes while it is copied, somebody writes to it.
 *
 * @module
 */
import { ProblemError } from "../base/problem.ts";
import { DATABASE_NAME } from "../host/linux/database.ts";
import type { DamagedPart, VerifyReport } from "../base/verify_report.ts";
import { readSeal } from "../host/linux/database_seal.ts";
import { verifyFile } from "../host/linux/database_verify.ts";
import { DatabaseView } from "../host/linux/database_view.ts";
import { walFault } from "../host/linux/database_wal.ts";

/** Tries to copy a database that is written to. */
const TRIES_MAX = 3;

/** An opened database, and how to let go of it. */
export interface OpenFiles {
  readonly view: DatabaseView;
  /** Reads all of it back, SQLite's log and the seal beside it too. */
  verify(): VerifyReport;
  /** Removes the copy, if one was made. */
  close(): void;
}

/** Opens a state directory, or a single file: a database or a backup. Throws `node.bad-data`. */
export function openFiles(path: string): OpenFiles {
  let directory: string | null = null;
  const discard = () => {
    if (directory !== null) Deno.removeSync(directory, { recursive: true });
  };
  try {
    const whole = Deno.realPathSync(path);
    const database = Deno.statSync(whole).isDirectory ? `${whole}/${DATABASE_NAME}` : whole;
    Deno.statSync(database);
    const wal = `${database}-wal`;
    if (isThere(wal)) directory = copyOf(database, wal);
    const place = directory === null ? database : `${directory}/${DATABASE_NAME}`;
    const view = DatabaseView.open(place, { immutable: directory === null });
    return {
      view,
      verify: () => withFiles(verifyFile(place, { immutable: directory === null }), database),
      close() {
        view.close();
        discard();
      },
    };
  } catch (error) {
    discard();
    if (error instanceof ProblemError) throw error;
    const why = error instanceof Deno.errors.NotFound
      ? "is not there, or holds no config.db"
      : error instanceof Error
      ? error.message
      : String(error);
    throw new ProblemError("node.bad-data", `"${path}": ${why}`, { cause: error });
  }
}

/** What no table of it shows. */
function withFiles(report: VerifyReport, database: string): VerifyReport {
  const seal = readSeal(database);
  const faults = [walFault(database), typeof seal === "string" ? seal : null]
    .filter((why) => why !== null);
  const damaged = faults.map((why): DamagedPart => ({ part: "file", at: null, why }));
  return {
    ...report,
    damaged: [...damaged, ...report.damaged],
    count: report.count + damaged.length,
  };
}

/** A private directory with copies of both, of one and the same moment. */
function copyOf(database: string, wal: string): string {
  const directory = Deno.makeTempDirSync({ prefix: "pentad-data-" });
  try {
    for (let tries = 0; tries < TRIES_MAX; tries++) {
      const before = stampOf(database) + stampOf(wal);
      Deno.copyFileSync(database, `${directory}/${DATABASE_NAME}`);
      Deno.copyFileSync(wal, `${directory}/${DATABASE_NAME}-wal`);
      if (stampOf(database) + stampOf(wal) === before) return directory;
    }
    const why = `"${database}" is being written to: ask its daemon`;
    throw new ProblemError("node.bad-data", why);
  } catch (error) {
    Deno.removeSync(directory, { recursive: true });
    throw error;
  }
}

function stampOf(path: string): string {
  const { size, mtime, ino } = Deno.statSync(path);
  return `${size} ${mtime?.getTime()} ${ino};`;
}

function isThere(path: string): boolean {
  try {
    Deno.statSync(path);
    return true;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}
