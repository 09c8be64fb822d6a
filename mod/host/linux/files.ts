/** What lies at a path, where nothing may lie there: null says that. Everything else that fails throws. @module */

/** errno(3) of a path at which nothing can be. */
const NOWHERE: readonly unknown[] = ["ENOENT", "ENOTDIR", "ENAMETOOLONG"];

/** A file's bytes. */
export function bytesAt(path: string): Uint8Array<ArrayBuffer> | null {
  return orNull(() => Deno.readFileSync(path));
}

/** stat(2): of what a link leads to. */
export function infoAt(path: string): Deno.FileInfo | null {
  return orNull(() => Deno.statSync(path));
}

/** Where a link leads; "" for anything else that is there. */
export function linkAt(path: string): string | null {
  return orNull(() => Deno.lstatSync(path).isSymlink ? Deno.readLinkSync(path) : "");
}

/** True where a file, folder or link has this name, wherever it leads. */
export function isThere(path: string): boolean {
  return linkAt(path) !== null;
}

function orNull<T>(look: () => T): T | null {
  try {
    return look();
  } catch (error) {
    if (error instanceof Error && NOWHERE.includes((error as { code?: unknown }).code)) return null;
    throw error;
  }
}
