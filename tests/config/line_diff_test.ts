/** Unified diffs: applied as patch(1) does, they make the new text of the old one. */
import assert from "node:assert/strict";
import fc from "fast-check";
import { fileDiffs, PATHS_MAX } from "../../mod/config/file_diff.ts";
import { unifiedHunks } from "../../mod/config/line_diff.ts";
import type { StoredRow } from "../../mod/host/ports.ts";

/** Applies hunks; every line that they name as old must be there. */
function patched(old: string, hunks: string): string {
  const before = old.match(/[^\n]*\n|[^\n]+$/g) ?? [];
  let [text, at] = ["", 0];
  const lines = hunks.split("\n").slice(0, -1);
  for (const [number, line] of lines.entries()) {
    const head = /^@@ -(\d+)(?:,(\d+))? \+(\d+)(?:,(\d+))? @@$/.exec(line);
    if (line.startsWith("\\")) continue;
    if (head !== null) {
      const from = Number(head[1]) - (head[2] === "0" ? 0 : 1);
      assert.ok(from >= at, "hunks come in order");
      text += before.slice(at, from).join("");
      at = from;
      continue;
    }
    const content = line.slice(1) + (lines[number + 1]?.startsWith("\\") ? "" : "\n");
    if (line[0] !== "+") assert.equal(before[at++], content);
    if (line[0] !== "-") text += content;
  }
  return text + before.slice(at).join("");
}

const anyText = fc.tuple(fc.array(fc.constantFrom("a", "b", "c", "", "dd"), { maxLength: 40 }))
  .chain(([lines]) => fc.constantFrom(lines.join("\n"), lines.map((line) => `${line}\n`).join("")));

Deno.test("unifiedHunks() makes the new text of the old one, whatever they are", () => {
  fc.assert(fc.property(anyText, anyText, (old, young) => {
    const hunks = unifiedHunks(old, young);
    assert.equal(patched(old, hunks), young);
    assert.equal(hunks === "", old === young);
  }));
});

Deno.test("unifiedHunks() prints what diff -u prints", () => {
  const numbers = (from: number, to: number) =>
    Array.from({ length: to - from + 1 }, (_, at) => `${from + at}\n`).join("");
  const old = numbers(1, 30);
  const young = old.replace("\n2\n", "\ntwo\n").replace("\n9\n", "\n").replace("30\n", "30");
  assert.equal(
    unifiedHunks(old, young),
    "@@ -1,12 +1,11 @@\n 1\n-2\n+two\n 3\n 4\n 5\n 6\n 7\n 8\n-9\n 10\n 11\n 12\n" +
      "@@ -27,4 +26,4 @@\n 27\n 28\n 29\n-30\n+30\n\\ No newline at end of file\n",
  );
  assert.equal(unifiedHunks("", "a\n"), "@@ -0,0 +1 @@\n+a\n");
  assert.equal(unifiedHunks("a\nb\n", ""), "@@ -1,2 +0,0 @@\n-a\n-b\n");
});

Deno.test("unifiedHunks() of two large texts with nothing in common takes one for the other", () => {
  const text = (word: string) =>
    Array.from({ length: 20_000 }, (_, at) => `${word}${at}\n`).join("");
  const [old, young] = [`same\n${text("a")}`, `same\n${text("b")}`];
  const hunks = unifiedHunks(old, young);
  assert.ok(hunks.startsWith("@@ -1,20001 +1,20001 @@\n same\n-a0\n-a1\n"));
  assert.equal(patched(old, hunks), young);
});

function row(kind: StoredRow["kind"], data: Uint8Array | string): StoredRow {
  const bytes = typeof data === "string" ? new TextEncoder().encode(data) : data;
  return { ino: 1, parent: 0, name: "x", kind, mtime: 0, version: 1, writer: 1, data: bytes };
}

Deno.test("fileDiffs() shows texts, sums up what is none, and says what it leaves out", () => {
  const binary = row("file", Uint8Array.of(1, 0, 2));
  const { files, omitted } = fileDiffs([
    { path: "new", change: "added", before: null, after: row("file", "x\n") },
    { path: "gone", change: "removed", before: row("file", "x\n"), after: null },
    { path: "d", change: "added", before: null, after: row("directory", "") },
    { path: "b", change: "changed", before: row("file", "text"), after: binary },
    { path: "latin", change: "added", before: null, after: row("file", Uint8Array.of(0xe4)) },
    { path: "kind", change: "changed", before: row("directory", ""), after: row("file", "x\n") },
  ]);
  assert.equal(omitted, 0);
  assert.deepEqual(files.map(({ diff }) => diff), [
    "--- /dev/null\n+++ b/new\n@@ -0,0 +1 @@\n+x\n",
    "--- a/gone\n+++ /dev/null\n@@ -1 +0,0 @@\n-x\n",
    null,
    null,
    null,
    "--- /dev/null\n+++ b/kind\n@@ -0,0 +1 @@\n+x\n",
  ]);
  assert.deepEqual(files.map(({ binary }) => binary), [false, false, false, true, true, false]);
  assert.deepEqual(files[3]?.after, { size: 3, crc32: "0x108dd209" });
  const many = Array.from({ length: PATHS_MAX + 5 }, (_, at) => ({
    ...{ path: `p${at}`, change: "added" as const, before: null, after: row("file", "") },
  }));
  assert.equal(fileDiffs(many).omitted, 5);
});
