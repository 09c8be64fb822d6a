/** The port of stream 2's database, and what crosses it; see `ports.ts`. @module */
import type { VerifyReport } from "../base/verify_report.ts";

/** One row of the replicated tree as it lies in the database. */
export interface StoredRow {
  readonly ino: number;
  readonly parent: number;
  readonly name: string;
  readonly kind: "file" | "directory";
  readonly mtime: number;
  readonly version: number;
  readonly writer: number;
  readonly data: Uint8Array;
}

/** One log entry as it lies in the database; `body` is encoded by config/wire.ts. */
export interface StoredEntry {
  readonly index: number;
  readonly term: number;
  readonly body: Uint8Array;
}

/** What is remembered of an applied transaction, so that a retry of it is not applied again. */
export interface StoredRequest {
  readonly index: number;
  readonly request: string;
  /** Empty for success, else the problem code. */
  readonly problem: string;
  /** Why, for a problem. */
  readonly why: string;
}

/** The locks of one inode as they lie in the database; key 0: whose they are. Empty: there are none. */
export interface StoredLocks {
  readonly key: number;
  /** Encoded by config/lock_wire.ts. */
  readonly body: Uint8Array;
}

/** A row as it was, and where, before a transaction; null and the empty path for none. */
export interface UndoRow {
  readonly ino: number;
  readonly path: string;
  readonly before: StoredRow | null;
}

/** What history keeps of an applied transaction, beside the log entry of that index. */
export interface StoredHistory extends StoredRequest {
  readonly term: number;
  /** Every row that it touched, as it was before; null: too much to be kept. */
  readonly undo: readonly UndoRow[] | null;
}

/** A transaction out of the history. */
export interface HistoryRecord extends StoredHistory {
  /** The log entry; encoded by config/wire.ts. */
  readonly body: Uint8Array;
}

/** Where a log begins: the last entry that is not in it any more, and what came of all up to it. */
export interface LogBase {
  /** 0 for a log from its beginning. */
  readonly index: number;
  readonly term: number;
  /** CRC chain of the log up to here. */
  readonly chain: number;
}

/** The newest cluster description that was compacted away; `body` is its log entry. */
export interface StoredSpec {
  readonly index: number;
  readonly body: Uint8Array;
}

/** The state of another replica, to be taken over as a whole. */
export interface DatabaseInstall {
  /** The state is that after this entry; the log begins there. */
  readonly base: LogBase;
  /** Null: no description has been in the log yet. */
  readonly spec: StoredSpec | null;
  readonly stateCrc: number;
  /** As in {@link DatabaseBatch}. */
  readonly content?: number;
  readonly rows: readonly StoredRow[];
  readonly requests: readonly StoredRequest[];
  readonly locks: readonly StoredLocks[];
  /** The log matches at `base`: what is behind it stays. Else all of it goes. */
  readonly keepLog: boolean;
  /** What was applied here so far was right. Else its history goes too. */
  readonly keepHistory: boolean;
}

/** Everything that one durable step changes; absent parts stay as they are. */
export interface DatabaseBatch {
  readonly hardState?: {
    readonly term: number;
    readonly vote: number;
    /** This replica was found to differ from its peers, and is not rebuilt yet. */
    readonly diverged: boolean;
  };
  /** Entries from this index on are dropped before `entries` are added. */
  readonly truncateFrom?: number;
  readonly entries?: readonly StoredEntry[];
  readonly applied?: {
    readonly index: number;
    readonly term: number;
    readonly stateCrc: number;
    /** Content hash of tree and locks (`base/content_sum.ts`) as memory has it; absent: not checked. */
    readonly content?: number;
    readonly rows: readonly StoredRow[];
    readonly removed: readonly number[];
    /** Those that changed; absent for none. */
    readonly locks?: readonly StoredLocks[];
    /** Of each the log entry is copied into the history. */
    readonly history: readonly StoredHistory[];
    /** Requests up to this index are forgotten. */
    readonly forget: number;
  };
  /** Entries up to and with `base` go, after everything above. Not past the applied index. */
  readonly compact?: { readonly base: LogBase; readonly spec: StoredSpec | null };
  /**
   * Alone in its batch, but for `hardState`, `sealed`, `recovery`, and entries behind its base, which
   * take the place of those that are there.
   */
  readonly install?: DatabaseInstall;
  /** What the seal says of the members from now on: durable as the rest is. */
  readonly sealed?: SealedSpec;
  /** This replica lost something, or (null) is whole again. */
  readonly recovery?: StoredRecovery | null;
}

/** The newest committed description that a replica knows, kept apart from its database. */
export interface SealedSpec {
  /** Null: that of the node's identity. */
  readonly spec: StoredSpec | null;
  /** There was no newer description in the log. */
  readonly settled: boolean;
  /** Of a pair with a witness: this node may have committed what the other does not hold. */
  readonly alone: boolean;
}

/** A replica lost what it held: it has no vote until its peers have given it all back. */
export interface StoredRecovery {
  /** Drawn when the loss was noticed, not 0: tells one loss from the next. */
  readonly nonce: number;
  /** Term and vote are those that it had; else it may have promised what it does not know of. */
  readonly known: boolean;
  /** What was lost, for people. */
  readonly why: string;
}

/**
 * Why a database cannot be used. `damaged`: it is not what was written, `older`: it is a copy from
 * before, `gone`: there is none; in these cases {@link DatabasePort.renew} may follow. `newer`: a
 * newer version wrote it; `unwritable`: it cannot be written now.
 */
export type DamageKind = "damaged" | "older" | "gone" | "newer" | "unwritable";

/** A database that was not opened. */
export interface DatabaseDamage {
  /** In words. */
  readonly damaged: string;
  readonly kind: DamageKind;
  readonly rescued: Rescued;
}

/** What is known of a database that is lost. */
export interface Rescued {
  readonly term: number;
  readonly vote: number;
  /** Term and vote are the newest that it had. */
  readonly known: boolean;
  readonly sealed: SealedSpec | null;
}

/** What a database holds when it is opened. */
export interface DatabaseContent {
  readonly term: number;
  readonly vote: number;
  readonly diverged: boolean;
  readonly base: LogBase;
  readonly spec: StoredSpec | null;
  /** The log behind `base`. */
  readonly entries: readonly StoredEntry[];
  readonly applied: { readonly index: number; readonly term: number; readonly stateCrc: number };
  readonly rows: readonly StoredRow[];
  readonly requests: readonly StoredRequest[];
  readonly locks: readonly StoredLocks[];
  /** Null for a replica that is whole. */
  readonly recovery: StoredRecovery | null;
  readonly sealed: SealedSpec | null;
  /**
   * It is sound, and nothing proves that it is the newest: its seal is damaged, for this reason in
   * words. It stays so until a batch says what becomes of it (`recovery`, null or not).
   */
  readonly unproven?: string;
}

/** Which transactions are asked for: those above `from` and below `below`. */
export interface HistoryAsk {
  readonly below: number;
  readonly from: number;
  /** At most so many; one answer may have fewer. */
  readonly limit: number;
  /** With their undo records, which are the larger part; else these are null. */
  readonly undo: boolean;
  /** Else the newest come first. */
  readonly oldestFirst?: boolean;
}

/** One answer out of the history. */
export interface HistoryPage {
  /** In the order that was asked for. */
  readonly records: readonly HistoryRecord[];
  /** There are more: ask again, below the last of these. */
  readonly more: boolean;
  /** No transaction after this index is missing. */
  readonly since: number;
  /** The oldest transaction that is kept, whatever is asked for; null where there is none. */
  readonly oldest: number | null;
  /** Transactions in the range of this page that are damaged, and so not among its records. */
  readonly damaged?: readonly { readonly index: number; readonly why: string }[];
}

/** The durable side of stream 2. */
export interface DatabasePort {
  /** Opens (and makes) the database; damage is an error with the reason in words. */
  open(done: DatabaseOpened): Database;
  /**
   * Puts aside what is there, whole and under a name of its own, and opens an empty database that
   * remembers what is given. Of lost ones a few are kept; where there is no room for one more
   * nothing is changed, and that is the damage told.
   */
  renew(beginning: DatabaseBeginning, done: DatabaseOpened): Database;
}

/** What an opening ends in. */
export type DatabaseOpened = (result: DatabaseContent | DatabaseDamage) => void;

/** What a database that takes the place of a lost one begins with. */
export interface DatabaseBeginning {
  readonly term: number;
  readonly vote: number;
  readonly sealed: SealedSpec | null;
  readonly recovery: StoredRecovery;
}

/** What a verification ends in. */
export type VerifyDone = (report: VerifyReport | { readonly failure: string }) => void;

export interface Database {
  /** All of `batch`, durable, in order of the calls, before `done(null)`; `done(why)` on failure. */
  commit(batch: DatabaseBatch, done: (failure: string | null) => void): void;
  /**
   * Reads what is committed of the history; a text says why it cannot be read. Takes the disk for a
   * page at a time only, so that commits do not wait for it.
   */
  history(ask: HistoryAsk, done: (page: HistoryPage | { readonly failure: string }) => void): void;
  /**
   * Reads back and checks every row as of now, in slices between which commits go on. A text says
   * why it could not be done. One at a time.
   */
  verify(done: VerifyDone): void;
  close(): void;
}
