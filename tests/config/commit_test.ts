/** What a leader may commit: the rule behind figure 3.7 of Ongaro's dissertation. */
import assert from "node:assert/strict";
import { nodeId } from "../../mod/base/id.ts";
import { Prng } from "../../mod/base/prng.ts";
import { instant } from "../../mod/base/time.ts";
import { Log } from "../../mod/config/log.ts";
import { Raft } from "../../mod/config/raft.ts";
import { advanceCommit } from "../../mod/config/replication.ts";
import { encodeEntry } from "../../mod/config/wire.ts";
import { specOf } from "./cluster.ts";

/** A leader of term 4 with an entry of term 2 that it brought along, all durable. */
function leader(): Raft {
  const body = encodeEntry({ kind: "noop" });
  const raft = new Raft({
    self: nodeId(1),
    log: new Log([{ index: 1, term: 1, body }, { index: 2, term: 2, body }]),
    prng: new Prng(1),
    spec: specOf(3, false),
    term: 4,
    vote: nodeId(1),
    applied: 1,
  }, instant(0));
  raft.role = "leader";
  for (const id of raft.others) raft.follow(id);
  raft.append([{ term: 4, body }]);
  raft.durable = 3;
  return raft;
}

Deno.test("advanceCommit() never commits an entry of an older term by counting replicas", () => {
  const raft = leader();
  const progress = raft.progress.get(nodeId(2));
  assert.ok(progress);
  progress.match = 2;
  advanceCommit(raft);
  assert.equal(raft.commit, 1, "another leader may still overwrite it");
  progress.match = 3;
  advanceCommit(raft);
  assert.equal(raft.commit, 3, "one of its own term commits it too");
});

Deno.test("advanceCommit() counts its own entries only when they are durable", () => {
  const raft = leader();
  raft.durable = 2;
  const [second, third] = [raft.progress.get(nodeId(2)), raft.progress.get(nodeId(3))];
  assert.ok(second && third);
  second.match = 3;
  advanceCommit(raft);
  assert.equal(raft.commit, 1);
  third.match = 3;
  advanceCommit(raft);
  assert.equal(raft.commit, 3, "two others are a majority without us");
});
