/**
 * Who votes. One member changes at a time, an entry of the leader's own term is committed first
 * (Ongaro, raft-dev, 10 July 2015), and a change that the voters who answer could not carry is
 * refused. A description is in force as soon as it stands in the log.
 *
 * The leader also minds the witness here: as soon as both data nodes hold everything, the register
 * must name both again.
 *
 * @module
 */
import {
  type ClusterSpec,
  haveSameVotes,
  type Member,
  memberOf,
  specFault,
  voters,
} from "../base/cluster.ts";
import { lagOf, tendCatchUp } from "./catch_up.ts";
import { electorateOf, isMajority, needsBoth } from "./electorate.ts";
import { NODE_ID_MAX, type NodeId, nodeId } from "../base/id.ts";
import { type Problem, problem } from "../base/problem.ts";
import { reason } from "../base/reason.ts";
import { after, type Instant, NEVER } from "../base/time.ts";
import type { Fact, SpecChange, WitnessRegister } from "../streams.ts";
import { onWitnessVote } from "./election.ts";
import type { Raft } from "./raft.ts";
import type { SpecAt } from "./specs.ts";
import type { Message } from "./wire.ts";
import { sameSet, widened } from "./witness.ts";
import { witnessFault } from "./witness_change.ts";

/** The next description, or why it may not be. */
export function changeSpec(raft: Raft, change: SpecChange): SpecAt | Problem {
  if (raft.commit < raft.termStart || raft.specAt.index > raft.commit) {
    return problem("config.membership-busy", "another change is not committed yet");
  }
  if (raft.leadTransfer !== null) {
    return problem("config.membership-busy", "the leadership is being handed over");
  }
  const { spec, highest } = raft.specAt;
  const index = raft.log.last + 1;
  const next = (changed: Partial<ClusterSpec>, top = highest): SpecAt | Problem => {
    const whole = { ...spec, ...changed };
    const fault = specFault(whole);
    if (fault !== null) return problem("join.refused", fault);
    return hasty(raft, whole) ?? carried(raft, whole) ??
      { spec: whole, index, highest: top, forced: false };
  };
  switch (change.change) {
    case "add-learner": {
      if (highest >= NODE_ID_MAX) return problem("join.refused", "every node id was given");
      const { name, links, peer } = change;
      const id = nodeId(highest + 1);
      const member: Member = { id, name, links, peer, role: "learner", votes: 1 };
      return next({ members: [...spec.members, member] }, id);
    }
    case "promote": {
      const member = memberOf(spec, change.node);
      if (member === undefined) return problem("ha.no-such-node", `node ${change.node}`);
      const lag = member.role === "voter" ? null : lagOf(raft, member);
      return lag ?? next({ members: withRole(spec, change.node, "voter") });
    }
    case "remove": {
      const member = memberOf(spec, change.node);
      if (member === undefined) return problem("ha.no-such-node", `node ${change.node}`);
      if (member.role === "voter" && voters(spec).length === 1) {
        return problem("config.last-voter", `"${member.name}" is the last one`);
      }
      return next({ members: spec.members.filter(({ id }) => id !== change.node) });
    }
    case "rename":
    case "readdress": {
      const { change: _kind, node, ...changed } = change;
      if (memberOf(spec, node) === undefined) return problem("ha.no-such-node", `node ${node}`);
      const members = spec.members.map((each) => each.id === node ? { ...each, ...changed } : each);
      return next({ members });
    }
    case "profile":
      return next({ profile: change.profile });
    case "witness": {
      const witness = change.disk === null ? null : { disk: change.disk };
      return witnessFault(raft, { ...spec, witness }) ?? next({ witness });
    }
  }
}

/**
 * Votes change one step at a time for the streams, too: they go by what is known to be committed, and
 * majorities of the first and the third of three descriptions need not meet. Once a majority of the
 * present one goes by it, nobody can go on by what was before.
 */
function hasty(raft: Raft, next: ClusterSpec): Problem | null {
  if (haveSameVotes(raft.spec, next)) return null;
  const index = raft.specs.votesIndex;
  const goes = (id: NodeId) => id === raft.self || (raft.progress.get(id)?.applied ?? 0) >= index;
  if (isMajority([electorateOf(raft.spec)], goes, raft.witness.solo && raft.witness.held)) {
    return null;
  }
  return problem("config.membership-busy", "no majority is known to go by the last change yet");
}

/** Refuses what the voters that answer now could not commit. */
function carried(raft: Raft, spec: ClusterSpec): Problem | null {
  const answers = (id: NodeId) => id === raft.self || isFresh(raft, id);
  const next = electorateOf(spec);
  if (!isMajority([next], answers, false)) {
    const reachable = next.voters.filter(answers).length;
    const why = `${next.majority} voters would be needed, ${reachable} answer`;
    return problem("config.unsafe-membership", why);
  }
  const both = needsBoth(raft.spec, spec);
  if (both && !isMajority(raft.electorates, answers, raft.witness.solo && raft.witness.held)) {
    const why = "the witness vote comes or goes with it, so the voters of today must answer too";
    return problem("config.unsafe-membership", why);
  }
  return null;
}

function withRole(spec: ClusterSpec, node: NodeId, role: Member["role"]): readonly Member[] {
  return spec.members.map((member) => member.id === node ? { ...member, role } : member);
}

function isFresh(raft: Raft, node: NodeId): boolean {
  const progress = raft.progress.get(node);
  return progress !== undefined && !progress.diverged &&
    raft.now - progress.ackedAt < raft.timing.electionMinMs;
}

function holdsAll(raft: Raft, node: NodeId): boolean {
  const { match, recovery = null } = raft.progress.get(node) ?? {};
  return isFresh(raft, node) && recovery === null && match === raft.log.last;
}

/** A learner that keeps up: it may vote. */
export function readyLearner(raft: Raft): Member | null {
  if (raft.role !== "leader") return null;
  tendCatchUp(raft);
  if (raft.specAt.index > raft.commit || raft.commit < raft.termStart) return null;
  const learners = raft.spec.members.filter(({ role }) => role === "learner");
  return learners.find((member) => lagOf(raft, member) === null) ?? null;
}

/** Called at each step of a leader: does the witness register name both nodes, as it should? */
export function tendWitness(raft: Raft): void {
  const { witness } = raft;
  if (raft.role !== "leader" || !raft.hasWitness || witness.shared || witness.swap !== null) return;
  if (raft.specAt.index > raft.commit || raft.commit < raft.termStart) return;
  if (raft.now < witness.retryAt) return;
  const both = voters(raft.spec).map((member) => member.id);
  const caughtUp = both.every((id) => id === raft.self || holdsAll(raft, id));
  if (!caughtUp) return;
  if (witness.register !== null && witness.register.term > raft.term) return deposed(raft);
  // From here on nothing is committed without both, whatever becomes of the write.
  witness.solo = false;
  raft.alone = false;
  const { term } = raft;
  const known = witness.register;
  const leader = { node: raft.self, term, lastTerm: raft.log.lastTerm, lastIndex: raft.log.last };
  const blank: WitnessRegister = {
    ...{ version: 0, term: 0, vote: null, subterm: 0, set: [] },
    ...{ lastTerm: 0, lastIndex: 0 },
  };
  const register = widened(known ?? blank, leader, both);
  // Of this description: the answer of a disk that was the witness before is not this one's.
  const tag = `config:widen:${term}:${raft.specAt.index}`;
  witness.swap = { tag, register };
  witness.retryAt = after(raft.now, raft.timing.electionMinMs);
  // Where the register is not known yet, no disk has version 0: the refusal says what is there.
  const expect = known?.version ?? 0;
  raft.ask({ request: "storage.swap", tag, expect, held: false, register });
}

/**
 * The witness voted in a newer term: somebody else may lead, and may have committed alone what we
 * lack. Were its register widened now, we could win with it what we must not win.
 */
function deposed(raft: Raft): void {
  raft.enterTerm(raft.witness.register?.term ?? raft.term + 1);
  raft.persist({ hardState: raft.hardState() });
}

/** A swap of the register ended: a vote's or a widening's. */
export function onSwapped(
  raft: Raft,
  { tag, ok, register }: Extract<Fact, { fact: "storage.swapped" }>,
): void {
  const { witness, term } = raft;
  if (witness.swap?.tag !== tag) return;
  if (tag !== `config:vote:${term}`) return onWidened(raft, ok, register);
  const written = witness.swap.register;
  witness.swap = null;
  if (register !== null) witness.register = register;
  if (!ok) return;
  witness.register = written;
  onWitnessVote(raft);
}

function onWidened(raft: Raft, ok: boolean, register: WitnessRegister | null): void {
  const { witness } = raft;
  witness.swap = null;
  if (register !== null) witness.register = register;
  if (raft.role !== "leader") return;
  const both = voters(raft.spec).map((member) => member.id);
  const shared = register !== null && sameSet(register.set, both);
  if (shared) {
    witness.shared = true;
    raft.tell({ fact: "config.shared" });
    const other = both.find((id) => id !== raft.self) ?? raft.self;
    const because = reason("config.shared", { node: raft.name(other) });
    raft.say(`commit set=${both.map((id) => raft.name(id)).join("+")}`, because);
  } else if (!ok && register !== null) {
    witness.retryAt = raft.now;
  }
}

/**
 * A former member disturbs nobody: what it says is not heard, and it is told why. Only one that is
 * being removed is answered for as long as it does not know.
 */
export function isStranger(raft: Raft, from: NodeId, { kind }: Message): boolean {
  const out = raft.outBy(from);
  if (out === null || kind === "removed") return false;
  if (raft.parting.has(from) && (kind === "append-reply" || kind === "forward")) return false;
  const asks = kind === "vote" || kind === "append" || kind === "forward";
  if (asks) raft.send(from, { kind: "removed", index: out.index });
  return true;
}

/** When a leader that waits for both next asks for the register. */
export function witnessDeadline(raft: Raft): Instant {
  const { shared, swap, retryAt } = raft.witness;
  const waits = raft.role === "leader" && raft.hasWitness && !shared && swap === null;
  return waits && retryAt > raft.now ? retryAt : NEVER;
}

/** A learner that keeps up gets its vote; `accept` takes the change into the log, or says why not. */
export function promoteReady(
  raft: Raft,
  accept: (want: { readonly want: "change"; readonly change: SpecChange }) => Problem | null,
): void {
  const learner = readyLearner(raft);
  if (learner === null) return;
  const change = { change: "promote", node: learner.id } as const;
  if (accept({ want: "change", change }) !== null) return;
  raft.say(`${learner.name} votes`, reason("join.promoted", { node: learner.name }));
}
