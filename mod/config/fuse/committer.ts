/**
 * From writes to one transaction: what was written to an open file is committed when it is closed or
 * synced, whole, on top of the newest version of that inode.
 *
 * close(2) of one of several descriptors looks like that of the last one. A shell that redirects
 * opens the file, duplicates the descriptor and closes the first one before anything is written; so a
 * file that was only created or emptied is not committed by FLUSH but by RELEASE, when it is sure that
 * nothing more comes: else everybody would see the empty file in between.
 *
 * @module
 */
import { reason } from "../../base/reason.ts";
import type { Operation } from "../../streams.ts";
import type { MountParts } from "./context.ts";
import { Draft } from "./draft.ts";
import type { FlightResult, Flights, Plan } from "./flights.ts";
import type { Commit, Handles, OpenFile, Waiter } from "./handles.ts";
import type { Nodes } from "./nodes.ts";
import type { Notices } from "./notices.ts";
import { NO_QUORUM, UNKNOWN_OUTCOME } from "./refusal.ts";
import type { Stat } from "./stat.ts";

/** What this is made of. */
export interface CommitterParts {
  readonly parts: MountParts;
  readonly flights: Flights;
  readonly handles: Handles;
  readonly nodes: Nodes;
  readonly notices: Notices;
  readonly stat: Stat;
}

/** See the module's note. */
export class Committer {
  readonly #parts: CommitterParts;
  /** Node → those who wait until none of its commits is under way. */
  readonly #idle = new Map<number, (() => void)[]>();

  constructor(parts: CommitterParts) {
    this.#parts = parts;
  }

  /** FLUSH: commits what was written. `waiter` is told; returns how to take it back. */
  flush(file: OpenFile, waiter: Waiter): () => boolean {
    const bare = !file.draft.written && file.commit === null && file.broken === null;
    if (!bare) return this.commit(file, waiter);
    file.lost = this.#hasMore(file) && this.#parts.parts.frozen() !== null ? NO_QUORUM : null;
    waiter(file.lost);
    return () => true;
  }

  /** FSYNC: commits all, and be it that the file is created. */
  commit(file: OpenFile, waiter: Waiter): () => boolean {
    if (file.broken !== null) {
      waiter(file.broken);
      return () => true;
    }
    file.lost = null;
    file.waiting.push(waiter);
    this.#pump(file);
    return () => this.#withdraw(file, waiter);
  }

  /** RELEASE: what is left to commit is committed without anybody waiting for it. */
  release(file: OpenFile): void {
    file.closed = true;
    if (file.commit !== null && !file.commit.unknown) return;
    const left = file.broken === null && file.lost === null && file.commit === null;
    if (!left || !this.#hasMore(file)) return this.#dispose(file);
    this.commit(file, (errno) => {
      if (errno === null) return;
      const path = this.#pathOf(file);
      const because = reason("config.write-lost", { path, why: errno });
      this.#parts.parts.say(`${path} was closed, not committed`, because);
    });
  }

  /** True where a commit of a node is under way. */
  isCommitting(node: number): boolean {
    for (const file of this.#parts.handles.on(node)) {
      if (file.commit !== null && !file.commit.unknown) return true;
    }
    return false;
  }

  /** Calls back when the commits of a node that are under way have ended. */
  whenIdle(node: number, run: () => void): void {
    const waiting = this.#idle.get(node);
    if (waiting === undefined) this.#idle.set(node, [run]);
    else waiting.push(run);
  }

  #pump(file: OpenFile): void {
    const { flights } = this.#parts;
    if (file.commit !== null) {
      if (!file.commit.unknown || file.commit.flight === null) return;
      // Those who wait, wait for what was written since, too.
      file.commit.unknown = false;
      return flights.again(file.commit.flight);
    }
    const waiters = file.waiting.splice(0);
    if (file.draft.empty && !this.#isPending(file)) {
      for (const waiter of waiters) waiter(null);
      if (file.closed) this.#dispose(file);
      return this.#settled(file);
    }
    const commit: Commit = { draft: file.draft, waiters, flight: null, unknown: false };
    file.commit = commit;
    file.draft = new Draft();
    commit.flight = flights.start({
      caller: file.caller,
      plan: () => this.#plan(file, commit.draft),
      done: (result) => this.#done(file, commit, result),
      silent: () => true,
      retry: true,
    });
  }

  /** The draft as a transaction on what its inode is now. */
  #plan({ node, fenced }: OpenFile, draft: Draft): Plan {
    if (fenced) return { errno: "EIO" };
    const { nodes, parts } = this.#parts;
    const place = nodes.find(node);
    // An unlinked file's writes are nobody's business but its writer's (POSIX), where a program of
    // this node unlinked it. Another node's replacement may be older than the opening here: what is
    // written is not anywhere, and that is told (as NFS does).
    if (place === null || (place.place === "orphan" && place.foreign)) {
      return draft.empty ? "nothing" : { errno: "ESTALE" };
    }
    if (place.place === "orphan") return "nothing";
    const path = nodes.pathOf(place);
    if (path === null) return { errno: "ENOENT" };
    const pending = place.place === "pending";
    if (pending && parts.tree().find(path)?.kind === "directory") return { errno: "EISDIR" };
    const version = place.place === "row" ? place.row.version : 0;
    const base = this.#parts.stat.content(place) ?? new Uint8Array(0);
    const operations: Operation[] = [
      ...(pending ? [{ op: "create", path } as const] : []),
      ...draft.operations(path, base),
    ];
    return { expect: [{ path, version }], operations, reason: "written through the mount" };
  }

  #done(file: OpenFile, commit: Commit, result: FlightResult): void {
    if (file.commit !== commit) return;
    const waiters = commit.waiters.splice(0);
    if (result.result === "unknown") {
      commit.unknown = true;
      file.lost = UNKNOWN_OUTCOME;
      for (const waiter of [...waiters, ...file.waiting.splice(0)]) waiter(UNKNOWN_OUTCOME);
      if (file.closed) this.#dispose(file);
      return this.#settled(file);
    }
    file.commit = null;
    if (result.result === "done") {
      for (const waiter of waiters) waiter(null);
      const rest = file.closed && !file.draft.empty && file.lost === null;
      if (file.waiting.length > 0 || rest) return this.#pump(file);
    } else {
      this.#restore(file, commit);
      file.lost = result.errno;
      for (const waiter of [...waiters, ...file.waiting.splice(0)]) waiter(result.errno);
    }
    if (file.closed) this.#dispose(file);
    this.#settled(file);
  }

  /** What did not come into the log is still to be committed, if the program wants it. */
  #restore(file: OpenFile, commit: Commit): void {
    const { nodes, stat } = this.#parts;
    const base = stat.content(nodes.find(file.node)) ?? new Uint8Array(0);
    commit.draft.absorb(file.draft, base);
    file.draft = commit.draft;
  }

  /** The one who waited gives up. True where nothing of it is in a log. */
  #withdraw(file: OpenFile, waiter: Waiter): boolean {
    const queued = file.waiting.indexOf(waiter);
    if (queued >= 0) {
      // What it waits behind may be committed.
      file.waiting.splice(queued, 1);
      file.lost = UNKNOWN_OUTCOME;
      return false;
    }
    const { commit } = file;
    const at = commit?.waiters.indexOf(waiter) ?? -1;
    if (commit === null || at < 0) return true;
    commit.waiters.splice(at, 1);
    const alone = commit.waiters.length === 0 && commit.flight !== null;
    if (!alone || commit.flight === null || !this.#parts.flights.withdraw(commit.flight)) {
      return false;
    }
    file.commit = null;
    this.#restore(file, commit);
    file.lost = "EAGAIN";
    this.#settled(file);
    return true;
  }

  #settled({ node }: OpenFile): void {
    if (this.isCommitting(node)) return;
    const waiting = this.#idle.get(node) ?? [];
    this.#idle.delete(node);
    for (const run of waiting) run();
  }

  #dispose(file: OpenFile): void {
    const { handles, nodes, notices, flights } = this.#parts;
    if (file.commit?.flight) flights.forget(file.commit.flight);
    const dropped = !file.draft.empty || file.commit !== null || file.broken !== null;
    handles.close(file);
    const place = nodes.find(file.node);
    if (!handles.isOpen(file.node)) {
      if (place?.place === "pending") {
        const { directory, name } = place.pending;
        nodes.drop(place.pending, false);
        notices.gone(directory, name, file.node);
      }
      nodes.closed(file.node);
    }
    // The kernel may have kept pages and a size of what never came to be.
    if (dropped) notices.inode(file.node);
  }

  /** Something is to be committed that nobody wrote: a file that is created or emptied. */
  #hasMore(file: OpenFile): boolean {
    return !file.draft.empty || (file.creator && this.#isPending(file));
  }

  #isPending({ node }: OpenFile): boolean {
    return this.#parts.nodes.find(node)?.place === "pending";
  }

  #pathOf({ node }: OpenFile): string {
    const place = this.#parts.nodes.find(node);
    return (place && this.#parts.nodes.pathOf(place)) ?? `node ${node}`;
  }
}
