/** What a node's runtime is made with. @module */
import type { ClusterSpec } from "../base/cluster.ts";
import type { PastTest } from "../base/disk_test.ts";
import type { BootId, NodeId } from "../base/id.ts";
import type { KeyRing } from "../base/key_ring.ts";
import type { ProblemCode } from "../base/problem.ts";
import type { Instant } from "../base/time.ts";
import type { ConfigLimits } from "../config/mod.ts";
import type { Fact, Saying } from "../streams.ts";

/** What a runtime is made with. */
export interface RuntimeOptions extends KeyRing {
  readonly self: NodeId;
  readonly boot: BootId;
  readonly spec: ClusterSpec;
  /** Paths of the shared disks on this host. */
  readonly disks: readonly string[];
  /** Self-tests of disks by former lives of this node, told at the instant at which it begins. */
  readonly tests?: (now: Instant) => readonly PastTest[];
  /** Where this node listens: heartbeat links and peer channel, `HOST:PORT`. */
  readonly bind: { readonly links: readonly string[]; readonly peer: string };
  /** Group of the files of the mount; default 0. */
  readonly groupId?: number;
  /** How much of the log is kept; absent for what a daemon keeps. */
  readonly configLimits?: ConfigLimits;
  /** Makes these the node's keys, durably; `done(false)`: that failed. Absent: nothing is kept. */
  readonly storeKeys?: (keys: KeyRing, done: (ok: boolean) => void) => void;
  readonly onFact?: (fact: Fact) => void;
  readonly onSaying?: (saying: Saying) => void;
  /** The core runs. */
  readonly onReady?: () => void;
  /** The node cannot go on, as when its database fails. It is stopped; the process must end. */
  readonly onFatal: (why: string, code: ProblemCode) => void;
}
