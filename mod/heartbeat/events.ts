/** What may come into stream 1 and what may go out. @module */
import type { BootId, NodeId } from "../base/id.ts";
import type { KeyRing } from "../base/key_ring.ts";
import type { ProfileName } from "../base/timing.ts";
import type { ClusterSpec } from "../base/cluster.ts";
import type { CommonEffect, CommonEvent } from "../streams.ts";

export type HeartbeatEvent =
  | CommonEvent
  /** Bytes from the network: anybody's, until opened. */
  | { readonly kind: "datagram"; readonly link: number; readonly bytes: Uint8Array };

export type HeartbeatEffect =
  | CommonEffect
  | {
    readonly kind: "datagram";
    readonly link: number;
    readonly to: string;
    readonly bytes: Uint8Array;
  };

/** Why a packet was dropped; each has a counter. */
export const REFUSALS = [
  "short",
  "oversized",
  "magic",
  "version",
  "type",
  "self",
  "stranger",
  "seal",
  "malformed",
  "foreign",
  "replayed",
  "old",
] as const;
export type Refusal = typeof REFUSALS[number];

/** What the core is made with. */
export interface HeartbeatOptions extends KeyRing {
  readonly self: NodeId;
  readonly boot: BootId;
  readonly spec: ClusterSpec;
  readonly profile: ProfileName;
}

/** Counters and states for `heartbeat show`, status and metrics. */
export interface HeartbeatView {
  readonly received: number;
  readonly sent: number;
  readonly refused: Readonly<Record<Refusal, number>>;
  readonly peers: readonly {
    readonly node: NodeId;
    /** A second life that beats beside the accepted one: two machines with one identity. */
    readonly twin: BootId | null;
    readonly links: readonly {
      readonly link: number;
      readonly up: boolean;
      readonly heard: boolean;
      readonly heardBack: boolean;
      readonly rttMs: number | null;
      readonly lost: number;
    }[];
  }[];
}
