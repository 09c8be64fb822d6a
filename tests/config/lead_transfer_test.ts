/** Handing the leadership over: to one who is up to date, at once, and never for nothing. */
import assert from "node:assert/strict";
import { type NodeId, nodeId } from "../../mod/base/id.ts";
import type { MessageOf } from "../../mod/config/wire.ts";
import type { Request } from "../../mod/streams.ts";
import { Desk, specOf } from "./cluster.ts";
import { entryOfTerm, Lone, transactionOf } from "./lone.ts";

const CREATE = { op: "create", path: "a" } as const;
const BEAT = {
  kind: "append",
  ...{ term: 1, prevIndex: 0, prevTerm: 0, entries: [], commit: 0, round: 0 },
} as const;

function transfer(to: number | null, tag = "t"): Request {
  return { request: "config.transfer", tag, to: to === null ? null : nodeId(to) };
}

function settled(seed: number, nodes = 3, witness = false): Desk {
  const desk = new Desk(seed, specOf(nodes, witness));
  desk.until(() => desk.leader() !== undefined);
  const tag = desk.propose(desk.node(1), 1000);
  desk.until(() => desk.outcomes.has(tag));
  desk.run(200);
  return desk;
}

Deno.test("the target is told to campaign only when it holds the end of the log, and nothing new gets in", () => {
  const lone = new Lone();
  lone.lead(2);
  lone.acknowledge(3, 1);
  lone.propose("before", transactionOf(1, [CREATE]));
  lone.request(transfer(3));
  assert.equal(lone.last(3, "timeout-now"), undefined, "it lacks the write");
  lone.propose("after", transactionOf(2, [{ op: "create", path: "b" }]));
  assert.equal(lone.core.view().lastIndex, 2, "what is new waits");
  assert.equal(lone.core.view().transferTo, 3);
  lone.acknowledge(3, 2);
  assert.deepEqual(lone.last(3, "timeout-now"), {
    ...{ kind: "timeout-now", term: 1, lastIndex: 2, lastTerm: 1 },
  });
  assert.equal(lone.outcomes.get("before")?.ok, true);
  assert.equal(lone.outcomes.has("after"), false, "it is not refused");
  // The target won: what waited goes to it.
  lone.hear(3, { ...BEAT, term: 2 });
  assert.equal(lone.outcomes.get("t")?.ok, true);
  const ask = lone.last(3, "forward")?.ask;
  assert.ok(ask?.kind === "propose" && ask.transaction.request.endsWith("2"));
});

Deno.test("a target that does nothing is given up after an election timeout, and the leader goes on", () => {
  const lone = new Lone();
  lone.lead(2);
  lone.acknowledge(3, 1);
  lone.request(transfer(3));
  lone.propose("waits", transactionOf(2, [CREATE]));
  for (let ms = 0; ms < 700; ms += 50) {
    lone.pass(50);
    lone.acknowledge(2, lone.core.view().lastIndex);
  }
  const outcome = lone.outcomes.get("t");
  assert.ok(outcome && !outcome.ok && outcome.problem.code === "config.cannot-transfer");
  assert.match(outcome.problem.why, /node1 leads on/);
  assert.equal(lone.core.view().role, "leader");
  assert.equal(lone.outcomes.get("waits")?.ok, true);
  assert.ok(lone.codes.has("config.kept-lead"));
});

Deno.test("a transfer to nobody, to a stranger, to a silent one or to a second one is refused", () => {
  const lone = new Lone();
  lone.lead(2);
  const why = (to: number | null, tag: string) => {
    lone.request(transfer(to, tag));
    const outcome = lone.outcomes.get(tag);
    return outcome?.ok === false ? `${outcome.problem.code}: ${outcome.problem.why}` : "taken";
  };
  assert.match(why(9, "a"), /cannot-transfer: node 9 is no member/);
  lone.request(transfer(1, "self"));
  assert.equal(lone.outcomes.get("self")?.ok, true, "it leads already");
  lone.pass(250);
  lone.acknowledge(2, 1);
  lone.pass(100);
  assert.match(why(3, "c"), /"node3" does not answer/);
  assert.equal(why(2, "d"), "taken");
  assert.match(why(2, "e"), /another transfer is under way/);
});

Deno.test("timeout-now is obeyed from the leader of our term, and only where our log is not behind", () => {
  const order: MessageOf<"timeout-now"> = {
    ...{ kind: "timeout-now", term: 1, lastIndex: 1, lastTerm: 1 },
  };
  const follower = () => {
    const lone = new Lone();
    lone.hear(2, { ...BEAT, entries: [entryOfTerm(1)] });
    return lone;
  };
  const behind = follower();
  behind.hear(2, { ...order, lastIndex: 2 });
  behind.hear(3, order);
  behind.hear(2, { ...order, term: 2 });
  assert.equal(behind.core.view().term, 1, "nobody is disturbed");
  assert.equal(behind.last(3, "vote"), undefined);
  const fit = follower();
  fit.hear(2, order);
  const vote = fit.last(3, "vote");
  assert.ok(vote?.transfer && !vote.pre && vote.term === 2, "at once, and without asking first");
});

Deno.test("a voter that hears its leader votes for whom that leader sent, and for nobody else", () => {
  const vote = {
    kind: "vote",
    ...{ term: 2, pre: false, transfer: false, lastIndex: 9, lastTerm: 1 },
  } as const;
  const lone = new Lone();
  lone.hear(2, BEAT);
  lone.hear(3, vote);
  assert.equal(lone.last(3, "vote-reply")?.granted, false);
  lone.hear(3, { ...vote, transfer: true });
  assert.equal(lone.last(3, "vote-reply")?.granted, true);
});

Deno.test("transfers in any cluster, under writes: the named one leads, one term later, nothing is lost", () => {
  for (let seed = 1; seed <= 30; seed++) {
    const desk = settled(seed, seed % 3 === 0 ? 5 : seed % 3 === 1 ? 2 : 3);
    const from = desk.leader();
    assert.ok(from?.core);
    const { term } = from.core.view();
    const to = desk.nodes.find((node) => node !== from);
    assert.ok(to);
    const writes = Array.from({ length: 20 }, (_, at) => {
      const node = desk.nodes[at % desk.nodes.length] ?? from;
      desk.at(at * 3, () => void tags.push(desk.propose(node, at)));
      return at;
    });
    const tags: string[] = [];
    // Whoever is asked: a follower sends the wish on.
    const asked = desk.nodes[seed % desk.nodes.length] ?? from;
    desk.at(20, () => desk.feed(asked, { kind: "request", request: transfer(to.id) }));
    desk.until(() => tags.length === writes.length && tags.every((tag) => desk.outcomes.has(tag)));
    desk.until(() => desk.outcomes.has("t"));
    assert.equal(desk.outcomes.get("t")?.ok, true, `seed ${seed}`);
    assert.equal(desk.leader()?.id, to.id);
    assert.equal(to.core?.view().term, term + 1, "no election was wasted");
    for (const tag of tags) assert.equal(desk.outcomes.get(tag)?.ok, true, `seed ${seed} ${tag}`);
    desk.run(500);
    for (const node of desk.nodes) {
      for (const at of writes) assert.notEqual(node.core?.stat(`f${at}`), null);
    }
  }
});

/** Facts by which a node says that it may be stopped. */
function yielded(desk: Desk, node: NodeId): boolean {
  return desk.facts.some((each) => each.node === node && each.fact.fact === "config.yielded");
}

Deno.test("a leader that stops hands over before it is gone, and does not campaign again", () => {
  for (let seed = 1; seed <= 10; seed++) {
    const desk = settled(seed);
    const leader = desk.leader();
    assert.ok(leader?.core);
    const { term } = leader.core.view();
    desk.feed(leader, { kind: "request", request: { request: "ha.shutdown", tag: "s" } });
    desk.run(1000);
    assert.equal(desk.leader(), leader, "something runs on it still");
    const boot = "00000000000000aa" as never;
    desk.feed(leader, { kind: "fact", fact: { fact: "ha.empty", boot } });
    desk.until(() => yielded(desk, leader.id));
    assert.notEqual(desk.leader(), leader);
    assert.equal(desk.leader()?.core?.view().term, term + 1);
    desk.crash(leader);
    desk.run(2000);
    assert.equal(desk.leader()?.core?.view().term, term + 1, "and nobody had to find out");
  }
});

Deno.test("a leader without anybody to hand over to yields at once, and leads to the end", () => {
  const desk = settled(3);
  const leader = desk.leader();
  assert.ok(leader);
  for (const node of desk.nodes) if (node !== leader) desk.crash(node);
  const boot = "00000000000000aa" as never;
  desk.run(350);
  desk.feed(leader, { kind: "request", request: { request: "ha.shutdown", tag: "s" } });
  desk.feed(leader, { kind: "fact", fact: { fact: "ha.empty", boot } });
  assert.ok(yielded(desk, leader.id));
  const follower = desk.nodes.find((node) => node !== leader);
  assert.ok(follower);
  desk.start(follower);
  const tag = desk.propose(leader, 7);
  desk.until(() => desk.outcomes.has(tag));
  assert.equal(desk.outcomes.get(tag)?.ok, true);
  assert.equal(desk.leader(), leader);
  // The one that came back may be stopped as well: it has nothing to hand over.
  desk.feed(follower, { kind: "request", request: { request: "ha.shutdown", tag: "s" } });
  assert.equal(yielded(desk, follower.id), false, "before it is empty it has nothing to say");
  desk.feed(follower, { kind: "fact", fact: { fact: "ha.empty", boot } });
  assert.equal(yielded(desk, follower.id), true);
});

Deno.test("of a pair with a witness, who stops first sees the register name both", () => {
  const desk = settled(5, 2, true);
  desk.until(() => desk.register.set.length === 2);
  desk.crash(desk.node(1));
  desk.giveWitness(2);
  const two = desk.node(2);
  desk.until(() => desk.register.set.length === 1 && two.core?.view().role === "leader");
  desk.start(desk.node(1));
  const boot = "00000000000000aa" as never;
  desk.feed(two, { kind: "request", request: { request: "ha.shutdown", tag: "s" } });
  desk.run(20);
  desk.feed(two, { kind: "fact", fact: { fact: "ha.empty", boot } });
  desk.until(() => yielded(desk, two.id));
  assert.deepEqual([...desk.register.set], [1, 2], "node1 may win with the witness");
  assert.equal(desk.leader()?.id, 1);
  desk.crash(two);
  desk.giveWitness(1);
  const tag = desk.propose(desk.node(1), 5);
  desk.until(() => desk.outcomes.has(tag));
  assert.equal(desk.outcomes.get(tag)?.ok, true);
});
