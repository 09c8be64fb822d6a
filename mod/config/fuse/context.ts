/** What the parts of the mount are given, and where their answers go. @module */
import type { ClusterSpec } from "../../base/cluster.ts";
import type { NodeId, RequestId } from "../../base/id.ts";
import type { Reason } from "../../base/reason.ts";
import type { Instant, Millis } from "../../base/time.ts";
import type { Tag, Transaction } from "../../streams.ts";
import type { LockCourier } from "../lock_courier.ts";
import type { ClusterLog } from "./cluster_log.ts";
import type { NodeSample } from "./samples.ts";
import type { Tree } from "../tree.ts";
import type { FuseNotice, FuseReply, FuseRequest } from "./requests.ts";

/** The cluster, as `.members` shows it. */
export interface ClusterState {
  readonly spec: ClusterSpec;
  /** Log index of the description. */
  readonly specIndex: number;
  readonly online: readonly NodeId[];
  /** Rises whenever anything of this changes. */
  readonly version: number;
}

/** What a mount is made with. */
export interface MountParts {
  readonly self: NodeId;
  /** Group of everything that is shown. */
  readonly gid: number;
  readonly tree: () => Tree;
  /** Index of the last applied entry. */
  readonly applied: () => number;
  /** Why nothing can be written from here, as a clause; null where it may be tried. */
  readonly frozen: () => string | null;
  readonly cluster: () => ClusterState;
  /** Wall clock, in whole seconds since 1970: for people, and for mtime. */
  readonly wallSeconds: (now: Instant) => number;
  /** How long a request may wait. */
  readonly callMs: () => Millis;
  /** A request id that nobody had before. */
  readonly nextId: () => RequestId;
  /** Its outcome comes back by `onOutcome` with this tag, later. */
  readonly propose: (tag: Tag, transaction: Transaction) => void;
  /** Takes back what was proposed: true where it surely is in no log. */
  readonly withdraw: (tag: Tag) => boolean;
  /** Locks of programs, and the way to them. */
  readonly locks: LockCourier;
  /** What the nodes said: it outlives a connection of the kernel. */
  readonly log: ClusterLog;
  /** The newest load of each node, this one included. */
  readonly samples: () => readonly NodeSample[];
  /** Asks the leader to remove a lock that nobody renews. */
  readonly unlock: (path: string, version: number) => void;
  readonly say: (text: string, because: Reason | null) => void;
}

/** The time of the step under way, for all parts at once. */
export interface StepClock {
  now: Instant;
}

/** What goes back to the kernel. */
export type MountOutput =
  | { readonly output: "reply"; readonly request: FuseRequest; readonly reply: FuseReply }
  | { readonly output: "notice"; readonly notice: FuseNotice };
