/** The known word that someone who mistyped most likely meant. @module */

/** Longer words are not compared: nobody mistypes them from memory. */
const WORD_MAX = 64;

/** The word nearest to `typed`, or null where none is near: at most one edit in three characters. */
export function nearest(typed: string, known: readonly string[]): string | null {
  if (typed.length > WORD_MAX) return null;
  let best: string | null = null;
  let least = Infinity;
  for (const word of known) {
    const edits = distance(typed, word);
    if (
      edits < least && edits <= Math.max(1, Math.floor(Math.max(typed.length, word.length) / 3))
    ) {
      least = edits;
      best = word;
    }
  }
  return best;
}

/** Insertions, deletions, replacements and swaps of neighbours (optimal string alignment). */
function distance(a: string, b: string): number {
  let [before, last] = [new Array<number>(b.length + 1).fill(0), steps(b.length + 1)];
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const same = a[i - 1] === b[j - 1];
      let least = Math.min(
        (last[j] ?? 0) + 1,
        (row[j - 1] ?? 0) + 1,
        (last[j - 1] ?? 0) + (same ? 0 : 1),
      );
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]) {
        least = Math.min(least, (before[j - 2] ?? 0) + 1);
      }
      row.push(least);
    }
    [before, last] = [last, row];
  }
  return last[b.length] ?? 0;
}

function steps(count: number): number[] {
  return Array.from({ length: count }, (_, at) => at);
}
