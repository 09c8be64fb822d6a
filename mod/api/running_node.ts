/**
 * What the API and the CLI know of a running node: this interface and nothing else. The daemon
 * implements it; tests of the API do too.
 *
 * @module
 */
import type { TimingRow } from "../base/timing.ts";
import type { EventLine, StatusDocument } from "../node/view.ts";
import type { Operation, Outcome } from "../streams.ts";
import type { MembershipNode } from "./membership_node.ts";

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
}

export interface JoinAsk {
  readonly ticket: string;
  readonly disk: string | null;
}

/** A running daemon, member of a cluster or not. Refusals are ProblemErrors. */
export interface RunningNode extends MembershipNode {
  status(): StatusDocument;
  /** Everything the streams show: `heartbeat show`, `storage show`, HA scores. Plain JSON. */
  streamView(stream: "heartbeat" | "config" | "ha" | "storage"): unknown;
  timing(): readonly TimingRow[];
  entry(path: string): TreeEntry | null;
  read(path: string): Uint8Array | null;
  /** Children of a directory; null where there is none. */
  list(path: string): readonly TreeEntry[] | null;
  /** Applied transactions, the newest first; of one path if it is named. */
  history(limit: number, path: string | null): Promise<readonly HistoryEntry[]>;
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
  leave(): Promise<void>;
  /** A one-time ticket, valid for `minutes`. */
  newTicket(minutes: number): Promise<string>;
  confirmDead(node: string): Promise<void>;
  formatDisk(
    path: string,
    commit: boolean,
  ): Promise<{ readonly uuid: string; readonly found: string }>;
  /** Stops the daemon in order: resources stop first. */
  shutdown(): Promise<void>;
}
