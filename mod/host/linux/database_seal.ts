/**
 * The seal: a small file beside the database that says how far the database was, so that an older
 * copy of it, or none, is not taken for it. Term, vote and description in it are exact, for it is
 * written before anybody hears of a new one; the rest is what they were when it was last written.
 *
 * It never goes away once it is there: a database that is not the one named here is not used.
 *
 * @module
 */
import { fromHex, toHex } from "../../base/bytes.ts";
import { crc32, formatCrc } from "../../base/checksum.ts";
import type { SealedSpec } from "../ports.ts";
import { bytesDurable } from "./durable_file.ts";
import { smallText } from "./files.ts";

/** Beside the database: `config.db-seal`. */
export const SEAL_SUFFIX = "-seal";
/** Form of the file. */
const FORMAT = 1;

/** See the module's note. */
export interface Seal {
  /** Names the database; a renewed one has another. */
  readonly uuid: string;
  /** How often it was opened. */
  readonly opens: number;
  readonly term: number;
  readonly vote: number;
  /** Term and vote are all that this node ever promised. */
  readonly known: boolean;
  readonly applied: number;
  /** Last index of the log where it was closed in order; else null. */
  readonly closedAt: number | null;
  readonly sealed: SealedSpec | null;
}

/** The seal of a database; null where there is none, a text where it is damaged. */
export function readSeal(path: string): Seal | string | null {
  let text: string;
  try {
    text = smallText(`${path}${SEAL_SUFFIX}`);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return null;
    return `the seal cannot be read: ${error instanceof Error ? error.message : String(error)}`;
  }
  const at = text.indexOf("\n");
  const body = text.slice(0, at);
  if (at < 0 || text.slice(at + 1).trim() !== crcOf(body)) return "the seal fails its CRC-32";
  // What has our CRC-32 was written by us.
  const { format, sealed, ...rest } = JSON.parse(body);
  if (format !== FORMAT) {
    return `the seal has format ${String(format)}, this pentad reads ${FORMAT}`;
  }
  if (sealed === null) return { ...rest, sealed: null };
  const { index, body: spec, settled, alone } = sealed;
  const decoded = spec === null ? null : fromHex(spec);
  return { ...rest, sealed: { spec: decoded && { index, body: decoded }, settled, alone } };
}

/** Replaces the seal; durable when it returns. */
export function writeSeal(path: string, seal: Seal): void {
  const { sealed, ...rest } = seal;
  const spec = sealed?.spec ?? null;
  const plain = sealed && {
    index: spec?.index ?? 0,
    body: spec && toHex(spec.body),
    settled: sealed.settled,
    alone: sealed.alone,
  };
  const body = JSON.stringify({ format: FORMAT, ...rest, sealed: plain });
  bytesDurable(`${path}${SEAL_SUFFIX}`, new TextEncoder().encode(`${body}\n${crcOf(body)}\n`));
}

/** What a database says of itself, as far as the seal knows it too. */
export interface SealedState {
  readonly uuid: string;
  readonly opens: number;
  readonly term: number;
  readonly vote: number;
  readonly applied: number;
  readonly last: number;
}

/** Why a database is not the one that was sealed, or is it as it was before; null where it is. */
export function staleness(seal: Seal, found: SealedState): string | null {
  const { uuid, opens, term, vote, applied, last } = found;
  const older = (what: string) => `it is older than its seal: ${what}`;
  if (uuid !== seal.uuid) return "it is not the database that its seal names";
  if (opens < seal.opens) return older(`opened ${opens} times, sealed ${seal.opens}`);
  if (term < seal.term) return older(`term ${term}, sealed ${seal.term}`);
  if (term === seal.term && seal.vote !== 0 && vote !== seal.vote) {
    return older(`vote ${vote} in term ${term}, sealed ${seal.vote}`);
  }
  if (applied < seal.applied) return older(`index ${applied} is applied, sealed ${seal.applied}`);
  const sameOpen = opens === seal.opens && seal.closedAt !== null;
  if (sameOpen && last !== seal.closedAt) {
    return older(`the log ends at ${last}, sealed ${seal.closedAt}`);
  }
  return null;
}

function crcOf(body: string): string {
  return formatCrc(crc32(new TextEncoder().encode(body)));
}
