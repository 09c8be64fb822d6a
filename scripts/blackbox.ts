/**
 * `deno task blackbox [--quick] [--file FILE] [TEST FILE…]`: builds the one file and lets tests/daemon
 * drive it instead of the sources, as on a bare machine: no deno, node or npm in PATH, an empty HOME,
 * a working directory that cannot be written, no network but loopback. Then prints what the file
 * costs beside `deno run`: its size, its start, a daemon's memory.
 *
 * `--quick`: the tests that touch what differs between the two forms. `--file`: one that is there
 * already. Bare is a machine only for root; others run the same tests without that.
 *
 * @module
 */
import { parseArgs } from "node:util";
import { bareMachine, bareMissing } from "./blackbox/bare.ts";
import { buildFile } from "./build/build_file.ts";

const ROOT = new URL("..", import.meta.url).pathname.replace(/\/$/, "");
const TESTS = ["test", "-A", "--no-check", "--config", `${ROOT}/deno.json`];
const FIGURES = ["run", "-A", "--no-check", `${ROOT}/scripts/blackbox/figures.ts`];

/** Workers, FFI, mount, disk processes, keeper, resources, joining, the command line. */
const QUICK = ["views", "past", "run_lost", "disk_tests", "join_race", "ha"];

const { values, positionals } = parseArgs({
  args: Deno.args,
  allowPositionals: true,
  options: {
    quick: { type: "boolean", default: false },
    file: { type: "string" },
    "figures-only": { type: "boolean", default: false },
  },
});
const folder = Deno.makeTempDirSync({ prefix: "pentad-blackbox-" });
try {
  const file = Deno.realPathSync(values.file ?? await buildFile(`${folder}/pentad`));
  if (!values["figures-only"]) Deno.exitCode = await drive(file, [...TESTS, ...paths()]);
  if (!values.quick) Deno.exitCode ||= await drive(file, FIGURES);
} finally {
  Deno.removeSync(folder, { recursive: true });
}

function paths(): readonly string[] {
  if (positionals.length > 0) return positionals.map((path) => Deno.realPathSync(path));
  if (!values.quick) return [`${ROOT}/tests/daemon`];
  return QUICK.map((name) => `${ROOT}/tests/daemon/${name}_test.ts`);
}

/** Runs this runtime with these arguments, the file in PENTAD_EXECUTABLE; its exit code. */
async function drive(file: string, args: readonly string[]): Promise<number> {
  const missing = await bareMissing();
  if (missing === null) return await bareMachine(folder, { file, args });
  console.log(`skipped  the bare machine: ${missing}; the file is driven on this one`);
  const env = { PENTAD_EXECUTABLE: file };
  return (await new Deno.Command(Deno.execPath(), { args: [...args], env }).spawn().status).code;
}
