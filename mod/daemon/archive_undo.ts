/** What would take a transaction back, from a database file. @module */
import { ProblemError } from "../base/problem.ts";
import { diffBetween, type FileDiffs, fileDiffs, Tree, type Undo, undoOf } from "../config/mod.ts";
import type { DatabaseView } from "../host/linux/database_view.ts";
import { requestId } from "../base/id.ts";
import { mustHave, NEWEST_FIRST } from "./archive.ts";

/** What is to be proposed; or that the very request was applied before. */
export type UndoPlan =
  | { readonly plan: "propose"; readonly undo: Undo; readonly diffs: FileDiffs }
  | { readonly plan: "done"; readonly index: number; readonly diffs: FileDiffs };

/** Plans it on the tree in the file; the expectations hold only as long as that is the newest. */
export function planUndo(view: DatabaseView, txn: number, request: string): UndoPlan {
  const record = mustHave(view, txn);
  const after = { ...NEWEST_FIRST, from: txn };
  for (const later of view.records(after)) {
    if (later.request === request && later.problem === "") {
      return { plan: "done", index: later.index, diffs: { files: [], omitted: 0 } };
    }
  }
  const rows = view.rows();
  const tree = new Tree(rows);
  const undo = undoOf(record, { tree, later: view.records(after) });
  if ("code" in undo) throw new ProblemError(undo.code, undo.why);
  const { applied } = view.meta;
  const transaction = {
    ...undo,
    ...{ request: requestId(request), base: applied, author: "", reason: "", time: 0 },
  };
  const done = tree.apply(transaction, { index: applied + 1, writer: 1 });
  if ("code" in done) throw new ProblemError(done.code, done.why);
  return { plan: "propose", undo, diffs: fileDiffs(diffBetween(rows, tree.rows())) };
}
