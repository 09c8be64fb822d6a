/** The list of mutants keeps up with the code that it changes. */
import assert from "node:assert/strict";
import { MUTANTS } from "../../scripts/mutants_list.ts";

const MOD = new URL("../../mod/", import.meta.url);

Deno.test("every mutant's text stands exactly once in its file, and is changed", () => {
  const stale: string[] = [];
  for (const { name, ...mutant } of MUTANTS) {
    for (const { file, find, put } of [mutant, ...mutant.aids ?? []]) {
      const count = Deno.readTextFileSync(new URL(file, MOD)).split(find).length - 1;
      if (count !== 1) stale.push(`"${name}" ${count} times in ${file}`);
      assert.notEqual(find, put, name);
    }
  }
  assert.deepEqual(stale, []);
});

Deno.test("every mutant has a name of its own, and the test that tells its story is there", () => {
  assert.equal(new Set(MUTANTS.map(({ name }) => name)).size, MUTANTS.length);
  for (const { name, shape, seeds } of MUTANTS) {
    assert.ok(seeds > 0, name);
    if (typeof shape !== "string") continue;
    assert.ok(Deno.statSync(new URL(`../../${shape}`, import.meta.url)).isFile, name);
  }
});
