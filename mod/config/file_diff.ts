/** One changed path for people: a unified diff of a text, a summary of anything else. Pure. @module */
import { decodeText } from "../base/bytes.ts";
import { crc32, formatCrc } from "../base/checksum.ts";
import type { StoredRow } from "../host/ports.ts";
import { unifiedHunks } from "./line_diff.ts";
import type { PathDiff } from "./past.ts";

/** Characters of all diffs of one answer together. */
export const DIFF_CHARACTERS_MAX = 4 * 1024 * 1024;
/** Bytes of both sides of all files that one answer compares. */
export const COMPARED_BYTES_MAX = 16 * 1024 * 1024;
/** Paths that one answer names. */
export const PATHS_MAX = 10_000;

/** What a file held. */
export interface ContentSummary {
  readonly size: number;
  /** CRC-32, as `0xa4f2c1e8`. */
  readonly crc32: string;
}

/** See the module's note. */
export interface FileDiff {
  readonly path: string;
  readonly change: PathDiff["change"];
  /** What it is now, or was where it is gone. */
  readonly kind: "file" | "directory";
  /** Null where there was no file. */
  readonly before: ContentSummary | null;
  readonly after: ContentSummary | null;
  /** One of the two is no text. */
  readonly binary: boolean;
  /** Null for what is no text, for directories, and where there would be too much of it. */
  readonly diff: string | null;
}

/** Diffs for people. */
export interface FileDiffs {
  readonly files: readonly FileDiff[];
  /** Paths that are not named, for there are too many. */
  readonly omitted: number;
}

/** All of them, as far as one answer goes. */
export function fileDiffs(changes: readonly PathDiff[]): FileDiffs {
  const files: FileDiff[] = [];
  let [characters, bytes] = [0, 0];
  for (const change of changes.slice(0, PATHS_MAX)) {
    bytes += (change.before?.data.length ?? 0) + (change.after?.data.length ?? 0);
    const room = bytes <= COMPARED_BYTES_MAX && characters < DIFF_CHARACTERS_MAX;
    const file = fileDiff(change, room);
    characters += file.diff?.length ?? 0;
    files.push(file);
  }
  return { files, omitted: Math.max(0, changes.length - PATHS_MAX) };
}

function fileDiff({ path, change, before, after }: PathDiff, withText: boolean): FileDiff {
  const kind = (after ?? before)?.kind ?? "file";
  const [old, young] = [textOf(before), textOf(after)];
  const binary = old === null || young === null;
  const plain = withText && !binary && kind === "file";
  return {
    ...{ path, change, kind, binary },
    before: summary(before),
    after: summary(after),
    diff: plain ? head(path, before, after) + unifiedHunks(old, young) : null,
  };
}

/** The two lines before the hunks, as patch(1) reads them. */
function head(path: string, before: StoredRow | null, after: StoredRow | null): string {
  const side = (row: StoredRow | null, prefix: string) =>
    row?.kind === "file" ? `${prefix}/${path}` : "/dev/null";
  return `--- ${side(before, "a")}\n+++ ${side(after, "b")}\n`;
}

/** The empty text for what is no file; null for a file that is no text. */
function textOf(row: StoredRow | null): string | null {
  if (row?.kind !== "file") return "";
  return row.data.includes(0) ? null : decodeText(row.data);
}

function summary(row: StoredRow | null): ContentSummary | null {
  if (row?.kind !== "file") return null;
  return { size: row.data.length, crc32: formatCrc(crc32(row.data)) };
}
