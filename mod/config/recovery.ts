/**
 * A replica that lost what it held: its database was damaged, gone, or an older copy of itself. What
 * it does not know any more it must not vote on: an empty log is behind every other, and would let
 * somebody win who lacks what this replica helped to commit.
 *
 * So it has no vote until the leader has given everything back, and its acknowledgements count for
 * what it holds again, since its term and vote are known out of the seal. Where they are not, it may
 * have promised a newer leader what it does not know of, and nothing that it says counts.
 *
 * The leader ends it, and must be one: after it heard of the loss, a majority *without* this replica
 * answered it (where term and vote are lost: every other voter, for one of them has the term of each
 * vote that was given). And it has committed an entry of its own term, so that what it has committed
 * is all that ever was.
 *
 * @module
 */
import { type ClusterSpec, voters } from "../base/cluster.ts";
import type { NodeId } from "../base/id.ts";
import type { ProblemCode } from "../base/problem.ts";
import { reason } from "../base/reason.ts";
import type { DatabaseBeginning, DatabaseDamage } from "../host/ports.ts";
import { isMajority } from "./electorate.ts";
import type { Progress, Recovery } from "./leader_state.ts";
import type { Raft } from "./raft.ts";
import { decodeEntry, type MessageOf } from "./wire.ts";

/** What a node with a lost database does: begin anew and recover, or not start. */
export type LossVerdict =
  | { readonly beginning: DatabaseBeginning }
  | { readonly code: ProblemCode; readonly why: string };

/** Judges a database that was not opened. `spec` is that of the identity, `nonce` is drawn. */
export function judgeLoss(
  { damaged: why, kind, rescued }: DatabaseDamage,
  { self, spec, nonce }: {
    readonly self: NodeId;
    readonly spec: ClusterSpec;
    readonly nonce: number;
  },
): LossVerdict {
  if (kind === "newer") return { code: "node.database-newer", why };
  if (kind === "unwritable") return { code: "node.database-failed", why };
  const { term, vote, known, sealed } = rescued;
  const entry = sealed?.spec ? decodeEntry(sealed.spec.body) : null;
  const members = entry?.kind === "spec" ? entry.spec : spec;
  // A founder's identity names nobody but itself for ever: then only the seal knows of peers.
  if (!voters(members).some(({ id }) => id !== self)) return { code: "node.database-lost", why };
  return { beginning: { term, vote, sealed, recovery: { nonce, known, why } } };
}

/** May a replica that recovers vote for a candidate? */
export function maySecond(raft: Raft, candidate: NodeId): boolean {
  // Of a settled pair the other holds all that was committed, but for what this one committed alone;
  // and without this vote it could not lead, for the witness votes only where one of them is silent.
  return raft.recovery?.known === true && raft.isSettledPair && !raft.alone &&
    raft.electors.includes(candidate);
}

/** Tells the leader that we recover, ahead of each answer. */
export function sayRecovery(raft: Raft, to: NodeId): void {
  if (raft.recovery === null) return;
  const { nonce, known } = raft.recovery;
  raft.send(to, { kind: "recovery", term: raft.term, nonce, known });
}

/** Called at start. */
export function announceRecovery(raft: Raft): void {
  if (raft.recovery === null) return;
  raft.say("recovering", reason("config.recovering", { why: raft.recovery.why }));
}

/**
 * The database is sound, but its seal is damaged: it may be an older copy. It is kept, and this node
 * has no vote until a leader has seen that nothing is missing. Where there is nobody to ask, it goes
 * on: with a whole database and no peer there is nothing better to wait for.
 */
export function onUnproven(raft: Raft, why: string): void {
  const others = raft.electors.some((id) => id !== raft.self);
  // Whether we committed alone was in the seal; who may have, votes for nobody but by its log.
  raft.alone ||= others && raft.hasWitness;
  if (others) raft.recovery ??= { nonce: 1 + raft.prng.u32(), known: true, why };
  raft.say("its seal is damaged", reason("config.unproven", { why }));
  raft.persist({ recovery: raft.recovery });
}

/** What leader and recovering member say to each other. */
export function onRecoveryWord(
  raft: Raft,
  from: NodeId,
  message: MessageOf<"recovery" | "recovered" | "lost">,
): void {
  if (message.kind === "recovery") return onRecovery(raft, from, message);
  return message.kind === "lost" ? onLost(raft, from, message) : onRecovered(raft, from, message);
}

/** The leader says that we acknowledged what we do not hold. */
function onLost(raft: Raft, from: NodeId, { term }: MessageOf<"lost">): void {
  if (term !== raft.term || from !== raft.leader || raft.recovery !== null) return;
  const why = "it holds less than it acknowledged";
  // Not even the seal noticed: it went back with the rest.
  raft.recovery = { nonce: 1 + raft.prng.u32(), known: false, why };
  announceRecovery(raft);
  raft.persist({ recovery: raft.recovery });
}

/** The leader says how far we must be to be whole. */
function onRecovered(raft: Raft, from: NodeId, message: MessageOf<"recovered">): void {
  const { term, nonce, commit } = message;
  if (term !== raft.term || from !== raft.leader) return;
  const { recovery } = raft;
  if (recovery === null) return raft.send(from, { kind: "recovery", term, nonce: 0, known: true });
  if (nonce !== recovery.nonce || raft.commit < commit) return;
  // Whatever vote was given in this term was given to the one who leads it.
  if (!recovery.known) raft.vote ??= from;
  raft.endRecovery();
  raft.persist({ hardState: raft.hardState(), recovery: null });
  raft.say("recovered", reason("config.recovered", { node: raft.name(from), index: commit }));
  raft.send(from, { kind: "recovery", term, nonce: 0, known: true });
}

/** A member says that it recovers, or (nonce 0) that it is whole. */
function onRecovery(raft: Raft, from: NodeId, message: MessageOf<"recovery">): void {
  const { term, nonce, known } = message;
  const progress = raft.progress.get(from);
  if (raft.role !== "leader" || term !== raft.term || progress === undefined) return;
  if (nonce === (progress.recovery?.nonce ?? 0)) return;
  if (nonce === 0) {
    progress.recovery = null;
    return raft.say(`${raft.name(from)} is whole again`, null);
  }
  const round = ++raft.round;
  // What it acknowledged is not there any more.
  const begin = { match: 0, agreed: 0, next: raft.log.last + 1, floor: raft.log.last };
  Object.assign(progress, { ...begin, diverged: false, differs: false, confessed: false });
  Object.assign(progress, { behind: false, transfer: null, loss: null });
  progress.recovery = { nonce, known, round, confirmed: false };
  raft.beatAt = raft.now;
  const because = reason("config.peer-recovers", { node: raft.name(from) });
  raft.say(`${raft.name(from)} recovers`, because);
}

/** Called at each beat: tells a member that it is whole, or that it is not what it was. */
export function tendRecovery(raft: Raft, node: NodeId, progress: Progress): void {
  const { recovery, loss, match } = progress;
  const { term, commit } = raft;
  if (loss?.certain === true) raft.send(node, { kind: "lost", term }, true);
  if (recovery === null) return;
  recovery.confirmed ||= isConfirmed(raft, node, recovery);
  if (!recovery.confirmed || commit < raft.termStart || match < commit) return;
  raft.send(node, { kind: "recovered", term, nonce: recovery.nonce, commit }, true);
}

function isConfirmed(raft: Raft, node: NodeId, { round, known }: Recovery): boolean {
  // Of a pair nobody else but it could lead, and it follows us in a term that is not before its own.
  if (raft.isSettledPair && (known || !raft.hasWitness)) return true;
  const answered = (id: NodeId) => {
    if (id === raft.self) return true;
    const progress = raft.progress.get(id);
    return progress !== undefined && progress.recovery === null && progress.round >= round;
  };
  const { electors, electorates, witness } = raft;
  const witnessed = witness.solo && witness.held;
  if (!known && electors.includes(node)) {
    // It may have led with the witness, in a term that only the register knows.
    const sure = !raft.hasWitness || witnessed;
    return sure && electors.every((id) => id === node || answered(id));
  }
  const agrees = (id: NodeId) => id !== node && answered(id);
  return isMajority(electorates, agrees, witnessed);
}

/**
 * A member refuses what comes behind an entry that it acknowledged. An answer may be old; so it is
 * asked again in a new round, and the answer to that is not. True where it lost something.
 */
export function noteLoss(
  raft: Raft,
  from: NodeId,
  { index, round }: { readonly index: number; readonly round: number },
): boolean {
  const progress = raft.progress.get(from);
  if (progress === undefined || progress.recovery !== null || progress.diverged) return false;
  const { loss, match } = progress;
  if (loss?.certain === true) return false;
  if (loss !== null && round >= loss.round && index <= loss.match) {
    progress.loss = { ...loss, certain: true };
    Object.assign(progress, { match: 0, agreed: 0 });
    raft.beatAt = raft.now;
    const args = { node: raft.name(from), match: loss.match, index: index - 1 };
    raft.say(`${raft.name(from)} lost what it acknowledged`, reason("config.lost", args));
    return true;
  }
  if (index > match || loss !== null) return false;
  progress.loss = { round: ++raft.round, match, certain: false };
  raft.beatAt = raft.now;
  return false;
}
