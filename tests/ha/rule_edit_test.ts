/** Changes of `ha/rules.cfg`: what is kept, what is refused and with which words. */
import assert from "node:assert/strict";
import fc from "fast-check";
import { checkRules, editRules, type RuleEdit } from "../../mod/ha/rule_edit.ts";
import { readRules } from "../../mod/ha/rules.ts";

const WORLD = { nodes: ["nodeA", "nodeB"], resources: ["exec:a", "exec:b", "exec:c"] };
const FILE = "# ours\n\nresource-affinity: apart\n\t# because\n\tresources exec:a,exec:b\n" +
  "\taffinity negative\n\tcolour red\n\n# the end\n";

function edited(edit: RuleEdit, text = FILE): string {
  const next = editRules(text, edit, WORLD);
  return typeof next === "string" ? next : `${next.code}: ${next.why}`;
}

function near(id: string, resources: string): RuleEdit {
  const properties = { resources, affinity: "positive" };
  return { edit: "add", kind: "resource-affinity", id, properties };
}

Deno.test("editRules() keeps comments, order and unknown keys", () => {
  assert.equal(
    edited({ edit: "set", id: "apart", properties: { weight: "5", affinity: "positive" } }),
    FILE.replace("negative", "positive").replace("red\n", "red\n\tweight 5\n"),
  );
  assert.equal(
    edited({ edit: "set", id: "apart", properties: { colour: null, weight: null } }),
    FILE.replace("\tcolour red\n", ""),
  );
  assert.equal(
    edited(near("near", "exec:b,exec:c")),
    `${FILE}\nresource-affinity: near\n\tresources exec:b,exec:c\n\taffinity positive\n`,
  );
  assert.equal(edited({ edit: "remove", id: "apart" }), "# ours\n\n");
});

const REFUSED: readonly (readonly [string, RuleEdit, RegExp, string?])[] = [
  ["a name that is there", near("apart", "exec:a,exec:b"), /^ha.rule-exists: "apart"/],
  ["one that is not", { edit: "remove", id: "x" }, /^ha.no-such-rule: there is no "x"/],
  ["nonsense", near("x", "exec:a"), /^ha.bad-rule: rule "x" names one/],
  ["an unknown resource", near("x", "exec:a,exec:z"), /^ha.bad-rule: .* no resource "exec:z"/],
  ["an unknown node", {
    ...{ edit: "add", kind: "node-affinity", id: "x" },
    properties: { resources: "exec:a", nodes: "nodeZ" },
  }, /^ha.bad-rule: .* no node "nodeZ", only nodeA, nodeB/],
  ["a conflict, with the pair", near("x", "exec:a,exec:b"), /^ha.rule-conflict: "x" and "apart": /],
  ["a conflict by a change", {
    ...{ edit: "set", id: "apart", properties: { resources: "exec:a,exec:b,exec:c" } },
  }, /^ha.rule-conflict: "apart": 3 resources apart/],
  ["a file that is broken", { edit: "remove", id: "x" }, /^ha.bad-file: .*line 1: /, "what\n"],
];
for (const [what, edit, expected, text] of REFUSED) {
  Deno.test(`editRules() refuses ${what}`, () => assert.match(edited(edit, text), expected));
}

Deno.test("editRules() mends one rule though others contradict each other", () => {
  const text = FILE + "resource-affinity: near\n\tresources exec:a,exec:b\n\taffinity positive\n" +
    "node-affinity: on\n\tresources exec:c\n\tnodes nodeA\n";
  assert.match(edited({ edit: "set", id: "on", properties: { nodes: "nodeB" } }, text), /nodeB/);
  assert.match(edited({ edit: "set", id: "near", properties: { weight: "5" } }, text), /weight 5/);
  assert.deepEqual(checkRules(text, WORLD).map(({ line }) => line), [10]);
  assert.match(checkRules(text, WORLD)[0]?.why ?? "", /"near" does not hold against "apart"/);
  assert.match(
    checkRules(text, { ...WORLD, nodes: ["nodeB"] }).at(-1)?.why ?? "",
    /no node "nodeA"/,
  );
});

Deno.test("editRules() never writes what it would not read", () => {
  const ids = fc.subarray(WORLD.resources, { minLength: 1 }).map((all) => all.join());
  const some = fc.record({
    resources: ids,
    nodes: fc.constantFrom("nodeA", "nodeA:1,nodeB", "x y", ""),
    affinity: fc.constantFrom("positive", "negative", "none"),
    strict: fc.constantFrom("1", "0", "maybe", null),
    comment: fc.constantFrom("a # b", "", null),
  }, { requiredKeys: ["resources"] });
  const kinds = fc.constantFrom("node-affinity", "resource-affinity", "ordering" as const);
  const edit = fc.oneof(
    fc.record({
      edit: fc.constant("add" as const),
      kind: kinds,
      id: fc.constantFrom("r", "s", "1"),
    })
      .chain((rest) => some.map((properties): RuleEdit => ({ ...rest, properties }))),
    fc.record({ edit: fc.constant("set" as const), id: fc.constantFrom("r", "s", "apart") })
      .chain((rest) => some.map((properties): RuleEdit => ({ ...rest, properties }))),
  );
  fc.assert(fc.property(fc.array(edit, { maxLength: 6 }), (edits) => {
    let text = FILE;
    for (const each of edits) {
      const next = editRules(text, each, WORLD);
      if (typeof next === "string") text = next;
    }
    assert.deepEqual(readRules(text).faults, []);
    assert.deepEqual(checkRules(text, WORLD), []);
    assert.match(text, /# because/);
  }));
});
