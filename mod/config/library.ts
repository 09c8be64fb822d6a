/** Reading the replicated tree and its history: for the API, never for a decision. @module */
import type { DatabaseContent, StoredRow } from "../host/ports.ts";
import { type NodeId, nodeId } from "../base/id.ts";
import type { Outcome } from "../streams.ts";
import type { Log } from "./log.ts";
import { diffOf } from "./proposals.ts";
import type { Tree } from "./tree.ts";
import { decodeEntry } from "./wire.ts";

/** A file or directory. */
export interface PathStat {
  readonly path: string;
  readonly kind: "file" | "directory";
  readonly size: number;
  readonly version: number;
  readonly mtime: number;
  readonly writer: NodeId;
}

/** One applied transaction; `txn_id` is its log index. */
export interface HistoryLine {
  readonly txn_id: number;
  readonly term: number;
  readonly author: string;
  readonly reason: string;
  readonly time: number;
  readonly diff: readonly string[];
  /** Null where it succeeded, else why not. */
  readonly problem: string | null;
}

/** See the module's note. */
export class Library {
  readonly #tree: Tree;
  readonly #log: Log;
  /** Log index → problem code of the transactions that failed. */
  readonly #failed = new Map<number, string>();
  /** Request id → log index of its first entry; later ones changed nothing. */
  readonly #first = new Map<string, number>();

  constructor(tree: Tree, log: Log, stored: DatabaseContent) {
    this.#tree = tree;
    this.#log = log;
    for (const { index, request, problem } of stored.history) {
      this.#first.set(request, index);
      if (problem !== "") this.#failed.set(index, problem);
    }
  }

  /** An entry was applied with this outcome. */
  note(index: number, request: string | null, outcome: Outcome): void {
    if (request !== null && !this.#first.has(request)) this.#first.set(request, index);
    if (!outcome.ok) this.#failed.set(index, outcome.problem.code);
  }

  read(path: string): Uint8Array | null {
    const row = this.#tree.find(path);
    return row?.kind === "file" ? row.data : null;
  }

  stat(path: string): PathStat | null {
    const row = this.#tree.find(path);
    return row === null ? null : statOf(path, row);
  }

  list(path: string): readonly PathStat[] | null {
    const prefix = path === "" ? "" : `${path}/`;
    const rows = this.#tree.children(path);
    return rows && rows.map((row) => statOf(prefix + row.name, row));
  }

  history(limit: number, path: string | null, applied: number): readonly HistoryLine[] {
    const lines: HistoryLine[] = [];
    for (let index = applied; index >= 1 && lines.length < limit; index--) {
      const stored = this.#log.at(index);
      const entry = stored === undefined ? null : decodeEntry(stored.body);
      if (stored === undefined || entry?.kind !== "transaction") continue;
      const { operations, author, reason, time, request } = entry.transaction;
      // A retry that came through twice: its second entry was answered with the first's outcome.
      if ((this.#first.get(request) ?? index) < index) continue;
      const touches = operations.some((each) =>
        each.path === path || (each.op === "rename" && each.to === path)
      );
      if (path !== null && !touches) continue;
      const problem = this.#failed.get(index) ?? null;
      const diff = diffOf(entry.transaction);
      lines.push({ txn_id: index, term: stored.term, author, reason, time, diff, problem });
    }
    return lines;
  }
}

function statOf(path: string, row: StoredRow): PathStat {
  const { kind, data, version, mtime, writer } = row;
  return { path, kind, size: data.length, version, mtime, writer: nodeId(writer) };
}
