/** Permission bits of a path of the tree, as Proxmox VE shows them: they follow from the path. @module */

/** True for what only root may see: `priv` and what is below it, here and in each node's folder. */
function isPrivate(path: string): boolean {
  const names = path.split("/");
  return names[0] === "priv" || (names[0] === "nodes" && names[2] === "priv");
}

/** Permission bits of a file or directory where writing is possible. */
export function treeMode(kind: "file" | "directory", path: string): number {
  if (kind === "directory") return isPrivate(path) ? 0o700 : 0o755;
  return isPrivate(path) ? 0o600 : 0o640;
}
