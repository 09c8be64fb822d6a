/** What the parts of stream 3 share in one step: the time, and the list of effects. @module */
import { nameOf } from "../base/cluster.ts";
import type { ClusterSpec } from "../base/cluster.ts";
import type { BootId, NodeId } from "../base/id.ts";
import type { Reason } from "../base/reason.ts";
import type { Instant, Millis } from "../base/time.ts";
import { type Timing, timingOf } from "../base/timing.ts";
import type { Fact, Request } from "../streams.ts";
import type { HaEffect } from "./events.ts";

/** One per node. */
export class HaContext {
  readonly self: NodeId;
  readonly boot: BootId;
  now: Instant;
  #spec: ClusterSpec;
  #timing: Timing;
  #effects: HaEffect[] = [];
  #tags = 0;
  readonly #startedAt: Instant;
  /** When it was learnt of a member that it is none any more. */
  readonly #goneAt = new Map<NodeId, Instant>();

  constructor(self: NodeId, boot: BootId, start: { spec: ClusterSpec; now: Instant }) {
    this.self = self;
    this.boot = boot;
    this.now = start.now;
    this.#startedAt = start.now;
    this.#spec = start.spec;
    this.#timing = timingOf(start.spec.profile);
  }

  get spec(): ClusterSpec {
    return this.#spec;
  }

  set spec(spec: ClusterSpec) {
    for (const { id } of this.#spec.members) this.#goneAt.set(id, this.now);
    for (const { id } of spec.members) this.#goneAt.delete(id);
    this.#spec = spec;
    this.#timing = timingOf(spec.profile);
  }

  /** For how long a node is known to be no member: since this life began, if not for less. */
  goneFor(node: NodeId): Millis {
    return this.now - (this.#goneAt.get(node) ?? this.#startedAt);
  }

  get timing(): Timing {
    return this.#timing;
  }

  /** A tag that no effect of this life had before. */
  tag(): number {
    return ++this.#tags;
  }

  name(node: NodeId): string {
    return nameOf(this.#spec, node);
  }

  do(effect: HaEffect): void {
    this.#effects.push(effect);
  }

  tell(fact: Fact): void {
    this.#effects.push({ kind: "tell", fact });
  }

  ask(request: Request): void {
    this.#effects.push({ kind: "ask", request });
  }

  say(text: string, because: Reason | null): void {
    this.#effects.push({ kind: "say", saying: { stream: "ha", text, routine: false, because } });
  }

  /** The effects of the step under way, which ends with this. */
  take(): HaEffect[] {
    const effects = this.#effects;
    this.#effects = [];
    return effects;
  }
}
