/**
 * Every story in tests/scenarios ends as its log says. `deno test -A tests/sim/scenario_test.ts --
 * --update` writes the logs anew: never commit a difference that you cannot explain.
 */
import assert from "node:assert/strict";
import { playScenario, printScenario, readScenario } from "../../mod/sim/mod.ts";

const FOLDER = new URL("../scenarios/", import.meta.url);
const update = Deno.args.includes("--update");
const names = [...Deno.readDirSync(FOLDER)].map(({ name }) => name)
  .filter((name) => name.endsWith(".txt")).sort();

Deno.test("there are stories", () => {
  assert.ok(names.length > 0);
});

for (const name of names) {
  const { story, log } = readScenario(Deno.readTextFileSync(new URL(name, FOLDER)));
  const title = story.split("\n")[0]?.replace(/^#\s*/, "") ?? name;
  Deno.test(`${name}: ${title}`, () => {
    const played = playScenario(story);
    if (update) {
      Deno.writeTextFileSync(new URL(name, FOLDER), printScenario({ story, log: played }));
    } else assert.equal(played, log);
  });
}

Deno.test("playScenario() names the line that cannot be read or did not come true", () => {
  assert.throws(() => playScenario("at 1 heal\n"), /Line 1: a story begins/);
  assert.throws(() => playScenario("cluster nodes=2\nsoon heal\n"), /Line 2: "soon heal"/);
  assert.throws(() => playScenario("cluster\n\nat 1 dance nodeA\n"), /Line 3: "dance"/);
  assert.throws(
    () => playScenario("cluster nodes=1\nat 5 expect exec:web runs nodeA\n"),
    /Line 2: exec:web runs nowhere/,
  );
});
