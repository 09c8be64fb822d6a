/** Mutants of rules and of orderly stops: planning that breaks what an administrator asked for. @module */
import { type Mutant, THREE } from "./mutant.ts";

const RULES = "tests/ha/rules_plan_test.ts";
const PLAN = "tests/ha/plan_test.ts";

export const RULES_MUTANTS: readonly Mutant[] = [
  {
    name: "strict node rule taken for a wish",
    file: "ha/fit.ts",
    find: "if (rule !== undefined) return {",
    put: "if (rule !== undefined && rule.nodes.size === 0) return {",
    shape: RULES,
    seeds: 1,
  },
  {
    name: "apart only from where the other will be",
    file: "ha/fit.ts",
    find: 'const places = when === "now"',
    put: 'const places = when !== "now"',
    shape: RULES,
    seeds: 1,
  },
  {
    name: "apart no more while one of them moves, in a crowd",
    file: "ha/fit.ts",
    find: 'const places = when === "now"',
    put: 'const places = when !== "now"',
    shape: [...THREE, "--crowd"],
    seeds: 3,
  },
  {
    name: "something given to a node that is to stop",
    file: "ha/fit.ts",
    find: 'report.departure !== "none"',
    put: 'report.departure === "over"',
    shape: PLAN,
    seeds: 1,
  },
  {
    name: "order of a person stronger than a strict rule",
    file: "ha/moves.ts",
    find: 'if (closed !== null) return refuse(`rule "${closed.rule}": ${closed.why}`);',
    put: "",
    shape: RULES,
    seeds: 1,
  },
  {
    name: "frozen resource started while its node is still stopping",
    file: "ha/plan.ts",
    find: 'if (entry?.state !== "online" || entry.shutdown !== null) return old;',
    put: 'if (entry?.state !== "online") return old;',
    shape: PLAN,
    seeds: 1,
  },
  {
    name: "frozen resource taken from a node that only stopped",
    file: "ha/plan.ts",
    find: "if (isDead && entry?.confirmed === true)",
    put: "if (isDead)",
    shape: PLAN,
    seeds: 1,
  },
];
