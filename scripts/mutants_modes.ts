/** Mutants of the whole stack disarmed and armed again. @module */
import { type Mutant } from "./mutant.ts";

const DISARM = "tests/ha/disarm_test.ts";

export const MODE_MUTANTS: readonly Mutant[] = [
  {
    name: "silence proves the death of a node that was disarmed",
    file: "ha/death.ts",
    find: "if (unguarded) return null;",
    put: "if (unguarded && !armed) return null;",
    shape: DISARM,
    seeds: 1,
  },
  {
    name: "arming takes every mark away",
    file: "ha/frozen.ts",
    find: "nodes.set(id, { ...entry, unguarded: true });",
    put: "nodes.set(id, { ...entry, unguarded: !arm });",
    shape: DISARM,
    seeds: 1,
  },
  {
    name: "guard suspended without a mark",
    file: "ha/duty.ts",
    find: "files.status.nodes.get(self)?.unguarded === true",
    put: "files.status.nodes.has(self)",
    shape: DISARM,
    seeds: 1,
  },
  {
    name: "disarmed agent restarts what failed",
    file: "ha/core.ts",
    find: 'const hold = mode === "disarmed";',
    put: "const hold = false;",
    shape: DISARM,
    seeds: 1,
  },
  {
    name: "decisions lost while all is disarmed make a silent node known",
    file: "ha/found.ts",
    find: 'if (unguarded && state !== "dead") return situation.present(node) !== null;',
    put: "if (unguarded && state === null) return false;",
    shape: DISARM,
    seeds: 1,
  },
  {
    name: "disarmed while a node is silent",
    file: "ha/frozen.ts",
    find: 'if (entry?.state !== "online" || heard !== "online") {',
    put: 'if (entry?.state !== "online") {',
    shape: DISARM,
    seeds: 1,
  },
];
