/** The registry of problems against what the edges really refuse with. */
import assert from "node:assert/strict";
import { EXIT, PROBLEMS } from "../../mod/base/problem.ts";

const ROOT = new URL("../../", import.meta.url).pathname;

function* sources(path: string): Generator<string> {
  if (Deno.statSync(path).isFile) return yield Deno.readTextFileSync(path);
  for (const { name, isFile } of Deno.readDirSync(path)) {
    if (!isFile || name.endsWith(".ts")) yield* sources(`${path}/${name}`);
  }
}

function textOf(...paths: string[]): string {
  return paths.flatMap((path) => [...sources(ROOT + path)]).join("\n");
}

Deno.test("every code that API, command line or settings refuse with occurs in a test of theirs", () => {
  const edges = textOf("mod/api", "mod/cli", "mod/base/settings.ts");
  const thrown = new Set(
    [...edges.matchAll(/ProblemError\(\s*"([a-z.-]+)"|code: "([a-z]+\.[a-z-]+)", why/g)]
      .map((match) => match[1] ?? match[2] ?? ""),
  );
  assert.ok(thrown.size > 25, `${thrown.size}`);
  const whole = [
    ...["tests/daemon/ssh_join_test.ts", "tests/daemon/ssh_cut_test.ts"],
    "tests/daemon/deploy_test.ts",
    "tests/host/install_test.ts",
  ];
  const tests = textOf("tests/api", "tests/cli", "tests/base/settings_test.ts", ...whole);
  const untried = [...thrown].filter((code) => !tests.includes(`"${code}"`));
  assert.deepEqual(untried, []);
});

Deno.test("every code has an exit code of the table and an HTTP status of an error", () => {
  const { ok: _never, ...failures } = EXIT;
  const codes = new Set<number>(Object.values(failures));
  for (const [code, { exit, status, title, remedy }] of Object.entries(PROBLEMS)) {
    assert.ok(codes.has(exit), code);
    assert.ok(status >= 400 && status <= 599, code);
    assert.match(title, /^Cannot .*[^.]$/, code);
    assert.match(remedy, /^[a-z].*[^.]$/, code);
    assert.match(code, /^(bug|[a-z]+\.[a-z-]+)$/);
  }
});
