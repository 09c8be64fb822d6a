/**
 * `deno task build [--unpacking] [--target TARGET] [--runtime FILE] [--output FILE]`: makes
 * `dist/pentad`, one executable file for this machine's kind or for TARGET (`dist/pentad-MACHINE`
 * then); beside it its SHA-256, its bill of materials, the systemd unit, completions and the manual.
 *
 * With the runtime's own linker (`deno compile`), which needs the bare runtime `denort`: fetched by
 * deno itself where it can be, or named by DENORT_BIN. Where there is none (or with --unpacking), the
 * file unpacks itself at its first start (`build/unpacking.ts`); it brings the deno that builds it,
 * or that of `--runtime` (or DENO_BIN), which another kind of machine always needs. A place in it
 * (`chunk-….js:1:4711`) is read with the map that `deno bundle --sourcemap external` makes of the
 * same sources.
 *
 * @module
 */
import { createHash } from "node:crypto";
import { parseArgs } from "node:util";
import manifest from "../deno.json" with { type: "json" };
import { billOfMaterials, type Lock } from "./build/bom.ts";
import { bundle } from "./build/bundle.ts";
import { npmPackages } from "./build/npm_packages.ts";
import { papers } from "./build/papers.ts";
import { isVersion, ownTarget, runtimeFault, targetNamed } from "./build/target.ts";
import { unpackingFile, V8_FLAGS } from "./build/unpacking.ts";
import { WORKERS } from "./workers.ts";

const ROOT = new URL("..", import.meta.url).pathname.replace(/\/$/, "");
const { values } = parseArgs({
  args: Deno.args,
  options: {
    unpacking: { type: "boolean", default: false },
    target: { type: "string" },
    runtime: { type: "string" },
    output: { type: "string" },
  },
});
const { target, own } = (() => {
  try {
    const own = ownTarget();
    return { own, target: values.target === undefined ? own : targetNamed(values.target) };
  } catch (error) {
    return tell(error);
  }
})();
const foreign = target !== own;
const PLACE = values.output ?? `${ROOT}/dist/pentad${foreign ? `-${target.machine}` : ""}`;
const NAME = PLACE.slice(PLACE.lastIndexOf("/") + 1);
const FOLDER = PLACE.includes("/") ? PLACE.slice(0, PLACE.lastIndexOf("/")) || "/" : ".";

/** Why it could not be linked, in a line; null where it was. */
async function compile(): Promise<string | null> {
  const include = WORKERS.flatMap((worker) => ["--include", worker]);
  // deno replaces no file that it did not link itself.
  const fresh = `${PLACE.startsWith("/") ? "" : `${Deno.cwd()}/`}${PLACE}.new`;
  await Deno.mkdir(FOLDER, { recursive: true });
  await Deno.remove(fresh).catch(() => {});
  const { success, stderr } = await new Deno.Command(Deno.execPath(), {
    args: [
      ...["compile", "-A", "--no-check", `--v8-flags=${V8_FLAGS}`, "--target", target.name],
      ...[...include, "--output", fresh, "main.ts"],
    ],
    env: { NO_COLOR: "1" },
    cwd: ROOT,
    stdout: "null",
    stderr: "piped",
  }).output();
  if (success) {
    if (!foreign && !await starts(fresh)) return "what was linked does not start";
    Deno.renameSync(fresh, PLACE);
    return null;
  }
  const [told = ""] = new TextDecoder().decode(stderr).split("Stack backtrace:");
  const lines = told.split("\n").map((line) => line.trim());
  const causes = lines.filter((line) => /^(error|\d+): /.test(line));
  return causes.at(-1)?.replace(/^(error|\d+): /, "") ?? "deno compile does not say why";
}

/** Linked with what is no denort, it would be another program. */
async function starts(file: string): Promise<boolean> {
  const { success, stdout } = await new Deno.Command(file, { args: ["version"], stdin: "null" })
    .output();
  return success && new TextDecoder().decode(stdout).startsWith(`${manifest.name} `);
}

/** The runtime that the unpacking form brings. Throws an Error where there is none for the target. */
function runtime(named: string | null): string {
  if (named === null && !foreign) return Deno.execPath();
  const { deno } = Deno.version;
  if (named === null) {
    throw new Error(
      `A file for ${target.machine} needs deno ${deno} for ${target.machine}: --runtime FILE ` +
        `(npm has it as ${target.runtime}@${deno})`,
    );
  }
  const bytes = Deno.readFileSync(named);
  refuseWrong(named, bytes);
  if (!isVersion(bytes, deno)) throw new Error(`"${named}" is not deno ${deno}`);
  return named;
}

function refuseWrong(path: string, bytes: Uint8Array): void {
  const fault = runtimeFault(bytes, target);
  if (fault !== null) throw new Error(`"${path}" is no runtime for this file: ${fault}`);
}

/** One that runs already, of an earlier build, keeps what it began with. */
function write(path: string, content: string | Uint8Array, mode = 0o644): void {
  const place = `${FOLDER}/${path}`;
  Deno.mkdirSync(place.slice(0, place.lastIndexOf("/")), { recursive: true });
  const bytes = typeof content === "string" ? new TextEncoder().encode(content) : content;
  Deno.writeFileSync(`${place}.new`, bytes);
  Deno.chmodSync(`${place}.new`, mode);
  Deno.renameSync(`${place}.new`, place);
}

/** Makes the file, says in a sentence where it is not linked, and puts beside it what goes there. */
async function build(): Promise<void> {
  const linker = Deno.env.get("DENORT_BIN");
  if (linker !== undefined) refuseWrong(linker, Deno.readFileSync(linker));
  const named = values.runtime ?? Deno.env.get("DENO_BIN") ?? null;
  if (named !== null || values.unpacking) runtime(named);
  const packages = await npmPackages(ROOT, ["main.ts", ...WORKERS]);
  const unlinked = values.unpacking ? "--unpacking" : await compile();
  if (unlinked !== null) {
    const brought = { runtime: runtime(named), machine: target.machine };
    console.log(`packed, not linked (${unlinked}): the file unpacks itself at its first start`);
    const parts = { ...brought, program: await bundle(ROOT), packages };
    write(NAME, unpackingFile(ROOT, parts), 0o755);
  }
  const bytes = Deno.readFileSync(PLACE);
  const digest = createHash("sha256").update(bytes).digest("hex");
  write(`${NAME}.sha256`, `${digest}  ${NAME}\n`);
  const bill = billOfMaterials({
    name: manifest.name,
    version: manifest.version,
    license: manifest.license,
    denoVersion: Deno.version.deno,
    digest,
    lock: JSON.parse(Deno.readTextFileSync(`${ROOT}/deno.lock`)) as Lock,
    packages: new Map(packages.map(({ key, license }) => [key, license])),
  });
  write(`${NAME}.cdx.json`, bill);
  for (const { path, text } of await papers()) write(path, text);
  console.log(`${PLACE}, ${(bytes.length / 2 ** 20).toFixed(0)} MiB, SHA-256 ${digest}`);
}

function tell(error: unknown): never {
  console.error(`error: ${error instanceof Error ? error.message : String(error)}`);
  Deno.exit(1);
}

await build().catch(tell);
