/** Pages of the history as a daemon reads them, out of a real database file. */
import assert from "node:assert/strict";
import { ProblemError } from "../../mod/base/problem.ts";
import { type HistorySource, readChanges, readHistory } from "../../mod/daemon/history.ts";
import { HISTORY_LIMITS } from "../../mod/host/linux/database_history.ts";
import type { HistoryRecord } from "../../mod/host/ports.ts";
import { type PastWorld, withPast, write } from "./past_world.ts";

/** A source whose pages hold two records at most, and how often it was asked. */
function sourceOf({ file }: PastWorld) {
  let asked = 0;
  const source: HistorySource = (ask, done) => {
    asked++;
    const limit = Math.min(ask.limit, 2);
    done(file.history({ ...ask, limit }));
  };
  return { source, asked: () => asked };
}

Deno.test("readHistory() goes on until it has as many as were asked for, or there are no more", async () => {
  await withPast(async (world) => {
    for (let i = 0; i < 9; i++) {
      world.apply(write(i % 3 === 0 ? "f" : "g", "x", i === 0 || i === 1));
    }
    const { source } = sourceOf(world);
    const list = (limit: number, path: string | null, after: number | null = null) =>
      readHistory(source, { limit, path, after }, HISTORY_LIMITS);
    const all = await list(100, null);
    assert.deepEqual(all.entries.map(({ txn_id }) => txn_id), [10, 9, 8, 7, 6, 5, 4, 3, 2]);
    assert.deepEqual([all.next, all.oldest, all.since], [null, 2, 0]);
    const some = await list(4, null);
    assert.deepEqual([some.entries.length, some.next], [4, 7]);
    const rest = await list(5, null, some.next);
    assert.deepEqual(rest.entries.map(({ txn_id }) => txn_id), [6, 5, 4, 3, 2]);
    assert.equal(rest.next, null, "exactly as many as there are");
    const ofPath = await list(2, "f");
    assert.deepEqual(ofPath.entries.map(({ txn_id }) => txn_id), [8, 5]);
    assert.equal(ofPath.next, 5);
    assert.deepEqual((await list(2, "f", 5)).entries.map(({ txn_id }) => txn_id), [2]);
    assert.deepEqual((await list(2, "none")).entries, []);
  });
});

Deno.test("readChanges() tells everything once, in log order, page by page", async () => {
  await withPast(async (world) => {
    world.apply([{ op: "mkdir", path: "d" }, ...write("d/f", "one", true)]);
    world.apply([{ op: "mkdir", path: "no/where" }]);
    world.apply([{ op: "write", path: "d/f", offset: 3, data: Uint8Array.of(33) }]);
    world.apply([{ op: "rename", path: "d/f", to: "g" }]);
    const { source } = sourceOf(world);
    const told: string[] = [];
    let at = 0;
    for (let more = true; more;) {
      const page = await readChanges(source, { index: at, applied: world.index });
      for (const { txn_id, changes } of page.events) {
        for (const { path, kind, data } of changes) {
          told.push(
            `${txn_id} ${path} ${kind} ${data === null ? "" : new TextDecoder().decode(data)}`,
          );
        }
      }
      assert.ok(page.upTo > at || !page.more);
      ({ upTo: at, more } = page);
    }
    assert.equal(at, world.index);
    assert.deepEqual(told, [
      ...["2 d directory ", "2 d/f file one"],
      ...["4 d/f file one!", "5 d/f gone ", "5 g file one!"],
    ]);
    const none = await readChanges(source, { index: at, applied: at });
    assert.deepEqual(none, { events: [], upTo: at, more: false, lostBefore: null });
    // Behind what is applied here: nothing is told twice, and no place goes back.
    const ahead = await readChanges(source, { index: at + 5, applied: at });
    assert.equal(ahead.upTo, at + 5);
  });
});

Deno.test("readChanges() says where its history begins, and what it can of what is not kept", async () => {
  await withPast(async (world) => {
    for (let i = 0; i < 8; i++) world.apply(write("f", "x", i === 0));
    const { source } = sourceOf(world);
    const page = await readChanges(source, { index: 0, applied: world.index });
    assert.equal(page.lostBefore, (page.events[0]?.txn_id ?? 0) - 1);
    assert.ok(page.events.length > 0 && page.events.length < 8);
    const bare: HistorySource = (ask, done) => {
      const found = world.file.history(ask);
      assert.ok("records" in found);
      const records = found.records.map((each): HistoryRecord => ({ ...each, undo: null }));
      done({ ...found, records });
    };
    const kindOf = async (operations: Parameters<PastWorld["apply"]>[0]) => {
      const index = world.apply(operations);
      const { events } = await readChanges(bare, { index: index - 1, applied: index });
      return events[0]?.changes.map(({ path, kind, data }) => `${path} ${kind} ${data}`);
    };
    assert.deepEqual(await kindOf([{ op: "mkdir", path: "d" }]), ["d directory null"]);
    assert.deepEqual(await kindOf([{ op: "rename", path: "f", to: "d/g" }]), [
      ...["f gone null", "d/g file null"],
    ]);
    assert.deepEqual(await kindOf([{ op: "remove", path: "d/g" }]), ["d/g gone null"]);
    assert.deepEqual(await kindOf([{ op: "rmdir", path: "d" }]), ["d gone null"]);
    const broken: HistorySource = (_ask, done) => done({ failure: "the node stops" });
    await assert.rejects(readChanges(broken, { index: 0, applied: 1 }), (error) => {
      assert.ok(error instanceof ProblemError);
      assert.deepEqual(error.problem, { code: "config.no-history", why: "the node stops" });
      return true;
    });
  }, { ...HISTORY_LIMITS, bytes: 400 });
});
