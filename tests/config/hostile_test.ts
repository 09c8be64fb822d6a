/** A member whose frames are nonsense, or lies that the channel cannot see. */
import assert from "node:assert/strict";
import fc from "fast-check";
import { Prng } from "../../mod/base/prng.ts";
import { nodeId } from "../../mod/base/id.ts";
import { TERM_MAX } from "../../mod/config/faults.ts";
import { encodeMessage } from "../../mod/config/wire.ts";
import { anyMessage, damaged } from "./arbitrary.ts";
import { specOf } from "./cluster.ts";
import { entryOfTerm, Lone, transactionOf } from "./lone.ts";

function state(lone: Lone): string {
  return JSON.stringify([lone.core.view(), lone.database.content, lone.sent.length]);
}

Deno.test("ConfigCore.step(): 100,000 random frames change nothing", () => {
  const prng = new Prng(3);
  const lone = new Lone();
  lone.lead(2);
  const before = state(lone);
  for (let at = 0; at < 100_000; at++) {
    // No message is so short and has these kinds: whatever can be read would be a real one.
    const bytes = prng.bytes(prng.between(0, 200));
    if (bytes.length > 0 && bytes[0] !== undefined && bytes[0] <= 6) bytes[0] += 7;
    lone.step({ kind: "frame", from: nodeId(prng.between(1, 9)), bytes });
  }
  assert.equal(state(lone), before);
});

Deno.test("ConfigCore.step() takes any message, true, false or damaged, from anybody, and never throws", () => {
  const frame = fc.oneof(anyMessage.map(encodeMessage), damaged(anyMessage.map(encodeMessage)));
  const moves = fc.array(fc.tuple(fc.integer({ min: 1, max: 4 }), frame, fc.nat(400)), {
    maxLength: 60,
  });
  fc.assert(
    fc.property(moves, fc.boolean(), fc.boolean(), (all, leads, pair) => {
      const lone = new Lone(specOf(pair ? 2 : 3, pair));
      if (leads) lone.lead(2);
      for (const [from, bytes, ms] of all) {
        const { term, committed } = lone.core.view();
        lone.step({ kind: "frame", from: nodeId(from), bytes });
        lone.pass(ms);
        const after = lone.core.view();
        assert.ok(after.term >= term && after.committed >= committed, "neither goes back");
        assert.ok(after.term <= TERM_MAX + all.length);
        assert.equal(lone.database.content.term, after.term, "what it goes by is durable");
        assert.ok(after.committed <= lone.database.content.entries.length);
      }
    }),
    { numRuns: 400 },
  );
});

Deno.test("an append that contradicts the committed log is not obeyed, not acknowledged, and told", () => {
  const lone = new Lone();
  lone.lead(2);
  lone.propose("t", transactionOf(1, [{ op: "create", path: "a" }]));
  lone.acknowledge(2, 2);
  assert.equal(lone.outcomes.get("t")?.ok, true);
  const replies = lone.sent.filter(({ message }) => message.kind === "append-reply").length;
  lone.hear(3, {
    kind: "append",
    ...{ term: 5, prevIndex: 1, prevTerm: 1, commit: 2, round: 0 },
    entries: [entryOfTerm(5)],
  });
  assert.notEqual(lone.core.stat("a"), null);
  assert.equal(lone.database.content.entries.length, 2);
  assert.equal(lone.database.content.term, 5);
  assert.equal(
    lone.sent.filter(({ message }) => message.kind === "append-reply").length,
    replies,
  );
  assert.ok(lone.facts.some((fact) => fact.fact === "config.diverged" && fact.node === 3));
});

Deno.test("an answer beyond our own log, or from nobody we know, counts for nothing", () => {
  const lone = new Lone();
  lone.lead(2);
  lone.propose("t", transactionOf(1, [{ op: "create", path: "a" }]));
  const reply = {
    kind: "append-reply",
    ok: true,
    chain: 0,
    applied: 0,
    state: 0,
    content: 0,
    round: 0,
    diverged: false,
  } as const;
  lone.hear(3, { ...reply, term: 1, index: 99 });
  lone.hear(7, { ...reply, term: 1, index: 2, chain: lone.chain(2) });
  lone.hear(3, { ...reply, term: 0, index: 2, chain: lone.chain(2) });
  assert.equal(lone.core.view().committed, 1);
  assert.equal(lone.outcomes.has("t"), false);
});
