/**
 * Beats of a node whose disk takes nothing for seconds: its state directory lies on a file system of
 * its own, which is frozen (fsfreeze(8)). What is measured is what arrives at the other node.
 *
 * @module
 */
import { percentile, row } from "./bench_limits.ts";
import { LocalCluster, pause } from "./local_cluster.ts";
import { timingOf } from "../mod/base/timing.ts";

const IMAGE_MIB = 64;
const STALL_MS = 5000;
const ROUNDS = 3;

async function run(...words: readonly string[]): Promise<void> {
  const [program = "", ...args] = words;
  const { success, stderr } = await new Deno.Command(program, { args, stdout: "null" }).output();
  if (!success) throw new Error(`${words.join(" ")}: ${new TextDecoder().decode(stderr)}`);
}

/** How far each beat came from where the one before it wanted it, in milliseconds. */
function jitter(arrivals: readonly number[], beatMs: number): number[] {
  return arrivals.slice(1).map((at, place) => Math.abs(at - (arrivals[place] ?? at) - beatMs));
}

function told(times: readonly number[]): string {
  const [half, most] = [percentile(times, 0.5), percentile(times, 0.999)];
  return `p50 ${half.toFixed(1)} ms   p99.9 ${most.toFixed(1)} ms`;
}

/** Beats while all is well, and while the disk stalls. */
export async function benchStall(): Promise<void> {
  if (Deno.uid() !== 0) return console.log("a stalled disk: not measured (not root)");
  const names = ["nodeA", "nodeB"];
  const cluster = new LocalCluster({ names, disk: false, watchdog: "none" });
  const [stalled, other] = [cluster.node(0), cluster.node(1)];
  const [image, state] = [`${cluster.folder}/image`, `${stalled.folder}/state`];
  try {
    Deno.mkdirSync(state, { mode: 0o700 });
    Deno.writeFileSync(image, new Uint8Array());
    Deno.truncateSync(image, IMAGE_MIB * 1024 * 1024);
    await run("mkfs.ext4", "-q", "-F", image);
    await run("mount", "-o", "loop", image, state);
    await cluster.form();
    const { beatMs } = timingOf("fast");
    let arrivals: number[] = [];
    other.cable.tap = () => void arrivals.push(performance.now());
    const quiet: number[] = [];
    const hard: number[] = [];
    for (let round = 0; round < ROUNDS; round++) {
      arrivals = [];
      await pause(STALL_MS);
      quiet.push(...jitter(arrivals, beatMs));
      arrivals = [];
      await run("fsfreeze", "-f", state);
      // Something that wants the disk.
      const write = stalled.cli("config", "set", `stall-${round}`, "x");
      await pause(STALL_MS);
      const during = arrivals;
      await run("fsfreeze", "-u", state);
      hard.push(...jitter(during, beatMs));
      await write;
      await stalled.until("it is back", ({ quorate, config }) => quorate && config.writable);
    }
    row("beats' jitter, 2 nodes, profile fast", told(quiet));
    row(`  while the sender's disk stalls for ${STALL_MS / 1000} s`, told(hard));
  } finally {
    other.cable.tap = null;
    await run("fsfreeze", "-u", state).catch(() => {});
    await cluster.close().catch(() => {});
    await run("umount", state).catch(() => {});
    Deno.removeSync(cluster.folder, { recursive: true });
  }
}
