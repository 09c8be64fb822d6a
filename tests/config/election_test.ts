/** Who gets a vote, what is durable before it is told, and what a restart remembers. */
import assert from "node:assert/strict";
import { nodeId } from "../../mod/base/id.ts";
import { instant } from "../../mod/base/time.ts";
import { ConfigCore } from "../../mod/config/mod.ts";
import { decodeMessage, encodeMessage, type MessageOf } from "../../mod/config/wire.ts";
import { Desk, specOf } from "./cluster.ts";
import { Lone } from "./lone.ts";

const VOTE = {
  kind: "vote",
  ...{ term: 5, pre: false, transfer: false, lastIndex: 0, lastTerm: 0 },
} as const;
const BEAT = {
  kind: "append",
  ...{ term: 1, prevIndex: 0, prevTerm: 0, entries: [], commit: 0, round: 0 },
} as const;

function answer(lone: Lone, from: number, ask: MessageOf<"vote">): boolean | undefined {
  lone.hear(from, ask);
  return lone.last(from, "vote-reply")?.granted;
}

Deno.test("a vote is persisted before it is told, and given once a term, also after a restart", () => {
  const lone = new Lone();
  const effects = lone.step({ kind: "frame", from: nodeId(2), bytes: encodeMessage(VOTE) });
  const kinds = effects.map(({ kind }) => kind);
  assert.ok(kinds.indexOf("persist") < kinds.indexOf("frame"), kinds.join());
  const told = effects.find((each) => each.kind === "frame");
  assert.ok(told?.kind === "frame" && !told.eager, "it waits for the barrier");
  assert.deepEqual([lone.database.content.term, lone.database.content.vote], [5, 2]);
  assert.equal(answer(lone, 3, VOTE), false);
  assert.equal(answer(lone, 2, VOTE), true, "the same one asks again");

  const stored = lone.database.content;
  const options = { self: nodeId(1), spec: specOf(3, false), stored, seed: 2 };
  const again = new ConfigCore(options, instant(1));
  const replies = again.step(
    { kind: "frame", from: nodeId(3), bytes: encodeMessage(VOTE) },
    instant(2),
  ).flatMap((each) => each.kind === "frame" ? [decodeMessage(each.bytes)] : []);
  assert.equal(replies[0]?.kind === "vote-reply" && replies[0].granted, false);
});

Deno.test("a pre-vote changes nothing, and none is given while a leader is heard", () => {
  const lone = new Lone();
  lone.hear(2, BEAT);
  const before = JSON.stringify(lone.database.content);
  assert.equal(answer(lone, 3, { ...VOTE, pre: true }), false);
  assert.equal(answer(lone, 3, VOTE), false, "nor a vote: nobody helps to unseat it");
  assert.equal(lone.core.view().term, 1);
  lone.now += 299;
  assert.equal(answer(lone, 3, { ...VOTE, pre: true }), false);
  lone.now += 1;
  assert.equal(answer(lone, 3, { ...VOTE, pre: true }), true);
  assert.equal(JSON.stringify(lone.database.content), before);
  assert.equal(answer(lone, 3, VOTE), true);
});

Deno.test("a leader gives no vote and does not enter the term of who asks", () => {
  const lone = new Lone();
  lone.lead(2);
  assert.equal(answer(lone, 3, { ...VOTE, lastIndex: 99, lastTerm: 4 }), false);
  assert.deepEqual([lone.core.view().role, lone.core.view().term], ["leader", 1]);
});

Deno.test("a node that nobody answers does not raise its term", () => {
  const lone = new Lone();
  for (let at = 0; at < 20; at++) lone.pass(1000);
  assert.equal(lone.core.view().term, 0);
  lone.hear(2, { kind: "vote-reply", term: 2, pre: true, granted: true });
  assert.equal(lone.core.view().term, 0, "of another asking");
  lone.hear(9, { kind: "vote-reply", term: 1, pre: true, granted: true });
  assert.equal(lone.core.view().term, 0, "of no voter");
});

Deno.test("a candidate's own vote counts once it is durable", () => {
  const lone = new Lone();
  lone.pass(1000);
  const yes = { kind: "vote-reply", term: 1, granted: true } as const;
  const ask = {
    kind: "frame",
    from: nodeId(2),
    bytes: encodeMessage({ ...yes, pre: true }),
  } as const;
  const effects = lone.core.step(ask, instant(lone.now));
  const persist = effects.find((each) => each.kind === "persist");
  assert.ok(persist?.kind === "persist");
  const vote = { ...ask, bytes: encodeMessage({ ...yes, pre: false }) };
  lone.core.step(vote, instant(lone.now));
  assert.notEqual(lone.core.view().role, "leader");
  lone.database.write(persist.batch);
  lone.step({ kind: "persisted", upTo: persist.number });
  assert.equal(lone.core.view().role, "leader");
});

Deno.test("a pair's survivor that restarts leads again with the witness, and the other does not", () => {
  const desk = new Desk(21, specOf(2, true));
  desk.until(() => desk.register.set.length === 2);
  const [one, two] = [desk.node(1), desk.node(2)];
  desk.crash(one);
  desk.giveWitness(2);
  desk.until(() => desk.register.set.length === 1 && two.core?.view().role === "leader");
  const tag = desk.propose(two, 1);
  desk.until(() => desk.outcomes.has(tag));
  desk.crash(two);
  // The other alone, with the vote in hand: the set does not name it.
  desk.start(one);
  desk.giveWitness(1);
  desk.run(3000);
  assert.notEqual(one.core?.view().role, "leader");
  desk.giveWitness(null);
  desk.crash(one);
  desk.start(two);
  desk.run(3000);
  assert.notEqual(two.core?.view().role, "leader", "the set alone is no vote");
  desk.giveWitness(2);
  desk.until(() => two.core?.view().role === "leader");
  assert.notEqual(two.core?.stat("f1"), null);
  // Losing the vote ends it.
  desk.giveWitness(null);
  assert.notEqual(two.core?.view().role, "leader");
});
