/** What may come into stream 4 and what may go out. @module */
import type { BootId, NodeId } from "../base/id.ts";
import type { ClusterSpec } from "../base/cluster.ts";
import type { DiskTest, PastTest } from "../base/disk_test.ts";
import type { DiskFailure, ReservationState, ReservationType } from "../host/ports.ts";
import type { CommonEffect, CommonEvent, LastWords } from "../streams.ts";

/** One call on one disk. Every call is answered by exactly one `disk` event with its tag. */
export type DiskCall =
  | { readonly call: "open"; readonly path: string }
  | { readonly call: "read"; readonly offset: number; readonly length: number }
  | { readonly call: "write"; readonly offset: number; readonly bytes: Uint8Array }
  | {
    readonly call: "compare-and-write";
    readonly offset: number;
    readonly expect: Uint8Array;
    readonly bytes: Uint8Array;
  }
  | { readonly call: "register"; readonly key: string }
  | { readonly call: "unregister"; readonly key: string }
  | { readonly call: "reserve"; readonly key: string; readonly type: ReservationType }
  | {
    readonly call: "preempt";
    readonly key: string;
    readonly victim: string;
    readonly type: ReservationType;
    /** PREEMPT AND ABORT; a target may lack it. */
    readonly abort: boolean;
  }
  /** Would the disk take a write of ours now? Writes nothing. */
  | { readonly call: "try-write" }
  | { readonly call: "traits" }
  | { readonly call: "reservations" };

/** How a call ended. */
export type DiskResult =
  | { readonly result: "done" }
  | {
    readonly result: "opened";
    readonly kind: "scsi" | "nvme" | "file";
    readonly sizeBytes: number;
  }
  | { readonly result: "bytes"; readonly bytes: Uint8Array }
  | { readonly result: "reservations"; readonly state: ReservationState }
  /** What the target says of itself; `persists`: APTPL is active, null where it does not say. */
  | { readonly result: "traits"; readonly persists: boolean | null }
  | { readonly result: "failed"; readonly failure: DiskFailure };

export type StorageEvent =
  | CommonEvent
  | {
    readonly kind: "disk";
    readonly disk: number;
    readonly tag: number;
    readonly result: DiskResult;
  };

export type StorageEffect =
  | CommonEffect
  | { readonly kind: "disk"; readonly disk: number; readonly tag: number; readonly call: DiskCall };

/** What the core is made with. */
export interface StorageOptions {
  readonly self: NodeId;
  readonly boot: BootId;
  readonly spec: ClusterSpec;
  /** Paths of the shared disks on this host, in the settings' order. */
  readonly disks: readonly string[];
  /** Draws key generations. */
  readonly seed: number;
  /** Self-tests of former lives of this node. */
  readonly tests?: readonly PastTest[];
}

/** For `storage show` and status. */
export interface StorageView {
  readonly disks: readonly {
    readonly path: string;
    readonly uuid: string | null;
    readonly kind: string | null;
    /** `witness`: it judges, alone or with others. Any disk may hold data and pulses too. */
    readonly role: "witness" | "data";
    readonly state: "opening" | "ready" | "lost" | "unregistered";
    readonly detail: string;
    /** Uuids of the disks that judge together with it, its own too; empty where it is alone. */
    readonly group: readonly string[];
    /** Whose pulse moves on it, and when it did last. */
    readonly heard: readonly { readonly node: NodeId; readonly ageMs: number }[];
    readonly reservation: ReservationState | null;
    /** The last self-test, which is made anew each day; `former`: by a former life of this node. */
    readonly test: (DiskTest & { readonly ageMs: number; readonly former: boolean }) | null;
  }[];
  /** What is not as it should be although nothing is decided by it, one sentence each. */
  readonly degraded: readonly string[];
  readonly witnessHeld: boolean;
  readonly pulses: readonly {
    readonly node: NodeId;
    readonly seq: number;
    readonly ageMs: number;
  }[];
  /** Who would win if the network and the pulse were cut now, and why, as a sentence. */
  readonly verdict: string;
  /** The last words that every disk is known to carry from us; `none` while one does not. */
  readonly words: LastWords;
}
