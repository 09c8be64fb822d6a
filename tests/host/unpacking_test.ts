/** The script in front of the one file, with a stand-in for the runtime behind it. */
import assert from "node:assert/strict";
import { unpackingFile, V8_FLAGS } from "../../scripts/build/unpacking.ts";
import { pause } from "../../mod/host/linux/process_hunt.ts";

const ROOT = new URL("../..", import.meta.url).pathname.replace(/\/$/, "");
const IS_ROOT = Deno.uid() === 0;
if (!IS_ROOT) console.log("skipped  a cache that cannot be written: not root");

/** Says what it was given; its place is in what it is called by. */
const RUNTIME = `#!/bin/sh
umask
echo "path \${PATH-none}"
echo "file $PENTAD_FILE"
echo "cache $DENO_DIR"
for word in "$@"; do echo "word $word"; done
`;
const FLAGS = ["run", "-A", "--quiet", "--no-check", "--cached-only", `--v8-flags=${V8_FLAGS}`];
const NOTHING = { program: [], packages: [] };

interface World {
  readonly folder: string;
  readonly file: string;
  /** Where it unpacks itself. */
  readonly base: string;
  /** Starts the file from a shell after `setup`. */
  start(setup: string, ...args: string[]): Deno.ChildProcess;
}

async function withFile(body: (world: World) => Promise<void>): Promise<void> {
  const folder = Deno.makeTempDirSync({ prefix: "pentad-unpacking-" });
  const [file, base] = [`${folder}/pentad`, `${folder}/cache`];
  try {
    Deno.writeTextFileSync(`${folder}/runtime`, RUNTIME);
    const parts = { runtime: `${folder}/runtime`, machine: Deno.build.arch, ...NOTHING };
    Deno.writeFileSync(file, unpackingFile(ROOT, parts), { mode: 0o755 });
    const start = (setup: string, ...args: string[]) =>
      new Deno.Command("/bin/sh", {
        args: ["-c", `${setup}; exec "$0" "$@"`, file, ...args],
        env: { PENTAD_CACHE: base },
        stdin: "null",
        stdout: "piped",
        stderr: "piped",
      }).spawn();
    await body({ folder, file, base, start });
  } finally {
    Deno.removeSync(folder, { recursive: true });
  }
}

async function linesOf(child: Deno.ChildProcess): Promise<string[]> {
  const { code, stdout, stderr } = await child.output();
  assert.equal(code, 0, new TextDecoder().decode(stderr));
  return new TextDecoder().decode(stdout).trim().split("\n");
}

/** The folder of its only version. */
function versionOf(base: string): string {
  const [found, ...more] = [...Deno.readDirSync(base)].filter(({ isDirectory }) => isDirectory);
  assert.ok(found !== undefined && more.length === 0);
  return `${base}/${found.name}`;
}

Deno.test("the program begins with the path, the umask and the words of its caller", async () => {
  await withFile(async ({ base, file, start }) => {
    const path = "/nonexistent:/other";
    for (const mask of ["022", "077", "002"]) {
      const words = ["a b", "", "*", "$HOME"];
      const said = await linesOf(start(`umask ${mask}; PATH=${path}`, ...words));
      const own = [...FLAGS, `${versionOf(base)}/main.js`, ...words];
      const [where, cache] = [`file ${file}`, `cache ${versionOf(base)}/cache`];
      assert.deepEqual(said, [
        `0${mask}`,
        `path ${path}`,
        where,
        cache,
        ...own.map((w) => `word ${w}`),
      ]);
    }
    // What it wrote itself is its user's alone, whatever the caller's habits.
    for (const each of [base, `${base}/lock`, versionOf(base)]) {
      assert.equal((Deno.statSync(each).mode ?? 0) & 0o077, 0, each);
    }
  });
});

Deno.test("a start waits while versions are cleared away, then unpacks what it needs anew", async () => {
  await withFile(async ({ base, start }) => {
    await linesOf(start(":"));
    const lock = Deno.openSync(`${base}/lock`, { read: true, write: true });
    lock.lockSync(true);
    const child = start(":", "version");
    while (!(await childrenOf(child.pid)).includes("flock")) await pause(5);
    Deno.renameSync(versionOf(base), `${base}/unpacking.1.gone`);
    lock.close();
    assert.equal((await linesOf(child)).at(-1), "word version");
  });
});

Deno.test("who never lets go of the lock keeps no host from starting", async () => {
  await withFile(async ({ base, start }) => {
    await linesOf(start(":"));
    using lock = Deno.openSync(`${base}/lock`, { read: true, write: true });
    lock.lockSync(true);
    assert.equal((await linesOf(start(":", "version"))).at(-1), "word version");
  });
});

Deno.test({
  name: "what was unpacked runs where it cannot be written",
  ignore: !IS_ROOT,
  fn: async () => {
    await withFile(async ({ base, file, start }) => {
      await linesOf(start(":"));
      const script = `mount --bind ${base} ${base} && mount -o remount,ro,bind ${base} && ` +
        `PENTAD_CACHE=${base} exec ${file} version`;
      const child = new Deno.Command("unshare", {
        args: ["--mount", "--propagation", "private", "/bin/sh", "-c", script],
        stdout: "piped",
        stderr: "piped",
      }).spawn();
      assert.equal((await linesOf(child)).at(-1), "word version");
    });
  },
});

/** Names of the programs that a process has started and not seen the end of. */
async function childrenOf(pid: number): Promise<string> {
  try {
    const pids = Deno.readTextFileSync(`/proc/${pid}/task/${pid}/children`).trim().split(" ");
    return (await Promise.all(pids.map((each) => Deno.readTextFile(`/proc/${each}/comm`)))).join();
  } catch {
    return "";
  }
}
