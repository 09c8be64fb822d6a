/** Reading the history page by page: only as many as are wanted, however long it is. @module */
import type {
  ChangeEvent,
  ChangePage,
  HistoryBounds,
  HistoryEntry,
  HistoryList,
  HistoryPageAsk,
  PathEvent,
} from "../api/running_node.ts";
import { ProblemError } from "../base/problem.ts";
import { changesOf, type PathChange, pathsNamed, transactionOf } from "../config/mod.ts";
import type { HistoryAsk, HistoryPage, HistoryRecord } from "../host/ports.ts";
import { damagedEntry, entryOf } from "./archive.ts";

/** Where pages come from: the runtime's own method. */
export type HistorySource = (
  ask: HistoryAsk,
  done: (page: HistoryPage | { readonly failure: string }) => void,
) => void;

/** Transactions in one page of changes. */
const CHANGES_MAX = 128;

/** Up to `limit` transactions, the newest first; of one path if it is named. */
export async function readHistory(
  source: HistorySource,
  { limit, path, after }: HistoryPageAsk,
  limits: HistoryBounds,
): Promise<HistoryList> {
  const entries: HistoryEntry[] = [];
  let below = after ?? Number.MAX_SAFE_INTEGER;
  for (;;) {
    // Of one path there may be few on a page: each page is as long as it may be.
    const wanted = path === null ? limit - entries.length + 1 : limit + 1;
    const page = await nextPage(source, { below, from: 0, limit: wanted, undo: false });
    const { oldest, since } = page;
    for (const record of linesOf(page)) {
      below = "index" in record ? record.index : record.txn_id;
      const line = "index" in record ? entryOf(record, path) : record;
      if (line === null) continue;
      if (entries.length === limit) {
        const next = entries.at(-1)?.txn_id ?? null;
        return { entries, next, oldest, since, limits };
      }
      entries.push(line);
    }
    if (!page.more) return { entries, next: null, oldest, since, limits };
  }
}

/** What was applied behind an index, in log order; all that is applied when it is asked. */
export async function readChanges(
  source: HistorySource,
  { index, applied }: { readonly index: number; readonly applied: number },
): Promise<ChangePage> {
  const ask = { below: Number.MAX_SAFE_INTEGER, from: index, limit: CHANGES_MAX, undo: true };
  const page = await nextPage(source, { ...ask, oldestFirst: true });
  const { records, more, since, damaged = [] } = page;
  const last = Math.max(records.at(-1)?.index ?? index, damaged.at(-1)?.index ?? index);
  return {
    events: records.flatMap((record) => changeEvent(record) ?? []),
    // What lies behind the last of these and is applied is no transaction.
    upTo: more ? last : Math.max(last, applied),
    more,
    // What is damaged cannot be told: whoever watches must look anew, as where it is not kept.
    lostBefore: damaged.at(-1)?.index ?? (since > index ? since : null),
  };
}

/** Records of a page and what is said in the place of damaged ones, the newest first. */
function linesOf({ records, damaged = [] }: HistoryPage): (HistoryRecord | HistoryEntry)[] {
  const lines = damaged.map(({ index, why }) => damagedEntry(index, why));
  const at = (each: HistoryRecord | HistoryEntry) => "index" in each ? each.index : each.txn_id;
  return [...records, ...lines].sort((a, b) => at(b) - at(a));
}

/** One page. Throws where it cannot be read. */
export async function nextPage(source: HistorySource, ask: HistoryAsk): Promise<HistoryPage> {
  const page = await new Promise<HistoryPage | { readonly failure: string }>((resolve) =>
    source(ask, resolve)
  );
  if ("failure" in page) throw new ProblemError("config.no-history", page.failure);
  return page;
}

/** A transaction as those who watch are told it; null for one that changed nothing. */
function changeEvent(record: HistoryRecord): ChangeEvent | null {
  const transaction = transactionOf(record);
  if (transaction === null || record.problem !== "") return null;
  const { author, reason, time, operations } = transaction;
  const known = changesOf(record)?.map(pathEvent);
  // Too large to be kept whole: what was done can still be told, and what came of it be read.
  const changes = known ?? [...pathsNamed(transaction)].map((path): PathEvent => {
    const last = operations.findLast((each) =>
      each.path === path || (each.op === "rename" && each.to === path)
    );
    const gone = last?.op === "remove" || last?.op === "rmdir" ||
      (last?.op === "rename" && last.path === path);
    const kind = gone ? "gone" : last?.op === "mkdir" ? "directory" : "file";
    return { path, kind, size: null, data: null };
  });
  return { txn_id: record.index, time, author, reason, changes };
}

function pathEvent({ path, after }: PathChange): PathEvent {
  if (after === null) return { path, kind: "gone", size: null, data: null };
  if (after.kind === "directory") return { path, kind: "directory", size: null, data: null };
  return { path, kind: "file", size: after.data.length, data: after.data };
}
