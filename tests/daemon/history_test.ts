/** Reading the history page by page, as the API asks for it. */
import assert from "node:assert/strict";
import { requestId } from "../../mod/base/id.ts";
import { encodeEntry } from "../../mod/config/wire.ts";
import { type HistorySource, readHistory } from "../../mod/daemon/history.ts";
import { HISTORY_LIMITS } from "../../mod/host/linux/database_history.ts";
import type { HistoryAsk, HistoryRecord } from "../../mod/host/ports.ts";

const COUNT = 50;

/** Transaction `index` creates `f0` to `f4` in turn; some records are of a form that nobody knows. */
function recordOf(index: number): HistoryRecord {
  const path = `f${index % 5}`;
  const transaction = {
    request: requestId(`${index}`.padStart(16, "0")),
    ...{ base: 0, expect: [], author: "a", reason: "", time: index },
    operations: [{ op: "create", path } as const],
  };
  const known = encodeEntry({ kind: "transaction", writer: 1, transaction });
  const body = index % 10 === 3 ? Uint8Array.of(250) : known;
  return { index, term: 1, request: "", problem: "", why: "", undo: null, body };
}

/** Pages of at most seven records, later than the call. */
function sourceOf(asks: HistoryAsk[]): HistorySource {
  return (ask, done) => {
    asks.push(ask);
    const all = Array.from({ length: COUNT }, (_, at) => recordOf(COUNT - at))
      .filter(({ index }) => index < ask.below && index > ask.from);
    const size = Math.min(7, ask.limit);
    const page = { records: all.slice(0, size), more: all.length > size, since: 0, oldest: 1 };
    queueMicrotask(() => done(page));
  };
}

Deno.test("readHistory() gives as many as are asked for, newest first, and reads no page too many", async () => {
  const asks: HistoryAsk[] = [];
  const ids = async (limit: number, path: string | null = null) => {
    asks.length = 0;
    const ask = { limit, path, after: null };
    const { entries } = await readHistory(sourceOf(asks), ask, HISTORY_LIMITS);
    return entries.map(({ txn_id }) => txn_id);
  };
  assert.deepEqual(await ids(3), [50, 49, 48]);
  assert.equal(asks.length, 1);
  const all = await ids(1000);
  assert.equal(all.length, COUNT - 5, "what cannot be read is left out");
  assert.deepEqual(all, [...all].sort((a, b) => b - a));
  assert.equal(asks.length, 8);
  assert.deepEqual(await ids(4, "f1"), [46, 41, 36, 31]);
  assert.deepEqual(await ids(4, "f9"), []);
  assert.ok(asks.every(({ undo }) => !undo));
});

Deno.test("readHistory() is refused with the reason where the history cannot be read", async () => {
  const source: HistorySource = (_ask, done) => done({ failure: "History 2 fails its CRC-32" });
  await assert.rejects(
    readHistory(source, { limit: 1, path: null, after: null }, HISTORY_LIMITS),
    (error: Error) => {
      assert.match(error.message, /Cannot look that far back: History 2 fails its CRC-32/);
      return true;
    },
  );
});
