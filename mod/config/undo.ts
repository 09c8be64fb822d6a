/**
 * Taking a transaction back: the operations that bring every path which it touched to what was there
 * before it. Refused where somebody touched one of them since, for then it is not that transaction
 * alone that would be taken back. Pure.
 *
 * @module
 */
import { equalBytes } from "../base/bytes.ts";
import { type Problem, problem } from "../base/problem.ts";
import type { HistoryRecord, StoredRow } from "../host/ports.ts";
import type { Expectation, Operation } from "../streams.ts";
import { DECISIONS } from "./decisions.ts";
import { isForced, pathsNamed, transactionOf } from "./history.ts";
import type { TreeReader } from "./tree.ts";
import { FILE_BYTES_MAX, OPERATIONS_MAX } from "./wire.ts";

/** What is to be proposed. The expectations hold while nobody touches the paths meanwhile. */
export interface Undo {
  readonly expect: readonly Expectation[];
  readonly operations: readonly Operation[];
}

/** What a transaction is taken back on. */
export interface UndoGround {
  /** The tree as it is now. */
  readonly tree: TreeReader;
  /** Every transaction after it, in any order; older ones do no harm. */
  readonly later: Iterable<HistoryRecord>;
}

/** How to take a transaction back, or why it cannot be. Its record comes with the undo record. */
export function undoOf(record: HistoryRecord, { tree, later }: UndoGround): Undo | Problem {
  const transaction = transactionOf(record);
  if (record.problem !== "") {
    return cannot(`transaction ${record.index} was refused and changed nothing`);
  }
  if (isForced(record)) return cannot("members who were put out must leave and join again");
  if (transaction === null || record.undo === null) {
    const why = `what was before transaction ${record.index} is not kept`;
    return problem("config.no-history", why);
  }
  const changed = new Set(record.undo.map(({ ino }) => ino));
  const then = new Map<string, StoredRow>();
  for (const { path, before } of record.undo) if (before !== null) then.set(path, before);
  const paths = [...new Set([...pathsNamed(transaction), ...then.keys()])].sort();
  const decision = paths.find((path) => DECISIONS.includes(path));
  if (decision !== undefined) {
    return cannot(`"${decision}" is the manager's: give it another order (pentad ha, pentad node)`);
  }
  const touched = touchedSince(paths, record.index, later);
  if (touched !== null) return touched;
  const steps = paths.map((path) => ({ path, then: then.get(path) ?? null, now: tree.find(path) }))
    // Named and not touched, as by a rename to itself: it was there before, as it is now.
    .filter((step) => step.then !== null || step.now === null || changed.has(step.now.ino));
  const operations = [...takenAway(steps), ...putBack(steps)];
  const expect = steps.map(({ path, now }) => ({ path, version: now?.version ?? 0 }));
  return boundedUndo({ expect, operations });
}

interface PathStep {
  readonly path: string;
  readonly then: StoredRow | null;
  readonly now: StoredRow | null;
}

function cannot(why: string): Problem {
  return problem("config.cannot-undo", why);
}

/** Who touched one of the paths, what is above it or below it since. */
function touchedSince(
  paths: readonly string[],
  since: number,
  later: Iterable<HistoryRecord>,
): Problem | null {
  for (const record of later) {
    if (record.index <= since) continue;
    const transaction = record.problem === "" ? transactionOf(record) : null;
    for (const named of transaction === null ? [] : pathsNamed(transaction)) {
      const path = paths.find((each) =>
        each === named || named.startsWith(`${each}/`) || each.startsWith(`${named}/`)
      );
      if (path === undefined) continue;
      const { index } = record;
      const why = `transaction ${index} of ${transaction?.author} touched "${named}" after it`;
      return cannot(why);
    }
  }
  return null;
}

/** What was not there, or was of another kind, goes: what is below first. */
function takenAway(steps: readonly PathStep[]): readonly Operation[] {
  return steps.flatMap(({ path, then, now }): Operation[] => {
    if (now === null || then?.kind === now.kind) return [];
    return [now.kind === "file" ? { op: "remove", path } : { op: "rmdir", path }];
  }).reverse();
}

/** What was there comes back with its content and time: what is above first. */
function putBack(steps: readonly PathStep[]): readonly Operation[] {
  return steps.flatMap(({ path, then, now }): Operation[] => {
    if (then === null) return [];
    const made = now?.kind !== then.kind;
    const operations: Operation[] = [];
    if (made) operations.push({ op: then.kind === "file" ? "create" : "mkdir", path });
    const old = made || now === null ? new Uint8Array(0) : now.data;
    const differs = !equalBytes(old, then.data);
    if (differs && old.length > then.data.length) {
      operations.push({ op: "truncate", path, size: then.data.length });
    }
    if (differs && then.data.length > 0) {
      operations.push({ op: "write", path, offset: 0, data: then.data });
    }
    // Whatever was done to it above gave it the time of that.
    const moved = operations.length > 0 || now?.mtime !== then.mtime;
    if (moved) operations.push({ op: "utime", path, mtime: then.mtime });
    return operations;
  });
}

function boundedUndo(undo: Undo): Undo | Problem {
  const { operations } = undo;
  if (operations.length === 0) return cannot("everything is as it was before it");
  let size = 0;
  for (const each of operations) if (each.op === "write") size += each.data.length;
  if (size > FILE_BYTES_MAX || operations.length > OPERATIONS_MAX) {
    return cannot(`it would take ${operations.length} operations and ${size} bytes at once`);
  }
  return undo;
}
