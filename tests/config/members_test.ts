/** Members come and go: caught up before they vote, told when they are out, and no harm to anybody. */
import assert from "node:assert/strict";
import type { ClusterSpec } from "../../mod/base/cluster.ts";
import { nodeId } from "../../mod/base/id.ts";
import { ROUNDS_MAX } from "../../mod/config/catch_up.ts";
import type { SpecChange } from "../../mod/streams.ts";
import { Desk, specOf } from "./cluster.ts";
import { Lone, transactionOf } from "./lone.ts";

const ADD: SpecChange = { change: "add-learner", name: "node9", links: ["i:1"], peer: "i:2" };

/** Node 1 of three voters leads; node 4 is a learner that was never heard. */
function withLearner(): Lone {
  const lone = new Lone();
  lone.lead(2);
  lone.request({ request: "config.change-spec", tag: "add", change: ADD });
  lone.acknowledge(2, 2);
  lone.acknowledge(3, 2);
  assert.equal(lone.outcomes.get("add")?.ok, true);
  return lone;
}

function specIn(lone: Lone): ClusterSpec {
  const told = lone.facts.flatMap((fact) => fact.fact === "config.spec" ? [fact.spec] : []);
  const last = told.at(-1);
  assert.ok(last);
  return last;
}

function roleOf(lone: Lone, id: number): string | undefined {
  return specIn(lone).members.find((member) => member.id === id)?.role;
}

function promote(lone: Lone, tag: string): string {
  const change = { change: "promote", node: nodeId(4) } as const;
  lone.request({ request: "config.change-spec", tag, change });
  const outcome = lone.outcomes.get(tag);
  return outcome?.ok === false ? `${outcome.problem.code}: ${outcome.problem.why}` : "taken";
}

/** A busy log: one more entry, which the voters hold at once. */
function write(lone: Lone, number: number): number {
  lone.propose(`w${number}`, transactionOf(number, [{ op: "create", path: `w${number}` }]));
  const { lastIndex } = lone.core.view();
  lone.acknowledge(2, lastIndex);
  lone.acknowledge(3, lastIndex);
  return lastIndex;
}

Deno.test("a learner that is silent or behind is not promoted, whoever asks", () => {
  const lone = withLearner();
  assert.match(
    promote(lone, "p0"),
    /learner-behind: "node9" is 2 entries behind, in round 1 of 10/,
  );
  lone.pass(250);
  lone.acknowledge(2, 2);
  lone.acknowledge(3, 2);
  lone.pass(100);
  lone.acknowledge(2, 2);
  lone.acknowledge(3, 2);
  assert.match(promote(lone, "p1"), /learner-behind: "node9" did not answer for 350 ms/);
  assert.equal(roleOf(lone, 4), "learner");
});

Deno.test("a learner that needs less than an election timeout for a round votes, though never level", () => {
  const lone = withLearner();
  let last = 2;
  for (let at = 0; roleOf(lone, 4) !== "voter"; at++) {
    assert.ok(at < 20, "it is never caught up");
    lone.pass(50);
    const before = last;
    last = write(lone, at);
    // Always one entry behind the end of the log.
    lone.acknowledge(4, before);
    lone.acknowledge(2, lone.core.view().lastIndex);
    lone.acknowledge(3, lone.core.view().lastIndex);
  }
});

Deno.test("a learner whose rounds take too long is told to be too slow, and does not vote", () => {
  const lone = withLearner();
  let known = 0;
  for (let at = 0; at < 12 * ROUNDS_MAX; at++) {
    lone.pass(50);
    const last = write(lone, at);
    // It answers all the time, but what there is now it holds 400 ms later.
    if (at % 8 === 7) known = last - 1;
    lone.acknowledge(4, known);
  }
  assert.equal(roleOf(lone, 4), "learner");
  assert.match(promote(lone, "p"), /10 rounds took more than 300 ms each, it is too slow to vote/);
  assert.equal(lone.core.view().peers.find(({ node }) => node === 4)?.catchUp?.slow, true);
  // Once it keeps up it is let in after all.
  for (let at = 0; at < 8 && roleOf(lone, 4) === "learner"; at++) {
    lone.pass(50);
    const { lastIndex } = lone.core.view();
    for (const id of [2, 3, 4]) lone.acknowledge(id, lastIndex);
  }
  assert.equal(roleOf(lone, 4), "voter");
  assert.ok(lone.codes.has("config.learner-slow"));
  assert.ok(lone.codes.has("join.promoted"));
});

Deno.test("the last voter is not removed, though there is a learner", () => {
  const lone = new Lone(specOf(1, false));
  lone.pass(1);
  lone.request({ request: "config.change-spec", tag: "add", change: ADD });
  const change = { change: "remove", node: nodeId(1) } as const;
  lone.request({ request: "config.change-spec", tag: "t", change });
  const outcome = lone.outcomes.get("t");
  assert.ok(outcome && !outcome.ok && outcome.problem.code === "config.last-voter");
});

Deno.test("a change asked of a leader that has committed nothing yet waits for that, and is then made", () => {
  const lone = new Lone();
  lone.pass(1000);
  for (const pre of [true, false]) {
    lone.hear(2, { kind: "vote-reply", term: 1, pre, granted: true });
  }
  assert.equal(lone.core.view().role, "leader");
  lone.request({ request: "config.change-spec", tag: "add", change: ADD });
  assert.equal(lone.core.view().lastIndex, 1, "its own entry is not committed");
  lone.acknowledge(2, 1);
  assert.equal(lone.core.view().lastIndex, 2);
  lone.acknowledge(2, 2);
  assert.equal(lone.outcomes.get("add")?.ok, true);
});

function settled(seed: number, nodes: number): Desk {
  const desk = new Desk(seed, specOf(nodes, false));
  desk.until(() => desk.leader() !== undefined);
  const tag = desk.propose(desk.node(1), 1000);
  desk.until(() => desk.outcomes.has(tag));
  desk.run(200);
  return desk;
}

function change(desk: Desk, by: number, change: SpecChange, tag: string): void {
  desk.feed(desk.node(by), {
    kind: "request",
    request: { request: "config.change-spec", tag, change },
  });
}

Deno.test("who is removed is told, though it is a follower, and says so at once", () => {
  for (let seed = 1; seed <= 10; seed++) {
    const desk = settled(seed, 3);
    const leader = desk.leader();
    const out = desk.nodes.find((node) => node !== leader);
    assert.ok(leader && out);
    // It asks for its own removal, as `leave` does, and hears the answer.
    change(desk, out.id, { change: "remove", node: out.id }, "r");
    desk.until(() => desk.outcomes.has("r"), 300);
    assert.equal(desk.outcomes.get("r")?.ok, true);
    desk.until(() => out.core?.view().removed === true, 300);
    assert.match(out.core?.view().blocked ?? "", /removed from the cluster at index/);
    desk.run(5000);
    assert.equal(leader.core?.view().peers.length, 1, "it is followed no more");
    assert.equal(leader.core?.view().term, desk.leader()?.core?.view().term);
  }
});

Deno.test("a removed node that was away is told when it comes back, and disturbs nobody", () => {
  const desk = settled(7, 3);
  const leader = desk.leader();
  const out = desk.nodes.find((node) => node !== leader);
  assert.ok(leader?.core && out);
  const { term } = leader.core.view();
  desk.crash(out);
  change(desk, leader.id, { change: "remove", node: out.id }, "r");
  desk.until(() => desk.outcomes.has("r"));
  assert.equal(desk.outcomes.get("r")?.ok, true);
  desk.run(10_000);
  desk.start(out);
  desk.until(() => out.core?.view().removed === true);
  assert.match(out.core?.view().blocked ?? "", /says that this node was removed/);
  const refused = desk.propose(out, 5);
  desk.until(() => desk.outcomes.has(refused));
  assert.equal(desk.outcomes.get(refused)?.ok, false);
  desk.run(10_000);
  assert.equal(desk.leader(), leader);
  assert.equal(leader.core.view().term, term, "its asking made no term");
  assert.equal(out.core?.view().term, term);
});

Deno.test("votes and entries of a node that is out count for nothing", () => {
  const lone = new Lone();
  lone.lead(2);
  const change = { change: "remove", node: nodeId(3) } as const;
  lone.request({ request: "config.change-spec", tag: "r", change });
  lone.acknowledge(3, 2);
  assert.equal(lone.core.view().committed, 1, "of the two that are left both must hold it");
  lone.acknowledge(2, 2);
  assert.equal(lone.core.view().committed, 2);
  lone.propose("t", transactionOf(1, [{ op: "create", path: "a" }]));
  lone.acknowledge(3, 3);
  assert.equal(lone.core.view().committed, 2);
  const term = lone.core.view().term + 5;
  const head = { prevIndex: 0, prevTerm: 0, entries: [], commit: 0, round: 0 };
  lone.hear(3, { kind: "append", term, ...head });
  assert.equal(lone.core.view().role, "leader", "what it says is not heard");
  assert.deepEqual(lone.last(3, "removed"), { kind: "removed", index: 2 });
});

Deno.test("who is told to be out by one node, and hears a leader, does not believe it", () => {
  const lone = new Lone();
  const head = { prevIndex: 0, prevTerm: 0, entries: [], commit: 0, round: 0 };
  lone.hear(2, { kind: "append", term: 1, ...head });
  lone.hear(3, { kind: "removed", index: 5 });
  assert.equal(lone.core.view().removed, false);
  lone.pass(1000);
  lone.hear(9, { kind: "removed", index: 5 });
  assert.equal(lone.core.view().removed, false, "nor a stranger, ever");
  lone.hear(3, { kind: "removed", index: 5 });
  assert.equal(lone.core.view().removed, true);
  lone.hear(2, { kind: "append", term: 2, ...head });
  assert.equal(lone.core.view().removed, false);
});

Deno.test("a leader that is removed hands over nothing by force: it leads until that is committed", () => {
  const desk = settled(9, 3);
  const leader = desk.leader();
  assert.ok(leader);
  change(desk, leader.id, { change: "remove", node: leader.id }, "r");
  desk.until(() => desk.outcomes.has("r"));
  assert.equal(desk.outcomes.get("r")?.ok, true);
  assert.notEqual(leader.core?.view().role, "leader");
  desk.until(() => desk.leader() !== undefined && desk.leader() !== leader);
  const tag = desk.propose(desk.leader() ?? leader, 3);
  desk.until(() => desk.outcomes.has(tag));
  assert.equal(desk.outcomes.get(tag)?.ok, true);
});
