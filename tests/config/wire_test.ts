import assert from "node:assert/strict";
import fc from "fast-check";
import { encodeText } from "../../mod/base/bytes.ts";
import { changeFault, messageFault, TERM_MAX, transactionFault } from "../../mod/config/faults.ts";
import {
  decodeEntry,
  decodeMessage,
  encodeEntry,
  encodeMessage,
  ENTRY_BYTES_MAX,
  FILE_BYTES_MAX,
  OPERATIONS_MAX,
  PATH_BYTES_MAX,
} from "../../mod/config/wire.ts";
import { FRAME_BYTES_MAX } from "../../mod/config/channel.ts";
import type { Operation, SpecChange, Transaction } from "../../mod/streams.ts";
import { anyEntry, anyMessage, anyTransaction, damaged } from "./arbitrary.ts";
import { entryOfTerm, Lone, transactionOf } from "./lone.ts";
import { specOf } from "./cluster.ts";

Deno.test("messages and entries come back from the wire as they were", () => {
  fc.assert(fc.property(anyMessage, (message) => {
    assert.deepEqual(decodeMessage(encodeMessage(message)), message);
  }));
  fc.assert(fc.property(anyEntry, (entry) => {
    assert.deepEqual(decodeEntry(encodeEntry(entry)), entry);
  }));
});

Deno.test("decodeMessage() and decodeEntry() never throw, and read nothing twice or past the end", () => {
  const wholes = fc.oneof(anyMessage.map(encodeMessage), anyEntry.map(encodeEntry));
  fc.assert(
    fc.property(fc.oneof(damaged(wholes), fc.uint8Array({ maxLength: 200 })), (bytes) => {
      // What lies behind the frame in the same buffer must not be seen.
      const room = new Uint8Array(bytes.length + 64).fill(0xff);
      room.set(bytes);
      const inside = room.subarray(0, bytes.length);
      for (const decode of [decodeMessage, decodeEntry]) {
        assert.deepEqual(decode(inside), decode(bytes));
      }
      const message = decodeMessage(bytes);
      if (message !== null) assert.deepEqual(encodeMessage(message), bytes, "one form only");
      const entry = decodeEntry(bytes);
      if (entry !== null) assert.deepEqual(encodeEntry(entry), bytes);
    }),
    { numRuns: 3000 },
  );
});

Deno.test("decodeMessage() sets nothing aside for counts and lengths that the bytes do not bear out", () => {
  const append = encodeMessage({
    kind: "append",
    ...{ term: 1, prevIndex: 0, prevTerm: 0, commit: 0, round: 0 },
    entries: [entryOfTerm(1)],
  });
  const countAt = 1 + 3 * 8;
  for (const [at, value] of [[countAt, 0xff], [countAt + 2 + 8, 0xff]] as const) {
    const lying = append.slice();
    lying[at] = value;
    assert.equal(decodeMessage(lying), null);
  }
});

Deno.test("transactionFault() passes only what can be encoded into one frame", () => {
  fc.assert(fc.property(anyTransaction, (transaction) => {
    if (transactionFault(transaction) !== null) return;
    assert.ok(
      encodeEntry({ kind: "transaction", writer: 1, transaction }).length <= ENTRY_BYTES_MAX,
    );
  }));
  const long = "x".repeat(PATH_BYTES_MAX);
  const whole = new Uint8Array(FILE_BYTES_MAX);
  const biggest: Transaction = {
    ...transactionOf(1, [{ op: "write", path: long, offset: 0, data: whole }]),
    ...{ author: "ü".repeat(80), reason: "ü".repeat(300) },
  };
  assert.equal(transactionFault(biggest), null);
  const ask = { kind: "propose", transaction: biggest } as never;
  assert.ok(encodeMessage({ kind: "forward", id: 1, ask }).length <= FRAME_BYTES_MAX);

  const rename: Operation = { op: "rename", path: long, to: long };
  const create = (path: string): Operation => ({ op: "create", path });
  const bad: [string, readonly Operation[], Partial<Transaction>?][] = [
    ["a path too long", [create(`${long}x`)]],
    ["a path too long in bytes", [create("ü".repeat(PATH_BYTES_MAX / 2 + 1))]],
    ["a new name too long", [{ op: "rename", path: "a", to: `${long}x` }]],
    ["too many", Array.from({ length: OPERATIONS_MAX + 1 }, () => create("a"))],
    ["more than a frame", Array.from({ length: OPERATIONS_MAX }, () => rename)],
    ["too much", [1, 2].map((): Operation => ({ op: "write", path: "a", offset: 0, data: whole }))],
    ["an offset", [{ op: "write", path: "a", offset: -1, data: new Uint8Array(1) }]],
    ["an offset", [{ op: "write", path: "a", offset: 2 ** 32, data: new Uint8Array(1) }]],
    ["a size", [{ op: "truncate", path: "a", size: 0.5 }]],
    ["a time", [{ op: "utime", path: "a", mtime: NaN }]],
    ["a version", [create("a")], { expect: [{ path: "a", version: -1 }] }],
    ["an expected path", [create("a")], { expect: [{ path: `${long}x`, version: 0 }] }],
    ["a base", [create("a")], { base: Infinity }],
    ["an author", [create("a")], { author: "x".repeat(81) }],
    ["a reason", [create("a")], { reason: "x".repeat(301) }],
  ];
  for (const [what, operations, rest] of bad) {
    const transaction = transactionOf(1, operations, rest);
    assert.notEqual(transactionFault(transaction), null, what);
    // And the core says so, whether it leads or forwards; it does not end the process.
    for (const leads of [true, false]) {
      const lone = new Lone();
      if (leads) lone.lead(2);
      lone.propose("t", transaction);
      const outcome = lone.outcomes.get("t");
      assert.ok(outcome && !outcome.ok && outcome.problem.code === "config.too-large", what);
    }
  }
});

Deno.test("changeFault() passes only what can be encoded", () => {
  const learner = { change: "add-learner", name: "c", links: ["c:1"], peer: "c:2" } as const;
  assert.equal(changeFault(learner), null);
  assert.equal(changeFault({ change: "witness", disk: null }), null);
  const bad: SpecChange[] = [
    { ...learner, name: "x".repeat(64) },
    { ...learner, links: Array.from({ length: 9 }, () => "c:1") },
    { ...learner, links: ["x".repeat(256)] },
    { ...learner, peer: "ü".repeat(128) },
    { change: "promote", node: 70_000 as never },
    { change: "remove", node: -1 as never },
    { change: "witness", disk: "sda" },
    { change: "rename", node: 1 as never, name: "x".repeat(64) },
    { change: "rename", node: 70_000 as never, name: "x" },
    { change: "readdress", node: -1 as never, links: ["c:1"], peer: "c:2" },
    { change: "readdress", node: 1 as never, links: ["c:1"], peer: "ü".repeat(128) },
  ];
  for (const change of bad) {
    assert.notEqual(changeFault(change), null, JSON.stringify(change));
    const lone = new Lone();
    lone.hear(2, {
      kind: "append",
      ...{ term: 1, prevIndex: 0, prevTerm: 0, entries: [], commit: 0, round: 0 },
    });
    lone.request({ request: "config.change-spec", tag: "t", change });
    assert.equal(lone.outcomes.get("t")?.ok, false);
  }
});

Deno.test("messageFault() refuses what could be stored but never applied or counted on from", () => {
  const append = (entry: { term: number; body: Uint8Array }) => ({
    kind: "append" as const,
    ...{ term: 1, prevIndex: 0, prevTerm: 0, commit: 1, round: 0 },
    entries: [entry],
  });
  assert.equal(messageFault(append(entryOfTerm(1))), null);
  const nobody = { ...specOf(1, false), members: [] };
  const bad = [
    append({ term: 1, body: encodeText("nonsense") }),
    append({ term: 1, body: new Uint8Array(0) }),
    append(entryOfTerm(1, { kind: "spec", spec: nobody, highest: 1 })),
    append(entryOfTerm(TERM_MAX + 1)),
    { ...append(entryOfTerm(1)), term: TERM_MAX + 1 },
    {
      kind: "vote" as const,
      ...{ term: TERM_MAX + 1, pre: false, transfer: false, lastIndex: 0, lastTerm: 0 },
    },
    { kind: "vote-reply" as const, term: TERM_MAX + 1, pre: false, granted: false },
  ];
  for (const message of bad) {
    assert.notEqual(messageFault(message), null);
    const lone = new Lone();
    lone.hear(2, message);
    assert.deepEqual(lone.database.content.entries, []);
    assert.equal(lone.core.view().term, 0);
    assert.deepEqual(lone.sent, []);
  }
});
