/**
 * A tiny file system in memory, for tests of whoever carries its requests. No permissions, no
 * locks, no limits; what it is told to hold back it answers when it is told to.
 *
 * @module
 */
import { ERRNO } from "../../mod/config/fuse/errno.ts";
import type {
  Attributes,
  Errno,
  FuseNotice,
  FuseReply,
  FuseRequest,
} from "../../mod/config/fuse/requests.ts";
import { decodeRequest, encodeNotice, encodeReply, ROOT_NODE } from "../../mod/config/fuse/wire.ts";
import type { FuseHandlers, FuseSession } from "../../mod/host/ports.ts";

interface Item {
  readonly node: number;
  readonly kind: Attributes["kind"];
  readonly children: Map<string, Item>;
  data: Uint8Array;
  mode: number;
  mtime: number;
}

const EMPTY = new Uint8Array(0);

/** See the module's note. */
export class MemoryFiles implements FuseHandlers {
  /** Every request, in order. */
  readonly requests: FuseRequest[] = [];
  /** Every end, in order. */
  readonly ends: string[] = [];
  /** How long the kernel may cache. */
  validMs = 0;
  session: FuseSession | null = null;
  /** Requests that are answered later, by `release`. */
  holds: (request: FuseRequest) => boolean = () => false;
  /** Called for each request, before it is answered. */
  onCall: (request: FuseRequest) => void = () => {};
  onEnd: () => void = () => {};
  readonly held: FuseRequest[] = [];
  readonly #items = new Map<number, Item>();
  readonly root = this.#make("directory");

  onRequest(bytes: Uint8Array): void {
    const request = decodeRequest(bytes);
    if (request === null) return;
    this.requests.push(request);
    if (this.holds(request)) this.held.push(request);
    else this.answer(request);
    this.onCall(request);
  }

  onClosed(why: string): void {
    this.ends.push(why);
    this.onEnd();
  }

  /** Answers what was held back; the newest first where `reverse`. */
  release(reverse = false): void {
    const held = this.held.splice(0);
    for (const request of reverse ? held.reverse() : held) this.answer(request);
  }

  answer(request: FuseRequest): void {
    const reply = this.#reply(request);
    if (reply !== null) this.session?.reply(encodeReply(request, reply));
  }

  notify(notice: FuseNotice): void {
    this.session?.notify(encodeNotice(notice));
  }

  /** Puts a file below the root, past the kernel. */
  put(name: string, data: Uint8Array, mode = 0o640): number {
    const item = this.root.children.get(name) ?? this.#add(this.root, name, "file");
    item.data = data;
    item.mode = mode;
    return item.node;
  }

  #reply(request: FuseRequest): FuseReply | null {
    const item = this.#items.get(request.node);
    if (request.call === "init") return { reply: "init" };
    if (request.call === "forget" || request.call === "interrupt") return null;
    if (item === undefined) return error("ESTALE");
    switch (request.call) {
      case "lookup": {
        const found = item.children.get(request.name);
        return found === undefined ? error("ENOENT") : this.#entry(found);
      }
      case "getattr":
        return { reply: "attributes", attributes: this.#attributes(item) };
      case "setattr": {
        const { size, mtime, mode } = request.set;
        if (size !== undefined) item.data = resized(item.data, size);
        if (typeof mtime === "number") item.mtime = mtime;
        if (mode !== undefined) item.mode = mode;
        return { reply: "attributes", attributes: this.#attributes(item) };
      }
      case "mkdir":
        return this.#entry(this.#add(item, request.name, "directory"));
      case "symlink": {
        const link = this.#add(item, request.name, "link");
        link.data = new TextEncoder().encode(request.target);
        return this.#entry(link);
      }
      case "readlink":
        return { reply: "data", data: item.data };
      case "unlink":
      case "rmdir":
        return this.#remove(item, request.name);
      case "rename": {
        const [from, into] = [item.children.get(request.name), this.#items.get(request.directory)];
        if (from === undefined || into === undefined) return error("ENOENT");
        item.children.delete(request.name);
        into.children.set(request.to, from);
        return { reply: "ok" };
      }
      case "create": {
        const made = this.#add(item, request.name, "file");
        const attributes = this.#attributes(made);
        return { reply: "created", attributes, handle: made.node };
      }
      case "open":
        if (request.flags.truncate) item.data = EMPTY;
        return opened(item.node);
      case "opendir":
        return opened(item.node);
      case "read": {
        const { offset, size } = request;
        return { reply: "data", data: item.data.subarray(offset, offset + size) };
      }
      case "write": {
        const { offset, data } = request;
        item.data = resized(item.data, Math.max(item.data.length, offset + data.length));
        item.data.set(data, offset);
        return { reply: "written", size: data.length };
      }
      case "readdir": {
        const entries = [...item.children].map(([name, child], at) => ({
          ...{ name, attributes: this.#attributes(child), next: at + 1 },
        }));
        return { reply: "directory", entries: entries.slice(request.offset) };
      }
      case "statfs":
        return {
          ...{ reply: "statfs", blocks: 1000, free: 400, files: 100, filesFree: 50 },
          ...{ blockSize: 4096, nameMax: 255 },
        };
      case "flush":
      case "release":
      case "fsync":
      case "fsyncdir":
      case "releasedir":
        return { reply: "ok" };
      case "malformed":
        return error(request.errno);
      default:
        return error("ENOSYS");
    }
  }

  /** A name that is an error's ends in that error. */
  #remove(item: Item, name: string): FuseReply {
    if (name in ERRNO) return error(name as Errno);
    const found = item.children.get(name);
    if (found === undefined) return error("ENOENT");
    if (found.children.size > 0) return error("ENOTEMPTY");
    item.children.delete(name);
    return { reply: "ok" };
  }

  #add(into: Item, name: string, kind: Item["kind"]): Item {
    const item = this.#make(kind);
    into.children.set(name, item);
    return item;
  }

  #make(kind: Item["kind"]): Item {
    const mode = kind === "file" ? 0o640 : 0o755;
    const node = ROOT_NODE + this.#items.size;
    const item = { node, kind, mode, children: new Map(), data: EMPTY, mtime: 1_700_000_000 };
    this.#items.set(node, item);
    return item;
  }

  #entry(item: Item): FuseReply {
    return { reply: "entry", attributes: this.#attributes(item) };
  }

  #attributes({ node, kind, mode, mtime, data }: Item): Attributes {
    const about = { node, kind, mode, mtime, size: data.length };
    return { ...about, links: kind === "directory" ? 2 : 1, uid: 0, gid: 0, validMs: this.validMs };
  }
}

function error(errno: Errno): FuseReply {
  return { reply: "error", errno };
}

function opened(handle: number): FuseReply {
  return { reply: "opened", handle, direct: false, keepCache: false };
}

function resized(data: Uint8Array, size: number): Uint8Array {
  const whole = new Uint8Array(size);
  whole.set(data.subarray(0, size));
  return whole;
}
