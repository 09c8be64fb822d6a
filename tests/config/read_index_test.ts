/** Read barriers: as many as there are, a round each is not what they cost. */
import assert from "node:assert/strict";
import { encodeEntry } from "../../mod/config/wire.ts";
import { Desk, specOf } from "./cluster.ts";
import { Lone } from "./lone.ts";

Deno.test("a thousand barriers at once cost two rounds: the first one's, and one for all others", () => {
  const lone = new Lone();
  lone.lead(2);
  const rounds = () =>
    new Set(lone.sent.flatMap(({ message }) => message.kind === "append" ? [message.round] : []));
  const before = rounds().size;
  const answered = () => lone.facts.filter(({ fact }) => fact === "config.barrier").length;
  for (let at = 0; at < 1000; at++) lone.request({ request: "config.barrier", tag: `b${at}` });
  assert.equal(rounds().size - before, 1, "one is on its way, the others wait for the next");
  const first = lone.last(2, "append")?.round ?? 0;
  lone.acknowledge(2, 1, first);
  assert.equal(answered(), 1, "an answer to a round that began before a barrier proves it nothing");
  lone.acknowledge(2, 1, lone.last(2, "append")?.round ?? 0);
  assert.equal(answered(), 1000);
  assert.equal(rounds().size - before, 2);
});

Deno.test("a round that got lost holds nobody up: the next heartbeat is one for all who wait", () => {
  const lone = new Lone();
  lone.lead(2);
  lone.request({ request: "config.barrier", tag: "a" });
  lone.request({ request: "config.barrier", tag: "b" });
  lone.passBeat();
  lone.acknowledge(2, 1, lone.last(2, "append")?.round ?? 0);
  const told = lone.facts.flatMap((fact) => fact.fact === "config.barrier" ? [fact.tag] : []);
  assert.deepEqual(told, ["a", "b"]);
});

Deno.test("a barrier at any node makes what was acknowledged before it readable there", () => {
  for (let seed = 1; seed <= 20; seed++) {
    const desk = new Desk(seed, specOf(3, false));
    desk.until(() => desk.leader() !== undefined);
    for (const [number, reader] of desk.nodes.entries()) {
      const writer = desk.nodes[(number + 1) % desk.nodes.length] ?? reader;
      const write = desk.propose(writer, number);
      desk.until(() => desk.outcomes.has(write));
      const tags = Array.from({ length: 8 }, (_, at) => `r${number}.${at}`);
      for (const tag of tags) {
        desk.feed(reader, { kind: "request", request: { request: "config.barrier", tag } });
      }
      desk.until(() => tags.every((tag) => desk.barriers.has(tag)));
      for (const tag of tags) assert.equal(desk.barriers.get(tag)?.ok, true);
      assert.notEqual(reader.core?.stat(`f${number}`), null, `seed ${seed}, node ${reader.id}`);
    }
  }
});

Deno.test("a follower whose barrier is answered waits until it has applied what the leader had", () => {
  const lone = new Lone();
  const entry = { term: 1, body: encodeEntry({ kind: "noop" }) };
  const append = { kind: "append", term: 1, round: 0 } as const;
  lone.hear(2, { ...append, prevIndex: 0, prevTerm: 0, entries: [entry, entry], commit: 1 });
  lone.request({ request: "config.barrier", tag: "a" });
  const id = lone.last(2, "forward")?.id ?? assert.fail();
  const answered = () => lone.facts.filter(({ fact }) => fact === "config.barrier").length;
  lone.hear(2, { kind: "forward-reply", id, answer: { kind: "barrier", ok: true, index: 2 } });
  assert.deepEqual([lone.core.view().applied, answered()], [1, 0]);
  lone.hear(2, { ...append, prevIndex: 2, prevTerm: 1, entries: [], commit: 2 });
  assert.deepEqual([lone.core.view().applied, answered()], [2, 1]);
});
