/** The program on its host, below a folder of its own: into place, repaired, changed, away. */
import assert from "node:assert/strict";
import { FORMATS } from "../../mod/base/formats.ts";
import { ProblemError } from "../../mod/base/problem.ts";
import { settingsOf, UNIT } from "../../mod/cli/install/places.ts";
import { asRoot } from "../../mod/cli/install/as_root.ts";
import { cli, type Ran } from "./world.ts";

/** A stand-in for the one file: it says which version it is. */
function program(path: string, version: string, formats: object = FORMATS): string {
  const said = JSON.stringify({ schema: "pentad.version/1", version, formats });
  Deno.writeTextFileSync(path, `#!/bin/sh\necho '${said}'\n`, { mode: 0o755 });
  return path;
}

async function withRoot(body: (root: string, file: string) => Promise<void>): Promise<void> {
  const folder = Deno.makeTempDirSync({ prefix: "pentad-install-" });
  try {
    Deno.mkdirSync(`${folder}/root`);
    await body(`${folder}/root`, program(`${folder}/pentad`, "1.0.0"));
  } finally {
    Deno.removeSync(folder, { recursive: true });
  }
}

function refused({ code, err }: Ran, exit: number, problem: string): void {
  assert.equal(code, exit, err);
  assert.ok(err.includes(problem), err);
}

function tree(root: string, below = ""): string[] {
  return [...Deno.readDirSync(`${root}/${below}`)].flatMap(({ name, isDirectory }) => {
    const path = below === "" ? name : `${below}/${name}`;
    return isDirectory ? tree(root, path) : [path];
  }).sort();
}

const HOST = ["--name", "nodeA", "--address", "192.0.2.1"];

Deno.test("install lists, writes, repairs, and keeps the administrator's settings", async () => {
  await withRoot(async (root, file) => {
    const run = (...words: string[]) => cli([...words, "--root", root], { file });
    const plan = await run("install", ...HOST, "--dry-run");
    assert.equal(plan.code, 10, plan.err);
    const pages = (await cli(["man", "--list"])).out.trim().split("\n");
    assert.equal(plan.out.trim().split("\n").length, 6 + pages.length);
    assert.deepEqual(tree(root), []);

    assert.equal((await run("install", ...HOST)).code, 0);
    assert.deepEqual(tree(root), [
      "etc/pentad/settings.json",
      "etc/systemd/system/pentad.service",
      "opt/pentad/1.0.0/pentad",
      "usr/local/bin/pentad",
      ...pages.map((page) => `usr/local/share/man/man${page.at(-1)}/${page}`).sort(),
      "usr/share/bash-completion/completions/pentad",
    ]);
    assert.equal(Deno.readLinkSync(`${root}/usr/local/bin/pentad`), "/opt/pentad/1.0.0/pentad");
    const settings = JSON.parse(Deno.readTextFileSync(`${root}/etc/pentad/settings.json`));
    assert.deepEqual(settings.links, ["192.0.2.1:5405"]);
    const check = await cli(["daemon", "--check", "--settings", "s"], {
      files: { s: JSON.stringify(settings) },
    });
    assert.equal(check.code, 0, check.err);
    const modes = [["var/lib/pentad", 0o700], ["etc/pentad/settings.json", 0o640]] as const;
    for (const [path, mode] of modes) {
      assert.equal((Deno.statSync(`${root}/${path}`).mode ?? 0) & 0o777, mode, path);
    }

    // Whatever of it is damaged or gone comes back; the settings are nobody's but theirs.
    Deno.writeTextFileSync(`${root}/etc/pentad/settings.json`, "{}");
    const half = UNIT.slice(0, UNIT.length / 2);
    Deno.writeTextFileSync(`${root}/etc/systemd/system/pentad.service`, half);
    Deno.writeTextFileSync(`${root}/opt/pentad/1.0.0/pentad`, "half");
    Deno.removeSync(`${root}/usr/local/bin/pentad`);
    assert.equal((await run("install", ...HOST)).code, 0);
    assert.equal(Deno.readTextFileSync(`${root}/etc/pentad/settings.json`), "{}");
    assert.equal(
      Deno.readTextFileSync(`${root}/opt/pentad/1.0.0/pentad`),
      Deno.readTextFileSync(file),
    );
    const again = await run("install", ...HOST, "--dry-run");
    assert.equal(again.code, 0, again.out);
  });
});

Deno.test("upgrade and rollback change one link, and refuse what could not go on", async () => {
  await withRoot(async (root, file) => {
    const run = (...words: string[]) => cli([...words, "--root", root], { file });
    const inUse = () => Deno.readLinkSync(`${root}/usr/local/bin/pentad`);
    await run("install", ...HOST);
    refused(await run("rollback"), 9, "install.no-previous");
    const next = program(`${root}/next`, "1.1.0");
    for (let twice = 0; twice < 2; twice++) {
      const upgraded = await run("upgrade", next);
      assert.equal(upgraded.code, 0, upgraded.err);
      assert.equal(inUse(), "/opt/pentad/1.1.0/pentad");
    }
    assert.equal((await run("rollback")).code, 0);
    assert.equal(inUse(), "/opt/pentad/1.0.0/pentad");
    assert.equal((await run("rollback")).code, 0);
    assert.equal(inUse(), "/opt/pentad/1.1.0/pentad");

    const strange = program(`${root}/strange`, "2.0.0", { ...FORMATS, peer: FORMATS.peer + 1 });
    const spoken = await run("upgrade", strange);
    refused(spoken, 7, "install.format");
    assert.match(spoken.err, /form \d+ of peer/);
    const older = program(`${root}/older`, "0.9.0", { ...FORMATS, database: 1 });
    refused(await run("upgrade", older), 7, "install.format");
    for (const bad of ["../../x", "", "a b"]) {
      refused(await run("upgrade", program(`${root}/bad`, bad)), 1, "install.no-file");
    }
    refused(await run("upgrade", `${root}/no-such-file`), 1, "install.no-file");
    assert.equal(inUse(), "/opt/pentad/1.1.0/pentad");
  });
});

Deno.test("uninstall refuses a member, and leaves nothing but what it names", async () => {
  await withRoot(async (root, file) => {
    const run = (...words: string[]) => cli([...words, "--root", root], { file });
    await run("install", ...HOST);
    const identity = `${root}/var/lib/pentad/node.json`;
    Deno.writeTextFileSync(identity, "{}");
    refused(await run("uninstall"), 7, "install.still-member");
    Deno.removeSync(identity);
    assert.equal((await run("uninstall", "--dry-run")).code, 10);
    const gone = await run("uninstall");
    assert.equal(gone.code, 0, gone.err);
    assert.match(gone.err, /kept: .*var\/lib\/pentad/);
    assert.deepEqual(tree(root), ["etc/pentad/settings.json"]);
    assert.equal((await run("uninstall", "--purge")).code, 0);
    assert.deepEqual(tree(root), []);
    assert.equal((await run("uninstall", "--purge")).code, 0);
  });
});

Deno.test("install says what it cannot do", async () => {
  await withRoot(async (root, file) => {
    refused(await cli(["install", "--root", root]), 1, "install.no-file");
    assert.equal((await cli(["install", "--root", "here"], { file })).code, 2);
    Deno.mkdirSync(`${root}/usr/local/bin`, { recursive: true });
    Deno.writeTextFileSync(`${root}/usr/local/bin/pentad`, "somebody else's");
    const other = await cli(["install", "--root", root, ...HOST], { file });
    refused(other, 1, "install.in-the-way");
    const risk = await cli(["uninstall", "--root", root, "--accept-risk", "all"], { file });
    assert.equal(risk.code, 2);
  });
});

Deno.test("what is not pentad's is neither replaced nor removed, wherever it leads", async () => {
  await withRoot(async (root, file) => {
    const run = (...words: string[]) => cli([...words, "--root", root], { file });
    const link = `${root}/usr/local/bin/pentad`;
    const unit = `${root}/etc/systemd/system/pentad.service`;
    Deno.mkdirSync(`${root}/usr/local/bin`, { recursive: true });
    Deno.mkdirSync(`${root}/etc/systemd/system`, { recursive: true });
    const targets = ["/opt/other/pentad", "/opt/pentad/../x/pentad", "/opt/pentad/a/b/pentad"];
    for (const target of [...targets, "/opt/pentad", ""]) {
      if (target === "") Deno.mkdirSync(link);
      else Deno.symlinkSync(target, link);
      refused(await run("install", ...HOST), 1, "install.in-the-way");
      refused(await run("install", ...HOST, "--dry-run"), 1, "install.in-the-way");
      refused(await run("upgrade", file), 1, "install.in-the-way");
      assert.ok(!tree(root).some((path) => path.endsWith("pentad.service")), target);
      await run("uninstall", "--purge");
      assert.ok(Deno.lstatSync(link), target);
      Deno.removeSync(link);
    }
    // A unit that was masked, and one of another program by that name.
    Deno.symlinkSync("/dev/null", unit);
    refused(await run("install", ...HOST), 1, "install.in-the-way");
    Deno.removeSync(unit);
    Deno.writeTextFileSync(unit, "[Service]\nExecStart=/opt/other/pentad\n");
    refused(await run("install", ...HOST), 1, "install.in-the-way");
    Deno.removeSync(unit);

    assert.equal((await run("install", ...HOST)).code, 0);
    Deno.removeSync(link);
    Deno.symlinkSync("/opt/other/pentad", link);
    Deno.writeTextFileSync(`${root}/opt/pentad/1.0.0/notes`, "the administrator's");
    Deno.symlinkSync("/etc", `${root}/opt/pentad/previous`);
    refused(await run("rollback"), 1, "install.in-the-way");
    const gone = await run("uninstall", "--purge", "--json");
    assert.equal(gone.code, 0, gone.err);
    assert.deepEqual(JSON.parse(gone.out).left, [link, `${root}/opt/pentad`]);
    assert.deepEqual(tree(root), [
      "opt/pentad/1.0.0/notes",
      "opt/pentad/previous",
      "usr/local/bin/pentad",
    ]);
  });
});

function codeOf(body: () => unknown): string {
  try {
    body();
  } catch (error) {
    if (error instanceof ProblemError) return error.problem.code;
  }
  return "none";
}

Deno.test("who may not write, and a host of which nothing is known, are told by name", () => {
  const denied = () => asRoot(() => Deno.writeTextFileSync("/proc/sys/kernel/ostype", "x"));
  assert.equal(codeOf(denied), "install.not-root");
  for (const [name, address] of [["-", "192.0.2.1"], ["nodeA", null], ["", "192.0.2.1"]] as const) {
    assert.equal(codeOf(() => settingsOf({ name, address })), "install.unknown-host");
  }
  assert.equal(codeOf(() => settingsOf({ name: "nodeA.example.org", address: "::1" })), "none");
});
