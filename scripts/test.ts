/**
 * `deno task test`: everything that this machine can run. Prints what it skipped and why, and closes
 * with `N passed, N failed`. Flags: `--seeds N` (default 1000 of each kind).
 *
 * @module
 */
import { runStep, STATIC_STEPS, type Step, type StepResult, UNIT_FOLDERS } from "./steps.ts";

const at = Deno.args.indexOf("--seeds");
const seeds = at < 0 ? "1000" : Deno.args[at + 1] ?? "1000";

const steps: readonly Step[] = [
  ...STATIC_STEPS,
  {
    name: "unit tests and scenarios",
    arguments: ["test", "-A", "--no-check", ...UNIT_FOLDERS],
    tests: true,
  },
  {
    name: "edges: API and command line",
    arguments: ["test", "-A", "--no-check", "tests/api", "tests/cli"],
    tests: true,
  },
  {
    name: "drivers against the real world",
    arguments: ["test", "-A", "--no-check", "tests/host"],
    tests: true,
  },
  { name: "whole daemons", arguments: ["test", "-A", "--no-check", "tests/daemon"], tests: true },
  {
    name: `${seeds} seeds, 3 nodes`,
    arguments: [
      "run",
      "-A",
      "--no-check",
      "scripts/sim.ts",
      "--seed",
      "1",
      "--count",
      seeds,
      "--nodes",
      "3",
    ],
  },
  {
    name: `${seeds} seeds, 2 nodes and witness`,
    arguments: [
      "run",
      "-A",
      "--no-check",
      "scripts/sim.ts",
      "--seed",
      "1",
      "--count",
      seeds,
      "--nodes",
      "2",
      "--witness",
    ],
  },
  { name: "mutants", arguments: ["run", "-A", "--no-check", "scripts/mutants.ts"] },
  { name: "demo", arguments: ["run", "-A", "--no-check", "scripts/demo.ts"] },
];

const skipped: string[] = [];
if (!exists("/dev/watchdog")) skipped.push("hardware watchdog: this host has no /dev/watchdog");
skipped.push("SCSI reservations, FUSE, lab hosts: not built yet");

const results: StepResult[] = [];
for (const step of steps) {
  const show = step.name.includes("seeds") || step.name === "mutants" || step.name === "demo";
  results.push(await runStep(step, show));
}
for (const why of skipped) console.log(`skipped  ${why}`);
function sum(pick: (result: StepResult) => number): number {
  return results.reduce((total, result) => total + pick(result), 0);
}
const ignored = sum((result) => result.skipped);
if (ignored > 0) console.log(`skipped  ${ignored} tests; each prints its reason above`);
const failed = sum((result) => result.failed);
console.log(`${sum((result) => result.passed)} passed, ${failed} failed`);
if (failed > 0) Deno.exit(1);

function exists(path: string): boolean {
  try {
    Deno.statSync(path);
    return true;
  } catch {
    return false;
  }
}
