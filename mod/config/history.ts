/**
 * Applied transactions as people read them: pure functions over what the database keeps. The tree of
 * an older index is in `past.ts`, taking a transaction back in `undo.ts`.
 *
 * @module
 */
import type { HistoryRecord } from "../host/ports.ts";
import type { Transaction } from "../streams.ts";
import { transactionOfForced } from "./forced_entry.ts";
import { diffOf } from "./proposals.ts";
import { decodeEntry } from "./wire.ts";

/** One applied transaction; `txn_id` is its log index. */
export interface HistoryLine {
  readonly txn_id: number;
  readonly term: number;
  readonly author: string;
  readonly reason: string;
  readonly time: number;
  readonly diff: readonly string[];
  /** Null where it succeeded, else why not. */
  readonly problem: string | null;
}

/** The transaction of a record; null where a newer version wrote it in a form unknown here. */
export function transactionOf({ body }: HistoryRecord): Transaction | null {
  const entry = decodeEntry(body);
  if (entry?.kind === "forced") return transactionOfForced(entry, null);
  return entry?.kind === "transaction" ? entry.transaction : null;
}

/** True for the entry with which one node went on alone. */
export function isForced({ body }: HistoryRecord): boolean {
  return decodeEntry(body)?.kind === "forced";
}

/** A record as a line of `config history`; null where it cannot be read. */
export function historyLine(record: HistoryRecord): HistoryLine | null {
  const transaction = transactionOf(record);
  if (transaction === null) return null;
  const { author, reason, time } = transaction;
  const { index: txn_id, term, problem } = record;
  const diff = diffOf(transaction);
  return { txn_id, term, author, reason, time, diff, problem: problem === "" ? null : problem };
}

/** Every path that a transaction names in its operations; the source of a rename, and its target. */
export function pathsNamed({ operations }: Transaction): ReadonlySet<string> {
  const paths = new Set<string>();
  for (const operation of operations) {
    paths.add(operation.path);
    if (operation.op === "rename") paths.add(operation.to);
  }
  return paths;
}
