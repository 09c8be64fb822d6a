/**
 * From the leader's log to everybody's. Entries go to the peers before our own disk has them; what
 * counts for a commit is durable, our own part included, and of this term (Raft, section 5.4.2).
 *
 * @module
 */
import { crc32, formatCrc } from "../base/checksum.ts";
import type { NodeId } from "../base/id.ts";
import { reason } from "../base/reason.ts";
import { after, NEVER } from "../base/time.ts";
import type { DatabaseBatch, LogBase } from "../host/ports.ts";
import { isMajority, reachedBy } from "./electorate.ts";
import type { Barrier, Progress } from "./leader_state.ts";
import { tendDoubt } from "./doubt.ts";
import type { Raft } from "./raft.ts";
import { noteLoss, sayRecovery, tendRecovery } from "./recovery.ts";
import { APPEND_BYTES_MAX, type MessageOf } from "./wire.ts";

/** Entries sent to a peer and not yet answered; more wait. */
export const WINDOW_ENTRIES = 4096;
/**
 * Bytes of these. With one entry more, which may be that long, they fit the queue of a connection,
 * past which frames are dropped.
 */
export const WINDOW_BYTES = 2 * 1024 * 1024;
/**
 * Appends with entries that may be under way to a member before a further one must be full. What
 * comes in the meantime goes together: so a lone write leaves at once, and many share their frames
 * and syncs.
 */
export const APPENDS_MAX = 2;
/** A commit is told so much later, where no write comes that tells it. */
export const SPREAD_MS = 3;
/** A leader steps down after this many election minima without a majority's answers. */
const CHECK_QUORUM_RATIO = 1.5;

/** Called at each step of a leader: heartbeats, check-quorum. */
export function tickLeader(raft: Raft): void {
  if (raft.role !== "leader") return;
  if (!hasContact(raft)) {
    const ms = Math.round(CHECK_QUORUM_RATIO * raft.timing.electionMinMs);
    const because = reason("config.no-majority", { node: raft.name(raft.self), ms });
    return raft.becomeFollower(null, because);
  }
  if (raft.now < raft.beatAt) return;
  sendBeat(raft);
}

function sendBeat(raft: Raft): void {
  raft.beatAt = after(raft.now, raft.timing.raftBeatMs);
  // Whoever came since the last round began is served by this one.
  if (raft.barriers.some(({ round }) => round > raft.round)) raft.round++;
  tendParting(raft);
  for (const [node, progress] of raft.progress) {
    // Nothing came back for a while: what was sent may be lost; begin again behind the match.
    if (raft.now - progress.ackedAt > 4 * raft.timing.raftBeatMs) {
      beginAt(progress, progress.match + 1);
    }
    sendAppend(raft, node, progress);
    tendRecovery(raft, node, progress);
    tendDoubt(raft, node, progress);
  }
}

/** A removed member is followed until it knows, or for so long that it hardly will. */
function tendParting(raft: Raft): void {
  if (raft.parting.size === 0) return;
  const removedAt = raft.specAt.index;
  for (const [node, until] of raft.parting) {
    const known = (raft.progress.get(node)?.applied ?? 0) >= removedAt;
    if (known || raft.now >= until) raft.parting.delete(node);
  }
  raft.alignProgress();
}

/** Did a majority answer not long ago? */
export function hasContact(raft: Raft): boolean {
  const limit = CHECK_QUORUM_RATIO * raft.timing.electionMinMs;
  const answers = (id: NodeId) => {
    if (id === raft.self) return true;
    const { ackedAt, recovery } = raft.progress.get(id) ?? {};
    // With one whose answers do not count nothing could be committed.
    const counts = recovery?.known !== false && !raft.twins.has(id);
    return ackedAt !== undefined && counts && raft.now - ackedAt < limit;
  };
  return isMajority(raft.electorates, answers, raft.witness.solo && raft.witness.held);
}

/** Is there a majority whose answers would count? Only a doubt can stand in the way (`doubt.ts`). */
export function canCommit(raft: Raft): boolean {
  if (raft.doubt === null) return true;
  const counts = (id: NodeId) => raft.progress.get(id)?.diverged !== true;
  return isMajority(raft.electorates, counts, raft.witness.solo);
}

/** Sends what is new to every member, at once. */
export function replicateAll(raft: Raft): void {
  for (const [node, progress] of raft.progress) {
    if (hasRoom(raft, progress)) sendAppend(raft, node, progress);
  }
}

/** May more entries go to a member, or are enough under way? */
function hasRoom(raft: Raft, { next, match, floor, transfer, appends }: Progress): boolean {
  const answered = Math.max(match, floor);
  while (appends[0] !== undefined && appends[0] <= answered) appends.shift();
  const fills = raft.log.bytesBetween(next - 1, raft.log.last) >= APPEND_BYTES_MAX;
  return transfer === null && (fills || appends.length < APPENDS_MAX) &&
    next - answered <= WINDOW_ENTRIES &&
    raft.log.bytesBetween(answered, next - 1) < WINDOW_BYTES;
}

/** Sending begins anew at an index: of what was sent before nothing is expected any more. */
export function beginAt(progress: Progress, next: number): void {
  progress.next = next;
  progress.floor = next - 1;
  progress.appends = [];
}

/**
 * Tells whoever waits for nothing else how far is committed: what a client of this node sees done
 * should be seen on the others soon, not a heartbeat later. The next write says it too, and as a rule
 * that one comes sooner: so it is waited for.
 */
export function spreadCommit(raft: Raft): void {
  if (raft.role !== "leader") return;
  const due = [...raft.progress].filter(([, progress]) =>
    progress.told < raft.commit && hasRoom(raft, progress) && progress.appends.length === 0
  );
  if (due.length === 0) raft.spreadAt = NEVER;
  else if (raft.spreadAt === NEVER) raft.spreadAt = after(raft.now, SPREAD_MS);
  if (raft.now < raft.spreadAt) return;
  raft.spreadAt = NEVER;
  for (const [node, progress] of due) sendAppend(raft, node, progress);
}

/** Tells one member how far is committed, without waiting for the next heartbeat. */
export function sendCommit(raft: Raft, to: NodeId): void {
  const progress = raft.progress.get(to);
  if (progress !== undefined) sendAppend(raft, to, progress);
}

function sendAppend(raft: Raft, to: NodeId, progress: Progress): void {
  const { base } = raft.log;
  // Its answer says whether it can be caught up from where the log begins.
  if (progress.next <= base.index) beginAt(progress, base.index + 1);
  // While a snapshot is on its way there is only the beat: index 0 matches every log.
  const prevIndex = progress.transfer === null ? progress.next - 1 : 0;
  const prevTerm = prevIndex === 0 ? 0 : raft.log.termAt(prevIndex) ?? 0;
  const room = hasRoom(raft, progress) && !progress.diverged;
  const entries = room ? raft.log.from(progress.next) : [];
  progress.next += entries.length;
  if (entries.length > 0) progress.appends.push(progress.next - 1);
  progress.told = raft.commit;
  raft.send(to, {
    kind: "append",
    term: raft.term,
    prevIndex,
    prevTerm,
    entries,
    commit: raft.commit,
    round: raft.round,
  }, true);
}

/** Part of a batch that the caller persists with what else it has to, before it answers. */
type HardState = Pick<DatabaseBatch, "hardState">;

/** A leader of this term, or of a newer one, is followed from now on. */
export function hearLeader(raft: Raft, from: NodeId, term: number): HardState {
  const newer = term > raft.term;
  if (newer) raft.enterTerm(term);
  const because = reason("config.follows", { node: raft.name(from), term });
  if (raft.role !== "follower") raft.becomeFollower(from, because);
  if (raft.leader !== from) raft.say(`leader=${raft.name(from)}, term=${term}`, because);
  raft.leader = from;
  // Whoever leads after us holds everything that we committed.
  raft.alone = false;
  raft.heardLeaderAt = raft.now;
  raft.resetElection();
  return newer ? { hardState: raft.hardState() } : {};
}

/** A follower (or a node that becomes one) is given entries. */
export function onAppend(raft: Raft, from: NodeId, message: MessageOf<"append">): void {
  const { term, commit, round } = message;
  const reply = (ok: boolean, index: number, chain: number) => {
    const { term: now, applied, stateCrc: state, content, diverged } = raft;
    const rest = { applied, state, content, round, diverged };
    if (term >= now) sayRecovery(raft, from);
    raft.send(from, { kind: "append-reply", term: now, ok, index, chain, ...rest });
  };
  if (term < raft.term) return reply(false, raft.log.last + 1, 0);
  const hardState = hearLeader(raft, from, term);
  const { prevIndex, prevTerm, entries } = behindBase(raft.log.base, message);
  if (raft.log.termAt(prevIndex) !== prevTerm) {
    if (hardState.hardState) raft.persist(hardState);
    const hint = prevIndex > raft.log.last
      ? raft.log.last + 1
      : raft.log.startOfTerm(prevIndex, raft.commit + 1);
    return reply(false, hint, 0);
  }
  const match = prevIndex + entries.length;
  const fresh = entries.findIndex((entry, at) =>
    raft.log.termAt(prevIndex + 1 + at) !== entry.term
  );
  if (fresh >= 0) {
    const first = prevIndex + 1 + fresh;
    if (first <= raft.commit) {
      if (hardState.hardState) raft.persist(hardState);
      return contradicted(raft, from, { index: first, body: entries[fresh]?.body });
    }
    const truncated = first <= raft.log.last;
    if (truncated) raft.truncate(first);
    // The bodies are views on the frame that came; they are kept, so they are copied.
    const copies = entries.slice(fresh).map((e) => ({ term: e.term, body: e.body.slice() }));
    const added = raft.append(copies);
    raft.persist({ ...hardState, ...(truncated ? { truncateFrom: first } : {}), entries: added });
    raft.applyAt = raft.now;
  } else if (hardState.hardState) raft.persist(hardState);
  raft.commit = Math.max(raft.commit, Math.min(commit, match));
  reply(true, match, raft.log.chainAt(match) ?? 0);
}

/** What of an append is not in our log's base: up to there all is committed, and in every leader's log. */
function behindBase(
  base: LogBase,
  { prevIndex, prevTerm, entries }: MessageOf<"append">,
): Pick<MessageOf<"append">, "prevIndex" | "prevTerm" | "entries"> {
  if (prevIndex >= base.index) return { prevIndex, prevTerm, entries };
  return {
    prevIndex: base.index,
    prevTerm: base.term,
    entries: entries.slice(base.index - prevIndex),
  };
}

/**
 * A leader wants to replace what is committed. One of us is wrong, and no vote tells who: nothing is
 * replaced, nothing is acknowledged, and the administrator is told.
 */
function contradicted(
  raft: Raft,
  from: NodeId,
  { index, body }: { index: number; body: Uint8Array | undefined },
): void {
  const theirs = formatCrc(crc32(body ?? new Uint8Array(0), raft.log.chainAt(index - 1) ?? 0));
  const mine = formatCrc(raft.log.chainAt(index) ?? 0);
  const because = reason("config.diverged", { node: raft.name(from), index, theirs, mine });
  raft.tell({ fact: "config.diverged", node: from, because });
  raft.say(`${raft.name(from)} contradicts the committed log`, because);
}

/** The leader learns what a peer holds. The caller has checked for divergence. */
export function onAppendReply(
  raft: Raft,
  from: NodeId,
  message: MessageOf<"append-reply">,
): void {
  const { term, ok, index, round } = message;
  if (term > raft.term) {
    raft.enterTerm(term);
    return raft.persist({ hardState: raft.hardState() });
  }
  const progress = raft.progress.get(from);
  if (raft.role !== "leader" || term < raft.term || progress === undefined) return;
  progress.ackedAt = raft.now;
  progress.round = Math.max(progress.round, round);
  progress.applied = Math.max(progress.applied, message.applied);
  if (!ok) {
    if (progress.transfer !== null) return;
    noteLoss(raft, from, message);
    beginAt(progress, Math.max(progress.match + 1, Math.min(index, raft.log.last + 1)));
    // What it needs next is not in the log any more.
    if (progress.next > raft.log.base.index) return sendAppend(raft, from, progress);
    progress.behind = true;
    return;
  }
  if (index > raft.log.last) return;
  progress.match = Math.max(progress.match, index);
  // It holds what is before our log: no snapshot is needed (any more).
  if (index >= raft.log.base.index && !progress.diverged) {
    Object.assign(progress, { behind: false, transfer: null });
  }
  progress.next = Math.max(progress.next, progress.match + 1);
  if (progress.next <= raft.log.last && hasRoom(raft, progress)) sendAppend(raft, from, progress);
}

/** The highest index that may be committed now. */
export function advanceCommit(raft: Raft): void {
  if (raft.role !== "leader") return;
  const index = committable(raft);
  // An entry of an older term is committed by one of ours after it, never by counting.
  if (index > raft.commit && raft.log.termAt(index) === raft.term) raft.commit = index;
}

/** What it says does not count: it differs, runs twice, or may have promised otherwise. */
function isBlind(raft: Raft, id: NodeId, { diverged, recovery, loss }: Progress): boolean {
  return diverged || recovery?.known === false || loss?.certain === true || raft.twins.has(id);
}

function committable(raft: Raft): number {
  const durable = (id: NodeId) => {
    if (id === raft.self) return raft.durable;
    const progress = raft.progress.get(id);
    return progress === undefined || isBlind(raft, id, progress) ? 0 : progress.match;
  };
  // The register names only us: the witness agrees to whatever we hold.
  return reachedBy(raft.electorates, durable, raft.witness.solo ? raft.durable : 0);
}

/** Barriers that may wait at a leader; more are refused. */
export const BARRIERS_MAX = 4096;

/**
 * Queues a read barrier at the leader; it is answered when a majority answered a round that began
 * after it came. While one round is on its way, all who come wait for the next, together.
 */
export function addBarrier(raft: Raft, answer: Barrier["answer"]): void {
  if (raft.barriers.length >= BARRIERS_MAX) return answer(false, 0);
  const onItsWay = raft.barriers.length > 0;
  // Before the first commit of our own term we do not know what is committed (dissertation 6.4).
  const index = Math.max(raft.commit, raft.termStart);
  raft.barriers.push({ round: raft.round + 1, index, answer });
  if (!onItsWay) sendBeat(raft);
}

/** Answers the barriers whose round a majority has answered and whose index is applied. */
export function answerBarriers(raft: Raft, applied: number): void {
  if (raft.role !== "leader" || raft.barriers.length === 0) return;
  const roundOf = (id: NodeId) => {
    if (id === raft.self) return raft.round;
    const progress = raft.progress.get(id);
    return progress === undefined || isBlind(raft, id, progress) ? 0 : progress.round;
  };
  // The register names only us: nobody else can have committed anything.
  const witness = raft.witness.solo ? raft.round : 0;
  const confirmed = reachedBy(raft.electorates, roundOf, witness);
  const ready = raft.barriers.filter((each) => each.round <= confirmed && each.index <= applied);
  raft.barriers = raft.barriers.filter((each) => !ready.includes(each));
  for (const { answer, index } of ready) answer(true, index);
  const isNextDue = confirmed >= raft.round &&
    raft.barriers.some(({ round }) => round > raft.round);
  if (isNextDue) sendBeat(raft);
}
