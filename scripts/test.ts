/**
 * `deno task test`: everything that this machine can run. Prints what it skipped and why, and closes
 * with `N passed, N failed`. Flags: `--seeds N` (default 200 of each kind).
 *
 * @module
 */
import {
  CROWD_SEEDS,
  DISK_SEEDS,
  runStep,
  simStep,
  STATIC_STEPS,
  type Step,
  type StepResult,
  WITNESS_SEEDS,
} from "./steps.ts";
import { parallelStep, testStep, UNIT_FOLDERS } from "./steps.ts";
import { labMissing } from "./lab/missing.ts";

const at = Deno.args.indexOf("--seeds");
const seeds = Number(at < 0 ? 200 : Deno.args[at + 1]);
if (!Number.isSafeInteger(seeds) || seeds < 1) throw new Error("--seeds takes a whole number");

function script(name: string, file: string, ...words: readonly string[]) {
  return {
    name,
    arguments: ["run", "-A", "--no-check", `scripts/${file}`, ...words],
    show: true,
    minutesMax: 20,
  };
}

const steps = [
  ...STATIC_STEPS,
  parallelStep("unit tests and scenarios", ...UNIT_FOLDERS),
  testStep("edges: API and command line", "tests/api", "tests/cli"),
  testStep("drivers against the real world", "tests/host"),
  { ...testStep("whole daemons", "tests/daemon"), minutesMax: 20 },
  script("the one file on a bare machine", "blackbox.ts", "--quick"),
  script("demo", "demo.ts"),
];
const JUDGEMENT = "tests/lab/judgement_test.ts";
/** Two at once: their hosts wait more than they compute. */
const labs = [
  testStep("lab: the judgement of a pair", JUDGEMENT),
  testStep("lab: all else", `--ignore=${JUDGEMENT}`, "tests/lab"),
].map((step) => ({ ...step, show: true, minutesMax: 20 }));
const computing = [
  ...[script("mutants", "mutants.ts"), simStep(seeds), DISK_SEEDS, WITNESS_SEEDS, CROWD_SEEDS],
].map((step) => ({ ...step, computes: true, minutesMax: 30 }));

const skipped: string[] = [];
if (!exists("/dev/watchdog")) skipped.push("hardware watchdog: this host has no /dev/watchdog");
const noLab = labMissing();
if (noLab !== null) skipped.push(`lab hosts, SCSI reservations of real disks: ${noLab}`);
if (!exists("/dev/fuse")) skipped.push("FUSE mounts: this host has no /dev/fuse");

const results: StepResult[] = [];
async function inOrder(steps: readonly Step[]): Promise<void> {
  for (const step of steps) results.push(await runStep(step));
}
await inOrder(steps);
await Promise.all([...labs.map((lab) => inOrder([lab])), inOrder(computing)]);
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
