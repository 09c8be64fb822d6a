/**
 * `deno task build [--unpacking] [--output FILE]`: makes `dist/pentad`, one executable file for this
 * machine's kind.
 *
 * With the runtime's own linker (`deno compile`), which needs the bare runtime `denort`: fetched by
 * deno itself where it can be, or named by DENORT_BIN. Where there is none (or with --unpacking),
 * the file is a shell script with the whole runtime and program packed behind it; it unpacks itself
 * once, into a directory that only its user may write (PENTAD_CACHE names another), and runs from
 * there.
 *
 * @module
 */
import { createHash } from "node:crypto";
import { parseArgs } from "node:util";
import { WORKERS } from "./workers.ts";

const ROOT = new URL("..", import.meta.url).pathname;
const { values } = parseArgs({
  args: Deno.args,
  options: {
    unpacking: { type: "boolean", default: false },
    output: { type: "string", default: `${ROOT}dist/pentad` },
  },
});
const TARGET = values.output;
/** What of the repository the program needs. */
const PROGRAM = ["main.ts", "mod", "deno.json", "deno.lock"];
/** Written where the digest of the payload goes. */
const DIGEST = "@DIGEST@";
/** Length of the script in bytes, as digits; padded, so that writing it does not change it. */
const LENGTH = "@LENGTH@";

/** A directory of another user, or one that others may write, is never run from. */
const SCRIPT = `#!/bin/sh
set -eu
umask 077
if [ "$(id -u)" = 0 ]; then base=/var/cache/pentad; else base="\${XDG_CACHE_HOME:-$HOME/.cache}/pentad"; fi
base="\${PENTAD_CACHE:-$base}"
dir="$base/$(echo ${DIGEST} | cut -c 1-16)"
ours() {
  if [ "$(stat -L -c %u "$1")" = "$(id -u)" ]; then
    case "$(stat -L -c %A "$1")" in d????-??-?) return 0 ;; esac
  fi
  echo "error: \\"$1\\" belongs to somebody else, or others may write there" >&2
  exit 1
}
mkdir -p "$base"
ours "$base"
if [ ! -e "$dir/whole" ]; then
  new="$base/unpacking.$$"
  payload="$new.tar.gz"
  # Whatever comes in between: a disk that is full must not be filled anew by each start.
  trap 'rm -rf "$new" "$payload"' EXIT
  rm -rf "$new"
  mkdir "$new"
  tail -c +${LENGTH} "$0" > "$payload"
  if [ "$(sha256sum < "$payload" | cut -c 1-64)" != ${DIGEST} ]; then
    echo "error: \\"$0\\" is damaged: its content is not what it was built with" >&2
    exit 1
  fi
  tar -xzf "$payload" -C "$new"
  rm "$payload"
  : > "$new/whole"
  mv -T "$new" "$dir" 2>/dev/null || rm -rf "$new"
  trap - EXIT
fi
ours "$dir"
DENO_DIR="$dir/cache"
DENO_NO_UPDATE_CHECK=1
PENTAD_FILE="$(readlink -f "$0")"
export DENO_DIR DENO_NO_UPDATE_CHECK PENTAD_FILE
exec "$dir/deno" run -A --quiet --no-check --cached-only "$dir/main.ts" "$@"
`;

async function run(command: readonly string[], env: Record<string, string> = {}): Promise<boolean> {
  const [program = "", ...args] = command;
  const { success, stderr } = await new Deno.Command(program, {
    args,
    env: { NO_COLOR: "1", ...env },
    cwd: ROOT,
    stdout: "null",
    stderr: "piped",
  }).output();
  if (!success) console.error(new TextDecoder().decode(stderr).trim());
  return success;
}

async function compile(): Promise<boolean> {
  const include = WORKERS.flatMap((worker) => ["--include", worker]);
  const flags = ["compile", "-A", "--no-check", ...include, "--output", TARGET];
  return await run([Deno.execPath(), ...flags, "main.ts"]);
}

async function pack(): Promise<void> {
  const folder = Deno.makeTempDirSync({ prefix: "pentad-build-" });
  try {
    Deno.copyFileSync(Deno.execPath(), `${folder}/deno`);
    for (const part of PROGRAM) must(await run(["cp", "-R", part, `${folder}/${part}`]));
    const modules = ["main.ts", ...WORKERS].map((module) => `${folder}/${module}`);
    const cache = ["cache", "--no-check", ...modules];
    must(await run([`${folder}/deno`, ...cache], { DENO_DIR: `${folder}/cache` }));
    const payload = `${folder}.tar.gz`;
    must(await run(["tar", "-czf", payload, "-C", folder, "."]));
    const bytes = Deno.readFileSync(payload);
    Deno.removeSync(payload);
    const digest = createHash("sha256").update(bytes).digest("hex");
    const script = SCRIPT.replaceAll(DIGEST, digest);
    // tail counts from 1.
    const length = String(script.length + 1).padStart(LENGTH.length, "0");
    const head = new TextEncoder().encode(script.replace(LENGTH, length));
    Deno.writeFileSync(TARGET, head, { mode: 0o755 });
    Deno.writeFileSync(TARGET, bytes, { append: true });
    Deno.chmodSync(TARGET, 0o755);
  } finally {
    Deno.removeSync(folder, { recursive: true });
  }
}

function must(success: boolean): void {
  if (!success) Deno.exit(1);
}

if (values.unpacking || !await compile()) {
  console.log("the runtime is packed, not linked: the file unpacks itself at its first start");
  await pack();
}
const { size } = Deno.statSync(TARGET);
console.log(`${TARGET}, ${(size / 2 ** 20).toFixed(0)} MiB`);
