/** More writes than the disks can take: they wait in order, bounded, and none is told what is not so. */
import assert from "node:assert/strict";
import {
  Backlog,
  BACKLOG_BYTES_MAX,
  BACKLOG_MAX,
  UNCOMMITTED_BYTES_MAX,
} from "../../mod/config/backlog.ts";
import type { Operation } from "../../mod/streams.ts";
import { askOf } from "../../mod/config/proposals.ts";
import { Lone, transactionOf } from "./lone.ts";

const MIB = 1024 * 1024;

function big(number: number, bytes = MIB) {
  const path = `f${number}`;
  const data = new Uint8Array(bytes);
  const operations: Operation[] = [{ op: "create", path }, { op: "write", path, offset: 0, data }];
  return transactionOf(number, operations);
}

Deno.test("Backlog keeps the order, counts bytes and entries, and knows who waits already", () => {
  const backlog = new Backlog();
  const waiter = (local: number, bytes: number) => ({
    asker: { local },
    body: new Uint8Array(bytes),
    diff: "",
  });
  assert.ok(backlog.push(waiter(1, BACKLOG_BYTES_MAX - 10)));
  assert.ok(!backlog.push(waiter(2, 11)), "too many bytes wait");
  assert.ok(backlog.push(waiter(3, 5)) && backlog.has({ local: 3 }) && !backlog.has({ local: 2 }));
  assert.deepEqual(backlog.shift()?.asker, { local: 1 });
  backlog.added(UNCOMMITTED_BYTES_MAX - (BACKLOG_BYTES_MAX - 10) - 4);
  assert.equal(
    backlog.shift(),
    null,
    "the log is full: the next one waits, and so do all behind it",
  );
  backlog.committed(1);
  assert.deepEqual(backlog.shift()?.asker, { local: 3 });
  for (let at = 0; at < BACKLOG_MAX; at++) assert.ok(backlog.push(waiter(at, 1)));
  assert.ok(!backlog.push(waiter(9999, 1)), "too many wait, however short they are");
  backlog.clear();
  assert.equal(backlog.size, 0);
});

Deno.test("writes past the bound wait in order, go into the log as it empties, and are all done", () => {
  const lone = new Lone();
  lone.lead(2);
  const count = 28;
  for (let at = 0; at < count; at++) lone.propose(`t${at}`, big(at));
  const inLog = lone.core.view().lastIndex - 1;
  assert.equal(inLog, UNCOMMITTED_BYTES_MAX / MIB - 1, "a megabyte and its frame each");
  assert.equal(lone.outcomes.size, 0, "nobody is refused");
  lone.acknowledge(2, 2);
  assert.equal(lone.core.view().lastIndex - 1, inLog + 1, "one out, one in");
  for (let round = 0; round < 3; round++) lone.acknowledge(2, lone.core.view().lastIndex);
  assert.deepEqual([...lone.outcomes.keys()], Array.from({ length: count }, (_, at) => `t${at}`));
  assert.ok([...lone.outcomes.values()].every(({ ok }) => ok));
});

Deno.test("a forwarded write waits too, is answered once, and its retries add nothing", () => {
  const lone = new Lone();
  lone.lead(2);
  for (let at = 0; at < 15; at++) lone.propose(`t${at}`, big(at));
  const forward = {
    kind: "forward",
    id: 7,
    ask: askOf({ want: "propose", transaction: big(100) }),
  } as const;
  for (let tries = 0; tries < 5; tries++) lone.hear(3, forward);
  assert.equal(lone.core.view().lastIndex, 16);
  lone.acknowledge(2, 16);
  lone.hear(3, forward);
  assert.equal(lone.core.view().lastIndex, 17, "it is in the log once, retried or not");
  lone.acknowledge(2, 17);
  const replies = lone.sent.filter(({ message }) => message.kind === "forward-reply");
  assert.equal(replies.length, 1);
});

Deno.test("a write whose time ends while it waits was not written, and never is", () => {
  const lone = new Lone();
  lone.lead(2);
  for (let at = 0; at < 15; at++) lone.propose(`t${at}`, big(at));
  lone.propose("late", big(99));
  // The leader is alive all the time, but nothing is committed.
  for (let ms = 0; ms < 3000; ms += 50) {
    lone.pass(50);
    lone.acknowledge(2, 1);
  }
  const outcome = lone.outcomes.get("late");
  assert.ok(outcome && !outcome.ok && outcome.problem.code === "api.busy", "not: unknown");
  const first = lone.outcomes.get("t0");
  assert.ok(first && !first.ok && first.problem.code === "config.unknown-outcome");
  for (let round = 0; round < 3; round++) lone.acknowledge(2, lone.core.view().lastIndex);
  assert.equal(lone.core.stat("f99"), null);
  assert.notEqual(lone.core.stat("f0"), null);
});

Deno.test("what waits at a leader that is deposed goes to the next one", () => {
  const lone = new Lone();
  lone.lead(2);
  for (let at = 0; at < 16; at++) lone.propose(`t${at}`, big(at));
  const beat = { prevIndex: 0, prevTerm: 0, entries: [], commit: 0, round: 0 };
  lone.hear(3, { kind: "append", term: 2, ...beat });
  const asked = lone.sent.filter(({ to, message }) => to === 3 && message.kind === "forward");
  assert.equal(asked.length, 16);
  assert.equal(lone.outcomes.size, 0);
});
