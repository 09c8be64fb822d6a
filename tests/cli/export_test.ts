/** Exported trees on a real disk: where they may go, and what of them is believed. */
import assert from "node:assert/strict";
import { type ProblemCode, ProblemError } from "../../mod/base/problem.ts";
import { MARKER, writeExport } from "../../mod/cli/export_writer.ts";
import { EXPORT_LINE_MAX } from "../../mod/api/export.ts";
import { treeGroup } from "../../mod/host/linux/tree_group.ts";
import { withDaemon } from "./world.ts";

type Line = Record<string, unknown>;

const HEAD = { schema: "pentad.export/1", at: 9 };
const END = { end: true };

function entry(path: string, text: string, more: Line = {}): Line {
  return { path, kind: "file", mode: 0o640, mtime: 1000, data: btoa(text), ...more };
}

function directory(path: string): Line {
  return { path, kind: "directory", mode: 0o755, mtime: 1000, data: "" };
}

function stream(...lines: readonly (Line | string)[]): ReadableStream<Uint8Array> {
  const text = lines.map((line) => typeof line === "string" ? line : JSON.stringify(line));
  return ReadableStream.from([new TextEncoder().encode(text.join("\n") + "\n")]);
}

async function withDirectory(body: (root: string) => Promise<void>): Promise<void> {
  const root = Deno.makeTempDirSync({ prefix: "pentad-export-" });
  try {
    await body(root);
  } finally {
    Deno.removeSync(root, { recursive: true });
  }
}

async function refused(export_: Promise<unknown>, code: ProblemCode, why: RegExp): Promise<void> {
  await assert.rejects(export_, (error) => {
    assert.ok(error instanceof ProblemError, String(error));
    assert.equal(error.problem.code, code, error.problem.why);
    assert.match(error.problem.why, why);
    return true;
  });
}

function names(path: string): string[] {
  return [...Deno.readDirSync(path)].map(({ name }) => name).sort();
}

function mode(path: string): string {
  return ((Deno.statSync(path).mode ?? 0) & 0o777).toString(8);
}

Deno.test({
  name: "an export is for the group that reads the mount, where its writer may give that away",
  ignore: Deno.uid() !== 0,
  fn: () =>
    withDirectory(async (root) => {
      const lines = [{ ...HEAD, entries: 2 }, directory("d"), entry("d/f", "x"), END];
      await writeExport(stream(...lines), `${root}/out`, 12345);
      const group = (path: string) => Deno.statSync(`${root}/out/${path}`).gid;
      assert.deepEqual([group("d"), group("d/f"), mode(`${root}/out/d/f`)], [12345, 12345, "640"]);
      assert.equal(Deno.statSync(`${root}/out/d/f`).mtime?.getTime(), 1_000_000);
      await writeExport(stream(...lines), `${root}/own`, null);
      assert.equal(Deno.statSync(`${root}/own/d/f`).gid, 0);
    }),
});

Deno.test("treeGroup() finds the group's number, and 0 where there is none", () => {
  return withDirectory((root) => {
    const look = (text: string) => {
      Deno.writeTextFileSync(`${root}/group`, text);
      return treeGroup(`${root}/group`);
    };
    assert.equal(look("root:x:0:\nwww-data:x:33:\n"), 33);
    for (const odd of ["", "xwww-data:x:33:", "www-data:x:no:", "www-data"]) {
      assert.equal(look(odd), 0);
    }
    assert.equal(treeGroup(`${root}/none`), 0);
    return Promise.resolve();
  });
});

Deno.test("config export writes files with modes and times, and takes its marker away", async () => {
  await withDaemon(async ({ node, cli, directory: root }) => {
    const lines = [
      { ...HEAD, entries: 3 },
      directory("priv"),
      entry("priv/key", "secret", { mode: 0o600 }),
      entry("ü", ""),
      END,
    ];
    node.exported = lines.map((line) => JSON.stringify(line) + "\n").join("");
    const out = `${root}/out`;
    const ran = await cli(["config", "export", out]);
    assert.equal(ran.code, 0, ran.err);
    assert.match(ran.err, /^exported 2 files as of txn_id=0x9 into/);
    assert.deepEqual(names(out), ["priv", "ü"]);
    assert.equal(Deno.readTextFileSync(`${out}/priv/key`), "secret");
    assert.deepEqual(["", "priv", "priv/key", "ü"].map((path) => mode(`${out}/${path}`)), [
      ...["755", "755", "600", "640"],
    ]);
    assert.equal(Deno.statSync(`${out}/priv`).mtime?.getTime(), 1_000_000);
    assert.equal(Deno.statSync(`${out}/priv/key`).mtime?.getTime(), 1_000_000);
    const again = await cli(["config", "export", out]);
    assert.equal(again.code, 1);
    assert.match(again.err, /is not empty\n/);
    Deno.mkdirSync(`${root}/mine`, { mode: 0o750 });
    const json = JSON.parse((await cli(["config", "export", `${root}/mine/`, "--json"])).out);
    assert.deepEqual([json.schema, json.at, json.files, json.directories], [
      ...["pentad.exported/1", 9, 2, 1],
    ]);
    assert.equal(mode(`${root}/mine`), "750");
  });
});

Deno.test("writeExport() goes into an empty directory only, and through no link", async () => {
  await withDirectory(async (root) => {
    const good = () => stream({ ...HEAD, entries: 0 }, END);
    Deno.writeTextFileSync(`${root}/file`, "");
    Deno.mkdirSync(`${root}/real`);
    Deno.symlinkSync(`${root}/real`, `${root}/link`);
    Deno.symlinkSync(`${root}/nowhere`, `${root}/dangling`);
    for (const path of ["file", "link", "dangling"]) {
      const refusal = /is no directory \(a link to one is none\)/;
      await refused(writeExport(good(), `${root}/${path}`), "config.export-place", refusal);
    }
    await refused(writeExport(good(), root), "config.export-place", /is not empty/);
    const far = writeExport(good(), `${root}/a/b`);
    await refused(far, "config.export-place", /cannot be used: No such file/);
    assert.deepEqual(names(root), ["dangling", "file", "link", "real"]);
    assert.deepEqual(await writeExport(good(), `${root}/real`), {
      ...{ at: 9, files: 0, directories: 0 },
    });
    assert.deepEqual(names(`${root}/real`), []);
  });
});

Deno.test("no name leads out of the directory, and what is wrong leaves its marker", async () => {
  await withDirectory(async (root) => {
    Deno.writeTextFileSync(`${root}/outside`, "untouched");
    const hostile: Line[] = [
      ...["../outside", "/etc/x", "a/../../outside", "", ".", "..", "a//b", "a/", "x\0y", "a\nb"]
        .map((path) => entry(path, "evil")),
      ...[entry("d/f", "evil"), entry(MARKER, "evil"), directory("../d"), directory("a/b")],
    ];
    for (const [at, line] of hostile.entries()) {
      const out = `${root}/out${at}`;
      const run = writeExport(stream({ ...HEAD, entries: 1 }, line, END), out);
      await refused(run, "config.export-broken", /is no path|comes before its directory/);
      assert.deepEqual(names(out), [MARKER]);
    }
    const twice = stream({ ...HEAD, entries: 2 }, entry("f", "1"), entry("f", "2"), END);
    await refused(writeExport(twice, `${root}/twice`), "config.export-place", /exists/);
    assert.equal(Deno.readTextFileSync(`${root}/twice/f`), "1");
    assert.equal(Deno.readTextFileSync(`${root}/outside`), "untouched");
    assert.deepEqual(names(root).filter((name) => !/^out|^twice/.test(name)), []);
  });
});

Deno.test("an export that is cut, lengthened or no export is not taken for one", async () => {
  await withDirectory(async (root) => {
    const head = { ...HEAD, entries: 1 };
    const broken: [(Line | string)[], RegExp][] = [
      [[head, entry("f", "1")], /ends too early/],
      [[head], /ends too early/],
      [[], /no JSON object/],
      [[head, END], /1 entries were promised/],
      [[head, entry("f", "1"), END, entry("g", "1")], /follows its end/],
      [["<html>"], /no JSON object/],
      [["7"], /no JSON object/],
      [[{ schema: "pentad.export/2", at: 1, entries: 0 }, END], /first line/],
      [[head, entry("f", "1", { mode: 0o4755 }), END], /no entry/],
      [[head, entry("f", "1", { kind: "link" }), END], /no entry/],
      [[head, entry("f", "1", { data: 7 }), END], /no entry/],
    ];
    for (const [at, [lines, why]] of broken.entries()) {
      await refused(writeExport(stream(...lines), `${root}/${at}`), "config.export-broken", why);
      assert.ok(names(`${root}/${at}`).includes(MARKER));
    }
    const base64 = stream(head, entry("f", "", { data: "!!" }), END);
    await refused(writeExport(base64, `${root}/b`), "config.export-place", /base64/i);
    const endless = stream("x".repeat(EXPORT_LINE_MAX + 1) + "y");
    await refused(writeExport(endless, `${root}/c`), "node.strange-answer", /a line has more/);
  });
});
