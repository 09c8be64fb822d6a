/**
 * Checks what no linter sees: length of files and lines, dead files, stray words.
 *
 * `deno run -A scripts/tidy.ts [ROOT]`
 *
 * @module
 */
import { importsOf, listSources } from "./imports.ts";

/** Longest file; a longer one is cut by duty. */
export const FILE_LINES_MAX = 400;
/** Longest line. */
export const LINE_COLUMNS_MAX = 120;

/** Files of `mod/` that nothing imports, and why that is right. */
const ENTRY_FILES: ReadonlySet<string> = new Set([
  // Loaded as a Worker by host/linux/database.ts.
  "host/linux/database_worker.ts",
  // Loaded as a Worker by daemon/archive_pool.ts.
  "daemon/archive_worker.ts",
]);

/** A source file: its path from the root, and its text. */
export interface Source {
  readonly path: string;
  readonly text: string;
}

/** Every fault, as a sentence. */
export function checkTidy(sources: readonly Source[]): string[] {
  return [...sources.flatMap(checkFile), ...deadFiles(sources)];
}

function checkFile({ path, text }: Source): string[] {
  const faults: string[] = [];
  const lines = text.split("\n");
  if (lines.length > FILE_LINES_MAX + 1) {
    faults.push(`${path}: ${lines.length - 1} lines, at most ${FILE_LINES_MAX}: cut it by duty`);
  }
  lines.forEach((line, at) => {
    const place = `${path}:${at + 1}`;
    // A line of one long word (an address, a test vector) cannot be broken.
    if ([...line].length > LINE_COLUMNS_MAX && /\S\s+\S{1,60}$/.test(line.trim())) {
      faults.push(`${place}: longer than ${LINE_COLUMNS_MAX} columns`);
    }
    if (
      new RegExp(["TO" + "DO", "FIX" + "ME", "XX" + "X"].map((w) => `\\b${w}\\b`).join("|")).test(
        line,
      )
    ) {
      faults.push(`${place}: unfinished work is an issue, not a comment`);
    }
    if (/@ts-(ignore|expect-error|nocheck)/.test(line) && !path.includes("tidy")) {
      faults.push(`${place}: the type checker is not to be silenced`);
    }
  });
  if (path.startsWith("mod/") && !/^\s*\/\*\*/.test(text)) {
    faults.push(`${path}: begins without a sentence that says what it is for`);
  }
  return faults;
}

function deadFiles(sources: readonly Source[]): string[] {
  const reached = new Set<string>(ENTRY_FILES);
  for (const { path, text } of sources) {
    const depth = path.startsWith("mod/") ? path.slice("mod/".length) : `../${path}`;
    for (const target of importsOf(depth, text)) reached.add(target);
    // From outside mod/ a relative path names it in full.
    for (const match of text.matchAll(/["'](?:\.\.?\/)+(mod\/[^"']+\.ts)["']/g)) {
      reached.add((match[1] ?? "").slice("mod/".length));
    }
  }
  return sources
    .filter(({ path }) => path.startsWith("mod/") && !reached.has(path.slice("mod/".length)))
    .map(({ path }) => `${path}: nothing imports it`);
}

/** Reads all sources of a repository. */
export function readSources(root: string): Source[] {
  const paths = ["mod", "tests", "scripts"].flatMap((folder) => listSources(`${root}/${folder}`));
  return [...paths, `${root}/main.ts`].map((path) => ({
    path: path.slice(root.length + 1),
    text: Deno.readTextFileSync(path),
  }));
}

if (import.meta.main) {
  const faults = checkTidy(readSources(Deno.args[0] ?? "."));
  for (const fault of faults) console.error(fault);
  if (faults.length > 0) Deno.exit(1);
}
