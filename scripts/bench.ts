/**
 * `deno task bench [config | mount | disks [lab]]`: speed, side by side with the limits that the same machine
 * showed in the same run: a durable write of a preallocated block, and a round trip on loopback.
 * Quote the ratios. With `config`: stream 2 alone, and in more detail; `mount`: the mount alone; `disks`: shared
 * disks alone, with `lab` reservations of a real target too.
 *
 * Measured is what people run: the one file, built for it, or the one that PENTAD_EXECUTABLE names.
 * With `--sources`: the sources under `deno run`.
 *
 * @module
 */
import { benchBeats } from "./bench_beats.ts";
import { benchDisks } from "./bench_disks.ts";
import { benchPlan } from "./bench_plan.ts";
import { measureFsync, measureRoundTrip, milliseconds, percentile, row } from "./bench_limits.ts";
import { commits } from "./bench_commits.ts";
import { benchConfig } from "./bench_config.ts";
import { benchMount } from "./bench_mount.ts";
import { buildFile } from "./build/build_file.ts";
import { executable, pentad } from "./pentad_command.ts";

async function cliStart(): Promise<void> {
  const times: number[] = [];
  const bare: number[] = [];
  for (let i = 0; i < 10; i++) {
    bare.push(await timeOf([Deno.execPath(), "eval", "0"]));
    times.push(await timeOf([...pentad(), "version"]));
  }
  row("runtime start (deno eval 0)", milliseconds(bare));
  row(
    "command line start (pentad version)",
    `${milliseconds(times)}   ${
      (percentile(times, 0.5) / percentile(bare, 0.5)).toFixed(1)
    } × the runtime's`,
  );
}

async function timeOf([program = "", ...args]: readonly string[]): Promise<number> {
  const started = performance.now();
  await new Deno.Command(program, { args, stdout: "null", stderr: "null" })
    .output();
  return performance.now() - started;
}

function mean(): string {
  return Deno.loadavg().map((each) => each.toFixed(1)).join(" ");
}

const ALONE: Readonly<Record<string, () => Promise<void>>> = {
  config: benchConfig,
  mount: benchMount,
  disks: () => benchDisks({ lab: words[1] === "lab" }),
};
const words = Deno.args.filter((word) => word !== "--sources");
const alone = words[0] === undefined ? all : ALONE[words[0]];
if (alone === undefined) throw new Error(`There is no part "${words[0]}"`);
const folder = Deno.makeTempDirSync({ prefix: "pentad-bench-" });
try {
  if (words.length === Deno.args.length && executable() === null) await buildInto(folder);
  row("what is measured", executable() === null ? "the sources, under deno run" : "the one file");
  row("load average before", mean());
  await alone();
  row("load average after", mean());
} finally {
  Deno.removeSync(folder, { recursive: true });
}

async function buildInto(folder: string): Promise<void> {
  Deno.env.set("PENTAD_EXECUTABLE", await buildFile(`${folder}/pentad`));
  Deno.env.set("PENTAD_CACHE", `${folder}/cache`);
}

async function all(): Promise<void> {
  const fsyncs = measureFsync();
  const fsync = percentile(fsyncs, 0.5);
  row("limit: fsync of a preallocated 4 KiB block", milliseconds(fsyncs));
  row("limit: loopback TCP round trip, 256 bytes", milliseconds(await measureRoundTrip()));
  await cliStart();
  row("beats handled by one core", `${benchBeats().toFixed(0)}/s`);
  const { quietMs, recoveryMs } = benchPlan();
  row(
    "one plan, 64 nodes, 10000 resources, 1000 rules",
    `nothing to do ${quietMs.toFixed(0)} ms   half of it to be recovered ${
      recoveryMs.toFixed(0)
    } ms`,
  );
  await commits({ nodes: 2, clients: [1, 64], fsync });
  await commits({ nodes: 3, clients: [1, 64], fsync });
  await benchDisks({ lab: false });
}
