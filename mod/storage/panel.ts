/**
 * Which disks judge. The cluster's description names one; the label of that one, or of any that was
 * formatted with it, names all of them. So every node knows the same disks in the same order,
 * whatever its settings say and whichever of them answer it.
 *
 * @module
 */

/** The disks that judge. */
export interface Panel {
  /** Their uuids, in the order in which everybody claims them. */
  readonly order: readonly string[];
  /** So many make the vote: a strict majority. */
  readonly needed: number;
}

/** What is known of one disk. */
export interface KnownLabel {
  readonly uuid: string;
  readonly group: readonly string[];
}

/**
 * The panel of the disk `named` (null: of the lowest that is known), or null where none of its
 * disks was seen yet, or their labels contradict each other. Of an even number none could be a
 * majority after an even split: there the named one alone decides.
 */
export function panelOf(named: string | null, labels: readonly KnownLabel[]): Panel | null {
  const uuids = labels.map(({ uuid }) => uuid).sort();
  const wanted = named ?? uuids[0];
  if (wanted === undefined) return null;
  const groups = labels.flatMap(({ uuid, group }) => {
    if (uuid === wanted) return [group.length === 0 ? [uuid] : [...group]];
    return group.includes(wanted) ? [[...group]] : [];
  }).map((group) => group.sort());
  const [order] = groups;
  if (order === undefined) return null;
  if (groups.some((group) => group.join() !== order.join())) return null;
  const seated = order.length % 2 === 0 ? [wanted] : order;
  return { order: seated, needed: Math.floor(seated.length / 2) + 1 };
}
