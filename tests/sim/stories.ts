/**
 * Every story in tests/scenarios ends as its log says. `deno test -A tests/sim/scenario_test.ts
 * tests/sim/scenario_rest_test.ts -- --update` writes the logs anew: never commit a difference that
 * you cannot explain.
 */
import assert from "node:assert/strict";
import { playScenario, printScenario, readScenario } from "../../mod/sim/mod.ts";

const FOLDER = new URL("../scenarios/", import.meta.url);
const update = Deno.args.includes("--update");
const all = [...Deno.readDirSync(FOLDER)].map(({ name }) => name)
  .filter((name) => name.endsWith(".txt")).sort();

/** One test for every second story, from the first or the second on: files run side by side. */
export function tellStories(from: 0 | 1): void {
  const names = all.filter((_, at) => at % 2 === from);
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
}
