/** Ranges of one owner on one inode: splitting, replacing, merging. Pure. @module */
import type { Lock, LockCommand } from "./lock_wire.ts";

type Range = Pick<Lock, "start" | "end">;

/** True where two inclusive ranges share a byte. */
export function overlaps(a: Range, b: Range): boolean {
  return a.start <= b.end && b.start <= a.end;
}

/** What is left of a lock outside a range: nothing, one piece or two. */
function outside(lock: Lock, { start, end }: Range): Lock[] {
  if (!overlaps(lock, { start, end })) return [lock];
  const left = lock.start < start ? [{ ...lock, end: start - 1n }] : [];
  const right = lock.end > end ? [{ ...lock, start: end + 1n }] : [];
  return [...left, ...right];
}

/**
 * An owner's locks after a command that nobody else's forbids: the range is of the new kind, what
 * touches it with the same kind is one lock with it (fcntl(2)).
 */
export function withCommand(own: readonly Lock[], command: LockCommand, node: number): Lock[] {
  const { kind, start, end, owner, type, pid } = command;
  const pieces = own.flatMap((lock) => outside(lock, command));
  if (kind !== "unlock") pieces.push({ node, type, kind, owner, start, end, pid });
  pieces.sort((a, b) => a.start < b.start ? -1 : 1);
  const merged: Lock[] = [];
  for (const piece of pieces) {
    const last = merged.at(-1);
    if (last?.kind === piece.kind && last.end + 1n === piece.start) {
      merged[merged.length - 1] = { ...last, end: piece.end, pid };
    } else merged.push(piece);
  }
  return merged;
}
