/** Half of the stories, see `stories.ts`; and what makes none. */
import assert from "node:assert/strict";
import { playScenario } from "../../mod/sim/mod.ts";
import { tellStories } from "./stories.ts";

tellStories(0);

Deno.test("playScenario() names the line that cannot be read or did not come true", () => {
  assert.throws(() => playScenario("at 1 heal\n"), /Line 1: a story begins/);
  assert.throws(() => playScenario("cluster nodes=2\nsoon heal\n"), /Line 2: "soon heal"/);
  assert.throws(() => playScenario("cluster\n\nat 1 dance nodeA\n"), /Line 3: "dance"/);
  assert.throws(
    () => playScenario("cluster nodes=1\nat 5 expect exec:web runs nodeA\n"),
    /Line 2: exec:web runs nowhere/,
  );
});
