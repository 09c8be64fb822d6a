/** Joining what waits for the disk: several durable steps as one. Pure. @module */
import { assert } from "../base/assert.ts";
import type { DatabaseBatch } from "../host/ports.ts";

type Applied = NonNullable<DatabaseBatch["applied"]>;

/** One batch that leaves the database as `first` and then `second` would. */
export function joinBatches(first: DatabaseBatch, second: DatabaseBatch): DatabaseBatch {
  assert(!standsAlone(first) && !standsAlone(second), "A state that is taken over goes alone");
  const hardState = second.hardState ?? first.hardState;
  const applied = joinApplied(first.applied, second.applied);
  const compact = second.compact ?? first.compact;
  const sealed = second.sealed ?? first.sealed;
  const recovery = second.recovery === undefined ? first.recovery : second.recovery;
  return {
    ...(sealed && { sealed }),
    ...(recovery !== undefined && { recovery }),
    ...(hardState && { hardState }),
    ...joinEntries(first, second),
    ...(applied && { applied }),
    ...(compact && { compact }),
  };
}

/** True for a batch that is joined to no other: it replaces everything that others change. */
export function standsAlone(batch: DatabaseBatch): boolean {
  return batch.install !== undefined;
}

function joinEntries(
  first: DatabaseBatch,
  second: DatabaseBatch,
): Pick<DatabaseBatch, "truncateFrom" | "entries"> {
  const cut = second.truncateFrom;
  const kept = cut === undefined
    ? first.entries ?? []
    : (first.entries ?? []).filter((entry) => entry.index < cut);
  const entries = [...kept, ...second.entries ?? []];
  const from = Math.min(first.truncateFrom ?? Infinity, cut ?? Infinity);
  return {
    ...(from !== Infinity && { truncateFrom: from }),
    ...(entries.length > 0 && { entries }),
  };
}

function joinApplied(first?: Applied, second?: Applied): Applied | undefined {
  if (first === undefined || second === undefined) return second ?? first;
  // Of each inode only its last state counts: a row or its removal, whichever came later.
  const rows = new Map(first.rows.map((row) => [row.ino, row]));
  const removed = new Set(first.removed);
  for (const ino of second.removed) {
    rows.delete(ino);
    removed.add(ino);
  }
  for (const row of second.rows) rows.set(row.ino, row);
  const locks = new Map(
    [...first.locks ?? [], ...second.locks ?? []].map((each) => [each.key, each]),
  );
  return {
    index: second.index,
    term: second.term,
    stateCrc: second.stateCrc,
    ...(second.content !== undefined && { content: second.content }),
    rows: [...rows.values()],
    removed: [...removed],
    ...(locks.size > 0 && { locks: [...locks.values()] }),
    history: [...first.history, ...second.history],
    forget: Math.max(first.forget, second.forget),
  };
}
