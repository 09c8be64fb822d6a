/**
 * The five streams as one state machine: an event goes to the stream it is for, the facts and
 * requests that come out go where `wiring.ts` says, and so on until nothing is left to say.
 *
 * A fact is heard inside the step in which it was told. So all streams of a node always agree on
 * what they know, and the order in which they learn it is the table's, not a scheduler's.
 *
 * @module
 */
import { assert } from "../base/assert.ts";
import type { ClusterSpec } from "../base/cluster.ts";
import type { Core } from "../base/core.ts";
import type { PastTest } from "../base/disk_test.ts";
import type { KeyRing } from "../base/key_ring.ts";
import type { BootId, EventId, NodeId } from "../base/id.ts";
import { earliest, type Instant } from "../base/time.ts";
import {
  ConfigCore,
  type ConfigEffect,
  type ConfigEvent,
  type ConfigLimits,
} from "../config/mod.ts";
import { HaCore, type HaEffect, type HaEvent } from "../ha/mod.ts";
import { HeartbeatCore, type HeartbeatEffect, type HeartbeatEvent } from "../heartbeat/mod.ts";
import type { DatabaseContent } from "../host/ports.ts";
import { JoinCore, type JoinEffect, type JoinEvent } from "../join/mod.ts";
import { StorageCore, type StorageEffect, type StorageEvent } from "../storage/mod.ts";
import { type CommonEffect, type Fact, type Request, type Saying } from "../streams.ts";
import { type StreamName, STREAMS } from "../streams.ts";
import { HEARD_BY, SERVED_BY } from "./wiring.ts";

/** What may come into a node. `node` is for all of it: a tick, or a request of the API. */
export type NodeEvent =
  | { readonly stream: "heartbeat"; readonly event: HeartbeatEvent }
  | { readonly stream: "config"; readonly event: ConfigEvent }
  | { readonly stream: "ha"; readonly event: HaEvent }
  | { readonly stream: "storage"; readonly event: StorageEvent }
  | { readonly stream: "join"; readonly event: JoinEvent }
  | { readonly stream: "node"; readonly event: { readonly kind: "tick" } }
  | {
    readonly stream: "node";
    readonly event: { readonly kind: "request"; readonly request: Request };
  };

type Own<Effect> = Exclude<Effect, CommonEffect>;

/** What must be done, in order. Facts and sayings are for those who watch. */
export type NodeEffect =
  & (
    | { readonly stream: "heartbeat"; readonly effect: Own<HeartbeatEffect> }
    | { readonly stream: "config"; readonly effect: Own<ConfigEffect> }
    | { readonly stream: "ha"; readonly effect: Own<HaEffect> }
    | { readonly stream: "storage"; readonly effect: Own<StorageEffect> }
    | { readonly stream: "join"; readonly effect: Own<JoinEffect> }
    | { readonly stream: "node"; readonly effect: { readonly kind: "fact"; readonly fact: Fact } }
    | {
      readonly stream: "node";
      readonly effect: { readonly kind: "saying"; readonly saying: Saying };
    }
  )
  & { readonly cause: EventId };

/** What a node is made with. */
export interface NodeOptions extends KeyRing {
  readonly self: NodeId;
  readonly boot: BootId;
  readonly spec: ClusterSpec;
  readonly stored: DatabaseContent;
  readonly disks: readonly string[];
  /** Self-tests of disks by former lives of this node. */
  readonly tests?: readonly PastTest[];
  /** Drawn at random at each start. */
  readonly seed: number;
  readonly wallAtStart: number;
  /** Group of the files of the mount; default 0. */
  readonly groupId?: number;
  /** How much of the log is kept; absent for what a daemon keeps. */
  readonly configLimits?: ConfigLimits;
}

/** Facts and requests that one event may set off; more is a loop between streams: a bug. */
const FOLLOW_MAX = 10_000;

type AnyCore = Core<unknown, { readonly kind: string }>;
type StreamEvent = Exclude<NodeEvent, { readonly stream: "node" }>;

/** One node, pure. */
export class NodeCore implements Core<NodeEvent, NodeEffect> {
  readonly heartbeat: HeartbeatCore;
  readonly config: ConfigCore;
  readonly ha: HaCore;
  readonly storage: StorageCore;
  readonly join: JoinCore;
  readonly #options: NodeOptions;
  #events = 0;

  constructor(options: NodeOptions, now: Instant) {
    const { self, boot, spec, stored, disks, tests = [], seed, configLimits: limits } = options;
    const { clusterKey, otherKey = null } = options;
    this.#options = options;
    this.heartbeat = new HeartbeatCore(
      { self, boot, clusterKey, otherKey, spec, profile: spec.profile },
      now,
    );
    const { wallAtStart, groupId = 0 } = options;
    this.config = new ConfigCore({
      ...{ self, spec, stored, seed, wallAtStart, groupId },
      ...(limits && { limits }),
    }, now);
    this.ha = new HaCore(
      { self, boot, spec, seed: seed + 1, wallAtStart, startedAt: now },
      now,
    );
    this.storage = new StorageCore({ self, boot, spec, disks, tests, seed: seed + 2 }, now);
    this.join = new JoinCore({
      ...{ self, boot, spec, clusterKey, otherKey, wallAtStart, startedAt: now },
    });
  }

  /** The first step: every stream begins. Call it once, before any other. */
  start(now: Instant): NodeEffect[] {
    const tick = (stream: StreamName): StreamEvent => ({ stream, event: { kind: "tick" } });
    // Config goes first, and all that it says is heard before anything else happens: without it the
    // others would count votes by a description that may be long out of date.
    const effects = this.#run([tick("config")], now);
    const others = STREAMS.filter((stream) => stream !== "config");
    return [...effects, ...this.#run(others.map(tick), now)];
  }

  step(event: NodeEvent, now: Instant): NodeEffect[] {
    if (event.stream !== "node") return this.#run([event], now);
    if (event.event.kind === "request") return this.#run(served(event.event.request), now);
    const due = STREAMS.filter((stream) => this[stream].deadline() <= now);
    return this.#run(
      due.map((stream) => ({ stream, event: { kind: "tick" } } as StreamEvent)),
      now,
    );
  }

  deadline(): Instant {
    const { heartbeat, config, ha, storage, join } = this;
    return earliest(
      heartbeat.deadline(),
      config.deadline(),
      ha.deadline(),
      storage.deadline(),
      join.deadline(),
    );
  }

  #run(events: readonly StreamEvent[], now: Instant): NodeEffect[] {
    const { self: node, boot } = this.#options;
    const cause: EventId = { node, boot, seq: ++this.#events };
    const queue = [...events];
    const effects: NodeEffect[] = [];
    for (let at = 0; at < queue.length; at++) {
      assert(at < FOLLOW_MAX, "Streams come to rest after each event");
      const { stream, event } = queue[at] as StreamEvent;
      const core = this[stream] as unknown as AnyCore;
      for (const effect of core.step(event, now)) {
        const common = effect as CommonEffect;
        if (common.kind === "tell") {
          queue.push(...heard(common.fact));
          effects.push({ stream: "node", effect: { kind: "fact", fact: common.fact }, cause });
        } else if (common.kind === "ask") {
          queue.push(...served(common.request));
        } else if (common.kind === "say") {
          const { saying } = common;
          if (stream !== "config" && saying.because !== null) this.config.note(saying, now);
          effects.push({
            stream: "node",
            effect: { kind: "saying", saying },
            cause,
          });
        } else {
          effects.push({ stream, effect, cause } as unknown as NodeEffect);
        }
      }
    }
    return effects;
  }
}

function heard(fact: Fact): StreamEvent[] {
  return HEARD_BY[fact.fact].map((stream) => ({ stream, event: { kind: "fact", fact } }));
}

function served(request: Request): StreamEvent[] {
  return SERVED_BY[request.request].map((stream) => ({
    stream,
    event: { kind: "request", request },
  }));
}
