/**
 * Stream 2: one replica of the configuration. Events go to the file that is named after them; what
 * became committed is applied; whoever waited is answered. Read `DESIGN.md` of this folder first.
 *
 * @module
 */
import { formatCrc } from "../base/checksum.ts";
import type { Core } from "../base/core.ts";
import { type NodeId, nodeId } from "../base/id.ts";
import { Prng } from "../base/prng.ts";
import { type Problem, problem } from "../base/problem.ts";
import { type Reason, reason } from "../base/reason.ts";
import { after, earliest, type Instant, NEVER } from "../base/time.ts";
import type { Fact, Position, Request, Tag } from "../streams.ts";
import {
  cascade,
  onVote,
  onVoteReply,
  onWitness,
  onWitnessVote,
  tickElection,
} from "./election.ts";
import type { ConfigEffect, ConfigEvent, ConfigOptions, ConfigView } from "./events.ts";
import { type HistoryLine, Library, type PathStat } from "./library.ts";
import { Log } from "./log.ts";
import { changeSpec, onWidened, readyLearner, tendWitness } from "./membership.ts";
import {
  askOf,
  diffOf,
  Proposals,
  refusedBy,
  type Waiting,
  type Want,
  wantOf,
} from "./proposals.ts";
import { Raft } from "./raft.ts";
import { Replica } from "./replica.ts";
import {
  addBarrier,
  advanceCommit,
  answerBarriers,
  hasContact,
  onAppend,
  onAppendReply,
  replicateAll,
  tickLeader,
} from "./replication.ts";
import { Twins } from "./twins.ts";
import {
  type Answer,
  decodeEntry,
  decodeMessage,
  encodeEntry,
  type Entry,
  ENTRY_BYTES_MAX,
  isProblemCode,
  type Message,
  type MessageOf,
  transactionFault,
} from "./wire.ts";
import { assert } from "../base/assert.ts";

/** Bytes of entries that may be in the log and not committed; more are refused. */
export const UNCOMMITTED_BYTES_MAX = 16 * 1024 * 1024;

/** Who is told what became of an entry of this leader's. */
type Asker = { readonly local: number } | { readonly node: NodeId; readonly id: number };

/** The state machine of stream 2. */
export class ConfigCore implements Core<ConfigEvent, ConfigEffect> {
  readonly #raft: Raft;
  readonly #replica: Replica;
  readonly #library: Library;
  readonly #proposals = new Proposals();
  readonly #askers = new Map<number, Asker>();
  readonly #twins: Twins;
  #uncommittedBytes = 0;
  #viewQuorate = true;
  #started = false;
  #position: Position | null = null;
  #specIndex = -1;
  #blocked: string | null = null;
  #because: Reason = reason("config.no-leader", { ms: 0 });

  constructor(options: ConfigOptions, now: Instant) {
    const { self, spec, stored, seed } = options;
    const log = new Log(stored.entries);
    this.#replica = new Replica(stored);
    this.#raft = new Raft({
      self,
      log,
      prng: new Prng(seed),
      spec,
      term: stored.term,
      vote: stored.vote === 0 ? null : nodeId(stored.vote),
      applied: stored.applied.index,
    }, now);
    this.#raft.applied = this.#replica.applied;
    this.#raft.stateCrc = this.#replica.crc;
    this.#twins = new Twins();
    this.#library = new Library(this.#replica.tree, log, stored);
  }

  step(event: ConfigEvent, now: Instant): ConfigEffect[] {
    const raft = this.#raft;
    raft.now = now;
    raft.effects = [];
    if (!this.#started) this.#start();
    const ledBefore = raft.role === "leader";
    switch (event.kind) {
      case "tick":
        break;
      case "frame":
        this.#onFrame(event.from, event.bytes);
        break;
      case "persisted":
        raft.persisted(event.upTo);
        break;
      case "fact":
        this.#onFact(event.fact);
        break;
      case "request":
        this.#onRequest(event.request);
        break;
    }
    tickElection(raft);
    tickLeader(raft);
    this.#promote();
    tendWitness(raft);
    advanceCommit(raft);
    this.#apply();
    answerBarriers(raft, this.#replica.applied);
    if (ledBefore && raft.role !== "leader") this.#onLostLead();
    this.#pursue();
    this.#tellPosition();
    return raft.effects;
  }

  deadline(): Instant {
    const raft = this.#raft;
    const leads = raft.role === "leader";
    const witness = leads && raft.hasWitness && !raft.witness.shared && raft.witness.swap === null
      ? raft.witness.retryAt
      : NEVER;
    const waits = this.#proposals.all().length > 0;
    return earliest(
      leads ? raft.beatAt : raft.electionAt,
      witness > raft.now ? witness : NEVER,
      this.#proposals.deadline(),
      waits ? after(raft.now, raft.timing.electionMinMs) : NEVER,
    );
  }

  /** For status and metrics. */
  view(): ConfigView {
    const raft = this.#raft;
    const { role } = raft;
    return {
      role: !raft.isVoter ? "learner" : role === "precandidate" ? "candidate" : role,
      term: raft.term,
      leader: raft.leader,
      lastIndex: raft.log.last,
      committed: raft.commit,
      applied: this.#replica.applied,
      stateCrc: this.#replica.crc,
      committedChain: raft.log.chainAt(raft.commit) ?? 0,
      quorate: this.#writable(),
      commitSet: raft.witness.solo ? [raft.self] : null,
      peers: [...raft.progress].map(([node, { match, diverged }]) => ({
        node,
        match,
        lag: raft.log.last - match,
        diverged,
      })),
      blocked: this.#blocked,
    };
  }

  /** The content of a file; null where there is none. */
  read(path: string): Uint8Array | null {
    return this.#library.read(path);
  }

  /** A file or directory; null where there is none. */
  stat(path: string): PathStat | null {
    return this.#library.stat(path);
  }

  /** The children of a directory; null where there is none. */
  list(path: string): readonly PathStat[] | null {
    return this.#library.list(path);
  }

  /** The newest transactions first, of one path if it is named. */
  history(limit: number, path: string | null): readonly HistoryLine[] {
    return this.#library.history(limit, path, this.#replica.applied);
  }

  #start(): void {
    this.#started = true;
    this.#raft.resetElection();
    if (this.#raft.isVoter && this.#raft.majority === 1) this.#raft.electionAt = this.#raft.now;
    this.#tellSpec();
    const { changes } = this.#replica.tree.all();
    const index = this.#replica.applied;
    this.#raft.tell({ fact: "config.applied", index, whole: true, changes });
  }

  #onFrame(from: NodeId, bytes: Uint8Array): void {
    const message = decodeMessage(bytes);
    if (message === null) return;
    switch (message.kind) {
      case "append":
        return onAppend(this.#raft, from, message);
      case "append-reply":
        return this.#onAppendReply(from, message);
      case "vote":
        return onVote(this.#raft, from, message);
      case "vote-reply":
        return onVoteReply(this.#raft, from, message);
      case "forward":
        return this.#onForward(from, message);
      case "forward-reply":
        return this.#onForwardReply(message);
    }
  }

  #onAppendReply(from: NodeId, message: MessageOf<"append-reply">): void {
    const raft = this.#raft;
    const progress = raft.progress.get(from);
    if (raft.role === "leader" && message.term === raft.term && message.ok && progress) {
      const differs = this.#twins.differs(raft, message);
      if (differs !== null && !progress.diverged) {
        progress.diverged = true;
        const args = { ...differs, node: raft.name(from) };
        raft.tell({
          fact: "config.diverged",
          node: from,
          because: reason("config.diverged", args),
        });
        raft.say(`${raft.name(from)} diverged`, reason("config.diverged", args));
      }
      if (message.index > progress.match) {
        const { index, chain } = message;
        const what = `ack=0x${index.toString(16)}, crc32=${formatCrc(chain)}`;
        raft.say(`${raft.name(from)} ${what}`, null);
      }
    }
    onAppendReply(raft, from, message);
  }

  #onFact(fact: Fact): void {
    switch (fact.fact) {
      case "heartbeat.view":
        this.#viewQuorate = fact.view.quorate;
        return;
      case "storage.witness":
        return onWitness(this.#raft, fact.held, fact.register);
      case "storage.swapped":
        return this.#onSwapped(fact.tag, fact.ok, fact.register);
      default:
        return;
    }
  }

  #onSwapped(tag: Tag, ok: boolean, register: Parameters<typeof onWidened>[2]): void {
    const { witness, term } = this.#raft;
    if (witness.swap?.tag !== tag) return;
    if (tag !== `config:vote:${term}`) return onWidened(this.#raft, ok, register);
    const written = witness.swap.register;
    witness.swap = null;
    if (register !== null) witness.register = register;
    if (ok) {
      witness.register = written;
      onWitnessVote(this.#raft);
    }
  }

  #onRequest(request: Request): void {
    const { now, timing } = this.#raft;
    if (request.request === "config.propose") {
      this.#want(request.tag, { want: "propose", transaction: request.transaction });
    } else if (request.request === "config.change-spec") {
      this.#want(request.tag, { want: "change", change: request.change });
    } else if (request.request === "config.barrier") {
      const want: Want = { want: "barrier" };
      const waiting = this.#proposals.add(request.tag, want, { now, waitMs: timing.proposeMs });
      if (waiting === null) this.#answerBarrier(request.tag, false, 0);
    }
  }

  #want(tag: Tag, want: Want): void {
    const { now, timing, leader, role } = this.#raft;
    const fault = want.want === "propose" ? transactionFault(want.transaction) : null;
    if (fault !== null) return this.#refuse(tag, problem("config.too-large", fault));
    const frozen = role !== "leader" && (!this.#viewQuorate || this.#blocked !== null);
    if (frozen || (leader === null && !this.#viewQuorate)) {
      const why = this.#blocked ?? "no majority of votes is present";
      return this.#refuse(tag, problem("config.no-quorum", why));
    }
    const waiting = this.#proposals.add(tag, want, { now, waitMs: timing.proposeMs });
    if (waiting === null) this.#refuse(tag, problem("api.busy", "too many writes wait already"));
  }

  /** Sends on what waits: to our own log if we lead, else to the leader. */
  #pursue(): void {
    const raft = this.#raft;
    for (const { waiting, problem: why } of this.#proposals.expired(raft.now)) {
      if (waiting.want.want === "barrier") this.#answerBarrier(waiting.tag, false, 0);
      else this.#refuse(waiting.tag, why);
    }
    for (const waiting of this.#proposals.all()) {
      if (waiting.readIndex !== null) this.#settleBarrier(waiting);
      else if (raft.role === "leader") this.#lead(waiting);
      else if (raft.leader !== null && raft.leader !== raft.self) {
        this.#forward(waiting, raft.leader);
      }
    }
    if (raft.role === "leader") {
      advanceCommit(raft);
      this.#apply();
      answerBarriers(raft, this.#replica.applied);
    }
  }

  #lead(waiting: Waiting): void {
    const { self } = this.#raft;
    if (waiting.to === self) return;
    waiting.to = self;
    const { id, want } = waiting;
    if (want.want === "barrier") {
      addBarrier(this.#raft, (ok, index) => {
        const still = this.#proposals.get(id);
        if (still === undefined) return;
        if (ok) still.readIndex = index;
        else still.to = null;
        this.#settleBarrier(still);
      });
      return;
    }
    if (want.want === "change" && waiting.sent) return;
    const refused = this.#accept(want, { local: id }, self);
    if (refused === null) waiting.sent = true;
    else {
      this.#proposals.remove(id);
      this.#refuse(waiting.tag, refused);
    }
  }

  #forward(waiting: Waiting, leader: NodeId): void {
    const { now, timing } = this.#raft;
    const again = waiting.to !== leader || now - waiting.sentAt >= timing.electionMinMs;
    if (!again || (waiting.want.want === "change" && waiting.sent)) return;
    waiting.to = leader;
    waiting.sentAt = now;
    waiting.sent ||= waiting.want.want !== "barrier";
    this.#raft.send(leader, { kind: "forward", id: waiting.id, ask: askOf(waiting.want) }, true);
  }

  /** Puts a want into the leader's log, or says why not. */
  #accept(want: Exclude<Want, { want: "barrier" }>, asker: Asker, writer: NodeId): Problem | null {
    const raft = this.#raft;
    let entry: Entry;
    if (want.want === "change") {
      const next = changeSpec(raft, want.change);
      if ("code" in next) return next;
      entry = { kind: "spec", spec: next.spec, highest: next.highest };
    } else entry = { kind: "transaction", writer, transaction: want.transaction };
    const body = encodeEntry(entry);
    if (body.length > ENTRY_BYTES_MAX) return problem("config.too-large", `${body.length} bytes`);
    if (this.#uncommittedBytes + body.length > UNCOMMITTED_BYTES_MAX) {
      return problem("api.busy", "too much is written and not committed yet");
    }
    const [added] = raft.append([{ term: raft.term, body }]);
    assert(added !== undefined, "One entry was appended");
    this.#uncommittedBytes += body.length;
    this.#askers.set(added.index, asker);
    if (want.want === "propose") {
      const diff = diffOf(want.transaction).join("; ").slice(0, 200);
      raft.say(`txn_id=0x${added.index.toString(16)}, diff=${diff}`, null);
    }
    replicateAll(raft);
    raft.persist({ entries: [added] });
    return null;
  }

  #onForward(from: NodeId, { id, ask }: MessageOf<"forward">): void {
    const raft = this.#raft;
    // Not the leader (any more): the asker finds out by itself and asks again.
    if (raft.role !== "leader") return;
    const want = wantOf(ask);
    if (want.want === "barrier") {
      addBarrier(raft, (ok, index) => this.#answer(from, id, { kind: "barrier", ok, index }));
      return;
    }
    const fault = want.want === "propose" ? transactionFault(want.transaction) : null;
    const refused = fault === null
      ? this.#accept(want, { node: from, id }, from)
      : problem("config.too-large", fault);
    if (refused !== null) this.#answer(from, id, { kind: "refused", ...refused });
  }

  #onForwardReply({ id, answer }: MessageOf<"forward-reply">): void {
    const waiting = this.#proposals.get(id);
    if (waiting === undefined) return;
    if (answer.kind === "barrier") {
      if (waiting.want.want !== "barrier") return;
      if (answer.ok) waiting.readIndex = answer.index;
      else waiting.to = null;
      return;
    }
    this.#proposals.remove(id);
    if (answer.kind === "done") {
      const { index, crc32 } = answer;
      const outcome = { ok: true, index, crc32 } as const;
      this.#raft.tell({ fact: "config.outcome", tag: waiting.tag, outcome });
    } else {
      const code = isProblemCode(answer.code) ? answer.code : "bug";
      this.#refuse(waiting.tag, problem(code, answer.why));
    }
  }

  #settleBarrier(waiting: Waiting): void {
    if (waiting.readIndex === null || waiting.readIndex > this.#replica.applied) return;
    this.#proposals.remove(waiting.id);
    this.#answerBarrier(waiting.tag, true, waiting.readIndex);
  }

  #onLostLead(): void {
    this.#askers.clear();
    this.#uncommittedBytes = 0;
    // What was in our log may or may not be committed by the next leader: its request id sorts it out.
    for (const waiting of this.#proposals.all()) waiting.to = null;
  }

  #promote(): void {
    const learner = readyLearner(this.#raft);
    if (learner === null) return;
    const change = { change: "promote", node: learner.id } as const;
    const refused = this.#accept({ want: "change", change }, { local: 0 }, this.#raft.self);
    if (refused === null) {
      const because = reason("join.promoted", { node: learner.name });
      this.#raft.say(`${learner.name} votes`, because);
    }
  }

  /** Applies what is committed; tells the streams and whoever waits. */
  #apply(): void {
    const raft = this.#raft;
    while (this.#replica.applied < raft.commit) {
      const index = this.#replica.applied + 1;
      const stored = raft.log.at(index);
      const entry = stored === undefined ? null : decodeEntry(stored.body);
      assert(stored !== undefined && entry !== null, "A committed entry is in the log and whole");
      const step = this.#replica.apply(index, entry);
      raft.applied = index;
      raft.stateCrc = this.#replica.crc;
      this.#twins.note(index, this.#replica.crc);
      const { rows, removed, history } = step;
      const request = entry.kind === "transaction" ? entry.transaction.request : null;
      this.#library.note(index, request, step.outcome);
      raft.persist({
        applied: {
          index,
          term: stored.term,
          stateCrc: this.#replica.crc,
          rows,
          removed,
          history: history === null ? [] : [history],
        },
      }, { lazy: true });
      if (entry.kind === "spec") this.#tellSpec();
      const { changes } = step;
      if (changes.length > 0) raft.tell({ fact: "config.applied", index, whole: false, changes });
      if (raft.role === "leader") {
        this.#uncommittedBytes = Math.max(0, this.#uncommittedBytes - stored.body.length);
      }
      this.#tellAsker(index, step.outcome);
    }
  }

  #tellAsker(index: number, outcome: Extract<Fact, { fact: "config.outcome" }>["outcome"]): void {
    const asker = this.#askers.get(index);
    if (asker === undefined) return;
    this.#askers.delete(index);
    if ("node" in asker) {
      const { index: at, crc32 } = outcome.ok ? outcome : { index: 0, crc32: 0 };
      const answer: Answer = outcome.ok
        ? { kind: "done", index: at, crc32 }
        : { kind: "refused", ...outcome.problem };
      return this.#answer(asker.node, asker.id, answer);
    }
    const waiting = this.#proposals.get(asker.local);
    if (waiting === undefined) return;
    this.#proposals.remove(asker.local);
    this.#raft.tell({ fact: "config.outcome", tag: waiting.tag, outcome });
  }

  #tellSpec(): void {
    const { spec, index } = this.#raft.committedSpec;
    if (index === this.#specIndex) return;
    this.#specIndex = index;
    this.#raft.tell({ fact: "config.spec", spec, index });
  }

  #tellPosition(): void {
    const raft = this.#raft;
    const blocked = cascade(raft);
    if (blocked !== this.#blocked) {
      this.#blocked = blocked;
      if (blocked !== null) {
        const set = (raft.witness.register?.set ?? []).map((node) => raft.name(node)).join("+");
        const because = reason("config.cascade", { node: set, set });
        raft.say(`blocked: ${blocked}`, because);
        this.#because = because;
      }
    }
    const position: Position = {
      term: raft.term,
      leader: raft.leader,
      committed: raft.commit,
      applied: this.#replica.applied,
      crc32: this.#replica.crc,
      writable: this.#writable(),
    };
    const before = this.#position;
    const same = before !== null && before.term === position.term &&
      before.leader === position.leader && before.committed === position.committed &&
      before.applied === position.applied && before.writable === position.writable;
    if (same) return;
    if (before?.leader !== position.leader && position.leader !== null) {
      const node = raft.name(position.leader);
      this.#because = reason("config.follows", { node, term: raft.term });
    }
    this.#position = position;
    raft.tell({ fact: "config.position", position, because: this.#because });
  }

  #writable(): boolean {
    const raft = this.#raft;
    if (raft.role === "leader") return raft.commit >= raft.termStart && hasContact(raft);
    return raft.leader !== null && raft.now - raft.heardLeaderAt < 2 * raft.timing.electionMinMs;
  }

  #answer(to: NodeId, id: number, answer: Answer): void {
    const message: Message = { kind: "forward-reply", id, answer };
    this.#raft.send(to, message, true);
  }

  #answerBarrier(tag: Tag, ok: boolean, index: number): void {
    this.#raft.tell({ fact: "config.barrier", tag, ok, index });
  }

  #refuse(tag: Tag, refused: Problem): void {
    this.#raft.tell({ fact: "config.outcome", tag, outcome: refusedBy(refused) });
  }
}
