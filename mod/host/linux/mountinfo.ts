/**
 * What is mounted where, from /proc/self/mountinfo (proc(5)). Reading it touches no mount, so that
 * it never hangs.
 *
 * @module
 */

/** One mount of this mount namespace. */
export interface Mount {
  /** Names it until it is unmounted. */
  readonly id: number;
  /** The mount that it lies on. */
  readonly parent: number;
  /** `MAJOR:MINOR` of the file system. */
  readonly device: string;
  readonly target: string;
  readonly type: string;
  readonly source: string;
}

/** All mounts. */
export function readMounts(): Mount[] {
  return parseMounts(Deno.readTextFileSync("/proc/self/mountinfo"));
}

/** Reads the text of mountinfo; lines of another shape are left out. */
export function parseMounts(text: string): Mount[] {
  const mounts: Mount[] = [];
  for (const line of text.split("\n")) {
    // id, parent, device, root, target, options, optional fields…, "-", type, source, options
    const fields = line.split(" ");
    const dash = fields.indexOf("-", 6);
    const [id, parent, device, , target] = fields;
    const [type, source] = [fields[dash + 1], fields[dash + 2]];
    if (dash < 0 || !id || !parent || !device || !target || !type || !source) continue;
    mounts.push({
      id: Number(id),
      parent: Number(parent),
      device,
      target: plain(target),
      type: plain(type),
      source: plain(source),
    });
  }
  return mounts;
}

/** The mount that is seen at `target` (no other lies on it there), or null where none is. */
export function mountAt(mounts: readonly Mount[], target: string): Mount | null {
  const there = mounts.filter((mount) => mount.target === target);
  return there.findLast(({ id }) => !there.some(({ parent }) => parent === id)) ?? null;
}

/** Blank, tab, newline, `#` and backslash are written as three octal digits (of bytes of UTF-8). */
function plain(text: string): string {
  return text.replace(/\\([0-7]{3})/g, (_, digits) => String.fromCharCode(parseInt(digits, 8)));
}
