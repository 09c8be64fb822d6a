/** One seed of `scripts/sim.ts`: played, judged, and described where it failed. @module */
import { type ClusterShape, drawCrowd, drawPlan, play, printFault } from "../mod/sim/mod.ts";
import {
  printCrowdRule,
  printDcFault,
  printProperties,
  type RunPlan,
  type RunResult,
} from "../mod/sim/mod.ts";
import * as sealing from "../mod/base/seal.ts";
import { checkRecorded } from "../tests/linear/recorded.ts";

/** What is to be played, and how much is to be said of it. */
export interface SeedAsk {
  readonly seed: number;
  readonly shape: ClusterShape;
  /** Many resources under rules, and a manager that dies. */
  readonly crowd: boolean;
  /** A failure is told in one line. */
  readonly quiet: boolean;
}

/** What is counted of a seed. */
export interface SeedSums {
  readonly simulatedMs: number;
  readonly events: number;
  readonly acknowledged: number;
  readonly starts: number;
  readonly takeovers: number;
  readonly snapshots: number;
  readonly recoveries: number;
  readonly sections: number;
  readonly struck: number;
  readonly operations: number;
  /** Milliseconds of this machine that putting them in order took. */
  readonly checkingMs: number;
}

/** How a seed went. */
export interface SeedResult {
  readonly sums: SeedSums;
  readonly failed: boolean;
  /** What is to be said of a failure. */
  readonly lines: readonly string[];
}

/** One in so many seeds is played twice, and one with the true seal where there is another. */
const TWICE = 25;
const TRULY = 12;

/** Everything that is drawn from a seed. */
export function planOf({ seed, shape, crowd }: SeedAsk): RunPlan {
  return crowd ? drawCrowd(seed, shape) : drawPlan(seed, shape);
}

/** Plays one seed. */
export function playSeed(ask: SeedAsk): SeedResult {
  const { seed, quiet } = ask;
  const plan = planOf(ask);
  const { result, sums } = judge(plan);
  const lines: string[] = [];
  if (seed % TWICE === 0 && play(plan).trace !== result.trace) {
    lines.push(`seed ${seed} FAILED: played twice, it gave two histories`);
  }
  if (seed % TWICE === TRULY && historyOf(playTruly(plan)) !== historyOf(result)) {
    lines.push(`seed ${seed} FAILED: with the true seal it gave another history`);
  }
  const [violation] = result.violations;
  if (violation !== undefined && quiet) {
    lines.push(`seed ${seed}: ${violation.rule}: ${violation.what}`);
  } else if (violation !== undefined) lines.push(...report(plan, ask, result));
  return { sums, failed: lines.length > 0, lines };
}

/** Plays a plan and tells everything that is said. */
export function tellSeed(ask: SeedAsk, hear: (line: string) => void): void {
  play(planOf(ask), hear);
}

/** Plays a plan; that its history can be explained is one of the promises. */
function judge(plan: RunPlan): { readonly result: RunResult; readonly sums: SeedSums } {
  const result = play(plan);
  const began = performance.now();
  const faults = checkRecorded(result.history);
  const checkingMs = performance.now() - began;
  const found = faults.map((what) => ({ at: result.simulatedMs, rule: "linearizability", what }));
  const { violations, history, trace: _trace, ...counts } = result;
  return {
    result: { ...result, violations: [...violations, ...found] },
    sums: { ...counts, operations: history.length, checkingMs },
  };
}

/** With AES, whether or not this program was started with something lighter. */
function playTruly(plan: RunPlan): RunResult {
  const { standIn } = sealing as { readonly standIn?: { on: boolean } };
  if (standIn === undefined) return play(plan);
  standIn.on = false;
  try {
    return play(plan);
  } finally {
    standIn.on = true;
  }
}

/** All that happened but the sealed bytes themselves. */
function historyOf({ trace: _trace, ...rest }: RunResult): string {
  return JSON.stringify(rest);
}

/** Leaves out whatever can be left out while the same rule is broken. */
function shrink(plan: RunPlan, rule: string): RunPlan {
  let best = plan;
  const breaks = (less: RunPlan) => judge(less).result.violations[0]?.rule === rule;
  for (let at = best.faults.length - 1; at >= 0; at--) {
    const less = { ...best, faults: best.faults.filter((_, each) => each !== at) };
    if (breaks(less)) best = less;
  }
  for (let at = best.dc.length - 1; at >= 0; at--) {
    const less = { ...best, dc: best.dc.filter((_, each) => each !== at) };
    if (breaks(less)) best = less;
  }
  for (const calm of [{ orders: [] }, { members: [] }, { rules: [] }]) {
    const less = { ...best, ...calm };
    if (breaks(less)) best = less;
  }
  return best;
}

function report(plan: RunPlan, ask: SeedAsk, { violations }: RunResult): string[] {
  const [violation] = violations;
  if (violation === undefined) return [];
  const { rule, what, at } = violation;
  return [
    `seed ${plan.seed} FAILED at ${(at / 1000).toFixed(3)} s: ${rule}: ${what}`,
    `to see it: deno task sim --seed ${plan.seed} ${flagsOf(ask)} --verbose`,
    `the least that fails:\n${describe(shrink(plan, rule))}`,
  ];
}

/** The flags that ask for it. */
export function flagsOf({ shape, crowd }: Pick<SeedAsk, "shape" | "crowd">): string {
  const { nodes, witness, profile } = shape;
  const flags = `--nodes ${nodes}${witness ? " --witness" : ""} --profile ${profile}`;
  return crowd ? `${flags} --crowd` : flags;
}

/** Everything that was drawn from a seed. */
export function describe(
  { seed, world, faults, dc, rules, orders, members, properties, ...rest }: RunPlan,
) {
  const options = Object.entries({ ...rest, ...rest.shape, ...world })
    .filter(([, value]) => typeof value !== "object" || Array.isArray(value))
    .map(([key, value]) => `${key}=${Array.isArray(value) ? value.join("..") : round(value)}`);
  return [
    `seed ${seed}: ${options.join(" ")}`,
    ...properties.flatMap((each, at) => rules.length > 0 ? `  ${printProperties(each, at)}` : []),
    ...rules.map((rule) => `  ${printCrowdRule(rule)}`),
    ...faults.map((fault) => `  ${printFault(fault)}`),
    ...dc.map((fault) => `  ${printDcFault(fault)}`),
    ...orders.map(({ at, order }) => `  at ${(at / 1000).toFixed(2)} s: order ${order}`),
    ...members.map(({ at, order, to, how }) =>
      `  at ${(at / 1000).toFixed(2)} s: ${order}${to === null ? "" : ` node=${to}`} ${how ?? ""}`
        .trimEnd()
    ),
  ].join("\n");
}

function round(value: unknown): unknown {
  return typeof value === "number" ? Number(value.toPrecision(4)) : value;
}
