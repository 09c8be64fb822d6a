/**
 * Who may lead. Raft with pre-vote, check-quorum and vote withholding (Ongaro's dissertation, 3.4,
 * 4.2.3, 9.6): a node asks first whether it could win, and nobody helps to unseat a leader that it
 * still hears.
 *
 * Our own vote counts only once it is durable, and only then the witness is asked: a node that crashed
 * in between must not have led.
 *
 * @module
 */
import { assert } from "../base/assert.ts";
import type { NodeId } from "../base/id.ts";
import { reason } from "../base/reason.ts";
import { after, EPOCH } from "../base/time.ts";
import type { WitnessRegister } from "../streams.ts";
import { isMajority } from "./electorate.ts";
import { entryOf, type Raft } from "./raft.ts";
import { maySecond, sayRecovery } from "./recovery.ts";
import { replicateAll } from "./replication.ts";
import { askWitness, type Candidate } from "./witness.ts";
import type { MessageOf } from "./wire.ts";

/** So many election minima without a leader, and one that stops stands too. */
const LEAVING_ELECTIONS = 10;

/**
 * May it campaign? One that stops leaves that to the others, but not for ever: the end of its log may
 * be what keeps them from winning. It hands over as soon as it leads.
 */
export function mayStand(raft: Raft): boolean {
  const missing = raft.now - raft.heardLeaderAt > LEAVING_ELECTIONS * raft.timing.electionMinMs;
  const able = raft.isVoter && !raft.diverged && raft.recovery === null;
  return able && (!raft.leaving || missing);
}

/** Called at each step: has the time come to campaign? */
export function tickElection(raft: Raft): void {
  if (raft.role === "leader" || raft.now < raft.electionAt) return;
  raft.resetElection();
  if (raft.leader !== null) {
    const ms = Math.round(raft.now - raft.heardLeaderAt);
    raft.say("no leader", reason("config.no-leader", { ms }));
  }
  raft.leader = null;
  // One that differs from its peers or lost what it held must not lead them, one that stops has no
  // reason to.
  if (!mayStand(raft)) return;
  raft.role = "precandidate";
  raft.granted = new Set([raft.self]);
  if (wouldWin(raft)) return campaign(raft);
  ask(raft, raft.term + 1, { pre: true, transfer: false });
}

/** The witness vote came or went: it may be what was missing. */
export function onWitness(raft: Raft, held: boolean, register: WitnessRegister | null): void {
  raft.witness.held = held;
  if (register !== null) raft.witness.register = register;
  if (!held) {
    raft.witness.swap = null;
    if (raft.role === "leader" && raft.witness.solo && !raft.witness.shared) {
      raft.becomeFollower(null, noMajority(raft));
    }
  } else if (raft.role !== "leader") {
    // No need to wait: the judgement is over.
    raft.electionAt = raft.now;
    tickElection(raft);
  }
}

/** Somebody asks for our vote. */
export function onVote(raft: Raft, from: NodeId, message: MessageOf<"vote">): void {
  const { term, pre, transfer, lastIndex, lastTerm } = message;
  const reply = (granted: boolean) => {
    raft.send(from, { kind: "vote-reply", term: granted && pre ? term : raft.term, pre, granted });
  };
  const leaderLives = raft.role === "leader" ||
    (raft.leader !== null && raft.now - raft.heardLeaderAt < raft.timing.electionMinMs);
  if (raft.twins.has(from)) return reply(false);
  // With `transfer` it is the leader that lives who wants to be followed by the candidate.
  if ((leaderLives && !transfer) || term < raft.term) return reply(false);
  const upToDate = mayVote(raft, from, raft.log.isUpToDate(lastTerm, lastIndex));
  // It lives and has no vote: one that holds as much may ask a person to go on alone.
  const behind = raft.recovery !== null && raft.log.isUpToDate(lastTerm, lastIndex);
  if (pre && behind) sayRecovery(raft, from);
  if (pre) return reply(upToDate && term > raft.term);
  if (term > raft.term) raft.enterTerm(term);
  const granted = upToDate && (raft.vote === null || raft.vote === from);
  if (granted) {
    raft.vote = from;
    raft.resetElection();
  }
  // Also where the vote was refused, the term was entered: nothing is answered before it is durable.
  raft.persist({ hardState: raft.hardState() });
  reply(granted);
}

/**
 * A replica that differs from its peers does not vote. Of a pair it votes for the other: without its
 * vote nobody could lead, and so nobody rebuild it; and the ends of the logs are compared all the same.
 */
function mayVote(raft: Raft, candidate: NodeId, upToDate: boolean): boolean {
  // What it has got back may go on behind the other's log, by entries that were never committed.
  if (raft.recovery !== null) return maySecond(raft, candidate);
  return upToDate && (!raft.diverged || raft.electors.length <= 2);
}

/** An answer to our asking. */
export function onVoteReply(raft: Raft, from: NodeId, message: MessageOf<"vote-reply">): void {
  const { term, pre, granted } = message;
  if (!granted) {
    if (term > raft.term) {
      raft.enterTerm(term);
      raft.persist({ hardState: raft.hardState() });
    }
    return;
  }
  if (!raft.electors.includes(from) || raft.twins.has(from)) return;
  if (pre && raft.role === "precandidate" && term === raft.term + 1) {
    raft.granted.add(from);
    if (wouldWin(raft)) campaign(raft);
  } else if (!pre && raft.role === "candidate" && term === raft.term) {
    raft.granted.add(from);
    winIfElected(raft);
  }
}

/** The witness register was written with our candidacy: the vote is ours. */
export function onWitnessVote(raft: Raft): void {
  if (raft.role !== "candidate") return;
  raft.witness.solo = true;
  raft.alone = true;
  winIfElected(raft);
}

/** The sentence of a cascade, where the witness would refuse us for one; else null. */
export function cascade(raft: Raft): string | null {
  const { held, register } = raft.witness;
  if (!held || register === null || raft.role === "leader" || !raft.hasWitness) return null;
  const verdict = askWitness(register, candidacy(raft, raft.term + 1));
  if (verdict.granted || verdict.why !== "cascade") return null;
  const set = register.set.map((node) => raft.name(node)).join(" and ");
  return `only ${set} may hold every committed transaction; bring ${set} back`;
}

/** Stands for election; `transfer` where the leader asked for it. */
export function campaign(raft: Raft, transfer = false): void {
  raft.enterTerm(raft.term + 1);
  raft.role = "candidate";
  raft.vote = raft.self;
  raft.granted = new Set();
  raft.voteDurable = false;
  const { term } = raft;
  raft.persist({ hardState: raft.hardState() }, {
    done: () => {
      if (raft.role !== "candidate" || raft.term !== term) return;
      raft.voteDurable = true;
      raft.granted.add(raft.self);
      // The leader's own vote is on its way: the witness is for when it cannot be had.
      if (!transfer) askTheWitness(raft);
      winIfElected(raft);
    },
  });
  ask(raft, term, { pre: false, transfer });
}

function ask(
  raft: Raft,
  term: number,
  { pre, transfer }: { readonly pre: boolean; readonly transfer: boolean },
): void {
  const { last: lastIndex, lastTerm } = raft.log;
  for (const id of raft.electors) {
    if (id === raft.self) continue;
    raft.send(id, { kind: "vote", term, pre, transfer, lastIndex, lastTerm });
  }
}

/** Would this pre-candidate win with the answers so far? */
function wouldWin(raft: Raft): boolean {
  return isMajority(raft.electorates, (id) => raft.granted.has(id), wouldWitnessVote(raft));
}

/** Is the witness vote in our hand, and would it be given to us? */
export function wouldWitnessVote(raft: Raft): boolean {
  const { held, register } = raft.witness;
  return raft.hasWitness && held && register !== null &&
    askWitness(register, candidacy(raft, Math.max(raft.term, register.term) + 1)).granted;
}

function askTheWitness(raft: Raft): void {
  const { held, register } = raft.witness;
  if (!raft.hasWitness || !held || register === null) return;
  const verdict = askWitness(register, candidacy(raft, raft.term));
  if (!verdict.granted) {
    // Our term is behind the witness's: the next campaign must be past it.
    if (verdict.why === "term") {
      raft.enterTerm(register.term);
      raft.persist({ hardState: raft.hardState() });
      raft.electionAt = raft.now;
    }
    return;
  }
  const tag = `config:vote:${raft.term}`;
  raft.witness.swap = { tag, register: verdict.register };
  const { register: next } = verdict;
  raft.ask({ request: "storage.swap", tag, expect: register.version, held: true, register: next });
}

function winIfElected(raft: Raft): void {
  if (!raft.voteDurable || raft.role !== "candidate") return;
  const { solo } = raft.witness;
  if (!isMajority(raft.electorates, (id) => raft.granted.has(id), solo)) return;
  const names = [...raft.granted].map((node) => raft.name(node));
  if (solo) names.push("the witness");
  raft.role = "leader";
  raft.leader = raft.self;
  raft.heardLeaderAt = raft.now;
  raft.witness.swap = null;
  raft.witness.shared = false;
  raft.progress.clear();
  raft.noteParting();
  raft.beatAt = EPOCH;
  const [first] = raft.append([entryOf(raft, { kind: "noop" })]);
  assert(first !== undefined, "A leader begins with an entry of its own");
  raft.termStart = first.index;
  const because = reason("config.elected", {
    node: raft.name(raft.self),
    term: raft.term,
    votes: names.join(", "),
  });
  raft.say(`leader=${raft.name(raft.self)}, term=${raft.term}`, because);
  replicateAll(raft);
  raft.persist({ entries: [first] });
  raft.beatAt = after(raft.now, raft.timing.raftBeatMs);
}

function candidacy(raft: Raft, term: number): Candidate {
  return { node: raft.self, term, lastTerm: raft.log.lastTerm, lastIndex: raft.log.last };
}

function noMajority(raft: Raft) {
  return reason("config.no-majority", {
    node: raft.name(raft.self),
    ms: Math.round(raft.timing.electionMinMs),
  });
}
