/** What lets a machine's root in on every other host goes before its membership does. @module */
import type { NodeId } from "../base/id.ts";
import { AUTHORIZED_KEYS, KNOWN_HOSTS, namesOf, withHost, withOnlyNodes } from "../join/mod.ts";
import { editText, type TreeParts } from "./tree_text.ts";

/**
 * Takes a member's keys out of the tree, where it has any, and with them those of whoever is no member:
 * what a renaming that was cut off left under an old name must not outlive its node. Where the removal
 * fails after that, the node is a member whose root logs in nowhere, and repeating it goes on; the
 * other order would leave a stranger's key behind.
 */
export async function forgetKeys(parts: TreeParts, node: NodeId): Promise<void> {
  const { members } = parts.runtime.spec;
  const going = members.find(({ id }) => id === node);
  if (going === undefined) return;
  const reason = `${going.name} goes`;
  const staying = members.filter((each) => each !== going).map(({ name }) => name);
  const names = namesOf(going.name, [...going.links, going.peer]);
  await editText(parts, {
    ...{ path: AUTHORIZED_KEYS, reason },
    edit: (text) => withOnlyNodes(text, staying),
  });
  const known = (text: string) => text === "" ? null : withHost(text, names, []);
  await editText(parts, { path: KNOWN_HOSTS, edit: known, reason });
}
