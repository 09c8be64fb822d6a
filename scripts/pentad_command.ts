/**
 * How the pentad under test is started: out of its sources, or as the executable file that
 * PENTAD_EXECUTABLE names, which then gets nothing of this process's environment but PATH, HOME and PENTAD_CACHE.
 *
 * @module
 */

const MAIN = new URL("../main.ts", import.meta.url).pathname;

/** Marks every process of a local node, so that all of them are found again. */
export const NODE_MARK = "PENTAD_LOCAL_NODE";

/** Becomes the file, with what a program has that a bare machine starts. */
const BARE = `exec /usr/bin/env -i PATH="$PATH" HOME="$HOME" ` +
  ["PENTAD_CACHE", NODE_MARK].map((name) => `\${${name}:+"${name}=$${name}"} `).join("") +
  `"$0" "$@"`;

/** The executable file under test, or null where it is the sources. */
export function executable(): string | null {
  return Deno.env.get("PENTAD_EXECUTABLE") ?? null;
}

/** The program and its first arguments; pentad's own come behind. */
export function pentad(): readonly [string, ...string[]] {
  const file = executable();
  if (file !== null) return ["/bin/sh", "-c", BARE, file];
  return [Deno.execPath(), "run", "-A", "--quiet", "--no-check", MAIN];
}
