/** What lies at a path, where nothing may lie there: null says that. Everything else that fails throws. @module */

/** errno(3) of a path at which nothing can be. */
const NOWHERE: readonly unknown[] = ["ENOENT", "ENOTDIR", "ENAMETOOLONG"];

/** A file's bytes. */
export function bytesAt(path: string): Uint8Array<ArrayBuffer> | null {
  return orNull(() => Deno.readFileSync(path));
}

/** Bytes that a file of ours has at most, where nothing else is said of it. */
export const SMALL_BYTES_MAX = 1024 * 1024;

/**
 * The text of a file of ours. Throws where there is none (`Deno.errors.NotFound`), where something else
 * lies there (to open a FIFO would wait for ever, a device may have no end), and where it is longer
 * than anything that we write there.
 */
export function smallText(path: string, bytesMax = SMALL_BYTES_MAX): string {
  mustBeFile(path);
  using file = Deno.openSync(path);
  const buffer = new Uint8Array(Math.min(bytesMax, file.statSync().size) + 1);
  let length = 0;
  for (let got = file.readSync(buffer); got !== null && length < buffer.length;) {
    length += got;
    got = file.readSync(buffer.subarray(length));
  }
  if (length > bytesMax) throw new Error(`It has more than ${bytesMax} bytes: "${path}"`);
  return new TextDecoder().decode(buffer.subarray(0, length));
}

/** Throws where what lies there, or what a link there leads to, is no file. */
export function mustBeFile(path: string): void {
  if (!Deno.statSync(path).isFile) throw new Error(`It is no file: "${path}"`);
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
