/**
 * The cluster's authorized_keys: one line a node, each key once whatever it is joined, left and
 * joined again. Format: sshd(8) "AUTHORIZED_KEYS FILE FORMAT".
 *
 * @module
 */
import { isNodeName } from "../base/id.ts";
import { KEY_TYPES, type PublicKey, publicKey } from "./host_key.ts";

/** Keys of the cluster's nodes, in the tree. */
export const AUTHORIZED_KEYS = "priv/authorized_keys";
/** Longer files are not read. */
export const AUTHORIZED_KEYS_BYTES_MAX = 256 * 1024;
/**
 * What a node's key may do on another: log in and run programs, which is what `deploy` and a copy
 * need. It opens no way through this host to others, and no agent or screen of whoever logs in.
 */
const OPTIONS = "no-agent-forwarding,no-port-forwarding,no-X11-forwarding,no-user-rc";
/** What tells our lines from those of people. */
const MARK = "pentad:";

/** A file in which a node has exactly this key; null where it is so already. */
export function withNodeKey(text: string, node: string, key: PublicKey): string | null {
  const wanted = `${OPTIONS} ${key.type} ${key.blob} ${MARK}${node}`;
  const lines = text.split("\n").map((line) => line.trimEnd());
  while (lines.at(-1) === "") lines.pop();
  const ours = lines.filter((line) => ownerOf(line) === node);
  // A person may have let that key in already, with options that the person chose.
  const others = lines.filter((line) => ownerOf(line) === null && keyIn(line)?.blob === key.blob);
  if (others.length > 0 && ours.length === 0) return null;
  if (ours.length === 1 && ours[0] === wanted) return null;
  const kept = lines.filter((line) => ownerOf(line) !== node);
  return `${[...kept, wanted].join("\n")}\n`;
}

/** A file without a node's key; null where it has none. Lines of people stay. */
export function withoutNodeKey(text: string, node: string): string | null {
  const lines = text.split("\n");
  const kept = lines.filter((line) => ownerOf(line) !== node);
  return kept.length === lines.length ? null : kept.join("\n");
}

/**
 * A file in which nobody but these nodes has a line of ours; null where it is so. Lines of people stay.
 */
export function withOnlyNodes(text: string, nodes: readonly string[]): string | null {
  const lines = text.split("\n");
  const kept = lines.filter((line) => {
    const owner = ownerOf(line);
    return owner === null || nodes.includes(owner);
  });
  return kept.length === lines.length ? null : kept.join("\n");
}

/** A file in which a node's own line bears its new name; null where it has none. */
export function withRenamedNode(text: string, from: string, to: string): string | null {
  const lines = text.split("\n");
  const next = lines.map((line) =>
    ownerOf(line) === from ? line.trimEnd().slice(0, -from.length) + to : line
  );
  return next.every((line, at) => line === lines[at]) ? null : next.join("\n");
}

/** The node of a line that pentad wrote, or null. */
export function ownerOf(line: string): string | null {
  const last = line.trim().split(/\s+/).at(-1) ?? "";
  const name = last.startsWith(MARK) ? last.slice(MARK.length) : "";
  return !line.startsWith("#") && isNodeName(name) && keyIn(line) !== null ? name : null;
}

/** The key in a line, after whatever options; options may have blanks in quotes. */
export function keyIn(line: string): PublicKey | null {
  if (line.trimStart().startsWith("#")) return null;
  const words = line.trim().split(/\s+/);
  const at = words.findIndex((word) => KEY_TYPES.some((type) => type === word));
  return at < 0 ? null : publicKey(words[at], words[at + 1]);
}
