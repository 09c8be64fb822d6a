/** What may come into stream 3 and what may go out. @module */
import type { BootId, NodeId, ResourceId } from "../base/id.ts";
import type { ClusterSpec } from "../base/cluster.ts";
import type { Instant, Millis } from "../base/time.ts";
import type { CommonEffect, CommonEvent } from "../streams.ts";
import type { FailureScope, ProcessHealth } from "../host/ports.ts";
import type { MonitorSpec, StartSpec } from "./agents/kind_driver.ts";
import type { Arrival, MigrationGround, MigrationTarget } from "./agents/migration.ts";

export type HaEvent =
  | CommonEvent
  /** One opened frame of the peer channel from another node's HA stream. */
  | { readonly kind: "frame"; readonly from: NodeId; readonly bytes: Uint8Array }
  | {
    readonly kind: "sampled";
    readonly load: number;
    readonly memory: number;
    readonly ioDelay: number;
  }
  /** A start, stop, kill-all or part of a migration ended; `scope` of a failure: where it is of use to try again. */
  | {
    readonly kind: "done";
    readonly tag: number;
    readonly failure: string | null;
    readonly scope?: FailureScope;
    /** Of a `receive`. */
    readonly arrival?: Arrival;
  }
  | { readonly kind: "monitored"; readonly tag: number; readonly health: ProcessHealth }
  | { readonly kind: "listed"; readonly running: readonly ResourceId[] }
  /** A resource's main process ended by itself. */
  | { readonly kind: "exited"; readonly id: ResourceId; readonly how: string }
  | { readonly kind: "watchdog"; readonly identity: string | null };

export type HaEffect =
  | CommonEffect
  | { readonly kind: "frame"; readonly to: NodeId; readonly bytes: Uint8Array }
  | { readonly kind: "sample" }
  | { readonly kind: "start"; readonly tag: number; readonly spec: StartSpec }
  | {
    readonly kind: "stop";
    readonly tag: number;
    readonly id: ResourceId;
    /** Null: as its kind has it. */
    readonly graceMs: Millis | null;
  }
  /** Makes a halted machine that waits for another one's memory. */
  | {
    readonly kind: "receive";
    readonly tag: number;
    readonly spec: StartSpec;
    readonly on: MigrationGround;
  }
  /** Sends a machine's memory to one that waits for it. `done` without failure: it halted for good. */
  | {
    readonly kind: "hand-over";
    readonly tag: number;
    readonly id: ResourceId;
    readonly live: number;
    readonly to: MigrationTarget;
  }
  /** Gives that up; its own `done` follows. */
  | { readonly kind: "call-off"; readonly id: ResourceId }
  /** Lets a machine run that was received. */
  | { readonly kind: "resume"; readonly tag: number; readonly spec: StartSpec }
  | { readonly kind: "monitor"; readonly tag: number; readonly spec: MonitorSpec }
  | { readonly kind: "list" }
  /** SIGKILL to everything; the answer is `done` with this tag. */
  | { readonly kind: "kill-all"; readonly tag: number }
  /** The keeper kills all resources at `until` unless told later. */
  | { readonly kind: "guard-until"; readonly until: Instant }
  | { readonly kind: "watchdog-open"; readonly timeoutMs: Millis }
  | { readonly kind: "watchdog-pet" }
  | { readonly kind: "watchdog-disarm" };

/** What the core is made with. */
export interface HaOptions {
  readonly self: NodeId;
  readonly boot: BootId;
  readonly spec: ClusterSpec;
  /** Draws request ids for its transactions; nothing else is random. */
  readonly seed: number;
  /** Wall clock seconds at start and the instant of it, to stamp transactions for people. */
  readonly wallAtStart: number;
  readonly startedAt: Instant;
}
