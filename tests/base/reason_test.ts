/** The registry of reasons against what is seen to happen: stories and tests. */
import assert from "node:assert/strict";
import { formatReason, type ReasonCode, REASONS } from "../../mod/base/reason.ts";
import { readScenario } from "../../mod/sim/mod.ts";

const ROOT = new URL("../../", import.meta.url).pathname;

function* files(path: string, suffix: string): Generator<{ path: string; text: string }> {
  for (const { name, isDirectory } of Deno.readDirSync(path)) {
    if (isDirectory) yield* files(`${path}/${name}`, suffix);
    else if (name.endsWith(suffix)) {
      yield { path: `${path}/${name}`, text: Deno.readTextFileSync(`${path}/${name}`) };
    }
  }
}

const CODES = Object.keys(REASONS) as ReasonCode[];

/** A sentence of a log that can only be this reason's. */
function sentenceOf(code: ReasonCode): RegExp {
  const words = REASONS[code].split(/\{\w+\}/)
    .map((part) => part.replace(/[.*+?^${}()|[\]\\]/g, "\\$&"));
  return new RegExp(`\\(${words.join("[^\\n]*")}\\)$`, "m");
}

Deno.test("every reason is given somewhere in the program", () => {
  const program = [...files(`${ROOT}mod`, ".ts")].filter(({ path }) => !path.endsWith("/reason.ts"))
    .map(({ text }) => text).join("\n");
  assert.deepEqual(CODES.filter((code) => !program.includes(`"${code}"`)), []);
});

Deno.test("every reason occurs in the log of a story, or in a test", () => {
  const logs = [...files(`${ROOT}tests/scenarios`, ".txt")].map(({ text }) =>
    readScenario(text).log
  )
    .join("\n");
  const tests = [...files(`${ROOT}tests`, "_test.ts")]
    .filter(({ path }) => !path.endsWith("/base/reason_test.ts")).map(({ text }) => text).join(
      "\n",
    );
  const untold = CODES.filter((code) =>
    !tests.includes(`"${code}"`) && !sentenceOf(code).test(logs)
  );
  assert.deepEqual(untold, []);
});

Deno.test("formatReason() fills every place of a sentence, and marks a missing value", () => {
  for (const code of CODES) {
    const names = [...REASONS[code].matchAll(/\{(\w+)\}/g)].map((match) => match[1] ?? "");
    const args = Object.fromEntries(names.map((name) => [name, `<${name}>`]));
    assert.ok(!/[{}?]/.test(formatReason({ code, args }).replace("older copy?", "")), code);
    if (names.length > 0) assert.match(formatReason({ code, args: {} }), /\?/);
  }
});
