/** What may come into stream 5 and what may go out. @module */
import type { ClusterSpec } from "../base/cluster.ts";
import type { BootId, NodeId } from "../base/id.ts";
import type { KeyRing } from "../base/key_ring.ts";
import type { Instant } from "../base/time.ts";
import type { CommonEffect, CommonEvent } from "../streams.ts";

export type JoinEvent =
  | CommonEvent
  /** One opened frame from a machine that proved to hold a ticket; its content is still hostile. */
  | {
    readonly kind: "session-frame";
    readonly session: number;
    /** Id of the ticket that the session was opened with: 32 hex digits. */
    readonly ticket: string;
    readonly bytes: Uint8Array;
  }
  | { readonly kind: "session-closed"; readonly session: number }
  /** What `store-keys` asked for is durable, or could not be made so. */
  | { readonly kind: "keys-stored"; readonly ok: boolean };

export type JoinEffect =
  | CommonEffect
  | { readonly kind: "session-frame"; readonly session: number; readonly bytes: Uint8Array }
  /** Make these this node's keys, durably; answered by `keys-stored`. One at a time. */
  | { readonly kind: "store-keys"; readonly keys: KeyRing };

/** What the core is made with. */
export interface JoinOptions extends KeyRing {
  readonly self: NodeId;
  readonly boot: BootId;
  readonly spec: ClusterSpec;
  /** Seconds since 1970 at `startedAt`. */
  readonly wallAtStart: number;
  readonly startedAt: Instant;
}
