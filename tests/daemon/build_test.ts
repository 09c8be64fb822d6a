/** The one file: built twice, started on a host that has nothing else, and what lies beside it. */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import manifest from "../../deno.json" with { type: "json" };
import { ownTarget, TARGETS } from "../../scripts/build/target.ts";
import { header } from "../scripts/elf.ts";

const ROOT = new URL("../..", import.meta.url).pathname.replace(/\/$/, "");

const IS_ROOT = Deno.uid() === 0;
if (!IS_ROOT) console.log("skipped: unpacking onto a full disk: not root");

async function output(program: string, args: string[], env: Record<string, string> = {}) {
  const command = new Deno.Command(program, { args, env, clearEnv: program !== Deno.execPath() });
  const { code, stdout, stderr } = await command.output();
  const decoder = new TextDecoder();
  return { code, stdout: decoder.decode(stdout), stderr: decoder.decode(stderr) };
}

/** Builds the tree at `root` as a user with these habits would. */
async function build(root: string, file: string, umask: string, env: Record<string, string>) {
  const command = [Deno.execPath(), "run", "-A", "--no-check", `${root}/scripts/build.ts`];
  const words = [...command, "--unpacking", "--output", file].map((word) => `'${word}'`).join(" ");
  const { code, stderr } = await new Deno.Command("sh", {
    args: ["-c", `umask ${umask}; cd /; exec ${words}`],
    env,
  }).output();
  assert.equal(code, 0, new TextDecoder().decode(stderr));
}

/** Every file below a folder: its path, its mode, its digest. */
function listing(folder: string, below = ""): string[] {
  return [...Deno.readDirSync(folder + below)].flatMap(({ name, isDirectory }) => {
    const path = `${below}/${name}`;
    if (isDirectory) return listing(folder, path);
    const digest = createHash("sha256").update(Deno.readFileSync(folder + path)).digest("hex");
    const mode = (Deno.statSync(folder + path).mode ?? 0) & 0o777;
    return [`${path} ${mode.toString(8)} ${digest}`];
  }).sort();
}

Deno.test("the one file", async (t) => {
  const folder = Deno.makeTempDirSync({ prefix: "pentad-build-test-" });
  try {
    const file = `${folder}/first/pentad`;
    await build(ROOT, file, "022", {});
    await t.step("built elsewhere, by somebody else, it is the same byte for byte", async () => {
      const copy = `${folder}/some/other/place/copy`;
      Deno.mkdirSync(copy, { recursive: true });
      for (const part of ["main.ts", "mod", "scripts", "deno.json", "deno.lock", "LICENSE"]) {
        assert.equal((await output("/bin/cp", ["-R", `${ROOT}/${part}`, `${copy}/`])).code, 0);
      }
      const env = { TMPDIR: folder, TZ: "Asia/Tokyo", LANG: "C", LC_ALL: "C", USER: "nobody" };
      await build(copy, `${folder}/second/pentad`, "077", env);
      const [first, second] = [listing(`${folder}/first`), listing(`${folder}/second`)];
      assert.deepEqual(second, first);
      assert.ok(first.length > 12);
    });
    await t.step("what lies beside it is true", () => beside(`${folder}/first`));
    await t.step("it runs from anywhere, and unpacks once", () => runs(folder, file));
    await t.step(
      "damaged, or where others may write, it does not run",
      () => refuses(folder, file),
    );
  } finally {
    Deno.removeSync(folder, { recursive: true });
  }
});

async function beside(folder: string): Promise<void> {
  const summed = await new Deno.Command("sha256sum", { args: ["-c", "pentad.sha256"], cwd: folder })
    .output();
  assert.ok(summed.success);
  const digest = Deno.readTextFileSync(`${folder}/pentad.sha256`).slice(0, 64);
  const bill = JSON.parse(Deno.readTextFileSync(`${folder}/pentad.cdx.json`));
  assert.equal(bill.metadata.component.version, manifest.version);
  assert.deepEqual(bill.metadata.component.hashes, [{ alg: "SHA-256", content: digest }]);
  const named = bill.components.map(({ name }: { name: string }) => name);
  // Everything that the lock has, but what only tests import.
  const lock = JSON.parse(Deno.readTextFileSync(`${ROOT}/deno.lock`));
  const locked = Object.keys(lock.npm).map((key) => key.replace(/(.)@.*/, "$1"));
  const tests = ["fast-check", "pure-rand"];
  assert.deepEqual(named, ["deno", ...locked.filter((name) => !tests.includes(name)).sort()]);
  assert.match(Deno.readTextFileSync(`${folder}/pentad.service`), /ExecStart=.*pentad daemon/);
  assert.match(Deno.readTextFileSync(`${folder}/completions/zsh/_pentad`), /^#compdef pentad\n/);
  const page = Deno.readTextFileSync(`${folder}/man/man5/pentad-settings.5`);
  assert.match(page, /\.TH PENTAD\\-SETTINGS 5/);
}

async function runs(folder: string, file: string): Promise<void> {
  const env = { PATH: "/usr/bin:/bin", HOME: folder, PENTAD_CACHE: `${folder}/cache` };
  const [first, second] = await Promise.all([1, 2].map(() => output(file, ["version"], env)));
  for (const each of [first, second, await output(file, ["version"], env)]) {
    assert.equal(each?.code, 0, each?.stderr);
    assert.match(each?.stdout ?? "", new RegExp(`^pentad ${manifest.version} `));
  }
  const names = () => [...Deno.readDirSync(`${folder}/cache`)].map(({ name }) => name).sort();
  const [unpacked, ...more] = names();
  assert.deepEqual(more, ["lock"], "unpacked once");
  // Whoever built it: what root runs is root's.
  assert.equal(Deno.statSync(`${folder}/cache/${unpacked}/deno`).uid, Deno.uid());

  // Of earlier versions the last is left, for a rollback.
  const earlier = [..."abc"].map((letter) => letter.repeat(16));
  for (const [at, name] of earlier.entries()) {
    Deno.mkdirSync(`${folder}/cache/${name}`);
    Deno.writeTextFileSync(`${folder}/cache/${name}/used`, "");
    Deno.utimeSync(`${folder}/cache/${name}/used`, 1000 * at, 1000 * at);
  }
  assert.equal((await output(file, ["version"], env)).code, 0);
  assert.deepEqual(names(), [unpacked, earlier[2], "lock"].sort());

  // A host's own registry has no say: nothing is fetched or looked up there.
  Deno.writeTextFileSync(`${folder}/.npmrc`, "registry=https://registry.invalid/\n");
  const proxied = { ...env, NPM_CONFIG_REGISTRY: "https://other.invalid/" };
  const help = await output(file, ["help"], proxied);
  assert.equal(help.code, 0, help.stderr);

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
}

async function refuses(folder: string, file: string): Promise<void> {
  const env = { PATH: "/usr/bin:/bin", HOME: folder };
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
  if (IS_ROOT) {
    await output("/bin/mount", ["-t", "tmpfs", "-o", "size=80m,mode=700", "none", small]);
    try {
      const full = await output(file, ["version"], { ...env, PENTAD_CACHE: small });
      assert.notEqual(full.code, 0);
      assert.match(full.stderr, /No space left on device/);
      assert.deepEqual([...Deno.readDirSync(small)].map(({ name }) => name), ["lock"]);
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
}

Deno.test("build says in one line why there is no file for another machine", async () => {
  const folder = Deno.makeTempDirSync({ prefix: "pentad-target-" });
  const [other] = TARGETS.filter((each) => each !== ownTarget());
  assert.ok(other !== undefined);
  const told = async (env: Record<string, string>, ...words: string[]) => {
    const args = [
      "run",
      "-A",
      "--no-check",
      `${ROOT}/scripts/build.ts`,
      "--unpacking",
      "--output",
      `${folder}/pentad`,
    ];
    const { code, stderr } = await new Deno.Command(Deno.execPath(), {
      args: [...args, ...words],
      env,
    }).output();
    assert.equal(code, 1);
    assert.deepEqual([...Deno.readDirSync(folder)].map(({ name }) => name), ["head"]);
    return new TextDecoder().decode(stderr);
  };
  try {
    const target = ["--target", other.name];
    Deno.writeFileSync(`${folder}/head`, header({ elf: other.elf }));
    const wanted = `error: A file for ${other.machine} needs deno ${Deno.version.deno} for ` +
      `${other.machine}: --runtime FILE (npm has it as ${other.runtime}@${Deno.version.deno})\n`;
    assert.equal(await told({}, ...target), wanted);
    const wrong = new RegExp(`is no runtime for this file: it is for ${Deno.build.arch}, not`);
    assert.match(await told({}, ...target, "--runtime", Deno.execPath()), wrong);
    assert.match(await told({ DENO_BIN: Deno.execPath() }, ...target), wrong);
    assert.match(await told({ DENORT_BIN: Deno.execPath() }, ...target), wrong);
    const head = ["--runtime", `${folder}/head`];
    assert.match(await told({}, ...target, ...head), /"[^"]*head" is not deno \d/);
    assert.match(await told({}, ...head), /it is for .*, not for/);
    assert.match(await told({}, "--target", "mips"), /^error: "mips" is no machine/);
  } finally {
    Deno.removeSync(folder, { recursive: true });
  }
});
