/** What the history says of a transaction against what the tree did. */
import assert from "node:assert/strict";
import fc from "fast-check";
import { requestId } from "../../mod/base/id.ts";
import { changesOf, differencesOf } from "../../mod/config/changes.ts";
import { diffBetween, rowsByPath, treeAt } from "../../mod/config/past.ts";
import { Tree } from "../../mod/config/tree.ts";
import { encodeEntry } from "../../mod/config/wire.ts";
import type { HistoryRecord, StoredRow } from "../../mod/host/ports.ts";
import type { Operation, Transaction } from "../../mod/streams.ts";

const path = fc.constantFrom("a", "b", "d", "d/a", "d/b", "d/e", "d/e/a", "e");
const data = fc.uint8Array({ minLength: 1, maxLength: 4 });
const operation: fc.Arbitrary<Operation> = fc.oneof(
  fc.tuple(fc.constantFrom("create", "mkdir", "remove", "rmdir"), path)
    .map(([op, path]) => ({ op, path }) as Operation),
  fc.record({ op: fc.constant("write" as const), path, offset: fc.nat(3), data }),
  fc.record({ op: fc.constant("truncate" as const), path, size: fc.nat(5) }),
  fc.record({ op: fc.constant("rename" as const), path, to: path }),
  fc.record({ op: fc.constant("utime" as const), path, mtime: fc.nat(9) }),
);
const transactions = fc.array(fc.array(operation, { minLength: 1, maxLength: 5 }), {
  maxLength: 60,
});

/** Applies them to a tree; those that it took, with the tree after each. */
function history(all: readonly (readonly Operation[])[]) {
  const tree = new Tree([]);
  const records: HistoryRecord[] = [];
  const states: (readonly StoredRow[])[] = [tree.rows()];
  for (const operations of all) {
    const index = states.length;
    const request = requestId(index.toString(16).padStart(16, "0"));
    const rest = { base: 0, expect: [], author: "x", reason: "y", time: index };
    const transaction: Transaction = { request, operations, ...rest };
    const applied = tree.apply(transaction, { index, writer: 1 });
    if ("code" in applied) continue;
    const body = encodeEntry({ kind: "transaction", writer: 1, transaction });
    const { undo } = applied;
    records.push({ index, term: 1, request, problem: "", why: "", body, undo });
    states.push(tree.rows());
  }
  return { records, states };
}

/** What is compared: the numbers of inodes are not told. */
function plain(rows: readonly { path: string; row: StoredRow | null }[]) {
  return rows.filter(({ row }) => row !== null).map(({ path, row }) => [path, row?.kind, row?.data])
    .sort();
}

Deno.test("changesOf() tells of each transaction what the tree did, before and after", () => {
  fc.assert(fc.property(transactions, (all) => {
    const { records, states } = history(all);
    for (const record of records) {
      const changes = changesOf(record);
      assert.ok(changes !== null);
      const [was, is] = [states[record.index - 1] ?? [], states[record.index] ?? []];
      const [before, after] = [rowsByPath(was), rowsByPath(is)];
      for (const { path, ...change } of changes) {
        const was = before.get(path) ?? null;
        const is = after.get(path) ?? null;
        assert.deepEqual(plain([{ path, row: change.before }]), plain([{ path, row: was }]));
        assert.deepEqual(plain([{ path, row: change.after }]), plain([{ path, row: is }]));
      }
      // And of nothing else: all that differs is among them.
      assert.deepEqual(
        differencesOf(changes).map(({ path, change }) => [path, change]).sort(),
        diffBetween(was, is).map(({ path, change }) => [path, change]).sort(),
      );
    }
  }));
});

Deno.test("an undo record says where each row was, so that the tree can be rolled back to any index", () => {
  fc.assert(fc.property(transactions, (all) => {
    const { records, states } = history(all);
    const newest = states.length - 1;
    for (const record of records) {
      const before = rowsByPath(states[record.index - 1] ?? []);
      for (const { path, before: row } of record.undo ?? []) {
        if (row === null) assert.equal(path, "");
        else assert.deepEqual(before.get(path), row);
      }
    }
    for (const [index, state] of states.entries()) {
      const back = [...records].reverse();
      const past = { rows: states[newest] ?? [], applied: newest, records: back, since: 0 };
      const then = treeAt(past, index);
      assert.ok(!("code" in then));
      assert.deepEqual([...rowsByPath(then)].sort(), [...rowsByPath(state)].sort());
    }
  }));
});

Deno.test("changesOf() leaves out what was renamed to itself: nothing happened to it", () => {
  const { records, states } = history([
    [{ op: "create", path: "a" }],
    [{ op: "rename", path: "a", to: "a" }, { op: "create", path: "b" }],
  ]);
  assert.equal(states.length, 3);
  const [, record] = records;
  assert.ok(record !== undefined);
  assert.deepEqual(changesOf(record)?.map(({ path }) => path), ["b"]);
});

Deno.test("changesOf() knows nothing of what is not kept, and nothing happened where it was refused", () => {
  const { records } = history([[{ op: "create", path: "a" }]]);
  const [record] = records;
  assert.ok(record !== undefined);
  assert.equal(changesOf({ ...record, undo: null }), null);
  assert.equal(changesOf({ ...record, body: Uint8Array.of(99) }), null);
  assert.deepEqual(changesOf({ ...record, problem: "config.exists", undo: [] }), []);
});
