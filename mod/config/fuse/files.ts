/**
 * OPEN, CREATE, READ, WRITE, FLUSH, FSYNC, RELEASE, FALLOCATE.
 *
 * All of it goes past the kernel's pages. They and the size of the inode are one for all who have it
 * open: a writer that empties the file would empty it for everybody on this host at once.
 *
 * @module
 */
import { inoOf } from "../tree.ts";
import { FILE_BYTES_MAX } from "../wire.ts";
import type { OpenFile } from "./handles.ts";
import { BUFFERED_BYTES_MAX } from "./limits.ts";
import type { LockCalls } from "./locks.ts";
import type { Findable, Place } from "./nodes.ts";
import { BUSY, UNKNOWN_OUTCOME } from "./refusal.ts";
import type { Errno, FuseReply, RequestOf } from "./requests.ts";
import { OK, type Shared } from "./shared.ts";
import { DEBUG_NODE } from "./specials.ts";

const EMPTY = new Uint8Array(0);

/** See the module's note. */
export class Files {
  readonly #shared: Shared;
  readonly #locks: LockCalls;

  constructor(shared: Shared, locks: LockCalls) {
    this.#shared = shared;
    this.#locks = locks;
  }

  open(request: RequestOf<"open">): void {
    const { calls, nodes } = this.#shared;
    const place = nodes.find(request.node);
    const refused = this.#whyNotOpen(place, request);
    if (refused !== null || place === null) return calls.refuse(request, refused ?? "ESTALE");
    const file = this.#open(request.node, place, { request, creator: false });
    calls.reply(request, { reply: "opened", handle: file.id, direct: true, keepCache: false });
  }

  create(request: RequestOf<"create">): void {
    const { calls, nodes, parts, clock, handles } = this.#shared;
    const { name, flags } = request;
    const named = this.#shared.named(request.node, name);
    if (typeof named === "string") return calls.refuse(request, named);
    const { frozen } = this.#shared;
    if (frozen !== null) return calls.refuse(request, frozen);
    const found = nodes.lookup(named.ino, name);
    if (found !== null) {
      const refused = flags.exclusive ? "EEXIST" : this.#whyNotOpen(found, request);
      if (refused !== null) return calls.refuse(request, refused);
      return calls.reply(request, this.#created(request, found, false));
    }
    const refused = this.#shared.whyNot(named.path, null) ??
      (this.#shared.full ? "ENOSPC" : handles.room ? null : BUSY);
    if (refused !== null) return calls.refuse(request, refused);
    if (flags.exclusive) return this.#createAlone(request, named.path);
    const mtime = parts.wallSeconds(clock.now);
    const pending = nodes.create(named.ino, name, mtime);
    calls.reply(request, this.#created(request, { place: "pending", pending }, true));
  }

  read(request: RequestOf<"read">): void {
    const { calls, handles } = this.#shared;
    const { handle, node, offset, size } = request;
    const file = handles.file(handle, node);
    if (file === undefined) return calls.refuse(request, "EBADF");
    const content = file.text ?? this.#content(file, offset);
    if (content === null) return calls.refuse(request, "ESTALE");
    const data = content.subarray(offset, offset + size);
    file.readTo = offset + data.length;
    if (data.length === 0) handles.pin(file, null);
    calls.reply(request, { reply: "data", data });
  }

  write(request: RequestOf<"write">): void {
    const { calls, handles, clock, parts, texts } = this.#shared;
    const { handle, node, offset, data } = request;
    const file = handles.file(handle, node);
    if (file === undefined || !file.flags.write) return calls.refuse(request, "EBADF");
    const written: FuseReply = { reply: "written", size: data.length };
    if (file.text !== null) {
      const errno = node === DEBUG_NODE ? texts.setDebug(data) : "EACCES";
      return errno === null ? calls.reply(request, written) : calls.refuse(request, errno);
    }
    const base = this.#base(file);
    const end = file.flags.append
      ? file.draft.length(base.length) + data.length
      : offset + data.length;
    const refused = file.broken ?? this.#shared.frozen ?? this.#whyNotGrow(file, base, end) ??
      (handles.buffered() + data.length > BUFFERED_BYTES_MAX ? BUSY : null);
    if (refused !== null) {
      // What follows would be committed without this part.
      file.broken = refused;
      return calls.refuse(request, refused);
    }
    if (file.flags.append) file.draft.append(data, base);
    else file.draft.write(offset, data, base);
    handles.touch(file, parts.wallSeconds(clock.now));
    calls.reply(request, written);
  }

  /** Only what lengthens a file: nothing here has holes to punch. */
  fallocate(request: RequestOf<"fallocate">): void {
    const { calls, handles, clock, parts } = this.#shared;
    const { handle, node, offset, length, mode } = request;
    const file = handles.file(handle, node);
    if (file === undefined || !file.flags.write) return calls.refuse(request, "EBADF");
    if (mode !== 0 || file.text !== null) return calls.refuse(request, "EOPNOTSUPP");
    const base = this.#base(file);
    const end = offset + length;
    const refused = this.#shared.frozen ?? this.#whyNotGrow(file, base, end);
    if (refused !== null) return calls.refuse(request, refused);
    if (end > file.draft.length(base.length)) {
      file.draft.truncate(end, base);
      handles.touch(file, parts.wallSeconds(clock.now));
    }
    calls.reply(request, OK);
  }

  /** ftruncate(2): with what else is written through this handle. */
  truncate(file: OpenFile, size: number): Errno | null {
    const { handles, parts, clock } = this.#shared;
    const base = this.#base(file);
    const refused = this.#shared.frozen ?? this.#whyNotGrow(file, base, size);
    if (refused !== null) return refused;
    file.draft.truncate(size, base);
    handles.touch(file, parts.wallSeconds(clock.now));
    return null;
  }

  flush(request: RequestOf<"flush" | "fsync" | "fsyncdir">): void {
    const { calls, handles, committer } = this.#shared;
    const { node, handle, call: kind } = request;
    const file = handles.file(handle, node);
    if (file === undefined) return calls.refuse(request, "EBADF");
    const idle = file.text !== null || (!file.flags.write && file.draft.empty);
    // Whichever descriptor is closed, all that its process has locked of the file is free (POSIX).
    const owner = kind === "flush" ? { type: "posix", owner: request.owner } as const : null;
    const locked = owner !== null && this.#locks.owns(node, owner);
    if (idle && !locked) return calls.reply(request, OK);
    const call = calls.open(request, kind === "fsync" ? [node] : []);
    if (call === null) {
      file.lost = BUSY;
      if (owner !== null) this.#locks.returner(node, owner)();
      return;
    }
    const waiter = (errno: Errno | null): void => {
      const reply: FuseReply = errno === null ? OK : { reply: "error", errno };
      if (owner === null || !locked) return calls.end(call, reply);
      if (errno !== null) file.broken ??= errno;
      call.withdraw = () => true;
      call.late = reply;
      this.#locks.returner(node, owner)(() => calls.end(call, reply));
      if (this.#shared.frozen !== null) calls.end(call, reply);
    };
    if (idle) return waiter(null);
    // What was only emptied is committed too, while it is still locked.
    const withdraw = kind === "flush" && !locked
      ? committer.flush(file, waiter)
      : committer.commit(file, waiter);
    if (call.late === null) {
      call.withdraw = () => {
        const undone = withdraw();
        // Nobody will be told any more: what was locked must not stay so.
        if (owner !== null && locked) waiter(undone ? BUSY : UNKNOWN_OUTCOME);
        return undone;
      };
    }
  }

  release(request: RequestOf<"release">): void {
    const { calls, handles, committer } = this.#shared;
    const file = handles.file(request.handle, request.node);
    if (file === undefined) return calls.refuse(request, "EBADF");
    calls.reply(request, OK);
    const { flockOwner, node } = request;
    const owner = { type: "flock", owner: flockOwner ?? 0n } as const;
    const giveBack = this.#locks.returner(node, owner);
    committer.release(file);
    if (flockOwner === null) return;
    if (committer.isCommitting(node)) committer.whenIdle(node, giveBack);
    else giveBack();
  }

  /** O_EXCL: exclusive in the whole cluster, so it is created at once and not when it is closed. */
  #createAlone(request: RequestOf<"create">, path: string): void {
    const { parts } = this.#shared;
    this.#shared.transact(request, {
      plan: () => ({
        ...{ expect: [], operations: [{ op: "create", path }] },
        reason: "created through the mount, exclusively",
      }),
      retry: false,
      holds: [request.node],
      then: (index) => {
        const row = parts.tree().view.row(inoOf(index, 0));
        if (row === null) return { reply: "error", errno: "ENOENT" };
        return this.#created(request, { place: "row", row }, false);
      },
    });
  }

  #created(
    request: RequestOf<"create">,
    place: Findable,
    creator: boolean,
  ): FuseReply {
    const { nodes, stat } = this.#shared;
    const node = nodes.nodeOf(place);
    nodes.count(node);
    const file = this.#open(node, place, { request, creator });
    return { reply: "created", attributes: stat.of(place, file), handle: file.id, direct: true };
  }

  #open(
    node: number,
    place: Place,
    { request, creator }: { request: RequestOf<"open" | "create">; creator: boolean },
  ): OpenFile {
    const { handles, texts, parts, clock } = this.#shared;
    const { flags, caller } = request;
    const text = place.place === "special" ? texts.render(place.special) : null;
    const file = handles.open(node, { flags, caller, creator, text });
    if (flags.truncate && text === null) {
      file.draft.clear();
      handles.touch(file, parts.wallSeconds(clock.now));
    }
    return file;
  }

  #whyNotOpen(place: Place | null, { flags }: RequestOf<"open" | "create">): Errno | null {
    const writes = flags.write || flags.truncate;
    if (place === null || place.place === "orphan") return "ESTALE";
    if (place.place === "root") return "EISDIR";
    if (place.place === "special") {
      if (place.special.kind === "link") return "EINVAL";
      if (writes && place.special.node !== DEBUG_NODE) return "EACCES";
    } else {
      if (place.place === "row" && place.row.kind === "directory") return "EISDIR";
      if (writes && this.#shared.isDecided(place)) return "EACCES";
      if (writes && this.#shared.frozen !== null) return this.#shared.frozen;
    }
    return this.#shared.handles.room ? null : BUSY;
  }

  /**
   * What is read through a handle. Whoever reads on where the last read ended gets on with the same
   * version up to its end, so that a file that is replaced meanwhile is read whole, the old or the
   * new one.
   */
  #content(file: OpenFile, offset: number): Uint8Array | null {
    const { stat, handles, nodes } = this.#shared;
    const content = stat.view(file);
    const plain = file.draft.empty && file.commit === null;
    if (!plain || content === null || nodes.find(file.node)?.place === "pending") return content;
    if (offset !== file.readTo || file.pin === null) handles.pin(file, content);
    return file.pin ?? content;
  }

  /** The file as it is without this handle's draft. */
  #base(file: OpenFile): Uint8Array {
    const { stat, nodes } = this.#shared;
    const content = stat.content(nodes.find(file.node)) ?? EMPTY;
    return file.commit === null ? content : file.commit.draft.view(content);
  }

  /** Why a file cannot be so long. */
  #whyNotGrow(file: OpenFile, base: Uint8Array, end: number): Errno | null {
    if (end > FILE_BYTES_MAX) return "EFBIG";
    if (end <= file.draft.length(base.length)) return null;
    const { nodes, stat, parts } = this.#shared;
    const tree = parts.tree();
    const place = nodes.find(file.node);
    if (place?.place === "orphan") return null;
    const others = tree.bytes - (place?.place === "row" ? stat.content(place)?.length ?? 0 : 0);
    return others + end > tree.limits.bytes ? "ENOSPC" : null;
  }
}
