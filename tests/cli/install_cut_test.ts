/** install, upgrade, rollback and uninstall, killed at each change they make, and repeated. */
import assert from "node:assert/strict";
import { FORMATS } from "../../mod/base/formats.ts";
import { cutAt } from "./cut.ts";
import { cli, type Ran } from "./world.ts";

const CUT_MAIN = new URL("./cut_main.ts", import.meta.url).pathname;
const HOST = ["--name", "nodeA", "--address", "192.0.2.1"];

/** A stand-in for the one file: it says which version it is. */
function program(path: string, version: string): void {
  const said = JSON.stringify({ schema: "pentad.version/1", version, formats: FORMATS });
  Deno.writeTextFileSync(path, `#!/bin/sh\necho '${said}'\n`, { mode: 0o755 });
}

interface World {
  readonly folder: string;
  readonly root: string;
  run(...words: string[]): Promise<Ran>;
  /** Where a link below the root leads; null for nothing there. */
  link(path: string): string | null;
  /** Paths, with what is in them. */
  tree(): string[];
}

/** What was done before, and what is then cut off and repeated. */
interface Case {
  readonly what: string;
  readonly before: readonly (readonly string[])[];
  readonly words: readonly string[];
}

const INSTALL = ["install", ...HOST];
const CASES: readonly Case[] = [
  { what: "install", before: [], words: INSTALL },
  { what: "upgrade", before: [INSTALL, ["upgrade", "v2"]], words: ["upgrade", "v3"] },
  { what: "the first upgrade", before: [INSTALL], words: ["upgrade", "v2"] },
  {
    what: "rollback",
    before: [INSTALL, ["upgrade", "v2"], ["upgrade", "v3"]],
    words: ["rollback"],
  },
  {
    what: "uninstall",
    before: [INSTALL, ["upgrade", "v2"]],
    words: ["uninstall", "--purge"],
  },
];

async function withWorld(body: (world: World) => Promise<void>): Promise<void> {
  const folder = Deno.makeTempDirSync({ prefix: "pentad-cut-" });
  const root = `${folder}/root`;
  try {
    for (const [name, version] of [["v1", "1.0.0"], ["v2", "2.0.0"], ["v3", "3.0.0"]] as const) {
      program(`${folder}/${name}`, version);
    }
    Deno.mkdirSync(root);
    await body({
      folder,
      root,
      run: (...words) => {
        const named = words.map((word) => /^v\d$/.test(word) ? `${folder}/${word}` : word);
        return cli([...named, "--root", root], { file: `${folder}/v1` });
      },
      link: (path) => linkAt(`${root}/${path}`),
      tree: () => treeOf(root),
    });
  } finally {
    Deno.removeSync(folder, { recursive: true });
  }
}

function linkAt(path: string): string | null {
  try {
    return Deno.readLinkSync(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return null;
    throw error;
  }
}

function treeOf(root: string, below = ""): string[] {
  return [...Deno.readDirSync(root + below)].flatMap(({ name, isDirectory, isSymlink }) => {
    const path = `${below}/${name}`;
    if (isDirectory) return treeOf(root, path);
    if (isSymlink) return [`${path} -> ${Deno.readLinkSync(root + path)}`];
    return [`${path} ${Deno.readTextFileSync(root + path)}`];
  }).sort();
}

async function prepare({ run }: World, before: Case["before"]): Promise<void> {
  for (const words of before) {
    const { code, err } = await run(...words);
    assert.equal(code, 0, err);
  }
}

/** What the program's link leads to is whole, whenever it is looked at. */
function runnable({ root, link }: World): void {
  const target = link("usr/local/bin/pentad");
  if (target === null) return;
  const { stdout } = new Deno.Command(`${root}${target}`).outputSync();
  assert.match(new TextDecoder().decode(stdout), /"schema":"pentad.version\/1"/);
}

for (const { what, before, words } of CASES) {
  Deno.test(`${what}, cut off anywhere, is finished by repeating it`, async () => {
    let wanted: string[] = [];
    await withWorld(async (world) => {
      await prepare(world, [...before, words]);
      wanted = world.tree();
    });
    let at = 0;
    for (let reached = true; reached;) {
      at++;
      await withWorld(async (world) => {
        await prepare(world, before);
        reached = await cutAt(at, () => world.run(...words));
        runnable(world);
        if (!reached) return assert.deepEqual(world.tree(), wanted);
        const again = await world.run(...words);
        assert.equal(again.code, 0, `after ${at}: ${again.err}`);
        assert.deepEqual(world.tree(), wanted, `after ${at}`);
      });
    }
    assert.ok(at > 5, "changes were made");
  });
}

Deno.test("whatever was cut off, uninstall leaves nothing of it", async () => {
  for (const { before, words } of CASES) {
    for (let [at, reached] = [1, true]; reached; at++) {
      await withWorld(async (world) => {
        await prepare(world, before);
        reached = await cutAt(at, () => world.run(...words));
        assert.equal((await world.run("uninstall", "--purge")).code, 0);
        assert.deepEqual(world.tree(), [], `${words[0]}, after ${at}`);
      });
    }
  }
});

Deno.test("after an upgrade that was cut off, rollback leads to what was in use before it", async () => {
  for (let [at, reached] = [1, true]; reached; at++) {
    await withWorld(async (world) => {
      await prepare(world, [INSTALL, ["upgrade", "v2"]]);
      reached = await cutAt(at, () => world.run("upgrade", "v3"));
      if (!reached) return;
      const announced = world.link("opt/pentad/upgrading") !== null;
      const { code, err } = await world.run("rollback");
      assert.equal(code, 0, err);
      const version = world.link("usr/local/bin/pentad");
      // Before it is announced nothing is known of it, and rollback is one to the version before.
      assert.equal(version, `/opt/pentad/${announced ? "2" : "1"}.0.0/pentad`, `after ${at}`);
      assert.equal(world.link("opt/pentad/upgrading"), null);
    });
  }
});

Deno.test("an upgrade that is killed is finished by repeating it", async () => {
  let killed = 0;
  for (let signal: Deno.Signal | null = "SIGKILL"; signal !== null; killed++) {
    await withWorld(async (world) => {
      await prepare(world, [INSTALL]);
      const args = ["upgrade", `${world.folder}/v2`, "--root", world.root];
      const run = ["run", "-A", "--no-check", "--quiet", CUT_MAIN];
      const status = await new Deno.Command(Deno.execPath(), {
        args: [...run, String(killed + 1), `${world.folder}/v1`, ...args],
        stdout: "null",
        stderr: "null",
      }).spawn().status;
      signal = status.signal;
      assert.equal(signal, status.success ? null : "SIGKILL");
      runnable(world);
      assert.equal((await world.run("upgrade", "v2")).code, 0);
      assert.equal(world.link("usr/local/bin/pentad"), "/opt/pentad/2.0.0/pentad");
      assert.equal(world.link("opt/pentad/previous"), "/opt/pentad/1.0.0/pentad");
    });
  }
  assert.ok(killed > 5, "it was killed");
});
