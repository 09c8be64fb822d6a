/**
 * `deno task sim --seed N --count N [--nodes 3] [--witness] [--profile fast] [--verbose]`
 *
 * Plays seeds, each drawn into a plan that is printed, and checks each against every promise. One in
 * twenty-five is played twice: the same seed must give the same history. A seed that fails is printed with
 * its violation and with the fewest faults that still make it fail; with --quiet the first failure
 * is told in one line and ends the run.
 *
 * @module
 */
import { parseArgs } from "node:util";
import { drawPlan, play, printFault, type RunPlan, type RunResult } from "../mod/sim/mod.ts";
import { checkRecorded } from "../tests/linear/recorded.ts";

const { values } = parseArgs({
  args: Deno.args,
  options: {
    seed: { type: "string", default: "1" },
    count: { type: "string", default: "1" },
    nodes: { type: "string", default: "3" },
    witness: { type: "boolean", default: false },
    profile: { type: "string", default: "fast" },
    verbose: { type: "boolean", default: false },
    quiet: { type: "boolean", default: false },
  },
});
const first = Number(values.seed);
const count = Number(values.count);
const shape = {
  nodes: Number(values.nodes),
  witness: values.witness,
  profile: values.profile === "standard" ? "standard" as const : "fast" as const,
};
/** One in so many seeds is played twice. */
const TWICE = 25;
/** After so many failed seeds the rest would only say the same. */
const FAILED_MAX = 3;

function describe({ seed, world, faults, orders, members, ...rest }: RunPlan): string {
  const options = Object.entries({ ...rest, ...rest.shape, ...world })
    .filter(([, value]) => typeof value !== "object" || Array.isArray(value))
    .map(([key, value]) => `${key}=${Array.isArray(value) ? value.join("..") : round(value)}`);
  return [
    `seed ${seed}: ${options.join(" ")}`,
    ...faults.map((fault) => `  ${printFault(fault)}`),
    ...orders.map(({ at, order }) => `  at ${(at / 1000).toFixed(2)} s: order ${order}`),
    ...members.map(({ at, order, to }) =>
      `  at ${(at / 1000).toFixed(2)} s: ${order}${to === null ? "" : ` node=${to}`}`
    ),
  ].join("\n");
}

function round(value: unknown): unknown {
  return typeof value === "number" ? Number(value.toPrecision(4)) : value;
}

/** Plays a plan; that its history can be explained is one of the promises. */
function judge(plan: RunPlan, hear?: (line: string) => void): RunResult {
  const result = play(plan, hear);
  const began = performance.now();
  const faults = checkRecorded(result.history);
  checking += performance.now() - began;
  operations += result.history.length;
  const found = faults.map((what) => ({ at: result.simulatedMs, rule: "linearizability", what }));
  return { ...result, violations: [...result.violations, ...found] };
}

/** Leaves out whatever can be left out while the same rule is broken. */
function shrink(plan: RunPlan, rule: string): RunPlan {
  let best = plan;
  for (let at = best.faults.length - 1; at >= 0; at--) {
    const less = { ...best, faults: best.faults.filter((_, each) => each !== at) };
    if (judge(less).violations[0]?.rule === rule) best = less;
  }
  for (const calm of [{ ...best, orders: [] }, { ...best, members: [] }]) {
    if (judge(calm).violations[0]?.rule === rule) best = calm;
  }
  return best;
}

function report(plan: RunPlan, { violations }: RunResult): void {
  const [violation] = violations;
  if (violation === undefined) return;
  const { rule, what, at } = violation;
  console.log(`seed ${plan.seed} FAILED at ${(at / 1000).toFixed(3)} s: ${rule}: ${what}`);
  console.log(`to see it: deno task sim --seed ${plan.seed} ${flags()} --verbose`);
  const least = shrink(plan, rule);
  console.log(`the least that fails:\n${describe(least)}`);
}

function flags(): string {
  return `--nodes ${shape.nodes}${shape.witness ? " --witness" : ""} --profile ${shape.profile}`;
}

const started = performance.now();
const sums = {
  ...{ simulatedMs: 0, events: 0, acknowledged: 0, starts: 0, takeovers: 0 },
  ...{ snapshots: 0, recoveries: 0, sections: 0 },
};
let failed = 0;
let checking = 0;
let operations = 0;
for (let seed = first; seed < first + count; seed++) {
  const plan = drawPlan(seed, shape);
  if (count === 1 || values.verbose) console.log(describe(plan));
  const result = judge(plan, values.verbose ? console.log : undefined);
  for (const key of Object.keys(sums) as (keyof typeof sums)[]) sums[key] += result[key];
  if (seed % TWICE === 0 && play(plan).trace !== result.trace) {
    failed++;
    console.log(`seed ${seed} FAILED: played twice, it gave two histories`);
  }
  if (result.violations.length === 0) continue;
  failed++;
  if (values.quiet) {
    const { rule, what } = result.violations[0] ?? { rule: "", what: "" };
    console.log(`seed ${seed}: ${rule}: ${what}`);
    break;
  }
  report(plan, result);
  if (failed >= FAILED_MAX) break;
}
const seconds = (performance.now() - started) / 1000;
const { simulatedMs, events, acknowledged, starts, takeovers, snapshots, recoveries } = sums;
const { sections } = sums;
console.log(
  `${count} seeds (${flags()}): ${failed} failed; ${
    (simulatedMs / 1000).toFixed(0)
  } s simulated in ` +
    `${seconds.toFixed(1)} s (${(simulatedMs / 1000 / seconds).toFixed(0)} x), ${events} events, ` +
    `${acknowledged} writes acknowledged, ${starts} starts, ${takeovers} takeovers, ${snapshots} snapshots, ` +
    `${recoveries} recoveries, ${sections} sections under a lock, ${operations} operations put in order in ${
      checking.toFixed(0)
    } ms`,
);
if (failed > 0) Deno.exit(1);
