/** What a path means by itself: who may read below it, and where locks are. @module */

/** Where the locks are: each directory in it is one. */
export const LOCKS = "priv/lock";
/** The lock of stream 3: taken and given back by transactions that count on its version. */
export const MANAGER_LOCK = `${LOCKS}/ha_manager_lock`;

/** True for what only root may see: `priv` and what is below it, here and in each node's folder. */
export function isPrivate(path: string): boolean {
  const names = path.split("/");
  return names[0] === "priv" || (names[0] === "nodes" && names[2] === "priv");
}

/** True for a lock: a directory right below {@link LOCKS}. */
export function isLock(path: string): boolean {
  return path.startsWith(`${LOCKS}/`) && !path.slice(LOCKS.length + 1).includes("/");
}

/** The path of a name in a directory; the root is the empty path. */
export function join(directory: string, name: string): string {
  return directory === "" ? name : `${directory}/${name}`;
}

/** Permission bits of a file or directory at a path, where writing is possible. */
export function modeOf(kind: "file" | "directory", path: string): number {
  if (kind === "directory") return isPrivate(path) ? 0o700 : 0o755;
  return isPrivate(path) ? 0o600 : 0o640;
}

/** The same bits without those for writing: what is shown without quorum. */
export function readOnly(mode: number): number {
  return mode & ~0o222;
}
