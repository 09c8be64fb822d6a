/**
 * Unified diffs of texts: Myers' greedy algorithm (An O(ND) Difference Algorithm, 1986) between what
 * both have in common at their ends. Bounded: two texts that have little in common are shown as one
 * taken out and the other put in.
 *
 * @module
 */

/** Unchanged lines around each change. */
const CONTEXT = 3;
/** Lines that differ at most before the search is given up: it keeps the square of this. */
const EDITS_MAX = 1000;
/** Steps of the search: about 20 ms. */
const STEPS_MAX = 2_000_000;

/** `old[from, upTo)` becomes `young[newFrom, newUpTo)`. */
interface Edit {
  readonly from: number;
  readonly upTo: number;
  readonly newFrom: number;
  readonly newUpTo: number;
}

/** The hunks that make `young` of `old`, as diff(1) `-u` prints them; empty where they are equal. */
export function unifiedHunks(old: string, young: string): string {
  const [before, after] = [linesOf(old), linesOf(young)];
  let text = "";
  for (const edits of grouped(editsBetween(before, after))) text += hunk(before, after, edits);
  return text;
}

/** Lines with their line ends; the last one may have none. */
function linesOf(text: string): readonly string[] {
  return text.match(/[^\n]*\n|[^\n]+$/g) ?? [];
}

function editsBetween(before: readonly string[], after: readonly string[]): readonly Edit[] {
  let head = 0;
  while (head < before.length && head < after.length && before[head] === after[head]) head++;
  let [end, newEnd] = [before.length, after.length];
  while (end > head && newEnd > head && before[end - 1] === after[newEnd - 1]) {
    end--;
    newEnd--;
  }
  if (end === head && newEnd === head) return [];
  const whole = [{ from: head, upTo: end, newFrom: head, newUpTo: newEnd }];
  // Comparing numbers is cheaper than comparing lines again and again.
  const numbers = new Map<string, number>();
  const number = (line: string) => {
    const known = numbers.get(line) ?? numbers.size;
    numbers.set(line, known);
    return known;
  };
  const a = Int32Array.from(before.slice(head, end), number);
  const b = Int32Array.from(after.slice(head, newEnd), number);
  const edits = shortest(a, b);
  return edits === null ? whole : edits.map((each) => ({
    from: each.from + head,
    upTo: each.upTo + head,
    newFrom: each.newFrom + head,
    newUpTo: each.newUpTo + head,
  }));
}

/** The shortest edits; null where the search is too long. */
function shortest(a: Int32Array, b: Int32Array): readonly Edit[] | null {
  const max = Math.min(a.length + b.length, EDITS_MAX);
  /** By diagonal k = x − y: how far x came. */
  const reach = new Int32Array(2 * max + 3);
  const trace: Int32Array[] = [];
  let steps = 0;
  for (let d = 0; d <= max; d++) {
    trace.push(reach.slice(max - d, max + d + 3));
    for (let k = -d; k <= d; k += 2) {
      const at = max + 1 + k;
      const [left, right] = [reach[at - 1] ?? 0, reach[at + 1] ?? 0];
      let x = k === -d || (k !== d && left < right) ? right : left + 1;
      const from = x;
      while (x < a.length && x - k < b.length && a[x] === b[x - k]) x++;
      reach[at] = x;
      if (x >= a.length && k === a.length - b.length) return walkBack(trace, a.length, b.length);
      steps += 1 + x - from;
    }
    if (steps > STEPS_MAX) return null;
  }
  return null;
}

/** From the end back to the beginning, by what was reached before each edit. */
function walkBack(trace: readonly Int32Array[], endA: number, endB: number): readonly Edit[] {
  const edits: Edit[] = [];
  let [x, y] = [endA, endB];
  for (let d = trace.length - 1; d > 0; d--) {
    const reach = trace[d] ?? new Int32Array(0);
    const k = x - y;
    const at = d + 1 + k;
    const [left, right] = [reach[at - 1] ?? 0, reach[at + 1] ?? 0];
    const down = k === -d || (k !== d && left < right);
    const before = down ? right : left;
    const [fromX, fromY] = [before, before - (down ? k + 1 : k - 1)];
    edits.push(
      down
        ? { from: fromX, upTo: fromX, newFrom: fromY, newUpTo: fromY + 1 }
        : { from: fromX, upTo: fromX + 1, newFrom: fromY, newUpTo: fromY },
    );
    [x, y] = [fromX, fromY];
  }
  return joined(edits.reverse());
}

/** Edits that touch become one. */
function joined(edits: readonly Edit[]): readonly Edit[] {
  const all: Edit[] = [];
  for (const edit of edits) {
    const last = all.at(-1);
    if (last !== undefined && last.upTo === edit.from && last.newUpTo === edit.newFrom) {
      all[all.length - 1] = { ...last, upTo: edit.upTo, newUpTo: edit.newUpTo };
    } else all.push(edit);
  }
  return all;
}

/** Edits whose context touches stand in one hunk. */
function grouped(edits: readonly Edit[]): readonly (readonly Edit[])[] {
  const groups: Edit[][] = [];
  for (const edit of edits) {
    const last = groups.at(-1)?.at(-1);
    if (last !== undefined && edit.from - last.upTo <= 2 * CONTEXT) groups.at(-1)?.push(edit);
    else groups.push([edit]);
  }
  return groups;
}

function hunk(
  before: readonly string[],
  after: readonly string[],
  edits: readonly Edit[],
): string {
  const [first, last] = [edits[0], edits.at(-1)];
  if (first === undefined || last === undefined) return "";
  const from = Math.max(0, first.from - CONTEXT);
  const upTo = Math.min(before.length, last.upTo + CONTEXT);
  const newFrom = first.newFrom - (first.from - from);
  const newUpTo = last.newUpTo + (upTo - last.upTo);
  let text = `@@ -${range(from, upTo)} +${range(newFrom, newUpTo)} @@\n`;
  let at = from;
  for (const edit of edits) {
    for (; at < edit.from; at++) text += line(" ", before[at]);
    for (; at < edit.upTo; at++) text += line("-", before[at]);
    for (let i = edit.newFrom; i < edit.newUpTo; i++) text += line("+", after[i]);
  }
  for (; at < upTo; at++) text += line(" ", before[at]);
  return text;
}

/** Lines count from 1; of an empty range the line before it is named. */
function range(from: number, upTo: number): string {
  const count = upTo - from;
  if (count === 1) return `${from + 1}`;
  return `${count === 0 ? from : from + 1},${count}`;
}

function line(mark: string, text = ""): string {
  return text.endsWith("\n") ? mark + text : `${mark}${text}\n\\ No newline at end of file\n`;
}
