/**
 * Which form of each thing this program writes. Wire forms must be the same on all nodes; forms on
 * the disk are brought to the newer one when they are opened, and the older program refuses them by
 * name. `tests/base/formats_test.ts` compares this table with the modules that own the numbers.
 *
 * @module
 */

/** Name → form. */
export interface Formats {
  /** Beats of stream 1. */
  readonly beat: number;
  /** Sessions of stream 2. */
  readonly peer: number;
  /** Messages of a join. */
  readonly join: number;
  /** Blocks on a shared disk. */
  readonly disk: number;
  /** The config database of a node. */
  readonly database: number;
  /** The identity of a node. */
  readonly identity: number;
}

export const FORMATS: Formats = {
  beat: 1,
  peer: 4,
  join: 1,
  disk: 1,
  database: 4,
  identity: 1,
};

/** What is spoken between nodes, or shared by them. */
const SHARED: readonly (keyof Formats)[] = ["beat", "peer", "join", "disk"];
/** What is one node's own. */
const OWN: readonly (keyof Formats)[] = ["database", "identity"];

/** Why a node that ran `now` cannot go on with `next` in a cluster of `now`; null: it can. */
export function upgradeFault(now: Formats, next: Formats): string | null {
  for (const name of SHARED) {
    if (now[name] !== next[name]) {
      return `it speaks form ${next[name]} of ${name}, the cluster ${now[name]}`;
    }
  }
  for (const name of OWN) {
    if (next[name] < now[name]) {
      return `it reads form ${next[name]} of ${name}, here is ${now[name]}`;
    }
  }
  return null;
}

/** The table in a document of another program; null where it is none. */
export function readFormats(value: unknown): Formats | null {
  const fields = (typeof value === "object" && value !== null ? value : {}) as Record<
    string,
    unknown
  >;
  const whole = [...SHARED, ...OWN].every((name) => Number.isSafeInteger(fields[name]));
  return whole ? fields as unknown as Formats : null;
}
