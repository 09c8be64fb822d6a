/**
 * Checks who imports whom: the table below is the architecture, and there are no cycles.
 *
 * `deno run -A scripts/imports.ts [ROOT]`
 *
 * @module
 */

/** What a folder of `mod/` (or a single file) may import; the row for a file goes before its folder's. */
const STREAM_MAY = ["base", "streams.ts", "host/ports.ts"];
export const MAY_IMPORT: Readonly<Record<string, readonly string[]>> = {
  base: [],
  "streams.ts": ["base"],
  "host/ports.ts": [
    ...["base", "host/address_port.ts", "host/database_port.ts", "host/disk_port.ts"],
    ...["host/fuse_port.ts", "host/guest_port.ts", "host/process_port.ts", "host/tcp_port.ts"],
  ],
  "host/address_port.ts": ["base"],
  "host/process_port.ts": ["base"],
  "host/database_port.ts": ["base"],
  "host/disk_port.ts": ["base"],
  "host/fuse_port.ts": ["base"],
  "host/guest_port.ts": ["base", "host/tcp_port.ts"],
  "host/tcp_port.ts": ["base"],
  "host/database_failure.ts": ["base"],
  heartbeat: STREAM_MAY,
  config: STREAM_MAY,
  ha: STREAM_MAY,
  storage: STREAM_MAY,
  join: STREAM_MAY,
  node: ["base", "streams.ts", "host/ports.ts", "heartbeat", "config", "ha", "storage", "join"],
  runtime: [
    ...["base", "streams.ts", "host/ports.ts", "host/database_failure.ts", "node"],
    ...["heartbeat", "config", "ha", "storage", "join"],
  ],
  explain: ["base", "streams.ts", "node"],
  host: [
    "base",
    "host/ports.ts",
    "host/database_failure.ts",
    "host/process_port.ts",
    "host/address_port.ts",
    "host/guest_port.ts",
  ],
  sim: [
    ...["base", "streams.ts", "host/ports.ts", "node", "runtime"],
    ...["heartbeat", "config", "ha", "storage", "join"],
  ],
  daemon: [
    ...[
      "base",
      "streams.ts",
      "host",
      "host/ports.ts",
      "host/database_failure.ts",
      "node",
      "runtime",
      "api",
      "explain",
    ],
    ...["heartbeat", "config", "ha", "storage", "join"],
  ],
  api: ["base", "streams.ts", "node", "explain", "ha", "config", "join"],
  cli: [
    ...["base", "streams.ts", "node", "explain", "api", "config", "join"],
    ...["host", "host/ports.ts", "host/database_failure.ts", "sim"],
  ],
};

/** Files of a stream that only drivers (and the runtime) may reach, for they need ports. */
function isDriver(path: string): boolean {
  return path.endsWith("_driver.ts");
}

function rowOf(path: string): string {
  return path in MAY_IMPORT ? path : path.split("/")[0] ?? "";
}

/** One file's imports, all relative to `mod/`. */
export interface Imports {
  readonly file: string;
  readonly imports: readonly string[];
}

/** Every violation, as a sentence. */
export function checkImports(all: readonly Imports[]): string[] {
  const faults: string[] = [];
  for (const { file, imports } of all) {
    const row = rowOf(file);
    const may = MAY_IMPORT[row];
    if (may === undefined) {
      faults.push(`${file}: folder "${row}" has no row in the import table`);
      continue;
    }
    for (const target of imports) {
      const to = rowOf(target);
      const inside = to === row;
      if (!inside && !may.includes(to)) faults.push(`${file}: "${row}" may not import ${target}`);
      if (isDriver(target) && row === "node") faults.push(`${file}: node may not import ${target}`);
      if (inside && isDriver(target) && /(^|\/)core\.ts$/.test(file)) {
        faults.push(`${file}: a core may not import its driver ${target}`);
      }
    }
  }
  return [...faults, ...cycles(all)];
}

/** Every import cycle, once, as a sentence. Depth-first search, colours as in Tarjan's. */
function cycles(all: readonly Imports[]): string[] {
  const edges = new Map(all.map(({ file, imports }) => [file, imports]));
  const done = new Set<string>();
  const path: string[] = [];
  const found: string[] = [];
  const visit = (file: string): void => {
    const at = path.indexOf(file);
    if (at >= 0) {
      found.push(`cycle: ${[...path.slice(at), file].join(" → ")}`);
      return;
    }
    if (done.has(file)) return;
    path.push(file);
    for (const target of edges.get(file) ?? []) visit(target);
    path.pop();
    done.add(file);
  };
  for (const { file } of all) visit(file);
  return found;
}

/** The relative imports in a source text, resolved against its place below `mod/`. */
export function importsOf(file: string, source: string): string[] {
  const found: string[] = [];
  const pattern =
    /^\s*(?:import|export)\b[^;'"]*?\bfrom\s*["'](\.[^"']+)["']|\bimport\(\s*["'](\.[^"']+)["']/gm;
  for (const match of source.matchAll(pattern)) {
    const target = match[1] ?? match[2] ?? "";
    const url = new URL(target, `file:///mod/${file}`);
    if (url.pathname.startsWith("/mod/")) found.push(url.pathname.slice("/mod/".length));
  }
  return found;
}

/** Reads every TypeScript file below `mod/`. */
export function readImports(root: string): Imports[] {
  return listSources(`${root}/mod`).map((path) => {
    const file = path.slice(`${root}/mod/`.length);
    return { file, imports: importsOf(file, Deno.readTextFileSync(path)) };
  });
}

/** Paths of all TypeScript files below a folder, sorted. */
export function listSources(folder: string): string[] {
  const paths: string[] = [];
  for (const entry of Deno.readDirSync(folder)) {
    const path = `${folder}/${entry.name}`;
    if (entry.isDirectory) paths.push(...listSources(path));
    else if (entry.name.endsWith(".ts")) paths.push(path);
  }
  return paths.sort();
}

if (import.meta.main) {
  const root = Deno.args[0] ?? ".";
  const faults = checkImports(readImports(root));
  for (const fault of faults) console.error(fault);
  if (faults.length > 0) Deno.exit(1);
}
