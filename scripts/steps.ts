/** Runs the steps of `ok` and `test`, and counts what they passed. @module */

/** One thing to run. `tests`: its output ends with a line of `deno test` that counts. */
export interface Step {
  readonly name: string;
  readonly arguments: readonly string[];
  readonly tests?: boolean;
  /** Its output is worth reading although it ended well. */
  readonly show?: boolean;
  /** It counts as hung after so long; default {@link MINUTES_MAX}. */
  readonly minutesMax?: number;
  /** It only computes: whoever watches a clock at the same time goes first. */
  readonly computes?: boolean;
}

/** No step takes half of this, even on a slow machine. */
const MINUTES_MAX = 10;

/** How a step ended. */
export interface StepResult {
  readonly name: string;
  readonly passed: number;
  readonly failed: number;
  readonly skipped: number;
  readonly seconds: number;
}

/** The counts in the last summary line of `deno test`, or null where there is none. */
export function readSummary(
  output: string,
): { passed: number; failed: number; skipped: number } | null {
  const lines = output.split("\n").filter((line) => /\d+ passed.*\d+ failed/.test(line));
  const last = lines.at(-1);
  if (last === undefined) return null;
  const count = (word: string) => Number(new RegExp(`(\\d+) ${word}`).exec(last)?.[1] ?? 0);
  return { passed: count("passed"), failed: count("failed"), skipped: count("ignored") };
}

/** Runs `deno` with the step's arguments; prints its output where it failed, or is to be shown. */
export async function runStep(step: Step): Promise<StepResult> {
  const started = performance.now();
  const [program = "", ...args] = [
    ...(step.computes ? ["nice", "-n", "10"] : []),
    ...[Deno.execPath(), ...step.arguments],
  ];
  const child = new Deno.Command(program, {
    args,
    env: { NO_COLOR: "1" },
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  // One that hangs must fail by its name, not take the whole run with it.
  const timer = setTimeout(() => child.kill("SIGKILL"), (step.minutesMax ?? MINUTES_MAX) * 60_000);
  const { code, stdout, stderr } = await child.output();
  clearTimeout(timer);
  const text = new TextDecoder().decode(stdout) + new TextDecoder().decode(stderr);
  const seconds = (performance.now() - started) / 1000;
  const ok = code === 0;
  if (!ok || step.show) console.log(text.trimEnd());
  console.log(`${ok ? "ok    " : "FAILED"} ${step.name} (${seconds.toFixed(1)} s)`);
  const counts = step.tests ? readSummary(text) : null;
  if (counts === null) {
    return { name: step.name, passed: ok ? 1 : 0, failed: ok ? 0 : 1, skipped: 0, seconds };
  }
  // A run that ended badly without a failed test (a leak, a type error) is one failure.
  const failed = ok ? counts.failed : Math.max(1, counts.failed);
  return { name: step.name, passed: counts.passed, failed, skipped: counts.skipped, seconds };
}

/** Format, lint, import direction, tidiness, types. Nothing here writes. */
export const STATIC_STEPS: readonly Step[] = [
  { name: "format", arguments: ["fmt", "--check"] },
  { name: "lint", arguments: ["lint"] },
  { name: "import direction", arguments: ["run", "-A", "scripts/imports.ts"] },
  { name: "tidy", arguments: ["run", "-A", "scripts/tidy.ts"] },
  { name: "types", arguments: ["check", "main.ts", "mod", "tests", "scripts"] },
];

/** How seeds are played: with a seal that costs less. */
const SEEDS = ["run", "-A", "--no-check", "--import-map", "scripts/light_seal.json"];

/** Seeds 1 to `count` of a cluster of three, and of a pair with a witness, on all processors. */
export function simStep(count: number): Step {
  return {
    name: `${count} seeds of 3 nodes, ${count} of 2 nodes and witness`,
    arguments: [
      ...[...SEEDS, "scripts/sim.ts", "--usual", "--seed", "1", "--count", String(count)],
      ...["--jobs", String(Math.max(2, navigator.hardwareConcurrency))],
    ],
    show: true,
    minutesMax: 30,
  };
}

/** Seeds of many resources under rules, whose manager dies. */
export const CROWD_SEEDS: Step = {
  ...simStep(40),
  name: "40 seeds of crowds, on 3 nodes and on 2 and witness",
  arguments: [...simStep(40).arguments, "--crowd"],
};

/** Seeds of clusters with several shared disks. */
export const DISK_SEEDS: Step = {
  name: "30 seeds, shared disks",
  arguments: [...SEEDS, "scripts/sim_disks.ts", "--seed", "1", "--count", "30"],
  show: true,
  minutesMax: 20,
};

/** Seeds of pairs whose witness moves from disk to disk. */
export const WITNESS_SEEDS: Step = {
  ...DISK_SEEDS,
  name: "20 seeds, the witness moves",
  arguments: [...SEEDS, "scripts/sim_disks.ts", "--moves", "--seed", "1", "--count", "20"],
};

/** One run of `deno test` over some folders. */
export function testStep(name: string, ...folders: readonly string[]): Step {
  return { name, arguments: ["test", "-A", "--no-check", ...folders], tests: true };
}

/** The same for folders whose files share nothing with one another: one on each processor. */
export function parallelStep(name: string, ...folders: readonly string[]): Step {
  const { arguments: [test = "", ...rest] } = testStep(name, ...folders);
  return { name, arguments: [test, "--parallel", ...rest], tests: true };
}

/** Folders under tests/ that want nothing of the machine: no socket, no mount, nothing of root. */
export const UNIT_FOLDERS: readonly string[] = [
  "tests/base",
  "tests/heartbeat",
  "tests/config",
  "tests/ha",
  "tests/storage",
  "tests/join",
  "tests/node",
  "tests/linear",
  "tests/sim",
  "tests/scripts",
];
