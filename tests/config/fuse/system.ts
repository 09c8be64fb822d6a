/** Programs of one node: system calls by path, as the kernel makes requests of them. */
import assert from "node:assert/strict";
import type {
  Attributes,
  FuseCall,
  FuseReply,
  OpenFlags,
} from "../../../mod/config/fuse/requests.ts";
import { type Seat, word } from "./bench.ts";

export const READ: OpenFlags = {
  ...{ read: true, write: false, truncate: false, append: false, exclusive: false },
};
export const WRITE: OpenFlags = { ...READ, read: false, write: true };
export const CUT: OpenFlags = { ...WRITE, truncate: true };

/** An open file of a program. */
export interface Fd {
  readonly node: number;
  readonly handle: number;
}

/** Programs of one node: system calls by path, each answered with a value or an error's name. */
export class System {
  readonly seat: Seat;

  constructor(seat: Seat) {
    this.seat = seat;
  }

  /** The attributes of what is at a path, as LOOKUP after LOOKUP finds them. */
  stat(path: string): Attributes | string {
    let node = 1;
    let found: Attributes | string = this.#attributes(this.seat.call(1, getattr()));
    for (const name of path.split("/").filter((each) => each !== "")) {
      const reply = this.seat.call(node, { call: "lookup", name });
      if (reply.reply !== "entry") return reply.reply === "error" ? reply.errno : "ENOENT";
      found = reply.attributes;
      node = reply.attributes.node;
    }
    return found;
  }

  node(path: string): number {
    const found = this.stat(path);
    assert.ok(typeof found !== "string", `"${path}": ${JSON.stringify(found)}`);
    return found.node;
  }

  fstat(fd: Fd): Attributes | string {
    return this.#attributes(this.seat.call(fd.node, { call: "getattr", handle: fd.handle }));
  }

  /** open(2): CREATE where the name is not there and is to be. */
  open(path: string, flags: OpenFlags, create = false): Fd | string {
    const found = this.stat(path);
    if (typeof found !== "string") {
      if (create && flags.exclusive) return "EEXIST";
      if (found.kind === "link") return "ELOOP";
      const reply = this.seat.call(found.node, { call: "open", flags });
      if (reply.reply === "error") return reply.errno;
      assert.equal(reply.reply, "opened");
      return reply.reply === "opened" ? { node: found.node, handle: reply.handle } : "?";
    }
    if (!create || found !== "ENOENT") return found;
    const { directory, name } = split(path);
    const parent = this.stat(directory);
    if (typeof parent === "string") return parent;
    const reply = this.seat.call(parent.node, { call: "create", name, flags, mode: 0o777 });
    if (reply.reply === "error") return reply.errno;
    assert.equal(reply.reply, "created");
    if (reply.reply !== "created") return "?";
    return { node: reply.attributes.node, handle: reply.handle };
  }

  opened(path: string, flags: OpenFlags, create = false): Fd {
    const fd = this.open(path, flags, create);
    assert.ok(typeof fd !== "string", `open of "${path}": ${JSON.stringify(fd)}`);
    return fd;
  }

  read({ node, handle }: Fd, offset = 0, size = 1 << 20): string {
    const reply = this.seat.call(node, { call: "read", handle, offset, size });
    if (reply.reply === "error") return reply.errno;
    assert.equal(reply.reply, "data");
    return reply.reply === "data" ? new TextDecoder().decode(reply.data) : "?";
  }

  write({ node, handle }: Fd, text: string | Uint8Array, offset = 0): string {
    const data = typeof text === "string" ? new TextEncoder().encode(text) : text;
    return word(this.seat.call(node, { call: "write", handle, offset, data }));
  }

  flush({ node, handle }: Fd): string {
    return word(this.seat.call(node, { call: "flush", handle, owner: 1n }));
  }

  fsync({ node, handle }: Fd): string {
    return word(this.seat.call(node, { call: "fsync", handle }));
  }

  release({ node, handle }: Fd): string {
    return word(this.seat.call(node, { call: "release", handle, flockOwner: null }));
  }

  /** close(2) of the only descriptor. */
  close(fd: Fd): string {
    const flushed = this.flush(fd);
    this.release(fd);
    return flushed;
  }

  truncate(path: string, size: number): string {
    const set = { size, mtime: "now" } as const;
    return word(this.seat.call(this.node(path), { call: "setattr", handle: null, set }));
  }

  utime(path: string, mtime: number | "now"): string {
    return word(this.seat.call(this.node(path), { call: "setattr", handle: null, set: { mtime } }));
  }

  chmod(path: string, mode: number): string {
    return word(this.seat.call(this.node(path), { call: "setattr", handle: null, set: { mode } }));
  }

  chown(path: string, owner: { uid?: number; gid?: number }): string {
    return word(this.seat.call(this.node(path), { call: "setattr", handle: null, set: owner }));
  }

  mkdir(path: string): string {
    const { directory, name } = split(path);
    return word(this.seat.call(this.node(directory), { call: "mkdir", name, mode: 0o777 }));
  }

  unlink(path: string, call: "unlink" | "rmdir" = "unlink"): string {
    const { directory, name } = split(path);
    return word(this.seat.call(this.node(directory), { call, name }));
  }

  rmdir(path: string): string {
    return this.unlink(path, "rmdir");
  }

  rename(
    path: string,
    to: string,
    flags: { noReplace?: boolean; exchange?: boolean } = {},
  ): string {
    return word(this.seat.call(this.node(split(path).directory), this.renameCall(path, to, flags)));
  }

  renameCall(
    path: string,
    to: string,
    { noReplace = false, exchange = false }: { noReplace?: boolean; exchange?: boolean } = {},
  ): FuseCall {
    const directory = this.node(split(to).directory);
    const names = { name: split(path).name, to: split(to).name };
    return { call: "rename", directory, ...names, noReplace, exchange };
  }

  list(path: string): string[] | string {
    const opened = this.seat.call(this.node(path), { call: "opendir" });
    if (opened.reply !== "opened") return word(opened);
    const { handle } = opened;
    const names: string[] = [];
    for (let offset = 0;;) {
      const reply = this.seat.call(this.node(path), {
        ...{ call: "readdir", handle, offset, size: 4096, plus: false },
      });
      if (reply.reply !== "directory") return word(reply);
      const last = reply.entries.at(-1);
      if (last === undefined) break;
      names.push(...reply.entries.map((each) => each.name));
      offset = last.next;
    }
    this.seat.call(this.node(path), { call: "releasedir", handle });
    return names.filter((name) => name !== "." && name !== "..");
  }

  /** The whole content of a file, as cat(1) prints it. */
  cat(path: string): string {
    const fd = this.open(path, READ);
    if (typeof fd === "string") return fd;
    const text = this.read(fd);
    this.release(fd);
    return text;
  }

  /** As `echo text > path`. */
  put(path: string, text: string | Uint8Array): string {
    const fd = this.open(path, CUT, true);
    if (typeof fd === "string") return fd;
    const written = this.write(fd, text);
    const closed = this.close(fd);
    return written === "ok" ? closed : written;
  }

  readlink(path: string): string {
    const reply = this.seat.call(this.node(path), { call: "readlink" });
    return reply.reply === "data" ? new TextDecoder().decode(reply.data) : word(reply);
  }

  #attributes(reply: FuseReply): Attributes | string {
    return reply.reply === "attributes" ? reply.attributes : word(reply);
  }
}

export function getattr(): FuseCall {
  return { call: "getattr", handle: null };
}

export function split(path: string): { directory: string; name: string } {
  const at = path.lastIndexOf("/");
  return at < 0
    ? { directory: "", name: path }
    : { directory: path.slice(0, at), name: path.slice(at + 1) };
}
