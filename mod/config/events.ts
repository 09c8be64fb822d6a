/** What may come into stream 2 and what may go out. @module */
import type { NodeId } from "../base/id.ts";
import type { ClusterSpec } from "../base/cluster.ts";
import type { DatabaseBatch, DatabaseContent } from "../host/ports.ts";
import type { ConfigLimits } from "./compaction.ts";
import type { CommonEffect, CommonEvent } from "../streams.ts";

/** One request of the mount's kernel, as it was read from the device (`fuse/wire.ts` decodes it). */
export type FuseEvent = { readonly kind: "fuse"; readonly bytes: Uint8Array };

/** What the mount's kernel is told: the answer to one request, or what it should forget. */
export type FuseEffect =
  | { readonly kind: "fuse-reply"; readonly bytes: Uint8Array }
  | { readonly kind: "fuse-notice"; readonly bytes: Uint8Array };

export type ConfigEvent =
  | CommonEvent
  | FuseEvent
  /** One opened frame of the peer channel; authenticated as a member's, its content still hostile. */
  | { readonly kind: "frame"; readonly from: NodeId; readonly bytes: Uint8Array }
  /** The persist effect with this number is durable; so are all before it that are not lazy. */
  | { readonly kind: "persisted"; readonly upTo: number };

export type ConfigEffect =
  | CommonEffect
  /** Waits for no persist: what is answered as done is durable on a majority. */
  | FuseEffect
  /**
   * To a member over the peer channel; best effort. `eager` frames do not wait for a persist before
   * them (a leader's entries, which the peers store while we do).
   */
  | {
    readonly kind: "frame";
    readonly to: NodeId;
    readonly bytes: Uint8Array;
    readonly eager: boolean;
  }
  /**
   * A barrier: what follows in this and later effect lists (but for eager frames) waits until it is
   * durable. Numbers rise by one. The driver may join persists that wait into one transaction.
   * `lazy`: nothing waits for it. Where it is derived (the applied tree, which the log can rebuild,
   * and the log's base), entries of the log that come later may be durable before it.
   */
  | {
    readonly kind: "persist";
    readonly number: number;
    readonly batch: DatabaseBatch;
    readonly lazy: boolean;
  };

/** What the core is made with. */
export interface ConfigOptions {
  readonly self: NodeId;
  /** The description that this node was given when it was made or joined: until the log has a newer one. */
  readonly spec: ClusterSpec;
  /** What the database held at start; empty on a new node. */
  readonly stored: DatabaseContent;
  /** Seed for election timeouts and for request ids of the mount. */
  readonly seed: number;
  /** Seconds since 1970 at start, for the mount's files; default 0. */
  readonly wallAtStart?: number;
  /** Group of the mount's files; default 0. */
  readonly groupId?: number;
  /** How much of the log is kept, and how a snapshot is cut; as a rule {@link CONFIG_LIMITS}. */
  readonly limits?: ConfigLimits;
}

/** For status and metrics. */
export interface ConfigView {
  readonly role: "follower" | "candidate" | "leader" | "learner";
  readonly term: number;
  readonly leader: NodeId | null;
  readonly lastIndex: number;
  readonly committed: number;
  readonly applied: number;
  readonly stateCrc: number;
  /** CRC chain of the log up to `committed`: equal on all replicas at equal index. */
  readonly committedChain: number;
  /** The log begins behind this index. */
  readonly logBase: number;
  /** This replica was found to differ from its peers, and waits to be rebuilt. */
  readonly diverged: boolean;
  /** What this replica lost, where it has not got all of it back yet: it has no vote. */
  readonly recovering: string | null;
  readonly quorate: boolean;
  /** Nodes that must hold an entry before it commits, where a witness narrows them. */
  readonly commitSet: readonly NodeId[] | null;
  readonly peers: readonly {
    readonly node: NodeId;
    readonly match: number;
    readonly lag: number;
    readonly diverged: boolean;
    /** It lost what it held, and has no vote until it is whole. */
    readonly recovering: boolean;
    /** Of a learner: the round of catching up that it is in, and whether it is fit to vote. */
    readonly catchUp:
      | { readonly round: number; readonly ready: boolean; readonly slow: boolean }
      | null;
    /** The state that it is being sent, and how many chunks of it have arrived. */
    readonly snapshot: { readonly index: number; readonly chunks: number } | null;
  }[];
  /** To whom the leadership is being handed over. */
  readonly transferTo: NodeId | null;
  /** This node is no member any more, or a member says so and nobody else is heard. */
  readonly removed: boolean;
  /** Why this node takes no part: a cascade (DESIGN.md section 7), its removal; null where it does. */
  readonly blocked: string | null;
}
