/**
 * A program on a simulated host that uses files of a mount: open(2) and its kin, turned into the
 * requests that Linux makes of them. Callbacks, never promises. Paths are from the mount point.
 *
 * @module
 */
import { concat, decodeName } from "../base/bytes.ts";
import type {
  Attributes,
  Caller,
  FuseCall,
  LockRange,
  OpenFlags,
  SetAttributes,
} from "../config/fuse/requests.ts";
import type { Listed } from "./fuse_answer.ts";
import type { Result, SimKernel } from "./fuse_kernel.ts";
import { type Done, expecting, failed, good, Walk } from "./fuse_walk.ts";

/** How open(2) is called; what is absent is false. `create` is O_CREAT. */
export type OpenHow = Partial<OpenFlags> & { readonly create?: boolean; readonly mode?: number };

/** A file that is open. */
export interface OpenFile {
  readonly node: number;
  readonly handle: number;
}

const READ_BYTES = 128 * 1024;
const FILE_END = 2n ** 63n - 1n;
const NO_FLAGS: OpenFlags = {
  read: false,
  write: false,
  truncate: false,
  append: false,
  exclusive: false,
};

/** See the module's note. */
export class SimProgram {
  readonly #kernel: SimKernel;
  readonly #walk: Walk;
  readonly #caller: Caller;
  readonly #open = new Set<OpenFile>();

  constructor(kernel: SimKernel, caller: Caller) {
    this.#kernel = kernel;
    this.#caller = caller;
    this.#walk = new Walk(kernel, caller);
  }

  stat(path: string, done: Done<Attributes>): void {
    this.#at(path, { call: "getattr", handle: null }, attributes(done));
  }

  /** open(2). Returns nothing: for a call that can be interrupted see `SimKernel.call`. */
  open(path: string, how: OpenHow, done: Done<OpenFile>): void {
    const { create = false, mode = 0o644, ...flags } = how;
    const asked = { ...NO_FLAGS, ...flags };
    this.#walk.place(path, true, (outcome) => {
      if (!outcome.ok) return done(outcome);
      const { directory, name, found } = outcome.value;
      if (found !== null) {
        if (create && asked.exclusive) return done(failed("EEXIST"));
        return this.#openNode(found.node, asked, done);
      }
      if (!create) return done(failed("ENOENT"));
      const take = expecting(
        "created",
        ({ attributes, handle }) => this.#keep({ node: attributes.node, handle }),
        done,
      );
      this.#walk.call(directory, { call: "create", name, flags: asked, mode }, take);
    });
  }

  read(file: OpenFile, offset: number, size: number, done: Done<Uint8Array>): void {
    const call: FuseCall = { call: "read", handle: file.handle, offset, size };
    this.#walk.call(file.node, call, expecting("data", ({ data }) => data.slice(), done));
  }

  /** Writes all of it, in as many requests as it takes; the bytes that were taken. */
  write(file: OpenFile, offset: number, bytes: Uint8Array, done: Done<number>): void {
    const chunk = bytes.subarray(0, this.#kernel.maxWrite || bytes.length);
    const call: FuseCall = { call: "write", handle: file.handle, offset, data: chunk };
    const take = expecting("written", ({ size }) => size, (outcome) => {
      if (!outcome.ok) return done(outcome);
      const rest = bytes.subarray(outcome.value);
      if (rest.length === 0 || outcome.value === 0) return done(outcome);
      // What was written before an error counts, as in write(2).
      this.write(
        file,
        offset + outcome.value,
        rest,
        (more) => done(good(outcome.value + (more.ok ? more.value : 0))),
      );
    });
    this.#walk.call(file.node, call, take);
  }

  fsync(file: OpenFile, done: Done<null>): void {
    this.#walk.call(file.node, { call: "fsync", handle: file.handle }, ok(done));
  }

  /** close(2) of the last descriptor: FLUSH, whose answer is the program's, then RELEASE. */
  close(file: OpenFile, done: Done<null>): void {
    if (!this.#open.delete(file)) return done(failed("EBADF"));
    const { node, handle } = file;
    this.#walk.call(node, { call: "flush", handle, owner: this.#owner() }, (result) => {
      this.#walk.call(node, { call: "release", handle, flockOwner: this.#owner() }, nothing);
      // A file system that has no FLUSH need not know it.
      if (result.reply === "error" && result.errno === "ENOSYS") done(good(null));
      else ok(done)(result);
    });
  }

  /** The last mapping of what is closed goes away: RELEASE alone, and nobody waits for it. */
  drop(file: OpenFile): void {
    if (!this.#open.delete(file)) return;
    const { node, handle } = file;
    this.#walk.call(node, { call: "release", handle, flockOwner: this.#owner() }, nothing);
  }

  /** SIGKILL: the kernel closes what is open, and nobody waits for it. */
  die(): void {
    for (const file of [...this.#open]) this.close(file, nothing);
  }

  /** open(O_CREAT | O_TRUNC), write, close: the first error of them. */
  writeFile(path: string, bytes: Uint8Array, done: Done<null>): void {
    this.open(path, { write: true, create: true, truncate: true }, (opened) => {
      if (!opened.ok) return done(opened);
      this.write(opened.value, 0, bytes, (written) =>
        this.close(opened.value, (closed) => {
          if (!written.ok) return done(written);
          done(written.value === bytes.length ? closed : failed("EIO"));
        }));
    });
  }

  /** open, read to the end, close. */
  readFile(path: string, done: Done<Uint8Array>): void {
    this.open(path, { read: true }, (opened) => {
      if (!opened.ok) return done(opened);
      this.#readOn(opened.value, [], (bytes) => this.close(opened.value, () => done(bytes)));
    });
  }

  /** Names and kinds of all that is in a folder, without dots. */
  list(path: string, done: Done<readonly Listed[]>): void {
    this.#walk.node(path, true, (found) => {
      if (!found.ok) return done(found);
      const node = found.value;
      const take = expecting("opened", ({ handle }) => handle, (opened) => {
        if (!opened.ok) return done(opened);
        this.#listOn({ node, handle: opened.value }, [], (all) => {
          this.#walk.call(node, { call: "releasedir", handle: opened.value }, nothing);
          done(all);
        });
      });
      this.#walk.call(node, { call: "opendir" }, take);
    });
  }

  mkdir(path: string, done: Done<Attributes>): void {
    this.#named(path, (name) => ({ call: "mkdir", name, mode: 0o755 }), entry(done));
  }

  unlink(path: string, done: Done<null>): void {
    this.#named(path, (name) => ({ call: "unlink", name }), ok(done));
  }

  rmdir(path: string, done: Done<null>): void {
    this.#named(path, (name) => ({ call: "rmdir", name }), ok(done));
  }

  symlink(target: string, path: string, done: Done<Attributes>): void {
    this.#named(path, (name) => ({ call: "symlink", name, target }), entry(done));
  }

  /** rename(2): the old name must be there. */
  rename(from: string, to: string, done: Done<null>): void {
    this.#walk.place(from, false, (old) => {
      if (!old.ok) return done(old);
      if (old.value.found === null) return done(failed("ENOENT"));
      const { directory, name } = old.value;
      const make = (target: string, into: number): FuseCall => ({
        call: "rename",
        name,
        directory: into,
        to: target,
        noReplace: false,
        exchange: false,
      });
      this.#walk.place(to, false, (place) => {
        if (!place.ok) return done(place);
        this.#walk.call(directory, make(place.value.name, place.value.directory), ok(done));
      });
    });
  }

  /** chmod(2), chown(2), utimes(2), truncate(2). */
  setattr(path: string, set: SetAttributes, done: Done<Attributes>): void {
    this.#at(path, { call: "setattr", handle: null, set }, attributes(done));
  }

  /** ftruncate(2) and its kin. */
  setattrOpen(file: OpenFile, set: SetAttributes, done: Done<Attributes>): void {
    const call: FuseCall = { call: "setattr", handle: file.handle, set };
    this.#walk.call(file.node, call, attributes(done));
  }

  readlink(path: string, done: Done<string>): void {
    this.#walk.node(path, false, (found) => {
      if (!found.ok) return done(found);
      const take = expecting("data", ({ data }) => decodeName(data) ?? "", done);
      this.#walk.call(found.value, { call: "readlink" }, take);
    });
  }

  statfs(done: Done<Extract<Result, { reply: "statfs" }>>): void {
    this.#at("", { call: "statfs" }, expecting("statfs", (result) => result, done));
  }

  /** flock(2), or with a range fcntl(2) F_SETLK. Returns the request's unique. */
  lock(
    file: OpenFile,
    ask: { readonly kind: LockRange["kind"]; readonly wait: boolean; readonly flock: boolean },
    done: Done<null>,
  ): number {
    const { kind, wait, flock } = ask;
    const range: LockRange = { kind, start: 0n, end: FILE_END, pid: this.#caller.pid };
    const { node, handle } = file;
    const call: FuseCall = { call: "setlk", handle, owner: this.#owner(), range, flock, wait };
    return this.#walk.call(node, call, ok(done));
  }

  /** Linux hides who owns a lock behind a number; here it is the process. */
  #owner(): bigint {
    return BigInt(this.#caller.pid);
  }

  #keep(file: OpenFile): OpenFile {
    this.#open.add(file);
    return file;
  }

  #openNode(node: number, flags: OpenFlags, done: Done<OpenFile>): void {
    const take = expecting("opened", ({ handle }) => this.#keep({ node, handle }), done);
    this.#walk.call(node, { call: "open", flags }, take);
  }

  #at(path: string, call: FuseCall, done: (result: Result) => void): void {
    this.#walk.node(path, true, (found) => {
      if (found.ok) this.#walk.call(found.value, call, done);
      else done({ reply: "error", errno: found.errno });
    });
  }

  #named(path: string, make: (name: string) => FuseCall, done: (result: Result) => void): void {
    this.#walk.place(path, false, (place) => {
      if (!place.ok) return done({ reply: "error", errno: place.errno });
      const { directory, name, found } = place.value;
      const call = make(name);
      const removes = call.call === "unlink" || call.call === "rmdir";
      // Linux knows these two from the LOOKUP, and does not ask.
      if (removes && found === null) return done({ reply: "error", errno: "ENOENT" });
      if (!removes && found !== null) return done({ reply: "error", errno: "EEXIST" });
      this.#walk.call(directory, call, done);
    });
  }

  #readOn(file: OpenFile, parts: readonly Uint8Array[], done: Done<Uint8Array>): void {
    const offset = parts.reduce((sum, { length }) => sum + length, 0);
    this.read(file, offset, READ_BYTES, (outcome) => {
      if (!outcome.ok) return done(outcome);
      const all = [...parts, outcome.value];
      if (outcome.value.length < READ_BYTES) done(good(concat(...all)));
      else this.#readOn(file, all, done);
    });
  }

  #listOn(folder: OpenFile, before: readonly Listed[], done: Done<readonly Listed[]>): void {
    const { node, handle } = folder;
    const offset = before.at(-1)?.next ?? 0;
    const call: FuseCall = { call: "readdir", handle, offset, size: 4096, plus: true };
    const take = expecting("directory", ({ entries }) => entries, (outcome) => {
      if (!outcome.ok) return done(outcome);
      const all = [...before, ...outcome.value];
      if (outcome.value.length > 0) return this.#listOn(folder, all, done);
      done(good(all.filter(({ name }) => name !== "." && name !== "..")));
    });
    this.#walk.call(node, call, take);
  }
}

function ok(done: Done<null>): (result: Result) => void {
  return expecting("ok", () => null, done);
}

function entry(done: Done<Attributes>): (result: Result) => void {
  return expecting("entry", ({ attributes }) => attributes, done);
}

function attributes(done: Done<Attributes>): (result: Result) => void {
  return expecting("attributes", ({ attributes }) => attributes, done);
}

function nothing(): void {
  // Nobody waits for it.
}
