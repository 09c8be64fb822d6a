/** A replica as status and metrics show it. @module */
import type { ConfigView } from "./events.ts";
import type { Raft } from "./raft.ts";

/** What is said of a replica that waits to be rebuilt. */
const DIVERGED = "this replica differs from its peers; it is rebuilt from the leader's state";

/** The view of a replica; `rest` is what only its core knows. */
export function viewOf(
  raft: Raft,
  rest: Pick<
    ConfigView,
    "applied" | "stateCrc" | "content" | "verified" | "quorate" | "blocked" | "removed"
  >,
): ConfigView {
  const { role, log } = raft;
  return {
    ...rest,
    role: !raft.isVoter ? "learner" : role === "precandidate" ? "candidate" : role,
    term: raft.term,
    leader: raft.leader,
    lastIndex: log.last,
    logBase: log.base.index,
    committed: raft.commit,
    committedChain: log.chainAt(raft.commit) ?? 0,
    commitSet: raft.witness.solo ? [raft.self] : null,
    diverged: raft.diverged,
    recovering: raft.recovery?.why ?? null,
    peers: [...raft.progress].map(([node, { match, diverged, recovery, transfer, catchUp }]) => ({
      node,
      match,
      lag: log.last - match,
      diverged,
      recovering: recovery !== null,
      catchUp: catchUp === null
        ? null
        : { round: catchUp.round, ready: catchUp.ready, slow: catchUp.slow },
      snapshot: transfer === null
        ? null
        : { index: transfer.snapshot.base.index, chunks: transfer.acknowledged },
    })),
    transferTo: raft.leadTransfer?.to ?? null,
    blocked: raft.recovery !== null
      ? `recovering, without a vote until all is here again: ${raft.recovery.why}`
      : raft.diverged
      ? DIVERGED
      : rest.blocked,
  };
}
