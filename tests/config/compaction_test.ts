/** A log with a base: what is let go, when, and what must be left of it. */
import assert from "node:assert/strict";
import fc from "fast-check";
import { compactTo, CONFIG_LIMITS, type ConfigLimits } from "../../mod/config/compaction.ts";
import { Log } from "../../mod/config/log.ts";
import { Desk, specOf } from "./cluster.ts";
import { entryOfTerm, Lone } from "./lone.ts";

const SMALL: ConfigLimits = { ...CONFIG_LIMITS, tailBytes: 0, tailEntries: 4, chunkBytes: 300 };

function logOf(sizes: readonly number[]): Log {
  const log = new Log([]);
  sizes.forEach((size, at) => log.append(1 + Math.floor(at / 3), new Uint8Array(size).fill(at)));
  return log;
}

const sizes = fc.array(fc.nat(50), { minLength: 1, maxLength: 40 });

Deno.test("Log.compact() changes nothing behind the new base, whatever comes after it", () => {
  fc.assert(fc.property(sizes, fc.nat(), sizes, (first, at, then) => {
    const [whole, cut] = [logOf(first), logOf(first)];
    const base = 1 + at % first.length;
    cut.compact(base);
    for (const size of then) {
      for (const log of [whole, cut]) log.append(99, new Uint8Array(size).fill(7));
    }
    assert.equal(cut.last, whole.last);
    assert.equal(cut.lastTerm, whole.lastTerm);
    assert.equal(cut.bytes, whole.bytesBetween(base, whole.last));
    for (let index = base; index <= whole.last; index++) {
      assert.equal(cut.termAt(index), whole.termAt(index));
      assert.equal(cut.chainAt(index), whole.chainAt(index));
      if (index > base) assert.deepEqual(cut.at(index)?.body, whole.at(index)?.body);
    }
    for (let index = 0; index < base; index++) {
      assert.equal(cut.termAt(index), undefined, "nobody can tell any more");
      assert.equal(cut.at(index), undefined);
    }
    const again = new Log(cut.from(base + 1), cut.base);
    assert.equal(again.chainAt(again.last), cut.chainAt(again.last), "as after a restart");
  }));
});

Deno.test("Log.truncate() never reaches up to the base", () => {
  const log = logOf([1, 1, 1, 1]);
  log.compact(2);
  assert.throws(() => log.truncate(2), /cannot be taken back/);
  log.truncate(3);
  assert.equal(log.last, 2);
  assert.throws(() => log.compact(3), /an entry that it holds/);
});

Deno.test("Log.restart() keeps what follows only where the new base is in it", () => {
  const log = logOf([1, 2, 3, 4]);
  const base = { index: 2, term: log.termAt(2) ?? 0, chain: log.chainAt(2) ?? 0 };
  const kept = logOf([1, 2, 3, 4]);
  kept.restart(base, true);
  assert.deepEqual([kept.last, kept.chainAt(4)], [4, log.chainAt(4)]);
  assert.throws(() => logOf([9, 9, 9]).restart({ ...base, chain: 5 }, true), /holds the new base/);
  log.restart({ index: 70, term: 9, chain: 5 }, false);
  assert.deepEqual([log.last, log.lastTerm, log.chainAt(70), log.bytes], [70, 9, 5, 0]);
});

Deno.test("compactTo() leaves the tail that is asked for, and no more than there is room for", () => {
  const limits = fc.record({
    ...{ tailBytes: fc.nat(300), tailEntries: fc.nat(20) },
    tailBytesMax: fc.integer({ min: 100, max: 900 }),
    chunkBytes: fc.constant(1000),
  });
  const needed = fc.option(fc.nat(40));
  fc.assert(fc.property(sizes, fc.nat(), limits, needed, (entries, at, limit, keep) => {
    const log = logOf(entries);
    const applied = at % (log.last + 1);
    for (let base = 0;;) {
      const next = compactTo({ log, applied, needed: keep }, limit);
      if (next === null) break;
      assert.ok(next > base && next <= applied, `${base} → ${next}, applied ${applied}`);
      // What goes is not needed for the tail, or there was no room for it.
      const gone = log.bytesBetween(next - 1, next);
      const room = log.bytesBetween(next, applied);
      const spare = room >= limit.tailBytes && applied - next >= limit.tailEntries &&
        (keep === null || next <= keep);
      assert.ok(spare || room + gone > limit.tailBytesMax);
      log.compact(next);
      base = next;
    }
    const one = Math.max(...entries);
    assert.ok(log.bytesBetween(log.base.index, applied) <= limit.tailBytesMax + one);
  }));
});

Deno.test("a replica lets its log go as it applies, and comes back with base, tree and members", () => {
  const desk = new Desk(1, { ...specOf(3, false), members: specOf(1, false).members });
  const [node] = desk.nodes;
  assert.ok(node);
  desk.crash(node);
  desk.limits = SMALL;
  desk.start(node);
  desk.until(() => desk.leader() === node);
  const change = { change: "profile", profile: "standard" } as const;
  desk.feed(node, {
    kind: "request",
    request: { request: "config.change-spec", tag: "profile", change },
  });
  for (let at = 0; at < 40; at++) desk.propose(node, at);
  desk.until(() => node.core?.stat("f39") !== null);
  desk.run(100);
  const before = node.core?.view();
  assert.ok(before && before.logBase >= before.applied - 10, `${before?.logBase}`);
  assert.ok(node.database.content.entries.length <= 10);
  assert.equal(node.database.content.base.index, before.logBase);
  desk.crash(node);
  desk.start(node);
  const view = node.core?.view();
  assert.deepEqual([view?.lastIndex, view?.applied], [before.lastIndex, before.applied]);
  assert.equal(view?.committedChain, before.committedChain);
  const spec = desk.facts.flatMap(({ fact }) => fact.fact === "config.spec" ? [fact.spec] : []);
  assert.equal(spec.at(-1)?.profile, "standard", "though its entry is gone");
  desk.until(() => desk.leader() === node);
  const tag = desk.propose(node, 7);
  desk.until(() => desk.outcomes.has(tag));
  assert.equal(desk.outcomes.get(tag)?.ok, true, "a retry of what was applied before");
});

Deno.test("a follower takes an append that begins before its own log's base", () => {
  const lone = new Lone(specOf(3, false), SMALL);
  const entries = Array.from({ length: 20 }, () => entryOfTerm(1));
  const append = { kind: "append", term: 1, prevIndex: 0, prevTerm: 0, round: 0 } as const;
  lone.hear(2, { ...append, entries, commit: 20 });
  const base = lone.core.view().logBase;
  assert.ok(base > 10);
  // All of it is known, some of it is known, and none of it may be contradicted.
  lone.hear(2, { ...append, entries: entries.slice(0, 3), commit: 20 });
  assert.deepEqual([lone.last(2, "append-reply")?.ok, lone.last(2, "append-reply")?.index], [
    true,
    base,
  ]);
  lone.hear(2, { ...append, entries: [...entries, entryOfTerm(1)], commit: 21 });
  assert.equal(lone.last(2, "append-reply")?.index, 21);
  assert.equal(lone.core.view().committed, 21);
});

Deno.test("an append to a member is bounded by bytes, and goes on as they are acknowledged", () => {
  const lone = new Lone();
  lone.lead(2);
  const data = new Uint8Array(700 * 1024);
  for (let at = 0; at < 10; at++) {
    const path = `f${at}`;
    lone.propose(path, {
      request: `${at}`.padStart(16, "0") as never,
      ...{ base: 0, expect: [], author: "", reason: "", time: 0 },
      operations: [{ op: "create", path }, { op: "write", path, offset: 0, data }],
    });
  }
  const sent = () =>
    lone.sent.flatMap(({ to, message }) =>
      to === 3 && message.kind === "append" ? message.entries : []
    ).reduce((sum, { body }) => sum + body.length, 0);
  const first = sent();
  assert.ok(first >= 2 * 1024 * 1024 && first < 3 * 1024 * 1024, `${first}`);
  lone.acknowledge(3, 1);
  assert.equal(sent(), first, "a beat's answer makes no room");
  for (let index = 2; index <= lone.core.view().lastIndex; index++) lone.acknowledge(3, index);
  assert.equal(
    sent(),
    lone.database.content.entries.reduce((sum, { body }) => sum + body.length, 0),
  );
});
