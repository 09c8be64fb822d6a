/**
 * What the one file (PENTAD_EXECUTABLE) costs beside the sources under `deno run`, measured in turn:
 * `deno run -A scripts/blackbox/figures.ts`, on a bare machine.
 *
 * @module
 */
import { milliseconds, percentile, row } from "../bench_limits.ts";
import { LocalCluster, pause } from "../local_cluster.ts";
import { pentad } from "../pentad_command.ts";

const STARTS = 15;
/** How long a cluster of one node is left alone before its daemon is looked at. */
const IDLE_MS = 15_000;

type Form = "one file" | "deno run";
const FORMS: readonly Form[] = ["one file", "deno run"];
const FILE = Deno.env.get("PENTAD_EXECUTABLE") ?? "dist/pentad";

async function as<T>(form: Form, body: () => Promise<T>): Promise<T> {
  if (form === "one file") Deno.env.set("PENTAD_EXECUTABLE", FILE);
  else Deno.env.delete("PENTAD_EXECUTABLE");
  return await body();
}

async function timeOf(words: readonly string[]): Promise<number> {
  const [program, ...args] = pentad();
  const begun = performance.now();
  const { code, stderr } = await new Deno.Command(program, { args: [...args, ...words] }).output();
  const ms = performance.now() - begun;
  if (code !== 0) throw new Error(new TextDecoder().decode(stderr));
  return ms;
}

async function starts(words: readonly string[]): Promise<void> {
  const times = { "one file": [] as number[], "deno run": [] as number[] };
  for (let at = 0; at < STARTS; at++) {
    for (const form of FORMS) times[form].push(await as(form, () => timeOf(words)));
  }
  const ratio = percentile(times["one file"], 0.5) / percentile(times["deno run"], 0.5);
  const told = FORMS.map((form) => `${form} ${milliseconds(times[form])}`);
  row(`pentad ${words.at(-1)}`, `${told.join("   ")}   ratio ${ratio.toFixed(2)}`);
}

/** Memory of one process in MiB, out of /proc/PID/status (proc(5)). */
function memoryOf(pid: number): string {
  const status = Deno.readTextFileSync(`/proc/${pid}/status`);
  const [rss, own] = ["VmRSS", "RssAnon"].map((name) => {
    const kib = Number(new RegExp(`^${name}:\\s+(\\d+) kB`, "m").exec(status)?.[1]);
    return (kib / 1024).toFixed(0);
  });
  return `RSS ${rss} MiB, of it its own ${own} MiB`;
}

const size = Deno.statSync(FILE).size / 2 ** 20;
row("size of the one file", `${size.toFixed(1)} MiB`);
const first = await as("one file", () => timeOf(["version"]));
row("its first start here", `${first.toFixed(0)} ms`);
await starts(["version"]);
for (const form of FORMS) {
  const cluster = new LocalCluster({ names: ["idle"], disk: false, watchdog: "process" });
  try {
    await as(form, async () => {
      await cluster.form();
      await pause(IDLE_MS);
      const keeper = cluster.node(0).pids("keeper").map(memoryOf);
      row(`an idle daemon, ${form}`, memoryOf(cluster.node(0).pid));
      row(`its keeper, ${form}`, keeper.join("; "));
      if (form === "one file") await starts(["--socket", cluster.node(0).socket, "status"]);
    });
  } finally {
    await cluster.close();
  }
}
