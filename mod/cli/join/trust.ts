/**
 * What one side of a join is told of the other, and what it does with it: the other's key into
 * `priv/authorized_keys`, its host keys into `priv/known_hosts`, each once. Both sides' own are put
 * beside it, so that in the end every node knows every other.
 *
 * @module
 */
import { isNodeName } from "../../base/id.ts";
import { ProblemError } from "../../base/problem.ts";
import {
  AUTHORIZED_KEYS,
  HOST_NAMES_MAX,
  KNOWN_HOSTS,
  namesOf,
  ownerOf,
  type PublicKey,
  publicKey,
  withHost,
  withNames,
  withNodeKey,
  withoutNodeKey,
  withRenamedNode,
} from "../../join/mod.ts";
import type { Cli } from "../cli.ts";
import { editTreeFile, readTreeFile } from "../tree_file.ts";
import { linkTree, ownHostKeys, ownKey, renewOwnKey } from "./own_keys.ts";

const KEYS_MAX = 8;

/** A node as another one trusts it. */
export interface Trusted {
  readonly schema: "pentad.join-trust/1";
  readonly node: string;
  /** How ssh(1) may call its host. */
  readonly names: readonly string[];
  readonly key: PublicKey;
  readonly hostKeys: readonly PublicKey[];
}

/** This machine, as the other is to trust it. Makes root's key pair where there is none. */
export async function ownTrust(
  home: string,
  node: string,
  addresses: readonly string[],
): Promise<Trusted> {
  const names = namesOf(node, addresses);
  const key = await ownKey(home, `root@${node}`);
  return { schema: "pentad.join-trust/1", node, names, key, hostKeys: ownHostKeys() };
}

/** Puts a node's keys into the tree. */
export async function trust(cli: Cli, { node, names, key, hostKeys }: Trusted): Promise<void> {
  const why = `join of ${node}`;
  await editTreeFile(cli, AUTHORIZED_KEYS, (text) => withNodeKey(text, node, key), why);
  await editTreeFile(cli, KNOWN_HOSTS, (text) => withHost(text, names, hostKeys), why);
}

/** Takes a node's keys out of the tree. */
export async function distrust(cli: Cli, node: string, names: readonly string[]): Promise<void> {
  const why = `${node} goes`;
  await editTreeFile(cli, AUTHORIZED_KEYS, (text) => withoutNodeKey(text, node), why);
  await editTreeFile(cli, KNOWN_HOSTS, (text) => withHost(text, names, []), why);
}

/** Another key pair for this host's root: the one before lets nobody in any more. Where that is kept. */
export async function renewTrust(cli: Cli, node: string): Promise<string> {
  const why = `another key of ${node}`;
  const { text } = await readTreeFile(cli, AUTHORIZED_KEYS);
  if (!text.split("\n").some((line) => ownerOf(line) === node)) {
    const what =
      `"${AUTHORIZED_KEYS}" of the tree has no key of "${node}": it joined with a ticket`;
    throw new ProblemError("join.no-ssh-key", what);
  }
  return await renewOwnKey(cli.home, `root@${node}`, async (key) => {
    await editTreeFile(cli, AUTHORIZED_KEYS, (text) => withNodeKey(text, node, key), why);
  });
}

/** The keys of a node that is called or found otherwise now, where it has any in the tree. */
export async function retrust(
  cli: Cli,
  { from, to, addresses }: {
    readonly from: string;
    readonly to: string;
    readonly addresses: readonly string[];
  },
): Promise<void> {
  const why = from === to ? `${to} has other addresses` : `${from} is ${to} now`;
  await editTreeFile(cli, AUTHORIZED_KEYS, (text) => withRenamedNode(text, from, to), why);
  const names = namesOf(to, addresses);
  await editTreeFile(cli, KNOWN_HOSTS, (text) => withNames(text, from, names), why);
}

/** What the other side sent; every field is hostile. */
export function readTrusted(value: unknown): Trusted {
  const fields = (typeof value === "object" && value !== null ? value : {}) as Record<
    string,
    unknown
  >;
  const { schema, node, names, key, hostKeys } = fields;
  const list = (each: unknown, max: number): readonly unknown[] =>
    Array.isArray(each) && each.length <= max ? each : [];
  const keys = list(hostKeys, KEYS_MAX).map(readKey);
  const called = list(names, HOST_NAMES_MAX);
  const own = readKey(key);
  const sound = schema === "pentad.join-trust/1" && typeof node === "string" &&
    isNodeName(node) && called.length > 0 && own !== null && !keys.includes(null) &&
    called.every((name) => typeof name === "string" && /^[A-Za-z0-9.:_-]{1,255}$/.test(name));
  if (!sound) throw new ProblemError("join.far-side", "its keys are none that can be read");
  return {
    schema: "pentad.join-trust/1",
    node: node as string,
    names: called as readonly string[],
    key: own as PublicKey,
    hostKeys: keys as readonly PublicKey[],
  };
}

/** Lets sshd here look into the mounted tree; says what it could not do. */
export function linked(home: string, mount: string | null): readonly string[] {
  if (mount === null) return ["the tree is not mounted here: sshd does not see the cluster's keys"];
  return linkTree(home, mount);
}

function readKey(value: unknown): PublicKey | null {
  const { type, blob } = (typeof value === "object" && value !== null ? value : {}) as Record<
    string,
    unknown
  >;
  return typeof type === "string" && typeof blob === "string" ? publicKey(type, blob) : null;
}
