/**
 * A few mounts over replicas of one log, on one desk: proposals wait until the test commits them, so
 * that every order of events can be had.
 */
import assert from "node:assert/strict";
import type { ClusterSpec } from "../../../mod/base/cluster.ts";
import { nodeId, requestId } from "../../../mod/base/id.ts";
import { problem, type ProblemCode } from "../../../mod/base/problem.ts";
import { type Instant, instant } from "../../../mod/base/time.ts";
import { ClusterLog } from "../../../mod/config/fuse/cluster_log.ts";
import type { ClusterState } from "../../../mod/config/fuse/context.ts";
import { Mount } from "../../../mod/config/fuse/mount.ts";
import type { NodeSample } from "../../../mod/config/fuse/samples.ts";
import type {
  Caller,
  FuseCall,
  FuseNotice,
  FuseReply,
  FuseRequest,
} from "../../../mod/config/fuse/requests.ts";
import { LockCourier } from "../../../mod/config/lock_courier.ts";
import { Replica } from "../../../mod/config/replica.ts";
import type { TreeLimits } from "../../../mod/config/tree.ts";
import type { Entry } from "../../../mod/config/wire.ts";
import type { Operation, Outcome, Transaction } from "../../../mod/streams.ts";
import { EMPTY, specOf } from "../cluster.ts";

export const GID = 33;
export const CALL_MS = 5000;
export const WALL_START = 1_700_000_000;
export const ROOT: Caller = { uid: 0, gid: 0, pid: 7 };

interface Proposal {
  readonly from: Seat | null;
  readonly tag: string;
  readonly transaction: Transaction;
  /** What goes into the log instead: it is no transaction. */
  readonly entry?: Entry;
}

/** One node: its replica, its mount, and what the mount said. */
export class Seat {
  readonly bench: Bench;
  readonly id: number;
  readonly replica: Replica;
  readonly courier: LockCourier;
  readonly mount: Mount;
  readonly log = new ClusterLog();
  samples: readonly NodeSample[] = [];
  readonly answers = new Map<number, FuseReply>();
  readonly notices: FuseNotice[] = [];
  readonly unlocks: { path: string; version: number }[] = [];
  readonly sayings: string[] = [];
  readonly codes = new Set<string>();
  frozen: string | null = null;
  /** Whom it sends its locks to; null: nobody leads. */
  leader: number | null = 9;
  cluster: ClusterState;
  #unique = 1;

  constructor(bench: Bench, id: number, limits?: TreeLimits) {
    this.bench = bench;
    this.id = id;
    this.replica = new Replica(EMPTY, limits);
    const { spec } = bench;
    this.cluster = { spec, specIndex: 1, online: spec.members.map((each) => each.id), version: 1 };
    this.courier = new LockCourier({
      self: id,
      table: () => this.replica.locks,
      newLife: () => bench.nextId(),
      lead: () => ({ now: bench.now, leader: this.leader, term: 1, retryMs: CALL_MS }),
      send: (entry) => bench.propose(entryOf({ kind: "locks", ...entry })),
    });
    this.mount = new Mount({
      locks: this.courier,
      self: nodeId(id),
      gid: GID,
      tree: () => this.replica.tree,
      applied: () => this.replica.applied,
      frozen: () => this.frozen,
      cluster: () => this.cluster,
      wallSeconds: (now) => WALL_START + Math.floor(now / 1000),
      log: this.log,
      samples: () => this.samples,
      callMs: () => CALL_MS,
      nextId: () => bench.nextId(),
      propose: (tag, transaction) => void bench.propose({ from: this, tag, transaction }),
      withdraw: (tag) => bench.withdraw(this, tag),
      unlock: (path, version) => this.unlocks.push({ path, version }),
      say: (text, because) => {
        this.sayings.push(text);
        this.codes.add(because?.code ?? "");
      },
    }, bench.now);
    this.mount.tick(bench.now);
  }

  /** Sends a request; its answer comes now or later. */
  ask(node: number, call: FuseCall, caller = ROOT): number {
    const unique = this.#unique++ * 2;
    this.mount.request({ ...call, unique, node, caller } as FuseRequest, this.bench.now);
    this.drain();
    return unique;
  }

  /** Sends a request and, with `bench.auto`, commits what it proposed; its answer must be there. */
  call(node: number, call: FuseCall, caller = ROOT): FuseReply {
    const unique = this.ask(node, call, caller);
    if (this.bench.auto) this.bench.commitAll();
    const answer = this.answers.get(unique);
    assert.ok(answer, `"${call.call}" is not answered`);
    return answer;
  }

  drain(): void {
    this.courier.turn();
    for (const output of this.mount.take()) {
      if (output.output === "notice") this.notices.push(output.notice);
      else {
        const { unique } = output.request;
        assert.ok(!this.answers.has(unique), `request ${unique} is answered twice`);
        this.answers.set(unique, output.reply);
      }
    }
  }

  tick(): void {
    this.mount.tick(this.bench.now);
    this.drain();
  }

  /** Takes another node's tree as a whole, as from a snapshot. */
  adopt({ replica }: Seat): void {
    this.replica.restore(replica.state());
    this.mount.onReplaced(this.bench.now);
    this.courier.onApplied(null, null);
    this.mount.onFreed(null, this.bench.now);
    this.tick();
  }

  setFrozen(frozen: boolean): void {
    this.frozen = frozen ? "no majority of votes is present" : null;
    this.leader = frozen ? null : 9;
    this.tick();
  }

  /** The committed content of a file here, as text; null where there is none. */
  text(path: string): string | null {
    const row = this.replica.tree.find(path);
    return row === null ? null : new TextDecoder().decode(row.data);
  }
}

/** See the file's note. */
export class Bench {
  readonly spec: ClusterSpec;
  readonly seats: Seat[];
  readonly log: Proposal[] = [];
  /** Proposals that are not committed yet. */
  readonly waiting: Proposal[] = [];
  /** Commits at once, for tests to which the order is nothing. */
  auto = true;
  /** Whether proposals reach the leader; those that do not can be withdrawn. */
  reachable = true;
  now: Instant = instant(0);
  index = 0;
  #ids = 0;

  constructor(nodes = 1, limits?: TreeLimits) {
    this.spec = specOf(nodes, false);
    this.seats = Array.from({ length: nodes }, (_, at) => new Seat(this, at + 1, limits));
  }

  get first(): Seat {
    return this.seat(1);
  }

  seat(id: number): Seat {
    const seat = this.seats[id - 1];
    assert.ok(seat);
    return seat;
  }

  nextId() {
    return requestId((++this.#ids).toString(16).padStart(16, "0"));
  }

  propose(proposal: Proposal): boolean {
    this.waiting.push(proposal);
    return true;
  }

  withdraw(seat: Seat, tag: string): boolean {
    if (this.reachable) return false;
    const at = this.waiting.findIndex((each) => each.from === seat && each.tag === tag);
    if (at < 0) return false;
    this.waiting.splice(at, 1);
    return true;
  }

  /** Commits the proposal that waits longest; `order` is in which order nodes apply it. */
  commit(order = this.seats): void {
    const next = this.waiting.shift();
    assert.ok(next, "a proposal waits");
    this.index++;
    if (next.entry) return this.#applyEntry(next.entry, order);
    this.log.push(next);
    const { from, tag, transaction } = next;
    const writer = from?.id ?? 1;
    const entry: Entry = { kind: "transaction", writer, transaction };
    let outcome: Outcome | null = null;
    for (const seat of order) {
      const step = seat.replica.apply(this.index, entry);
      if (seat === from || from === null) outcome = step.outcome;
      const { request } = transaction;
      seat.mount.onApplied({ request, ...step }, this.now);
      seat.drain();
    }
    if (from !== null && outcome !== null) from.mount.onOutcome(tag, outcome, this.now);
    from?.drain();
  }

  /** Something that is no transaction comes into the log. */
  append(entry: Entry): void {
    this.waiting.unshift(entryOf(entry));
    this.commit();
  }

  #applyEntry(entry: Entry, order: readonly Seat[]): void {
    for (const seat of order) {
      const step = seat.replica.apply(this.index, entry);
      seat.mount.onApplied({ request: null, ...step }, this.now);
      if (step.locks !== null) {
        seat.courier.onApplied(entry.kind === "locks" ? entry : null, step.locks);
        seat.mount.onFreed(step.locks.freed, this.now);
      }
      seat.drain();
    }
  }

  commitAll(): void {
    for (let guard = 0; this.waiting.length > 0; guard++) {
      assert.ok(guard < 10_000, "proposals come to an end");
      this.commit();
    }
  }

  /** The leader (or who asks it) answers without anything coming into the log. */
  refuse(code: ProblemCode): void {
    const next = this.waiting.shift();
    assert.ok(next?.from, "a proposal waits");
    next.from.mount.onOutcome(next.tag, { ok: false, problem: problem(code, "test") }, this.now);
    next.from.drain();
  }

  /** Somebody changes the tree beside all mounts. */
  elsewhere(...operations: Operation[]): void {
    const transaction: Transaction = {
      ...{ request: this.nextId(), base: this.index, expect: [], operations },
      ...{ author: "test", reason: "", time: WALL_START },
    };
    this.waiting.unshift({ from: null, tag: "", transaction });
    this.commit();
  }

  pass(ms: number): void {
    this.now = instant(this.now + ms);
    for (const seat of this.seats) seat.tick();
  }
}

function entryOf(entry: Entry): Proposal {
  const transaction: Transaction = {
    ...{ request: requestId("f".repeat(16)), base: 0, expect: [], operations: [] },
    ...{ author: "", reason: "", time: 0 },
  };
  return { from: null, tag: "", transaction, entry };
}

/** An error by its name, anything else is `ok`. */
export function word(reply: FuseReply | undefined): string {
  return reply === undefined ? "waits" : reply.reply === "error" ? reply.errno : "ok";
}
