/**
 * Whoever wants something of the log: clients of this node, and through us those of other nodes.
 * What this node cannot do itself it asks the leader for; who waits is answered from what was applied.
 *
 * @module
 */
import { assert } from "../base/assert.ts";
import type { NodeId } from "../base/id.ts";
import { type Problem, problem } from "../base/problem.ts";
import { after, earliest, type Instant, NEVER } from "../base/time.ts";
import type { StoredEntry } from "../host/ports.ts";
import type { Outcome, Request, Tag } from "../streams.ts";
import { type Asker, Backlog, keyOf, type Waiter } from "./backlog.ts";
import { wantFault } from "./faults.ts";
import { startTransfer } from "./lead_transfer.ts";
import { changeSpec } from "./membership.ts";
import {
  answerOf,
  askOf,
  diffOf,
  isRepeatable,
  Proposals,
  refusalOf,
  refusedBy,
  type Waiting,
  type Want,
  wantOf,
  whyExpired,
} from "./proposals.ts";
import type { Raft } from "./raft.ts";
import { addBarrier, replicateAll, sendCommit } from "./replication.ts";
import {
  type Answer,
  encodeEntry,
  type Entry,
  ENTRY_BYTES_MAX,
  isProblemCode,
  type Message,
  type MessageOf,
} from "./wire.ts";

/** Changes of the members that may wait for a new leader's first commit. */
const EARLY_MAX = 64;

type ChangeWant = Extract<Want, { want: "change" }>;

/** Requests of one life, so that the next one's numbers are others; the highest is a safe integer. */
const LIFE_REQUESTS = 2 ** 20;

/** An asker and the term of its entry: another leader may put another entry at the same index. */
interface Asked {
  readonly asker: Asker;
  readonly term: number;
}

/** What clients are served from. */
export interface ClientParts {
  readonly raft: Raft;
  /** Index of the last applied entry. */
  readonly applied: () => number;
  /** Why this node cannot have anything written now, as a clause; null where it may try. */
  readonly frozen: () => string | null;
  /** Takes an outcome where the mount asked for it; false where another client did. */
  readonly toMount: (tag: Tag, outcome: Outcome) => boolean;
}

/** See the module's note. */
export class Clients {
  readonly #parts: ClientParts;
  readonly #proposals: Proposals;
  readonly #askers = new Map<number, Asked>();
  /** Writes of other nodes that are in our log: their retries add nothing. */
  readonly #underway = new Set<string>();
  readonly #backlog = new Backlog();
  /** Changes of the members that wait for the first commit of this leader's own term. */
  #early: { readonly want: ChangeWant; readonly asker: Asker }[] = [];

  constructor(parts: ClientParts) {
    this.#parts = parts;
    this.#proposals = new Proposals(parts.raft.prng.u32() * LIFE_REQUESTS);
  }

  /** When somebody's patience ends, or a leader is to be asked again. */
  deadline(): Instant {
    const { now, timing } = this.#parts.raft;
    const waits = this.#proposals.hasOpen;
    return earliest(
      this.#proposals.deadline(),
      waits ? after(now, timing.electionMinMs) : NEVER,
    );
  }

  /** This node leads no more. */
  onLostLead(): void {
    this.#askers.clear();
    this.#underway.clear();
    this.#backlog.clear();
    this.#early = [];
    // What was in our log may or may not be committed by the next leader: its request id sorts it out.
    for (const waiting of this.#proposals.all()) {
      waiting.to = null;
      this.#proposals.setOpen(waiting, true);
    }
  }

  /** A request of this node's. */
  onRequest(request: Request): void {
    const { now, timing } = this.#parts.raft;
    if (request.request === "config.propose") {
      this.#want(request.tag, { want: "propose", transaction: request.transaction });
    } else if (request.request === "config.change-spec") {
      this.#want(request.tag, { want: "change", change: request.change });
    } else if (request.request === "config.transfer") {
      this.#want(request.tag, { want: "transfer", to: request.to });
    } else if (request.request === "config.barrier") {
      const want: Want = { want: "barrier" };
      const waiting = this.#proposals.add(request.tag, want, { now, waitMs: timing.proposeMs });
      if (waiting === null) this.#answerBarrier(request.tag, false, 0);
    }
  }

  /** Takes a request back: true where it was sent to nobody, so that it surely is in no log. */
  withdraw(tag: Tag): boolean {
    return this.#proposals.withdraw(tag);
  }

  #want(tag: Tag, want: Want): void {
    const { now, timing } = this.#parts.raft;
    const refused = wantFault(want);
    if (refused !== null) return this.#refuse(tag, refused);
    const frozen = this.#parts.frozen();
    if (frozen !== null) return this.#refuse(tag, problem("config.no-quorum", frozen));
    const waiting = this.#proposals.add(tag, want, { now, waitMs: timing.proposeMs });
    if (waiting === null) this.#refuse(tag, problem("api.busy", "too many writes wait already"));
  }

  /** Sends on what waits: to our own log if we lead, else to the leader. */
  pursue(): void {
    const raft = this.#parts.raft;
    for (const { waiting, problem: why } of this.#proposals.expired(raft.now)) {
      if (waiting.want.want === "barrier") this.#answerBarrier(waiting.tag, false, 0);
      else if (why !== null) this.#refuse(waiting.tag, whyExpired(waiting, why, raft.self));
      // It is committed, whatever keeps this node from applying it.
      else if (waiting.done !== null) this.#tell(waiting.tag, waiting.done);
    }
    this.#drain();
    if (!this.#proposals.hasOpen) return;
    for (const waiting of this.#proposals.open()) {
      if (waiting.readIndex !== null) this.#settleBarrier(waiting);
      else if (waiting.done !== null) this.#settleDone(waiting, waiting.done);
      else if (raft.role === "leader") this.#lead(waiting);
      else if (raft.leader !== null && raft.leader !== raft.self) {
        this.#forward(waiting, raft.leader);
      }
    }
  }

  #lead(waiting: Waiting): void {
    const { self } = this.#parts.raft;
    if (waiting.to === self) return;
    waiting.to = self;
    // From here on it is answered by what comes of it in our log.
    this.#proposals.setOpen(waiting, false);
    const { id, want } = waiting;
    if (want.want === "barrier") {
      addBarrier(this.#parts.raft, (ok, index) => {
        const still = this.#proposals.get(id);
        if (still === undefined) return;
        if (ok) still.readIndex = index;
        else still.to = null;
        this.#proposals.setOpen(still, true);
        this.#settleBarrier(still);
      });
      return;
    }
    if (!isRepeatable(want) && waiting.sent > 0) return;
    if (want.want === "transfer") {
      waiting.sent++;
      return startTransfer(this.#parts.raft, want.to, (refused) => this.#onHandedOver(id, refused));
    }
    const refused = this.accept(want, { local: id }, self);
    if (refused !== null) this.#refuseWaiting(waiting, refused);
  }

  #onHandedOver(id: number, refused: Problem | null): void {
    const waiting = this.#proposals.get(id);
    if (waiting === undefined) return;
    if (refused !== null) return this.#refuseWaiting(waiting, refused);
    this.#proposals.remove(id);
    const { applied: index, stateCrc: crc32 } = this.#parts.raft;
    this.#tell(waiting.tag, { ok: true, index, crc32 });
  }

  #forward(waiting: Waiting, leader: NodeId): void {
    const { now, timing } = this.#parts.raft;
    const again = waiting.to !== leader || now - waiting.sentAt >= timing.electionMinMs;
    if (!again || (!isRepeatable(waiting.want) && waiting.sent > 0)) return;
    waiting.to = leader;
    waiting.sentAt = now;
    if (waiting.want.want !== "barrier") waiting.sent++;
    this.#parts.raft.send(
      leader,
      { kind: "forward", id: waiting.id, ask: askOf(waiting.want) },
      true,
    );
  }

  /** Puts a want into the leader's log, at once or when it is its turn, or says why not. */
  accept(
    want: Extract<Want, { want: "propose" | "change" }>,
    asker: Asker,
    writer: NodeId,
  ): Problem | null {
    const raft = this.#parts.raft;
    if (want.want === "change") {
      if (raft.commit < raft.termStart && this.#early.length < EARLY_MAX) {
        this.#early.push({ want, asker });
        return null;
      }
      const next = changeSpec(raft, want.change);
      if ("code" in next) return next;
      this.append({ kind: "spec", spec: next.spec, highest: next.highest }, asker);
      return null;
    }
    const { transaction } = want;
    const body = encodeEntry({ kind: "transaction", writer, transaction });
    if (body.length > ENTRY_BYTES_MAX) return problem("config.too-large", `${body.length} bytes`);
    const waiter = { asker, body, diff: diffOf(transaction).join("; ").slice(0, 200) };
    const waits = raft.leadTransfer !== null || this.#backlog.size > 0;
    if (!waits && this.#backlog.fits(body.length)) {
      this.#backlog.added(body.length);
      this.#append([waiter]);
    } else if (!this.#backlog.push(waiter)) {
      return problem("api.busy", "too much is written and not committed yet");
    }
    return null;
  }

  /** Puts an entry into the leader's log at once; as a rule nobody waits for it. */
  append(entry: Entry, asker: Asker = { local: 0 }): void {
    const body = encodeEntry(entry);
    this.#backlog.added(body.length);
    this.#append([{ asker, body, diff: "" }]);
  }

  /** Whose turn it is gets into the log. */
  #drain(): void {
    const { role, leadTransfer } = this.#parts.raft;
    if (role !== "leader" || leadTransfer !== null) return;
    this.#drainEarly();
    const ready: Waiter[] = [];
    for (let next = this.#backlog.shift(); next !== null; next = this.#backlog.shift()) {
      const { asker, body } = next;
      // Whoever was told that nothing came of it must not find it done.
      const gone = "local" in asker && this.#proposals.get(asker.local) === undefined;
      if (gone) this.#backlog.committed(body.length);
      else ready.push(next);
    }
    if (ready.length > 0) this.#append(ready);
  }

  #drainEarly(): void {
    const raft = this.#parts.raft;
    if (this.#early.length === 0 || raft.commit < raft.termStart) return;
    for (const { want, asker } of this.#early.splice(0)) {
      if ("local" in asker && this.#proposals.get(asker.local) === undefined) continue;
      const refused = this.accept(want, asker, raft.self);
      if (refused === null) continue;
      if ("node" in asker) this.#answer(asker.node, asker.id, refusalOf(refused));
      else this.#refuseWaiting(this.#proposals.get(asker.local), refused);
    }
  }

  #append(waiters: readonly Waiter[]): void {
    const raft = this.#parts.raft;
    const added = raft.append(waiters.map(({ body }) => ({ term: raft.term, body })));
    waiters.forEach(({ asker, diff }, at) => {
      const entry = added[at];
      assert(entry !== undefined, "Every entry was appended");
      this.#askers.set(entry.index, { asker, term: entry.term });
      if ("node" in asker) this.#underway.add(keyOf(asker));
      else this.#count(asker.local);
      if (diff !== "") raft.say(`txn_id=0x${entry.index.toString(16)}, diff=${diff}`, null);
    });
    // First our own disk, which works while the frames are made and sent; these do not wait for it.
    raft.persist({ entries: added });
    replicateAll(raft);
  }

  #count(id: number): void {
    const waiting = this.#proposals.get(id);
    if (waiting !== undefined) waiting.sent++;
  }

  /** Another node asks on behalf of its client. */
  onForward(from: NodeId, { id, ask }: MessageOf<"forward">): void {
    const raft = this.#parts.raft;
    // Not the leader (any more): the asker finds out by itself and asks again.
    if (raft.role !== "leader") return;
    const want = wantOf(ask);
    if (want.want === "barrier") {
      addBarrier(raft, (ok, index) => this.#answer(from, id, { kind: "barrier", ok, index }));
      return;
    }
    if (want.want === "transfer") {
      return startTransfer(raft, want.to, (refused) => {
        const done: Answer = { kind: "done", index: 0, crc32: 0 };
        this.#answer(from, id, refused === null ? done : refusalOf(refused));
      });
    }
    const asker = { node: from, id };
    // It asks again because it heard nothing yet; there is nothing to hear yet.
    if (this.#underway.has(keyOf(asker)) || this.#backlog.has(asker)) return;
    const refused = wantFault(want) ?? this.accept(want, asker, from);
    if (refused !== null) this.#answer(from, id, refusalOf(refused));
  }

  /** The leader answers. */
  onForwardReply({ id, answer }: MessageOf<"forward-reply">): void {
    const waiting = this.#proposals.get(id);
    // An answer to a retry adds nothing to that to the first try.
    if (waiting === undefined || waiting.done !== null) return;
    if ((answer.kind === "barrier") !== (waiting.want.want === "barrier")) return;
    this.#proposals.setOpen(waiting, true);
    if (answer.kind === "barrier") {
      if (answer.ok) waiting.readIndex = answer.index;
      else waiting.to = null;
      return;
    }
    if (answer.kind === "refused") {
      const code = isProblemCode(answer.code) ? answer.code : "bug";
      return this.#refuseWaiting(waiting, problem(code, answer.why), 1);
    }
    const { index, crc32 } = answer;
    waiting.done = { ok: true, index, crc32 };
  }

  #settleDone(waiting: Waiting, done: Extract<Outcome, { ok: true }>): void {
    if (done.index > this.#parts.applied()) return;
    this.#proposals.remove(waiting.id);
    this.#tell(waiting.tag, done);
  }

  /**
   * A leader refused. That it is busy says nothing of what was sent before: that may be in a log, so
   * the refusal is final only where it answers the first (of `tries`) that was sent at all.
   */
  #refuseWaiting(waiting: Waiting | undefined, refused: Problem, tries = 0): void {
    if (waiting === undefined) return;
    this.#proposals.remove(waiting.id);
    const open = refused.code === "api.busy" && waiting.sent > tries;
    this.#refuse(waiting.tag, open ? problem("config.unknown-outcome", refused.why) : refused);
  }

  #settleBarrier(waiting: Waiting): void {
    if (waiting.readIndex === null || waiting.readIndex > this.#parts.applied()) return;
    this.#proposals.remove(waiting.id);
    this.#answerBarrier(waiting.tag, true, waiting.readIndex);
  }

  /** An entry was applied: its bytes are committed, and whoever asked for it is told. */
  onApplied({ index, term, body }: StoredEntry, outcome: Outcome): void {
    this.#backlog.committed(body.length);
    const asked = this.#askers.get(index);
    if (asked === undefined) return;
    this.#askers.delete(index);
    if ("node" in asked.asker) this.#underway.delete(keyOf(asked.asker));
    // Ours was overwritten: what became of it, its request id tells, not this index.
    if (asked.term !== term) return;
    const { asker } = asked;
    if ("node" in asker) {
      // What the answer speaks of comes first: the asker tells of it when it has applied it.
      if (outcome.ok) sendCommit(this.#parts.raft, asker.node);
      return this.#answer(asker.node, asker.id, answerOf(outcome));
    }
    const waiting = this.#proposals.get(asker.local);
    if (waiting === undefined) return;
    this.#proposals.remove(asker.local);
    this.#tell(waiting.tag, outcome);
  }

  #answer(to: NodeId, id: number, answer: Answer): void {
    const message: Message = { kind: "forward-reply", id, answer };
    this.#parts.raft.send(to, message, true);
  }

  #answerBarrier(tag: Tag, ok: boolean, index: number): void {
    this.#parts.raft.tell({ fact: "config.barrier", tag, ok, index });
  }

  #refuse(tag: Tag, refused: Problem): void {
    this.#tell(tag, refusedBy(refused));
  }

  #tell(tag: Tag, outcome: Outcome): void {
    if (this.#parts.toMount(tag, outcome)) return;
    this.#parts.raft.tell({ fact: "config.outcome", tag, outcome });
  }
}
