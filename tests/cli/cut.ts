/** A process that ends at its n-th change of the file system, as one does that is killed there. */

/** What changes files, and what of it can be half done. */
const CHANGES = [
  ...["writeTextFileSync", "copyFileSync", "chmodSync", "renameSync", "symlinkSync", "removeSync"],
  ...["mkdirSync"],
] as const;
type Change = (...args: unknown[]) => unknown;

/** Thrown where the process would be gone. */
export class Killed extends Error {}

/**
 * Runs `body`; its change number `at` (from 1 on) and all that follow do not happen, but half of a
 * file is written where that change writes one. `kill` is called then, and else {@link Killed} is
 * thrown. True where so many changes were made at all.
 */
export async function cutAt(
  at: number,
  body: () => Promise<unknown>,
  kill: () => void = () => {},
): Promise<boolean> {
  const real = Deno as unknown as Record<string, Change>;
  const kept = CHANGES.map((name) => [name, real[name] as Change] as const);
  let count = 0;
  for (const [name, change] of kept) {
    real[name] = (...args) => {
      count++;
      if (count === at) half(name, args, change);
      if (count < at) return change(...args);
      kill();
      throw new Killed();
    };
  }
  try {
    await body();
  } finally {
    for (const [name, change] of kept) real[name] = change;
  }
  return count >= at;
}

function half(name: typeof CHANGES[number], args: readonly unknown[], change: Change): void {
  if (name === "writeTextFileSync") {
    const [path, text, ...rest] = args as [string, string];
    change(path, text.slice(0, text.length / 2), ...rest);
  }
  if (name === "copyFileSync") {
    change(...args);
    const to = args[1] as string;
    Deno.truncateSync(to, Deno.statSync(to).size / 2);
  }
}
