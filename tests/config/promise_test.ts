/** Ways in which a replica could have broken its word, each told step by step. */
import assert from "node:assert/strict";
import { nodeId } from "../../mod/base/id.ts";
import { BACKLOG_BYTES_MAX, UNCOMMITTED_BYTES_MAX } from "../../mod/config/backlog.ts";
import type { Operation, WitnessRegister } from "../../mod/streams.ts";
import { Desk, specOf } from "./cluster.ts";
import { entryOfTerm, Lone, transactionOf } from "./lone.ts";

const CREATE: Operation = { op: "create", path: "a" };

Deno.test("ConfigCore.step() does not acknowledge a write whose entry another leader replaced", () => {
  const lone = new Lone();
  lone.lead(2);
  lone.propose("mine", transactionOf(1, [CREATE]));
  const { lastIndex } = lone.core.view();
  // Node 3 was elected meanwhile and has committed something else at the same index.
  lone.hear(3, {
    kind: "append",
    ...{ term: 2, prevIndex: lastIndex - 1, prevTerm: 1, round: 0 },
    entries: [entryOfTerm(2)],
    commit: lastIndex,
  });
  assert.equal(lone.core.view().applied, lastIndex);
  assert.equal(lone.core.stat("a"), null);
  assert.equal(lone.outcomes.has("mine"), false, "it is not in any log");
  assert.equal(lone.last(3, "forward")?.ask.kind, "propose", "it is asked for anew");
});

Deno.test("an append of an older term is refused, and changes nothing", () => {
  const lone = new Lone();
  const entry = (term: number) => entryOfTerm(term);
  const append = { kind: "append", round: 0, prevIndex: 0, prevTerm: 0 } as const;
  lone.hear(2, { ...append, term: 5, entries: [entry(4), entry(5)], commit: 0 });
  const before = lone.core.view();
  assert.deepEqual([before.lastIndex, before.term, before.leader], [2, 5, 2]);
  for (const entries of [[], [entry(4)], [entry(4), entry(4), entry(4)]]) {
    lone.hear(3, { ...append, term: 4, entries, commit: entries.length });
    const { term, ok } = lone.last(3, "append-reply") ?? {};
    assert.deepEqual([term, ok], [5, false]);
    const { lastIndex, committed, leader } = lone.core.view();
    assert.deepEqual([lastIndex, committed, leader], [2, before.committed, 2]);
  }
});

Deno.test("a leader of an older term than the register's steps down and does not widen its set", () => {
  const lone = new Lone(specOf(2, true));
  lone.lead(2);
  const register: WitnessRegister = {
    ...{ version: 9, term: 5, vote: nodeId(2), subterm: 0 },
    ...{ set: [nodeId(2)], lastTerm: 5, lastIndex: 7 },
  };
  const [first] = lone.asked;
  assert.ok(first?.request === "storage.swap");
  lone.step({
    kind: "fact",
    fact: { fact: "storage.swapped", tag: first.tag, ok: false, register },
  });
  lone.pass(1);
  assert.equal(lone.asked.length, 1, "node 2 may have committed alone what this node lacks");
  assert.equal(lone.core.view().role, "follower");
  assert.equal(lone.database.content.term, 5);
});

Deno.test("one node of a pair with a witness cannot remove the other behind its back", () => {
  const desk = new Desk(11, specOf(2, true));
  desk.until(() => desk.register.set.length === 2);
  const leader = desk.leader();
  const other = desk.nodes.find((node) => node !== leader);
  assert.ok(leader && other);
  desk.cut.add(`${leader.id}-${other.id}`).add(`${other.id}-${leader.id}`);
  const change = { change: "remove", node: other.id } as const;
  const request = { request: "config.change-spec", tag: "remove", change } as const;
  desk.feed(leader, { kind: "request", request });
  desk.run(100);
  assert.notEqual(desk.outcomes.get("remove")?.ok, true, "the other and the witness may go on");
  desk.giveWitness(other.id);
  desk.until(() => other.core?.view().role === "leader");
  const tag = desk.propose(other, 1);
  desk.until(() => desk.outcomes.has(tag));
  assert.equal(desk.outcomes.get(tag)?.ok, true);
  desk.cut.clear();
  desk.until(() => leader.core?.stat("f1") !== null);
  desk.until(() => desk.register.set.length === 2);
  assert.notEqual(desk.outcomes.get("remove")?.ok, true);
});

Deno.test("the survivor of a pair removes the dead one, for the witness names it alone", () => {
  const desk = new Desk(12, specOf(2, true));
  desk.until(() => desk.register.set.length === 2);
  desk.crash(desk.node(1));
  desk.giveWitness(2);
  const two = desk.node(2);
  desk.until(() => desk.register.set.length === 1 && two.core?.view().role === "leader");
  const change = { change: "remove", node: nodeId(1) } as const;
  desk.run(100);
  desk.feed(two, {
    kind: "request",
    request: { request: "config.change-spec", tag: "remove", change },
  });
  desk.until(() => desk.outcomes.has("remove"));
  assert.equal(desk.outcomes.get("remove")?.ok, true);
  // The removed one comes back with the old description, and finds that the witness is not for it.
  desk.crash(two);
  desk.start(desk.node(1));
  desk.giveWitness(1);
  desk.run(5000);
  assert.notEqual(desk.node(1).core?.view().role, "leader");
});

Deno.test("a third voter joins a pair with a witness, one leaves, and the register names the new pair", () => {
  const desk = new Desk(13, specOf(2, true));
  desk.until(() => desk.register.set.length === 2);
  const leader = desk.leader();
  const old = desk.nodes.find((node) => node !== leader);
  assert.ok(leader && old);
  const ask = (tag: string, change: object) => {
    const request = { request: "config.change-spec", tag, change } as never;
    desk.feed(leader, { kind: "request", request });
    desk.until(() => desk.outcomes.has(tag));
    assert.equal(desk.outcomes.get(tag)?.ok, true, JSON.stringify(desk.outcomes.get(tag)));
  };
  ask("add", { change: "add-learner", name: "c", links: ["c:1"], peer: "c:2" });
  const spec = desk.facts.flatMap(({ fact }) => fact.fact === "config.spec" ? [fact.spec] : []);
  const third = desk.newNode(3);
  desk.start(third, spec.at(-1));
  desk.until(() => third.core?.view().role === "follower");
  desk.run(500);
  ask("remove", { change: "remove", node: old.id });
  desk.until(() => desk.register.set.includes(third.id));
  assert.deepEqual([...desk.register.set].sort(), [leader.id, third.id].sort());
});

Deno.test("a leader that was removed leads until that is committed and no longer", () => {
  const desk = new Desk(14, specOf(3, false));
  desk.until(() => desk.leader() !== undefined);
  const first = desk.leader();
  assert.ok(first);
  desk.run(300);
  const change = { change: "remove", node: first.id } as const;
  desk.feed(first, {
    kind: "request",
    request: { request: "config.change-spec", tag: "me", change },
  });
  desk.until(() => desk.outcomes.has("me"));
  assert.equal(desk.outcomes.get("me")?.ok, true);
  assert.notEqual(first.core?.view().role, "leader");
  desk.until(() => desk.leader() !== undefined && desk.leader() !== first);
  const tag = desk.propose(desk.leader() ?? first, 1);
  desk.until(() => desk.outcomes.has(tag));
  assert.equal(desk.outcomes.get(tag)?.ok, true);
});

Deno.test("a busy leader's refusal of a repeated write is no answer: the first may be in its log", () => {
  const lone = new Lone();
  lone.lead(2);
  const data = new Uint8Array(1024 * 1024);
  const fill = (at: number) => {
    const path = `big${at}`;
    const operations: Operation[] = [{ op: "create", path }, {
      op: "write",
      path,
      offset: 0,
      data,
    }];
    lone.propose(`fill${at}`, transactionOf(100 + at, operations));
  };
  for (let at = 0; at < (UNCOMMITTED_BYTES_MAX + BACKLOG_BYTES_MAX) / data.length - 1; at++) {
    fill(at);
  }
  assert.equal(lone.outcomes.size, 1, "the last one does not fit any more");
  const refused = [...lone.outcomes.values()][0];
  assert.ok(refused && !refused.ok && refused.problem.code === "api.busy", "and was never sent");

  // As a follower: sent twice, refused once.
  const follower = new Lone();
  const beat = { term: 1, prevIndex: 0, prevTerm: 0, entries: [], commit: 0, round: 0 };
  follower.hear(2, { kind: "append", ...beat });
  follower.propose("mine", transactionOf(1, [CREATE]));
  const id = follower.last(2, "forward")?.id ?? 0;
  const no = { kind: "refused", code: "api.busy", why: "full" } as const;
  follower.pass(250);
  follower.hear(2, { kind: "append", ...beat });
  follower.pass(100);
  assert.equal(follower.sent.filter(({ message }) => message.kind === "forward").length, 2);
  follower.hear(2, { kind: "forward-reply", id, answer: no });
  const outcome = follower.outcomes.get("mine");
  assert.ok(outcome && !outcome.ok);
  assert.equal(outcome.problem.code, "config.unknown-outcome");
});
