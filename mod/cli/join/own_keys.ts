/** Root's key pair and the host's keys on this machine, and the links by which sshd finds others'. @module */
import { decodeText } from "../../base/bytes.ts";
import { ProblemError } from "../../base/problem.ts";
import { syncDirectory } from "../../host/linux/durable_file.ts";
import { bytesAt, isThere, linkAt } from "../../host/linux/files.ts";
import { makeKeyPair } from "../../host/linux/ssh.ts";
import { type PublicKey, publicKey, readHostKeys } from "../../join/mod.ts";

/** sshd_config(5), HostKey. */
const HOST_KEYS = ["ed25519", "ecdsa", "rsa"].map((kind) => `/etc/ssh/ssh_host_${kind}_key.pub`);
/** Names that ssh(1) tries by itself, the one that is made where there is none first. */
const OWN_KEYS = ["id_ed25519", "id_ecdsa", "id_rsa"];

/**
 * The second file of each kind, which OpenSSH reads beside the first by default: what a person wrote
 * into the first stays, and lets the person in when nothing is mounted.
 */
const LINKS: readonly (readonly [string, string])[] = [
  ["authorized_keys2", "priv/authorized_keys"],
  ["known_hosts2", "priv/known_hosts"],
];

/** Root's public key; makes a pair where there is none. An existing pair is kept. */
export async function ownKey(home: string, comment: string): Promise<PublicKey> {
  const folder = `${home}/.ssh`;
  Deno.mkdirSync(folder, { recursive: true, mode: 0o700 });
  for (const name of OWN_KEYS) {
    const key = keyIn(`${folder}/${name}.pub`);
    if (key !== null) return key;
  }
  const path = `${folder}/${OWN_KEYS[0]}`;
  await makeKeyPair(path, comment);
  const key = keyIn(`${path}.pub`);
  if (key !== null) return key;
  throw new ProblemError("join.missing-program", `ssh-keygen made no key at "${path}"`);
}

/**
 * Puts another pair of root's in place of the one that is used; `publish` lets the cluster know its
 * public key before. A pair that a cut-off renewal made is taken up again. Where the old pair is kept
 * is returned: a person may use it elsewhere.
 */
export async function renewOwnKey(
  home: string,
  comment: string,
  publish: (key: PublicKey) => Promise<void>,
): Promise<string> {
  const path = `${home}/.ssh/${OWN_KEYS[0]}`;
  const fresh = `${path}.new`;
  // The public half moves last: while it is there, there is something to finish.
  if (!isThere(`${fresh}.pub`)) {
    if (isThere(fresh)) Deno.removeSync(fresh);
    await makeKeyPair(fresh, comment);
  }
  const key = keyIn(`${fresh}.pub`);
  if (key === null) {
    throw new ProblemError("join.missing-program", `ssh-keygen made no key at "${fresh}"`);
  }
  await publish(key);
  const kept = `${path}.before-${Date.now()}`;
  if (isThere(fresh)) {
    if (isThere(path)) Deno.renameSync(path, kept);
    Deno.renameSync(fresh, path);
  }
  if (isThere(`${path}.pub`)) Deno.renameSync(`${path}.pub`, `${kept}.pub`);
  Deno.renameSync(`${fresh}.pub`, `${path}.pub`);
  syncDirectory(`${home}/.ssh`);
  return kept;
}

/** The public keys by which this host is known. */
export function ownHostKeys(paths: readonly string[] = HOST_KEYS): readonly PublicKey[] {
  const keys = paths.map(keyIn).filter((key) => key !== null);
  return readHostKeys(keys.map(({ type, blob }) => `host ${type} ${blob}`).join("\n"));
}

/** Makes sshd and ssh look into the tree too. Returns what was left alone, as sentences. */
export function linkTree(home: string, mount: string): readonly string[] {
  const left: string[] = [];
  for (const [name, file] of LINKS) {
    const [path, target] = [`${home}/.ssh/${name}`, `${mount}/${file}`];
    const there = linkAt(path);
    if (there === target) continue;
    if (there !== null) left.push(`${path} is not ours and stays; the keys are in ${target}`);
    else Deno.symlinkSync(target, path);
  }
  return left;
}

/** Takes back what {@link linkTree} made. */
export function unlinkTree(home: string, mount: string): void {
  for (const [name, file] of LINKS) {
    const path = `${home}/.ssh/${name}`;
    if (linkAt(path) === `${mount}/${file}`) Deno.removeSync(path);
  }
}

function keyIn(path: string): PublicKey | null {
  const bytes = bytesAt(path);
  if (bytes === null) return null;
  const [type, blob] = (decodeText(bytes) ?? "").trim().split(/\s+/);
  return publicKey(type, blob);
}
