/**
 * A running member: the node's runtime over Linux's ports, and the questions that the API asks of
 * it. Requests become events of the node, and their outcomes come back as facts with our tag.
 *
 * @module
 */
import { assert } from "../base/assert.ts";
import { toHex } from "../base/bytes.ts";
import { nameOf } from "../base/cluster.ts";
import { type NodeId, nodeId, requestId } from "../base/id.ts";
import { ProblemError } from "../base/problem.ts";
import type { VerifyReport } from "../base/verify_report.ts";
import { timingOf } from "../base/timing.ts";
import type { ChangeAsk, TreeEntry } from "../api/running_node.ts";
import type { NodeRuntime } from "../runtime/mod.ts";
import type { Fact, Outcome, Request, SpecChange, Tag, Transaction } from "../streams.ts";

/** Requests of the API that may wait at once. */
const WAITING_MAX = 1024;

/** A database at its bounds is read back in less, on a slow disk too. */
const VERIFY_MS = 10 * 60_000;

/** One that waits. */
interface Waiting {
  readonly done: (fact: Fact) => void;
  readonly late: (why: ProblemError) => void;
  /** By performance.now(). */
  readonly until: number;
}

/** How often those that wait are looked through for one that waits too long. */
const LOOK_MS = 1000;

/** Asks the runtime on behalf of the API. */
export class Member {
  readonly #runtime: NodeRuntime;
  readonly #onReboot: () => void;
  readonly #waiting = new Map<Tag, Waiting>();
  #next = 1;
  #looking: ReturnType<typeof setTimeout> | undefined;

  /** `onReboot`: the host is to begin anew. */
  constructor(runtime: NodeRuntime, onReboot: () => void) {
    this.#runtime = runtime;
    this.#onReboot = onReboot;
  }

  /** The runtime tells every fact here. */
  onFact(fact: Fact): void {
    if (fact.fact === "ha.reboot") return this.#onReboot();
    if (!("tag" in fact)) return;
    const waiting = this.#waiting.get(fact.tag);
    if (waiting === undefined) return;
    this.#waiting.delete(fact.tag);
    waiting.done(fact);
  }

  /** Ends all that still wait: the node stops. */
  stop(): void {
    const outcome: Outcome = {
      ok: false,
      problem: { code: "config.unknown-outcome", why: "the daemon stops" },
    };
    for (const [tag, { done }] of this.#waiting) done({ fact: "config.outcome", tag, outcome });
    this.#waiting.clear();
    clearTimeout(this.#looking);
  }

  /** Proposes a transaction and waits for its outcome. */
  async change(ask: ChangeAsk): Promise<Outcome> {
    const core = this.#runtime.node;
    const self = nameOf(this.#runtime.spec, this.#runtime.self);
    const transaction: Transaction = {
      request: requestId(ask.request ?? toHex(crypto.getRandomValues(new Uint8Array(8)))),
      base: core.config.applied,
      expect: ask.expect,
      operations: ask.operations,
      author: `${ask.author}@${self}`,
      reason: ask.reason,
      time: Math.floor(Date.now() / 1000),
    };
    return await this.#outcome((tag) => ({ request: "config.propose", tag, transaction }));
  }

  /** Changes the cluster description and waits for its outcome. */
  async changeSpec(change: SpecChange): Promise<void> {
    const outcome = await this.#outcome((tag) => ({ request: "config.change-spec", tag, change }));
    if (!outcome.ok) throw new ProblemError(outcome.problem.code, outcome.problem.why);
  }

  /** Waits until this node has applied all that was committed before. */
  async barrier(): Promise<void> {
    const fact = await this.ask((tag) => ({ request: "config.barrier", tag }));
    if (fact.fact === "config.barrier" && fact.ok) return;
    throw new ProblemError("config.no-quorum", "no majority confirmed the read");
  }

  /** Reads back everything that is on the disk. */
  async verify(): Promise<VerifyReport> {
    const fact = await this.ask((tag) => ({ request: "config.verify", tag }), VERIFY_MS);
    assert(fact.fact === "config.verified", "A report answers a verification");
    if (fact.report === null) throw new ProblemError("api.busy", "the database is busy or ends");
    return fact.report;
  }

  /** A person vouches that a node is dead, a member or a former one (by name or number). */
  confirmDead(name: string): void {
    const node = this.#formerOf(name) ?? this.idOf(name);
    this.#runtime.request({ request: "ha.confirm-dead", tag: this.#tag(), node });
  }

  /** The id of a member by its name. */
  idOf(name: string): NodeId {
    const member = this.#runtime.spec.members.find((each) => each.name === name);
    if (member !== undefined) return nodeId(member.id);
    const names = this.#runtime.spec.members.map((each) => each.name).join(", ");
    throw new ProblemError("ha.no-such-node", `"${name}" is none of ${names}`);
  }

  /** The id of a node that is no member and may run something still. */
  #formerOf(name: string): NodeId | null {
    const { spec, node } = this.#runtime;
    if (spec.members.some((each) => each.name === name)) return null;
    const { out, nodes } = node.ha.view();
    const known = [...out, ...nodes.map((each) => ({ node: each.node, name: "" }))];
    const found = known.find((each) => each.name === name) ??
      known.find((each) => String(each.node) === name);
    return found?.node ?? null;
  }

  entry(path: string): TreeEntry | null {
    const found = this.#runtime.node.config.stat(path);
    if (found === null) return null;
    return { ...found, path, writer: nameOf(this.#runtime.spec, found.writer) };
  }

  list(path: string): readonly TreeEntry[] | null {
    const found = this.#runtime.node.config.list(path);
    return found && found.map((entry) => ({
      ...entry,
      writer: nameOf(this.#runtime.spec, entry.writer),
    }));
  }

  async #outcome(make: (tag: Tag) => Request): Promise<Outcome> {
    const fact = await this.ask(make);
    assert(fact.fact === "config.outcome", "An outcome answers a proposal");
    return fact.outcome;
  }

  /** Asks the streams, and waits for the fact that carries the request's tag. */
  ask(make: (tag: Tag) => Request, longMs?: number): Promise<Fact> {
    if (this.#waiting.size >= WAITING_MAX) {
      throw new ProblemError("api.busy", `${WAITING_MAX} requests wait already`);
    }
    const tag = this.#tag();
    // The streams answer within proposeMs; this is for a bug, so that no caller hangs for ever.
    const limitMs = longMs ?? 2 * timingOf(this.#runtime.spec.profile).proposeMs;
    return new Promise((done, late) => {
      this.#waiting.set(tag, { done, late, until: performance.now() + limitMs });
      this.#looking ??= setTimeout(() => this.#look(), LOOK_MS);
      this.#runtime.request(make(tag));
    });
  }

  /** One timer for all: as a rule it finds nobody. */
  #look(): void {
    const now = performance.now();
    for (const [tag, { late, until }] of this.#waiting) {
      if (now < until) continue;
      this.#waiting.delete(tag);
      late(new ProblemError("node.timeout", "no answer in time"));
    }
    const more = this.#waiting.size > 0;
    this.#looking = more ? setTimeout(() => this.#look(), LOOK_MS) : undefined;
  }

  #tag(): Tag {
    return `api:${this.#next++}`;
  }
}
