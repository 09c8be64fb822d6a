/**
 * A machine that has nothing but the one file: namespaces of this host without network but loopback,
 * without runtimes in PATH, with an empty home and a working directory that nobody can write. What is
 * started there ends with it.
 *
 * @module
 */

/** Programs that a bare machine does not have. */
const RUNTIMES = ["deno", "node", "nodejs", "npm", "npx", "bun"];
/** Of a login by default (login.defs(5)), with where runtimes are put by hand. */
const PATHS = ["/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin"];

/**
 * The first process: takes part in nothing but making the machine and reaping who lost its parent.
 * $1 this machine's folder, $2 the runtime that drives the tests, the rest its arguments.
 */
const SCRIPT = `set -eu
here="$1" runtime="$2"; shift 2
ip link set lo up
mount -t tmpfs -o mode=755 tmpfs /var/cache
mkdir -p /run/netns && mount -t tmpfs tmpfs /run/netns
mkdir -p "$here/home" "$here/read-only" "$here/runtime"
mount -t tmpfs -o ro tmpfs "$here/read-only"
: > "$here/runtime/deno"
mount --bind "$runtime" "$here/runtime/deno"
for folder in ${PATHS.join(" ")}; do
  for name in ${RUNTIMES.join(" ")}; do
    [ ! -e "$folder/$name" ] || mount --bind /dev/null "$folder/$name"
  done
done
cd "$here/read-only"
if "$here/runtime/deno" "$@"; then code=0; else code=$?; fi
[ -z "$(ls -A "$here/home")" ] || { echo "HOME is not empty any more:" >&2; ls -A "$here/home" >&2; code=1; }
exit $code
`;

/** What {@link bareMachine} needs and this host lacks, in words; null for nothing. */
export async function bareMissing(): Promise<string | null> {
  if (Deno.uid() !== 0) return "not root";
  const { code, stderr } = await unshare(["-c", "ip link set lo up"], {}).output();
  return code === 0 ? null : new TextDecoder().decode(stderr).trim();
}

/** Runs this runtime with `args` there, which finds the file in PENTAD_EXECUTABLE; its exit code. */
export async function bareMachine(
  folder: string,
  { file, args }: { readonly file: string; readonly args: readonly string[] },
): Promise<number> {
  const home = Deno.env.get("HOME") ?? "/root";
  const env = {
    PENTAD_EXECUTABLE: file,
    PATH: PATHS.join(":"),
    HOME: `${folder}/home`,
    // The tests' own: the file under test is not told of it.
    DENO_DIR: Deno.env.get("DENO_DIR") ?? `${home}/.cache/deno`,
    NO_COLOR: "1",
  };
  const words = ["-c", SCRIPT, "sh", folder, Deno.execPath(), ...args];
  const child = unshare(words, env, "inherit").spawn();
  return (await child.status).code;
}

function unshare(
  words: readonly string[],
  env: Readonly<Record<string, string>>,
  output: "inherit" | "piped" = "piped",
): Deno.Command {
  const spaces = ["--mount", "--net", "--pid", "--fork", "--kill-child", "--mount-proc"];
  return new Deno.Command("unshare", {
    args: [...spaces, "--propagation", "private", "sh", ...words],
    env,
    stdin: "null",
    stdout: output,
    stderr: output,
  });
}
