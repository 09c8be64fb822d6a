/** Prints diffs: a text as it is, what is none by its size. @module */
import type { FileDiff, FileDiffs } from "../config/mod.ts";
import { type Printer, safeText } from "./print.ts";

type Content = FileDiff["before"];

/** All of them, as patch(1) reads them where nobody but a program reads along. */
export function printDiffs(print: Printer, { files, omitted }: FileDiffs): void {
  for (const file of files) printFile(print, file);
  if (omitted > 0) print.note(`${omitted} more paths differ; name one to see it`);
}

function printFile(print: Printer, { path, change, kind, before, after, diff }: FileDiff): void {
  if (diff !== null) return printLines(print, diff);
  if (kind === "directory") return print.line(`${change} directory ${safeText(path)}`);
  print.line(`${change} file ${safeText(path)}: ${size(before)} → ${size(after)}`);
}

function size(content: Content): string {
  return content === null ? "nothing" : `${content.size} bytes, crc32 ${content.crc32}`;
}

function printLines(print: Printer, diff: string): void {
  for (const text of diff.replace(/\n$/, "").split("\n")) {
    // A program that reads along gets every byte; a terminal is not to be steered.
    if (print.format === "plain") {
      print.line(text);
      continue;
    }
    const safe = text.split("\t").map(safeText).join("\t");
    const added = text.startsWith("+") && !text.startsWith("+++ ");
    const removed = text.startsWith("-") && !text.startsWith("--- ");
    print.line(added ? print.paint(safe, "good") : removed ? print.paint(safe, "bad") : safe);
  }
}
