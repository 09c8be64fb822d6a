/**
 * A few HaCores on one desk around one true tree: proposals wait as letters until the test puts them
 * into the log, and what "runs" is a set per node. Only stream 3; what the others would tell it is
 * said by the desk: a node is either in touch with a majority or cut off from everybody.
 *
 * @module
 */
import assert from "node:assert/strict";
import type { ClusterSpec, Member } from "../../mod/base/cluster.ts";
import { encodeText } from "../../mod/base/bytes.ts";
import { bootId, clusterId, type NodeId, nodeId, requestId } from "../../mod/base/id.ts";
import type { ResourceId } from "../../mod/base/id.ts";
import { reason } from "../../mod/base/reason.ts";
import { EPOCH, type Instant, instant } from "../../mod/base/time.ts";
import { timingOf } from "../../mod/base/timing.ts";
import { Tree } from "../../mod/config/tree.ts";
import { HaCore, type HaEffect, type HaEvent } from "../../mod/ha/mod.ts";
import type { FailureScope } from "../../mod/host/ports.ts";
import type { Change, Fact, Operation, Outcome, Transaction } from "../../mod/streams.ts";

export const TIMING = timingOf("fast");

export function specOf(nodes: number): ClusterSpec {
  const members = Array.from({ length: nodes }, (_, at): Member => ({
    id: nodeId(at + 1),
    name: `node${"ABCDEFGH".charAt(at)}`,
    role: "voter",
    votes: 1,
    links: [`127.0.0.${at + 1}:1`],
    peer: `127.0.0.${at + 1}:2`,
  }));
  const id = clusterId("0".repeat(32));
  return { id, name: "test", profile: "fast", members, witness: null };
}

/** A proposal on its way to the leader. */
export interface Letter {
  readonly from: DeskNode;
  readonly tag: string;
  readonly transaction: Transaction;
}

/** One life of one node. */
export class DeskNode {
  readonly id: NodeId;
  readonly name: string;
  readonly lives: number;
  core: HaCore;
  /** In touch with the others. */
  joined = true;
  /** Log entries that it has applied. */
  applied = 0;
  /** Stops do not end. */
  holdStops = false;
  /** Migrations do not end, at either end of them. */
  holdMoves = false;
  /** Starts do not end. */
  holdStarts = false;
  watchdog: string | null = "softdog";
  /** What outlives a daemon: the resources, and until when the keeper lets them run. */
  readonly running: Set<ResourceId>;
  readonly keeper: { until: Instant };
  /** Stops that have not ended. */
  readonly stopping = new Map<number, ResourceId>();
  /** Machines whose memory is on its way. */
  readonly moving = new Map<number, ResourceId>();
  /** Starts that have not ended. */
  readonly starting = new Map<number, ResourceId>();
  readonly effects: HaEffect[] = [];

  constructor(spec: ClusterSpec, life: Pick<DeskNode, "id" | "lives" | "running" | "keeper">) {
    this.id = life.id;
    this.lives = life.lives;
    this.running = life.running;
    this.keeper = life.keeper;
    this.name = spec.members.find((member) => member.id === life.id)?.name ?? "?";
    this.core = new HaCore({
      self: life.id,
      boot: this.boot,
      spec,
      seed: 1,
      wallAtStart: 0,
      startedAt: instant(0),
    }, instant(0));
  }

  get boot() {
    return bootId(this.id.toString(16).padStart(8, "0") + this.lives.toString(16).padStart(8, "0"));
  }

  /** Kinds of the effects since the last call. */
  take(): HaEffect[] {
    return this.effects.splice(0);
  }
}

/** See the module's note. */
export class Desk {
  readonly spec: ClusterSpec;
  readonly nodes: DeskNode[];
  readonly letters: Letter[] = [];
  readonly log: (readonly Change[])[] = [];
  /** Where a resource was on two nodes at once: the promise was broken. */
  readonly broken: string[] = [];
  leader: NodeId = nodeId(1);
  now = 10_000;
  readonly #queue: { readonly node: DeskNode; readonly event: HaEvent }[] = [];
  readonly #tree = new Tree([]);
  readonly #heard = new Map<NodeId, number>();
  #requests = 0;

  constructor(count: number) {
    this.spec = specOf(count);
    this.nodes = this.spec.members.map(({ id }) =>
      new DeskNode(this.spec, { id, lives: 1, running: new Set(), keeper: { until: EPOCH } })
    );
  }

  node(at: number): DeskNode {
    const node = this.nodes[at];
    assert.ok(node);
    return node;
  }

  /** The daemon dies and begins anew; what it ran runs on. */
  restart(at: number): DeskNode {
    const { id, lives, running, keeper } = this.node(at);
    const node = new DeskNode(this.spec, { id, lives: lives + 1, running, keeper });
    this.nodes[at] = node;
    return node;
  }

  /** Lets time pass, a beat at a time; `commit` false keeps letters where they are. */
  run(ms: number, commit = true): void {
    for (const end = this.now + ms; this.now < end;) {
      this.now += TIMING.beatMs;
      for (const node of this.nodes) if (node.joined) this.#heard.set(node.id, this.now);
      for (const node of this.nodes) this.#beat(node);
      if (commit) this.settle();
    }
  }

  /** Puts every letter of a joined node into the log, and what comes of that, until nobody writes. */
  settle(): void {
    for (let round = 0; round < 100; round++) {
      for (const node of this.nodes) if (node.joined) this.apply(node);
      const at = this.letters.findIndex(({ from }) => from.joined && this.nodes.includes(from));
      const [letter] = at < 0 ? [] : this.letters.splice(at, 1);
      if (letter === undefined) return;
      this.commit(letter);
    }
    assert.fail("the manager writes without end");
  }

  /** Puts one letter into the log; its sender hears the outcome if it still lives and is joined. */
  commit({ from, tag, transaction }: Letter): Outcome {
    const outcome = this.#append(transaction, from.id);
    if (from.joined && this.nodes.includes(from)) {
      this.fact(from, { fact: "config.outcome", tag, outcome });
    }
    return outcome;
  }

  /** Takes the oldest letter of a node out of the post. */
  intercept(node: DeskNode): Letter {
    const at = this.letters.findIndex(({ from }) => from === node);
    const [letter] = at < 0 ? [] : this.letters.splice(at, 1);
    assert.ok(letter, `${node.name} wrote`);
    return letter;
  }

  /** Lets a node apply all of the log. */
  apply(node: DeskNode): void {
    while (node.applied < this.log.length) {
      const changes = this.log[node.applied++] ?? [];
      const index = node.applied;
      this.fact(node, { fact: "config.applied", index, whole: false, changes });
    }
  }

  fact(node: DeskNode, fact: Fact): void {
    this.feed(node, { kind: "fact", fact });
  }

  /** Feeds an event and all that comes of it, in order. */
  feed(node: DeskNode, event: HaEvent): void {
    this.#queue.push({ node, event });
    if (this.#queue.length > 1) return;
    for (let next = this.#queue[0]; next !== undefined; next = this.#queue[0]) {
      for (const effect of next.node.core.step(next.event, instant(this.now))) {
        next.node.effects.push(effect);
        this.#perform(next.node, effect);
      }
      this.#queue.shift();
    }
  }

  /** The starts under way end, with this failure or none. */
  endStarts(
    node: DeskNode,
    { failure = null, scope }: { failure?: string | null; scope?: FailureScope } = {},
  ): void {
    for (const [tag, id] of [...node.starting]) {
      node.starting.delete(tag);
      if (failure !== null) node.running.delete(id);
      this.feed(node, { kind: "done", tag, failure, ...(scope && { scope }) });
    }
  }

  /** The hand-overs under way end, with this failure or none: then the machine halted. */
  endMoves(node: DeskNode, failure: string | null = null): void {
    for (const [tag, id] of [...node.moving]) {
      node.moving.delete(tag);
      if (failure === null) node.running.delete(id);
      this.feed(node, { kind: "done", tag, failure });
    }
  }

  /** The stops under way end, with this failure or none. */
  endStops(node: DeskNode, failure: string | null = null): void {
    for (const [tag, id] of node.stopping) {
      node.stopping.delete(tag);
      if (failure === null) node.running.delete(id);
      this.feed(node, { kind: "done", tag, failure });
    }
  }

  /** An administrator writes a file, or with null removes it. */
  write(path: string, text: string | null): void {
    const exists = this.#tree.find(path) !== null;
    const operations: Operation[] = [];
    if (text === null) operations.push({ op: "remove", path });
    else {
      const names = path.split("/");
      for (const place of names.keys()) {
        const parent = names.slice(0, place).join("/");
        if (place > 0 && this.#tree.find(parent) === null) {
          operations.push({ op: "mkdir", path: parent });
        }
      }
      operations.push(exists ? { op: "truncate", path, size: 0 } : { op: "create", path });
      operations.push({ op: "write", path, offset: 0, data: encodeText(text) });
    }
    const request = requestId((++this.#requests).toString(16).padStart(16, "0"));
    const body = { base: this.log.length, expect: [], author: "root", reason: "", time: 0 };
    const outcome = this.#append({ request, operations, ...body }, this.leader);
    assert.ok(outcome.ok);
  }

  /** Is there such a file? */
  has(path: string): boolean {
    return this.#tree.find(path) !== null;
  }

  /** An administrator removes what the manager decided. */
  forget(): void {
    if (this.#tree.find("ha/manager_status") !== null) this.write("ha/manager_status", null);
  }

  /** Defines `exec:web` with these further properties, each `key value`. */
  define(...properties: string[]): void {
    const lines = ["command /bin/web", ...properties].map((line) => `\t${line}\n`);
    this.write("ha/resources.cfg", `exec: web\n${lines.join("")}`);
  }

  #append(transaction: Transaction, writer: NodeId): Outcome {
    const index = this.log.length + 1;
    const result = this.#tree.apply(transaction, { index, writer });
    this.log.push("code" in result ? [] : result.changes);
    return "code" in result ? { ok: false, problem: result } : { ok: true, index, crc32: 0 };
  }

  #beat(node: DeskNode): void {
    // The keeper acts, whatever the daemon does.
    if (this.now >= node.keeper.until) node.running.clear();
    if (!node.joined) return;
    const others = this.spec.members.filter(({ id }) => id !== node.id);
    for (const { id } of others) {
      const other = this.nodes.find((each) => each.id === id);
      const lastHeard = instant(this.#heard.get(id) ?? 0);
      const silent = this.now - lastHeard;
      const state = silent === 0 ? "online" : silent >= TIMING.deadMs ? "down" : "isolated";
      const vouched = instant(this.now);
      const boot = other?.boot ?? null;
      const health = { node: id, state, boot, lastHeard, vouched, vitals: null } as const;
      const because = reason("heartbeat.heard", { node: node.name, links: 1, all: 1 });
      this.fact(node, { fact: "heartbeat.member", health, because });
    }
    const online = this.nodes.filter((each) => each.joined).map((each) => each.id);
    const [present, needed] = [online.length, Math.floor(this.nodes.length / 2) + 1];
    const because = reason("heartbeat.view", {
      ...{ epoch: 1, members: "", present, expected: this.nodes.length, needed },
    });
    const votes = { present, expected: this.nodes.length, needed, quorate: present >= needed };
    const view = { epoch: 1, online, installed: true, ...votes };
    this.fact(node, { fact: "heartbeat.view", view, because });
    const at = { term: 1, committed: this.log.length, applied: node.applied, crc32: 0 };
    const leads = { leader: this.leader, writable: node.id === this.leader };
    this.fact(node, { fact: "config.position", position: { ...at, ...leads }, because });
    if (!votes.quorate) return;
    this.fact(node, { fact: "heartbeat.proof", provenAt: instant(this.now) });
    this.feed(node, { kind: "tick" });
  }

  #perform(node: DeskNode, effect: HaEffect): void {
    const done = (tag: number) => this.feed(node, { kind: "done", tag, failure: null });
    switch (effect.kind) {
      case "ask":
        if (effect.request.request === "config.propose") {
          const { tag, transaction } = effect.request;
          this.letters.push({ from: node, tag, transaction });
        } else if (effect.request.request === "config.barrier" && node.joined) {
          const { tag } = effect.request;
          this.apply(node);
          this.fact(node, { fact: "config.barrier", tag, ok: true, index: this.log.length });
        }
        return;
      case "frame": {
        const to = this.nodes.find(({ id }) => id === effect.to);
        if (!node.joined || !to?.joined) return;
        return this.feed(to, { kind: "frame", from: node.id, bytes: effect.bytes });
      }
      case "list":
        return this.feed(node, { kind: "listed", running: [...node.running] });
      case "sample":
        return this.feed(node, { kind: "sampled", load: 0, memory: 0, ioDelay: 0 });
      case "start": {
        const { id } = effect.spec;
        node.running.add(id);
        const where = this.nodes.filter((each) => each.running.has(id)).map((each) => each.name);
        if (where.length > 1) this.broken.push(`${id} runs on ${where.join(" and ")}`);
        if (!node.holdStarts) return done(effect.tag);
        node.starting.set(effect.tag, id);
        return;
      }
      case "receive": {
        const arrival = { port: 7, build: 1 };
        if (node.holdMoves) return;
        return this.feed(node, { kind: "done", tag: effect.tag, failure: null, arrival });
      }
      case "hand-over":
        node.moving.set(effect.tag, effect.id);
        return node.holdMoves ? undefined : this.endMoves(node);
      case "resume": {
        const { id } = effect.spec;
        const where = this.nodes.filter((each) => each.running.has(id)).map((each) => each.name);
        if (where.length > 0) this.broken.push(`${id} goes on while it runs on ${where}`);
        node.running.add(id);
        return done(effect.tag);
      }
      case "stop":
        node.stopping.set(effect.tag, effect.id);
        return node.holdStops ? undefined : this.endStops(node);
      case "monitor":
        return this.feed(node, {
          kind: "monitored",
          tag: effect.tag,
          health: node.running.has(effect.spec.id) ? { state: "running" } : { state: "stopped" },
        });
      case "kill-all":
        node.running.clear();
        this.endStops(node);
        return done(effect.tag);
      case "guard-until":
        node.keeper.until = effect.until;
        return;
      case "watchdog-open":
        return this.feed(node, { kind: "watchdog", identity: node.watchdog });
      default:
        return;
    }
  }
}
