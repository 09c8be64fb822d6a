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
import { reason } from "../base/reason.ts";
import { earliest, type Instant, NEVER } from "../base/time.ts";
import type { Fact, Request, Saying } from "../streams.ts";
import { Clients } from "./clients.ts";
import { onVote, onVoteReply, onWitness, tickElection } from "./election.ts";
import { isMajority } from "./electorate.ts";
import type { ConfigEffect, ConfigEvent, ConfigOptions, ConfigView } from "./events.ts";
import { compactTo, CONFIG_LIMITS, type ConfigLimits } from "./compaction.ts";
import { Force } from "./force.ts";
import { Installer } from "./install.ts";
import { onTimeoutNow, tendTransfer } from "./lead_transfer.ts";
import { Leaving } from "./leaving.ts";
import { Library, type PathStat } from "./library.ts";
import { Log } from "./log.ts";
import { isStranger, onSwapped, promoteReady, tendWitness, witnessDeadline } from "./membership.ts";
import { MountSeat } from "./mount_seat.ts";
import { Raft } from "./raft.ts";
import { appliedOf, Replica } from "./replica.ts";
import {
  advanceCommit,
  answerBarriers,
  onAppend,
  onAppendReply,
  spreadCommit,
  tickLeader,
} from "./replication.ts";
import { endDoubt, onDiffers, onTwin } from "./doubt.ts";
import { announceRecovery, onRecoveryWord, onUnproven } from "./recovery.ts";
import { Standing } from "./standing.ts";
import { Transfers } from "./transfers.ts";
import { Twins } from "./twins.ts";
import { Verification } from "./verification.ts";
import type { TreeReader } from "./tree.ts";
import { messageFault } from "./faults.ts";
import { viewOf } from "./view.ts";
import { decodeEntry, decodeMessage, type MessageOf } from "./wire.ts";
import { assert } from "../base/assert.ts";

/** The state machine of stream 2. */
export class ConfigCore implements Core<ConfigEvent, ConfigEffect> {
  readonly #raft: Raft;
  readonly #replica: Replica;
  readonly #library: Library;
  readonly #clients: Clients;
  readonly #mount: MountSeat;
  readonly #twins = new Twins();
  readonly #limits: ConfigLimits;
  readonly #transfers: Transfers;
  readonly #installer: Installer;
  readonly #standing: Standing;
  readonly #leaving: Leaving;
  readonly #force: Force;
  readonly #verification: Verification;
  /** Nothing proves that the database is the newest, for this reason. */
  readonly #unproven: string | null;
  #started = false;
  #leads = false;

  constructor(options: ConfigOptions, now: Instant) {
    const { self, spec, stored, seed } = options;
    this.#unproven = stored.unproven ?? null;
    const log = new Log(stored.entries, stored.base);
    this.#limits = options.limits ?? CONFIG_LIMITS;
    this.#replica = new Replica(stored);
    this.#raft = new Raft({
      self,
      log,
      prng: new Prng(seed),
      spec,
      term: stored.term,
      vote: stored.vote === 0 ? null : nodeId(stored.vote),
      applied: stored.applied.index,
      stored: stored.spec,
      diverged: stored.diverged,
      recovery: stored.recovery,
      sealed: stored.sealed,
    }, now);
    const { applied, crc: stateCrc, content } = this.#replica;
    Object.assign(this.#raft, { applied, stateCrc, content });
    this.#twins.note(this.#replica.applied, this.#replica.hashes);
    this.#library = new Library(() => this.#replica.tree);
    this.#transfers = new Transfers({
      raft: this.#raft,
      state: () => this.#replica.state(),
      chunkBytes: this.#limits.chunkBytes,
    });
    this.#installer = new Installer(this.#raft, this.#replica);
    this.#standing = new Standing(this.#raft);
    this.#leaving = new Leaving(this.#raft);
    this.#force = new Force(this.#raft);
    this.#verification = new Verification(this.#raft, this.#replica);
    const frozen = () => this.#standing.frozen;
    this.#clients = new Clients({
      raft: this.#raft,
      applied: () => this.#replica.applied,
      frozen,
      toMount: (tag, outcome) => this.#mount.onOutcome(tag, outcome),
    });
    const parts = { raft: this.#raft, clients: this.#clients, replica: this.#replica };
    this.#mount = new MountSeat({ ...parts, frozen, options }, now);
  }

  step(event: ConfigEvent, now: Instant): ConfigEffect[] {
    const raft = this.#raft;
    // It comes with every beat, and changes nothing but what `.rrd` shows.
    if (event.kind === "fact" && event.fact.fact === "ha.vitals") {
      this.#mount.onVitals(event.fact.vitals, now);
      return [];
    }
    raft.now = now;
    raft.effects = [];
    raft.applyAt = NEVER;
    if (!this.#started) this.#start();
    switch (event.kind) {
      case "tick":
        break;
      case "frame":
        this.#onFrame(event.from, event.bytes);
        break;
      case "persisted":
        raft.persisted(event.upTo);
        break;
      case "verified":
        this.#verification.onVerified(event.report);
        break;
      case "fact":
        this.#onFact(event.fact);
        break;
      case "request":
        this.#onRequest(event.request);
        break;
      case "fuse":
        this.#mount.onFuse(event.bytes);
        break;
    }
    tickElection(raft);
    tickLeader(raft);
    promoteReady(raft, (want) => this.#clients.accept(want, { local: 0 }, raft.self));
    tendWitness(raft);
    this.#leaving.tend();
    tendTransfer(raft);
    this.#force.tend(this.#replica.applied);
    this.#noteLead();
    this.#settle();
    this.#clients.pursue();
    if (raft.role === "leader") this.#settle();
    spreadCommit(raft);
    this.#noteLead();
    this.#transfers.tend();
    this.#installer.tend();
    this.#compact();
    this.#mount.turn();
    endDoubt(raft);
    this.#verification.tend();
    this.#standing.tellPosition(this.#replica.applied, this.#replica.crc);
    return raft.effects;
  }

  deadline(): Instant {
    const raft = this.#raft;
    return earliest(
      raft.role === "leader" ? earliest(raft.beatAt, raft.spreadAt) : raft.electionAt,
      raft.applyAt,
      witnessDeadline(raft),
      this.#clients.deadline(),
      this.#leaving.deadline(),
      this.#force.deadline(),
      raft.leadTransfer?.until ?? NEVER,
      this.#mount.deadline(),
      this.#verification.deadline(),
    );
  }

  /** For status and metrics. */
  view(): ConfigView {
    return viewOf(this.#raft, {
      applied: this.#replica.applied,
      stateCrc: this.#replica.crc,
      content: this.#replica.content,
      verified: this.#verification.last,
      quorate: this.#standing.writable,
      blocked: this.#standing.blocked,
      removed: this.#standing.removed,
    });
  }

  /** Another stream of this node said something: it is for `.clusterlog`, too. */
  note({ stream, text }: Saying, now: Instant): void {
    this.#mount.log(`${stream}: ${text}`, now);
  }

  /** Index of the last applied entry. */
  get applied(): number {
    return this.#replica.applied;
  }

  /** The tree as it is now, for reading. */
  get tree(): TreeReader {
    return this.#replica.tree;
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

  #start(): void {
    this.#started = true;
    this.#raft.resetElection();
    const alone = isMajority(this.#raft.electorates, (id) => id === this.#raft.self, false);
    if (alone) this.#raft.electionAt = this.#raft.now;
    if (this.#unproven !== null) onUnproven(this.#raft, this.#unproven);
    announceRecovery(this.#raft);
    this.#standing.tellSpec();
    this.#tellTree();
  }

  #tellTree(): void {
    const index = this.#replica.applied;
    const { changes } = this.#replica.tree.all();
    this.#raft.tell({ fact: "config.applied", index, whole: true, changes });
  }

  #onFrame(from: NodeId, bytes: Uint8Array): void {
    const message = decodeMessage(bytes);
    if (message === null || messageFault(message) !== null) return;
    if (isStranger(this.#raft, from, message)) return;
    switch (message.kind) {
      case "append":
        return onAppend(this.#raft, from, message);
      case "append-reply":
        return this.#onAppendReply(from, message);
      case "vote":
        return onVote(this.#raft, from, message);
      case "vote-reply":
        this.#force.onVoteReply(from, message);
        return onVoteReply(this.#raft, from, message);
      case "timeout-now":
        return onTimeoutNow(this.#raft, from, message);
      case "removed":
        return this.#standing.onRemoved(from, message.index);
      case "forward":
        return this.#clients.onForward(from, message);
      case "forward-reply":
        return this.#clients.onForwardReply(message);
      case "unlock":
      case "locks":
      case "log-ask":
      case "log":
        return this.#mount.onMessage(from, message);
      case "snapshot":
        if (this.#installer.onChunk(from, message)) this.#onInstalled();
        return;
      case "snapshot-reply":
        return this.#onSnapshotReply(from, message);
      case "recovery":
      case "recovered":
      case "lost":
        if (message.kind === "recovery") this.#force.onRecovering(from, message);
        return onRecoveryWord(this.#raft, from, message);
      case "differs":
        return onDiffers(this.#raft, from, message);
    }
  }

  #onRequest(request: Request): void {
    if (request.request === "ha.shutdown") this.#leaving.onShutdown();
    else if (request.request === "config.force-single") this.#force.onRequest(request);
    else if (request.request === "config.verify") this.#verification.onRequest(request.tag);
    else this.#clients.onRequest(request);
  }

  #onAppendReply(from: NodeId, message: MessageOf<"append-reply">): void {
    const raft = this.#raft;
    const progress = raft.progress.get(from);
    if (raft.role === "leader" && message.term === raft.term && message.ok && progress) {
      this.#twins.judge(raft, from, message);
      if (message.index > progress.match) {
        const { index, chain } = message;
        const what = `ack=0x${index.toString(16)}, crc32=${formatCrc(chain)}`;
        raft.say(`${raft.name(from)} ${what}`, null);
      }
    }
    onAppendReply(raft, from, message);
  }

  #onSnapshotReply(from: NodeId, message: MessageOf<"snapshot-reply">): void {
    const raft = this.#raft;
    if (message.term > raft.term) {
      raft.enterTerm(message.term);
      raft.persist({ hardState: raft.hardState() });
    } else if (raft.role === "leader" && message.term === raft.term) {
      this.#transfers.onReply(from, message);
    }
  }

  /** The replica is another one now. */
  #onInstalled(): void {
    this.#twins.restart(this.#replica.applied, this.#replica.hashes);
    this.#verification.onInstalled();
    this.#standing.tellSpec();
    this.#tellTree();
    this.#mount.onReplaced();
  }

  #onFact(fact: Fact): void {
    switch (fact.fact) {
      case "heartbeat.view":
        this.#standing.viewQuorate = fact.view.quorate;
        return this.#mount.onView(fact.view);
      case "heartbeat.twin":
        return onTwin(this.#raft, fact.node, fact.twin !== null);
      case "heartbeat.member":
        return this.#mount.onMember(fact.health);
      case "ha.empty":
        return this.#leaving.onEmpty();
      case "storage.witness":
        return onWitness(this.#raft, fact.held, fact.register);
      case "storage.swapped":
        return this.#force.onSwapped(fact) ? undefined : onSwapped(this.#raft, fact);
      default:
        return;
    }
  }

  #noteLead(): void {
    const leads = this.#raft.role === "leader";
    if (this.#leads && !leads) this.#clients.onLostLead();
    this.#leads = leads;
  }

  /** Commits what may be, applies it, and answers who waited for that. */
  #settle(): void {
    const raft = this.#raft;
    advanceCommit(raft);
    this.#apply();
    answerBarriers(raft, this.#replica.applied);
    // A leader leads through its own removal, without a vote, and no longer (dissertation 4.2.2).
    if (raft.role !== "leader" || raft.isVoter || raft.specAt.index > raft.commit) return;
    const args = { node: raft.name(raft.self), term: raft.term };
    raft.becomeFollower(null, reason("config.deposed", args));
  }

  /** Applies what is committed; tells the streams and whoever waits. */
  #apply(): void {
    const raft = this.#raft;
    if (raft.applyAt !== NEVER) return;
    while (this.#replica.applied < raft.commit) {
      const index = this.#replica.applied + 1;
      const stored = raft.log.at(index);
      const entry = stored === undefined ? null : decodeEntry(stored.body);
      assert(stored !== undefined && entry !== null, "A committed entry is in the log and whole");
      const step = this.#replica.apply(index, entry);
      raft.applied = index;
      const { crc: stateCrc, content } = this.#replica;
      Object.assign(raft, { stateCrc, content });
      this.#twins.note(index, this.#replica.hashes);
      const { changes } = step;
      const applied = appliedOf(step, { index, term: stored.term, stateCrc, content });
      const described = entry.kind === "spec" || entry.kind === "forced";
      // Until it is known to be committed, a change of several votes needs two majorities.
      raft.persist({ applied }, { lazy: !described });
      if (described) {
        this.#standing.tellSpec();
        if (raft.role === "leader") raft.alignProgress();
      }
      if (changes.length > 0) raft.tell({ fact: "config.applied", index, whole: false, changes });
      this.#mount.onApplied(entry, step);
      this.#clients.onApplied(stored, step.outcome);
    }
  }

  /** Lets go of the log what is applied and not needed to catch somebody up. */
  #compact(): void {
    const raft = this.#raft;
    const ask = { log: raft.log, applied: raft.applied, needed: this.#transfers.needed() };
    const index = compactTo(ask, this.#limits);
    if (index !== null) raft.compact(index);
  }
}
