/**
 * Who is registered on a disk. A key is 16 hex digits: the first 4 bytes of the cluster id (8), the
 * node id (4), and a generation (4). It comes from permanent names, never from a place in a list: a
 * node that leaves must not renumber the others.
 *
 * @module
 */
import { assert } from "../base/assert.ts";
import { type ClusterId, NODE_ID_MAX, type NodeId } from "../base/id.ts";
import type { ReservationState } from "../host/ports.ts";

/** Generations are 1 to this; after it comes 1 again. */
export const GENERATION_MAX = 0xffff;
/** Write exclusive, registrants only (SPC-4). */
export const WRITE_EXCLUSIVE_REGISTRANTS = 5;

/** What a key says. */
export interface KeyParts {
  readonly cluster: string;
  readonly node: NodeId;
  readonly generation: number;
}

/** Makes a key. */
export function makeKey(cluster: ClusterId, node: NodeId, generation: number): string {
  assert(generation >= 1 && generation <= GENERATION_MAX, `Generation ${generation} is 1..65535`);
  return cluster.slice(0, 8) + hex4(node) + hex4(generation);
}

/** Takes a key apart; null for one that cannot be pentad's. */
export function parseKey(key: string): KeyParts | null {
  if (!/^[0-9a-f]{16}$/.test(key)) return null;
  const node = parseInt(key.slice(8, 12), 16);
  const generation = parseInt(key.slice(12), 16);
  if (node < 1 || node > NODE_ID_MAX || generation < 1) return null;
  return { cluster: key.slice(0, 8), node: node as NodeId, generation };
}

/** The generation after `generation` that no key of `node` among `taken` has. */
export function nextGeneration(
  generation: number,
  node: NodeId,
  taken: readonly string[],
): number {
  const used = new Set(
    taken.map(parseKey).map((parts) => parts?.node === node && parts.generation),
  );
  let next = generation;
  for (let tries = 0; tries <= used.size; tries++) {
    next = next >= GENERATION_MAX ? 1 : next + 1;
    if (!used.has(next)) break;
  }
  return next;
}

/** The keys on a disk, by whose they are. Each key once, however many nexuses carry it. */
export interface KeySet {
  /** Our registration of this life is there. */
  readonly own: boolean;
  /** Keys of this node that are not the one of this life. */
  readonly former: readonly string[];
  /** Keys of this cluster's other nodes, members or not any more. */
  readonly others: ReadonlyMap<NodeId, readonly string[]>;
  /** Keys of another cluster or another program. */
  readonly strangers: readonly string[];
}

/** Sorts the keys of `state`. */
export function classifyKeys(
  keys: readonly string[],
  us: { readonly cluster: ClusterId; readonly self: NodeId; readonly key: string | null },
): KeySet {
  const former: string[] = [];
  const strangers: string[] = [];
  const others = new Map<NodeId, string[]>();
  let own = false;
  for (const key of new Set(keys)) {
    const parts = parseKey(key);
    if (key === us.key) own = true;
    else if (parts === null || parts.cluster !== us.cluster.slice(0, 8)) strangers.push(key);
    else if (parts.node === us.self) former.push(key);
    else others.set(parts.node, [...(others.get(parts.node) ?? []), key]);
  }
  return { own, former, others, strangers };
}

/** True while `key` is registered and the disk refuses the writes of everyone who is not. */
export function isProtected(state: ReservationState, key: string | null): boolean {
  return key !== null && state.keys.includes(key) && state.holder !== null &&
    state.type === WRITE_EXCLUSIVE_REGISTRANTS;
}

/**
 * True where nobody at all is registered. An ejection leaves the ejector's key, and pentad never
 * takes its key away, so this means that the target forgot: nobody won anything.
 */
export function isForgotten(state: ReservationState): boolean {
  return state.keys.length === 0 && state.holder === null;
}

/**
 * How our key went that was there in the look `before`: true where the target forgot everybody's,
 * false where it was (or may have been) taken away. `recent`: hardly any time lies between the looks.
 */
export function isLossOfAll(
  before: ReservationState | null,
  now: ReservationState,
  { recent, own }: { readonly recent: boolean; readonly own: string },
): boolean {
  if (isForgotten(now)) return true;
  if (before === null) return false;
  // Its counter only rises, but for a loss of power of a target without APTPL.
  const risen = (now.generation - before.generation) >>> 0;
  if (risen >= 2 ** 31) return true;
  // An ejector's key stays. Where every key of the former look is gone, all were cleared, and who is
  // there now registered anew.
  const others = before.keys.filter((key) => key !== own);
  return recent && others.length > 0 && !others.some((key) => now.keys.includes(key));
}

/** For `scsi_res` lines: two states that compare equal need no second line. */
export function reservationDigest(state: ReservationState): string {
  return `${[...state.keys].sort().join(",")} ${state.holder} ${state.type}`;
}

/** A state for people; `name` gives a node's. */
export function reservationText(
  { holder, keys }: ReservationState,
  name: (node: NodeId) => string,
): string {
  const parts = holder === null ? null : parseKey(holder);
  const owner = parts === null ? "nobody" : name(parts.node);
  return `key=${holder === null ? "none" : `0x${holder}`}, owner=${owner}, keys=${keys.length}`;
}

function hex4(value: number): string {
  return value.toString(16).padStart(4, "0");
}
