/** Mutants of live migration. @module */
import type { Mutant } from "./mutant.ts";

export const MIGRATION_MUTANTS: readonly Mutant[] = [
  {
    name: "memory of the past goes with every decision",
    file: "ha/live_move.ts",
    find: "return same || handed ? next : cold(next);",
    put: "return same || handed ? next : next;",
    shape: "tests/ha/migration_test.ts",
    seeds: 1,
  },
  {
    name: "a machine that is gone is taken for one that was handed over",
    file: "ha/live_move.ts",
    find: "if (!handed || !has || !mine || !there) return null;",
    put: "if (!has || !mine || !there) return null;",
    shape: "tests/ha/migration_test.ts",
    seeds: 1,
  },
  {
    name: "a hand-over that broke is told as done",
    file: "ha/migrations.ts",
    find: "if (failure === null) {\n      this.#handed",
    put: "if (failure !== undefined) {\n      this.#handed",
    shape: "tests/ha/migration_test.ts",
    seeds: 1,
  },
  {
    name: "what waits for memory of another time is started with it",
    file: "ha/migrations.ts",
    find: 'if (passage?.way !== "in" || passage.live !== entry.live) return false;',
    put: 'if (passage?.way !== "in") return false;',
    shape: "tests/ha/migration_test.ts",
    seeds: 1,
  },
  {
    name: "how a machine came is taken for how it goes",
    file: "ha/agents/qemu_migration.ts",
    find: "if (hasObject(objects, object)) {",
    put:
      'if (migrationIn(migration).status === "completed") return end(null);\n      if (hasObject(objects, object)) {',
    shape: "tests/host/migration_test.ts",
    seeds: 1,
  },
];
