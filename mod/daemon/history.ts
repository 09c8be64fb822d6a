/** Reading the history page by page: only as many as are wanted, however long it is. @module */
import type { HistoryEntry } from "../api/running_node.ts";
import { ProblemError } from "../base/problem.ts";
import { historyLine, pathsNamed, transactionOf } from "../config/mod.ts";
import type { HistoryAsk, HistoryPage } from "../host/ports.ts";

/** Where pages come from: the runtime's own method. */
export type HistorySource = (
  ask: HistoryAsk,
  done: (page: HistoryPage | { readonly failure: string }) => void,
) => void;

/** Up to `limit` transactions, the newest first; of one path if it is named. */
export async function readHistory(
  source: HistorySource,
  { limit, path }: { readonly limit: number; readonly path: string | null },
): Promise<readonly HistoryEntry[]> {
  const entries: HistoryEntry[] = [];
  let below = Number.MAX_SAFE_INTEGER;
  for (let more = true; more && entries.length < limit;) {
    // Of one path there may be few on a page: each page is as long as it may be.
    const ask = { below, from: 0, limit: path === null ? limit - entries.length : limit };
    const page = await nextPage(source, { ...ask, undo: false });
    for (const record of page.records) {
      below = record.index;
      const transaction = transactionOf(record);
      const line = historyLine(record);
      if (transaction === null || line === null || entries.length >= limit) continue;
      if (path === null || pathsNamed(transaction).has(path)) entries.push(line);
    }
    more = page.more;
  }
  return entries;
}

async function nextPage(source: HistorySource, ask: HistoryAsk): Promise<HistoryPage> {
  const page = await new Promise<HistoryPage | { readonly failure: string }>((resolve) =>
    source(ask, resolve)
  );
  if ("failure" in page) throw new ProblemError("config.no-history", page.failure);
  return page;
}
