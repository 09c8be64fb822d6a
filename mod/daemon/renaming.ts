/**
 * What a member is called, and where it is. A name is what files of the tree refer to it by, so it
 * changes only where none does; addresses are what its daemon listens on, so only it can tell them.
 *
 * @module
 */
import type { AddressChange, Addresses, ReaddressAsk } from "../api/membership_node.ts";
import { COMMANDS_FILE } from "../api/ha_files.ts";
import { decodeText } from "../base/bytes.ts";
import { memberOf } from "../base/cluster.ts";
import type { NodeId } from "../base/id.ts";
import { ProblemError } from "../base/problem.ts";
import { RULES_FILE } from "../ha/mod.ts";
import type { NodeRuntime } from "../runtime/mod.ts";
import type { Operation } from "../streams.ts";
import type { Member } from "./member.ts";

/** Entries of a node's folder that are looked through. */
const ENTRIES_MAX = 1000;
/** What a refusal names. */
const NAMED_MAX = 5;

/** A running member, as far as it is needed here. */
export interface RenamingParts {
  readonly runtime: NodeRuntime;
  readonly member: Member;
}

/** Gives a member another name, where nothing refers to it by the old one. */
export async function renameMember(
  { runtime, member }: RenamingParts,
  name: string,
  to: string,
): Promise<void> {
  // What refers to it is read as it is now.
  await member.barrier();
  const node = member.idOf(name);
  const refuse = (why: string) => new ProblemError("config.rename-refused", why);
  const { out } = runtime.node.ha.view();
  const taken = runtime.spec.members.some((each) => each.name === to && each.id !== node) ||
    out.some((each) => each.name === to);
  if (taken) throw refuse(`"${to}" is a node's name already`);
  const [first] = references(runtime, node, name);
  if (first !== undefined) throw refuse(first);
  const folder = `nodes/${name}`;
  const found = below(member, folder);
  const files = found.filter(({ kind }) => kind === "file").map(({ path }) => path);
  if (files.length > 0) {
    const some = files.slice(0, NAMED_MAX).join(", ");
    throw refuse(
      `${files.length} files are in its folder (${some}): move them to another node first`,
    );
  }
  if (name === to) return;
  await member.changeSpec({ change: "rename", node, name: to });
  await sweep(member, [{ path: folder }, ...found].map(({ path }) => path));
}

/** What in the cluster names this node, as clauses. */
function references({ node: { ha, config } }: NodeRuntime, node: NodeId, name: string): string[] {
  const busy = ha.view().resources.filter((each) => each.node === node && each.state !== "stopped");
  const found: string[] = [];
  if (busy.length > 0) {
    found.push(`"${name}" has ${busy.map(({ id }) => id).join(", ")}: move them away first`);
  }
  for (const path of [RULES_FILE, COMMANDS_FILE]) {
    const text = decodeText(config.read(path) ?? new Uint8Array(0)) ?? "";
    const word = new RegExp(`(^|[\\s,])${name}($|[\\s,:])`, "m");
    if (word.test(text)) found.push(`"${path}" names it: change that first`);
  }
  return found;
}

interface Found {
  readonly path: string;
  readonly kind: "file" | "directory";
}

/** All that is below a folder, parents first. */
function below(member: Member, folder: string): readonly Found[] {
  const found: Found[] = [];
  const walk = (path: string): void => {
    for (const entry of member.list(path) ?? []) {
      if (found.length >= ENTRIES_MAX) return;
      found.push({ path: entry.path, kind: entry.kind });
      if (entry.kind === "directory") walk(entry.path);
    }
  };
  walk(folder);
  return found;
}

/** Folders that were empty when they were looked at. Where something came into them, they stay. */
async function sweep(member: Member, folders: readonly string[]): Promise<void> {
  const there = folders.filter((path) => member.entry(path) !== null);
  if (there.length === 0) return;
  const expect = there.map((path) => ({ path, version: member.entry(path)?.version ?? 0 }));
  const operations: Operation[] = there.toReversed().map((path) => ({ op: "rmdir", path }));
  await member.change({ expect, operations, author: "root", reason: "a member is renamed" });
}

/**
 * Tells the cluster where a member is. Of this node its settings say that. Another one is told of once
 * nobody hears it at its old addresses: while somebody does, it would be cut off until it begins anew
 * at the new ones, and a person must want that.
 */
export async function readdressMember(
  { runtime, member }: RenamingParts,
  own: Addresses,
  ask: ReaddressAsk | null,
): Promise<AddressChange> {
  const { spec, self, board } = runtime;
  const refuse = (why: string) => new ProblemError("config.readdress-refused", why);
  const node = ask === null ? self : member.idOf(ask.name);
  const known = memberOf(spec, node);
  if (known === undefined) throw refuse("this node was removed from the cluster");
  const { links, peer } = ask ?? own;
  const before = { links: known.links, peer: known.peer };
  const change = { node: known.name, before, after: { links, peer } };
  if (known.peer === peer && known.links.join() === links.join()) return change;
  const used = spec.members.find((each) =>
    each.id !== node &&
    (each.peer === peer || each.links.some((link) => links.includes(link)))
  );
  if (used !== undefined) throw refuse(`"${used.name}" has one of these addresses`);
  if (ask !== null && node === self) throw refuse("of this node, its settings say where it is");
  if (ask?.acceptCutOff === false && board.members.get(node)?.state === "online") {
    const why = `"${known.name}" is online at its old addresses, and would be cut off until it ` +
      "begins anew at these; --accept-risk=cut-off allows that";
    throw refuse(why);
  }
  await member.changeSpec({ change: "readdress", node, links, peer });
  return change;
}
