/**
 * What the API and the CLI know of a running node: this interface and nothing else. The daemon
 * implements it; tests of the API do too.
 *
 * @module
 */
import type { ResourceId } from "../base/id.ts";
import type { TimingRow } from "../base/timing.ts";
import type { FileDiffs, Point } from "../config/mod.ts";
import type { StoryLine } from "../ha/mod.ts";
import type { Description } from "../join/mod.ts";
import type { EventLine, StatusDocument } from "../node/view.ts";
import type { VerifyReport } from "../base/verify_report.ts";
import type { Operation, Outcome } from "../streams.ts";
import type { RenewKeyAnswer, RenewKeyAsk } from "./key_node.ts";
import type { MembershipNode } from "./membership_node.ts";
import type { StorageNode } from "./storage_node.ts";
import type { TicketNode } from "./ticket_node.ts";

/** A path of the replicated tree as it stands on this node. */
export interface TreeEntry {
  readonly path: string;
  readonly kind: "file" | "directory";
  readonly size: number;
  readonly version: number;
  readonly mtime: number;
  readonly writer: string;
}

/** One committed transaction. */
export interface HistoryEntry {
  /** The log index: the txn_id of the conversation. */
  readonly txn_id: number;
  readonly term: number;
  readonly author: string;
  readonly reason: string;
  readonly time: number;
  readonly diff: readonly string[];
  readonly problem: string | null;
  /** It is not what was written; this is why, and nothing else of it is known. */
  readonly damaged?: string | undefined;
}

/** Which transactions are asked for, the newest first. */
export interface HistoryPageAsk {
  readonly limit: number;
  readonly path: string | null;
  /** Only what comes after this one in that order: older ones. */
  readonly after: number | null;
}

/** A page of the history, and how far it goes back. */
export interface HistoryList {
  readonly entries: readonly HistoryEntry[];
  /** Ask for the next page after this transaction; null where there is none. */
  readonly next: number | null;
  /** The oldest transaction that is kept; null where there is none. */
  readonly oldest: number | null;
  /** The tree can be told as it was after this index and after all behind it. */
  readonly since: number;
  readonly limits: HistoryBounds;
}

/** What bounds the history of this node: the settings, and a constant. */
export interface HistoryBounds {
  readonly bytes: number;
  readonly seconds: number;
  /** So many of the newest do not fall to age. */
  readonly kept: number;
}

/** One operation of a transaction; null what it has not. */
export interface OperationLine {
  readonly op: Operation["op"];
  readonly path: string;
  readonly to: string | null;
  readonly offset: number | null;
  /** Bytes written, or the new size of what is truncated. */
  readonly size: number | null;
  readonly mtime: number | null;
}

/** One transaction whole. */
export interface TransactionDetail extends HistoryEntry, FileDiffs {
  /** Through which node it came. */
  readonly node: string;
  readonly request: string;
  /** Why it was refused. */
  readonly why: string | null;
  readonly operations: readonly OperationLine[];
  /** What was before it is kept; else there are no files, and it cannot be undone. */
  readonly kept: boolean;
}

/** What differs between two states. */
export interface TreeDiff extends FileDiffs {
  readonly from: number;
  readonly to: number;
}

export interface UndoAsk {
  readonly txn: number;
  readonly dryRun: boolean;
  readonly request: string;
  readonly author: string;
  readonly reason: string;
}

/** The newest part of a resource's story: so many transactions that touched it. */
export interface ResourceLogAsk {
  readonly id: ResourceId;
  readonly limit: number;
}

/** What became of a resource, the oldest first. */
export interface ResourceLog {
  readonly id: string;
  readonly lines: readonly StoryLine[];
  /** There is an older part. */
  readonly more: boolean;
  /** Nothing is told of what was before this index: it is not kept. */
  readonly since: number;
}

/** What an undo did, or would do. */
export interface UndoAnswer extends FileDiffs {
  /** The transaction that took it back; null for a dry run. */
  readonly index: number | null;
  readonly crc32: number | null;
}

/** What a transaction did to a path. */
export interface PathEvent {
  readonly path: string;
  readonly kind: "file" | "directory" | "gone";
  /** Null for what is no file, and where it is not kept. */
  readonly size: number | null;
  /** Null for what is no file, and where it is not kept. */
  readonly data: Uint8Array | null;
}

/** One applied transaction that changed the tree. */
export interface ChangeEvent {
  readonly txn_id: number;
  readonly time: number;
  readonly author: string;
  readonly reason: string;
  readonly changes: readonly PathEvent[];
}

/** The transactions behind an index, in log order. */
export interface ChangePage {
  readonly events: readonly ChangeEvent[];
  /** Everything up to and with this index has been told. */
  readonly upTo: number;
  /** There are more: ask again. */
  readonly more: boolean;
  /** Transactions between the index asked for and this one may be missing; null: none is. */
  readonly lostBefore: number | null;
}

/** A backup that was made and verified. */
export interface BackupReport {
  readonly file: string;
  readonly bytes: number;
  /** The state in it is that after this entry. */
  readonly txn_id: number;
  /** RFC 3339, UTC. */
  readonly at: string;
}

export interface RestoreAsk {
  /** An absolute path on the node's host. */
  readonly file: string;
  /** A person vouches that no other member of the cluster in the backup lives. */
  readonly alone: boolean;
}

/** What a restore made. */
export interface RestoreReport {
  readonly cluster: string;
  /** The new cluster's id. */
  readonly id: string;
  readonly txn_id: number;
  /** When the backup was made: RFC 3339, UTC. */
  readonly at: string;
}

/** A change that a client asks for; the node adds author, time and request id where they are missing. */
export interface ChangeAsk {
  readonly request?: string;
  readonly expect: readonly { readonly path: string; readonly version: number }[];
  readonly operations: readonly Operation[];
  readonly author: string;
  readonly reason: string;
}

export interface InitAsk {
  readonly name: string;
  readonly profile: "standard" | "fast";
  /** Format this path as the arbiter disk and give it the witness vote. */
  readonly disk: string | null;
  /** Further disks that judge together with that one. */
  readonly with: readonly string[];
}

export interface JoinAsk {
  readonly ticket: string;
  readonly disk: string | null;
}

/** Who answers, and how much that is worth. */
export interface Stamp {
  readonly node: string | null;
  readonly quorate: boolean;
  /** Of the configuration: the index that is applied. */
  readonly version: number;
}

/** A running daemon, member of a cluster or not. Refusals are ProblemErrors. */
export interface RunningNode {
  /** Who is a member and who leads. */
  readonly membership: MembershipNode;
  /** What lets machines in. */
  readonly tickets: TicketNode;
  /** The shared disks. */
  readonly storage: StorageNode;
  /** Renews the cluster's key, a stage at a time: the answer says whether to ask again. */
  renewKey(ask: RenewKeyAsk): Promise<RenewKeyAnswer>;
  status(): StatusDocument;
  /** What of the status every answer carries. */
  stamp(): Stamp;
  /** Everything that streams show: `heartbeat show`, HA scores. Plain JSON. */
  streamView(stream: "heartbeat" | "config" | "ha"): unknown;
  timing(): readonly TimingRow[];
  /** The end of what a resource and its agent printed on this node; empty where it never ran. */
  resourceOutput(id: ResourceId): Promise<string>;
  entry(path: string): TreeEntry | null;
  read(path: string): Uint8Array | null;
  /** Children of a directory; null where there is none. */
  list(path: string): readonly TreeEntry[] | null;
  /** Applied transactions, the newest first; of one path if it is named. */
  history(ask: HistoryPageAsk): Promise<HistoryList>;
  /** One transaction whole. */
  transaction(txn: number): Promise<TransactionDetail>;
  /** What differs between two points; of a path and what is below it if it is named. */
  diff(from: Point, to: Point, path: string | null): Promise<TreeDiff>;
  /** What became of a resource, and why, as every member has it. */
  resourceLog(ask: ResourceLogAsk): Promise<ResourceLog>;
  /** Takes a transaction back by a new one. */
  undo(ask: UndoAsk): Promise<UndoAnswer>;
  /** The tree at a point, as `export.ts` says. Cancelling it frees what it holds. */
  exportTree(at: Point): Promise<ReadableStream<Uint8Array>>;
  /** Index up to which transactions are applied here. */
  applied(): number;
  /** What was applied behind an index. */
  changesAfter(index: number): Promise<ChangePage>;
  /** Calls `listener` when something new is applied, until the returned function is called. */
  onApplied(listener: () => void): () => void;
  /** Reads back and checks everything that this node has on its disk. */
  verify(): Promise<VerifyReport>;
  /** Makes a verified backup: at an absolute path on the host, or (null) in the state directory. */
  backup(file: string | null): Promise<BackupReport>;
  /** Makes this free host the only member of a new cluster with the tree of a backup. */
  restore(ask: RestoreAsk): Promise<RestoreReport>;
  /** Proposes a transaction and waits for its outcome. */
  change(ask: ChangeAsk): Promise<Outcome>;
  /** Waits until this node has applied all that was committed before the call (`?read=quorum`). */
  barrier(): Promise<void>;
  /** Lines after `after` (0: all that are kept), and whether some between were already dropped. */
  eventsAfter(after: number): { readonly lines: readonly EventLine[]; readonly gap: boolean };
  /** Calls `listener` for each new line until the returned function is called. */
  onEvent(listener: (line: EventLine) => void): () => void;
  init(ask: InitAsk): Promise<void>;
  join(ask: JoinAsk): Promise<void>;
  /** What another host wants to know before one of the two joins the other. */
  describe(): Description;
  leave(): Promise<void>;
  confirmDead(node: string): Promise<void>;
  /** `with`: further disks that are to judge together with this one. */
  formatDisk(
    path: string,
    how: { readonly with: readonly string[]; readonly commit: boolean },
  ): Promise<{ readonly uuid: string; readonly found: string }>;
  /** Stops the daemon in order: resources stop first. */
  shutdown(): Promise<void>;
}
