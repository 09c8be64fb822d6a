/**
 * `deno task build [--unpacking] [--output FILE]`: makes `dist/pentad`, one executable file for this
 * machine's kind; beside it its SHA-256, its bill of materials, the systemd unit, completions and
 * the manual.
 *
 * With the runtime's own linker (`deno compile`), which needs the bare runtime `denort`: fetched by
 * deno itself where it can be, or named by DENORT_BIN. Where there is none (or with --unpacking), the
 * file unpacks itself at its first start (`build/unpacking.ts`). A place in it (`chunk-….js:1:4711`)
 * is read with the map that `deno bundle --sourcemap external` makes of the same sources.
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
import { unpackingFile, V8_FLAGS } from "./build/unpacking.ts";
import { WORKERS } from "./workers.ts";

const ROOT = new URL("..", import.meta.url).pathname.replace(/\/$/, "");
const { values } = parseArgs({
  args: Deno.args,
  options: {
    unpacking: { type: "boolean", default: false },
    output: { type: "string", default: `${ROOT}/dist/pentad` },
  },
});
const TARGET = values.output;
const FOLDER = TARGET.includes("/") ? TARGET.slice(0, TARGET.lastIndexOf("/")) || "/" : ".";

/** Why it could not be linked, in a line; null where it was. */
async function compile(): Promise<string | null> {
  const include = WORKERS.flatMap((worker) => ["--include", worker]);
  // deno replaces no file that it did not link itself.
  const target = `${TARGET.startsWith("/") ? "" : `${Deno.cwd()}/`}${TARGET}.new`;
  await Deno.mkdir(FOLDER, { recursive: true });
  await Deno.remove(target).catch(() => {});
  const { success, stderr } = await new Deno.Command(Deno.execPath(), {
    args: [
      "compile",
      "-A",
      "--no-check",
      `--v8-flags=${V8_FLAGS}`,
      ...include,
      "--output",
      target,
      "main.ts",
    ],
    env: { NO_COLOR: "1" },
    cwd: ROOT,
    stdout: "null",
    stderr: "piped",
  }).output();
  if (success) {
    Deno.renameSync(target, TARGET);
    return null;
  }
  const [told = ""] = new TextDecoder().decode(stderr).split("Stack backtrace:");
  const lines = told.split("\n").map((line) => line.trim());
  const causes = lines.filter((line) => /^(error|\d+): /.test(line));
  return causes.at(-1)?.replace(/^(error|\d+): /, "") ?? "deno compile does not say why";
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

const name = TARGET.slice(TARGET.lastIndexOf("/") + 1);
const packages = await npmPackages(ROOT, ["main.ts", ...WORKERS]);
const unlinked = values.unpacking ? "--unpacking" : await compile();
if (unlinked !== null) {
  console.log(`packed, not linked (${unlinked}): the file unpacks itself at its first start`);
  const parts = { runtime: Deno.execPath(), program: await bundle(ROOT), packages };
  write(name, unpackingFile(ROOT, parts), 0o755);
}
const digest = createHash("sha256").update(Deno.readFileSync(TARGET)).digest("hex");
write(`${name}.sha256`, `${digest}  ${name}\n`);
const bill = billOfMaterials({
  name: manifest.name,
  version: manifest.version,
  license: manifest.license,
  denoVersion: Deno.version.deno,
  digest,
  lock: JSON.parse(Deno.readTextFileSync(`${ROOT}/deno.lock`)) as Lock,
  packages: new Map(packages.map(({ key, license }) => [key, license])),
});
write(`${name}.cdx.json`, bill);
for (const { path, text } of await papers()) write(path, text);
const { size } = Deno.statSync(TARGET);
console.log(`${TARGET}, ${(size / 2 ** 20).toFixed(0)} MiB, SHA-256 ${digest}`);
