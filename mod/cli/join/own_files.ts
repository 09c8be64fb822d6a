/**
 * What lies in the folder that becomes the mount point: guests and files that this machine had
 * before it joined. They go into the tree where the tree has nothing in their place; where it has
 * something else the join is refused before it begins.
 *
 * @module
 */
import { equalBytes } from "../../base/bytes.ts";
import { ProblemError } from "../../base/problem.ts";
import { bytesAt, isThere } from "../../host/linux/files.ts";

/** Files that a join takes along; more are no machine that somebody merely tried out. */
const FILES_MAX = 2000;
const FILE_BYTES_MAX = 1024 * 1024;
const ALL_BYTES_MAX = 32 * 1024 * 1024;
const DEPTH_MAX = 16;
/** Behind the mount point's name: what lay there. */
const KEPT = ".before-join";
/** Conflicts that a refusal names. */
const NAMED_MAX = 10;
/** The links of a mounted tree into the node's own folder (facts of Proxmox VE's pmxcfs). */
const OWN_FOLDERS = ["qemu-server", "lxc", "openvz", "local"];

/** A file of this machine, and its place in the tree. */
export interface OwnFile {
  readonly path: string;
  readonly source: string;
}

/** The files below a folder with their places in the tree of this node; [] where there is none. */
export function ownFiles(root: string, node: string): readonly OwnFile[] {
  const found: OwnFile[] = [];
  let bytes = 0;
  const walk = (below: string, depth: number): void => {
    for (const entry of entriesOf(`${root}/${below}`)) {
      const inside = below === "" ? entry.name : `${below}/${entry.name}`;
      const source = `${root}/${inside}`;
      const path = placeOf(inside, node);
      if (path === null) continue;
      if (entry.isDirectory && depth < DEPTH_MAX) walk(inside, depth + 1);
      if (!entry.isFile) continue;
      const { size } = Deno.lstatSync(source);
      bytes += size;
      const big = size > FILE_BYTES_MAX || bytes > ALL_BYTES_MAX || found.length >= FILES_MAX;
      if (big) throw refusal(`"${source}" is more than a join takes along; move it away`);
      found.push({ path, source });
    }
  };
  walk("", 0);
  return found;
}

/** Throws a ProblemError with those that the copy of the tree has with another content. */
export function refuseConflicts(files: readonly OwnFile[], copy: string): void {
  const conflicts = files.filter(({ path, source }) => {
    const there = contentOf(`${copy}/${path}`);
    return there !== null && !equalBytes(there, contentOf(source) ?? new Uint8Array(0));
  });
  if (conflicts.length === 0) return;
  const names = conflicts.slice(0, NAMED_MAX).map(({ path }) => path).join(", ");
  const more = conflicts.length > NAMED_MAX ? ` and ${conflicts.length - NAMED_MAX} more` : "";
  throw refusal(`the cluster has other content in: ${names}${more}`);
}

/**
 * Moves what lies in the mount point aside, for the tree is mounted on an empty folder only. Does
 * nothing where nothing lies there.
 */
export function setAside(mount: string): void {
  if (entriesOf(mount).length === 0) return;
  const kept = `${mount}${KEPT}`;
  if (isThere(kept)) throw refusal(`"${kept}" is there already; look what it is, and move it away`);
  Deno.renameSync(mount, kept);
  Deno.mkdirSync(mount, { mode: 0o755 });
}

/** Puts back what {@link setAside} moved, where nothing has taken its place. */
export function putBack(mount: string): void {
  if (!isThere(`${mount}${KEPT}`) || entriesOf(mount).length > 0) return;
  if (isThere(mount)) Deno.removeSync(mount);
  Deno.renameSync(`${mount}${KEPT}`, mount);
}

/** Where what lay in a mount point is, until it is in the tree; null where nothing is. */
export function keptOf(mount: string | null): string | null {
  return mount !== null && isThere(`${mount}${KEPT}`) ? `${mount}${KEPT}` : null;
}

/** It is in the tree: a repeated join must not bring back what was removed there since. */
export function retireKept(mount: string): string | null {
  if (keptOf(mount) === null) return null;
  const retired = `${mount}${KEPT}.done-${Date.now()}`;
  Deno.renameSync(`${mount}${KEPT}`, retired);
  return retired;
}

/** Where a former join put what this machine had, once it was in the tree; the newest; null: nowhere. */
export function retiredOf(mount: string): string | null {
  const above = mount.slice(0, mount.lastIndexOf("/")) || "/";
  const begin = `${mount.slice(mount.lastIndexOf("/") + 1)}${KEPT}.done-`;
  const [newest] = entriesOf(above).map(({ name }) => name)
    .filter((name) => name.startsWith(begin)).sort().toReversed();
  return newest === undefined ? null : `${above === "/" ? "" : above}/${newest}`;
}

/** Where a file goes; null for what stays: secrets, and what only a mounted tree has. */
function placeOf(inside: string, node: string): string | null {
  const [first = "", ...rest] = inside.split("/");
  if (first.startsWith(".") || first === "priv") return null;
  if (!OWN_FOLDERS.includes(first)) return inside;
  const below = first === "local" ? rest : [first, ...rest];
  return ["nodes", node, ...below].join("/");
}

function entriesOf(folder: string): readonly Deno.DirEntry[] {
  try {
    return [...Deno.readDirSync(folder)].sort((a, b) => a.name < b.name ? -1 : 1);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return [];
    throw error;
  }
}

function contentOf(path: string): Uint8Array | null {
  try {
    return bytesAt(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotADirectory) return null;
    throw error;
  }
}

function refusal(why: string): ProblemError {
  return new ProblemError("join.precondition", why);
}
