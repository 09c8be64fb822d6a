/**
 * What an installation is made of, as items that each know whether they are there, how to come, and
 * how to go. Installing again repairs; what is interrupted is finished by repeating it.
 *
 * @module
 */
import { decodeText, encodeText, equalBytes } from "../../base/bytes.ts";
import { ProblemError } from "../../base/problem.ts";
import { syncDirectory } from "../../host/linux/durable_file.ts";
import { bytesAt, infoAt, linkAt } from "../../host/linux/files.ts";
import { announcements, isOwnLink, isOwnText, type Places } from "./places.ts";

/** A unit or a completion is far shorter. */
const OWN_BYTES_MAX = 1024 * 1024;

/** One thing on the disk. */
export interface Item {
  readonly path: string;
  readonly what: string;
  /** It is there as it should be. */
  isDone(): boolean;
  /** Something is in its place that pentad did not bring. */
  isForeign(): boolean;
  /** Makes it, whole or not at all. */
  make(): void;
}

/** Throws a ProblemError at the first item whose place is somebody else's. */
export function refuseForeign(items: readonly Item[]): void {
  const found = items.find((item) => item.isForeign());
  if (found !== undefined) throw foreign(found.path);
}

/** What is found in pentad's place and is not pentad's. */
export function foreign(path: string): ProblemError {
  const target = linkAt(path);
  const what = target === null || target === "" ? "is there" : `leads to "${target}"`;
  return new ProblemError("install.in-the-way", `"${path}" ${what} and is not pentad's`);
}

/**
 * A file with this content. `keep`: one that is there is the administrator's, whatever it says. What
 * is no file (a unit that is masked is a link) or says something else than pentad would is not ours.
 */
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
  return { path, what, isDone, isForeign: () => !keep && !isOwnFile(path), make };
}

/** True for nothing, for an empty file, and for a file that some version of pentad wrote. */
export function isOwnFile(path: string): boolean {
  const target = linkAt(path);
  if (target === null) return true;
  const info = infoAt(path);
  if (target !== "" || info === null || !info.isFile || info.size > OWN_BYTES_MAX) return false;
  const text = decodeText(bytesAt(path) ?? new Uint8Array(0));
  return info.size === 0 || (text !== null && isOwnText(text));
}

/** A copy of a program file. */
export function programItem(path: string, source: string): Item {
  const isDone = () => {
    const [there, wanted] = [infoAt(path), infoAt(source)];
    if (there === null || there.size !== wanted?.size) return false;
    return equalBytes(Deno.readFileSync(path), Deno.readFileSync(source));
  };
  const make = () => whole(path, (temporary) => Deno.copyFileSync(source, temporary), 0o755);
  return { path, what: "the program", isDone, isForeign: () => false, make };
}

/** A link to a version; changing where it leads is one rename. */
export function linkItem(places: Places, path: string, target: string): Item {
  const isDone = () => linkAt(path) === target;
  const isForeign = () => !isOwnPlace(places, path);
  const make = () => {
    if (isForeign()) throw foreign(path);
    whole(path, (temporary) => Deno.symlinkSync(target, temporary), null);
  };
  return { path, what: `a link to ${target}`, isDone, isForeign, make };
}

/** True for nothing, and for a link to a version of pentad. */
export function isOwnPlace(places: Places, path: string): boolean {
  const target = linkAt(path);
  return target === null || isOwnLink(places, target);
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
    isForeign: () => false,
    make: () => {
      makeFolder(path);
      Deno.chmodSync(path, mode);
    },
  };
}

/** Removes a file, link or folder; nothing where there is none. */
export function remove(path: string): void {
  try {
    Deno.removeSync(path, { recursive: true });
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
}

/** What pentad brought into the folder of versions; what else lies there is somebody else's. */
export function ownVersions(places: Places): readonly string[] {
  const { versions, previous } = places;
  const links = [previous, ...Object.values(announcements(places))];
  const names = infoAt(versions)?.isDirectory ? [...Deno.readDirSync(versions)] : [];
  const files = names.filter(({ isDirectory }) => isDirectory)
    .flatMap(({ name }) => [`${versions}/${name}/pentad`, `${versions}/${name}/pentad.new`]);
  const own = links.filter((path) => isOwnPlace(places, path))
    .flatMap((path) => [path, `${path}.new`]);
  return [...own, ...files.sort()].filter((path) => linkAt(path) !== null);
}

/** Removes folders of ours that are empty now. */
export function removeEmpty({ root, versions }: Places): void {
  const below = infoAt(versions)?.isDirectory ? [...Deno.readDirSync(versions)] : [];
  const each = below.filter(({ isDirectory }) => isDirectory).map(({ name }) =>
    `${versions}/${name}`
  );
  for (const folder of [...each, versions, `${root}/etc/pentad`]) {
    try {
      Deno.removeSync(folder);
    } catch {
      // It is not there, or somebody keeps something in it.
    }
  }
}

/** Nobody ever sees half of it: it gets its name when it is whole. */
function whole(path: string, write: (temporary: string) => void, mode: number | null): void {
  const folder = folderOf(path);
  makeFolder(folder);
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
  syncDirectory(folder);
}

/** Makes a folder and those above it; each has its name for good when it returns. */
function makeFolder(path: string): void {
  if (infoAt(path) !== null) return;
  makeFolder(folderOf(path));
  Deno.mkdirSync(path);
  syncDirectory(folderOf(path));
}

function folderOf(path: string): string {
  return path.slice(0, path.lastIndexOf("/")) || "/";
}
