/** Who may become a member or cease to be one, and when; who is told of a twin that differs. */
import assert from "node:assert/strict";
import type { ClusterSpec } from "../../mod/base/cluster.ts";
import { NODE_ID_MAX, nodeId } from "../../mod/base/id.ts";
import { instant } from "../../mod/base/time.ts";
import { changeSpec, readyLearner } from "../../mod/config/membership.ts";
import type { Raft } from "../../mod/config/raft.ts";
import { REMEMBERED_MAX, Twins } from "../../mod/config/twins.ts";
import { encodeEntry } from "../../mod/config/wire.ts";
import type { SpecChange } from "../../mod/streams.ts";
import { specOf } from "./cluster.ts";
import { leaderOf } from "./leader.ts";
import { Lone, transactionOf } from "./lone.ts";

function leader(spec: ClusterSpec = specOf(3, false)): Raft {
  return leaderOf(spec);
}

function verdict(raft: Raft, change: SpecChange): string {
  const next = changeSpec(raft, change);
  return "code" in next ? next.code : next.spec.members.map((m) => `${m.id}${m.role[0]}`).join();
}

const ADD: SpecChange = { change: "add-learner", name: "c", links: ["c:1"], peer: "c:2" };

function remove(id: number): SpecChange {
  return { change: "remove", node: nodeId(id) };
}

function promote(id: number): SpecChange {
  return { change: "promote", node: nodeId(id) };
}

Deno.test("changeSpec() waits for an entry of the leader's own term, and for the change before", () => {
  const fresh = leader();
  fresh.commit = 0;
  assert.equal(verdict(fresh, ADD), "config.membership-busy", "its no-op is not committed yet");
  const raft = leader();
  const next = changeSpec(raft, ADD);
  assert.ok(!("code" in next));
  const { spec, highest } = next;
  raft.append([{ term: 1, body: encodeEntry({ kind: "spec", spec, highest }) }]);
  assert.equal(verdict(raft, remove(2)), "config.membership-busy");
  assert.equal(raft.spec.members.length, 4, "it is in force as soon as it stands in the log");
  raft.commit = 2;
  assert.equal(verdict(raft, remove(2)), "1v,3v,4l");
  raft.commit = 1;
  raft.truncate(2);
  assert.equal(raft.spec.members.length, 3, "and not any more when it is dropped");
});

Deno.test("changeSpec() changes no vote before a majority goes by the votes of now", () => {
  const raft = leader();
  const spec = { ...raft.spec, members: specOf(4, false).members };
  raft.append([{ term: 1, body: encodeEntry({ kind: "spec", spec, highest: 4 }) }]);
  raft.commit = raft.log.last;
  raft.alignProgress();
  assert.equal(verdict(raft, remove(2)), "config.membership-busy");
  assert.equal(verdict(raft, ADD), "1v,2v,3v,4v,5l", "a learner is no vote");
  for (const id of [3, 4]) {
    const progress = raft.progress.get(nodeId(id));
    assert.ok(progress);
    assert.equal(verdict(raft, remove(2)), "config.membership-busy", "two of four are none");
    progress.applied = raft.log.last;
  }
  assert.equal(verdict(raft, remove(2)), "1v,3v,4v");
});

Deno.test("changeSpec() changes one member and never gives a number twice", () => {
  const raft = leader();
  assert.equal(verdict(raft, ADD), "1v,2v,3v,4l");
  assert.equal(verdict(raft, remove(3)), "1v,2v");
  assert.equal(verdict(raft, promote(9)), "ha.no-such-node");
  assert.equal(verdict(raft, remove(9)), "ha.no-such-node");
  const taken = { ...ADD, name: "node2" } as SpecChange;
  assert.equal(verdict(raft, taken), "join.refused");
  const members = raft.spec.members.slice(0, 2);
  const spec = { ...raft.spec, members };
  raft.append([{ term: 1, body: encodeEntry({ kind: "spec", spec, highest: 3 }) }]);
  raft.commit = 2;
  assert.equal(verdict(raft, ADD), "1v,2v,4l", "3 was somebody's");
  raft.append([{ term: 1, body: encodeEntry({ kind: "spec", spec, highest: NODE_ID_MAX }) }]);
  raft.commit = 3;
  assert.equal(verdict(raft, ADD), "join.refused");
});

Deno.test("changeSpec() gives a member another name or place, and no two the same", () => {
  const raft = leader();
  const rename = (id: number, name: string): SpecChange => ({
    ...{ change: "rename", node: nodeId(id), name },
  });
  const readdress = (id: number, links: readonly string[], peer: string): SpecChange => ({
    ...{ change: "readdress", node: nodeId(id), links, peer },
  });
  const renamed = changeSpec(raft, rename(2, "other"));
  assert.ok(!("code" in renamed));
  const [first, second, third] = raft.spec.members;
  assert.deepEqual(renamed.spec.members, [first, { ...second, name: "other" }, third]);
  const moved = changeSpec(raft, readdress(3, ["c:7", "d:7"], "c:8"));
  assert.ok(!("code" in moved));
  const there = { ...third, links: ["c:7", "d:7"], peer: "c:8" };
  assert.deepEqual(moved.spec.members, [first, second, there]);
  assert.ok(second !== undefined && first !== undefined);
  for (
    const bad of [
      ...[rename(2, first.name), rename(2, "not a label"), readdress(2, [], "c:8")],
      ...[readdress(2, first.links, "c:8"), readdress(2, ["c:7"], first.peer)],
    ]
  ) assert.equal(verdict(raft, bad), "join.refused", JSON.stringify(bad));
  assert.equal(verdict(raft, rename(9, "other")), "ha.no-such-node");
  assert.equal(verdict(raft, readdress(9, ["c:7"], "c:8")), "ha.no-such-node");
});

Deno.test("changeSpec() refuses what the voters that answer could not commit", () => {
  const raft = leader();
  const silent = raft.progress.get(nodeId(2));
  assert.ok(silent);
  silent.ackedAt = instant(0);
  assert.equal(verdict(raft, remove(3)), "config.unsafe-membership", "the silent one would decide");
  assert.equal(verdict(raft, remove(2)), "1v,3v");
  silent.ackedAt = raft.now;
  silent.diverged = true;
  assert.equal(verdict(raft, remove(3)), "config.unsafe-membership", "nor one that differs");
});

Deno.test("changeSpec() asks the old voters too where the witness comes or goes with a data node", () => {
  const raft = leader(specOf(2, true));
  const other = raft.progress.get(nodeId(2));
  assert.ok(other);
  assert.equal(verdict(raft, remove(2)), "1v");
  other.ackedAt = instant(0);
  assert.equal(verdict(raft, remove(2)), "config.unsafe-membership");
  Object.assign(raft.witness, { solo: true, held: true });
  assert.equal(verdict(raft, remove(2)), "1v", "the register names only us");
});

Deno.test("readyLearner() is one that holds everything, answers, and waits for no other change", () => {
  const members = specOf(2, false).members.map((member) =>
    member.id === 2 ? { ...member, role: "learner" as const } : member
  );
  const raft = leader({ ...specOf(1, false), members });
  const progress = raft.progress.get(nodeId(2));
  assert.ok(progress);
  assert.equal(readyLearner(raft)?.id, 2);
  progress.match = 0;
  assert.equal(readyLearner(raft), null);
  Object.assign(progress, { match: 1, ackedAt: instant(0) });
  assert.equal(readyLearner(raft), null);
  Object.assign(progress, { ackedAt: raft.now, diverged: true });
  assert.equal(readyLearner(raft), null);
});

Deno.test("Twins.differs() compares log and tree at equal indexes, as far back as it remembers", () => {
  const [raft, twins] = [leader(), new Twins()];
  const rest = { round: 0, diverged: false };
  const ack = { kind: "append-reply", term: 1, ok: true, ...rest } as const;
  const chain = raft.log.chainAt(1) ?? 0;
  twins.note(1, { state: 77, content: 5 });
  const same = { ...ack, index: 1, chain, applied: 1, state: 77, content: 5 };
  assert.equal(twins.differs(raft, same), null);
  assert.deepEqual(twins.differs(raft, { ...same, chain: chain ^ 1 })?.index, 1);
  assert.deepEqual(twins.differs(raft, { ...same, state: 78 })?.index, 1);
  assert.deepEqual(twins.differs(raft, { ...same, content: 6 })?.index, 1, "content alone");
  assert.equal(twins.differs(raft, { ...same, index: 9, chain: 5 }), null, "not ours to tell");
  assert.equal(twins.differs(raft, { ...same, applied: 9, state: 5 }), null);
  twins.note(1 + REMEMBERED_MAX, { state: 5, content: 5 });
  assert.equal(twins.differs(raft, { ...same, state: 78 }), null, "forgotten");
});

Deno.test("a peer that differs is named, does not count, and gets nothing more", () => {
  const lone = new Lone();
  lone.lead(2);
  lone.propose("t", transactionOf(1, [{ op: "create", path: "a" }]));
  const reply = {
    kind: "append-reply",
    term: 1,
    ok: true,
    applied: 0,
    state: 0,
    content: 0,
    round: 0,
    diverged: false,
  } as const;
  lone.hear(2, { ...reply, index: 2, chain: 12345 });
  const told = lone.facts.filter(({ fact }) => fact === "config.diverged");
  assert.equal(told.length, 1);
  assert.equal(lone.core.view().committed, 1, "its word makes no majority");
  assert.equal(lone.core.view().peers.find(({ node }) => node === 2)?.diverged, true);
  lone.pass(100);
  assert.deepEqual(lone.last(2, "append")?.entries, []);
  lone.acknowledge(3, 2);
  assert.equal(lone.core.view().committed, 2);
  assert.equal(lone.outcomes.get("t")?.ok, true);
});
