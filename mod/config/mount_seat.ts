/**
 * Where the mount sits in the core of stream 2: bytes of its kernel come in and go out here, its
 * transactions are a client's like any other's, and the locks that nobody renews are removed here.
 *
 * @module
 */
import { assert } from "../base/assert.ts";
import { toHex } from "../base/bytes.ts";
import { type NodeId, nodeId, requestId } from "../base/id.ts";
import { Prng } from "../base/prng.ts";
import { reason } from "../base/reason.ts";
import { earliest, type Instant } from "../base/time.ts";
import type { MemberHealth, Outcome, Tag, Transaction, View, Vitals } from "../streams.ts";
import type { Clients } from "./clients.ts";
import type { ConfigOptions } from "./events.ts";
import { ClusterLog, PRIORITY_INFO } from "./fuse/cluster_log.ts";
import type { ClusterState, MountParts } from "./fuse/context.ts";
import { Mount } from "./fuse/mount.ts";
import { LOCKS } from "./fuse/paths.ts";
import type { NodeSample } from "./fuse/samples.ts";
import { decodeRequest, encodeNotice, encodeReply } from "./fuse/wire.ts";
import { LockAges } from "./lock_ages.ts";
import type { Raft } from "./raft.ts";
import type { Replica, Step } from "./replica.ts";
import { LockCourier } from "./lock_courier.ts";
import { LockDeaths } from "./lock_deaths.ts";
import { LogCourier } from "./log_courier.ts";
import type { LocksEntry } from "./lock_wire.ts";
import type { Entry, MessageOf } from "./wire.ts";

/** Rounds of outcomes and new tries in one step; more is a loop: a bug. */
const ROUNDS_MAX = 10_000;

/** Makes another sequence of the same seed. */
const LIVES_SALT = 0x10c5;

type SeatMessage = MessageOf<"unlock" | "locks" | "log-ask" | "log">;

/** What the seat is made of. */
export interface SeatParts {
  readonly raft: Raft;
  readonly clients: Clients;
  readonly replica: Replica;
  readonly frozen: () => string | null;
  readonly options: Pick<ConfigOptions, "seed" | "groupId" | "wallAtStart">;
}

/** See the module's note. */
export class MountSeat {
  readonly #parts: SeatParts;
  readonly #mount: Mount;
  readonly #ages = new LockAges();
  readonly #courier: LockCourier;
  readonly #deaths = new LockDeaths();
  readonly #log = new ClusterLog();
  readonly #logs: LogCourier;
  readonly #samples = new Map<NodeId, Omit<NodeSample, "node">>();
  readonly #prng: Prng;
  readonly #startedAt: Instant;
  #online: readonly NodeId[];
  #views = 0;
  #outcomes: { readonly tag: Tag; readonly outcome: Outcome }[] = [];
  #proposed = false;

  constructor(parts: SeatParts, now: Instant) {
    this.#parts = parts;
    this.#prng = new Prng(parts.options.seed).split();
    this.#startedAt = now;
    this.#online = [parts.raft.self];
    this.#courier = this.#newCourier();
    this.#logs = new LogCourier({
      self: parts.raft.self,
      name: (node) => parts.raft.name(node),
      isMember: (node) => parts.raft.spec.members.some((each) => each.id === node),
      log: this.#log,
      send: (to, message) => parts.raft.send(to, message, true),
    });
    this.#mount = new Mount(this.#mountParts(), now);
  }

  /** A request of the kernel. */
  onFuse(bytes: Uint8Array): void {
    const request = decodeRequest(bytes);
    if (request === null) return;
    if (request.call === "init") this.#logs.reads = true;
    if (request.call === "destroy") this.#logs.reads = false;
    this.#mount.request(request, this.#parts.raft.now);
  }

  /** Who is there. */
  onView({ online }: View): void {
    if (online.join() === this.#online.join()) return;
    this.#online = online;
    this.#views++;
  }

  /** An entry was applied. */
  onApplied(entry: Entry, step: Step): void {
    for (const { path } of step.changes) this.#ages.note(path);
    const request = entry.kind === "transaction" ? entry.transaction.request : null;
    this.#mount.onApplied({ request, ...step }, this.#parts.raft.now);
    if (step.locks === null) return;
    this.#courier.onApplied(entry.kind === "locks" ? entry : null, step.locks);
    if (step.locks.freed.size > 0) this.#mount.onFreed(step.locks.freed, this.#parts.raft.now);
  }

  /** The whole tree is another one. */
  onReplaced(): void {
    this.#ages.note(LOCKS);
    this.#mount.onReplaced(this.#parts.raft.now);
    this.#courier.onApplied(null, null);
    this.#mount.onFreed(null, this.#parts.raft.now);
  }

  /** What stream 1 says of a member. */
  onMember(health: MemberHealth): void {
    this.#deaths.note(health);
    this.#logs.onMember(health);
    const { node, state, vitals } = health;
    if (state === "online" && vitals !== null) this.#sample(node, vitals, this.#parts.raft.now);
  }

  /** What this node tells of itself. */
  onVitals(vitals: Vitals, now: Instant): void {
    this.#sample(this.#parts.raft.self, vitals, now);
  }

  /** Something was said here. */
  log(msg: string, now: Instant): void {
    const { raft } = this.#parts;
    const time = this.#wallSeconds(now);
    this.#log.add(raft.name(raft.self), { time, pri: PRIORITY_INFO, msg });
  }

  /** What the mounts of other members say. */
  onMessage(from: NodeId, message: SeatMessage): void {
    switch (message.kind) {
      case "unlock":
        return this.#onUnlock(message.path, message.version);
      case "locks":
        return this.#onLocks(from, message);
      case "log-ask":
        return this.#logs.onAsk(from);
      case "log":
        return this.#logs.onEntries(from, message.entries);
    }
  }

  /** A member's programs want locks, or give them back. */
  #onLocks(from: NodeId, { node, life, before, seq, commands }: LocksEntry): void {
    const { raft, clients, replica } = this.#parts;
    // Who is no member any more gets nothing: its locks went with the entry that removed it.
    const member = raft.spec.members.some((each) => each.id === from);
    if (raft.role !== "leader" || node !== from || !member) return;
    const known = replica.locks.life(node);
    if (raft.leadTransfer !== null || (known?.life === life && known.seq >= seq)) return;
    clients.append({ kind: "locks", node, life, before, seq, commands });
  }

  /** The outcome of a client's request: taken where it is the mount's. */
  onOutcome(tag: Tag, outcome: Outcome): boolean {
    if (!tag.startsWith("fuse:")) return false;
    this.#outcomes.push({ tag, outcome });
    return true;
  }

  /** Somebody wants a lock removed that its holder does not renew. */
  #onUnlock(path: string, version: number): void {
    const { raft, clients } = this.#parts;
    if (raft.role !== "leader") return;
    const age = this.#ages.expired(path, version, raft.now);
    if (age === null) return;
    const transaction = this.#removal(path, version);
    const refused = clients.accept({ want: "propose", transaction }, { local: 0 }, raft.self);
    if (refused !== null) return;
    raft.say(`${path} is removed`, reason("config.lock-expired", { path, ms: Math.round(age) }));
  }

  /** The end of a step: outcomes are told, new tries sent, and what the kernel is told goes out. */
  turn(): void {
    const { raft, clients, replica } = this.#parts;
    this.#ages.look(replica.tree.view, raft.role === "leader", raft.now);
    for (let round = 0; this.#proposed || this.#outcomes.length > 0; round++) {
      assert(round < ROUNDS_MAX, "The mount's transactions come to rest");
      this.#proposed = false;
      for (const { tag, outcome } of this.#outcomes.splice(0)) {
        this.#mount.onOutcome(tag, outcome, raft.now);
      }
      if (this.#proposed) clients.pursue();
    }
    this.#mount.tick(raft.now);
    this.#courier.turn();
    this.#releaseDead();
    for (const effect of raft.effects) {
      if (effect.kind !== "say" || effect.saying.because === null) continue;
      this.log(`config: ${effect.saying.text}`, raft.now);
    }
    this.#logs.turn(raft.now);
    for (const output of this.#mount.take()) {
      raft.effects.push(
        output.output === "reply"
          ? { kind: "fuse-reply", bytes: encodeReply(output.request, output.reply) }
          : { kind: "fuse-notice", bytes: encodeNotice(output.notice) },
      );
    }
  }

  deadline(): Instant {
    return earliest(this.#mount.deadline(), this.#courier.deadline());
  }

  #mountParts(): MountParts {
    const { raft, clients, replica, frozen, options } = this.#parts;
    return {
      self: raft.self,
      gid: options.groupId ?? 0,
      tree: () => replica.tree,
      locks: this.#courier,
      frozen,
      applied: () => raft.applied,
      cluster: () => this.#cluster(),
      wallSeconds: (now) => this.#wallSeconds(now),
      log: this.#log,
      samples: () => this.#allSamples(),
      callMs: () => raft.timing.fuseCallMs,
      nextId: () => requestId(toHex(this.#prng.bytes(8))),
      propose: (tag, transaction) => {
        this.#proposed = true;
        clients.onRequest({ request: "config.propose", tag, transaction });
      },
      withdraw: (tag) => clients.withdraw(tag),
      unlock: (path, version) => this.#askUnlock(path, version),
      say: (text, because) => raft.say(text, because),
    };
  }

  #newCourier(): LockCourier {
    const { raft, replica, options } = this.#parts;
    // Of its own, so that lives change no other draw.
    const prng = new Prng((options.seed ^ LIVES_SALT) >>> 0).split();
    return new LockCourier({
      self: raft.self,
      table: () => replica.locks,
      newLife: () => toHex(prng.bytes(8)),
      lead: () => {
        const { leader, term, now, timing, role, self } = raft;
        const leads = role === "leader" ? self : leader;
        return { leader: leads, term, now, retryMs: timing.electionMinMs };
      },
      send: (entry) => this.#sendLocks(entry),
    });
  }

  #sendLocks(entry: LocksEntry): boolean {
    const { raft, clients } = this.#parts;
    if (raft.leadTransfer !== null) return false;
    if (raft.role === "leader") {
      clients.append({ kind: "locks", ...entry });
      return true;
    }
    if (raft.leader === null) return false;
    raft.send(raft.leader, { kind: "locks", ...entry }, true);
    return true;
  }

  /** Gives back what surely nobody uses any more. */
  #releaseDead(): void {
    const { raft, clients, replica } = this.#parts;
    if (raft.role !== "leader" || raft.leadTransfer !== null) return;
    // What was decided before this node led has to be known here.
    if (raft.applied < raft.termStart) return;
    const { locks: table, tree } = replica;
    for (const dead of this.#deaths.due({ table, tree }, raft.timing, raft.term)) {
      clients.append({ kind: "locks-release", ...dead });
      this.#deaths.proposed(dead, raft.term);
      raft.say(`the locks of ${raft.name(nodeId(dead.node))} are given back: it is dead`, null);
    }
  }

  #sample(node: NodeId, vitals: Vitals, now: Instant): void {
    this.#samples.set(node, { time: this.#wallSeconds(now), vitals });
  }

  #allSamples(): readonly NodeSample[] {
    const { members } = this.#parts.raft.spec;
    return members.flatMap(({ id, name }) => {
      const sample = this.#samples.get(id);
      return sample === undefined ? [] : [{ node: name, ...sample }];
    });
  }

  #wallSeconds(now: Instant): number {
    const { wallAtStart = 0 } = this.#parts.options;
    return Math.floor(wallAtStart + (now - this.#startedAt) / 1000);
  }

  #cluster(): ClusterState {
    const { spec, index } = this.#parts.raft.committedSpec;
    return { spec, specIndex: index, online: this.#online, version: 1 + this.#views + index };
  }

  #askUnlock(path: string, version: number): void {
    const { raft } = this.#parts;
    if (raft.role === "leader") return this.#onUnlock(path, version);
    if (raft.leader !== null) raft.send(raft.leader, { kind: "unlock", path, version }, true);
  }

  #removal(path: string, version: number): Transaction {
    const { raft } = this.#parts;
    return {
      request: requestId(toHex(this.#prng.bytes(8))),
      base: raft.applied,
      expect: [{ path, version }],
      operations: [{ op: "rmdir", path }],
      author: `config@${raft.name(raft.self)}`,
      reason: "nobody renewed the lock",
      time: this.#wallSeconds(raft.now),
    };
  }
}
