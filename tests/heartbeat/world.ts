/**
 * Heartbeat cores on a network in virtual time. Every packet takes one millisecond; what a test cuts
 * is dropped, and all that was sent is recorded, for those who want to send it again.
 *
 * @module
 */
import assert from "node:assert/strict";
import type { ClusterSpec, Member } from "../../mod/base/cluster.ts";
import { type BootId, bootId, clusterId, type NodeId, nodeId } from "../../mod/base/id.ts";
import { type Instant, instant } from "../../mod/base/time.ts";
import { timingOf } from "../../mod/base/timing.ts";
import { HeartbeatCore } from "../../mod/heartbeat/core.ts";
import type { HeartbeatEffect } from "../../mod/heartbeat/events.ts";
import type { Fact, HeartbeatFact, MemberHealth, View } from "../../mod/streams.ts";

/** Of all properties in this folder, so that a failure comes again. */
export const SEED = 20_260_101;
export const CLUSTER = clusterId("c0ffee00112233445566778899aabbcc");
export const CLUSTER_KEY = new Uint8Array(32).fill(7);
export const TIMING = timingOf("fast");
export const LATENCY_MS = 1;

/** A member with `links` addresses. */
export function member(id: number, links = 1, role: Member["role"] = "voter"): Member {
  return {
    ...{ id: nodeId(id), name: `node${id}`, role, votes: 1 },
    links: Array.from({ length: links }, (_, link) => `10.${link}.0.${id}:5405`),
    peer: `10.0.0.${id}:5406`,
  };
}

/** A cluster of `count` voters. */
export function cluster(count: number, links = 1, witness = false): ClusterSpec {
  return {
    ...{ id: CLUSTER, name: "test", profile: "fast" },
    members: Array.from({ length: count }, (_, at) => member(at + 1, links)),
    witness: witness ? { disk: "00112233445566778899aabbccddeeff" } : null,
  };
}

/** The nth life of a node. */
export function life(node: number, nth = 1): BootId {
  return bootId(`${node}${nth}`.padStart(8, "0") + "ab".repeat(4));
}

/** One datagram on its way. */
export interface Packet {
  readonly from: NodeId;
  readonly to: NodeId;
  readonly link: number;
  readonly bytes: Uint8Array;
  readonly sentAt: number;
}

/** One life of one node, and what it told. */
export class Node {
  readonly id: NodeId;
  readonly boot: BootId;
  readonly core: HeartbeatCore;
  readonly facts: (HeartbeatFact & { readonly at: number })[] = [];
  /** Its host stands still: no timer, no packet. What comes waits. */
  suspended = false;
  readonly waiting: Packet[] = [];

  constructor(id: number, nth: number, spec: ClusterSpec, now: Instant) {
    this.id = nodeId(id);
    this.boot = life(id, nth);
    const { profile } = spec;
    this.core = new HeartbeatCore(
      { self: this.id, boot: this.boot, clusterKey: CLUSTER_KEY, spec, profile },
      now,
    );
  }

  /** The newest that it told of a member. */
  health(of: number): MemberHealth {
    const found = this.facts.findLast((fact) =>
      fact.fact === "heartbeat.member" && fact.health.node === of
    );
    assert.ok(found?.fact === "heartbeat.member", `node ${this.id} told of node ${of}`);
    return found.health;
  }

  /** Silence of a member that a majority vouches for. */
  silence(of: number): number {
    const { vouched, lastHeard } = this.health(of);
    return vouched - lastHeard;
  }

  /** Codes of the reasons for what it told of a member, each once in a row. */
  reasons(of: number): string[] {
    const codes = this.facts.flatMap((fact) =>
      fact.fact === "heartbeat.member" && fact.health.node === of ? [fact.because.code] : []
    );
    return codes.filter((code, at) => code !== codes[at - 1]);
  }

  get view(): View {
    const found = this.facts.findLast((fact) => fact.fact === "heartbeat.view");
    assert.ok(found?.fact === "heartbeat.view", "there is a view");
    return found.view;
  }

  get provenAt(): number {
    const found = this.facts.findLast((fact) => fact.fact === "heartbeat.proof");
    return found?.fact === "heartbeat.proof" ? found.provenAt : -Infinity;
  }
}

/** See the module's note. */
export class World {
  readonly spec: ClusterSpec;
  readonly recorded: Packet[] = [];
  /** True for what gets lost. */
  lose: (packet: Packet) => boolean = () => false;
  now = 1000;
  readonly #nodes = new Map<number, Node>();
  #flying: (Packet & { readonly at: number })[] = [];

  constructor(spec: ClusterSpec) {
    this.spec = spec;
  }

  node(id: number): Node {
    const node = this.#nodes.get(id);
    assert.ok(node !== undefined, `node ${id} runs`);
    return node;
  }

  /** The life of a node that is not dead, if any. */
  running(id: number): Node | undefined {
    return this.#nodes.get(id);
  }

  /** Starts the nth life of a node. A second life replaces the first one, which is dead. */
  start(id: number, nth = 1): Node {
    const node = new Node(id, nth, this.spec, instant(this.now));
    this.#nodes.set(id, node);
    return node;
  }

  startAll(): this {
    for (const { id } of this.spec.members) this.start(id);
    return this;
  }

  kill(id: number): void {
    this.#nodes.delete(id);
  }

  /** Loses all that goes from one node to another, where `links` names it. */
  cut(...ways: readonly (readonly [from: number, to: number])[]): void {
    const before = this.lose;
    this.lose = (packet) =>
      before(packet) || ways.some(([from, to]) => packet.from === from && packet.to === to);
  }

  mend(): void {
    this.lose = () => false;
  }

  /** Brings packets to their addressee now. */
  inject(packets: readonly Packet[]): void {
    for (const packet of packets) this.#deliver(packet);
  }

  fact(id: number, fact: Fact): HeartbeatEffect[] {
    const node = this.node(id);
    return this.#take(node, node.core.step({ kind: "fact", fact }, instant(this.now)));
  }

  /** A pulse of `of` is read by `by`. */
  pulse(by: number, of: number, words: "none" | "clean-stop" = "none"): void {
    const [node, boot, seenAt] = [nodeId(of), life(of), instant(this.now)];
    this.fact(by, { fact: "storage.pulse", node, boot, seenAt, words, diskLocks: 0 });
  }

  /** Lets time pass. */
  run(ms: number): void {
    const end = this.now + ms;
    for (;;) {
      const awake = [...this.#nodes.values()].filter(({ suspended }) => !suspended);
      const timers = awake.map(({ core }) => core.deadline());
      const next = Math.min(...timers, ...this.#flying.map(({ at }) => at));
      if (next > end) break;
      this.now = Math.max(this.now, next);
      const arrived = this.#flying.filter(({ at }) => at <= this.now);
      this.#flying = this.#flying.filter(({ at }) => at > this.now);
      for (const packet of arrived) this.#deliver(packet);
      for (const node of awake) {
        if (node.core.deadline() > this.now) continue;
        this.#take(node, node.core.step({ kind: "tick" }, instant(this.now)));
      }
    }
    this.now = end;
  }

  /** The host goes on: what waited in its sockets comes now, before or after its own timers. */
  resume(id: number): void {
    const node = this.node(id);
    node.suspended = false;
    for (const packet of node.waiting.splice(0)) this.#deliver(packet);
  }

  #deliver(packet: Packet): void {
    const node = this.#nodes.get(packet.to);
    if (node === undefined) return;
    if (node.suspended) {
      node.waiting.push(packet);
      return;
    }
    const { link, bytes } = packet;
    this.#take(node, node.core.step({ kind: "datagram", link, bytes }, instant(this.now)));
  }

  #take(node: Node, effects: HeartbeatEffect[]): HeartbeatEffect[] {
    for (const effect of effects) {
      if (effect.kind === "tell") {
        node.facts.push({ ...effect.fact as HeartbeatFact, at: this.now });
      } else if (effect.kind === "datagram") {
        const [, link, , to] = effect.to.split(/[.:]/).map(Number);
        const packet = {
          ...{ from: node.id, to: nodeId(to ?? 0), link: link ?? 0, bytes: effect.bytes },
          sentAt: this.now,
        };
        this.recorded.push(packet);
        if (!this.lose(packet)) this.#flying.push({ ...packet, at: this.now + LATENCY_MS });
      }
    }
    return effects;
  }
}

/** Nodes that know each other. */
export function settled(count: number, links = 1, witness = false): World {
  const world = new World(cluster(count, links, witness)).startAll();
  world.run(10 * TIMING.beatMs);
  return world;
}
