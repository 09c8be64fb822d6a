/**
 * Writes an exported tree as files. Names come from elsewhere: nothing is written outside the
 * directory, no link is followed, and nothing that is there is touched.
 *
 * A marker stands in the directory from the first byte to the last: where it is found, the export
 * was interrupted.
 *
 * @module
 */
import type { ExportEntry, ExportHead } from "../api/export.ts";
import { EXPORT_LINE_MAX } from "../api/export.ts";
import { ProblemError } from "../base/problem.ts";
import { treeGroup } from "../host/linux/tree_group.ts";
import { readLines } from "./lines.ts";

/** Name of the marker. */
export const MARKER = ".pentad-export-incomplete";
/** While it is written, only who writes may look. */
const PRIVATE_MODE = 0o700;
/** /etc/pve itself. */
const ROOT_MODE = 0o755;

/** What was written. */
export interface Exported {
  readonly at: number;
  readonly files: number;
  readonly directories: number;
}

/**
 * Writes the lines of an export, for `group` to read as on the mount; null for who may give nothing
 * away. Throws `config.export-place` and `config.export-broken`.
 */
export async function writeExport(
  source: ReadableStream<Uint8Array>,
  directory: string,
  group: number | null = Deno.uid() === 0 ? treeGroup() : null,
): Promise<Exported> {
  const root = directory.replace(/\/+$/, "") || "/";
  const mode = prepare(root);
  const made = new Map<string, Omit<ExportEntry, "data">>();
  let files = 0;
  let head: ExportHead | null = null;
  let whole = false;
  for await (const line of readLines(source, EXPORT_LINE_MAX)) {
    if (whole) throw broken("something follows its end");
    const value = parse(line);
    if (head === null) head = headOf(value);
    else if (value.end === true) whole = true;
    else {
      const entry = entryOf(value);
      attempt(root, () => {
        writeEntry(root, entry, made);
        const place = `${root}/${entry.path}`;
        if (group !== null) Deno.chownSync(place, null, group);
        if (entry.kind === "file") Deno.chmodSync(place, entry.mode);
      });
      if (entry.kind === "file") files++;
      else made.set(entry.path, entry);
    }
  }
  if (head === null || !whole) throw broken("it ends too early");
  if (files + made.size !== head.entries) throw broken(`${head.entries} entries were promised`);
  attempt(root, () => {
    // What is in a directory has changed its time by now; the deepest come first.
    for (const { path, mode, mtime } of [...made.values()].reverse()) {
      Deno.chmodSync(`${root}/${path}`, mode);
      Deno.utimeSync(`${root}/${path}`, mtime, mtime);
    }
    Deno.chmodSync(root, mode);
    Deno.removeSync(`${root}/${MARKER}`);
  });
  return { at: head.at, files, directories: made.size };
}

/** Makes the directory, or sees that it is one and empty; returns the mode that it is to have. */
function prepare(root: string): number {
  const refuse = (why: string, cause?: unknown) =>
    new ProblemError("config.export-place", `"${root}" ${why}`, { cause });
  let mode = ROOT_MODE;
  try {
    const found = lookAt(root);
    if (found === null) Deno.mkdirSync(root, { mode: PRIVATE_MODE });
    else {
      if (!found.isDirectory) throw refuse("is no directory (a link to one is none)");
      if (!Deno.readDirSync(root)[Symbol.iterator]().next().done) throw refuse("is not empty");
      mode = (found.mode ?? ROOT_MODE) & 0o7777;
      Deno.chmodSync(root, PRIVATE_MODE);
    }
    Deno.writeTextFileSync(`${root}/${MARKER}`, "this export was interrupted\n", {
      createNew: true,
      mode: 0o600,
    });
  } catch (error) {
    if (error instanceof ProblemError) throw error;
    throw refuse(`cannot be used: ${messageOf(error)}`, error);
  }
  return mode;
}

function lookAt(path: string): Deno.FileInfo | null {
  try {
    return Deno.lstatSync(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return null;
    throw error;
  }
}

/** `made`: the directories that this export has made; nothing is written into any other. */
function writeEntry(
  root: string,
  { path, kind, mtime, data }: ExportEntry,
  made: ReadonlyMap<string, unknown>,
): void {
  const names = path.split("/");
  const above = names.slice(0, -1).join("/");
  // deno-lint-ignore no-control-regex -- control characters are what is looked for
  const good = names.every((name) => name !== "" && !/^\.{1,2}$|[\u0000-\u001f\u007f]/.test(name));
  if (!good || path === MARKER) throw broken(`"${path}" is no path`);
  if (above !== "" && !made.has(above)) throw broken(`"${path}" comes before its directory`);
  const place = `${root}/${path}`;
  if (kind === "directory") return Deno.mkdirSync(place, { mode: PRIVATE_MODE });
  const file = Deno.openSync(place, { write: true, createNew: true, mode: 0o600 });
  try {
    const bytes = Uint8Array.fromBase64(data);
    for (let at = 0; at < bytes.length;) at += file.writeSync(bytes.subarray(at));
    file.utimeSync(mtime, mtime);
  } finally {
    file.close();
  }
}

/** What the file system refuses is told as such. */
function attempt(root: string, what: () => void): void {
  try {
    what();
  } catch (error) {
    if (error instanceof ProblemError) throw error;
    throw new ProblemError("config.export-place", `"${root}": ${messageOf(error)}`, {
      cause: error,
    });
  }
}

function parse(line: string): Readonly<Record<string, unknown>> {
  try {
    const value: unknown = JSON.parse(line);
    if (typeof value === "object" && value !== null) return value as Record<string, unknown>;
  } catch {
    // It is told below.
  }
  throw broken("a line is no JSON object");
}

function headOf(value: Readonly<Record<string, unknown>>): ExportHead {
  const { schema, at, entries } = value;
  if (schema === "pentad.export/1" && typeof at === "number" && typeof entries === "number") {
    return { schema, at, entries };
  }
  throw broken("its first line is none of an export");
}

function entryOf(value: Readonly<Record<string, unknown>>): ExportEntry {
  const { path, kind, mode, mtime, data } = value;
  const good = typeof path === "string" && (kind === "file" || kind === "directory") &&
    typeof mode === "number" && Number.isInteger(mode) && mode >= 0 && mode <= 0o777 &&
    typeof mtime === "number" && Number.isFinite(mtime) && typeof data === "string";
  if (good) return { path, kind, mode, mtime, data };
  throw broken("a line is no entry");
}

function broken(why: string): ProblemError {
  return new ProblemError("config.export-broken", why);
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
