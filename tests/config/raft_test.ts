import assert from "node:assert/strict";
import { nodeId } from "../../mod/base/id.ts";
import { reason } from "../../mod/base/reason.ts";
import { Desk, specOf } from "./cluster.ts";

Deno.test("three replicas elect one leader, commit, and hold the same tree", () => {
  const desk = new Desk(1, specOf(3, false));
  desk.until(() => desk.leader() !== undefined);
  const tag = desk.propose(desk.node(1), 1);
  desk.until(() => desk.outcomes.has(tag));
  assert.equal(desk.outcomes.get(tag)?.ok, true);
  desk.run(500);
  const views = desk.nodes.map((node) => node.core?.view());
  for (const view of views) {
    assert.equal(view?.applied, views[0]?.applied);
    assert.equal(view?.stateCrc, views[0]?.stateCrc);
  }
  for (const node of desk.nodes) assert.notEqual(node.core?.stat("f1"), null);
});

Deno.test("a cluster of one commits only what is durable", () => {
  const desk = new Desk(2, specOf(1, false));
  desk.until(() => desk.leader() !== undefined);
  const tag = desk.propose(desk.node(1), 1);
  assert.equal(desk.outcomes.has(tag), false, "nothing is acknowledged before the disk has it");
  desk.until(() => desk.outcomes.has(tag));
  assert.equal(desk.node(1).database.content.entries.length >= 2, true);
});

Deno.test("without a quorate view a write is refused at once", () => {
  const desk = new Desk(3, specOf(2, false), 1);
  const view = { epoch: 1, online: [nodeId(1)], present: 1, expected: 2, needed: 2 };
  desk.feed(desk.node(1), {
    kind: "fact",
    fact: {
      fact: "heartbeat.view",
      view: { ...view, quorate: false, installed: true },
      because: reason("heartbeat.view"),
    },
  });
  const tag = desk.propose(desk.node(1), 1);
  const outcome = desk.outcomes.get(tag);
  assert.ok(outcome && !outcome.ok);
  assert.equal(outcome.problem.code, "config.no-quorum");
});

Deno.test("a retried request is applied once, also through another leader", () => {
  const desk = new Desk(4, specOf(3, false));
  desk.until(() => desk.leader() !== undefined);
  const first = desk.propose(desk.node(1), 7);
  desk.until(() => desk.outcomes.has(first));
  const leader = desk.leader();
  assert.ok(leader);
  desk.crash(leader);
  desk.until(() => desk.leader() !== undefined);
  const survivor = desk.nodes.find((node) => node.core !== null);
  assert.ok(survivor);
  const again = desk.propose(survivor, 7);
  desk.until(() => desk.outcomes.has(again));
  assert.deepEqual(
    desk.outcomes.get(again)?.ok,
    true,
    "create would fail if it were applied twice",
  );
});

Deno.test("two nodes share the witness register, and the survivor goes on with its vote", () => {
  const desk = new Desk(5, specOf(2, true));
  desk.until(() => desk.register.set.length === 2);
  const dead = desk.leader();
  assert.ok(dead);
  desk.crash(dead);
  const survivor = desk.nodes.find((node) => node.core !== null);
  assert.ok(survivor);
  desk.run(3000);
  assert.notEqual(survivor.core?.view().role, "leader", "not without the witness");
  desk.giveWitness(survivor.id);
  desk.until(() => survivor.core?.view().role === "leader");
  const tag = desk.propose(survivor, 1);
  desk.until(() => desk.outcomes.has(tag));
  assert.equal(desk.outcomes.get(tag)?.ok, true);
  assert.deepEqual(desk.register.set, [survivor.id]);
  desk.start(dead);
  desk.until(() => desk.register.set.length === 2);
  assert.ok(desk.facts.some(({ fact }) => fact.fact === "config.shared"));
});

Deno.test("a stale node cannot win with the witness: the cascade is refused with a sentence", () => {
  const desk = new Desk(6, specOf(2, true));
  desk.until(() => desk.register.set.length === 2);
  const [a, b] = [desk.node(1), desk.node(2)];
  desk.crash(a);
  desk.giveWitness(2);
  desk.until(() => b.core?.view().role === "leader");
  const tag = desk.propose(b, 1);
  desk.until(() => desk.outcomes.has(tag));
  desk.crash(b);
  desk.start(a);
  desk.giveWitness(1);
  desk.run(5000);
  assert.notEqual(a.core?.view().role, "leader");
  assert.match(a.core?.view().blocked ?? "", /only node2 may hold/);
  assert.ok(desk.codes.has("config.cascade"));
  desk.giveWitness(null);
  desk.start(b);
  desk.until(() => desk.leader() !== undefined);
  desk.until(() => a.core?.stat("f1") !== null);
});

Deno.test("a learner is caught up, promoted by itself, and votes; one change at a time", () => {
  const desk = new Desk(7, { ...specOf(3, false), members: specOf(1, false).members });
  desk.until(() => desk.leader() !== undefined);
  const change = (name: string, tag: string) =>
    desk.feed(desk.node(1), {
      kind: "request",
      request: {
        request: "config.change-spec",
        tag,
        change: { change: "add-learner", name, links: [`${name}:1`], peer: `${name}:2` },
      },
    });
  for (let i = 0; i < 5; i++) desk.propose(desk.node(1), i);
  desk.run(200);
  change("b", "one");
  change("c", "two");
  desk.run(200);
  assert.equal(desk.outcomes.get("one")?.ok, true);
  const second = desk.outcomes.get("two");
  assert.ok(second && !second.ok && second.problem.code === "config.membership-busy");
  const spec = desk.facts.flatMap(({ fact }) => fact.fact === "config.spec" ? [fact.spec] : []).at(
    -1,
  );
  assert.ok(spec);
  assert.deepEqual(spec.members.map((m) => [m.id, m.role]), [[1, "voter"], [2, "learner"]]);
  const joiner = desk.newNode(2);
  desk.start(joiner, spec);
  desk.until(() => joiner.core?.view().role === "follower");
  assert.notEqual(joiner.core?.stat("f4"), null);
});

Deno.test("removing a member that the rest could not do without is refused", () => {
  const desk = new Desk(8, specOf(3, false));
  desk.until(() => desk.leader() !== undefined);
  const leader = desk.leader();
  assert.ok(leader);
  desk.run(300);
  for (const node of desk.nodes) if (node !== leader) desk.cut.add(`${node.id}-${leader.id}`);
  desk.run(320);
  const other = desk.nodes.find((node) => node !== leader);
  assert.ok(other);
  desk.feed(leader, {
    kind: "request",
    request: {
      request: "config.change-spec",
      tag: "x",
      change: { change: "remove", node: other.id },
    },
  });
  desk.run(6000);
  const outcome = desk.outcomes.get("x");
  assert.ok(outcome && !outcome.ok);
});

Deno.test("random loss, crashes and the witness: no two leaders, no acknowledged write lost or doubled", () => {
  for (let seed = 1; seed <= 300; seed++) {
    const witness = seed % 2 === 0;
    const desk = new Desk(seed, specOf(witness ? 2 : 3, witness));
    const { prng } = desk;
    desk.loss = prng.fraction() * 0.2;
    desk.delayMs = prng.between(1, 40);
    const tags = new Map<string, number>();
    for (let round = 0; round < 30; round++) {
      const node = prng.pick(desk.nodes);
      if (node === undefined) continue;
      if (prng.chance(0.15)) {
        if (node.core === null) desk.start(node);
        else desk.crash(node);
      }
      const alive = desk.nodes.filter((each) => each.core !== null);
      // The judgement gives its vote only where the other was silent: here, dead.
      if (witness && alive.length === 1) desk.giveWitness(alive[0]?.id ?? null);
      if (witness && alive.length === 2 && desk.register.set.length === 2) desk.giveWitness(null);
      const through = prng.pick(alive);
      if (through) tags.set(desk.propose(through, seed * 1000 + round), seed * 1000 + round);
      desk.run(prng.between(10, 400));
    }
    desk.loss = 0;
    for (const node of desk.nodes) if (node.core === null) desk.start(node);
    try {
      desk.until(() => desk.nodes.every((node) => node.core?.view().leader === desk.leader()?.id));
      desk.run(5000);
      const views = desk.nodes.map((node) => node.core?.view());
      for (const view of views) {
        assert.equal(view?.applied, views[0]?.applied);
        assert.equal(view?.stateCrc, views[0]?.stateCrc);
      }
      for (const [tag, number] of tags) {
        if (desk.outcomes.get(tag)?.ok !== true) continue;
        for (const node of desk.nodes) {
          assert.notEqual(node.core?.stat(`f${number}`), null, `acknowledged ${number} is there`);
        }
      }
      // A create that was applied twice would have failed the second time.
      for (const outcome of desk.outcomes.values()) {
        assert.ok(outcome.ok || outcome.problem.code !== "config.exists");
      }
    } catch (error) {
      throw new Error(`seed ${seed}`, { cause: error });
    }
  }
});
