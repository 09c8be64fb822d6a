/** LOOKUP, GETATTR, SETATTR, ACCESS, READLINK. @module */
import type { Operation } from "../../streams.ts";
import { FILE_BYTES_MAX } from "../wire.ts";
import type { Files } from "./files.ts";
import type { Plan } from "./flights.ts";
import type { OpenFile } from "./handles.ts";
import { VALID_MS } from "./limits.ts";
import type { Place } from "./nodes.ts";
import { isLock, MANAGER_LOCK } from "./paths.ts";
import type { Errno, RequestOf, SetAttributes } from "./requests.ts";
import { OK, type Shared } from "./shared.ts";
import { DEBUG_NODE } from "./specials.ts";

type SetAttr = RequestOf<"setattr">;
type Row = Extract<Place, { place: "row" }>;
/** W_OK of access(2). */
const WRITE_MASK = 2;

/** The bits of a mode that let in anybody but the owner, who is root and comes in anyway. */
const OTHERS = 0o077;

/** See the module's note. */
export class AttributeCalls {
  readonly #shared: Shared;
  readonly #files: Files;

  constructor(shared: Shared, files: Files) {
    this.#shared = shared;
    this.#files = files;
  }

  lookup(request: RequestOf<"lookup">): void {
    const { calls, nodes } = this.#shared;
    const named = this.#shared.named(request.node, request.name);
    if (typeof named === "string") return calls.refuse(request, named);
    const place = nodes.lookup(named.ino, request.name);
    if (place === null) {
      return calls.reply(request, { reply: "absent", validMs: VALID_MS });
    }
    calls.reply(request, this.#shared.entry(place));
  }

  getattr(request: RequestOf<"getattr">): void {
    const { calls, nodes, handles, stat } = this.#shared;
    const { node, handle } = request;
    const file = handle === null ? null : handles.file(handle, node) ?? null;
    const place = nodes.find(node);
    if (place?.place === "orphan") {
      const opened = file ?? [...handles.on(node)][0];
      return opened === undefined
        ? calls.refuse(request, "ESTALE")
        : calls.reply(request, { reply: "attributes", attributes: stat.ofOrphan(opened, place) });
    }
    if (place === null) return calls.refuse(request, "ESTALE");
    calls.reply(request, { reply: "attributes", attributes: stat.of(place, file) });
  }

  setattr(request: SetAttr): void {
    const { calls, nodes, handles } = this.#shared;
    const { node, set, handle } = request;
    const place = nodes.find(node);
    if (place === null) return calls.refuse(request, "ESTALE");
    const refused = this.#whyNotOwn(request, place);
    if (refused !== null) return calls.refuse(request, refused);
    // An access time alone is nobody's business: it is shown as the time of the last change.
    if (set.size === undefined && set.mtime === undefined) return this.#done(request);
    const file = handle === null ? undefined : handles.file(handle, node);
    if (place.place === "special") {
      return node === DEBUG_NODE ? this.#done(request) : calls.refuse(request, "EACCES");
    }
    const closed = place.place === "root" || this.#shared.isDecided(place);
    if (closed) return calls.refuse(request, "EACCES");
    if (this.#shared.frozen !== null) return calls.refuse(request, this.#shared.frozen);
    if (place.place === "row" && place.row.kind === "directory") {
      return this.#setDirectory(request, place);
    }
    if (set.size !== undefined && set.size > FILE_BYTES_MAX) return calls.refuse(request, "EFBIG");
    if (place.place !== "row" || (file?.flags.write && set.size !== undefined)) {
      return this.#draft(request, file ?? handles.writer(node) ?? [...handles.on(node)][0]);
    }
    // Who sets the time of what is being written (cp -p) means the time that it shall have then.
    const writer = file?.draft.written ? file : handles.writer(node);
    if (set.size === undefined && writer !== undefined) return this.#draft(request, writer);
    this.#transact(request, place);
  }

  access(request: RequestOf<"access">): void {
    const { calls, nodes, stat, parts } = this.#shared;
    const { caller, mask } = request;
    const place = nodes.find(request.node);
    if (place === null) return calls.refuse(request, "ESTALE");
    const writes = (mask & WRITE_MASK) !== 0;
    const special = place.place === "special" && place.special.kind === "file";
    if (writes && !special && this.#shared.frozen !== null) {
      return calls.refuse(request, this.#shared.frozen);
    }
    const shift = caller.uid === 0 ? 6 : caller.gid === parts.gid ? 3 : 0;
    const allowed = caller.uid === 0 || ((stat.mode(place) >> shift) & mask & 7) === (mask & 7);
    calls.reply(request, allowed ? OK : { reply: "error", errno: "EACCES" });
  }

  readlink(request: RequestOf<"readlink">): void {
    const { calls, nodes, texts } = this.#shared;
    const place = nodes.find(request.node);
    if (place?.place !== "special" || place.special.kind !== "link") {
      return calls.refuse(request, place === null ? "ESTALE" : "EINVAL");
    }
    calls.reply(request, { reply: "data", data: texts.render(place.special) });
  }

  /**
   * Modes and owners follow from the path. To "set" a mode is fine where group and others get no more
   * than was asked for, so `cp -a`, `rsync -a` and `tar` are content; a mode that would have to keep
   * somebody out whom the path lets in is refused, for a secret would seem safe. But not of a file
   * that is being written: mkstemp(3) asks for 0600 there, and for the true mode when it is whole.
   */
  #whyNotOwn({ node, set: { mode, uid, gid } }: SetAttr, place: Place): Errno | null {
    const { stat, parts, handles } = this.#shared;
    const writing = [...handles.on(node)].some(({ flags }) => flags.write);
    const fits = mode === undefined || writing || (stat.ownMode(place) & ~mode & OTHERS) === 0;
    const owner = uid === undefined || uid === 0;
    const group = gid === undefined || gid === 0 || gid === parts.gid;
    return fits && owner && group ? null : "EPERM";
  }

  #done(request: SetAttr): void {
    const { calls, nodes, stat, handles } = this.#shared;
    const place = nodes.find(request.node);
    const file = request.handle === null ? undefined : handles.file(request.handle, request.node);
    if (place?.place === "orphan") {
      const opened = file ?? [...handles.on(request.node)][0];
      if (opened === undefined) return calls.refuse(request, "ESTALE");
      return calls.reply(request, {
        reply: "attributes",
        attributes: stat.ofOrphan(opened, place),
      });
    }
    if (place === null) return calls.refuse(request, "ESTALE");
    calls.reply(request, { reply: "attributes", attributes: stat.of(place, file ?? null) });
  }

  /** With what is written through a handle, when that is committed. */
  #draft(request: SetAttr, file: OpenFile | undefined): void {
    const { calls } = this.#shared;
    if (file === undefined) return calls.refuse(request, "ESTALE");
    const { size, mtime } = request.set;
    if (size !== undefined) {
      const refused = this.#files.truncate(file, size);
      if (refused !== null) return calls.refuse(request, refused);
    }
    if (mtime !== undefined) file.draft.touch(this.#seconds(mtime));
    this.#done(request);
  }

  /** By itself. What others have written to their handles and not committed is cut too. */
  #transact(request: SetAttr, { row }: Row): void {
    const { nodes, handles, stat } = this.#shared;
    const { size } = request.set;
    const { node } = request;
    const answer = () => {
      const place = nodes.find(node);
      if (place === null || place.place === "orphan") {
        return { reply: "error", errno: "ESTALE" } as const;
      }
      for (const file of handles.on(node)) {
        if (size !== undefined && !file.draft.empty) this.#files.truncate(file, size);
      }
      return { reply: "attributes", attributes: stat.of(place) } as const;
    };
    this.#shared.transact(request, {
      plan: () => this.#plan(row.ino, request.set),
      retry: true,
      holds: [node],
      then: answer,
    });
  }

  #plan(ino: number, { size, mtime }: SetAttributes): Plan {
    const { view: rows } = this.#shared.parts.tree();
    const row = rows.row(ino);
    const path = rows.pathOf(ino);
    if (row === null || path === null) return { errno: "ESTALE" };
    const operations: Operation[] = [];
    if (size !== undefined) operations.push({ op: "truncate", path, size });
    const named = size === undefined || typeof mtime === "number";
    if (mtime !== undefined && named) {
      operations.push({ op: "utime", path, mtime: this.#seconds(mtime) });
    }
    const reason = size === undefined ? "time set through the mount" : "cut through the mount";
    return { expect: [{ path, version: row.version }], operations, reason };
  }

  #setDirectory(request: SetAttr, place: Row): void {
    const { calls, nodes, parts } = this.#shared;
    const { size, mtime } = request.set;
    if (size !== undefined) return calls.refuse(request, "EISDIR");
    const path = nodes.pathOf(place) ?? "";
    if (isLock(path)) {
      if (path === MANAGER_LOCK) return calls.refuse(request, "EBUSY");
      if (mtime === 0) {
        parts.unlock(path, place.row.version);
        return this.#done(request);
      }
      if (place.row.writer !== parts.self) return calls.refuse(request, "EACCES");
    }
    this.#transact(request, place);
  }

  #seconds(time: number | "now"): number {
    const { parts, clock } = this.#shared;
    return time === "now" ? parts.wallSeconds(clock.now) : Math.max(0, Math.floor(time));
  }
}
