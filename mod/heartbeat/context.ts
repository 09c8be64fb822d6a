/**
 * What the parts of stream 1 share within one step: who we are, the time, and the effects so far.
 *
 * @module
 */
import { type ClusterSpec, memberOf, nameOf } from "../base/cluster.ts";
import type { NodeId } from "../base/id.ts";
import type { Reason } from "../base/reason.ts";
import type { Instant } from "../base/time.ts";
import { type Timing, timingOf } from "../base/timing.ts";
import type { Fact } from "../streams.ts";
import { Descriptions, type Turn } from "./descriptions.ts";
import type { HeartbeatEffect, HeartbeatOptions } from "./events.ts";

/** One per core; the core begins and ends the step, the parts add to it. */
export class HeartbeatContext {
  readonly self: NodeId;
  readonly #descriptions: Descriptions;
  #timing: Timing;
  #now: Instant;
  #effects: HeartbeatEffect[] = [];

  constructor({ self, spec, profile }: HeartbeatOptions, now: Instant) {
    this.self = self;
    this.#descriptions = new Descriptions(self, spec);
    this.#timing = timingOf(profile);
    this.#now = now;
  }

  get spec(): ClusterSpec {
    return this.#descriptions.newest;
  }

  /** Those by which votes are counted: a majority of each is needed. */
  get specs(): readonly ClusterSpec[] {
    return this.#descriptions.inForce;
  }

  get timing(): Timing {
    return this.#timing;
  }

  get now(): Instant {
    return this.#now;
  }

  /** False for a host whose own spec does not name it: it is not in yet, or was removed. */
  get isMember(): boolean {
    return memberOf(this.spec, this.self) !== undefined;
  }

  setSpec(spec: ClusterSpec, index: number, turn: Turn): void {
    this.#descriptions.set(spec, index, turn);
    this.#timing = timingOf(spec.profile);
  }

  setOpen(specs: readonly ClusterSpec[]): void {
    this.#descriptions.setOpen(specs);
  }

  /** See `Descriptions.isBehind`. */
  isBehind(committed: number): boolean {
    return this.#descriptions.isBehind(committed);
  }

  /** A member's present life says that so much of the log is committed. */
  hearCommitted(node: NodeId, index: number): void {
    this.#descriptions.hear(node, index);
  }

  /** A member's name, for people. */
  name(node: NodeId): string {
    return nameOf(this.spec, node);
  }

  begin(now: Instant): void {
    this.#now = now;
    this.#effects = [];
  }

  /** The effects of this step, in order. */
  end(): HeartbeatEffect[] {
    return this.#effects;
  }

  send(link: number, to: string, bytes: Uint8Array): void {
    this.#effects.push({ kind: "datagram", link, to, bytes });
  }

  tell(fact: Fact): void {
    this.#effects.push({ kind: "tell", fact });
  }

  say(text: string, because: Reason | null): void {
    const saying = { stream: "heartbeat", text, routine: because === null, because } as const;
    this.#effects.push({ kind: "say", saying });
  }
}
