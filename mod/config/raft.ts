/**
 * The state that election, replication, membership and the witness share, with the few moves that
 * keep it consistent: adding to the log, persisting, changing term and role.
 *
 * The rules are in the files named after them; this one only guards the bookkeeping.
 *
 * @module
 */
import { assert } from "../base/assert.ts";
import { type ClusterSpec, nameOf, voters } from "../base/cluster.ts";
import type { NodeId } from "../base/id.ts";
import type { Prng } from "../base/prng.ts";
import { type Reason, reason } from "../base/reason.ts";
import { after, EPOCH, type Instant, NEVER } from "../base/time.ts";
import { type Timing, timingOf } from "../base/timing.ts";
import type {
  DatabaseBatch,
  LogBase,
  SealedSpec,
  StoredEntry,
  StoredRecovery,
  StoredSpec,
} from "../host/ports.ts";
import type { Fact, Request } from "../streams.ts";
import { type Electorate, electorateOf } from "./electorate.ts";
import type { ConfigEffect } from "./events.ts";
import type { Barrier, Doubt, LeadTransfer, Progress, WitnessState } from "./leader_state.ts";
import type { Log } from "./log.ts";
import { type SpecAt, specAtOf, Specs, storedSpecOf } from "./specs.ts";
import { encodeEntry, encodeMessage, type Entry, type Message } from "./wire.ts";

/** A removed member is told for so many election minima, if it does not answer. */
const PARTING_ELECTIONS = 20;
const NOTHING_KNOWN = { solo: false, register: null, swap: null };

/** `precandidate` asks whether it could win before it disturbs anybody. */
export type Role = "follower" | "precandidate" | "candidate" | "leader";

/** See the module's note. */
export class Raft {
  readonly self: NodeId;
  readonly log: Log;
  readonly prng: Prng;
  now: Instant;
  timing: Timing;
  term: number;
  vote: NodeId | null;
  role: Role = "follower";
  leader: NodeId | null = null;
  commit: number;
  /** Applied to the tree up to here, and the tree's rolling CRC there; kept by the core. */
  applied: number;
  stateCrc = 0;
  /** Content hash of tree and locks at `applied`; kept by the core. */
  content = 0;
  /** Our own log is durable up to here. */
  durable: number;
  /** We were found to differ from our peers, or damaged, and are not rebuilt yet. */
  diverged: boolean;
  /** Another replica and this one differ, and no majority says which is wrong (`doubt.ts`). */
  doubt: Doubt | null = null;
  /** We led with the witness alone, and do not know yet that the other node holds what we committed. */
  alone: boolean;
  /** We lost what we held, and have not got it all back yet. */
  recovery: StoredRecovery | null;
  electionAt: Instant;
  heardLeaderAt: Instant = EPOCH;
  granted = new Set<NodeId>();
  /** The candidacy's own vote is durable; before that it does not count. */
  voteDurable = false;
  readonly progress = new Map<NodeId, Progress>();
  /** Index of the no-op with which this leader began. */
  termStart = 0;
  beatAt: Instant = EPOCH;
  /** When the members are told what is committed, if no write tells them before. */
  spreadAt: Instant = NEVER;
  /** Now, where entries are to be on their way to the disk before older ones are applied. */
  applyAt: Instant = NEVER;
  round = 0;
  barriers: Barrier[] = [];
  /** We hand the leadership over, and take nothing new until that has ended. */
  leadTransfer: LeadTransfer | null = null;
  /** This node stops: it leads no more if it can help it, and does not campaign. */
  leaving = false;
  /** Members that run twice: nobody knows what the other of the two has promised. */
  readonly twins = new Set<NodeId>();
  /** Former members that are still to be told of their removal: up to when. */
  readonly parting = new Map<NodeId, Instant>();
  readonly witness: WitnessState = {
    held: false,
    register: null,
    solo: false,
    shared: false,
    swap: null,
    retryAt: EPOCH,
  };
  effects: ConfigEffect[] = [];
  readonly #specs: Specs;
  #number = 0;
  /** What the seal says. */
  #sealed: Omit<SealedSpec, "spec"> & { readonly index: number };
  #pending: { number: number; last: number; done: (() => void) | null }[] = [];

  constructor(
    parts: {
      readonly self: NodeId;
      readonly log: Log;
      readonly prng: Prng;
      readonly spec: ClusterSpec;
      readonly term: number;
      readonly vote: NodeId | null;
      readonly applied: number;
      /** The description in force at the log's base; absent where none was compacted away. */
      readonly stored?: StoredSpec | null;
      readonly diverged?: boolean;
      readonly recovery?: StoredRecovery | null;
      readonly sealed?: SealedSpec | null;
    },
    now: Instant,
  ) {
    const { self, log, prng, spec, term, vote, applied, stored = null } = parts;
    this.self = self;
    this.log = log;
    this.prng = prng;
    this.now = now;
    this.term = term;
    this.vote = vote;
    this.commit = applied;
    this.applied = applied;
    this.durable = log.last;
    this.diverged = parts.diverged ?? false;
    this.recovery = parts.recovery ?? null;
    const { sealed = null } = parts;
    const { settled = false, alone = false } = sealed ?? {};
    this.#sealed = { index: sealed?.spec?.index ?? 0, settled, alone };
    this.alone = alone;
    const highest = Math.max(...spec.members.map((member) => member.id));
    const first = { spec, index: 0, highest, forced: false };
    this.#specs = new Specs(stored === null ? first : specAtOf(stored), log.last);
    for (let index = log.base.index + 1; index <= log.last; index++) {
      this.#specs.note(log.at(index));
    }
    if (this.recovery !== null && sealed !== null) {
      this.#specs.setLost({ at: sealed.spec === null ? first : specAtOf(sealed.spec), settled });
    }
    this.timing = timingOf(this.spec.profile);
    this.electionAt = after(now, this.#electionDelay());
  }

  /** The description in force: the newest in the log, committed or not (dissertation 4.1). */
  get spec(): ClusterSpec {
    return this.specAt.spec;
  }

  /** The same, with its place. */
  get specAt(): SpecAt {
    return this.#specs.newest;
  }

  /** The newest description is known to be committed, and has two voters (and perhaps a witness). */
  get isSettledPair(): boolean {
    return this.#specs.isSettled(this.commit) && this.electorates[0]?.voters.length === 2;
  }

  /** The newest committed description, as far as can be known. */
  get committedSpec(): SpecAt {
    return this.#specs.committed(this.commit);
  }

  /** All that the log holds. */
  get specs(): Pick<Specs, "before" | "open" | "votesIndex"> {
    return this.#specs;
  }

  /** The description by which a node is out for good, or null. */
  outBy(node: NodeId): SpecAt | null {
    return this.#specs.outBy(node, this.commit);
  }

  /** True where this node has a vote. */
  get isVoter(): boolean {
    return voters(this.spec).some((member) => member.id === this.self);
  }

  /** Whose majorities count now: as a rule one electorate, two during a change of several votes. */
  get electorates(): readonly Electorate[] {
    return this.#specs.inForce(this.commit).map(electorateOf);
  }

  /** True where the witness has a vote. */
  get hasWitness(): boolean {
    return this.electorates.some((each) => each.witness);
  }

  /** Voters of every description in force, us included where we are one. */
  get electors(): readonly NodeId[] {
    return [...new Set(this.electorates.flatMap((each) => each.voters))];
  }

  /** Members that get the log: all but us. */
  get others(): readonly NodeId[] {
    const specs = this.#specs.inForce(this.commit);
    const ids = specs.flatMap((spec) => spec.members.map((member) => member.id));
    return [...new Set(ids)].filter((id) => id !== this.self);
  }

  /** A node's name. */
  name(node: NodeId): string {
    return nameOf(this.spec, node);
  }

  /** Adds entries to the log and persists them; `done` when they are durable. */
  append(entries: readonly { readonly term: number; readonly body: Uint8Array }[]): StoredEntry[] {
    const added = entries.map(({ term, body }) => {
      const entry = this.log.append(term, body);
      this.#noteSpec(entry);
      return entry;
    });
    return added;
  }

  /** Drops entries that no majority has: they were never committed. */
  truncate(from: number): void {
    assert(from > this.commit, "A committed entry is never dropped");
    this.log.truncate(from);
    this.#specs.truncate(from);
    this.durable = Math.min(this.durable, from - 1);
    for (const pending of this.#pending) pending.last = Math.min(pending.last, from - 1);
    this.timing = timingOf(this.spec.profile);
  }

  /** Lets the applied beginning of the log go, here and in the database. */
  compact(index: number): void {
    assert(index <= this.applied, "What is not applied stays in the log");
    this.log.compact(index);
    const first = this.#specs.compact(index);
    this.persist({ compact: { base: this.log.base, spec: storedSpecOf(first) } }, { lazy: true });
  }

  /**
   * Goes on behind the state of another replica, which the caller persists. What follows `base` in
   * our log stays where the log matches there: of the rest nothing was committed.
   */
  restart(base: LogBase, spec: SpecAt | null): { readonly keepLog: boolean } {
    const { log } = this;
    const keepLog = log.termAt(base.index) === base.term && log.chainAt(base.index) === base.chain;
    log.restart(base, keepLog);
    this.#specs.restart(base.index, spec, { keepLog, last: log.last });
    this.commit = base.index;
    this.applied = base.index;
    this.durable = Math.min(this.durable, log.last);
    for (const pending of this.#pending) pending.last = Math.min(pending.last, log.last);
    this.timing = timingOf(this.spec.profile);
    return { keepLog };
  }

  /** Emits a persist; `done` runs when it and all before it are durable. */
  persist(batch: DatabaseBatch, options: { lazy?: boolean; done?: () => void } = {}): void {
    const number = ++this.#number;
    const { lazy = false, done = null } = options;
    this.#pending.push({ number, last: this.log.last, done });
    const sealed = this.#sealChange();
    const whole = sealed === null ? batch : { ...batch, sealed };
    this.effects.push({ kind: "persist", number, batch: whole, lazy });
  }

  /** What the seal must say from now on; null where it says so. */
  #sealChange(): SealedSpec | null {
    const committed = this.committedSpec;
    const { index } = committed;
    const { alone } = this;
    const settled = this.#specs.isSettled(this.commit);
    const before = this.#sealed;
    const same = index === before.index && settled === before.settled && alone === before.alone;
    if (same) return null;
    this.#sealed = { index, settled, alone };
    return { spec: storedSpecOf(committed), settled, alone };
  }

  /** All that was lost is here again. */
  endRecovery(): void {
    this.recovery = null;
    this.#specs.setLost(null);
    this.timing = timingOf(this.spec.profile);
  }

  /** The database says that all persists up to a number are durable. */
  persisted(upTo: number): void {
    const open = this.#pending.findIndex((each) => each.number > upTo);
    const ready = this.#pending.splice(0, open < 0 ? this.#pending.length : open);
    for (const { last, done } of ready) {
      this.durable = Math.max(this.durable, last);
      done?.();
    }
  }

  /** Term and vote as the database keeps them. */
  hardState(): NonNullable<DatabaseBatch["hardState"]> {
    return { term: this.term, vote: this.vote ?? 0, diverged: this.diverged };
  }

  /** Sends a message; `eager` ones do not wait for what is being persisted. */
  send(to: NodeId, message: Message, eager = false): void {
    this.effects.push({ kind: "frame", to, bytes: encodeMessage(message), eager });
  }

  tell(fact: Fact): void {
    this.effects.push({ kind: "tell", fact });
  }

  ask(request: Request): void {
    this.effects.push({ kind: "ask", request });
  }

  say(text: string, because: Reason | null): void {
    this.effects.push({ kind: "say", saying: { stream: "config", text, routine: false, because } });
  }

  /** Enters a newer term as a follower. The caller persists before it answers anybody. */
  enterTerm(term: number): void {
    assert(term > this.term, "Terms only rise");
    this.term = term;
    this.vote = null;
    this.becomeFollower(null, reason("config.deposed", { node: this.name(this.self), term }));
  }

  /** Gives up any other role; `leader` is whom to follow, if known. */
  becomeFollower(leader: NodeId | null, because: Reason): void {
    if (this.role === "leader") this.say(`${this.name(this.self)} leads no more`, because);
    if (this.role !== "follower") this.resetElection();
    this.role = "follower";
    this.leader = leader;
    this.granted.clear();
    this.progress.clear();
    this.parting.clear();
    for (const { answer } of this.barriers.splice(0)) answer(false, 0);
    Object.assign(this.witness, { solo: false, shared: false, swap: null });
  }

  /** Draws a new election time: between once and twice the minimum from now. */
  resetElection(): void {
    this.electionAt = after(this.now, this.#electionDelay());
  }

  #electionDelay(): number {
    return this.timing.electionMinMs * (1 + this.prng.fraction());
  }

  #noteSpec(stored: StoredEntry): void {
    const disk = this.spec.witness?.disk;
    const noted = this.#specs.note(stored);
    if (noted === null) return;
    this.timing = timingOf(noted.spec.profile);
    // The register names the voters of another description now, and another disk has its own.
    this.witness.shared = false;
    if (noted.spec.witness?.disk !== disk) Object.assign(this.witness, NOTHING_KNOWN);
    if (this.role === "leader") this.noteParting();
  }

  /** A leader tells those whom the newest description removed: they are tracked a while longer. */
  noteParting(): void {
    const until = after(this.now, PARTING_ELECTIONS * this.timing.electionMinMs);
    for (const node of this.#specs.removedLast) {
      if (node !== this.self) this.parting.set(node, until);
    }
    this.alignProgress();
  }

  /** Tracks the members of the descriptions in force, who is parting, and nobody else. */
  alignProgress(): void {
    const members = new Set([...this.others, ...this.parting.keys()]);
    for (const node of this.progress.keys()) if (!members.has(node)) this.progress.delete(node);
    for (const node of members) if (!this.progress.has(node)) this.follow(node);
  }

  /** Begins to track a member as leader. */
  follow(node: NodeId): void {
    const { last } = this.log;
    this.progress.set(node, {
      ...{
        next: last + 1,
        floor: last,
        appends: [],
        told: 0,
        match: 0,
        ackedAt: this.now,
        round: 0,
      },
      ...{ diverged: false, divergedAt: 0, differs: false, confessed: false, agreed: 0 },
      ...{ behind: false, transfer: null },
      ...{ recovery: null, loss: null, catchUp: null, applied: 0 },
    });
  }
}

/** A new log entry of this term. */
export function entryOf(raft: Raft, entry: Entry): { term: number; body: Uint8Array } {
  return { term: raft.term, body: encodeEntry(entry) };
}
