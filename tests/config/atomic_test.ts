/** Whatever is applied: all or nothing, the same on every replica, and the same after a restart. */
import assert from "node:assert/strict";
import fc from "fast-check";
import { Replica, REQUEST_WINDOW } from "../../mod/config/replica.ts";
import { Tree } from "../../mod/config/tree.ts";
import type { Entry } from "../../mod/config/wire.ts";
import type { DatabaseContent } from "../../mod/host/ports.ts";
import type { Operation } from "../../mod/streams.ts";
import { FakeDatabase } from "./cluster.ts";
import { transactionOf } from "./lone.ts";

const path = fc.constantFrom("a", "b", "d", "d/a", "d/b", "d/d", "d/d/a", "../x");
const operation: fc.Arbitrary<Operation> = fc.oneof(
  path.map((path): Operation => ({ op: "create", path })),
  path.map((path): Operation => ({ op: "mkdir", path })),
  path.map((path): Operation => ({ op: "remove", path })),
  path.map((path): Operation => ({ op: "rmdir", path })),
  fc.tuple(path, path).map(([path, to]): Operation => ({ op: "rename", path, to })),
  fc.tuple(path, fc.nat(4)).map(([path, size]): Operation => ({ op: "truncate", path, size })),
  fc.tuple(path, fc.nat(9)).map(([path, mtime]): Operation => ({ op: "utime", path, mtime })),
  fc.tuple(path, fc.nat(3), fc.uint8Array({ maxLength: 3 }))
    .map(([path, offset, data]): Operation => ({ op: "write", path, offset, data })),
);
const history = fc.array(
  fc.record({ operations: fc.array(operation, { maxLength: 5 }), number: fc.nat(30) }),
  { maxLength: 40 },
);

function entry(number: number, operations: readonly Operation[], base = 0): Entry {
  return {
    kind: "transaction",
    writer: 1,
    transaction: transactionOf(number, operations, { base }),
  };
}

function shot(tree: Tree): string {
  const rows = [...tree.all().rows].sort((a, b) => a.ino - b.ino);
  return JSON.stringify([tree.all().changes.map(({ path }) => path).sort(), rows, tree.bytes]);
}

/** Applies and stores, as the node does. */
function apply(replica: Replica, database: FakeDatabase, index: number, what: Entry) {
  const step = replica.apply(index, what);
  const { rows, removed, history } = step;
  database.write({
    applied: {
      ...{ index, term: 1, stateCrc: replica.crc, rows, removed },
      history: history === null ? [] : [{ ...history, term: 1 }],
      forget: 0,
    },
  });
  return step;
}

function fresh(stored: DatabaseContent = new FakeDatabase().content): Replica {
  return new Replica(stored);
}

Deno.test("Tree.apply() that refuses leaves every row, name and byte as it was", () => {
  fc.assert(
    fc.property(history, (steps) => {
      const tree = new Tree([]);
      steps.forEach(({ operations }, at) => {
        const before = shot(tree);
        const result = tree.apply(transactionOf(at, operations), { index: at + 1, writer: 1 });
        if ("code" in result) assert.equal(shot(tree), before);
        // Nothing is lost from sight: every row can be reached by a path.
        assert.equal(tree.all().changes.length, tree.size);
      });
    }),
    { numRuns: 1000 },
  );
});

Deno.test("Replica.apply() gives one tree, one CRC and one answer on every replica, restarted or not", () => {
  fc.assert(
    fc.property(history, fc.nat(40), (steps, restartAt) => {
      const [first, database] = [fresh(), new FakeDatabase()];
      let second = fresh();
      steps.forEach(({ operations, number }, at) => {
        const index = at + 1;
        const what = entry(number, operations);
        if (at === restartAt) second = fresh(database.content);
        const one = first.apply(index, what);
        const two = apply(second, database, index, what);
        assert.deepEqual(one, two);
        assert.equal(first.crc, second.crc);
      });
      assert.equal(shot(first.tree), shot(second.tree));
      assert.equal(shot(new Tree(database.content.rows)), shot(first.tree), "as stored");
    }),
    { numRuns: 500 },
  );
});

Deno.test("Replica.apply() changes the CRC with each change, each refusal, and nothing else", () => {
  const replica = fresh();
  const crcs = new Set<number>();
  const make = [{ op: "create", path: "a" }] as const;
  replica.apply(1, entry(1, make));
  crcs.add(replica.crc);
  replica.apply(2, entry(2, make));
  crcs.add(replica.crc);
  assert.equal(crcs.size, 2, "two replicas that differ about a refusal differ in their CRC");
  const before = replica.crc;
  replica.apply(3, { kind: "noop" });
  replica.apply(4, entry(1, make));
  replica.apply(5, entry(2, make));
  assert.equal(replica.crc, before, "neither a retry nor an empty entry changes anything");
});

Deno.test("Replica.apply() answers a retried request with what became of the first", () => {
  const replica = fresh();
  const done = replica.apply(1, entry(1, [{ op: "create", path: "a" }]));
  assert.ok(done.outcome.ok);
  const refused = replica.apply(2, entry(2, [{ op: "create", path: "a" }]));
  assert.ok(!refused.outcome.ok && refused.outcome.problem.code === "config.exists");
  replica.apply(3, entry(3, [{ op: "remove", path: "a" }]));
  const [again, no] = [
    replica.apply(4, entry(1, [{ op: "create", path: "a" }])),
    replica.apply(5, entry(2, [{ op: "create", path: "a" }])),
  ];
  assert.ok(again.outcome.ok && again.outcome.index === 1);
  assert.deepEqual([again.rows, again.removed, again.changes], [[], [], []]);
  assert.equal(replica.tree.find("a"), null, "it was not created once more");
  assert.ok(!no.outcome.ok && no.outcome.problem.code === "config.exists", "nor is a no turned");
});

Deno.test("Replica.apply() refuses a request that is too old to be remembered, or from the future", () => {
  const replica = fresh();
  const far = REQUEST_WINDOW + 10;
  const expired = (index: number, base: number) => {
    const { outcome } = replica.apply(index, entry(index, [{ op: "create", path: "a" }], base));
    return !outcome.ok && outcome.problem.code === "config.expired-request";
  };
  assert.ok(expired(far, 9), "one index too old");
  assert.ok(expired(far + 1, far + 1), "a base that is not there yet would never be too old");
  assert.ok(!expired(far + 2, 12), "the oldest that is still known");
  // At the edge of the window: still known as a retry; one later neither known nor applied.
  const edge = fresh();
  assert.ok(edge.apply(2, entry(1, [{ op: "create", path: "a" }], 1)).outcome.ok);
  const retry = edge.apply(2 + REQUEST_WINDOW, entry(1, [{ op: "create", path: "a" }], 1)).outcome;
  assert.ok(retry.ok && retry.index === 2);
  const late = edge.apply(3 + REQUEST_WINDOW, entry(1, [{ op: "create", path: "b" }], 1)).outcome;
  assert.ok(!late.ok && late.problem.code === "config.expired-request");
});
