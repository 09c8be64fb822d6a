/**
 * The file that unpacks itself: a script with the whole runtime and program behind it. It does so
 * once, into a directory that only its user may write (PENTAD_CACHE names another), and runs from
 * there. The same sources and the same deno make the same bytes, wherever and whenever.
 *
 * @module
 */
import { createHash } from "node:crypto";
import { gzipSync } from "node:zlib";
import { tar, type TarFile } from "../../mod/cli/bundle/tar.ts";
import { BUNDLE_MAIN, filesBelow } from "./bundle.ts";
import type { NpmPackage } from "./npm_packages.ts";

/** Written where the digest of the payload goes. */
const DIGEST = "@DIGEST@";
/** Length of the script in bytes, as digits; padded, so that writing it does not change it. */
const LENGTH = "@LENGTH@";
/** Young objects get little room: a daemon that idles keeps some 10 MB less. */
export const V8_FLAGS = "--max-semi-space-size=2";
const PLAIN = 0o644;
const PROGRAM = 0o755;

/**
 * A directory of another user, or one that others may write, is never run from. What was unpacked has
 * its name only once it is on the disk: a power cut leaves all of it or nothing.
 */
const SCRIPT = `#!/bin/sh
set -eu
umask 077
if [ "$(id -u)" = 0 ]; then base=/var/cache/pentad; else base="\${XDG_CACHE_HOME:-\${HOME:-}/.cache}/pentad"; fi
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
  sync -f "$new/whole" 2>/dev/null || sync
  mv -T "$new" "$dir" 2>/dev/null || rm -rf "$new"
  trap - EXIT
fi
ours "$dir"
DENO_DIR="$dir/cache"
DENO_NO_UPDATE_CHECK=1
PENTAD_FILE="$(readlink -f "$0")"
export DENO_DIR DENO_NO_UPDATE_CHECK PENTAD_FILE
exec "$dir/deno" run -A --quiet --no-check --cached-only --v8-flags=${V8_FLAGS} "$dir/${BUNDLE_MAIN}" "$@"
`;

/** The whole file. `program`: what it runs; `runtime`: the deno that it is to run on. */
export function unpackingFile(
  root: string,
  { runtime, program, packages }: {
    readonly runtime: string;
    readonly program: readonly TarFile[];
    readonly packages: readonly NpmPackage[];
  },
): Uint8Array<ArrayBuffer> {
  const file = (path: string, from: string, mode = PLAIN): TarFile => ({
    path,
    data: Deno.readFileSync(from),
    mode,
  });
  const files: TarFile[] = [
    file("deno", runtime, PROGRAM),
    { path: "deno.json", data: new TextEncoder().encode(settingsOf(root)), mode: PLAIN },
    file("LICENSE", `${root}/LICENSE`),
    ...packages.flatMap(({ name, folder }) =>
      filesBelow(folder).filter((path) => /^(LICEN[CS]E|COPYING|NOTICE)\b/i.test(path))
        .map((path) => file(`licenses/${name}/${path}`, `${folder}/${path}`))
    ),
    ...program,
  ];
  const payload = gzipSync(tar(files, 0), { level: 9 });
  const digest = createHash("sha256").update(payload).digest("hex");
  const script = SCRIPT.replaceAll(DIGEST, digest);
  // tail counts from 1.
  const length = String(script.length + 1).padStart(LENGTH.length, "0");
  const head = new TextEncoder().encode(script.replace(LENGTH, length));
  const whole = new Uint8Array(head.length + payload.length);
  whole.set(head, 0);
  whole.set(payload, head.length);
  return whole;
}

/** deno.json as the program needs it: it imports nothing any more that is not beside it. */
function settingsOf(root: string): string {
  const whole = JSON.parse(Deno.readTextFileSync(`${root}/deno.json`)) as Record<string, unknown>;
  const { name, version, license, unstable } = whole;
  return `${JSON.stringify({ name, version, license, unstable }, null, 2)}\n`;
}
