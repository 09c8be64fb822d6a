/**
 * `deno task bench [config | mount]`: speed, side by side with the limits that the same machine
 * showed in the same run: a durable write of a preallocated block, and a round trip on loopback.
 * Quote the ratios. With `config`: stream 2 alone, and in more detail; `mount`: the mount alone.
 *
 * @module
 */
import { benchBeats } from "./bench_beats.ts";
import { measureFsync, measureRoundTrip, milliseconds, percentile, row } from "./bench_limits.ts";
import { benchConfig, commits } from "./bench_config.ts";
import { benchMount } from "./bench_mount.ts";
import { type LocalCluster, pause, pentad } from "./local_cluster.ts";

function cpuTicks(pid: number): number {
  const fields = Deno.readTextFileSync(`/proc/${pid}/stat`).split(") ")[1]?.split(" ") ?? [];
  return Number(fields[11]) + Number(fields[12]);
}

function rssMiB(pid: number): number {
  const line = /VmRSS:\s+(\d+) kB/.exec(Deno.readTextFileSync(`/proc/${pid}/status`));
  return Number(line?.[1] ?? 0) / 1024;
}

async function idle(cluster: LocalCluster): Promise<void> {
  const node = cluster.node(1);
  const seconds = 10;
  const before = cpuTicks(node.pid);
  await pause(seconds * 1000);
  const cpu = (cpuTicks(node.pid) - before) / seconds; // ticks are hundredths of a second
  row(
    "daemon after the load, fast profile, idle",
    `RSS ${rssMiB(node.pid).toFixed(0)} MiB   CPU ${cpu.toFixed(1)} %`,
  );
}

async function cliStart(): Promise<void> {
  const times: number[] = [];
  const bare: number[] = [];
  for (let i = 0; i < 10; i++) {
    bare.push(await timeOf(["eval", "0"]));
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

async function timeOf(args: readonly string[]): Promise<number> {
  const started = performance.now();
  await new Deno.Command(Deno.execPath(), { args: [...args], stdout: "null", stderr: "null" })
    .output();
  return performance.now() - started;
}

function mean(): string {
  return Deno.loadavg().map((each) => each.toFixed(1)).join(" ");
}

if (Deno.args[0] === "config" || Deno.args[0] === "mount") {
  row("load average before", mean());
  await (Deno.args[0] === "config" ? benchConfig() : benchMount());
  row("load average after", mean());
  Deno.exit();
}
const fsyncs = measureFsync();
const fsync = percentile(fsyncs, 0.5);
row("limit: fsync of a preallocated 4 KiB block", milliseconds(fsyncs));
row("limit: loopback TCP round trip, 256 bytes", milliseconds(await measureRoundTrip()));
await cliStart();
row("beats handled by one core", `${benchBeats().toFixed(0)}/s`);
await commits({ nodes: 2, clients: [1, 64], fsync }, idle);
await commits({ nodes: 3, clients: [1, 64], fsync });
