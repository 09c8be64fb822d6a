/** What may come into stream 5 and what may go out. @module */
import type { ClusterSpec } from "../base/cluster.ts";
import type { NodeId } from "../base/id.ts";
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
  | { readonly kind: "session-closed"; readonly session: number };

export type JoinEffect =
  | CommonEffect
  | { readonly kind: "session-frame"; readonly session: number; readonly bytes: Uint8Array };

/** What the core is made with. */
export interface JoinOptions {
  readonly self: NodeId;
  readonly spec: ClusterSpec;
  readonly clusterKey: Uint8Array;
}
