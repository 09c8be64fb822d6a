/**
 * `deno task ok`: format, lint, import direction, types, unit tests, scenarios, a few hundred
 * seeds. Under two minutes; writes nothing.
 *
 * @module
 */
import { parallelStep, runStep, simStep, STATIC_STEPS, UNIT_FOLDERS } from "./steps.ts";

/** Of each shape. */
const SEEDS = 80;

let failed = 0;
for (const step of [...STATIC_STEPS, parallelStep("unit tests and scenarios", ...UNIT_FOLDERS)]) {
  failed += (await runStep(step)).failed;
}
failed += (await runStep({ ...simStep(SEEDS), show: false })).failed;
if (failed > 0) Deno.exit(1);
