/** The program in few files does what its sources say. */
import assert from "node:assert/strict";
import { bundle } from "../../scripts/build/bundle.ts";
import { listSources } from "../../scripts/imports.ts";

const ROOT = new URL("../..", import.meta.url).pathname.replace(/\/$/, "");

/** Declarations that close what they name at the end of their block. */
function closing(text: string): number {
  return [...text.matchAll(/^\s*(?:await )?using [a-z]\w* = /gm)].length;
}

Deno.test("bundle() keeps every declaration that closes something", async () => {
  const wanted = listSources(`${ROOT}/mod`)
    .map((path) => closing(Deno.readTextFileSync(path)));
  const found = (await bundle(ROOT)).map(({ data }) => closing(new TextDecoder().decode(data)));
  const sum = (counts: readonly number[]) => counts.reduce((total, each) => total + each, 0);
  assert.ok(sum(wanted) > 5);
  assert.equal(sum(found), sum(wanted));
});

Deno.test("bundle() tells nothing of the machine it was made on", async () => {
  for (const { path, data } of await bundle(ROOT)) {
    const text = new TextDecoder().decode(data);
    const places = text.split("\n").filter((line) => /^\/\/ \S+\.[cm]?[jt]s$/.test(line));
    const known = /^\/\/ (main\.ts|(mod|node_modules)\/.*)$/;
    assert.deepEqual(places.filter((line) => !known.test(line)), [], path);
    assert.ok(!text.includes(ROOT), path);
  }
});
