/** The tree at a point as the lines of `api/export.ts`. @module */
import type { ExportEnd, ExportEntry, ExportHead } from "../api/export.ts";
import { encodeText } from "../base/bytes.ts";
import { modeOf, type Point, rowsByPath } from "../config/mod.ts";
import type { DatabaseView } from "../host/linux/database_view.ts";
import { indexOf, rowsAt } from "./archive.ts";

/** Characters of one piece, more or less. */
const PIECE_CHARACTERS = 256 * 1024;

/** Pieces of whole lines. */
export function* exportPieces(view: DatabaseView, point: Point): Generator<Uint8Array> {
  const at = indexOf(view, point);
  const rows = rowsByPath(rowsAt(view, at));
  const head: ExportHead = { schema: "pentad.export/1", at, entries: rows.size };
  let piece = `${JSON.stringify(head)}\n`;
  // "a" comes before "a/b", whatever else is there.
  for (const [path, { kind, mtime, data }] of [...rows].sort(([a], [b]) => a < b ? -1 : 1)) {
    const mode = modeOf(kind, path);
    const entry: ExportEntry = { path, kind, mode, mtime, data: data.toBase64() };
    piece += `${JSON.stringify(entry)}\n`;
    if (piece.length < PIECE_CHARACTERS) continue;
    yield encodeText(piece);
    piece = "";
  }
  const end: ExportEnd = { end: true };
  yield encodeText(`${piece}${JSON.stringify(end)}\n`);
}
