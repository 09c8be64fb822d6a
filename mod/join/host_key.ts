/**
 * Host keys of OpenSSH: what `ssh-keyscan` prints, what a known_hosts file holds, and the
 * fingerprint that a person compares. Formats: sshd(8) "SSH_KNOWN_HOSTS FILE FORMAT", RFC 4716
 * section 4 for the fingerprint's content (here with SHA-256, as ssh-keygen(1) prints it).
 *
 * @module
 */
import { sha256 } from "../base/seal.ts";

/** The cluster's known hosts, in the tree. */
export const KNOWN_HOSTS = "priv/known_hosts";
/** Longer files are not read: a cluster of 64 nodes has some 200 lines. */
export const KNOWN_HOSTS_BYTES_MAX = 256 * 1024;
/** A key of 16,384 bits in base64 fits. */
const BLOB_CHARACTERS_MAX = 4096;

/** Names and addresses of one host. */
export const HOST_NAMES_MAX = 32;

/** Key types that are trusted, the one that people are shown first. */
export const KEY_TYPES = [
  "ssh-ed25519",
  "ecdsa-sha2-nistp256",
  "ecdsa-sha2-nistp384",
  "ecdsa-sha2-nistp521",
  "ssh-rsa",
] as const;
export type KeyType = typeof KEY_TYPES[number];

/** One public key. */
export interface PublicKey {
  readonly type: KeyType;
  /** The key as RFC 4253 section 6.6 encodes it, in base64. */
  readonly blob: string;
}

/** The key in two words of a line; null where they are none. */
export function publicKey(type: string | undefined, blob: string | undefined): PublicKey | null {
  const known = KEY_TYPES.find((each) => each === type);
  if (known === undefined || blob === undefined) return null;
  const bytes = blob.length > BLOB_CHARACTERS_MAX ? null : fromBase64(blob);
  if (bytes === null || bytes.length < 4 + known.length) return null;
  // The blob names its type itself: a line that says another one lies.
  const length = new DataView(bytes.buffer).getUint32(0);
  const named = new TextDecoder().decode(bytes.subarray(4, 4 + length));
  return length === known.length && named === known ? { type: known, blob } : null;
}

/** Keys in the lines of `ssh-keyscan`, each once, in the order of {@link KEY_TYPES}. */
export function readHostKeys(text: string): readonly PublicKey[] {
  const found = new Map<string, PublicKey>();
  for (const line of text.slice(0, KNOWN_HOSTS_BYTES_MAX).split("\n")) {
    const [, type, blob] = line.trim().split(/\s+/);
    const key = line.startsWith("#") ? null : publicKey(type, blob);
    if (key !== null) found.set(key.blob, key);
  }
  return [...found.values()].sort((a, b) => KEY_TYPES.indexOf(a.type) - KEY_TYPES.indexOf(b.type));
}

/** `SHA256:` and the unpadded base64 of the blob's hash, as OpenSSH prints it. */
export function fingerprintOf({ blob }: PublicKey): string {
  const hash = sha256(fromBase64(blob) ?? new Uint8Array(0));
  return `SHA256:${btoa(String.fromCharCode(...hash)).replaceAll("=", "")}`;
}

/** The line of one key for some names of its host. */
export function knownHostsLine(names: readonly string[], { type, blob }: PublicKey): string {
  return `${names.join(",")} ${type} ${blob}`;
}

/**
 * A known_hosts file in which these names have these keys and no others. Lines of other hosts,
 * hashed names and comments stay as they are. Null where it is so already.
 */
export function withHost(
  text: string,
  names: readonly string[],
  keys: readonly PublicKey[],
): string | null {
  const wanted = keys.map((key) => knownHostsLine(names, key));
  const kept = withoutNames(text, names);
  const lines = [...kept, ...wanted];
  const next = lines.length === 0 ? "" : `${lines.join("\n")}\n`;
  return sameLines(text, next) ? null : next;
}

/** A file in which a host that is called `node` has these names and no others; null: it is so. */
export function withNames(text: string, node: string, names: readonly string[]): string | null {
  const next = linesOf(text).map((line) => {
    const [first = "", ...rest] = line.split(" ");
    const ours = !line.startsWith("#") && first.split(",").includes(node);
    return ours ? [names.join(","), ...rest].join(" ") : line;
  });
  return sameLines(text, next.join("\n")) ? null : `${next.join("\n")}\n`;
}

/** The lines without those of these names; a line that names others too keeps the others. */
function withoutNames(text: string, names: readonly string[]): string[] {
  const gone = new Set(names);
  return linesOf(text).flatMap((line) => {
    const [first = "", ...rest] = line.split(" ");
    if (line.startsWith("#") || first.startsWith("@") || first.startsWith("|")) return [line];
    const left = first.split(",").filter((name) => !gone.has(name));
    return left.length === 0 ? [] : [[left.join(","), ...rest].join(" ")];
  });
}

function sameLines(a: string, b: string): boolean {
  const sorted = (text: string) => linesOf(text).sort().join("\n");
  return sorted(a) === sorted(b);
}

function linesOf(text: string): string[] {
  return text.split("\n").map((line) => line.trim()).filter((line) => line !== "");
}

function fromBase64(text: string): Uint8Array<ArrayBuffer> | null {
  if (!/^[A-Za-z0-9+/]+={0,2}$/.test(text)) return null;
  try {
    return Uint8Array.from(atob(text), (char) => char.charCodeAt(0));
  } catch {
    return null;
  }
}

/** The host in `HOST:PORT` or `[HOST]:PORT`; of a bare one, IPv6 or not, itself. */
function hostOf(address: string): string {
  const [, inside, plain] = /^\[(.*)\](?::\d+)?$|^([^:]*):\d+$/.exec(address) ?? [];
  return inside ?? plain ?? address;
}

/** How ssh(1) may call a node's host: by its name and its addresses, each `HOST:PORT` or `HOST`. */
export function namesOf(node: string, addresses: readonly string[]): readonly string[] {
  return [...new Set([node, ...addresses.map(hostOf)])].slice(0, HOST_NAMES_MAX);
}
