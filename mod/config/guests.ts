/**
 * The guests that the tree names: `nodes/NODE/{qemu-server,lxc}/VMID.conf`. A VMID is given once in
 * the whole cluster, so that two nodes can never both believe that a guest is theirs; the tree
 * refuses a transaction that would give it twice, on every replica alike.
 *
 * @module
 */

/** The folder of each kind of guest, and the kind's name in `.vmlist`. */
const KINDS: Readonly<Record<string, GuestKind>> = { "qemu-server": "qemu", lxc: "lxc" };

export type GuestKind = "qemu" | "lxc";

/** Where a guest is configured. */
export interface Guest {
  /** Digits; not a number, for a file may be called by more of them than fit one. */
  readonly vmid: string;
  readonly node: string;
  readonly kind: GuestKind;
}

/** The guest that a file of this name may configure; null for any other name. */
export function vmidOf(name: string): string | null {
  return /^([1-9]\d*)\.conf$/.exec(name)?.[1] ?? null;
}

/** The guest that the file at a path configures, or null. */
export function guestOf(path: string): Guest | null {
  const [root, node, folder, name, ...deeper] = path.split("/");
  if (root !== "nodes" || node === undefined || deeper.length > 0) return null;
  const kind = Object.hasOwn(KINDS, folder ?? "") ? KINDS[folder ?? ""] : undefined;
  const vmid = name === undefined ? null : vmidOf(name);
  return kind === undefined || vmid === null ? null : { vmid, node, kind };
}

/** Who has which VMID: by inode, so that what moves needs no path to be taken out. */
export class GuestIndex {
  readonly #guests = new Map<number, Guest>();
  readonly #places = new Map<string, Set<number>>();

  /** The file of this inode configures a guest from now on. */
  add(ino: number, guest: Guest): void {
    this.#guests.set(ino, guest);
    const places = this.#places.get(guest.vmid);
    if (places === undefined) this.#places.set(guest.vmid, new Set([ino]));
    else places.add(ino);
  }

  /** The file of this inode is gone from its place. */
  delete(ino: number): void {
    const guest = this.#guests.get(ino);
    if (guest === undefined) return;
    this.#guests.delete(ino);
    const places = this.#places.get(guest.vmid);
    places?.delete(ino);
    if (places?.size === 0) this.#places.delete(guest.vmid);
  }

  /** The guest of an inode, or undefined. */
  get(ino: number): Guest | undefined {
    return this.#guests.get(ino);
  }

  /** The inodes that configure this VMID: one, but for a tree older than the rule. */
  places(vmid: string): ReadonlySet<number> {
    return this.#places.get(vmid) ?? NOWHERE;
  }

  /** All guests by inode. */
  all(): Iterable<readonly [number, Guest]> {
    return this.#guests;
  }
}

const NOWHERE: ReadonlySet<number> = new Set();
