/**
 * `deno task mutants [TEXT…]` plays all mutants, or those whose name holds one of the texts.
 *
 * A mutant is our own code with one known way to break a promise; each is to be caught by the
 * simulator within a stated number of seeds. One that lives says that a check is blind; one whose
 * text is not found any more says that this list has fallen behind the code.
 *
 * @module
 */

import type { Mutant } from "./mutant.ts";
import { MUTANTS } from "./mutants_list.ts";

const ROOT = new URL("..", import.meta.url).pathname;

const wanted = Deno.args;
const chosen = MUTANTS.filter(({ name }) =>
  wanted.length === 0 || wanted.some((text) => name.includes(text))
);
// "0 of 0 caught" would read like a success.
const unknown = wanted.filter((text) => !MUTANTS.some(({ name }) => name.includes(text)));
if (unknown.length > 0) {
  console.error(`no mutant is called "${unknown.join('", "')}"; there are:`);
  for (const { name } of MUTANTS) console.error(`  ${name}`);
  Deno.exit(2);
}
const folder = Deno.makeTempDirSync({ prefix: "pentad-mutants-" });
let alive = 0;

/** A copy of the source, one for each lane, so that lanes do not see each other's mutants. */
async function lane(number: number, queue: Mutant[]): Promise<void> {
  const copy = `${folder}/${number}`;
  copyTree(`${ROOT}mod`, `${copy}/mod`);
  copyTree(`${ROOT}scripts`, `${copy}/scripts`);
  for (
    const tests of [
      "config",
      "contract",
      "ha",
      "heartbeat",
      "host",
      "join",
      "linear",
      "sim",
      "storage",
    ]
  ) {
    copyTree(`${ROOT}tests/${tests}`, `${copy}/tests/${tests}`);
  }
  for (const name of ["deno.json", "deno.lock"]) {
    Deno.copyFileSync(`${ROOT}${name}`, `${copy}/${name}`);
  }
  for (let mutant = queue.shift(); mutant !== undefined; mutant = queue.shift()) {
    if (!await isCaught(copy, mutant)) alive++;
  }
}

async function isCaught(copy: string, mutant: Mutant): Promise<boolean> {
  const { name } = mutant;
  const changes = [mutant, ...mutant.aids ?? []];
  const sources = new Map<string, string>();
  for (const { file, find, put } of changes) {
    const path = `${copy}/mod/${file}`;
    const source = Deno.readTextFileSync(path);
    if (!sources.has(path)) sources.set(path, source);
    if (source.split(find).length !== 2) {
      console.log(`STALE   ${name}: its text is not there exactly once in ${file}`);
      restore(sources);
      return false;
    }
    Deno.writeTextFileSync(path, source.replace(find, () => put));
  }
  const started = performance.now();
  const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: typeof mutant.shape === "string" ? ["test", "-A", "--no-check", mutant.shape] : [
      ...["run", "-A", "--no-check", "--import-map", "scripts/light_seal.json"],
      ...["scripts/sim.ts", "--quiet"],
      ...["--seed", String(mutant.from ?? 1)],
      ...["--count", String(mutant.seeds), ...mutant.shape],
    ],
    cwd: copy,
    stdin: "null",
  }).output();
  restore(sources);
  const seconds = ((performance.now() - started) / 1000).toFixed(1);
  const text = new TextDecoder().decode(stdout);
  const how = /^(seed|error:) .*/m.exec(text)?.[0] ??
    firstLine(new TextDecoder().decode(stderr));
  // A test that is not there catches nothing.
  const missing = /^.*failed, not found/m.exec(new TextDecoder().decode(stderr));
  if (missing !== null) {
    console.log(`STALE   ${name}: ${missing[0]}`);
    return false;
  }
  const caught = code !== 0;
  const verdict = caught ? "caught " : "ALIVE  ";
  console.log(`${verdict} ${name} (${seconds} s)${caught ? `: ${how}` : ""}`);
  return caught;
}

function restore(sources: ReadonlyMap<string, string>): void {
  for (const [path, source] of sources) Deno.writeTextFileSync(path, source);
}

function firstLine(text: string): string {
  return text.split("\n").find((line) => line.trim() !== "") ?? "";
}

function copyTree(from: string, to: string): void {
  Deno.mkdirSync(to, { recursive: true });
  for (const entry of Deno.readDirSync(from)) {
    if (entry.isDirectory) copyTree(`${from}/${entry.name}`, `${to}/${entry.name}`);
    else Deno.copyFileSync(`${from}/${entry.name}`, `${to}/${entry.name}`);
  }
}

try {
  const queue = [...chosen];
  const lanes = Math.max(1, Math.min(2, navigator.hardwareConcurrency));
  await Promise.all(Array.from({ length: lanes }, (_, at) => lane(at, queue)));
} finally {
  Deno.removeSync(folder, { recursive: true });
}
console.log(`${chosen.length - alive} of ${chosen.length} mutants caught`);
if (alive > 0) Deno.exit(1);
