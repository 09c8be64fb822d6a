/**
 * One node goes on alone, without a majority, by the word of a person: when the others are lost for
 * good. What only they had committed is lost with that, so it is refused wherever it is not what is
 * missing: the node first asks every voter whether it would vote for it, and if a majority answers,
 * or a single one speaks against it (it hears a leader, or holds newer entries), nothing is forced.
 *
 * Then the witness register is taken, where there is one and its disk answers, so that nobody else
 * can win with it; and a description with this node alone is put into the log. From that moment
 * former members are strangers: nothing that they say is heard (`Specs.outBy`). That cannot keep two
 * halves of a cluster from being forced both, or a majority elsewhere from going on: the person is
 * told so beforehand.
 *
 * @module
 */
import { voters, witnessVotes } from "../base/cluster.ts";
import type { NodeId } from "../base/id.ts";
import { type Problem, problem } from "../base/problem.ts";
import { reason } from "../base/reason.ts";
import { after, EPOCH, type Instant, NEVER } from "../base/time.ts";
import type { ForceReport } from "../base/force.ts";
import type { Fact, Request, WitnessRegister } from "../streams.ts";
import { isMajority } from "./electorate.ts";
import { wouldWitnessVote } from "./election.ts";
import type { Raft } from "./raft.ts";
import { encodeEntry, type MessageOf } from "./wire.ts";

type Ask = Extract<Request, { request: "config.force-single" }>;
type Swapped = Extract<Fact, { fact: "storage.swapped" }>;

/** The voters are asked for so many election minima, and the disk is waited for as long. */
const ASK_ELECTIONS = 2;
/** Tries to replace the register; each one that fails says what is there. */
const SWAPS_MAX = 3;

const READ_TAG = "config:force:read";
/** No register has it. */
const NO_VERSION = -1;

/** `writing`: the description stands in the log, and is told when it is applied. */
type Phase = "idle" | "asking" | "claiming" | "writing";

/** One per node. */
export class Force {
  readonly #raft: Raft;
  #phase: Phase = "idle";
  #ask: Ask | null = null;
  #until: Instant = EPOCH;
  readonly #answered = new Set<NodeId>();
  readonly #against = new Set<NodeId>();
  /** Who lives and has no vote. */
  readonly #recovering = new Set<NodeId>();
  #swaps = 0;
  #swapTag = "";
  #index = 0;
  /** As it was when it was decided. */
  #report: ForceReport | null = null;

  constructor(raft: Raft) {
    this.#raft = raft;
  }

  /** A person asks. */
  onRequest(ask: Ask): void {
    if (this.#phase !== "idle") {
      return this.#tell(ask, problem("api.busy", "another one is under way"));
    }
    const refused = this.#refusal();
    if (refused !== null) return this.#tell(ask, refused);
    const raft = this.#raft;
    this.#ask = ask;
    this.#report = null;
    this.#answered.clear();
    this.#against.clear();
    this.#recovering.clear();
    this.#enter("asking");
    this.#readRegister();
    const { last: lastIndex, lastTerm } = raft.log;
    for (const id of raft.electors) {
      if (id === raft.self) continue;
      const term = raft.term + 1;
      raft.send(id, { kind: "vote", term, pre: true, transfer: false, lastIndex, lastTerm });
    }
  }

  /** A voter answered; whatever it says, it lives. */
  onVoteReply(from: NodeId, { granted }: MessageOf<"vote-reply">): void {
    if (this.#phase !== "asking" || !this.#raft.electors.includes(from)) return;
    this.#answered.add(from);
    if (granted) this.#against.delete(from);
    else this.#against.add(from);
  }

  /**
   * A voter that answers lost its database and holds nothing that we lack. It can neither vote for a
   * leader nor speak against us: it is as little as one that is dead, and is put out like one.
   */
  onRecovering(from: NodeId, { nonce }: MessageOf<"recovery">): void {
    if (this.#phase === "asking" && nonce !== 0) this.#recovering.add(from);
  }

  /** The register was replaced, or not. True where that was our swap. */
  onSwapped({ tag, ok, register }: Swapped): boolean {
    if (tag === READ_TAG) {
      if (register !== null) this.#raft.witness.register = register;
      return true;
    }
    if (this.#phase !== "claiming" || tag !== this.#swapTag) return false;
    if (register !== null) this.#raft.witness.register = register;
    if (!ok && register !== null && this.#swaps < SWAPS_MAX) this.#swap(register);
    else this.#write();
    return true;
  }

  /** Called at each step; `applied` is the last index that is. */
  tend(applied: number): void {
    const ask = this.#ask;
    if (ask === null) return;
    if (this.#phase === "writing") {
      if (applied >= this.#index) this.#end(null, this.#index);
    } else if (this.#phase === "asking") {
      const refused = this.#refusal();
      if (refused !== null) this.#end(refused);
      else if (this.#raft.now >= this.#until) this.#judge(ask);
    } else if (this.#phase === "claiming" && this.#raft.now >= this.#until) this.#write();
  }

  deadline(): Instant {
    return this.#phase === "asking" || this.#phase === "claiming" ? this.#until : NEVER;
  }

  /** What speaks against it without asking anybody. */
  #refusal(): Problem | null {
    const raft = this.#raft;
    const { role, leader, now, heardLeaderAt, timing } = raft;
    const refuse = (why: string) => problem("config.force-refused", why);
    if (role === "leader") return refuse("this node leads: writes need nothing that is missing");
    if (!raft.isVoter) return refuse("this node has no vote, so what it holds proves nothing");
    if (raft.diverged) return refuse("this replica differs from its peers");
    if (raft.recovery !== null) {
      return refuse(`this replica lost its database: ${raft.recovery.why}`);
    }
    if (leader !== null && now - heardLeaderAt < 2 * timing.electionMinMs) {
      return refuse(`${raft.name(leader)} leads term ${raft.term}, and is heard`);
    }
    return null;
  }

  /** The voters had their time. */
  #judge(ask: Ask): void {
    const raft = this.#raft;
    const here = (id: NodeId) =>
      id === raft.self || (this.#answered.has(id) && !this.#recovering.has(id));
    const names = (ids: Iterable<NodeId>) => [...ids].map((id) => raft.name(id)).join(" and ");
    if (isMajority(raft.electorates, here, wouldWitnessVote(raft))) {
      const why = `${names(raft.electors.filter(here))} are a majority, and elect a leader`;
      return this.#end(problem("config.force-refused", why));
    }
    const against = [...this.#against].filter((id) => !this.#recovering.has(id));
    if (against.length > 0) {
      const why = `${names(against)} would not vote for this node: ` +
        "there is a leader, or there are newer entries";
      return this.#end(problem("config.force-refused", why));
    }
    this.#report = reportOf(raft, this.#answered);
    if (!ask.ask.commit) return this.#end(null);
    const { register } = raft.witness;
    if (!witnessVotes(raft.spec)) return this.#write();
    this.#enter("claiming");
    this.#swaps = 0;
    this.#swap(register);
  }

  /** A swap that cannot be: its refusal says what is there. */
  #readRegister(): void {
    const raft = this.#raft;
    if (!witnessVotes(raft.spec)) return;
    const register = { version: 0, term: 0, vote: null, subterm: 0, set: [] };
    raft.ask({
      ...{ request: "storage.swap", tag: READ_TAG, expect: NO_VERSION, held: false },
      register: { ...register, lastTerm: 0, lastIndex: 0 },
    });
  }

  /** Nobody may win with the witness any more but us. */
  #swap(known: WitnessRegister | null): void {
    const raft = this.#raft;
    const { last: lastIndex, lastTerm } = raft.log;
    const version = known?.version ?? 0;
    const term = Math.max(raft.term, known?.term ?? 0) + 1;
    const register = { version: version + 1, term, vote: raft.self, subterm: 0, set: [raft.self] };
    this.#swapTag = `config:force:${++this.#swaps}:${raft.term}`;
    raft.ask({
      ...{ request: "storage.swap", tag: this.#swapTag, expect: version, held: false },
      register: { ...register, lastTerm, lastIndex },
    });
  }

  /** The point of no return. */
  #write(): void {
    const raft = this.#raft;
    const ask = this.#ask;
    const refused = this.#refusal();
    if (ask === null || refused !== null) return this.#end(refused);
    const { spec, highest } = raft.specAt;
    const out = spec.members.filter(({ id }) => id !== raft.self).map(({ id, name }) => ({
      id,
      name,
    }));
    const members = spec.members.filter(({ id }) => id === raft.self);
    raft.enterTerm(Math.max(raft.term, raft.witness.register?.term ?? 0) + 1);
    raft.vote = raft.self;
    const { id: request, author, reason: why, time } = ask.ask;
    const body = encodeEntry({
      kind: "forced",
      spec: { ...spec, members, witness: null },
      ...{ highest, writer: raft.self, out, request, author, reason: why, time },
    });
    const added = raft.append([{ term: raft.term, body }]);
    this.#index = raft.log.last;
    this.#enter("writing");
    raft.persist({ hardState: raft.hardState(), entries: added });
    // From here on we are the only voter: the next election is ours.
    raft.electionAt = raft.now;
    const because = reason("config.forced", { author, node: raft.name(raft.self) });
    raft.say(`force-single: out ${out.map(({ name }) => name).join("+")}`, because);
  }

  #enter(phase: Phase): void {
    this.#phase = phase;
    this.#until = after(this.#raft.now, ASK_ELECTIONS * this.#raft.timing.electionMinMs);
  }

  #end(refused: Problem | null, index: number | null = null): void {
    const ask = this.#ask;
    this.#phase = "idle";
    this.#ask = null;
    if (ask !== null) this.#tell(ask, refused, index);
  }

  #tell({ tag }: Ask, refused: Problem | null, index: number | null = null): void {
    const report = this.#report ?? reportOf(this.#raft, this.#answered);
    this.#raft.tell({ fact: "config.forced", tag, report, index, problem: refused });
  }
}

/** What going on alone may cost, as far as this node can know. */
function reportOf(raft: Raft, answered: ReadonlySet<NodeId>): ForceReport {
  const { last: lastIndex, lastTerm } = raft.log;
  const others = voters(raft.spec).filter(({ id }) => id !== raft.self)
    .map(({ id, name }) => ({ node: id, name, answers: answered.has(id) }));
  const { register } = raft.witness;
  const names = others.map(({ name }) => name);
  const warnings: string[] = [];
  const { majority, voters: all } = raft.electorates.at(-1) ?? { majority: 1, voters: [] };
  if (others.length >= majority) {
    warnings.push(
      `${names.join(" and ")} are a majority without this node: if they live anywhere they ` +
        "go on too, and there will be two clusters that both write",
    );
  }
  if (register !== null && !register.set.includes(raft.self)) {
    const set = register.set.map((id) => raft.name(id)).join(" and ");
    warnings.push(`the witness says that only ${set} holds everything that was committed`);
  }
  if (raft.hasWitness && register?.set.includes(raft.self)) {
    warnings.push(
      "the witness names this node: its vote should come by itself (pentad storage show)",
    );
  }
  if (raft.hasWitness && register === null) {
    warnings.push(
      "the witness register was not read here: whoever gets at its disk may go on with it",
    );
  }
  warnings.push(
    `this node's log ends at index ${lastIndex} of term ${lastTerm}; what ` +
      `${names.join(" or ") || "nobody"} committed behind that is lost for good`,
  );
  for (const { name } of others) {
    warnings.push(
      `${name} is out: before it may come back it must leave (pentad leave, there) and join again`,
    );
  }
  if (all.length > 1) {
    warnings.push(
      "no resource starts here before you vouch for the death of each (pentad node confirm-dead)",
    );
  }
  return { lastIndex, lastTerm, applied: raft.applied, others, register, warnings };
}
