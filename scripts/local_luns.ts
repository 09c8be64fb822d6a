/** Files that stand in for shared LUNs of a local cluster. @module */

const LUN_BYTES = 16 * 1024 * 1024;

/** Makes so many in a folder; their paths. */
export function makeLuns(folder: string, count: number): string[] {
  return Array.from({ length: count }, (_, at) => {
    const lun = `${folder}/lun${at === 0 ? "" : at}`;
    const file = Deno.openSync(lun, { create: true, write: true, mode: 0o600 });
    file.truncateSync(LUN_BYTES);
    file.close();
    return lun;
  });
}

/** Where a node with this folder finds the LUN of a place: a link of its own. */
export function diskPath(folder: string, at: number): string {
  return `${folder}/disk${at === 0 ? "" : at}`;
}
