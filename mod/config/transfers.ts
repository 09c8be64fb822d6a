/**
 * The leader's side of snapshots: who needs one, what is on its way, and when it has arrived.
 *
 * A member needs a snapshot where its log ends before ours begins, or where it was found to differ
 * from its peers. The latter is rebuilt whatever it holds, and only when nothing can be lost by that:
 * it says itself that it is wrong (`doubt.ts`); an entry of our own term is committed, so that our
 * state holds all that ever was; and every other voter that answers was compared with us.
 *
 * @module
 */
import { reason } from "../base/reason.ts";
import type { NodeId } from "../base/id.ts";
import type { Progress } from "./leader_state.ts";
import type { Raft } from "./raft.ts";
import { beginAt } from "./replication.ts";
import { storedSpecOf } from "./specs.ts";
import type { ReplicaState } from "./replica.ts";
import type { Snapshot } from "./snapshot.ts";
import { Transfer } from "./transfer.ts";
import type { MessageOf } from "./wire.ts";

/** What is not acknowledged for so many beats is sent again. */
const RESEND_BEATS = 4;
/** Who was silent for so many election minima is given up: when it is back it says what it needs. */
const SILENT_ELECTIONS = 30;

/** What transfers are made from. */
export interface TransferParts {
  readonly raft: Raft;
  readonly state: () => ReplicaState;
  readonly chunkBytes: number;
}

/** One per node; idle unless it leads. */
export class Transfers {
  readonly #parts: TransferParts;
  /** The newest one, while somebody gets it. */
  #snapshot: Snapshot | null = null;
  #number = 0;

  constructor(parts: TransferParts) {
    this.#parts = parts;
  }

  /** Called at each step: begins what is needed and repeats what was lost. */
  tend(): void {
    const { raft } = this.#parts;
    let needed = false;
    for (const [node, progress] of raft.progress) {
      if (progress.diverged && !progress.behind) progress.behind = mayRebuild(raft, node, progress);
      if (!progress.behind) continue;
      needed = true;
      const { transfer } = progress;
      if (raft.now - progress.ackedAt > SILENT_ELECTIONS * raft.timing.electionMinMs) {
        Object.assign(progress, { behind: false, transfer: null });
        continue;
      }
      // What the log has let go meanwhile would be missing behind it.
      if (transfer === null || transfer.snapshot.base.index < raft.log.base.index) {
        this.#begin(node, progress);
      } else if (
        raft.now - transfer.movedAt > RESEND_BEATS * transfer.patience * raft.timing.raftBeatMs
      ) {
        transfer.resend(raft.now);
        this.#send(node, transfer);
      }
    }
    if (!needed) this.#snapshot = null;
  }

  /**
   * The index behind which a member still needs the log: one that gets a snapshot goes on from there,
   * and one that answers is being caught up. Null for none.
   */
  needed(): number | null {
    const { raft } = this.#parts;
    let lowest: number | null = null;
    for (const { transfer, match, diverged, ackedAt } of raft.progress.values()) {
      const answers = !diverged && raft.now - ackedAt < raft.timing.electionMinMs;
      const index = transfer?.snapshot.base.index ?? (answers ? match : Infinity);
      if (index < (lowest ?? Infinity)) lowest = index;
    }
    return lowest;
  }

  /** A member says how far a transfer is. The caller has looked at its term. */
  onReply(from: NodeId, { transfer: number, next, done }: MessageOf<"snapshot-reply">): void {
    const { raft } = this.#parts;
    const progress = raft.progress.get(from);
    const transfer = progress?.transfer;
    if (progress === undefined || transfer?.number !== number) return;
    progress.ackedAt = raft.now;
    if (!done) {
      transfer.acknowledge(next, raft.now);
      return this.#send(from, transfer);
    }
    const { index } = transfer.snapshot.base;
    // Rebuilt, it holds this and nothing else, whatever it acknowledged before.
    progress.match = transfer.forced ? index : Math.max(progress.match, index);
    beginAt(progress, progress.match + 1);
    Object.assign(progress, { transfer: null, behind: false });
    Object.assign(progress, { diverged: false, differs: false, confessed: false });
    raft.beatAt = raft.now;
  }

  #begin(node: NodeId, progress: Progress): void {
    const { raft, chunkBytes } = this.#parts;
    const snapshot = this.#current();
    const { index } = snapshot.base;
    const forced = progress.diverged;
    const options = { number: ++this.#number, snapshot, chunkBytes, forced };
    progress.transfer = new Transfer(options, raft.now);
    const args = { node: raft.name(node), base: raft.log.base.index };
    const because = forced
      ? reason("config.rebuilds", args)
      : reason("config.snapshot-needed", args);
    raft.say(`${raft.name(node)} snapshot=0x${index.toString(16)}`, because);
    this.#send(node, progress.transfer);
  }

  /** A snapshot that the log goes on from, taken now unless there is one. */
  #current(): Snapshot {
    const { raft, state } = this.#parts;
    const known = this.#snapshot;
    if (known !== null && known.base.index >= raft.log.base.index) return known;
    const now = state();
    const { applied: index } = now;
    const { log } = raft;
    const base = { index, term: log.termAt(index) ?? 0, chain: log.chainAt(index) ?? 0 };
    this.#snapshot = { ...now, base, spec: storedSpecOf(raft.specs.before(index)) };
    return this.#snapshot;
  }

  #send(to: NodeId, transfer: Transfer): void {
    const { raft } = this.#parts;
    const { base: { index, term: lastTerm, chain }, stateCrc: state } = transfer.snapshot;
    for (const chunk of transfer.due()) {
      raft.send(to, {
        kind: "snapshot",
        ...{ term: raft.term, transfer: transfer.number, forced: transfer.forced },
        ...{ index, lastTerm, chain, state },
        ...chunk,
      }, true);
    }
  }
}

function mayRebuild(raft: Raft, node: NodeId, { divergedAt, confessed }: Progress): boolean {
  // Only its own damage, or a majority, can tell that it is not we who are wrong.
  if (!confessed) return false;
  // Of a settled pair whoever leads holds all that is committed, and without the other, which does
  // not count before it is rebuilt, it could commit nothing of its own term.
  if (raft.commit < raft.termStart && !raft.isSettledPair) return false;
  return raft.electors.every((id) => {
    const progress = raft.progress.get(id);
    if (id === raft.self || id === node || progress === undefined) return true;
    const answers = raft.now - progress.ackedAt < raft.timing.electionMinMs;
    return !answers || progress.diverged || progress.agreed >= Math.min(divergedAt, raft.applied);
  });
}
