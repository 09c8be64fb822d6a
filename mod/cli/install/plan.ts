/**
 * What an installation is made of, as items that each know whether they are there, how to come, and
 * how to go. Installing again repairs; what is interrupted is finished by repeating it.
 *
 * @module
 */
import { encodeText, equalBytes } from "../../base/bytes.ts";
import { ProblemError } from "../../base/problem.ts";
import { bytesAt, infoAt, linkAt } from "../../host/linux/files.ts";
import type { Places } from "./places.ts";

/** One thing on the disk. */
export interface Item {
  readonly path: string;
  readonly what: string;
  /** It is there as it should be. */
  isDone(): boolean;
  /** Makes it, whole or not at all. */
  make(): void;
}

/** A file with this content. `keep`: one that is there is the administrator's, whatever it says. */
export function fileItem(
  path: string,
  content: string,
  { mode, keep = false, what }: { readonly mode: number; readonly keep?: boolean; what: string },
): Item {
  const isDone = () => {
    const there = bytesAt(path);
    if (there === null) return false;
    return keep || equalBytes(there, encodeText(content));
  };
  const make = () =>
    whole(path, (temporary) => Deno.writeTextFileSync(temporary, content, { mode }), mode);
  return { path, what, isDone, make };
}

/** A copy of a program file. */
export function programItem(path: string, source: string): Item {
  const isDone = () => {
    const [there, wanted] = [infoAt(path), infoAt(source)];
    if (there === null || there.size !== wanted?.size) return false;
    return equalBytes(Deno.readFileSync(path), Deno.readFileSync(source));
  };
  const make = () => whole(path, (temporary) => Deno.copyFileSync(source, temporary), 0o755);
  return { path, what: "the program", isDone, make };
}

/** A link; changing where it leads is one rename. */
export function linkItem(path: string, target: string): Item {
  const isDone = () => linkAt(path) === target;
  const make = () => {
    if (linkAt(path) === "") {
      throw new ProblemError("install.in-the-way", `"${path}" is there and is no link of pentad`);
    }
    whole(path, (temporary) => Deno.symlinkSync(target, temporary), null);
  };
  return { path, what: `a link to ${target}`, isDone, make };
}

/** A private folder. */
export function folderItem(path: string, mode: number): Item {
  return {
    path,
    what: "a folder",
    isDone: () => {
      const info = infoAt(path);
      return info !== null && info.isDirectory && ((info.mode ?? 0) & 0o777) === mode;
    },
    make: () => {
      Deno.mkdirSync(path, { recursive: true });
      Deno.chmodSync(path, mode);
    },
  };
}

/** Removes a file, link or folder; true where there was one. */
export function remove(path: string): boolean {
  try {
    Deno.removeSync(path, { recursive: true });
    return true;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}

/** Removes folders of ours that are empty now. */
export function removeEmpty({ root, versions }: Places): void {
  for (const folder of [versions, `${root}/etc/pentad`]) {
    try {
      Deno.removeSync(folder);
    } catch {
      // It is not there, or somebody keeps something in it.
    }
  }
}

/** Nobody ever sees half of it: it gets its name when it is whole. */
function whole(path: string, write: (temporary: string) => void, mode: number | null): void {
  const folder = path.slice(0, path.lastIndexOf("/"));
  Deno.mkdirSync(folder, { recursive: true });
  const temporary = `${path}.new`;
  remove(temporary);
  write(temporary);
  if (mode !== null) {
    Deno.chmodSync(temporary, mode);
    const file = Deno.openSync(temporary, { read: true });
    file.syncSync();
    file.close();
  }
  Deno.renameSync(temporary, path);
}
