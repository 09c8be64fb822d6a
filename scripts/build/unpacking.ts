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
/** Written where the folder's name goes: the beginning of the digest. */
const NAME = "@NAME@";
/** Written where the machine's kind goes. */
const MACHINE = "@MACHINE@";
/** Length of the script in bytes, as digits; padded, so that writing it does not change it. */
const LENGTH = "@LENGTH@";
/** Who clears away holds its lock for some renames; one that hangs must not keep a host down. */
const LOCK_SECONDS = 5;
/** Young objects get little room: a daemon that idles keeps some 10 MB less. */
export const V8_FLAGS = "--max-semi-space-size=2";
const PLAIN = 0o644;
const PROGRAM = 0o755;

/**
 * A directory of another user, or one that others may write, is never run from. What was unpacked has
 * its name only once it is on the disk: a power cut leaves all of it or nothing. The lock is held
 * until the program runs, and keeps the folder from being cleared away in between; it is the
 * program's to close, and its duty to clear away (`mod/host/linux/unpacked.ts`). Where neither lock nor
 * mark can be written (a full disk, a cache that is read-only) the program runs all the same: nothing
 * can be cleared away there then. Neither PATH nor umask reach the program otherwise than they were.
 */
const SCRIPT = `#!/bin/sh
set -eu
path="$PATH"
PATH="/usr/sbin:/usr/bin:/sbin:/bin:$path"
me="$(id -u)"
if [ "$me" = 0 ]; then base=/var/cache/pentad; else base="\${XDG_CACHE_HOME:-\${HOME:-}/.cache}/pentad"; fi
base="\${PENTAD_CACHE:-$base}"
dir="$base/${NAME}"
ours() {
  case "$(stat -L -c '%u %A' "$1")" in "$me d"????-??-?) return 0 ;; esac
  echo "error: \\"$1\\" belongs to somebody else, or others may write there" >&2
  exit 1
}
[ -d "$base" ] || (umask 077; mkdir -p "$base")
ours "$base"
[ -e "$base/lock" ] || (umask 077; true >> "$base/lock") 2>/dev/null || true
if [ -w "$base/lock" ]; then
  exec 9>>"$base/lock"
  flock -s -w ${LOCK_SECONDS} 9 2>/dev/null || true
fi
if [ ! -e "$dir/whole" ]; then
  if [ "$(uname -m)" != ${MACHINE} ]; then
    echo "error: \\"$0\\" is built for ${MACHINE}, and this machine is $(uname -m)" >&2
    exit 1
  fi
  (
    umask 077
    new="$base/unpacking.$$"
    payload="$new.tar.gz"
    # Whatever comes in between: a disk that is full must not be filled anew by each start.
    trap 'rm -rf "$new" "$payload"' EXIT
    # Not every shell runs that at the end by a signal.
    trap 'exit 1' HUP INT TERM
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
    trap - EXIT HUP INT TERM
  )
fi
ours "$dir"
{ true > "$dir/used"; } 2>/dev/null || true
DENO_DIR="$dir/cache"
DENO_NO_UPDATE_CHECK=1
PENTAD_FILE="$(readlink -f "$0")"
PATH="$path"
export PATH DENO_DIR DENO_NO_UPDATE_CHECK PENTAD_FILE
exec "$dir/deno" run -A --quiet --no-check --cached-only --v8-flags=${V8_FLAGS} "$dir/${BUNDLE_MAIN}" "$@"
`;

/** What a file is made of, beside the repository's own papers. */
export interface Parts {
  /** The deno that it is to run on. */
  readonly runtime: string;
  /** Of that deno, as uname(1) says it. */
  readonly machine: string;
  /** What it runs. */
  readonly program: readonly TarFile[];
  readonly packages: readonly NpmPackage[];
}

/** The whole file. `root`: of the repository. */
export function unpackingFile(
  root: string,
  { runtime, machine, program, packages }: Parts,
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
  const script = SCRIPT.replaceAll(DIGEST, digest).replaceAll(NAME, digest.slice(0, 16))
    .replaceAll(MACHINE, machine);
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
