/**
 * `deno task sim --seed N --count N [--nodes 3] [--witness] [--profile fast] [--verbose]`
 *
 * Plays seeds, each drawn into a plan that is printed, and checks each against every promise. One in
 * twenty-five is played twice: the same seed must give the same history. A seed that fails is printed with
 * its violation and with the fewest faults that still make it fail; with --quiet the first failure
 * is told in one line and ends the run.
 *
 * `--crowd` plays many resources under rules, and a manager that dies in the midst of what it does.
 * `--usual` plays three nodes and a pair with a witness, so many seeds of each; `--jobs N` plays N
 * seeds at a time, whoever is free takes the next. `deno run --import-map scripts/light_seal.json`
 * plays with a lighter seal.
 *
 * @module
 */
import { parseArgs } from "node:util";
import type { ClusterShape } from "../mod/sim/mod.ts";
import { describe, flagsOf, planOf, playSeed, tellSeed } from "./sim_seed.ts";
import type { SeedAsk, SeedResult, SeedSums } from "./sim_seed.ts";

const { values } = parseArgs({
  args: Deno.args,
  options: {
    seed: { type: "string", default: "1" },
    count: { type: "string", default: "1" },
    nodes: { type: "string", default: "3" },
    witness: { type: "boolean", default: false },
    profile: { type: "string", default: "fast" },
    crowd: { type: "boolean", default: false },
    usual: { type: "boolean", default: false },
    jobs: { type: "string", default: "1" },
    verbose: { type: "boolean", default: false },
    quiet: { type: "boolean", default: false },
  },
});
const { crowd, quiet } = values;
const first = Number(values.seed);
const count = Number(values.count);
const profile = values.profile === "standard" ? "standard" as const : "fast" as const;
const shapes: readonly ClusterShape[] = values.usual
  ? [{ nodes: 3, witness: false, profile }, { nodes: 2, witness: true, profile }]
  : [{ nodes: Number(values.nodes), witness: values.witness, profile }];
/** After so many failed seeds of a shape the rest would only say the same. */
const FAILED_MAX = quiet ? 1 : 3;

/** What is known of one shape. */
class Tally {
  readonly shape: ClusterShape;
  failed = 0;
  #played = 0;
  #sums: Partial<Record<keyof SeedSums, number>> = {};

  constructor(shape: ClusterShape) {
    this.shape = shape;
  }

  add({ sums, failed, lines }: SeedResult): void {
    for (const line of lines) console.log(line);
    if (failed) this.failed++;
    this.#played++;
    for (const key of Object.keys(sums) as (keyof SeedSums)[]) {
      this.#sums[key] = (this.#sums[key] ?? 0) + sums[key];
    }
  }

  print(seconds: number): void {
    const { simulatedMs = 0, checkingMs = 0, ...rest } = this.#sums;
    const simulated = simulatedMs / 1000;
    const { events = 0, acknowledged = 0, starts = 0, takeovers = 0, snapshots = 0 } = rest;
    const { recoveries = 0, sections = 0, operations = 0, struck = 0 } = rest;
    console.log(
      `${this.#played} seeds (${flagsOf({ shape: this.shape, crowd })}): ${this.failed} failed; ` +
        `${simulated.toFixed(0)} s simulated in ${seconds.toFixed(1)} s ` +
        `(${(simulated / seconds).toFixed(0)} x), ${events} events, ` +
        `${acknowledged} writes acknowledged, ${starts} starts, ${takeovers} takeovers, ` +
        `${snapshots} snapshots, ${recoveries} recoveries, ${sections} sections under a lock, ` +
        `${crowd ? `${struck} strikes at a manager, ` : ""}` +
        `${operations} operations put in order in ${checkingMs.toFixed(0)} ms`,
    );
  }
}

const tallies = shapes.map((shape) => new Tally(shape));
const started = performance.now();

/** Every seed of every shape that may still be played. */
function* queue(): Generator<{ readonly tally: Tally; readonly ask: SeedAsk }> {
  for (const tally of tallies) {
    for (let seed = first; seed < first + count; seed++) {
      if (tally.failed >= FAILED_MAX) break;
      yield { tally, ask: { seed, shape: tally.shape, crowd, quiet } };
    }
  }
}

/** Takes from the queue until nothing is left in it. */
async function lane(waiting: ReturnType<typeof queue>): Promise<void> {
  const worker = new Worker(new URL("./sim_worker.ts", import.meta.url), { type: "module" });
  for (const { tally, ask } of waiting) {
    const answer = Promise.withResolvers<SeedResult>();
    worker.onmessage = ({ data }: MessageEvent<SeedResult>) => answer.resolve(data);
    worker.onerror = (event) => {
      console.log(`seed ${ask.seed} (${flagsOf(ask)}) broke the simulator`);
      answer.reject(event.error);
    };
    worker.postMessage(ask);
    tally.add(await answer.promise);
  }
  worker.terminate();
}

if (count === 1 || values.verbose) {
  for (const { tally, ask } of queue()) {
    console.log(describe(planOf(ask)));
    if (values.verbose) tellSeed(ask, console.log);
    tally.add(playSeed(ask));
  }
} else if (values.jobs === "1") {
  for (const { tally, ask } of queue()) tally.add(playSeed(ask));
} else {
  const waiting = queue();
  await Promise.all(Array.from({ length: Number(values.jobs) }, () => lane(waiting)));
}
const seconds = (performance.now() - started) / 1000;
for (const tally of tallies) tally.print(seconds);
if (tallies.some(({ failed }) => failed > 0)) Deno.exit(1);
