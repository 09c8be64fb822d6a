/**
 * `deno task ok`: format, lint, import direction, types, unit tests, scenarios, a few hundred
 * seeds. Under two minutes; writes nothing.
 *
 * @module
 */
import { parallelStep, runStep, simSteps, STATIC_STEPS, UNIT_FOLDERS } from "./steps.ts";

/** Of each shape. */
const SEEDS = 100;

let failed = 0;
for (const step of [...STATIC_STEPS, parallelStep("unit tests and scenarios", ...UNIT_FOLDERS)]) {
  failed += (await runStep(step)).failed;
}
// One processor each.
const sims = await Promise.all(simSteps(SEEDS).map((step) => runStep({ ...step, show: false })));
failed += sims.reduce((sum, each) => sum + each.failed, 0);
if (failed > 0) Deno.exit(1);
