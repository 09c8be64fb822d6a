/** The one file: built, started on a host that has nothing else, and what it leaves. */
import assert from "node:assert/strict";
import manifest from "../../deno.json" with { type: "json" };

const BUILD = new URL("../../scripts/build.ts", import.meta.url).pathname;

const ROOT = Deno.uid() === 0;
if (!ROOT) console.log("skipped: unpacking onto a full disk: not root");

async function output(program: string, args: string[], env: Record<string, string> = {}) {
  const command = new Deno.Command(program, { args, env, clearEnv: program !== Deno.execPath() });
  const { code, stdout, stderr } = await command.output();
  const decoder = new TextDecoder();
  return { code, stdout: decoder.decode(stdout), stderr: decoder.decode(stderr) };
}

Deno.test("the built file runs from anywhere with an empty environment, and unpacks once", async () => {
  const folder = Deno.makeTempDirSync({ prefix: "pentad-build-test-" });
  try {
    const file = `${folder}/pentad`;
    const build = ["run", "-A", "--no-check", BUILD, "--unpacking", "--output", file];
    const built = await output(Deno.execPath(), build);
    assert.equal(built.code, 0, built.stderr);
    const env = { PATH: "/usr/bin:/bin", HOME: folder, PENTAD_CACHE: `${folder}/cache` };
    const [first, second] = await Promise.all([1, 2].map(() => output(file, ["version"], env)));
    for (const each of [first, second, await output(file, ["version"], env)]) {
      assert.equal(each?.code, 0, each?.stderr);
      assert.match(each?.stdout ?? "", new RegExp(`^pentad ${manifest.version} `));
    }
    assert.equal([...Deno.readDirSync(`${folder}/cache`)].length, 1, "unpacked once");
    const socket = `${folder}/none.sock`;
    const lonely = await output(file, ["--socket", socket, "status"], env);
    assert.equal(lonely.code, 5);
    assert.match(lonely.stderr, /node\.unreachable/);
    const settings = `${folder}/settings.json`;
    Deno.writeTextFileSync(settings, '{ "nmae": "x" }');
    const wrong = await output(file, ["daemon", "--settings", settings], env);
    assert.match(wrong.stderr, /nmae/);

    const root = `${folder}/root`;
    Deno.mkdirSync(root);
    const host = ["--name", "nodeA", "--address", "192.0.2.1", "--root", root];
    const installed = await output(file, ["install", ...host], env);
    assert.equal(installed.code, 0, installed.stderr);
    const link = Deno.readLinkSync(`${root}/usr/local/bin/pentad`);
    const moved = await output(`${root}${link}`, ["version"], env);
    assert.match(moved.stdout, /^pentad /);

    // A copy that lost something on its way runs nothing of it.
    const half = `${folder}/half`;
    Deno.copyFileSync(file, half);
    Deno.truncateSync(half, Deno.statSync(file).size - 4096);
    const damaged = await output(half, ["version"], { ...env, PENTAD_CACHE: `${folder}/other` });
    assert.equal(damaged.code, 1);
    assert.match(damaged.stderr, /is damaged/);

    // A disk without room for it is not filled by trying.
    const small = `${folder}/small`;
    Deno.mkdirSync(small);
    if (ROOT) {
      await output("/bin/mount", ["-t", "tmpfs", "-o", "size=80m,mode=700", "none", small]);
      try {
        const full = await output(file, ["version"], { ...env, PENTAD_CACHE: small });
        assert.notEqual(full.code, 0);
        assert.match(full.stderr, /No space left on device/);
        assert.deepEqual([...Deno.readDirSync(small)], []);
      } finally {
        await output("/bin/umount", [small]);
      }
    }

    // Where others may write nothing is unpacked, and what they put there does not run.
    const shared = `${folder}/shared`;
    Deno.mkdirSync(shared);
    for (const mode of [0o775, 0o707, 0o1777]) {
      Deno.chmodSync(shared, mode);
      const open = await output(file, ["version"], { ...env, PENTAD_CACHE: shared });
      assert.equal(open.code, 1);
      assert.match(open.stderr, /"[^"]*\/shared" belongs to somebody else, or others may write/);
    }
    assert.deepEqual([...Deno.readDirSync(shared)], []);
  } finally {
    Deno.removeSync(folder, { recursive: true });
  }
});
