/** Replicas that lose what they held: they do not vote, and get everything back from the leader. */
import assert from "node:assert/strict";
import { CONFIG_LIMITS } from "../../mod/config/compaction.ts";
import type { ClusterSpec } from "../../mod/base/cluster.ts";
import { nodeId } from "../../mod/base/id.ts";
import { judgeLoss } from "../../mod/config/recovery.ts";
import { encodeEntry } from "../../mod/config/wire.ts";
import type { DatabaseDamage, Rescued } from "../../mod/host/ports.ts";
import { Desk, EMPTY, type Node, specOf } from "./cluster.ts";

function deskOf(seed: number, spec: ClusterSpec, short = false): Desk {
  const desk = new Desk(seed, spec, 0);
  if (short) desk.limits = { ...CONFIG_LIMITS, tailBytes: 0, tailEntries: 4, chunkBytes: 120 };
  for (const node of desk.nodes) desk.start(node);
  desk.until(() => desk.leader() !== undefined);
  return desk;
}

function write(desk: Desk, number: number): void {
  const leader = desk.leader();
  assert.ok(leader);
  const tag = desk.propose(leader, number);
  desk.until(() => desk.outcomes.has(tag));
  assert.equal(desk.outcomes.get(tag)?.ok, true);
}

function follower(desk: Desk): Node {
  const node = desk.nodes.find((each) => each !== desk.leader() && each.core !== null);
  assert.ok(node);
  return node;
}

/** It dies, and its database with it; its seal tells term, vote and members. */
function lose(desk: Desk, node: Node, nonce = 7): void {
  desk.crash(node);
  // What it said before arrives before what it says in its next life.
  desk.run(50);
  const { term, vote, sealed } = node.database.content;
  const recovery = { nonce, known: true, why: "a row fails its CRC-32" };
  node.database.content = { ...EMPTY, term, vote, sealed, recovery };
}

function isWhole(node: Node): boolean {
  return node.core?.view().recovering === null;
}

function holds(node: Node, number: number): boolean {
  return node.core?.stat(`f${number}`) !== null;
}

for (const short of [false, true]) {
  const how = short ? "a snapshot" : "the log";
  Deno.test(`a replica that lost its database gets it back by ${how}, and is whole then`, () => {
    const desk = deskOf(1, specOf(3, false), short);
    for (let number = 0; number < 30; number++) write(desk, number);
    const hurt = follower(desk);
    lose(desk, hurt);
    desk.start(hurt);
    assert.match(hurt.core?.view().blocked ?? "", /recovering.*a row fails its CRC-32/);
    const tag = desk.propose(desk.leader() ?? hurt, 30);
    desk.until(() => {
      assert.ok(!isWhole(hurt) || holds(hurt, 29), "not before it holds what was committed");
      return isWhole(hurt) && holds(hurt, 30);
    });
    desk.until(() => hurt.database.content.recovery === null && desk.outcomes.has(tag));
    assert.equal(hurt.database.installs, short ? 1 : 0);
    desk.until(() => desk.leader()?.core?.view().peers.every((peer) => !peer.recovering) === true);
    // It votes again.
    desk.crash(desk.leader() ?? hurt);
    desk.until(() => desk.leader() !== undefined);
    write(desk, 31);
  });
}

Deno.test("what only the leader and the lost one held cannot be outvoted with the lost one's voice", () => {
  const desk = deskOf(2, specOf(3, false));
  const [leader, hurt] = [desk.leader(), follower(desk)];
  const behind = desk.nodes.find((node) => node !== leader && node !== hurt);
  assert.ok(leader && behind);
  desk.crash(behind);
  write(desk, 1);
  lose(desk, hurt);
  desk.crash(leader);
  desk.start(hurt);
  desk.start(behind);
  desk.run(20_000);
  assert.equal(desk.leader(), undefined, "one that is behind and one that lost all elect nobody");
  desk.start(leader);
  desk.until(() => isWhole(hurt) && holds(hurt, 1) && holds(behind, 1));
});

Deno.test("two of three that recover elect nobody, and nobody with them", () => {
  const desk = deskOf(3, specOf(3, false));
  write(desk, 1);
  const leader = desk.leader();
  assert.ok(leader);
  const lost = desk.nodes.filter((node) => node !== leader);
  for (const node of lost) lose(desk, node);
  desk.crash(leader);
  for (const node of lost) desk.start(node);
  desk.run(20_000);
  assert.equal(desk.leader(), undefined);
  desk.start(leader);
  desk.run(20_000);
  assert.equal(desk.leader(), undefined, "a single one with its database is no majority");
});

Deno.test("of a pair the one that lost its database votes for the other, and is given all of it", () => {
  const desk = deskOf(4, specOf(2, false));
  write(desk, 1);
  const hurt = desk.leader();
  const other = desk.nodes.find((node) => node !== hurt);
  assert.ok(hurt && other);
  desk.until(() => hurt.database.content.sealed?.settled === true);
  lose(desk, hurt);
  desk.start(hurt);
  desk.until(() => isWhole(hurt) && holds(hurt, 1));
  assert.equal(desk.leader(), other);
  write(desk, 2);
});

Deno.test("of a pair the one that committed alone does not vote: only it may hold that", () => {
  const desk = deskOf(5, specOf(2, false));
  write(desk, 1);
  const hurt = desk.leader();
  assert.ok(hurt);
  lose(desk, hurt);
  const { content } = hurt.database;
  for (const sealed of [{ alone: true, settled: true }, { alone: false, settled: false }]) {
    hurt.database.content = { ...content, sealed: { spec: null, ...sealed } };
    desk.start(hurt);
    desk.run(5000);
    assert.equal(desk.leader(), undefined);
    desk.crash(hurt);
  }
});

Deno.test("a recovery ends with the leader's word for this loss, and with all that it has committed", () => {
  const desk = deskOf(6, specOf(3, false));
  write(desk, 1);
  const hurt = follower(desk);
  const leader = desk.leader();
  assert.ok(leader);
  lose(desk, hurt);
  // The third is silent: no majority without the lost one says that this leader leads.
  const third = desk.nodes.find((node) => node !== hurt && node !== leader);
  assert.ok(third);
  desk.cut.add(`${third.id}-${leader.id}`);
  desk.start(hurt);
  desk.until(() => holds(hurt, 1));
  desk.run(2000);
  assert.equal(isWhole(hurt), false, "an old leader would say the same");
  desk.cut.clear();
  desk.until(() => isWhole(hurt));
});

Deno.test("who lost term and vote counts for nothing until every other voter has answered", () => {
  const desk = deskOf(7, specOf(3, false));
  write(desk, 1);
  const hurt = follower(desk);
  const leader = desk.leader();
  const third = desk.nodes.find((node) => node !== hurt && node !== leader);
  assert.ok(leader && third);
  lose(desk, hurt);
  const recovery = { nonce: 9, known: false, why: "it is not there" };
  hurt.database.content = { ...EMPTY, recovery };
  desk.start(hurt);
  desk.crash(third);
  const tag = desk.propose(leader, 2);
  desk.run(1000);
  assert.notEqual(desk.outcomes.get(tag)?.ok, true, "its answers make no majority");
  desk.run(10_000);
  assert.equal(isWhole(hurt), false);
  desk.start(third);
  desk.until(() => isWhole(hurt) && holds(hurt, 1));
  assert.ok(hurt.database.content.term >= leader.database.content.term);
});

Deno.test("an older copy put back is noticed by the leader that it acknowledged more to", () => {
  const desk = deskOf(8, specOf(3, false));
  write(desk, 1);
  const hurt = follower(desk);
  desk.until(() => holds(hurt, 1));
  const old = hurt.database.content;
  for (let number = 2; number < 9; number++) write(desk, number);
  desk.until(() => holds(hurt, 8));
  desk.run(200);
  const leader = desk.leader();
  desk.crash(hurt);
  desk.run(50);
  hurt.database.content = old;
  let lost = false;
  desk.start(hurt);
  desk.until(() => {
    lost ||= !isWhole(hurt);
    return lost && holds(hurt, 8);
  });
  desk.until(() => isWhole(hurt) && hurt.database.content.recovery === null);
  assert.equal(desk.leader(), leader);
  assert.ok(desk.codes.has("config.lost"));
});

Deno.test("judgeLoss() begins anew only where somebody else may hold what was lost", () => {
  const rescued: Rescued = { term: 4, vote: 2, known: true, sealed: null };
  const damage: DatabaseDamage = { damaged: "row 7", kind: "damaged", rescued };
  const self = nodeId(1);
  const [alone, three] = [specOf(1, false), specOf(3, false)];
  const lost = judgeLoss(damage, { self, spec: alone, nonce: 5 });
  assert.deepEqual(lost, { code: "node.database-lost", why: "row 7" });
  const begun = judgeLoss(damage, { self, spec: three, nonce: 5 });
  const recovery = { nonce: 5, known: true, why: "row 7" };
  assert.deepEqual(begun, { beginning: { term: 4, vote: 2, sealed: null, recovery } });
  // A founder's identity names only itself; its seal knows better.
  const body = encodeEntry({ kind: "spec", spec: three, highest: 3 });
  const sealed = { spec: { index: 9, body }, settled: true, alone: false };
  const founder = { ...damage, rescued: { ...rescued, sealed } };
  assert.ok("beginning" in judgeLoss(founder, { self, spec: alone, nonce: 5 }));
  for (const [kind, code] of [["newer", "newer"], ["unwritable", "failed"]] as const) {
    const verdict = judgeLoss({ ...damage, kind }, { self, spec: three, nonce: 5 });
    assert.deepEqual(verdict, { code: `node.database-${code}`, why: "row 7" });
  }
});

Deno.test("who commits with the witness alone says so in its seal first, until the other holds it too", () => {
  const desk = new Desk(9, specOf(2, true), 0);
  const [first, second] = [desk.node(1), desk.node(2)];
  desk.start(first);
  desk.giveWitness(1);
  desk.until(() => desk.leader() === first);
  write(desk, 1);
  assert.equal(first.database.content.sealed?.alone, true);
  desk.start(second);
  desk.until(() => holds(second, 1) && first.core?.view().commitSet === null);
  write(desk, 2);
  desk.until(() => first.database.content.sealed?.alone === false);
  // Again alone, and lost: the other, which lacks that, must not lead.
  desk.giveWitness(null);
  desk.crash(second);
  desk.until(() => desk.leader() === undefined);
  desk.giveWitness(1);
  desk.until(() => desk.leader() === first);
  write(desk, 3);
  lose(desk, first);
  assert.equal(first.database.content.sealed?.alone, true);
  desk.start(first);
  desk.start(second);
  desk.run(20_000);
  assert.equal(desk.leader(), undefined, "what was committed alone would be lost");
});

Deno.test("of a pair whose witness may know more, one that lost term and vote is whole by its word only", () => {
  const desk = new Desk(10, specOf(2, true), 0);
  const [first, second] = [desk.node(1), desk.node(2)];
  desk.start(first);
  desk.giveWitness(1);
  desk.until(() => desk.leader() === first);
  desk.start(second);
  desk.until(() => first.core?.view().commitSet === null);
  write(desk, 1);
  desk.giveWitness(null);
  lose(desk, second);
  const recovery = { nonce: 9, known: false, why: "it is not there" };
  second.database.content = { ...EMPTY, recovery };
  desk.start(second);
  desk.run(20_000);
  assert.equal(isWhole(second), false);
  assert.equal(desk.leader(), undefined, "its answers keep nobody in the lead");
  desk.crash(second);
  desk.giveWitness(1);
  desk.until(() => desk.leader() === first);
  desk.start(second);
  desk.until(() => isWhole(second) && holds(second, 1));
});

Deno.test("with a damaged seal nobody votes before a leader saw that nothing is missing; nothing is put aside", () => {
  for (const nodes of [2, 3]) {
    const desk = new Desk(60 + nodes, specOf(nodes, false));
    desk.until(() => desk.leader() !== undefined);
    const tag = desk.propose(desk.node(1), 1);
    desk.until(() => desk.outcomes.has(tag));
    desk.run(300);
    for (const node of desk.nodes) desk.crash(node);
    const doubted = desk.node(1);
    const { database } = doubted;
    database.content = { ...database.content, unproven: "the seal fails its CRC-32" };
    desk.start(doubted);
    desk.run(50);
    assert.match(doubted.core?.view().recovering ?? "", /seal fails its CRC-32/);
    assert.equal(database.content.recovery?.known, true, "it is remembered");
    const { unproven: _unproven, ...decided } = database.content;
    database.content = decided;
    desk.run(3000);
    assert.equal(desk.leader(), undefined);
    for (const node of desk.nodes.slice(1)) desk.start(node);
    desk.until(() => doubted.core?.view().recovering === null);
    assert.equal(database.installs, 0, "it kept what it had");
    assert.notEqual(doubted.core?.stat("f1"), null);
    desk.until(() => desk.leader() !== undefined);
    const again = desk.propose(doubted, 2);
    desk.until(() => desk.outcomes.get(again)?.ok === true);
    assert.ok(desk.codes.has("config.unproven"));
  }
});

Deno.test("with a damaged seal and no peer a node goes on, and says so", () => {
  const desk = new Desk(70, specOf(1, false));
  desk.until(() => desk.leader() !== undefined);
  const node = desk.node(1);
  desk.crash(node);
  node.database.content = { ...node.database.content, unproven: "the seal fails its CRC-32" };
  desk.start(node);
  desk.until(() => desk.leader() === node);
  assert.equal(node.core?.view().recovering, null);
});

Deno.test("of a pair with a witness, one that may have gone on alone votes by its log only", () => {
  const lone = new Desk(71, specOf(2, true));
  lone.until(() => lone.leader() !== undefined);
  lone.run(300);
  for (const node of lone.nodes) lone.crash(node);
  // What it committed alone the other does not hold.
  const doubted = lone.node(1);
  const { content } = doubted.database;
  const last = content.entries.at(-1);
  assert.ok(last);
  const more = { index: last.index + 1, term: last.term, body: encodeEntry({ kind: "noop" }) };
  doubted.database.content = {
    ...content,
    ...{ entries: [...content.entries, more], unproven: "the seal fails its CRC-32" },
  };
  for (const node of lone.nodes) lone.start(node);
  lone.run(5000);
  assert.equal(lone.leader(), undefined, "the other is not elected by it");
});
