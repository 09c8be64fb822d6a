import assert from "node:assert/strict";
import { checkImports, importsOf } from "../../scripts/imports.ts";
import plugin, { mustBePure } from "../../scripts/lint_plugin.ts";
import { checkTidy } from "../../scripts/tidy.ts";

function lint(file: string, source: string): string[] {
  return Deno.lint.runPlugin(plugin, `/repo/${file}`, source).map((found) => found.id);
}

Deno.test("the lint plugin refuses the outside in pure code", () => {
  const violations = [
    "export const at = Date.now();",
    "export const x = Math.random();",
    "export function f() { console.log(1); }",
    "export function f() { setTimeout(() => {}, 1); }",
    "export async function f() { await g(); } declare function g(): unknown;",
    'import { readFileSync } from "node:fs"; readFileSync("x");',
    "export const b = Deno.readFileSync('x');",
    "export const t = performance.now();",
    "export const p = import('./x.ts');",
    "export const p = new Promise(() => {});",
  ];
  for (const source of violations) {
    assert.ok(lint("mod/ha/core.ts", source).includes("pentad/pure"), source);
    assert.deepEqual(lint("mod/host/linux/x.ts", source).filter((id) => id === "pentad/pure"), []);
  }
});

Deno.test("the lint plugin leaves properties and keys of the same name alone", () => {
  const fine = [
    "export const x = { Date: 1, process: 2 };",
    "export function f(o: { performance: number; process: number }) { return o.process; }",
  ];
  for (const source of fine) assert.deepEqual(lint("mod/ha/core.ts", source), [], source);
});

Deno.test("the lint plugin lets only the two doors import from the runtime", () => {
  const source = 'import { crc32 } from "node:zlib"; crc32(new Uint8Array());';
  assert.deepEqual(lint("mod/base/checksum.ts", source), []);
  assert.deepEqual(lint("mod/base/bytes.ts", source), ["pentad/pure"]);
  assert.ok(mustBePure("/repo/mod/sim/world.ts"));
  assert.ok(!mustBePure("/repo/scripts/ok.ts"));
});

Deno.test("the lint plugin wants declared functions and plain error messages", () => {
  assert.deepEqual(lint("mod/cli/x.ts", "export const f = () => 1;"), [
    "pentad/no-top-level-arrow",
  ]);
  assert.deepEqual(lint("mod/cli/x.ts", 'throw new Error("cannot do it.");'), [
    "pentad/error-message",
  ]);
});

Deno.test("checkImports() refuses what the table does not allow", () => {
  const faults = checkImports([
    { file: "heartbeat/core.ts", imports: ["ha/core.ts", "base/time.ts", "streams.ts"] },
    { file: "ha/core.ts", imports: ["host/linux/process.ts"] },
    { file: "stray/x.ts", imports: [] },
    { file: "sim/sim.ts", imports: ["daemon/run.ts"] },
  ]);
  assert.deepEqual(faults, [
    'heartbeat/core.ts: "heartbeat" may not import ha/core.ts',
    'ha/core.ts: "ha" may not import host/linux/process.ts',
    'stray/x.ts: folder "stray" has no row in the import table',
    'sim/sim.ts: "sim" may not import daemon/run.ts',
  ]);
});

Deno.test("checkImports() refuses a cycle", () => {
  const faults = checkImports([
    { file: "base/a.ts", imports: ["base/b.ts"] },
    { file: "base/b.ts", imports: ["base/a.ts"] },
  ]);
  assert.deepEqual(faults, ["cycle: base/a.ts → base/b.ts → base/a.ts"]);
});

Deno.test("importsOf() reads imports, re-exports and dynamic imports", () => {
  const source = [
    'import { a } from "./a.ts";',
    'import type {\n  B,\n} from "../base/b.ts";',
    'export { c } from "./c.ts";',
    'const d = import("./d.ts");',
    'import x from "hono";',
  ].join("\n");
  assert.deepEqual(importsOf("ha/core.ts", source), [
    "ha/a.ts",
    "base/b.ts",
    "ha/c.ts",
    "ha/d.ts",
  ]);
});

Deno.test("checkTidy() refuses long files, long lines, dead files and unfinished work", () => {
  const head = "/** What it is for. @module */\n";
  const faults = checkTidy([
    { path: "mod/base/long.ts", text: head + "x;\n".repeat(400) },
    { path: "mod/base/wide.ts", text: `${head}// ${"word ".repeat(30)}\n` },
    { path: "mod/base/dead.ts", text: `${head}export const x = 1;\n` },
    { path: "mod/base/todo.ts", text: `${head}// ${"TO" + "DO"}: later\n` },
    { path: "mod/base/bare.ts", text: "export const x = 1;\n" },
    {
      path: "main.ts",
      text: ["long", "wide", "todo", "bare"].map((n) => `import "./mod/base/${n}.ts";`).join("\n"),
    },
  ]);
  assert.deepEqual(faults, [
    "mod/base/long.ts: 401 lines, at most 400: cut it by duty",
    "mod/base/wide.ts:2: longer than 120 columns",
    "mod/base/todo.ts:2: unfinished work is an issue, not a comment",
    "mod/base/bare.ts: begins without a sentence that says what it is for",
    "mod/base/dead.ts: nothing imports it",
  ]);
});
