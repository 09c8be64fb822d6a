/** Prints a stream's own view, whatever it is made of: one line per value, `a.b.0 value`. @module */
import { type Printer, safeText } from "./print.ts";

/** Lines printed; a view is a screen, not a dump. */
const LINES_MAX = 2000;

/** Prints plain JSON as names and values. */
export function printView(print: Printer, view: unknown): void {
  const rows: string[][] = [];
  walk(view, "", rows);
  print.table(["NAME", "VALUE"], rows);
}

function walk(value: unknown, name: string, rows: string[][]): void {
  if (rows.length >= LINES_MAX) return;
  if (typeof value !== "object" || value === null) {
    rows.push([safeText(name), safeText(value === null ? "–" : String(value))]);
    return;
  }
  const entries = Object.entries(value);
  if (entries.length === 0) rows.push([safeText(name), "none"]);
  for (const [key, child] of entries) walk(child, name === "" ? key : `${name}.${key}`, rows);
}
