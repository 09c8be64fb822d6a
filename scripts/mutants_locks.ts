/** Mutants of flock(2) and fcntl(2). @module */
import type { Mutant } from "./mutant.ts";

/** See `mutants.ts`. */
export const LOCK_MUTANTS: readonly Mutant[] = [
  {
    name: "locks of who was ordered to let go of its watchdog given back",
    file: "config/lock_deaths.ts",
    find: "      if (!isGuarded(tree, node)) continue;\n",
    put: "",
    shape: "tests/config/lock_courier_test.ts",
    seeds: 1,
  },
  {
    name: "locks of an unarmed node given back",
    file: "config/lock_deaths.ts",
    find: 'if (state !== "down" || vitals?.armed !== true) return false;',
    put: 'if (state !== "down" || vitals === undefined) return false;',
    shape: "tests/config/fuse/flock_core_test.ts",
    seeds: 1,
  },
  {
    name: "locks of a silent node given back too early",
    file: "config/lock_deaths.ts",
    find: "return vouched - lastHeard >= timing.deadMs + timing.fenceWaitMs;",
    put: "return vouched - lastHeard >= timing.deadMs;",
    shape: "tests/config/fuse/flock_core_test.ts",
    seeds: 1,
  },
  {
    name: "late lock taken twice",
    file: "config/lock_table.ts",
    find: "known.gone || seq <= known.seq",
    put: "known.gone || seq < 1",
    shape: "tests/config/lock_table_test.ts",
    seeds: 1,
  },
  {
    name: "late lock of a former life taken",
    file: "config/lock_table.ts",
    find: "if (begins ? (known?.life ?? NO_LIFE) !== before :",
    put: "if (begins ? before === life :",
    shape: "tests/config/lock_table_test.ts",
    seeds: 1,
  },
  {
    name: "lock given back before what it protected is committed",
    file: "config/fuse/locks.ts",
    find: "if (file.text !== null || (file.draft.empty && file.commit === null)) return then();",
    put: "if (file.id > 0) return then();",
    shape: "tests/config/fuse/flock_test.ts",
    seeds: 1,
  },
  {
    name: "lock kept that was granted after the signal",
    file: "config/fuse/locks.ts",
    find: 'if (result === "done") this.#undo(command, before);',
    put: 'if (result === "full") this.#undo(command, before);',
    shape: "tests/config/fuse/flock_test.ts",
    seeds: 1,
  },
  {
    name: "written under a lost lock, and committed",
    file: "config/fuse/committer.ts",
    find: 'if (fenced) return { errno: "EIO" };',
    put: 'if (fenced && node < 0) return { errno: "EIO" };',
    shape: "tests/config/fuse/flock_test.ts",
    seeds: 1,
  },
];
