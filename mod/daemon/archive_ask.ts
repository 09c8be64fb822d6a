/** What the daemon asks its archive Worker, and what it is answered. @module */
import type {
  ResourceLog,
  ResourceLogAsk,
  TransactionDetail,
  TreeDiff,
} from "../api/running_node.ts";
import type { ClusterSpec } from "../base/cluster.ts";
import type { Problem } from "../base/problem.ts";
import type { Point } from "../config/mod.ts";
import type { UndoPlan } from "./archive_undo.ts";
import type { BackupAsk } from "./backup_file.ts";
import type { Restored, RestoreInto } from "./restore.ts";

/** Every question: what it takes, and what it is answered. */
export interface Questions {
  readonly show: readonly [
    { readonly database: string; readonly txn: number; readonly spec: ClusterSpec },
    TransactionDetail,
  ];
  readonly diff: readonly [
    {
      readonly database: string;
      readonly from: Point;
      readonly to: Point;
      readonly path: string | null;
    },
    TreeDiff,
  ];
  readonly log: readonly [
    { readonly database: string; readonly ask: ResourceLogAsk; readonly spec: ClusterSpec },
    ResourceLog,
  ];
  readonly undo: readonly [
    { readonly database: string; readonly txn: number; readonly request: string },
    UndoPlan,
  ];
  readonly backup: readonly [BackupAsk, { readonly bytes: number; readonly applied: number }];
  readonly restore: readonly [RestoreInto, Restored];
  /** Answered in pieces; each is asked for. */
  readonly export: readonly [{ readonly database: string; readonly at: Point }, Uint8Array | null];
}

/** The name of a question. */
export type Question = keyof Questions;

/** To the Worker: one question in its life, then `next` for each further piece. */
export type ArchiveAsk =
  | { [Q in Question]: { readonly ask: Q; readonly what: Questions[Q][0] } }[Question]
  | { readonly ask: "next" };

/** From the Worker. */
export type ArchiveAnswer =
  | { readonly ok: true; readonly value: unknown }
  | { readonly ok: false; readonly problem: Problem };
