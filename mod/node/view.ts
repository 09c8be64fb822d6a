/**
 * The snapshots that CLI, API and page print. Shapes are an interface: fields are only added.
 *
 * @module
 */
import type { StreamName } from "../streams.ts";

/** `GET /v1/status` and `pentad status --json`. */
export interface StatusDocument {
  readonly schema: "pentad.status/1";
  /** Null on a host that is not a member of a cluster yet. */
  readonly cluster: { readonly name: string; readonly id: string; readonly profile: string } | null;
  /** The node that answers. */
  readonly node: { readonly name: string; readonly id: number; readonly boot: string } | null;
  /** RFC 3339, UTC. */
  readonly at: string;
  readonly quorate: boolean;
  readonly votes: { readonly present: number; readonly expected: number; readonly needed: number };
  readonly armed: boolean;
  /** What arms it (`softdog`, `process watchdog`), or why nothing does (`no watchdog`). */
  readonly watchdog: string;
  /** `suspended`: HA is disarmed, and what runs here goes on without a guard. */
  readonly guard: { readonly state: "held" | "lapsed" | "suspended"; readonly margin_ms: number };
  /** Name of the node that holds the manager lock. */
  readonly dc: string | null;
  readonly dc_epoch: number;
  /** Name of the Raft leader. */
  readonly leader: string | null;
  readonly nodes: readonly NodeStatus[];
  readonly streams: readonly StreamStatus[];
  readonly resources: readonly ResourceStatus[];
  readonly config: {
    readonly version: number;
    readonly term: number;
    readonly index: number;
    readonly crc32: string;
    /** Content hash of tree and locks. */
    readonly content: string;
    readonly writable: boolean;
    readonly verified: VerifiedStatus | null;
  };
  /** Scheduled backups of this node; null on a host that is no member. */
  readonly backup: BackupStatus | null;
  readonly mount: MountStatus;
  readonly ha: HaModeStatus;
}

/** Is the whole stack armed? While it is `disarmed` nothing is started, moved, fenced or restarted. */
export interface HaModeStatus {
  readonly mode: "armed" | "disarmed" | "arming";
  /** Nodes that have not said since that their guard is held: only a person proves their death. */
  readonly unguarded: readonly string[];
}

/** The last time that the database was read back. */
export interface VerifiedStatus {
  /** How long ago it ended. */
  readonly age_ms: number;
  readonly rows: number;
  /** What is damaged, in words; a few of it. */
  readonly damaged: readonly string[];
}

/** The replicated tree as files of this host. */
export interface MountStatus {
  /** Null where the settings say `off`. */
  readonly path: string | null;
  readonly state: "mounted" | "off" | "failed";
  readonly why: string | null;
}

/** How the scheduled backups go. */
export interface BackupStatus {
  /** `none`: there is none yet. `failed`: the newest try did. */
  readonly state: "none" | "ok" | "failed";
  /** When the newest one was made: RFC 3339, UTC. */
  readonly at: string | null;
  readonly file: string | null;
  /** Why the newest try failed. */
  readonly why: string | null;
  /** When the next one is due; null where they are switched off. */
  readonly next: string | null;
}

export interface NodeStatus {
  readonly name: string;
  readonly id: number;
  readonly self: boolean;
  /** Its present life; null where it was never heard. */
  readonly boot: string | null;
  readonly role: "voter" | "learner";
  readonly state: string;
  readonly vote: number;
  /** `self`, or `up/all`. */
  readonly links: string;
  readonly rtt_ms: number | null;
  readonly disk_pulse_s: number | null;
  readonly armed: boolean | null;
  readonly load: number | null;
  readonly memory: number | null;
  readonly io_delay: number | null;
  readonly resources: readonly string[];
}

export interface StreamStatus {
  readonly name: StreamName;
  readonly state: "ok" | "degraded" | "failed" | "idle";
  readonly now: string;
}

export interface ResourceStatus {
  readonly id: string;
  readonly state: string;
  readonly wanted: string;
  readonly node: string | null;
  readonly reason: string;
  /** What its node said when it last failed; empty where it never did. */
  readonly detail: string;
}

/** One line of `pentad events` and of `GET /v1/events`. */
export interface EventLine {
  /** Rises by one per line of this daemon's life; the SSE id is `boot.seq`. */
  readonly seq: number;
  readonly at: string;
  readonly node: string;
  readonly stream: StreamName | "node";
  readonly text: string;
  readonly routine: boolean;
  readonly code: string | null;
}
