/** The names in the root that are in no tree: virtual files and links, each with a fixed number. @module */

/** A file whose content is made when it is opened, or a link. */
export type Special =
  & {
    readonly node: number;
    readonly name: string;
  }
  & (
    | { readonly kind: "file"; readonly mode: number }
    /** `target` is below this node's own folder. */
    | { readonly kind: "link"; readonly target: string }
  );

/** By number. Numbers of the tree begin at 1025. */
export const SPECIALS: readonly Special[] = [
  { node: 2, name: ".members", kind: "file", mode: 0o440 },
  { node: 3, name: ".version", kind: "file", mode: 0o440 },
  { node: 4, name: ".vmlist", kind: "file", mode: 0o440 },
  { node: 5, name: ".clusterlog", kind: "file", mode: 0o440 },
  { node: 6, name: ".rrd", kind: "file", mode: 0o440 },
  { node: 7, name: ".debug", kind: "file", mode: 0o640 },
  { node: 8, name: "local", kind: "link", target: "" },
  { node: 9, name: "qemu-server", kind: "link", target: "/qemu-server" },
  { node: 10, name: "lxc", kind: "link", target: "/lxc" },
  // Dead for years, and still looked for.
  { node: 11, name: "openvz", kind: "link", target: "/openvz" },
];

/** The one that is written to: `0` or `1`. */
export const DEBUG_NODE = 7;

const BY_NAME: ReadonlyMap<string, Special> = new Map(SPECIALS.map((each) => [each.name, each]));
const BY_NODE: ReadonlyMap<number, Special> = new Map(SPECIALS.map((each) => [each.node, each]));

/** The special name in the root, or undefined. */
export function specialNamed(name: string): Special | undefined {
  return BY_NAME.get(name);
}

/** The special inode of this number, or undefined. */
export function specialOf(node: number): Special | undefined {
  return BY_NODE.get(node);
}
