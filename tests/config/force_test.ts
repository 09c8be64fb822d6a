/** One node goes on alone by a person's word: only where that is what is missing, and for good. */
import assert from "node:assert/strict";
import { nodeId, requestId } from "../../mod/base/id.ts";
import type { HistoryRecord } from "../../mod/host/ports.ts";
import { historyLine } from "../../mod/config/history.ts";
import { undoOf } from "../../mod/config/undo.ts";
import type { Fact } from "../../mod/streams.ts";
import { Desk, EMPTY, specOf } from "./cluster.ts";
import { Lone } from "./lone.ts";

type Forced = Extract<Fact, { fact: "config.forced" }>;

function force(desk: Desk, by: number, commit: boolean): Forced {
  const tag = `force${desk.facts.length}`;
  const ask = {
    ...{ commit, id: requestId("00000000000000ff"), author: "root@node1", time: 5 },
    reason: "force-single, accept-risk=data-loss: the others burnt",
  };
  const request = { request: "config.force-single", tag, ask } as const;
  desk.feed(desk.node(by), { kind: "request", request });
  const found = () =>
    desk.facts.flatMap(({ fact }) =>
      fact.fact === "config.forced" && fact.tag === tag ? [fact] : []
    );
  desk.until(() => found().length > 0);
  const [first] = found();
  assert.ok(first);
  return first;
}

/** A cluster that wrote something and of which only some are left. */
function left(seed: number, nodes: number, alive: readonly number[], witness = false): Desk {
  const desk = new Desk(seed, specOf(nodes, witness));
  desk.until(() => desk.leader() !== undefined);
  const tag = desk.propose(desk.node(1), 1000);
  desk.until(() => desk.outcomes.has(tag));
  desk.run(500);
  for (const node of desk.nodes) if (!alive.includes(node.id)) desk.crash(node);
  desk.run(2000);
  return desk;
}

function written(desk: Desk, by: number, number: number): boolean {
  const tag = desk.propose(desk.node(by), number);
  desk.until(() => desk.outcomes.has(tag));
  return desk.outcomes.get(tag)?.ok === true;
}

Deno.test("without consent it says what it would cost and changes nothing", () => {
  const desk = left(1, 3, [1]);
  const { problem, index, report } = force(desk, 1, false);
  assert.equal(problem, null);
  assert.equal(index, null);
  assert.deepEqual(report.others.map(({ name, answers }) => [name, answers]), [
    ["node2", false],
    ["node3", false],
  ]);
  const text = report.warnings.join("\n");
  assert.match(text, /node2 and node3 are a majority without this node/);
  assert.match(text, new RegExp(`log ends at index ${report.lastIndex} of term`));
  assert.match(text, /node2 is out: before it may come back it must leave/);
  assert.equal(written(desk, 1, 1), false);
});

Deno.test("with consent it writes again, after a restart too, and the history tells on whose word", () => {
  const desk = left(2, 3, [1]);
  const { index, report } = force(desk, 1, true);
  assert.ok(index !== null);
  assert.deepEqual(report.others.map(({ name }) => name), ["node2", "node3"], "as it was before");
  assert.ok(report.lastIndex < index);
  assert.equal(written(desk, 1, 1), true);
  desk.crash(desk.node(1));
  desk.start(desk.node(1));
  desk.until(() => desk.node(1).core?.view().role === "leader");
  assert.equal(written(desk, 1, 2), true);
  const record = desk.node(1).database.history.find((each) => each.index === index);
  const line = historyLine(record as HistoryRecord);
  assert.equal(line?.author, "root@node1");
  assert.match(line?.reason ?? "", /accept-risk=data-loss: the others burnt/);
  assert.deepEqual(line?.diff, ["write ha/out_nodes +16"]);
  const core = desk.node(1).core;
  assert.ok(core && record);
  const out = new TextDecoder().decode(core.read("ha/out_nodes") ?? undefined);
  assert.equal(out, "2 node2\n3 node3\n");
  const undone = undoOf(record as HistoryRecord, { tree: core.tree, later: [] });
  assert.ok("code" in undone && undone.code === "config.cannot-undo");
});

Deno.test("it is refused at the leader, where a leader is heard, and where a majority answers", () => {
  const whole = left(3, 3, [1, 2, 3]);
  for (const by of [1, 2, 3]) {
    const { problem, index } = force(whole, by, true);
    assert.equal(problem?.code, "config.force-refused");
    assert.equal(index, null);
  }
  // Nobody leads yet, but two of three are here: that is found out by asking them.
  const two = left(4, 3, [1]);
  two.loss = 1;
  two.start(two.node(2));
  two.run(1);
  two.loss = 0;
  const { problem } = force(two, 1, true);
  assert.equal(problem?.code, "config.force-refused");
  assert.equal(written(two, 1, 1), true, "they went on by themselves");
});

Deno.test("it is refused where one who answers holds newer entries: there it would lose less", () => {
  const fresh = new Desk(6, specOf(5, false));
  fresh.until(() => fresh.leader() !== undefined);
  fresh.crash(fresh.node(1));
  fresh.until(() => fresh.leader() !== undefined);
  assert.equal(written(fresh, 2, 1), true);
  fresh.run(300);
  for (const id of [2, 3, 4, 5]) fresh.crash(fresh.node(id));
  for (const id of [1, 2]) fresh.start(fresh.node(id));
  fresh.run(2000);
  const { problem } = force(fresh, 1, true);
  assert.equal(problem?.code, "config.force-refused");
  assert.match(problem?.why ?? "", /node2 would not vote for this node/);
  assert.notEqual(force(fresh, 2, true).index, null);
  assert.notEqual(fresh.node(2).core?.stat("f1"), null);
});

/** Of three, one that lost its database is back, and one is dead for good. */
function withOneRecovering(seed: number): Desk {
  const desk = left(seed, 3, [1]);
  const lost = desk.node(2);
  const { term, vote, sealed } = lost.database.content;
  const recovery = { nonce: 9, known: true, why: "a row fails its CRC-32" };
  lost.database.content = { ...EMPTY, term, vote, sealed, recovery };
  desk.start(lost);
  desk.run(2000);
  assert.equal(desk.leader(), undefined, "who recovers elects nobody");
  return desk;
}

Deno.test("a voter that lives and lost its database is neither a majority nor against it", () => {
  const desk = withOneRecovering(11);
  const { problem, index } = force(desk, 1, true);
  assert.equal(problem, null, problem?.why);
  assert.notEqual(index, null);
  desk.until(() => desk.leader()?.id === 1);
  assert.notEqual(desk.node(1).core?.stat("f1000"), null, "what was acknowledged");
  assert.equal(written(desk, 1, 2), true);
});

Deno.test("it is against it where it got back what the asker lacks", () => {
  const desk = withOneRecovering(12);
  const lost = desk.node(2);
  const asker = desk.node(1).database.content;
  desk.crash(lost);
  const [first] = asker.entries.slice(-1);
  assert.ok(first);
  const newer = { ...first, index: first.index + 1 };
  lost.database.content = {
    ...asker,
    ...{ entries: [...asker.entries, newer], recovery: lost.database.content.recovery },
  };
  desk.start(lost);
  desk.run(500);
  const { problem } = force(desk, 1, true);
  assert.equal(problem?.code, "config.force-refused");
});

Deno.test("who is put out disturbs nobody when it comes back, and is told", () => {
  const desk = left(7, 2, [1]);
  assert.notEqual(force(desk, 1, true).index, null);
  assert.equal(written(desk, 1, 1), true);
  const term = desk.node(1).core?.view().term;
  desk.start(desk.node(2));
  desk.run(10_000);
  assert.equal(desk.node(1).core?.view().role, "leader");
  assert.equal(desk.node(1).core?.view().term, term);
  assert.equal(desk.node(2).core?.view().removed, true);
  assert.equal(written(desk, 2, 2), false);
  assert.equal(desk.node(2).core?.stat("f1"), null, "it gets nothing either");
});

Deno.test("it takes the register, so that nobody else can win with the witness", () => {
  const desk = left(8, 2, [1], true);
  // The cascade: the other one committed alone, and is lost.
  desk.register = { ...desk.register, version: 50, term: 40, vote: nodeId(2), set: [nodeId(2)] };
  desk.giveWitness(1);
  desk.run(1000);
  assert.match(desk.node(1).core?.view().blocked ?? "", /bring node2 back/);
  const { report } = force(desk, 1, false);
  assert.match(report.warnings.join("\n"), /the witness says that only node2 holds everything/);
  assert.notEqual(force(desk, 1, true).index, null);
  assert.deepEqual([...desk.register.set], [1]);
  assert.ok(desk.register.term > 40);
  assert.equal(written(desk, 1, 1), true);
  // The one that was put out gets the disk: the register refuses it.
  desk.giveWitness(2);
  desk.start(desk.node(2));
  desk.giveWitness(2);
  desk.run(5000);
  assert.notEqual(desk.node(2).core?.view().role, "leader");
  assert.equal(written(desk, 1, 2), true);
});

Deno.test("a disk that does not answer does not hold it up, but is warned of", () => {
  const lone = new Lone(specOf(2, true));
  lone.pass(1000);
  const ask = {
    ...{ id: requestId("00000000000000ff"), author: "root@node1", reason: "r", time: 5 },
  };
  const told = () => lone.facts.flatMap((fact) => fact.fact === "config.forced" ? [fact] : []);
  const run = (commit: boolean) => {
    const before = told().length;
    const request = { request: "config.force-single", tag: "f", ask: { ...ask, commit } } as const;
    lone.request(request);
    for (let ms = 0; ms < 3000 && told().length === before; ms += 50) lone.pass(50);
    return told().at(-1);
  };
  assert.match(run(false)?.report.warnings.join("\n") ?? "", /register was not read here/);
  const done = run(true);
  assert.equal(done?.problem, null);
  assert.notEqual(done?.index, null);
  const swaps = lone.asked.flatMap((each) =>
    each.request === "storage.swap" ? [each.register.set.join()] : []
  );
  assert.deepEqual(swaps, ["", "", "1"], "read each time, and written once");
  assert.equal(lone.core.view().role, "leader");
  assert.equal(lone.database.content.term, lone.core.view().term);
});

Deno.test("two halves that are both forced never hear each other again", () => {
  const desk = left(9, 2, []);
  desk.cut.add("1-2").add("2-1");
  for (const node of desk.nodes) desk.start(node);
  desk.run(1000);
  // What the warning says: there are two clusters now.
  desk.divided = true;
  for (const by of [1, 2]) assert.notEqual(force(desk, by, true).index, null);
  const terms = () => desk.nodes.map((node) => node.core?.view().term);
  const before = terms();
  desk.cut.clear();
  desk.run(5000);
  assert.deepEqual(terms(), before, "neither disturbs the other");
  assert.ok(written(desk, 1, 1) && written(desk, 2, 2));
  desk.run(1000);
  assert.equal(desk.node(2).core?.stat("f1"), null);
  assert.equal(desk.node(1).core?.stat("f2"), null);
});
