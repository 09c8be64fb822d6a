/**
 * THE page: everything that the five streams say to one another.
 *
 * A stream never imports another. It tells *facts* and accepts *requests*; `node/wiring.ts` is the
 * one table that says which fact goes to which stream. Each type here is plain data.
 *
 * @module
 */
import type { ClusterSpec, SpecChange } from "./base/cluster.ts";
import type { DeathProof } from "./base/death_proof.ts";
import type { DiskTest } from "./base/disk_test.ts";
import type { ForceAsk, ForceReport } from "./base/force.ts";
import type { BootId, NodeId, RequestId, ResourceId } from "./base/id.ts";
import type { KeyRing } from "./base/key_ring.ts";
import type { Phases } from "./base/phases.ts";
import type { Problem } from "./base/problem.ts";
import type { Reason } from "./base/reason.ts";
import type { ShutdownHow } from "./base/shutdown.ts";
import type { TicketState } from "./base/ticket_state.ts";
import type { Instant, Millis } from "./base/time.ts";
import type { VerifyReport } from "./base/verify_report.ts";
import type { WitnessRegister } from "./base/witness_register.ts";

export type { DeathProof, Phases, SpecChange, WitnessRegister };

/** The five streams, by number. */
export const STREAMS = ["heartbeat", "config", "ha", "storage", "join"] as const;
/** One of the five. */
export type StreamName = typeof STREAMS[number];

/** Names the asker of a request; comes back in its outcome. Prefixes: `api:`, `ha:`, `join:`, `config:`. */
export type Tag = string;

// ---------------------------------------------------------------------------------- stream 1

/** What a node tells everyone about itself in each beat. Fractions are 0 to 1. */
export interface Vitals {
  /** Load average of one minute divided by processors; may pass 1. */
  readonly load: number;
  readonly memory: number;
  /** Share of time in which some task waited for I/O (PSI), or iowait where PSI is missing. */
  readonly ioDelay: number;
  /** A watchdog is running that will reset this node if it is not petted. */
  readonly armed: boolean;
  readonly guardMarginMs: Millis;
  /** Shared disks that this node holds for running resources, weighted; decides who goes first. */
  readonly diskLocks: number;
  readonly resources: number;
}

/**
 * `online`: heard on the network in both directions. `isolated`: silent on the network for `deadMs`
 * but its disk pulse goes on, or heard in one direction only, or by others only. `down`: no sign of
 * its life for `deadMs`. `unknown`: not heard in both directions yet, and our own start, its joining
 * or its start was less than `deadMs` ago.
 */
export type MemberState = "unknown" | "online" | "isolated" | "down";

/** Who is there, and what that makes in votes. */
export interface View {
  readonly epoch: number;
  /** Ids in rising order, this node included. */
  readonly online: readonly NodeId[];
  readonly present: number;
  readonly expected: number;
  readonly needed: number;
  readonly quorate: boolean;
  /** Every online member reports the same online set. */
  readonly installed: boolean;
}

/** One peer as stream 1 sees it. */
export interface MemberHealth {
  readonly node: NodeId;
  readonly state: MemberState;
  readonly boot: BootId | null;
  /** When this node learnt of the newest beat or pulse that any member of the view had from it. */
  readonly lastHeard: Instant;
  /**
   * `vouched − lastHeard` is the silence that counts for a proof of death: for so long a majority of
   * votes is known to have had nothing from it. It is no more than the time since `lastHeard`, and
   * less where one of them began to look out later. `EPOCH` where it is not DOWN, or where no
   * majority has said so lately.
   */
  readonly vouched: Instant;
  readonly vitals: Vitals | null;
}

export type HeartbeatFact =
  | { readonly fact: "heartbeat.view"; readonly view: View; readonly because: Reason }
  /** A member's state changed; and with each beat of ours, for its silence and vitals do. */
  | { readonly fact: "heartbeat.member"; readonly health: MemberHealth; readonly because: Reason }
  | {
    readonly fact: "heartbeat.link";
    readonly peer: NodeId;
    readonly link: number;
    readonly up: boolean;
    readonly because: Reason;
  }
  /** Send time of the newest own beat that a majority (this node included) is known to have heard. */
  | { readonly fact: "heartbeat.proof"; readonly provenAt: Instant }
  /** A second life of a node beats beside the first: two machines have its identity. Null: no more. */
  | { readonly fact: "heartbeat.twin"; readonly node: NodeId; readonly twin: BootId | null };

// ---------------------------------------------------------------------------------- stream 2

/** What a transaction does, in order. Paths are absolute without a leading slash: `ha/resources.cfg`. */
export type Operation =
  | { readonly op: "create"; readonly path: string }
  | {
    readonly op: "write";
    readonly path: string;
    readonly offset: number;
    readonly data: Uint8Array;
  }
  | { readonly op: "truncate"; readonly path: string; readonly size: number }
  | { readonly op: "rename"; readonly path: string; readonly to: string }
  | { readonly op: "remove"; readonly path: string }
  | { readonly op: "mkdir"; readonly path: string }
  | { readonly op: "rmdir"; readonly path: string }
  | { readonly op: "utime"; readonly path: string; readonly mtime: number };

/** A condition on the tree: the path's version is this one; 0 means that it must not exist. */
export interface Expectation {
  readonly path: string;
  readonly version: number;
}

/** All or nothing: every expectation holds and every operation succeeds, or the tree is untouched. */
export interface Transaction {
  /** A retry keeps it; it is applied at most once. */
  readonly request: RequestId;
  /** Applied index that the client had when it made the request: bounds how late it may be applied. */
  readonly base: number;
  readonly expect: readonly Expectation[];
  readonly operations: readonly Operation[];
  /** Who: `root@nodeA`, `ha@nodeB`. */
  readonly author: string;
  /** Why, for people. */
  readonly reason: string;
  /** Wall clock of the author, seconds since 1970. For people, and for mtime. */
  readonly time: number;
}

/** What became of a transaction. `unknown`: it may or may not be committed; retry with its id. */
export type Outcome =
  | { readonly ok: true; readonly index: number; readonly crc32: number }
  | { readonly ok: false; readonly problem: Problem };

/** A path that a transaction changed; `data` is the new content of a file, null where it is gone. */
export interface Change {
  readonly path: string;
  readonly kind: "file" | "directory" | "gone";
  /** Log index of the transaction that wrote it; for `gone` that of the removal. */
  readonly version: number;
  readonly data: Uint8Array | null;
  readonly writer: NodeId;
}

/** Where this replica stands; goes into beats and status. */
export interface Position {
  readonly term: number;
  readonly leader: NodeId | null;
  readonly committed: number;
  readonly applied: number;
  readonly crc32: number;
  /** This replica leads and a majority (or the witness register) lets it commit. */
  readonly writable: boolean;
}

export type ConfigFact =
  /** The description in force: told at start and whenever it is committed; `forced`: by a person. */
  | {
    readonly fact: "config.spec";
    readonly spec: ClusterSpec;
    readonly index: number;
    readonly forced?: true;
  }
  /** Others may go by these, which stand in the log beside it; told when they change: `Specs.open`. */
  | { readonly fact: "config.open"; readonly specs: readonly ClusterSpec[] }
  | { readonly fact: "config.position"; readonly position: Position; readonly because: Reason }
  /** Told in log order, once per index that changed the tree; at start once with the whole tree. */
  | {
    readonly fact: "config.applied";
    readonly index: number;
    readonly whole: boolean;
    readonly changes: readonly Change[];
  }
  | { readonly fact: "config.outcome"; readonly tag: Tag; readonly outcome: Outcome }
  /** A read barrier (ReadIndex) ended: what is applied now is at least as new as the asking. */
  | {
    readonly fact: "config.barrier";
    readonly tag: Tag;
    readonly ok: boolean;
    readonly index: number;
  }
  /** Both data nodes are in the commit set again: the witness vote is not needed any more. */
  | { readonly fact: "config.shared" }
  | { readonly fact: "config.diverged"; readonly node: NodeId; readonly because: Reason }
  /** The answer to `config.verify`; null where it could not be done. */
  | { readonly fact: "config.verified"; readonly tag: Tag; readonly report: VerifyReport | null }
  /** After `ha.shutdown`: nothing is left to be handed over, or nobody takes it. */
  | { readonly fact: "config.yielded" }
  /** The answer to `config.force-single`; `index` where it is done: that of the new description. */
  | {
    readonly fact: "config.forced";
    readonly tag: Tag;
    readonly report: ForceReport;
    readonly index: number | null;
    readonly problem: Problem | null;
  };

// ---------------------------------------------------------------------------------- stream 3

/** State of a resource on its node, as PVE names them. */
export type ServiceState =
  | "stopped"
  | "request_stop"
  | "request_start"
  | "started"
  | "relocate"
  | "fence"
  | "recovery"
  | "freeze"
  | "error";

/** What an administrator wants of a resource. */
export type RequestState = "started" | "stopped" | "disabled" | "ignored";

export type HaFact =
  /** May this node own anything? `until` is when the guard lapses; resources are killed then. */
  | {
    readonly fact: "ha.guard";
    readonly state: "held" | "lapsed";
    readonly until: Instant;
    readonly because: Reason;
  }
  /** Every process of every resource is gone from this node. */
  | { readonly fact: "ha.empty"; readonly boot: BootId }
  /** When this life began, nothing of any resource ran on this node. */
  | { readonly fact: "ha.clear" }
  /** A person had this node emptied so that its host can begin anew; now nothing is left on it. */
  | { readonly fact: "ha.reboot"; readonly because: Reason }
  | { readonly fact: "ha.vitals"; readonly vitals: Vitals }
  | {
    readonly fact: "ha.resource";
    readonly id: ResourceId;
    readonly state: ServiceState;
    readonly node: NodeId | null;
    readonly because: Reason;
  }
  | {
    readonly fact: "ha.dc";
    readonly node: NodeId | null;
    readonly epoch: number;
    readonly because: Reason;
  }
  | {
    readonly fact: "ha.takeover";
    readonly id: ResourceId;
    readonly from: NodeId;
    readonly to: NodeId;
    readonly proof: DeathProof;
    readonly phases: Phases;
    readonly because: Reason;
  };

// ---------------------------------------------------------------------------------- stream 4

/** What a node leaves on the disk when it goes. */
export type LastWords = "none" | "clean-stop" | "self-fenced";

export type StorageFact =
  /** A new pulse of this node was read. */
  | {
    readonly fact: "storage.pulse";
    readonly node: NodeId;
    readonly boot: BootId;
    readonly seenAt: Instant;
    readonly words: LastWords;
    readonly diskLocks: number;
  }
  /** `by` has read our pulse whose write was issued at `issuedAt`: proof over the disk. */
  | { readonly fact: "storage.echo"; readonly by: NodeId; readonly issuedAt: Instant }
  /** With the witness vote in hand, a pulse write issued at `issuedAt` completed under our registration. */
  | { readonly fact: "storage.witness-heard"; readonly issuedAt: Instant }
  /** The witness vote came to us, or left us. `register` is what the disk held when it came. */
  | {
    readonly fact: "storage.witness";
    readonly held: boolean;
    readonly register: WitnessRegister | null;
    readonly because: Reason;
  }
  /** Another node took our registration away, or sent us a pill: whatever runs here must end. */
  | { readonly fact: "storage.lost"; readonly because: Reason }
  /** The answer to `storage.swap`: on success what was written, on refusal what is there, if known. */
  | {
    readonly fact: "storage.swapped";
    readonly tag: Tag;
    readonly ok: boolean;
    readonly register: WitnessRegister | null;
  }
  /**
   * PREEMPT AND ABORT of the node's key succeeded on these disks: there it can write no more. Null,
   * after their uuids were told: they are all that this node has. Others may have more.
   */
  | {
    readonly fact: "storage.fenced";
    readonly node: NodeId;
    readonly disks: readonly string[] | null;
    readonly because: Reason;
  }
  | {
    readonly fact: "storage.disk";
    readonly disk: number;
    readonly state: "ready" | "lost" | "unregistered" | "opening";
    readonly because: Reason;
  }
  /** A self-test of the disk with this uuid ended. */
  | {
    readonly fact: "storage.tested";
    readonly disk: string;
    readonly path: string;
    readonly test: DiskTest;
  };

// ---------------------------------------------------------------------------------- stream 5

export type JoinFact =
  | { readonly fact: "join.member"; readonly node: NodeId; readonly because: Reason }
  | { readonly fact: "join.ticket"; readonly tag: Tag; readonly ticket: string }
  /** From now on the cluster's keys are these here, durably. */
  | { readonly fact: "join.keys"; readonly keys: KeyRing }
  /** The answer to `join.revoke`: what those tickets were. */
  | { readonly fact: "join.revoked"; readonly tag: Tag; readonly tickets: readonly TicketState[] };

// ---------------------------------------------------------------------------------- together

export type Fact = HeartbeatFact | ConfigFact | HaFact | StorageFact | JoinFact;

export type Request =
  | { readonly request: "config.propose"; readonly tag: Tag; readonly transaction: Transaction }
  | { readonly request: "config.change-spec"; readonly tag: Tag; readonly change: SpecChange }
  | { readonly request: "config.barrier" | "config.verify"; readonly tag: Tag }
  /** Hand the leadership to a node, or (null) to the best voter. Answered by a `config.outcome`. */
  | { readonly request: "config.transfer"; readonly tag: Tag; readonly to: NodeId | null }
  /** Go on alone, by a person's word. Answered by `config.forced`. */
  | { readonly request: "config.force-single"; readonly tag: Tag; readonly ask: ForceAsk }
  /**
   * Replace the witness register if its version is `expect`. Needs our live registration on the
   * arbiter disk; `held` asks for the witness vote as well (a vote, or narrowing the set).
   */
  | {
    readonly request: "storage.swap";
    readonly tag: Tag;
    readonly expect: number;
    readonly held: boolean;
    readonly register: WitnessRegister;
  }
  /** Eject this node's key from these disks (null: from all): storage proof. A pill is left too. */
  | {
    readonly request: "storage.fence";
    readonly node: NodeId;
    readonly disks: readonly string[] | null;
  }
  /** Stop in order: stop own resources, give the manager lock back, write last words. */
  | { readonly request: "ha.shutdown"; readonly tag: Tag; readonly how?: ShutdownHow }
  /** Make a one-time ticket; `secret` is 48 random bytes. Answered by a `join.ticket` fact. */
  | {
    readonly request: "join.invite";
    readonly tag: Tag;
    readonly secret: Uint8Array;
    readonly validMs: Millis;
  }
  /** End the tickets whose id begins so. Answered by a `join.revoked` fact. */
  | { readonly request: "join.revoke"; readonly tag: Tag; readonly id: string }
  /** A person vouches that this node is dead. */
  | { readonly request: "ha.confirm-dead"; readonly tag: Tag; readonly node: NodeId };

/** One line of the conversation, in the words of the seed. */
export interface Saying {
  readonly stream: StreamName;
  /** `nodeA→nodeB seq=38721, vote=1, online=2/2`; the stream's name is printed before it. */
  readonly text: string;
  /** Said with every beat: folded unless asked for. */
  readonly routine: boolean;
  readonly because: Reason | null;
}

/** What every core may put out beside its own effects. */
export type CommonEffect =
  | { readonly kind: "tell"; readonly fact: Fact }
  | { readonly kind: "ask"; readonly request: Request }
  | { readonly kind: "say"; readonly saying: Saying };

/** What every core may be given beside its own events. */
export type CommonEvent =
  | { readonly kind: "tick" }
  | { readonly kind: "fact"; readonly fact: Fact }
  | { readonly kind: "request"; readonly request: Request };
