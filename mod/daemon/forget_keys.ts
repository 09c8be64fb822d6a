/** What lets a machine's root in on every other host goes before its membership does. @module */
import { AUTHORIZED_KEYS, KNOWN_HOSTS, namesOf, withHost, withoutNodeKey } from "../join/mod.ts";
import { editText, type TreeParts } from "./tree_text.ts";

/**
 * Takes a member's keys out of the tree, where it has any. Where the removal fails after that, the
 * node is a member whose root logs in nowhere, and repeating it goes on; the other order would leave
 * a stranger's key behind.
 */
export async function forgetKeys(
  parts: TreeParts,
  { name, links, peer }: {
    readonly name: string;
    readonly links: readonly string[];
    readonly peer: string;
  },
): Promise<void> {
  const reason = `${name} goes`;
  const names = namesOf(name, [...links, peer]);
  const known = (text: string) => text === "" ? null : withHost(text, names, []);
  await editText(parts, {
    ...{ path: AUTHORIZED_KEYS, reason },
    edit: (text) => withoutNodeKey(text, name),
  });
  await editText(parts, { path: KNOWN_HOSTS, edit: known, reason });
}
