/** MKDIR, UNLINK, RMDIR, RENAME: what changes which names there are. @module */
import type { Operation } from "../../streams.ts";
import { inoOf } from "../tree.ts";
import type { Plan } from "./flights.ts";
import type { PendingFile, Place } from "./nodes.ts";
import { isLock, LOCKS, MANAGER_LOCK } from "./paths.ts";
import { BUSY } from "./refusal.ts";
import type { Errno, RequestOf } from "./requests.ts";
import { OK, type Shared } from "./shared.ts";

type Rename = RequestOf<"rename">;
type Removal = RequestOf<"unlink" | "rmdir">;
type Named = { readonly ino: number; readonly path: string };

/** See the module's note. */
export class Names {
  readonly #shared: Shared;

  constructor(shared: Shared) {
    this.#shared = shared;
  }

  mkdir(request: RequestOf<"mkdir">): void {
    const { calls, nodes, parts } = this.#shared;
    const named = this.#shared.named(request.node, request.name);
    if (typeof named === "string") return calls.refuse(request, named);
    const { path, ino } = named;
    const refused = this.#shared.frozen ??
      (nodes.lookup(ino, request.name) === null ? null : "EEXIST") ??
      this.#shared.whyNot(path, null) ?? (this.#shared.full ? "ENOSPC" : null);
    if (refused !== null) return calls.refuse(request, refused);
    this.#shared.transact(request, {
      plan: () => plan([{ op: "mkdir", path }], "a directory made through the mount"),
      retry: false,
      holds: [request.node],
      then: (index) => {
        const row = parts.tree().view.row(inoOf(index, 0));
        if (row === null) return { reply: "error", errno: "ENOENT" };
        return this.#shared.entry({ place: "row", row });
      },
    });
  }

  remove(request: Removal): void {
    const { calls, nodes, committer } = this.#shared;
    const { node, name } = request;
    const named = this.#shared.named(node, name);
    if (typeof named === "string") return calls.refuse(request, named);
    const place = nodes.lookup(named.ino, name);
    const refused = this.#whyNotRemove(request, place, named);
    if (refused !== null || place === null) return calls.refuse(request, refused ?? "ENOENT");
    if (place.place === "pending") {
      if (!committer.isCommitting(place.pending.node)) {
        nodes.drop(place.pending, true);
        return calls.reply(request, OK);
      }
      return this.#later(request, [node], place.pending, () => this.remove(request));
    }
    const { path } = named;
    const operation: Operation = { op: request.call === "unlink" ? "remove" : "rmdir", path };
    this.#shared.transact(request, {
      plan: () => plan([operation], "removed through the mount"),
      retry: false,
      holds: [node, ...this.#numberOf(place)],
      then: () => OK,
    });
  }

  rename(request: Rename): void {
    const { calls, nodes } = this.#shared;
    if (request.exchange) return calls.refuse(request, "EINVAL");
    const from = this.#shared.named(request.node, request.name);
    const to = this.#shared.named(request.directory, request.to);
    if (typeof from === "string") return calls.refuse(request, from);
    if (typeof to === "string") return calls.refuse(request, to);
    const source = nodes.lookup(from.ino, request.name);
    const target = nodes.lookup(to.ino, request.to);
    const refused = this.#whyNotRename(request, { source, target, from, to });
    if (refused !== null || source === null) return calls.refuse(request, refused ?? "ENOENT");
    if (from.path === to.path) return calls.reply(request, OK);
    if (source.place === "pending") return this.#renamePending(request, { source, target, to });
    if (target?.place === "pending" && this.#shared.committer.isCommitting(target.pending.node)) {
      return this.#later(
        request,
        this.#locked(request),
        target.pending,
        () => this.rename(request),
      );
    }
    const replaces = target?.place === "row" && target.row.kind === "directory";
    const operations: Operation[] = [
      ...(replaces ? [{ op: "rmdir", path: to.path } as const] : []),
      { op: "rename", path: from.path, to: to.path },
    ];
    const expect = request.noReplace ? [{ path: to.path, version: 0 }] : [];
    this.#shared.transact(request, {
      plan: () => ({ expect, operations, reason: "renamed through the mount" }),
      retry: false,
      holds: [...this.#locked(request), ...this.#numberOf(source), ...this.#numberOf(target)],
      then: () => OK,
    });
  }

  /** A file that is here only: it gets its other name here only, but it cannot displace what is not. */
  #renamePending(
    request: Rename,
    { source, target, to }: {
      source: Extract<Place, { place: "pending" }>;
      target: Place | null;
      to: Named;
    },
  ): void {
    const { calls, nodes, committer, handles } = this.#shared;
    const { pending } = source;
    const again = () => this.rename(request);
    for (const place of [source, target]) {
      if (place?.place === "pending" && committer.isCommitting(place.pending.node)) {
        return this.#later(request, this.#locked(request), place.pending, again);
      }
    }
    if (target?.place !== "row") {
      this.#displace(to, request.to);
      nodes.move(pending, to.ino, request.to);
      return calls.reply(request, OK);
    }
    // All that was written so far comes first, so that nobody sees the old one replaced by less.
    const call = calls.open(request, this.#locked(request));
    if (call === null) return;
    const files = [...handles.on(pending.node)];
    // Whoever comes first creates it, be it that only readers are left.
    const first = files.find((file) => file.creator) ?? files[0];
    const rest = files.filter((file) => file !== first && !file.draft.empty);
    const order = first === undefined ? [] : [first, ...rest];
    const next = (errno: Errno | null): void => {
      if (call.ended) return;
      if (errno !== null) return calls.fail(call, errno);
      const file = order.shift();
      if (file !== undefined) call.withdraw = committer.commit(file, next);
      else if (nodes.find(pending.node)?.place === "pending") calls.fail(call, BUSY);
      else calls.resume(call, again);
    };
    next(null);
  }

  /** Once nothing of a pending file is on its way, the request is looked at anew. */
  #later(
    request: Rename | Removal,
    holds: readonly number[],
    { node }: PendingFile,
    again: () => void,
  ): void {
    const call = this.#shared.calls.open(request, holds);
    if (call === null) return;
    call.withdraw = () => true;
    this.#shared.committer.whenIdle(node, () => this.#shared.calls.resume(call, again));
  }

  /** A pending file of a name that is given to another one: it is unlinked. */
  #displace({ ino }: Named, name: string): void {
    const { nodes, handles } = this.#shared;
    const pending = nodes.pendingNamed(ino, name);
    if (pending !== undefined) nodes.drop(pending, handles.isOpen(pending.node));
  }

  #whyNotRemove(request: Removal, place: Place | null, { path }: Named): Errno | null {
    if (place === null) return "ENOENT";
    if (place.place === "special") return "EACCES";
    if (this.#shared.frozen !== null) return this.#shared.frozen;
    const directory = isDirectory(place);
    if (request.call === "unlink") return directory ? "EISDIR" : null;
    if (!directory) return "ENOTDIR";
    if (path === MANAGER_LOCK) return "EBUSY";
    return this.#isEmpty(place) ? null : "ENOTEMPTY";
  }

  #whyNotRename(
    { noReplace }: Rename,
    { source, target, from, to }: {
      source: Place | null;
      target: Place | null;
      from: Named;
      to: Named;
    },
  ): Errno | null {
    if (source === null) return "ENOENT";
    if (source.place === "special" || target?.place === "special") return "EACCES";
    if (noReplace && target !== null) return "EEXIST";
    if (from.path === to.path) return null;
    const locks = [from.path, to.path].some((path) => path === LOCKS || isLock(path));
    if (locks && isDirectory(source)) return "EACCES";
    if (this.#shared.frozen !== null) return this.#shared.frozen;
    if (isDirectory(source) && !this.#isEmpty(source)) return "ENOTEMPTY";
    if (to.path.startsWith(`${from.path}/`)) return "EINVAL";
    if (target !== null && isDirectory(target) !== isDirectory(source)) {
      return isDirectory(target) ? "EISDIR" : "ENOTDIR";
    }
    if (target !== null && isDirectory(target) && !this.#isEmpty(target)) return "ENOTEMPTY";
    return this.#shared.whyNot(to.path, source.place === "row" ? source.row.ino : null);
  }

  #isEmpty(place: Place): boolean {
    if (place.place !== "row") return true;
    const { ino } = place.row;
    const pending = [...this.#shared.nodes.pendingIn(ino)].length;
    return (this.#shared.parts.tree().view.names(ino)?.size ?? 0) + pending === 0;
  }

  #locked({ node, directory }: Rename): number[] {
    return node === directory ? [node] : [node, directory];
  }

  #numberOf(place: Place | null): number[] {
    return place === null || place.place === "orphan" ? [] : [this.#shared.nodes.nodeOf(place)];
  }
}

function isDirectory(place: Place): boolean {
  return place.place === "row" && place.row.kind === "directory";
}

function plan(operations: readonly Operation[], reason: string): Plan {
  return { expect: [], operations, reason };
}
