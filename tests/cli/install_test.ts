/** The program on its host, below a folder of its own: into place, repaired, changed, away. */
import assert from "node:assert/strict";
import { FORMATS } from "../../mod/base/formats.ts";
import { cli } from "./world.ts";

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
    assert.equal(plan.out.trim().split("\n").length, 6);
    assert.deepEqual(tree(root), []);

    assert.equal((await run("install", ...HOST)).code, 0);
    assert.deepEqual(tree(root), [
      "etc/pentad/settings.json",
      "etc/systemd/system/pentad.service",
      "opt/pentad/1.0.0/pentad",
      "usr/local/bin/pentad",
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
    Deno.writeTextFileSync(`${root}/etc/systemd/system/pentad.service`, "half");
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
    assert.equal((await run("rollback")).code, 9);
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
    const refused = await run("upgrade", strange);
    assert.equal(refused.code, 7);
    assert.match(refused.err, /form \d+ of peer/);
    const older = program(`${root}/older`, "0.9.0", { ...FORMATS, database: 1 });
    assert.equal((await run("upgrade", older)).code, 7);
    for (const bad of ["../../x", "", "a b"]) {
      assert.equal((await run("upgrade", program(`${root}/bad`, bad))).code, 1);
    }
    assert.equal((await run("upgrade", `${root}/no-such-file`)).code, 1);
    assert.equal(inUse(), "/opt/pentad/1.1.0/pentad");
  });
});

Deno.test("uninstall refuses a member, and leaves nothing but what it names", async () => {
  await withRoot(async (root, file) => {
    const run = (...words: string[]) => cli([...words, "--root", root], { file });
    await run("install", ...HOST);
    const identity = `${root}/var/lib/pentad/node.json`;
    Deno.writeTextFileSync(identity, "{}");
    const member = await run("uninstall");
    assert.equal(member.code, 7);
    assert.match(member.err, /install\.still-member/);
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
    assert.equal((await cli(["install", "--root", root])).code, 1);
    assert.equal((await cli(["install", "--root", "here"], { file })).code, 2);
    Deno.mkdirSync(`${root}/usr/local/bin`, { recursive: true });
    Deno.writeTextFileSync(`${root}/usr/local/bin/pentad`, "somebody else's");
    const refused = await cli(["install", "--root", root, ...HOST], { file });
    assert.match(refused.err, /install\.in-the-way/);
    const risk = await cli(["uninstall", "--root", root, "--accept-risk", "all"], { file });
    assert.equal(risk.code, 2);
  });
});
