/** A witness that comes, goes, or gives way to another disk: when, and what is known of it then. */
import assert from "node:assert/strict";
import type { ClusterSpec } from "../../mod/base/cluster.ts";
import { nodeId } from "../../mod/base/id.ts";
import { instant } from "../../mod/base/time.ts";
import { changeSpec, onSwapped, tendWitness } from "../../mod/config/membership.ts";
import type { Raft } from "../../mod/config/raft.ts";
import { encodeEntry } from "../../mod/config/wire.ts";
import type { Request } from "../../mod/streams.ts";
import { Desk, specOf } from "./cluster.ts";
import { leaderOf } from "./leader.ts";

const OTHER = "2".repeat(32);

/** A leader whose members all answer, hold everything, and have applied it. */
function leader(spec: ClusterSpec): Raft {
  const raft = leaderOf(spec);
  settle(raft);
  return raft;
}

/** Everybody has everything, and knows that it is committed. */
function settle(raft: Raft): void {
  raft.durable = raft.commit = raft.log.last;
  for (const progress of raft.progress.values()) {
    progress.match = progress.applied = raft.log.last;
  }
}

function verdict(raft: Raft, disk: string | null): string {
  const next = changeSpec(raft, { change: "witness", disk });
  return "code" in next ? next.code : next.spec.witness?.disk ?? "none";
}

function decide(raft: Raft, disk: string | null): void {
  const next = changeSpec(raft, { change: "witness", disk });
  assert.ok(!("code" in next));
  const { spec, highest } = next;
  raft.append([{ term: 1, body: encodeEntry({ kind: "spec", spec, highest }) }]);
}

function asked(raft: Raft): Extract<Request, { request: "storage.swap" }>[] {
  return raft.effects.splice(0).flatMap((effect) =>
    effect.kind === "ask" && effect.request.request === "storage.swap" ? [effect.request] : []
  );
}

Deno.test("changeSpec() lets no disk follow another as the witness of a pair at once", () => {
  const raft = leader(specOf(2, true));
  assert.equal(verdict(raft, OTHER), "config.unsafe-membership");
  assert.equal(
    verdict(raft, raft.spec.witness?.disk ?? ""),
    "1".repeat(32),
    "the same one is none",
  );
  assert.equal(verdict(raft, null), "none");
  decide(raft, null);
  assert.equal(verdict(raft, OTHER), "config.membership-busy", "it is not committed yet");
  raft.durable = raft.commit = raft.log.last;
  assert.equal(verdict(raft, OTHER), "config.membership-busy", "nor known to be to the other one");
  settle(raft);
  assert.equal(verdict(raft, OTHER), OTHER);
  for (const progress of raft.progress.values()) {
    progress.recovery = { nonce: 1 } as unknown as typeof progress.recovery;
  }
  assert.equal(
    verdict(raft, OTHER),
    "config.membership-busy",
    "it may go by what it was told first",
  );
});

Deno.test("changeSpec() keeps the witness of a leader that may have committed by it alone", () => {
  for (const alone of ["solo", "alone"]) {
    const raft = leader(specOf(2, true));
    if (alone === "solo") raft.witness.solo = true;
    else raft.alone = true;
    assert.equal(verdict(raft, null), "config.membership-busy", alone);
    raft.witness.held = false;
    tendWitness(raft);
    assert.equal(verdict(raft, null), "none", "the other one holds all of it now");
  }
});

Deno.test("changeSpec() names another witness at once where none has a vote", () => {
  for (const nodes of [1, 3]) assert.equal(verdict(leader(specOf(nodes, true)), OTHER), OTHER);
});

Deno.test("a leader knows nothing of a new witness by what it knew of the one before", () => {
  const raft = leader(specOf(2, true));
  tendWitness(raft);
  const [first] = asked(raft);
  assert.ok(first !== undefined);
  const { register } = first;
  decide(raft, null);
  settle(raft);
  decide(raft, OTHER);
  settle(raft);
  raft.witness.retryAt = instant(0);
  const { solo, shared, swap } = raft.witness;
  assert.deepEqual([solo, shared, swap, raft.witness.register], [false, false, null, null]);
  tendWitness(raft);
  const [second] = asked(raft);
  assert.ok(second !== undefined, "the new one is to name both");
  assert.equal(second.expect, 0, "what it holds is to be read first");
  onSwapped(raft, { fact: "storage.swapped", tag: first.tag, ok: true, register });
  assert.equal(raft.witness.shared, false, "the first one's answer came late");
  onSwapped(raft, {
    fact: "storage.swapped",
    tag: second.tag,
    ok: true,
    register: second.register,
  });
  assert.equal(raft.witness.shared, true);
});

Deno.test("the witness moves to a disk whose register is fresh, and one of the pair goes on by it", () => {
  for (let seed = 1; seed <= 20; seed++) {
    const desk = new Desk(seed, specOf(2, true));
    desk.until(() => desk.register.set.length === 2);
    const change = (disk: string | null) => {
      let tries = 0;
      desk.until(() => {
        const node = desk.leader() ?? desk.node(1);
        const spec = desk.facts.filter(({ fact }) => fact.fact === "config.spec").at(-1)?.fact;
        if (spec?.fact === "config.spec" && (spec.spec.witness?.disk ?? null) === disk) return true;
        const tag = `w${seed}.${tries++}`;
        const wanted = { change: "witness", disk } as const;
        desk.feed(node, {
          kind: "request",
          request: { request: "config.change-spec", tag, change: wanted },
        });
        return false;
      });
    };
    change(null);
    // The other disk is another register: it was labelled by one of them, and names that one.
    desk.register = { ...desk.register, version: 1, term: 0, vote: null, set: [nodeId(2)] };
    change(OTHER);
    desk.until(() => desk.register.set.length === 2);
    const tag = desk.propose(desk.leader() ?? desk.node(1), seed);
    desk.until(() => desk.outcomes.get(tag)?.ok === true);
    const [lost, left] = seed % 2 === 0 ? [1, 2] : [2, 1];
    desk.crash(desk.node(lost ?? 1));
    desk.giveWitness(left ?? 2);
    desk.until(() => desk.leader()?.id === left);
    const alone = desk.propose(desk.node(left ?? 2), 100 + seed);
    desk.until(() => desk.outcomes.get(alone)?.ok === true);
    desk.start(desk.node(lost ?? 1));
    desk.until(() => desk.register.set.length === 2);
  }
});

Deno.test("a description that a life began with and that another leader drops is not gone by any more", () => {
  const desk = new Desk(7, specOf(3, false));
  desk.until(() => desk.leader() !== undefined);
  desk.run(500);
  const first = desk.leader();
  assert.ok(first !== undefined);
  for (const { id } of desk.nodes) desk.cut.add(`${first.id}-${id}`).add(`${id}-${first.id}`);
  const change = { change: "profile", profile: "standard" } as const;
  const request = { request: "config.change-spec", tag: "lost", change } as const;
  desk.feed(first, { kind: "request", request });
  desk.run(50);
  const told = () =>
    desk.facts.flatMap(({ node, fact }) =>
      node === first.id && fact.fact === "config.spec" ? [fact.spec.profile] : []
    );
  assert.deepEqual(told(), ["fast"]);
  desk.crash(first);
  desk.until(() => desk.leader() !== undefined);
  desk.start(first);
  assert.deepEqual(told(), ["fast", "standard"], "it may have been committed");
  desk.cut.clear();
  desk.until(() => told().length === 3);
  assert.equal(told().at(-1), "fast");
});
