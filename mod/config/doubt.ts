/**
 * Two replicas differ: which of them is wrong? A majority that agrees with the leader says that it is
 * the other one; most of them differing from the leader, that it is the leader (`twins.ts`). Without
 * a majority nobody's word counts, not the leader's either. Each then verifies what it holds, in
 * memory and on its disk; whose own verification fails is the wrong one, and says so. Where both are
 * sound, a person decides, and until then nothing is overwritten.
 *
 * Whoever is wrong stops voting and counting at once, and is given everything anew.
 *
 * @module
 */
import type { NodeId } from "../base/id.ts";
import { type Reason, reason } from "../base/reason.ts";
import { isMajority } from "./electorate.ts";
import type { Progress } from "./leader_state.ts";
import type { Raft } from "./raft.ts";
import type { MessageOf } from "./wire.ts";

/** A doubt that was not repeated for so many beats is none any more. */
const DOUBT_BEATS = 6;

/** This replica is the wrong one: it neither leads nor votes nor counts until it is rebuilt. */
export function condemn(raft: Raft, because: Reason): void {
  if (raft.diverged) return;
  raft.diverged = true;
  raft.doubt = null;
  raft.say("this replica is wrong", because);
  if (raft.role !== "follower") raft.becomeFollower(null, because);
  raft.persist({ hardState: raft.hardState() });
}

/** Called at each beat of a leader, for each member: tells one that differs, for as long as it does. */
export function tendDoubt(raft: Raft, node: NodeId, progress: Progress): void {
  if (raft.role !== "leader" || !progress.diverged || progress.confessed) return;
  const { divergedAt: index } = progress;
  const sure = agreesWithUs(raft, index);
  raft.send(node, { kind: "differs", term: raft.term, index, sure }, true);
  if (!sure) begin(raft, node, index);
}

/** The leader says that we differ. */
export function onDiffers(raft: Raft, from: NodeId, message: MessageOf<"differs">): void {
  const { term, index, sure } = message;
  if (term !== raft.term || from !== raft.leader || raft.diverged || raft.recovery !== null) return;
  if (sure) condemn(raft, reason("config.told-odd", { node: raft.name(from), index }));
  else begin(raft, from, index);
}

/**
 * A member runs twice, or does no more. Two of one vote and one log could each promise what the other
 * does not know of: nothing that either says counts, and what they said is not known afterwards.
 */
export function onTwin(raft: Raft, node: NodeId, twin: boolean): void {
  if (twin) raft.twins.add(node);
  else raft.twins.delete(node);
  raft.granted.delete(node);
  if (raft.progress.has(node)) raft.follow(node);
}

/** Called at each step: a doubt ends when it is not repeated. */
export function endDoubt(raft: Raft): void {
  const { doubt, now, timing } = raft;
  if (doubt !== null && now - doubt.at > DOUBT_BEATS * timing.raftBeatMs) raft.doubt = null;
}

/** What is said of a doubt, as a sentence; null where there is none. */
export function doubtText(raft: Raft): string | null {
  const { doubt, self } = raft;
  if (doubt === null) return null;
  return `${raft.name(self)} and ${raft.name(doubt.node)} differ at index ${doubt.index}, and no ` +
    "majority says which is wrong: find out (pentad config verify and config export on both), stop " +
    "the wrong one, move its config.db aside and start it; it is rebuilt from the other";
}

function begin(raft: Raft, node: NodeId, index: number): void {
  const known = raft.doubt;
  raft.doubt = { node, index, at: raft.now };
  if (known?.node === node) return;
  const args = { node: raft.name(raft.self), other: raft.name(node), index };
  raft.say("undecided", reason("config.undecided", args));
}

/** Does a majority of the voters, us included, hold what we hold at an index? The witness holds nothing. */
function agreesWithUs(raft: Raft, index: number): boolean {
  const agrees = (id: NodeId) => {
    if (id === raft.self) return true;
    const progress = raft.progress.get(id);
    return progress !== undefined && !progress.diverged &&
      progress.agreed >= Math.min(index, raft.applied);
  };
  return isMajority(raft.electorates, agrees, false);
}
