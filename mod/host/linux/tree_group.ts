/** Who may read the tree beside root, where the host has this group: Proxmox VE's. @module */

const GROUP = "www-data";

/** The id of the group that reads the tree; 0 where this host has none. */
export function treeGroup(path = "/etc/group"): number {
  try {
    const line = Deno.readTextFileSync(path).split("\n").find((each) =>
      each.startsWith(`${GROUP}:`)
    );
    const id = Number(line?.split(":")[2]);
    return Number.isSafeInteger(id) && id >= 0 ? id : 0;
  } catch {
    return 0;
  }
}
