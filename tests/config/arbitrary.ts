/** Values that stream 2 says and stores, drawn for property tests. */
import fc from "fast-check";
import type { ClusterSpec } from "../../mod/base/cluster.ts";
import { requestId } from "../../mod/base/id.ts";
import type { Ask, Entry, Message } from "../../mod/config/wire.ts";
import type { Operation, Transaction } from "../../mod/streams.ts";
import { encodeEntry } from "../../mod/config/wire.ts";
import { specOf } from "./cluster.ts";

/** A record with the usual prototype, as decoders make them. */
function plain<T>(model: { [K in keyof T]: fc.Arbitrary<T[K]> }): fc.Arbitrary<T> {
  return fc.record(model, { noNullPrototype: true }) as fc.Arbitrary<T>;
}

const count = fc.oneof(fc.nat(300), fc.maxSafeNat());
const u32 = fc.oneof(fc.nat(300), fc.integer({ min: 0, max: 2 ** 32 - 1 }));
const path = fc.oneof(fc.constantFrom("a", "ha/resources.cfg", "ü/é"), fc.string({ maxLength: 40 }))
  .map((text) => text.replaceAll(/[\ud800-\udfff]/g, "?"));
const data = fc.uint8Array({ maxLength: 60 });

export const anyOperation: fc.Arbitrary<Operation> = fc.oneof(
  fc.tuple(fc.constantFrom("create", "remove", "mkdir", "rmdir"), path)
    .map(([op, path]) => ({ op, path }) as Operation),
  plain({ op: fc.constant("write" as const), path, offset: u32, data }),
  plain({ op: fc.constant("truncate" as const), path, size: u32 }),
  plain({ op: fc.constant("rename" as const), path, to: path }),
  plain({ op: fc.constant("utime" as const), path, mtime: count }),
);

export const anyTransaction: fc.Arbitrary<Transaction> = plain({
  request: fc.uint8Array({ minLength: 8, maxLength: 8 }).map((bytes) => requestId(bytes.toHex())),
  base: count,
  expect: fc.array(plain({ path, version: count }), { maxLength: 4 }),
  operations: fc.array(anyOperation, { maxLength: 4 }),
  author: path,
  reason: path,
  time: count,
});

export const anySpec: fc.Arbitrary<ClusterSpec> = fc
  .tuple(fc.integer({ min: 1, max: 6 }), fc.boolean())
  .map(([nodes, witness]) => specOf(nodes, witness));

const life = fc.uint8Array({ minLength: 8, maxLength: 8 }).map((bytes) => bytes.toHex());
const wide = fc.bigInt({ min: 0n, max: 2n ** 64n - 1n });
const locks = {
  ...{ node: fc.nat(0xffff), life, before: life, seq: count },
  commands: fc.array(
    plain({
      type: fc.constantFrom("posix" as const, "flock" as const),
      kind: fc.constantFrom("read" as const, "write" as const, "unlock" as const),
      ...{ ino: count, owner: wide, start: wide, end: wide, pid: u32 },
    }),
    { maxLength: 4 },
  ),
};

export const anyEntry: fc.Arbitrary<Entry> = fc.oneof(
  fc.constant<Entry>({ kind: "noop" }),
  plain({
    kind: fc.constant("transaction" as const),
    writer: fc.nat(0xffff),
    transaction: anyTransaction,
  }),
  plain({ kind: fc.constant("spec" as const), spec: anySpec, highest: fc.nat(0xffff) }),
  plain({
    kind: fc.constant("forced" as const),
    ...{ spec: anySpec, highest: fc.nat(0xffff), writer: fc.nat(0xffff) },
    out: fc.array(plain({ id: fc.integer({ min: 1, max: 0xffff }), name: fc.constant("b") }), {
      maxLength: 3,
    }),
    request: fc.uint8Array({ minLength: 8, maxLength: 8 }).map((bytes) => bytes.toHex()),
    ...{ author: path, reason: path, time: count },
  }),
  plain({ kind: fc.constant("locks" as const), ...locks }),
  plain({ kind: fc.constant("locks-release" as const), node: fc.nat(0xffff), life }),
);

const anyAsk = fc.oneof(
  anyTransaction.map((transaction) => ({ kind: "propose", transaction })),
  fc.constant({ kind: "change", change: { kind: "remove", node: 2 } }),
  fc.constant({ kind: "change", change: { kind: "witness", disk: "0".repeat(32) } }),
  fc.constant({ kind: "change", change: { kind: "add-learner", name: "c", links: [], peer: "x" } }),
  fc.constant({ kind: "barrier" }),
  fc.constantFrom({ kind: "transfer", to: null }, { kind: "transfer", to: 7 }),
) as fc.Arbitrary<Ask>;

export const anyMessage: fc.Arbitrary<Message> = fc.oneof(
  plain({
    kind: fc.constant("append" as const),
    ...{ term: count, prevIndex: count, prevTerm: count, commit: count, round: count },
    entries: fc.array(plain({ term: count, body: anyEntry.map(encodeEntry) }), {
      maxLength: 3,
    }),
  }),
  plain({
    kind: fc.constant("append-reply" as const),
    ...{ term: count, ok: fc.boolean(), index: count, applied: count, round: count },
    ...{ chain: u32, state: u32, diverged: fc.boolean() },
  }),
  plain({
    kind: fc.constant("vote" as const),
    ...{ term: count, pre: fc.boolean(), transfer: fc.boolean() },
    ...{ lastIndex: count, lastTerm: count },
  }),
  plain({
    kind: fc.constant("vote-reply" as const),
    ...{ term: count, pre: fc.boolean(), granted: fc.boolean() },
  }),
  plain({ kind: fc.constant("forward" as const), id: count, ask: anyAsk }),
  plain({
    kind: fc.constant("forward-reply" as const),
    id: count,
    answer: fc.oneof(
      plain({ kind: fc.constant("done" as const), index: count, crc32: u32 }),
      plain({ kind: fc.constant("refused" as const), code: path, why: path }),
      plain({ kind: fc.constant("barrier" as const), ok: fc.boolean(), index: count }),
    ),
  }),
  plain({
    kind: fc.constant("snapshot" as const),
    ...{ term: count, transfer: count, index: count, lastTerm: count, at: count },
    ...{ chain: u32, state: u32, crc: u32, whole: u32 },
    ...{ forced: fc.boolean(), last: fc.boolean(), body: fc.uint8Array({ maxLength: 40 }) },
  }),
  plain({
    kind: fc.constant("snapshot-reply" as const),
    ...{ term: count, transfer: count, next: count, done: fc.boolean() },
  }),
  plain({
    kind: fc.constant("timeout-now" as const),
    ...{ term: count, lastIndex: count, lastTerm: count },
  }),
  plain({ kind: fc.constant("removed" as const), index: count }),
  plain({ kind: fc.constant("locks" as const), ...locks }),
  plain({
    kind: fc.constant("recovery" as const),
    ...{ term: count, nonce: count, known: fc.boolean() },
  }),
  plain({
    kind: fc.constant("recovered" as const),
    ...{ term: count, nonce: count, commit: count },
  }),
  plain({ kind: fc.constant("lost" as const), term: count }),
  plain({ kind: fc.constant("unlock" as const), path, version: count }),
  plain({ kind: fc.constant("log-ask" as const) }),
  plain({
    kind: fc.constant("log" as const),
    entries: fc.array(
      plain({
        ...{ uid: count, time: count, pri: fc.nat(9), pid: u32 },
        ...{ tag: path, node: fc.constantFrom("node1", "n", "no name"), user: path, msg: path },
      }),
      { maxLength: 4 },
    ),
  }),
);

/** Ways in which bytes are damaged: turned, cut, lengthened, replaced. */
export function damaged(bytes: fc.Arbitrary<Uint8Array>): fc.Arbitrary<Uint8Array> {
  return fc.tuple(bytes, fc.nat(3), fc.nat(), fc.uint8Array({ minLength: 1, maxLength: 8 }))
    .map(([whole, how, at, more]) => {
      const place = at % Math.max(1, whole.length);
      if (how === 0) return whole.slice(0, place);
      if (how === 1) return Uint8Array.of(...whole, ...more);
      const turned = whole.slice();
      if (how === 2 && turned.length > 0) turned[place] = (turned[place] ?? 0) ^ (1 << (at % 8));
      else turned.set(more.subarray(0, turned.length - place), place);
      return turned;
    });
}
