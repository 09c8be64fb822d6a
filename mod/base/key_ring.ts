/** The keys of the cluster that a node has. @module */
import { equalSecrets } from "./seal.ts";

/** One key as a rule; two while the key is renewed. */
export interface KeyRing {
  /** What this node seals with: 32 bytes. */
  readonly clusterKey: Uint8Array;
  /** What it opens too: the next one, or the one before. Absent or null: nothing. */
  readonly otherKey?: Uint8Array | null;
}

/** The keys that a node opens with, the likelier one first. */
export function keysOf({ clusterKey, otherKey = null }: KeyRing): readonly Uint8Array[] {
  return otherKey === null ? [clusterKey] : [clusterKey, otherKey];
}

/** True where both have the same keys in the same places. */
export function sameRing(a: KeyRing, b: KeyRing): boolean {
  const [mine, theirs] = [keysOf(a), keysOf(b)];
  return mine.length === theirs.length &&
    mine.every((key, at) => equalSecrets(key, theirs[at] ?? new Uint8Array(0)));
}
