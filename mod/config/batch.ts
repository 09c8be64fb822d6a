/** Joining what waits for the disk: several durable steps as one. Pure. @module */
import { assert } from "../base/assert.ts";
import type { DatabaseBatch, StoredEntry, StoredLocks, StoredRow } from "../host/ports.ts";

type Applied = NonNullable<DatabaseBatch["applied"]>;

/** One batch that leaves the database as these would, one after the other. */
export function joinBatches(batches: readonly DatabaseBatch[]): DatabaseBatch {
  const [only] = batches;
  if (batches.length === 1 && only !== undefined) return only;
  const joined: { -readonly [K in keyof DatabaseBatch]: DatabaseBatch[K] } = {};
  const applied: Applied[] = [];
  for (const batch of batches) {
    assert(!standsAlone(batch), "A state that is taken over goes alone");
    if (batch.hardState) joined.hardState = batch.hardState;
    if (batch.compact) joined.compact = batch.compact;
    if (batch.sealed) joined.sealed = batch.sealed;
    if (batch.recovery !== undefined) joined.recovery = batch.recovery;
    if (batch.applied) applied.push(batch.applied);
  }
  Object.assign(joined, joinEntries(batches));
  const last = applied.at(-1);
  if (last !== undefined) joined.applied = applied.length === 1 ? last : joinApplied(applied, last);
  return joined;
}

/** True for a batch that is joined to no other: it replaces everything that others change. */
export function standsAlone(batch: DatabaseBatch): boolean {
  return batch.install !== undefined;
}

/** True for entries at the end of the log and nothing else. */
export function isPlain(batch: DatabaseBatch): boolean {
  const { entries, ...rest } = batch;
  return entries !== undefined && Object.keys(rest).length === 0;
}

/** True for what can be made again from the log: what was applied, and how much of the log goes. */
export function isDerived(batch: DatabaseBatch): boolean {
  return Object.keys(batch).every((part) => part === "applied" || part === "compact");
}

function joinEntries(
  batches: readonly DatabaseBatch[],
): Pick<DatabaseBatch, "truncateFrom" | "entries"> {
  let entries: StoredEntry[] = [];
  let from = Infinity;
  for (const { truncateFrom: cut, entries: added = [] } of batches) {
    if (cut !== undefined) {
      entries = entries.filter((entry) => entry.index < cut);
      from = Math.min(from, cut);
    }
    for (const entry of added) entries.push(entry);
  }
  return {
    ...(from !== Infinity && { truncateFrom: from }),
    ...(entries.length > 0 && { entries }),
  };
}

function joinApplied(all: readonly Applied[], last: Applied): Applied {
  // Of each inode only its last state counts: a row or its removal, whichever came later.
  const rows = new Map<number, StoredRow>();
  const removed = new Set<number>();
  const locks = new Map<number, StoredLocks>();
  let forget = 0;
  for (const each of all) {
    for (const ino of each.removed) {
      rows.delete(ino);
      removed.add(ino);
    }
    for (const row of each.rows) rows.set(row.ino, row);
    for (const lock of each.locks ?? []) locks.set(lock.key, lock);
    forget = Math.max(forget, each.forget);
  }
  return {
    index: last.index,
    term: last.term,
    stateCrc: last.stateCrc,
    rows: [...rows.values()],
    removed: [...removed],
    ...(locks.size > 0 && { locks: [...locks.values()] }),
    history: all.flatMap(({ history }) => history),
    forget,
  };
}
