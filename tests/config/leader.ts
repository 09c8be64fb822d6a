/** A leader made by hand. */
import type { ClusterSpec } from "../../mod/base/cluster.ts";
import { nodeId } from "../../mod/base/id.ts";
import { Prng } from "../../mod/base/prng.ts";
import { instant } from "../../mod/base/time.ts";
import { Log } from "../../mod/config/log.ts";
import { Raft } from "../../mod/config/raft.ts";
import { encodeEntry } from "../../mod/config/wire.ts";

/** One whose members all answer and hold everything. */
export function leaderOf(spec: ClusterSpec): Raft {
  const raft = new Raft({
    ...{ self: nodeId(1), log: new Log([]), prng: new Prng(1), spec, term: 1, vote: nodeId(1) },
    applied: 0,
  }, instant(1000));
  raft.role = "leader";
  for (const id of raft.others) raft.follow(id);
  raft.append([{ term: 1, body: encodeEntry({ kind: "noop" }) }]);
  raft.termStart = 1;
  raft.durable = raft.commit = 1;
  for (const progress of raft.progress.values()) progress.match = 1;
  return raft;
}
