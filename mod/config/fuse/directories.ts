/** OPENDIR, READDIR, RELEASEDIR: a directory is read as it was when it was opened. @module */
import { ROOT_INO } from "../rows.ts";
import { fittingEntries } from "./encode.ts";
import type { Entry } from "./handles.ts";
import { type Findable, Nodes } from "./nodes.ts";
import { BUSY } from "./refusal.ts";
import type { DirectoryEntry, RequestOf } from "./requests.ts";
import { OK, type Shared } from "./shared.ts";
import { specialNamed, SPECIALS } from "./specials.ts";

/** Entries that are looked at for one reply: as many as the longest one (1 MiB) could hold. */
const LOOK_MAX = 32_768;

/** See the module's note. */
export class Directories {
  readonly #shared: Shared;

  constructor(shared: Shared) {
    this.#shared = shared;
  }

  open(request: RequestOf<"opendir">): void {
    const { calls, nodes, handles } = this.#shared;
    const ino = nodes.directory(request.node);
    if (ino === null) {
      return calls.refuse(request, nodes.find(request.node) === null ? "ESTALE" : "ENOTDIR");
    }
    const handle = handles.room ? handles.openDirectory(this.#snapshot(ino)) : null;
    if (handle === null) return calls.refuse(request, BUSY);
    calls.reply(request, { reply: "opened", handle, direct: false, keepCache: false });
  }

  read(request: RequestOf<"readdir">): void {
    const { calls, nodes, handles } = this.#shared;
    const entries = handles.entries(request.handle);
    if (entries === undefined) return calls.refuse(request, "EBADF");
    const found = entries.slice(request.offset, request.offset + LOOK_MAX)
      .flatMap((entry, at) => this.#entry(entry, request.offset + at + 1, request.plus));
    const shown = found.slice(0, fittingEntries(request, found));
    if (request.plus) {
      for (const { name, attributes } of shown) {
        if (name !== "." && name !== "..") nodes.count(attributes.node);
      }
    }
    calls.reply(request, { reply: "directory", entries: shown });
  }

  close(request: RequestOf<"releasedir">): void {
    const { calls, handles } = this.#shared;
    if (handles.closeDirectory(request.handle)) calls.reply(request, OK);
    else calls.refuse(request, "EBADF");
  }

  #snapshot(ino: number): Entry[] {
    const { nodes, parts } = this.#shared;
    const { view: rows } = parts.tree();
    const parent = rows.row(ino)?.parent ?? ROOT_INO;
    const entries: Entry[] = [];
    const add = (name: string, node: number, kind: Entry["kind"]) =>
      entries.push({ name, node, kind });
    add(".", Nodes.nodeOfDirectory(ino), "directory");
    add("..", Nodes.nodeOfDirectory(parent), "directory");
    if (ino === ROOT_INO) { for (const { name, node, kind } of SPECIALS) add(name, node, kind); }
    for (const [name, child] of [...rows.names(ino) ?? []].sort(([a], [b]) => a < b ? -1 : 1)) {
      const row = rows.row(child);
      const hidden = ino === ROOT_INO && specialNamed(name) !== undefined;
      if (row !== null && !hidden) add(name, nodes.nodeOf({ place: "row", row }), row.kind);
    }
    for (const { name, node } of nodes.pendingIn(ino)) add(name, node, "file");
    return entries;
  }

  /** One name as it is told. What is gone since is left out where its attributes are asked for. */
  #entry({ name, node, kind }: Entry, next: number, plus: boolean): DirectoryEntry[] {
    const { nodes, stat, parts } = this.#shared;
    if (plus && name !== "." && name !== "..") {
      const place = nodes.find(node);
      if (place === null || place.place === "orphan") return [];
      return [{ name, next, attributes: stat.of(place satisfies Findable) }];
    }
    const { gid } = parts;
    const none = { mode: 0, size: 0, links: 1, uid: 0, gid, mtime: 0, validMs: 0 };
    return [{ name, next, attributes: { node, kind, ...none } }];
  }
}
