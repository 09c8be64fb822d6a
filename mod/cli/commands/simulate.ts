/** `pentad simulate`: what would happen, with the daemon's own cores in virtual time. @module */
import { Command, type CommandUnknownOpts } from "@commander-js/extra-typings";
import { decodeText } from "../../base/bytes.ts";
import { EXIT, ProblemError } from "../../base/problem.ts";
import { formatReason } from "../../base/reason.ts";
import type { Simulation } from "../../sim/mod.ts";
import type { Cli } from "../cli.ts";
import { safeText } from "../print.ts";
import type { SimulationFile } from "../simulation_file.ts";

export function simulateCommand(cli: Cli): CommandUnknownOpts {
  return new Command("simulate")
    .description("what would happen, and why: the cluster as it is, or one in a file")
    .argument("[file]", 'a cluster and its events as JSON; "-" reads standard input')
    .option("--power-off <node>", "the cluster as it is, and this node loses its power")
    .option("--schema", "the JSON Schema of the file")
    .option("--show-input", "the cluster as it is, as a file to begin with")
    .action(async (file, { powerOff, schema, showInput }) => {
      const form = await import("../simulation_file.ts");
      if (schema === true) {
        return cli.print.json(form.simulationSchema());
      }
      const ask = file === undefined
        ? await (await import("../live_cluster.ts")).liveCluster(cli.client)
        : form.readSimulation(await textOf(cli, file));
      if (powerOff !== undefined) {
        const name = ask.nodes.find((node) => node.name === powerOff)?.name;
        if (name === undefined) {
          throw new ProblemError("ha.no-such-node", `"${powerOff}" is no node of it`);
        }
        ask.events.push({ event: "power", node: name, to: "off" });
      }
      if (showInput === true) return cli.print.json(ask);
      await rehearse(cli, ask);
    });
}

/** Plays a file. */
async function play(file: SimulationFile): Promise<Simulation> {
  const { simulationOf } = await import("../simulation_file.ts");
  const { simulate } = await import("../../sim/mod.ts");
  const result = simulate(simulationOf(file));
  const [broken] = result.violations;
  if (broken !== undefined) throw new Error(`In a simulation: ${broken}`);
  return result;
}

/** What would become of the cluster as it is if these things happened to it; prints nothing. */
export async function foresee(cli: Cli, events: SimulationFile["events"]): Promise<Simulation> {
  const { liveCluster } = await import("../live_cluster.ts");
  return await play(await withEvents(await liveCluster(cli.client), events));
}

/** Plays a file and prints what came of it; ends with 3 where something wanted does not run. */
export async function rehearse(cli: Cli, file: SimulationFile): Promise<Simulation> {
  const result = await play(file);
  const missing = result.resources.filter(({ wanted, runs }) => wanted && !runs);
  if (missing.length > 0 || !result.quorate) cli.exit = EXIT.degraded;
  if (cli.print.format === "json") cli.print.json(documentOf(result));
  else await page(cli, result);
  return result;
}

/** The cluster as it is, and these things happen to it. */
export async function rehearseLive(
  cli: Cli,
  events: SimulationFile["events"],
): Promise<Simulation> {
  const { liveCluster } = await import("../live_cluster.ts");
  return await rehearseFrom(cli, await liveCluster(cli.client), events);
}

/**
 * What a command would do (`--dry-run`): ends with 10 where something would run elsewhere than now,
 * with 3 where something that is wanted would not run, with 0 where nothing would change.
 */
export async function dryRun(cli: Cli, events: SimulationFile["events"]): Promise<void> {
  const { liveCluster } = await import("../live_cluster.ts");
  const live = await liveCluster(cli.client);
  const before = new Map(live.resources.map(({ id, node }) => [String(id), node ?? null]));
  const { resources } = await rehearseFrom(cli, live, events);
  const moves = resources.some(({ id, node, runs }) =>
    (runs ? node : null) !== (before.get(id) ?? null)
  );
  if (moves && cli.exit === EXIT.ok) cli.exit = EXIT.changes;
}

async function rehearseFrom(
  cli: Cli,
  live: SimulationFile,
  events: SimulationFile["events"],
): Promise<Simulation> {
  return await rehearse(cli, await withEvents(live, events));
}

/** Read like a file: whatever does not fit is said before anything is played. */
async function withEvents(
  live: SimulationFile,
  events: SimulationFile["events"],
): Promise<SimulationFile> {
  const { readSimulation } = await import("../simulation_file.ts");
  return readSimulation(JSON.stringify({ ...live, events: [...live.events, ...events] }));
}

function documentOf({ lines, ...result }: Simulation) {
  return {
    schema: "pentad.simulation/1",
    ...result,
    lines: lines.map(({ at, node, text, because }) => ({
      ...{ seconds: Math.round(at) / 1000, node: node === "" ? null : node, text },
      code: because?.code ?? null,
      why: because === null ? null : formatReason(because),
    })),
  };
}

async function page(cli: Cli, { lines, resources, fenced, quorate }: Simulation): Promise<void> {
  const { printLine } = await import("../../sim/mod.ts");
  for (const line of lines) if (line.at >= 0) cli.print.line(safeText(printLine(line)));
  cli.print.line("");
  cli.print.table(
    ["RESOURCE", "STATE", "NODE", "REASON"],
    resources.map(({ id, state, node, why }) => [
      ...[id, cli.print.state(state), node ?? "–", safeText(why)],
    ]),
  );
  cli.print.line("");
  cli.print.line(`fenced: ${fenced.length === 0 ? "nobody" : fenced.join(", ")}`);
  if (!quorate) cli.print.line("no quorum is left");
}

async function textOf(cli: Cli, path: string): Promise<string> {
  const { SIMULATION_BYTES_MAX } = await import("../simulation_file.ts");
  let bytes: Uint8Array | null;
  try {
    bytes = path === "-"
      ? await cli.io.stdin(SIMULATION_BYTES_MAX)
      : await cli.io.readFile(path, SIMULATION_BYTES_MAX);
  } catch (error) {
    const why = error instanceof Error ? error.message || error.name : String(error);
    throw new ProblemError("cli.usage", `cannot read "${path}": ${why}`);
  }
  const text = bytes === null ? null : decodeText(bytes);
  if (text !== null) return text;
  throw new ProblemError("cli.usage", `"${path}" is not text of at most 4 MiB`);
}
