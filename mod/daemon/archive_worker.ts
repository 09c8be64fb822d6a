/**
 * A Worker that answers one question about the past and is ended. What takes long (comparing trees,
 * copying the database) stalls neither a beat nor a commit: it reads the file beside the database's
 * own Worker.
 *
 * @module
 */
import { type Problem, problem, ProblemError } from "../base/problem.ts";
import { DatabaseView } from "../host/linux/database_view.ts";
import { transactionDetail, treeDiff } from "./archive.ts";
import type { ArchiveAnswer, ArchiveAsk } from "./archive_ask.ts";
import { exportPieces } from "./archive_export.ts";
import { resourceLog } from "./archive_story.ts";
import { planUndo } from "./archive_undo.ts";
import { makeBackup } from "./backup_file.ts";
import { restoreBackup } from "./restore.ts";

/** The global scope of a dedicated Worker, as far as it is used here. */
interface WorkerScope {
  onmessage: ((event: MessageEvent<ArchiveAsk>) => void) | null;
  postMessage(message: ArchiveAnswer, transfer?: Transferable[]): void;
}

const scope = globalThis as unknown as WorkerScope;
let pieces: Iterator<Uint8Array> | null = null;

scope.onmessage = ({ data }) => {
  try {
    const value = answer(data);
    const transfer = value instanceof Uint8Array && value.buffer instanceof ArrayBuffer
      ? [value.buffer]
      : [];
    scope.postMessage({ ok: true, value }, transfer);
  } catch (error) {
    scope.postMessage({ ok: false, problem: problemOf(error) });
  }
};

function answer(asked: ArchiveAsk): unknown {
  switch (asked.ask) {
    case "show":
      return reading(asked.what.database, (view) => {
        return transactionDetail(view, asked.what.txn, asked.what.spec);
      });
    case "diff":
      return reading(asked.what.database, (view) => treeDiff(view, asked.what));
    case "log":
      return reading(asked.what.database, (view) => {
        return resourceLog(view, asked.what.ask, asked.what.spec);
      });
    case "undo":
      return reading(asked.what.database, (view) => {
        return planUndo(view, asked.what.txn, asked.what.request);
      });
    case "backup":
      return makeBackup(asked.what);
    case "restore":
      return restoreBackup(asked.what);
    case "export":
      // The view goes with the Worker.
      pieces = exportPieces(open(asked.what.database), asked.what.at);
      return nextPiece();
    case "next":
      return nextPiece();
  }
}

function nextPiece(): Uint8Array | null {
  const next = pieces?.next();
  return next === undefined || next.done === true ? null : next.value;
}

function open(path: string): DatabaseView {
  return DatabaseView.open(path, { immutable: false });
}

function reading<T>(path: string, use: (view: DatabaseView) => T): T {
  const view = open(path);
  try {
    return use(view);
  } finally {
    view.close();
  }
}

/** The database cannot be read: that is this node's trouble, not the asker's. */
function problemOf(error: unknown): Problem {
  if (error instanceof ProblemError) return error.problem;
  return problem("config.no-history", error instanceof Error ? error.message : String(error));
}
