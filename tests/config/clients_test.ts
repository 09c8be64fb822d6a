/** Whoever waits for an answer gets one: the true one, once, or is told that nobody knows. */
import assert from "node:assert/strict";
import { nodeId } from "../../mod/base/id.ts";
import { instant } from "../../mod/base/time.ts";
import { Proposals, WAITING_MAX } from "../../mod/config/proposals.ts";
import { BARRIERS_MAX } from "../../mod/config/replication.ts";
import type { Operation } from "../../mod/streams.ts";
import { Desk, specOf } from "./cluster.ts";
import { entryOfTerm, Lone, transactionOf } from "./lone.ts";

const CREATE: Operation = { op: "create", path: "a" };
const BEAT = {
  kind: "append",
  ...{ term: 1, prevIndex: 0, prevTerm: 0, entries: [], commit: 0, round: 0 },
} as const;

Deno.test("Proposals tells what was never sent from what may be in a log, and bounds both", () => {
  const proposals = new Proposals(7);
  const timing = { now: instant(0), waitMs: 100 };
  const want = { want: "propose", transaction: transactionOf(1, [CREATE]) } as const;
  const [kept, sent] = [proposals.add("a", want, timing), proposals.add("b", want, timing)];
  assert.ok(kept && sent);
  sent.sent++;
  assert.equal(proposals.deadline(), 100);
  assert.deepEqual(proposals.expired(instant(99)), []);
  const over = proposals.expired(instant(100)).map(({ waiting, problem }) => {
    return [waiting.tag, problem?.code];
  });
  assert.deepEqual(over, [["a", "config.no-quorum"], ["b", "config.unknown-outcome"]]);
  assert.deepEqual(proposals.all(), []);
  for (let at = 0; at < WAITING_MAX; at++) assert.ok(proposals.add("x", want, timing) !== null);
  assert.equal(proposals.add("x", want, timing), null);
});

Deno.test("a write that waits is sent again to whoever leads, under the same request id", () => {
  const lone = new Lone();
  lone.hear(2, BEAT);
  lone.propose("t", transactionOf(5, [CREATE]));
  const first = lone.last(2, "forward");
  lone.hear(3, { ...BEAT, term: 2 });
  const second = lone.last(3, "forward");
  assert.ok(first?.ask.kind === "propose" && second?.ask.kind === "propose");
  assert.equal(second.ask.transaction.request, first.ask.transaction.request);
  lone.hear(2, { kind: "forward-reply", id: 99, answer: { kind: "done", index: 1, crc32: 1 } });
  assert.equal(lone.outcomes.size, 0, "an answer to nobody");
  const done = { kind: "done", index: 1, crc32: 5 } as const;
  lone.hear(3, { kind: "forward-reply", id: second.id, answer: done });
  assert.equal(lone.outcomes.size, 0, "who asked here could not read it here yet");
  const no = { kind: "refused", code: "api.busy", why: "" } as const;
  lone.hear(3, { kind: "forward-reply", id: second.id, answer: no });
  lone.hear(3, { ...BEAT, term: 2, entries: [entryOfTerm(2)], commit: 1 });
  assert.deepEqual(lone.outcomes.get("t"), { ok: true, index: 1, crc32: 5 });
  lone.hear(2, { kind: "forward-reply", id: first.id, answer: { ...done, index: 8 } });
  assert.equal(lone.facts.filter(({ fact }) => fact === "config.outcome").length, 1, "told once");
});

Deno.test("a write that was answered is told as done at the end of its time, applied here or not", () => {
  const lone = new Lone();
  lone.hear(2, BEAT);
  lone.propose("t", transactionOf(5, [CREATE]));
  const id = lone.last(2, "forward")?.id ?? 0;
  const done = { kind: "done", index: 9, crc32: 5 } as const;
  lone.hear(2, { kind: "forward-reply", id, answer: done });
  lone.pass(100_000);
  assert.deepEqual(lone.outcomes.get("t"), { ok: true, index: 9, crc32: 5 });
});

Deno.test("a write through any node can be read there when its outcome is told", () => {
  for (let seed = 1; seed <= 20; seed++) {
    const desk = new Desk(seed, specOf(3, false));
    desk.until(() => desk.leader() !== undefined);
    for (const node of desk.nodes) {
      const tag = desk.propose(node, node.id);
      // The desk goes on in steps: look at every one, not only where it comes to rest.
      while (!desk.outcomes.has(tag)) desk.run(0.1);
      assert.equal(desk.outcomes.get(tag)?.ok, true);
      assert.notEqual(node.core?.stat(`f${node.id}`), null, `seed ${seed}, node ${node.id}`);
    }
  }
});

Deno.test("a change of the members is asked for once, and its loss is told as such", () => {
  const lone = new Lone();
  lone.hear(2, BEAT);
  const change = { change: "remove", node: nodeId(3) } as const;
  lone.request({ request: "config.change-spec", tag: "t", change });
  lone.hear(3, { ...BEAT, term: 2 });
  assert.equal(lone.sent.filter(({ message }) => message.kind === "forward").length, 1);
  lone.pass(100_000);
  const outcome = lone.outcomes.get("t");
  assert.ok(outcome && !outcome.ok && outcome.problem.code === "config.unknown-outcome");
});

Deno.test("a leader answers a forwarded write when it is applied, and a follower not at all", () => {
  const lone = new Lone();
  const ask = { kind: "propose", transaction: transactionOf(1, [CREATE]) } as never;
  lone.hear(3, { kind: "forward", id: 4, ask });
  assert.equal(lone.last(3, "forward-reply"), undefined);
  lone.lead(2);
  lone.hear(3, { kind: "forward", id: 4, ask });
  assert.equal(lone.last(3, "forward-reply"), undefined, "not before it is committed");
  lone.acknowledge(2, 2);
  const reply = lone.last(3, "forward-reply");
  assert.ok(reply?.id === 4 && reply.answer.kind === "done" && reply.answer.index === 2);
  // The retry of one that was applied: the same answer, nothing is applied again.
  lone.hear(3, { kind: "forward", id: 5, ask });
  lone.acknowledge(2, 3);
  const again = lone.last(3, "forward-reply");
  assert.ok(again?.id === 5 && again.answer.kind === "done" && again.answer.index === 2);
});

Deno.test("a barrier is answered when a majority answered a later round and its index is applied", () => {
  const lone = new Lone();
  lone.lead(2);
  lone.request({ request: "config.barrier", tag: "b" });
  const barriers = () => lone.facts.filter(({ fact }) => fact === "config.barrier");
  const round = lone.last(2, "append")?.round ?? 0;
  lone.acknowledge(2, 1, round - 1);
  assert.deepEqual(barriers(), [], "an answer to an earlier round proves nothing");
  lone.acknowledge(2, 1, round);
  assert.deepEqual(barriers(), [{ fact: "config.barrier", tag: "b", ok: true, index: 1 }]);
});

Deno.test("a leader that heard no majority for long steps down and answers its barriers with no", () => {
  const lone = new Lone();
  lone.lead(2);
  lone.hear(3, { kind: "forward", id: 9, ask: { kind: "barrier" } });
  lone.pass(1000);
  assert.notEqual(lone.core.view().role, "leader");
  const reply = lone.last(3, "forward-reply");
  assert.deepEqual(reply?.answer, { kind: "barrier", ok: false, index: 0 });
});

Deno.test("a leader bounds the barriers that wait", () => {
  const lone = new Lone();
  lone.lead(2);
  for (let id = 0; id < BARRIERS_MAX; id++) {
    lone.hear(3, { kind: "forward", id, ask: { kind: "barrier" } });
  }
  assert.equal(lone.last(3, "forward-reply"), undefined);
  lone.hear(3, { kind: "forward", id: BARRIERS_MAX, ask: { kind: "barrier" } });
  assert.deepEqual(lone.last(3, "forward-reply")?.answer, { kind: "barrier", ok: false, index: 0 });
});

Deno.test("a retried removal and creation are applied once each, whoever leads when they come again", () => {
  for (let seed = 1; seed <= 40; seed++) {
    const desk = new Desk(seed, specOf(3, false));
    desk.until(() => desk.leader() !== undefined);
    const send = (tag: string, number: number, operations: readonly Operation[]) => {
      const alive = desk.nodes.filter((node) => node.core !== null);
      const through = desk.prng.pick(alive) ?? desk.node(1);
      const transaction = transactionOf(number, operations);
      desk.feed(through, {
        kind: "request",
        request: { request: "config.propose", tag, transaction },
      });
    };
    const settle = (tag: string) => {
      desk.until(() => desk.outcomes.has(tag));
      assert.equal(desk.outcomes.get(tag)?.ok, true, `seed ${seed}: ${tag}`);
    };
    send("make", 1, [CREATE]);
    settle("make");
    send("drop", 2, [{ op: "remove", path: "a" }]);
    // The leader dies at any moment of the second's way.
    desk.run(desk.prng.fraction() * 20);
    const dead = desk.leader();
    if (dead !== undefined) desk.crash(dead);
    desk.until(() => desk.leader() !== undefined);
    send("make again", 1, [CREATE]);
    settle("make again");
    send("drop again", 2, [{ op: "remove", path: "a" }]);
    settle("drop again");
    if (dead !== undefined) desk.start(dead);
    desk.run(3000);
    for (const node of desk.nodes) assert.equal(node.core?.stat("a"), null, `seed ${seed}`);
    const { history } = desk.node(1).database;
    assert.equal(history.length, 2, "each is one transaction of the history");
  }
});
