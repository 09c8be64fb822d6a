/**
 * `deno run -A scripts/sim_disks.ts --seed N --count N [--nodes 2] [--disks 3] [--witness] [--moves]
 * [--quiet] [--verbose]`: seeds of runs about shared disks. Without --nodes and --disks each seed has
 * another shape; with --moves it is a pair whose witness is now this disk, now that. A seed that
 * fails is printed with the fewest faults that still make it fail; with --quiet the first failure is
 * told in one line and ends the run.
 *
 * @module
 */
import { parseArgs } from "node:util";
import {
  drawJudgement,
  type JudgementPlan,
  type JudgementShape,
  playJudgement,
  printDiskFault,
  printFault,
  printMove,
} from "../mod/sim/mod.ts";

const { values } = parseArgs({
  args: Deno.args,
  options: {
    seed: { type: "string", default: "1" },
    count: { type: "string", default: "1" },
    nodes: { type: "string" },
    disks: { type: "string" },
    witness: { type: "boolean", default: false },
    moves: { type: "boolean", default: false },
    verbose: { type: "boolean", default: false },
    quiet: { type: "boolean", default: false },
  },
});
/** Nodes and disks, in turn; a pair has a witness. */
const SHAPES = [[2, 1], [2, 3], [2, 3], [2, 2], [3, 1], [2, 3], [3, 3], [4, 2]] as const;
/** One in so many seeds is played twice. */
const TWICE = 10;
/** After so many failed seeds the rest would only say the same. */
const FAILED_MAX = 3;

function shapeOf(seed: number): JudgementShape {
  const [nodes, disks] = values.moves ? [2, 2 + seed % 2] : SHAPES[seed % SHAPES.length] ?? [2, 1];
  const wanted = Number(values.nodes ?? nodes);
  return {
    nodes: wanted,
    disks: Number(values.disks ?? disks),
    witness: values.witness || wanted === 2,
    ...(values.moves && { apart: true }),
    profile: "fast",
  };
}

function describe(
  { seed, shape, resources, faults, diskFaults, moves, ...plan }: JudgementPlan,
) {
  const { safetyMs, aborts, world } = plan;
  const text = resources.map(({ storage, disks }) =>
    `${storage ? "storage" : "death"}:${disks.join("+") || "all"}`
  );
  return [
    `seed ${seed}: nodes=${shape.nodes} disks=${shape.disks} witness=${shape.witness} aborts=${aborts} ` +
    `resources=${text.join(",")} safetyMs=${safetyMs}`,
    `  ${JSON.stringify(world)}`,
    ...faults.map((fault) => `  ${printFault(fault)}`),
    ...diskFaults.map((fault) => `  ${printDiskFault(fault)}`),
    ...moves.map((move) => `  ${printMove(move)}`),
  ].join("\n");
}

/** Leaves out whatever can be left out while the same rule is broken. */
function shrink(plan: JudgementPlan, rule: string): JudgementPlan {
  let best = plan;
  const breaks = (less: JudgementPlan) => playJudgement(less).violations[0]?.rule === rule;
  for (let at = best.faults.length - 1; at >= 0; at--) {
    const less = { ...best, faults: best.faults.filter((_, each) => each !== at) };
    if (breaks(less)) best = less;
  }
  for (let at = best.diskFaults.length - 1; at >= 0; at--) {
    const less = { ...best, diskFaults: best.diskFaults.filter((_, each) => each !== at) };
    if (breaks(less)) best = less;
  }
  for (let at = best.moves.length - 1; at >= 0; at--) {
    const less = { ...best, moves: best.moves.filter((_, each) => each !== at) };
    if (breaks(less)) best = less;
  }
  return best;
}

const started = performance.now();
const sums: Record<string, number> = {};
const met: Record<string, number> = {};
const first = Number(values.seed);
const count = Number(values.count);
let failed = 0;
for (let seed = first; seed < first + count; seed++) {
  const plan = drawJudgement(seed, shapeOf(seed));
  if (values.verbose) console.log(describe(plan));
  const { violations, trace, struck, ...result } = playJudgement(
    plan,
    values.verbose ? console.log : undefined,
  );
  for (const [key, value] of Object.entries(result)) sums[key] = (sums[key] ?? 0) + value;
  for (const [key, value] of Object.entries(struck)) met[key] = (met[key] ?? 0) + value;
  if (seed % TWICE === 0 && playJudgement(plan).trace !== trace) {
    failed++;
    console.log(`seed ${seed} FAILED: played twice, it gave two histories`);
  }
  const [violation] = violations;
  if (violation === undefined) continue;
  failed++;
  if (values.quiet) {
    console.log(`seed ${seed}: ${violation.rule}: ${violation.what}`);
    break;
  }
  const { rule, what, at } = violation;
  console.log(`seed ${seed} FAILED at ${(at / 1000).toFixed(3)} s: ${rule}: ${what}`);
  console.log(`the least that fails:\n${describe(shrink(plan, rule))}`);
  if (failed >= FAILED_MAX) break;
}
const seconds = ((performance.now() - started) / 1000).toFixed(1);
const { simulatedMs = 0, ...rest } = sums;
const text = Object.entries(rest).map(([key, value]) => `${value} ${key}`).join(", ");
console.log(
  `${count} seeds of shared disks: ${failed} failed; ${(simulatedMs / 1000).toFixed(0)} s ` +
    `simulated in ${seconds} s; ${text}`,
);
const kinds = Object.entries(met).sort(([a], [b]) => a < b ? -1 : 1);
console.log(`struck: ${kinds.map(([kind, times]) => `${times} ${kind}`).join(", ")}`);
if (failed > 0) Deno.exit(1);
