/**
 * `deno task ok`: format, lint, import direction, types, unit tests, scenarios, a few hundred
 * seeds. Under two minutes; writes nothing.
 *
 * @module
 */
import { runStep, STATIC_STEPS, type Step, UNIT_FOLDERS } from "./steps.ts";

function sim(name: string, ...flags: string[]): Step {
  return { name, arguments: ["run", "-A", "--no-check", "scripts/sim.ts", ...flags] };
}

const steps: readonly Step[] = [
  ...STATIC_STEPS,
  {
    name: "unit tests and scenarios",
    arguments: ["test", "-A", "--no-check", ...UNIT_FOLDERS],
    tests: true,
  },
  sim("100 seeds, 3 nodes", "--seed", "1", "--count", "100", "--nodes", "3"),
  sim(
    "100 seeds, 2 nodes and witness",
    "--seed",
    "1",
    "--count",
    "100",
    "--nodes",
    "2",
    "--witness",
  ),
];

let failed = 0;
for (const step of steps) failed += (await runStep(step, false)).failed;
if (failed > 0) Deno.exit(1);
