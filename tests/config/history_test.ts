/** The past out of undo records: every older tree, what differs, and what takes a change back. */
import assert from "node:assert/strict";
import fc from "fast-check";
import { encodeText } from "../../mod/base/bytes.ts";
import {
  diffBetween,
  historyLine,
  type Past,
  pathsNamed,
  transactionOf,
  treeAt,
  undoOf,
} from "../../mod/config/mod.ts";
import { rowsByPath } from "../../mod/config/past.ts";
import { Replica, UNDO_BYTES_MAX } from "../../mod/config/replica.ts";
import { encodeEntry, FILE_BYTES_MAX } from "../../mod/config/wire.ts";
import type { HistoryRecord, StoredRow } from "../../mod/host/ports.ts";
import type { Operation, Transaction } from "../../mod/streams.ts";
import { EMPTY } from "./cluster.ts";
import { transactionOf as write } from "./lone.ts";

/** A replica with all that its database would keep of its past. */
class Keeper {
  readonly replica = new Replica(EMPTY);
  readonly records: HistoryRecord[] = [];
  /** The rows after each index. */
  readonly trees: (readonly StoredRow[])[] = [[]];
  #index = 0;

  apply(operations: readonly Operation[], rest: Partial<Transaction> = {}): HistoryRecord {
    const index = ++this.#index;
    const transaction = write(index, operations, rest);
    const entry = { kind: "transaction", writer: 1, transaction } as const;
    const { history } = this.replica.apply(index, entry);
    assert.ok(history !== null);
    const record = { ...history, term: 1, body: encodeEntry(entry) };
    this.records.unshift(record);
    this.trees.push(this.replica.tree.rows());
    return record;
  }

  get past(): Past {
    const { records } = this;
    return { rows: this.replica.tree.rows(), applied: this.#index, records, since: 0 };
  }

  undo(index: number) {
    const record = this.records.find((each) => each.index === index);
    assert.ok(record);
    return undoOf(record, { tree: this.replica.tree, later: this.records });
  }
}

const path = fc.constantFrom("a", "b", "d", "d/a", "d/b", "d/e", "d/e/a");
const data = fc.uint8Array({ maxLength: 6 });
const operation: fc.Arbitrary<Operation> = fc.oneof(
  path.map((path): Operation => ({ op: "create", path })),
  path.map((path): Operation => ({ op: "mkdir", path })),
  path.map((path): Operation => ({ op: "remove", path })),
  path.map((path): Operation => ({ op: "rmdir", path })),
  fc.tuple(path, path).map(([path, to]): Operation => ({ op: "rename", path, to })),
  fc.tuple(path, fc.nat(4), data).map(([path, offset, data]): Operation => ({
    ...{ op: "write", path, offset, data },
  })),
  fc.tuple(path, fc.nat(9)).map(([path, size]): Operation => ({ op: "truncate", path, size })),
  fc.tuple(path, fc.nat(99)).map(([path, mtime]): Operation => ({ op: "utime", path, mtime })),
);
const steps = fc.array(fc.array(operation, { minLength: 1, maxLength: 4 }), {
  minLength: 1,
  maxLength: 40,
});

function sorted(rows: readonly StoredRow[]): readonly StoredRow[] {
  return [...rows].sort((a, b) => a.ino - b.ino);
}

/** What people see of a tree: paths, kinds, content, times. */
function shown(rows: readonly StoredRow[]): unknown {
  return [...rowsByPath(rows)].map(([path, { kind, data, mtime }]) => [path, kind, data, mtime])
    .sort((a, b) => String(a[0]) < String(b[0]) ? -1 : 1);
}

function played(all: readonly (readonly Operation[])[]): Keeper {
  const keeper = new Keeper();
  all.forEach((operations, at) => keeper.apply(operations, { time: 1000 + at }));
  return keeper;
}

Deno.test("treeAt() gives every older tree, row by row", () => {
  fc.assert(fc.property(steps, (all) => {
    const keeper = played(all);
    for (const [index, rows] of keeper.trees.entries()) {
      const then = treeAt(keeper.past, index);
      assert.ok(!("code" in then));
      assert.deepEqual(sorted(then), sorted(rows), `at ${index}`);
    }
  }));
});

Deno.test("treeAt() says what it cannot tell: the future, before the history, an undo that is not kept", () => {
  const keeper = new Keeper();
  keeper.apply([{ op: "create", path: "a" }]);
  keeper.apply([{ op: "create", path: "b" }]);
  const { past } = keeper;
  const why = (result: ReturnType<typeof treeAt>) => "code" in result ? result.why : "";
  assert.match(why(treeAt(past, 3)), /index 3 is not applied yet, 2 is/);
  assert.match(why(treeAt({ ...past, since: 2 }, 1)), /begins behind index 2/);
  const records = [...past.records].map((each) =>
    each.index === 2 ? { ...each, undo: null } : each
  );
  assert.match(why(treeAt({ ...past, records }, 1)), /before transaction 2 is not kept/);
  assert.ok(!("code" in treeAt({ ...past, records }, 2)), "this one needs none");
});

Deno.test("diffBetween() names exactly the paths whose kind or content is not the same", () => {
  fc.assert(fc.property(steps, fc.nat(), fc.nat(), (all, a, b) => {
    const keeper = played(all);
    const at = (number: number) => keeper.trees[number % keeper.trees.length] ?? [];
    const [before, after] = [at(a), at(b)];
    const told = new Map(diffBetween(before, after).map((each) => [each.path, each]));
    const [old, young] = [rowsByPath(before), rowsByPath(after)];
    for (const path of new Set([...old.keys(), ...young.keys()])) {
      const [was, is] = [old.get(path), young.get(path)];
      const key = (row?: StoredRow) => row === undefined ? "" : `${row.kind} ${row.data.join()}`;
      assert.equal(told.has(path), key(was) !== key(is), path);
      const change = was === undefined ? "added" : is === undefined ? "removed" : "changed";
      if (told.has(path)) assert.equal(told.get(path)?.change, change);
    }
  }));
});

Deno.test("undoOf() the newest transaction brings back the tree before it, whatever it did", () => {
  fc.assert(fc.property(steps, (all) => {
    const keeper = played(all);
    const index = keeper.records.length;
    const undo = keeper.undo(index);
    if ("code" in undo) {
      const [record] = keeper.records;
      const same = JSON.stringify(shown(keeper.trees[index] ?? [])) ===
        JSON.stringify(shown(keeper.trees[index - 1] ?? []));
      assert.ok(record?.problem !== "" || same, undo.why);
      return;
    }
    keeper.apply(undo.operations, { expect: undo.expect, time: 7 });
    assert.equal(keeper.records[0]?.problem, "", keeper.records[0]?.why);
    const dates = (rows: readonly StoredRow[]) => shown(rows);
    assert.deepEqual(dates(keeper.trees[index + 1] ?? []), dates(keeper.trees[index - 1] ?? []));
  }));
});

Deno.test("undoOf() leaves alone what the transaction named and did not touch", () => {
  const keeper = new Keeper();
  keeper.apply([{ op: "mkdir", path: "d" }]);
  keeper.apply([{ op: "rename", path: "d", to: "d" }, { op: "mkdir", path: "a" }]);
  const undo = keeper.undo(2);
  assert.ok(!("code" in undo));
  assert.deepEqual(undo.operations, [{ op: "rmdir", path: "a" }]);
});

Deno.test("undoOf() an older one changes its own paths back, and is refused where others came after", () => {
  fc.assert(fc.property(steps, fc.nat(), (all, which) => {
    const keeper = played(all);
    const count = keeper.records.length;
    const index = 1 + which % count;
    const record = keeper.records[count - index];
    assert.ok(record);
    const before = keeper.trees[count] ?? [];
    const undo = keeper.undo(index);
    const paths = pathsNamed(transactionOf(record) ?? write(0, []));
    const near = (path: string) =>
      [...paths].some((each) =>
        each === path || path.startsWith(`${each}/`) || each.startsWith(`${path}/`)
      );
    const touched = keeper.records.some((each) =>
      each.index > index && each.problem === "" &&
      [...pathsNamed(transactionOf(each) ?? write(0, []))].some(near)
    );
    if ("code" in undo) return;
    assert.equal(touched, false, "it would take back more than that");
    keeper.apply(undo.operations, { expect: undo.expect });
    assert.equal(keeper.records[0]?.problem, "", keeper.records[0]?.why);
    for (const { path } of diffBetween(before, keeper.trees[count + 1] ?? [])) {
      assert.ok(paths.has(path), `${path} is none of its paths`);
    }
  }));
});

Deno.test("undoOf() refuses with a sentence: who came after, what was refused, what is not kept", () => {
  const keeper = new Keeper();
  keeper.apply([{ op: "mkdir", path: "d" }]);
  keeper.apply([{ op: "create", path: "d/a" }], { author: "root@nodeB" });
  keeper.apply([{ op: "remove", path: "nothing" }]);
  keeper.apply([{ op: "utime", path: "d/a", mtime: 1 }]);
  const why = (index: number) => {
    const undo = keeper.undo(index);
    assert.ok("code" in undo);
    return `${undo.code} ${undo.why}`;
  };
  assert.match(why(1), /cannot-undo transaction 4 of test touched "d\/a" after it/);
  assert.match(why(3), /cannot-undo transaction 3 was refused/);
  assert.match(why(4), /cannot-undo everything is as it was before it/);
  const [, , record] = keeper.records;
  assert.ok(record);
  const undo = undoOf({ ...record, undo: null }, { tree: keeper.replica.tree, later: [] });
  assert.ok("code" in undo && undo.code === "config.no-history");
});

Deno.test("undoOf() puts no decision of the manager back, nor an order to it that was followed", () => {
  const keeper = new Keeper();
  keeper.apply([{ op: "mkdir", path: "ha" }]);
  const write = (path: string, text: string): readonly Operation[] => [
    { op: "truncate", path, size: 0 },
    { op: "write", path, offset: 0, data: new TextEncoder().encode(text) },
  ];
  for (const path of ["ha/crm_commands", "ha/manager_status", "ha/resources.cfg"]) {
    keeper.apply([{ op: "create", path }, ...write(path, "confirm-dead nodeB\n")]);
    const { index } = keeper.apply(write(path, ""));
    const undo = keeper.undo(index);
    if (path === "ha/resources.cfg") assert.ok("operations" in undo, "it is a person's");
    else assert.ok("code" in undo && undo.why.startsWith(`"${path}" is the manager's`), path);
  }
  // A machine's definition moves with the decision, and stays with it.
  keeper.apply([{ op: "create", path: "m" }]);
  const moved: readonly Operation[] = [
    { op: "rename", path: "m", to: "n" },
    ...write("ha/manager_status", "x"),
  ];
  assert.ok("code" in keeper.undo(keeper.apply(moved).index));
});

Deno.test("what takes a transaction back is proposed only where it fits one transaction", () => {
  const keeper = new Keeper();
  const big = new Uint8Array(FILE_BYTES_MAX).fill(3);
  for (const path of ["a", "b"]) {
    keeper.apply([{ op: "create", path }, { op: "write", path, offset: 0, data: big }]);
  }
  keeper.apply([{ op: "remove", path: "a" }]);
  const one = keeper.undo(3);
  assert.ok(!("code" in one));
  keeper.apply(one.operations, { expect: one.expect });
  assert.deepEqual(keeper.replica.tree.find("a")?.data, big);
  keeper.apply([{ op: "remove", path: "a" }, { op: "remove", path: "b" }]);
  const both = keeper.undo(5);
  assert.ok("code" in both);
  assert.match(both.why, /2097152 bytes at once/);
});

Deno.test("an undo record that is too long is not kept, and the transaction is applied all the same", () => {
  const keeper = new Keeper();
  const count = UNDO_BYTES_MAX / FILE_BYTES_MAX;
  const data = new Uint8Array(FILE_BYTES_MAX);
  const paths = Array.from({ length: count + 1 }, (_, at) => `f${at}`);
  for (const path of paths) {
    keeper.apply([{ op: "create", path }, { op: "write", path, offset: 0, data }]);
  }
  const removed = (many: number) =>
    paths.slice(0, many).map((path) => ({ op: "remove", path }) as const);
  const record = keeper.apply(removed(count + 1));
  assert.equal(record.undo, null);
  assert.equal(record.problem, "");
  assert.equal(keeper.replica.tree.size, 0);
});

Deno.test("historyLine() says what was done, by whom, and why it failed; null for what it cannot read", () => {
  const keeper = new Keeper();
  const operations: Operation[] = [{ op: "create", path: "a" }, {
    ...{ op: "write", path: "a", offset: 0, data: encodeText("hello") },
  }];
  const made = keeper.apply(operations, { author: "root@nodeA", reason: "why not", time: 9 });
  assert.deepEqual(historyLine(made), {
    ...{ txn_id: 1, term: 1, author: "root@nodeA", reason: "why not", time: 9 },
    ...{ diff: ["create a", "write a +5"], problem: null },
  });
  const failed = keeper.apply([{ op: "create", path: "a" }]);
  assert.equal(historyLine(failed)?.problem, "config.exists");
  assert.equal(historyLine({ ...made, body: Uint8Array.of(200, 1, 2) }), null);
  const noop = encodeEntry({ kind: "noop" });
  assert.equal(historyLine({ ...made, body: noop }), null);
  assert.deepEqual(
    [...pathsNamed(write(1, [{ op: "rename", path: "a", to: "b" }, { op: "remove", path: "a" }]))],
    ["a", "b"],
  );
});
