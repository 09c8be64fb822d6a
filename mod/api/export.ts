/**
 * The form of an exported tree: JSON lines. The first one says what it is, then each directory comes
 * before what is in it, and the last one says that it is whole.
 *
 * @module
 */

/** Media type of JSON lines; it is in wide use, though registered nowhere. */
export const LINES_TYPE = "application/jsonl";
/** Characters of a line at most: a whole file in base64, and its path. */
export const EXPORT_LINE_MAX = 2 * 1024 * 1024;

/** The first line. */
export interface ExportHead {
  readonly schema: "pentad.export/1";
  /** The tree is that after this index. */
  readonly at: number;
  readonly entries: number;
}

/** One path. */
export interface ExportEntry {
  readonly path: string;
  readonly kind: "file" | "directory";
  /** Permission bits. */
  readonly mode: number;
  /** Seconds since 1970. */
  readonly mtime: number;
  /** Content in base64; empty for a directory. */
  readonly data: string;
}

/** The last line. */
export interface ExportEnd {
  readonly end: true;
}

/** What it is told with. */
export const EXPORT_HEADERS = { "Content-Type": LINES_TYPE, "Cache-Control": "no-store" } as const;
