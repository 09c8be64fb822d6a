/**
 * A few ConfigCores on one desk: messages are lost, delayed and reordered, nodes crash and lose what
 * was not durable. Only stream 2: the register and the view are given to it by hand.
 */
import assert from "node:assert/strict";
import type { ClusterSpec, Member } from "../../mod/base/cluster.ts";
import { clusterId, type NodeId, nodeId, requestId } from "../../mod/base/id.ts";
import { Prng } from "../../mod/base/prng.ts";
import { reason } from "../../mod/base/reason.ts";
import { instant } from "../../mod/base/time.ts";
import {
  ConfigCore,
  type ConfigEffect,
  type ConfigEvent,
  type ConfigLimits,
} from "../../mod/config/mod.ts";
import type {
  DatabaseBatch,
  DatabaseContent,
  HistoryRecord,
  StoredRow,
} from "../../mod/host/ports.ts";
import type { VerifyReport } from "../../mod/base/verify_report.ts";
import type { Fact, Outcome, Request, Transaction, WitnessRegister } from "../../mod/streams.ts";

export function specOf(nodes: number, witness: boolean): ClusterSpec {
  const members = Array.from({ length: nodes }, (_, at): Member => ({
    id: nodeId(at + 1),
    name: `node${at + 1}`,
    role: "voter",
    votes: 1,
    links: [`127.0.0.${at + 1}:1`],
    peer: `127.0.0.${at + 1}:2`,
  }));
  const id = clusterId("0".repeat(32));
  const disk = witness ? { disk: "1".repeat(32) } : null;
  return { id, name: "test", profile: "fast", members, witness: disk };
}

/** What the database of a new node holds. */
export const EMPTY: DatabaseContent = {
  term: 0,
  vote: 0,
  diverged: false,
  base: { index: 0, term: 0, chain: 0 },
  spec: null,
  entries: [],
  applied: { index: 0, term: 0, stateCrc: 0 },
  rows: [],
  requests: [],
  locks: [],
  recovery: null,
  sealed: null,
};

/** What the disk of one node holds. */
export class FakeDatabase {
  content: DatabaseContent = EMPTY;
  /** What a verification finds, until a state is installed; null: all is well. */
  rot: string | null = null;
  /** The same for ever: the disk is at fault. */
  bad: string | null = null;
  /** How often it was verified. */
  verified = 0;
  /** Snapshots that were installed. */
  installs = 0;
  /** In log order. */
  history: readonly HistoryRecord[] = [];

  verify(): VerifyReport {
    this.verified++;
    const { content: { applied } } = this;
    const rot = this.bad ?? this.rot;
    const damaged = rot === null ? [] : [{ part: "tree", at: 1, why: rot } as const];
    const rows = { log: 0, tree: 0, locks: 0, requests: 0, history: 0 };
    return { rows, applied: applied.index, damaged, count: damaged.length };
  }

  write(batch: DatabaseBatch): void {
    const { hardState, truncateFrom, compact, install } = batch;
    let { entries, base, spec, ...rest } = this.content;
    if (hardState) rest = { ...rest, ...hardState };
    if (batch.recovery !== undefined) rest = { ...rest, recovery: batch.recovery };
    if (batch.sealed) rest = { ...rest, sealed: batch.sealed };
    if (truncateFrom !== undefined) entries = entries.filter(({ index }) => index < truncateFrom);
    if (batch.entries) {
      const [first] = batch.entries;
      entries = [...entries.filter(({ index }) => index < (first?.index ?? Infinity))];
      entries = [...entries, ...batch.entries];
    }
    if (batch.applied) {
      rest = { ...rest, ...appliedTo(rest, batch.applied) };
      const added = batch.applied.history.map((each): HistoryRecord => {
        const entry = entries.find(({ index }) => index === each.index);
        return { ...each, body: entry?.body ?? new Uint8Array(0) };
      });
      this.history = [...this.history, ...added];
    }
    if (compact) ({ base, spec } = compact);
    if (install) {
      this.installs++;
      this.rot = null;
      ({ base, spec } = install);
      const { stateCrc, rows, requests, locks, keepLog } = install;
      if (!keepLog) entries = [];
      const applied = { index: base.index, term: base.term, stateCrc };
      rest = { ...rest, applied, rows, requests, locks };
    }
    entries = entries.filter(({ index }) => index > base.index);
    entries.forEach(({ index }, at) => assert.equal(index, base.index + at + 1));
    assert.ok(rest.applied.index >= base.index, "only what is applied is compacted");
    this.content = { ...rest, base, spec, entries };
  }
}

function appliedTo(
  { rows, requests, locks }: Pick<DatabaseContent, "rows" | "requests" | "locks">,
  applied: NonNullable<DatabaseBatch["applied"]>,
): Pick<DatabaseContent, "rows" | "requests" | "locks" | "applied"> {
  const map = new Map<number, StoredRow>(rows.map((row) => [row.ino, row]));
  for (const ino of applied.removed) map.delete(ino);
  for (const row of applied.rows) map.set(row.ino, row);
  const known = [...requests, ...applied.history].filter(({ index }) => index > applied.forget);
  const { index, term, stateCrc } = applied;
  const byKey = new Map([...locks, ...applied.locks ?? []].map((each) => [each.key, each]));
  const kept = [...byKey.values()].filter(({ body }) => body.length > 0);
  const state = { rows: [...map.values()], requests: known, locks: kept };
  return { ...state, applied: { index, term, stateCrc } };
}

export interface Node {
  readonly id: NodeId;
  readonly database: FakeDatabase;
  core: ConfigCore | null;
  /** Effects held back by a persist that is not durable yet. */
  held: ConfigEffect[];
  life: number;
}

interface Due {
  readonly at: number;
  readonly seq: number;
  readonly run: () => void;
}

export class Desk {
  readonly prng: Prng;
  readonly nodes: Node[];
  readonly outcomes = new Map<string, Outcome>();
  /** Codes of all reasons that were said. */
  readonly codes = new Set<string>();
  readonly barriers = new Map<string, { ok: boolean; index: number }>();
  readonly leaders = new Map<number, NodeId>();
  readonly facts: { node: NodeId; fact: Fact }[] = [];
  /** Committed chain by index, as the first node that committed it had it. */
  readonly chains = new Map<number, number>();
  readonly spec: ClusterSpec;
  register: WitnessRegister;
  witnessHolder: NodeId | null = null;
  loss = 0;
  /** Two halves were forced apart: they are two clusters, and need not agree. */
  divided = false;
  delayMs = 5;
  now = 1000;
  cut = new Set<string>();
  /** What a node's mount tells its kernel. */
  onFuse: (node: NodeId, bytes: Uint8Array) => void = () => {};
  /** Nodes that are started from now on keep so much of their log. */
  limits: ConfigLimits | null = null;
  /** The test makes replicas differ. */
  mayDiverge = false;
  #due: Due[] = [];
  #seq = 0;

  constructor(seed: number, spec: ClusterSpec, running = spec.members.length) {
    this.prng = new Prng(seed);
    this.spec = spec;
    this.register = {
      ...{ version: 1, term: 0, vote: null, subterm: 0 },
      ...{ set: [nodeId(1)], lastTerm: 0, lastIndex: 0 },
    };
    this.nodes = spec.members.map(({ id }) => {
      return { id, database: new FakeDatabase(), core: null, held: [], life: 0 };
    });
    for (const node of this.nodes.slice(0, running)) this.start(node);
  }

  node(id: number): Node {
    const node = this.nodes.find((each) => each.id === id);
    assert.ok(node);
    return node;
  }

  /** A machine that is not a member yet. */
  newNode(id: number): Node {
    const node = { id: nodeId(id), database: new FakeDatabase(), core: null, held: [], life: 0 };
    this.nodes.push(node);
    return node;
  }

  start(node: Node, spec = this.spec): void {
    node.life++;
    const stored = node.database.content;
    node.core = new ConfigCore(
      {
        ...{ self: node.id, spec, stored, seed: this.prng.u32() },
        ...(this.limits && { limits: this.limits }),
      },
      instant(this.now),
    );
    this.feed(node, { kind: "tick" });
  }

  /** Everything that was not durable is lost. */
  crash(node: Node): void {
    node.life++;
    node.core = null;
    node.held = [];
    if (this.witnessHolder === node.id) this.witnessHolder = null;
  }

  feed(node: Node, event: ConfigEvent): void {
    if (node.core === null) return;
    const effects = node.core.step(event, instant(this.now));
    for (const effect of effects) this.#perform(node, effect);
    this.#check(node);
  }

  at(ms: number, run: () => void): void {
    this.#due.push({ at: this.now + ms, seq: this.#seq++, run });
  }

  /** Lets virtual time pass. */
  run(ms: number): void {
    const end = this.now + ms;
    for (;;) {
      this.#due.sort((a, b) => a.at - b.at || a.seq - b.seq);
      const deadlines = this.nodes.flatMap((node) =>
        node.core === null ? [] : [{ node, at: Math.max(this.now, node.core.deadline()) }]
      ).sort((a, b) => a.at - b.at);
      const due = this.#due[0];
      const tick = deadlines[0];
      const next = Math.min(due?.at ?? Infinity, tick?.at ?? Infinity);
      if (next > end) break;
      this.now = next;
      if (due !== undefined && due.at <= next) {
        this.#due.shift();
        due.run();
      } else if (tick !== undefined) {
        const before = tick.node.core?.deadline();
        this.feed(tick.node, { kind: "tick" });
        // A core that wants to be ticked at once for ever would hang the world.
        if (tick.node.core?.deadline() === before) this.now += 0.1;
      }
    }
    this.now = end;
  }

  until(wanted: () => boolean, limitMs = 20_000): void {
    for (let waited = 0; !wanted(); waited += 10) {
      assert.ok(waited < limitMs, `not settled after ${limitMs} ms`);
      this.run(10);
    }
  }

  leader(): Node | undefined {
    const leading = this.nodes.filter((node) => node.core?.view().role === "leader");
    return leading.sort((a, b) => (b.core?.view().term ?? 0) - (a.core?.view().term ?? 0))[0];
  }

  propose(node: Node, number: number, path = `f${number}`): string {
    const tag = `t${number}.${this.#seq++}`;
    const transaction: Transaction = {
      request: requestId(number.toString(16).padStart(16, "0")),
      base: 0,
      expect: [],
      operations: [{ op: "create", path }],
      author: "test",
      reason: "",
      time: 1,
    };
    this.feed(node, {
      kind: "request",
      request: { request: "config.propose", tag, transaction },
    });
    return tag;
  }

  /** Gives the witness vote to a node, as the judgement on the disk would. */
  giveWitness(id: number | null): void {
    const holder = this.witnessHolder;
    this.witnessHolder = id === null ? null : nodeId(id);
    const because = reason("storage.claim-alone");
    const tell = (node: number, held: boolean) => {
      const fact = {
        fact: "storage.witness",
        held,
        register: held ? this.register : null,
      } as const;
      this.feed(this.node(node), { kind: "fact", fact: { ...fact, because } });
    };
    if (holder !== null && holder !== id) tell(holder, false);
    if (id !== null) tell(id, true);
  }

  #perform(node: Node, effect: ConfigEffect): void {
    if (effect.kind === "tell") return this.#heard(node, effect.fact);
    if (effect.kind === "ask") return this.#asked(node, effect.request);
    if (effect.kind === "say") return void this.codes.add(effect.saying.because?.code ?? "");
    if (effect.kind === "fuse-reply" || effect.kind === "fuse-notice") {
      return this.onFuse(node.id, effect.bytes);
    }
    if (effect.kind === "verify") return this.#verify(node);
    const blocked = node.held.length > 0;
    const eager = effect.kind === "frame" && effect.eager;
    if (effect.kind === "persist" && effect.lazy && !blocked) {
      node.database.write(effect.batch);
      this.at(0, () => this.feed(node, { kind: "persisted", upTo: effect.number }));
      return;
    }
    if (eager || (!blocked && effect.kind === "frame")) return this.#send(node, effect);
    node.held.push(effect);
    if (!blocked) this.#sync(node);
  }

  #verify(node: Node): void {
    const { life } = node;
    this.at(20, () => {
      const report = node.database.verify();
      if (node.life === life) this.feed(node, { kind: "verified", report });
    });
  }

  #sync(node: Node): void {
    const { life } = node;
    this.at(1 + this.prng.fraction() * this.delayMs, () => {
      if (node.life !== life || node.core === null) return;
      let upTo = 0;
      const held = node.held;
      node.held = [];
      for (const effect of held) {
        if (effect.kind !== "persist") continue;
        node.database.write(effect.batch);
        upTo = effect.number;
      }
      for (const effect of held) if (effect.kind === "frame") this.#send(node, effect);
      this.feed(node, { kind: "persisted", upTo });
    });
  }

  #send(from: Node, { to, bytes }: Extract<ConfigEffect, { kind: "frame" }>): void {
    const target = this.nodes.find((each) => each.id === to);
    if (target === undefined || this.prng.chance(this.loss)) return;
    const copy = bytes.slice();
    this.at(0.1 + this.prng.fraction() * this.delayMs, () => {
      if (this.cut.has(`${from.id}-${to}`)) return;
      this.feed(target, { kind: "frame", from: from.id, bytes: copy });
    });
  }

  #heard(node: Node, fact: Fact): void {
    this.facts.push({ node: node.id, fact });
    if (fact.fact === "config.outcome") this.outcomes.set(fact.tag, fact.outcome);
    if (fact.fact === "config.barrier") this.barriers.set(fact.tag, fact);
    if (!this.mayDiverge) assert.notEqual(fact.fact, "config.diverged");
  }

  #asked(node: Node, request: Request): void {
    if (request.request !== "storage.swap") return;
    const { tag, expect, held, register } = request;
    const { life } = node;
    this.at(this.prng.fraction() * this.delayMs, () => {
      const may = !held || this.witnessHolder === node.id;
      const ok = may && this.register.version === expect;
      if (ok) {
        assert.equal(register.version, expect + 1);
        this.register = register;
      }
      if (node.life !== life) return;
      const fact: Fact = { fact: "storage.swapped", tag, ok, register: may ? this.register : null };
      this.feed(node, { kind: "fact", fact });
    });
  }

  /** One leader per term; committed prefixes equal. */
  #check(node: Node): void {
    const view = node.core?.view();
    if (view === undefined || this.divided) return;
    if (view.role === "leader") {
      const before = this.leaders.get(view.term);
      assert.ok(before === undefined || before === node.id, `two leaders in term ${view.term}`);
      this.leaders.set(view.term, node.id);
    }
    const { committed: upTo, committedChain: chain } = view;
    const known = this.chains.get(upTo);
    if (known === undefined) this.chains.set(upTo, chain);
    else assert.equal(chain, known, `committed prefixes differ at ${upTo}`);
  }
}
