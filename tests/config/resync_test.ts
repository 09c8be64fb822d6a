/** Whole clusters with short logs: whoever was away, joins, or differs gets the leader's state. */
import assert from "node:assert/strict";
import { Desk, EMPTY, type Node, specOf } from "./cluster.ts";
import { assertEqual, deskOf } from "./short_logs.ts";

function write(desk: Desk, from: number, to: number): void {
  const leader = desk.leader();
  assert.ok(leader);
  for (let number = from; number < to; number++) desk.propose(leader, number);
  desk.until(() => leader.core?.stat(`f${to - 1}`) !== null);
  // Who does not answer any more is not waited for.
  desk.run(500);
}

function follower(desk: Desk): Node {
  const node = desk.nodes.find((each) => each !== desk.leader() && each.core !== null);
  assert.ok(node);
  return node;
}

Deno.test("a node that was away for longer than the log is gets a snapshot, and then the log", () => {
  const desk = deskOf(1, specOf(3, false));
  desk.until(() => desk.leader() !== undefined);
  const away = follower(desk);
  desk.crash(away);
  write(desk, 0, 40);
  const base = desk.leader()?.core?.view().logBase ?? 0;
  assert.ok(base > 20);
  desk.start(away);
  write(desk, 40, 60);
  desk.until(() => away.core?.stat("f59") !== null);
  assert.equal(away.database.installs, 1);
  assertEqual(desk);
  // A crash of everything afterwards: what was installed is on its disk.
  for (const node of desk.nodes) desk.crash(node);
  for (const node of desk.nodes) desk.start(node);
  desk.until(() => desk.leader() !== undefined);
  assertEqual(desk);
});

Deno.test("the leader dies in the midst of a snapshot: the next one sends its own, from the first chunk", () => {
  const desk = deskOf(2, specOf(3, false));
  desk.until(() => desk.leader() !== undefined);
  const away = follower(desk);
  desk.crash(away);
  // Not all at once: the other follower has shortened its log too when it leads. That happens when
  // what it applied is on its disk, for which nobody waits.
  for (let from = 0; from < 60; from += 12) {
    write(desk, from, from + 12);
    desk.run(200);
  }
  desk.start(away);
  const chunks = () =>
    desk.leader()?.core?.view().peers.find(({ node }) => node === away.id)?.snapshot?.chunks ?? 0;
  desk.until(() => chunks() > 4);
  const dead = desk.leader();
  assert.ok(dead);
  desk.crash(dead);
  assert.equal(away.core?.view().applied, 0, "half a snapshot is nothing");
  desk.until(() => desk.leader() !== undefined);
  desk.until(() => away.core?.stat("f59") !== null);
  assert.equal(away.database.installs, 1);
  desk.start(dead);
  assertEqual(desk);
});

Deno.test("the receiver dies in the midst of a snapshot, and gets it from the first chunk again", () => {
  const desk = deskOf(3, specOf(3, false));
  desk.until(() => desk.leader() !== undefined);
  const away = follower(desk);
  desk.crash(away);
  write(desk, 0, 60);
  desk.start(away);
  const peer = () => desk.leader()?.core?.view().peers.find(({ node }) => node === away.id);
  desk.until(() => (peer()?.snapshot?.chunks ?? 0) > 4);
  desk.crash(away);
  desk.run(100);
  desk.start(away);
  desk.until(() => away.core?.stat("f59") !== null);
  assertEqual(desk);
});

Deno.test("while a snapshot is on its way the log behind it is kept, and no second one is needed", () => {
  const desk = deskOf(4, specOf(3, false));
  desk.until(() => desk.leader() !== undefined);
  const away = follower(desk);
  desk.crash(away);
  write(desk, 0, 60);
  desk.start(away);
  const peer = () => desk.leader()?.core?.view().peers.find(({ node }) => node === away.id);
  desk.until(() => (peer()?.snapshot ?? null) !== null);
  const index = peer()?.snapshot?.index ?? 0;
  for (let number = 60; peer()?.snapshot; number++) {
    desk.propose(desk.leader() ?? away, number);
    desk.run(3);
  }
  const view = desk.leader()?.core?.view();
  assert.ok(view && view.applied > index + 10 && away.database.installs === 1);
  assertEqual(desk);
  assert.equal(away.database.installs, 1);
});

Deno.test("a learner joins by a snapshot, and votes when it has caught up", () => {
  const desk = deskOf(5, { ...specOf(3, false), members: specOf(1, false).members });
  desk.until(() => desk.leader() !== undefined);
  write(desk, 0, 40);
  const change = { change: "add-learner", name: "b", links: ["b:1"], peer: "b:2" } as const;
  const request = { request: "config.change-spec", tag: "add", change } as const;
  desk.feed(desk.node(1), { kind: "request", request });
  desk.until(() => desk.outcomes.has("add"));
  write(desk, 40, 60);
  const specs = desk.facts.flatMap(({ fact }) => fact.fact === "config.spec" ? [fact.spec] : []);
  const joiner = desk.newNode(2);
  desk.start(joiner, specs.at(-1));
  desk.until(() => joiner.core?.view().role === "follower");
  assert.equal(joiner.database.installs, 1);
  assert.notEqual(joiner.core?.stat("f3"), null);
  assertEqual(desk);
});

/** A replica whose tree is not that of its log any more, though every checksum is right. */
function spoil(desk: Desk, node: Node, rot: string | null = null): void {
  desk.crash(node);
  node.database.content = { ...node.database.content, rows: [] };
  node.database.rot = rot;
  desk.start(node);
}

for (const [nodes, witness] of [[3, false], [2, false], [2, true]] as const) {
  Deno.test(`of ${nodes} nodes${witness ? " and a witness" : ""} one that differs is rebuilt, and counts again`, () => {
    const desk = deskOf(6 + nodes, specOf(nodes, witness));
    desk.mayDiverge = true;
    desk.until(() => desk.leader() !== undefined);
    write(desk, 0, 12);
    desk.run(300);
    const odd = follower(desk);
    // Of a pair its own verification must tell which of the two is wrong.
    spoil(desk, odd, nodes === 2 ? "tree row 7 fails its CRC-32" : null);
    assert.equal(odd.core?.stat("f3"), null);
    desk.until(() => odd.core?.stat("f3") !== null && !odd.core?.view().diverged);
    const counts = () => desk.leader()?.core?.view().peers.every(({ diverged }) => !diverged);
    // Who leads hears of it a moment later; until then it may refuse to write.
    desk.until(() => counts() === true);
    write(desk, 12, 20);
    assert.ok(
      desk.facts.some(({ fact }) => fact.fact === "config.diverged" && fact.node === odd.id),
    );
    assertEqual(desk);
    desk.until(() => counts() === true);
    if (nodes === 3) {
      const other = desk.nodes.find((each) => each !== odd && each !== desk.leader());
      assert.ok(other);
      desk.crash(other);
    }
    write(desk, 20, 22);
  });
}

Deno.test("one that differs gives up its vote as soon as a majority says so, before any chunk comes", () => {
  const desk = deskOf(31, specOf(3, false));
  desk.mayDiverge = true;
  desk.until(() => desk.leader() !== undefined);
  write(desk, 0, 12);
  desk.run(300);
  const odd = follower(desk);
  spoil(desk, odd);
  desk.until(() => odd.core?.view().diverged === true);
  assert.equal(odd.database.content.diverged, true, "durable before it says anything");
  assert.match(odd.core?.view().blocked ?? "", /differs from its peers/);
  assert.equal(odd.database.installs, 0);
  desk.until(() => odd.database.installs === 1 && !odd.core?.view().diverged);
});

for (const witness of [false, true]) {
  const title = witness ? " and a witness" : "";
  Deno.test(`of a pair${title} that differs, both sound, nothing is overwritten, and both are named`, () => {
    const desk = deskOf(32, specOf(2, witness));
    desk.mayDiverge = true;
    desk.until(() => desk.leader() !== undefined);
    write(desk, 0, 12);
    desk.run(300);
    const odd = follower(desk);
    const leader = desk.leader();
    assert.ok(leader);
    spoil(desk, odd);
    desk.run(20_000);
    assert.ok(odd.database.verified > 0 && leader.database.verified > 0);
    assert.equal(odd.database.installs + leader.database.installs, 0);
    assert.notEqual(leader.core?.stat("f3"), null);
    for (const node of [odd, leader]) {
      assert.equal(node.core?.view().diverged, false);
      assert.match(node.core?.view().blocked ?? "", /node1 and node2|node2 and node1/);
      assert.equal(node.core?.view().quorate, false, "nothing can be committed");
      const tag = desk.propose(node, 99);
      desk.run(10);
      const outcome = desk.outcomes.get(tag);
      assert.ok(outcome?.ok === false && outcome.problem.code === "config.no-quorum");
    }
    // The person's word: the wrong one's database is put aside, and it begins anew.
    desk.crash(odd);
    const { term, vote, sealed } = odd.database.content;
    const recovery = { nonce: 7, known: true, why: "it is not there" };
    odd.database.content = { ...EMPTY, term, vote, sealed, recovery };
    desk.start(odd);
    desk.until(() => odd.core?.stat("f3") !== null && odd.core?.view().recovering === null);
    write(desk, 12, 14);
    assertEqual(desk);
  });
}

Deno.test("of a pair that was restarted with one of them known to be wrong, the other leads and rebuilds it", () => {
  for (let seed = 1; seed <= 10; seed++) {
    const desk = deskOf(seed, specOf(2, false));
    desk.mayDiverge = true;
    desk.until(() => desk.leader() !== undefined);
    write(desk, 0, 12);
    desk.run(300);
    for (const node of desk.nodes) desk.crash(node);
    const odd = desk.node(1 + seed % 2);
    odd.database.content = { ...odd.database.content, rows: [], diverged: true };
    for (const node of desk.nodes) desk.start(node);
    desk.until(() => odd.core?.stat("f3") !== null && !odd.core?.view().diverged);
    write(desk, 12, 14);
    assertEqual(desk);
  }
});

Deno.test("damage on every disk is written over from memory, without anybody losing its vote", () => {
  for (const nodes of [1, 2, 3]) {
    const desk = deskOf(40 + nodes, specOf(nodes, false));
    desk.until(() => desk.leader() !== undefined);
    write(desk, 0, 12);
    const term = desk.leader()?.core?.view().term;
    for (const node of desk.nodes) node.database.rot = "log entry 3 fails its CRC-32";
    desk.until(
      () => desk.nodes.every(({ core }) => core?.view().verified?.report.count === 1),
      40_000,
    );
    write(desk, 12, 14);
    desk.until(() => desk.nodes.every(({ core }) => core?.view().verified?.report.count === 0));
    assert.ok(desk.nodes.every(({ database }) => database.installs === 1));
    assert.equal(desk.leader()?.core?.view().term, term);
    // What was written is what is needed: everybody starts from it.
    for (const node of desk.nodes) desk.crash(node);
    for (const node of desk.nodes) desk.start(node);
    desk.until(() => desk.leader() !== undefined);
    write(desk, 14, 16);
    assertEqual(desk);
    for (const node of desk.nodes) assert.notEqual(node.core?.stat("f3"), null);
  }
});

Deno.test("damage that comes back at once is told, and not written over for ever", () => {
  const desk = deskOf(51, specOf(3, false));
  desk.until(() => desk.leader() !== undefined);
  write(desk, 0, 3);
  const [node] = desk.nodes;
  assert.ok(node);
  node.database.bad = "tree row 9 fails its CRC-32";
  desk.run(60_000);
  assert.equal(node.database.installs, 1);
  assert.equal(node.core?.view().verified?.report.count, 1);
  write(desk, 3, 5);
});

Deno.test("a leader from which most of its peers differ steps aside and is rebuilt by them", () => {
  const desk = deskOf(20, specOf(3, false));
  desk.mayDiverge = true;
  desk.until(() => desk.leader() !== undefined);
  write(desk, 0, 12);
  desk.run(300);
  const odd = desk.leader();
  assert.ok(odd);
  const others = desk.nodes.filter((node) => node !== odd);
  for (const node of others) desk.crash(node);
  spoil(desk, odd);
  // The others come back a little later, so that it is the first to ask for votes.
  desk.run(280);
  for (const node of others) desk.start(node);
  desk.until(() => desk.leader() === odd);
  desk.until(() => odd.core?.view().diverged === true);
  desk.until(() => odd.core?.stat("f3") !== null && !odd.core?.view().diverged);
  assert.equal(others.some((node) => node.database.installs > 0), false, "nobody took its state");
  assertEqual(desk);
  assert.ok(desk.codes.has("config.odd"));
});
