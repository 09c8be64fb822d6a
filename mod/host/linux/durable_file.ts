/** Files that are replaced whole: after a crash there is the old one or the new one. @module */

/** Replaces a private file; durable when it returns. */
export function bytesDurable(path: string, bytes: Uint8Array<ArrayBuffer>): void {
  const temporary = `${path}.new`;
  const file = Deno.openSync(temporary, { create: true, truncate: true, write: true, mode: 0o600 });
  try {
    for (let at = 0; at < bytes.length;) at += file.writeSync(bytes.subarray(at));
    file.syncSync();
  } finally {
    file.close();
  }
  Deno.renameSync(temporary, path);
  syncDirectory(path.slice(0, path.lastIndexOf("/")) || "/");
}

/** Makes renames in a directory durable. */
export function syncDirectory(directory: string): void {
  const file = Deno.openSync(directory, { read: true });
  try {
    file.syncSync();
  } finally {
    file.close();
  }
}
