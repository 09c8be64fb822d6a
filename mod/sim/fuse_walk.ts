/** From a path to a node, one LOOKUP a name, as a kernel without a cache goes. @module */
import { decodeName } from "../base/bytes.ts";
import type { Attributes, Caller, FuseCall } from "../config/fuse/requests.ts";
import { ROOT_NODE } from "../config/fuse/wire.ts";
import type { CallErrno, Result, SimKernel } from "./fuse_kernel.ts";

/** The end of something that a program did. */
export type Outcome<T> =
  | { readonly ok: true; readonly value: T }
  | { readonly ok: false; readonly errno: CallErrno };

export type Done<T> = (outcome: Outcome<T>) => void;

/** Links that one path may have, as in Linux. */
const LINKS_MAX = 40;

/** Where a path leads: the folder of its last name, and what the name is, if it is. */
export interface Place {
  readonly directory: number;
  readonly name: string;
  readonly found: Attributes | null;
}

/** A failed outcome. */
export function failed(errno: CallErrno): { readonly ok: false; readonly errno: CallErrno } {
  return { ok: false, errno };
}

/** A good outcome. */
export function good<T>(value: T): Outcome<T> {
  return { ok: true, value };
}

/** What a reply of this form brings; any other than an error means that the file system is wrong. */
export function expecting<R extends Result["reply"], T>(
  reply: R,
  take: (result: Extract<Result, { reply: R }>) => T,
  done: Done<T>,
): (result: Result) => void {
  return (result) => {
    if (result.reply === "error") done(failed(result.errno));
    else if (result.reply === reply) done(good(take(result as Extract<Result, { reply: R }>)));
    else done(failed("EIO"));
  };
}

/** See the module's note. */
export class Walk {
  readonly #kernel: SimKernel;
  readonly #caller: Caller;

  constructor(kernel: SimKernel, caller: Caller) {
    this.#kernel = kernel;
    this.#caller = caller;
  }

  /** Calls; the answer as it came. */
  call(node: number, call: FuseCall, done: (result: Result) => void): number {
    return this.#kernel.call({ node, caller: this.#caller, call }, done);
  }

  /** Where `path` (from the mount point, without a leading slash) leads. The root has no name. */
  place(path: string, follow: boolean, done: Done<Place>): void {
    this.#step({ directory: ROOT_NODE, names: namesOf(path), follow, links: 0 }, done);
  }

  /** The node at `path`; ENOENT where none is. */
  node(path: string, follow: boolean, done: Done<number>): void {
    if (namesOf(path).length === 0) return done(good(ROOT_NODE));
    this.place(path, follow, (outcome) => {
      if (!outcome.ok) return done(outcome);
      const { found } = outcome.value;
      done(found === null ? failed("ENOENT") : good(found.node));
    });
  }

  #step(
    at: { directory: number; names: readonly string[]; follow: boolean; links: number },
    done: Done<Place>,
  ): void {
    const [name, ...rest] = at.names;
    const { directory, follow, links } = at;
    if (name === undefined) return done(failed("EINVAL"));
    this.call(directory, { call: "lookup", name }, (result) => {
      const missing = result.reply === "absent" ||
        (result.reply === "error" && result.errno === "ENOENT");
      if (missing) {
        if (rest.length > 0) return done(failed("ENOENT"));
        return done(good({ directory, name, found: null }));
      }
      if (result.reply !== "entry") {
        return done(failed(result.reply === "error" ? result.errno : "EIO"));
      }
      const found = result.attributes;
      if (found.kind === "link" && (follow || rest.length > 0)) {
        if (links >= LINKS_MAX) return done(failed("EINVAL"));
        return this.#link(found.node, (outcome) => {
          if (!outcome.ok) return done(outcome);
          const names = [...namesOf(outcome.value), ...rest];
          this.#step({ directory, names, follow, links: links + 1 }, done);
        });
      }
      if (rest.length === 0) return done(good({ directory, name, found }));
      if (found.kind !== "directory") return done(failed("ENOTDIR"));
      this.#step({ directory: found.node, names: rest, follow, links }, done);
    });
  }

  #link(node: number, done: Done<string>): void {
    const take = expecting("data", ({ data }) => decodeName(data) ?? "", done);
    this.call(node, { call: "readlink" }, take);
  }
}

function namesOf(path: string): string[] {
  return path.split("/").filter((name) => name !== "");
}
