/**
 * `deno task ok`: format, lint, import direction, types, unit tests, scenarios, a few hundred
 * seeds. Under two minutes; writes nothing.
 *
 * @module
 */
import { parallelStep, runStep, simStep, STATIC_STEPS, type Step, UNIT_FOLDERS } from "./steps.ts";

/** Of each shape. */
const SEEDS = 50;

let failed = 0;
async function inOrder(steps: readonly Step[]): Promise<void> {
  for (const step of steps) failed += (await runStep(step)).failed;
}
// Types are checked on one processor: the seeds have the other one.
await Promise.all([inOrder(STATIC_STEPS), inOrder([{ ...simStep(SEEDS), show: false }])]);
await inOrder([parallelStep("unit tests and scenarios", ...UNIT_FOLDERS)]);
if (failed > 0) Deno.exit(1);
