/** `pentad ha rules …` against a daemon. */
import assert from "node:assert/strict";
import { keptBy } from "../../mod/cli/rule_kept.ts";
import type { ResourceStatus } from "../../mod/node/view.ts";
import { cli, type Ran, withDaemon } from "./world.ts";

function done(ran: Ran): Ran {
  assert.equal(ran.code, 0, ran.err);
  return ran;
}

function refused(ran: Ran, code: string, why: RegExp): void {
  assert.notEqual(ran.code, 0);
  assert.ok(ran.err.includes(code), ran.err);
  assert.match(ran.err, why);
}

Deno.test("ha rules add, list, set, check and remove", async () => {
  await withDaemon(async ({ cli }) => {
    for (const name of ["a", "b"]) done(await cli(["ha", "add", `exec:${name}`, "--command", "x"]));
    const ids = ["--resources", "exec:a,exec:b"];
    const add = (id: string, side: string) =>
      cli(["ha", "rules", "add", "resource-affinity", id, ...ids, "--affinity", side]);
    assert.match(done(await add("apart", "negative")).err, /rule "apart" holds/);
    refused(await add("near", "positive"), "ha.rule-conflict", /"near" and "apart"/);
    refused(await cli(["ha", "rules", "remove", ".."]), "ha.no-such-rule", /not a rule's name/);
    done(await cli(["ha", "rules", "set", "apart", "--weight", "9"]));
    const human = { terminal: true, env: { NO_COLOR: "1" } };
    const list = done(await cli(["ha", "rules", "list"], human)).out;
    assert.match(list, /apart +resource-affinity +yes +exec:a,exec:b +affinity negative, weight 9/);
    assert.match(done(await cli(["ha", "rules", "check"])).err, /every rule holds/);
    done(await cli(["ha", "remove", "exec:b"]));
    refused(await cli(["ha", "rules", "check"]), "ha.bad-rule", /no resource "exec:b"/);
    done(await cli(["ha", "rules", "remove", "apart"]));
    const left = done(await cli(["ha", "rules", "list", "--json"])).out;
    assert.deepEqual(JSON.parse(left).rules, []);
  });
});

Deno.test("ha rules refuses what is no rule before it asks anybody", async () => {
  refused(await cli(["ha", "rules", "add", "location", "x"]), "cli.usage", /choices are/);
  refused(await cli(["ha", "rules", "set", "x"]), "cli.usage", /nothing to set/);
});

Deno.test("ha rules --dry-run says what would move, or why it would be refused, and writes nothing", async () => {
  await withDaemon(async ({ node, cli }) => {
    done(await cli(["ha", "add", "exec:web", "--command", "x"]));
    const add = ["ha", "rules", "add", "node-affinity", "far", "--resources", "exec:web"];
    const far = [...add, "--nodes", "nodeB", "--strict", "1"];
    const ran = await cli([...far, "--dry-run"]);
    assert.equal(ran.code, 10, ran.err);
    assert.match(ran.out, /exec:web moves from nodeA to nodeB: rule "far"/);
    const mild = await cli([...add, "--nodes", "nodeA", "--dry-run"]);
    assert.equal(mild.code, 0, mild.err);
    refused(await cli([...add, "--nodes", "nodeZ", "--dry-run"]), "ha.bad-rule", /nodeZ/);
    refused(await cli(["ha", "rules", "remove", "far", "--dry-run"]), "ha.no-such-rule", /far/);
    assert.equal(node.text("ha/rules.cfg"), "");
    done(await cli(far));
    const text = node.text("ha/rules.cfg");
    const [web] = node.document.resources;
    assert.ok(web);
    node.document = { ...node.document, resources: [{ ...web, node: "nodeB" }] };
    const set = await cli(["ha", "rules", "set", "far", "--nodes", "nodeA", "--dry-run"]);
    assert.equal(set.code, 10, set.err);
    const remove = await cli(["ha", "rules", "remove", "far", "--dry-run"]);
    assert.equal(remove.code, 0, "what runs stays where it is");
    assert.equal(node.text("ha/rules.cfg"), text);
  });
});

Deno.test("ha rules --wait sees to it that the rule is kept", async () => {
  await withDaemon(async ({ node, cli }) => {
    done(await cli(["ha", "add", "exec:web", "--command", "x"]));
    const [web] = node.document.resources;
    assert.ok(web);
    const add = ["ha", "rules", "add", "node-affinity", "far", "--resources", "exec:web"];
    const late = await cli([...add, "--nodes", "nodeB", "--strict", "1", "--wait", "1"]);
    assert.equal(late.code, 8, late.err);
    assert.match(late.err, /exec:web is started on nodeA/);
    node.document = { ...node.document, resources: [{ ...web, node: "nodeB" }] };
    const kept = await cli(["ha", "rules", "set", "far", "--comment", "x", "--wait", "9"]);
    assert.match(done(kept).err, /rule "far" is kept/);
  });
});

/** `a@1 b` as the API shows them: where each runs, or that it moves. */
function shown(text: string): ResourceStatus[] {
  return text.split(" ").map((each) => {
    const [name, node = null] = each.split("@");
    const state = node === null ? "relocate" : "started";
    return { id: `exec:${name}`, state, wanted: "started", node, reason: "", detail: "" };
  });
}

for (
  const [what, properties, resources, expected] of [
    ["together, and they are", { affinity: "positive" }, "a@1 b@1 c@2", "done"],
    ["together, and they are not", { affinity: "positive" }, "a@1 b@2", "now"],
    ["apart, and they are", { affinity: "negative" }, "a@1 b@2 c@1", "done"],
    ["apart, and they are not", { affinity: "negative" }, "a@1 b@1", "now"],
    ["apart, and one moves", { affinity: "negative" }, "a@1 b", "now"],
    ["a mere leaning", { affinity: "negative", weight: "5" }, "a@1 b@1", "done"],
  ] as const
) {
  Deno.test(`keptBy(): ${what}`, () => {
    const rule = {
      ...{ id: "r", kind: "resource-affinity", holds: true, why: "" },
      properties: { resources: "exec:a, exec:b", ...properties },
    };
    assert.ok(expected in keptBy(rule, shown(resources)));
  });
}

Deno.test("keptBy() does not wait for what is off, or gone", () => {
  const off = { id: "r", kind: "node-affinity", holds: false, why: "it is disabled" };
  const properties = { resources: "exec:a", nodes: "2", strict: "1" };
  assert.ok("done" in keptBy({ ...off, properties }, shown("a@1")));
  assert.ok("now" in keptBy({ ...off, holds: true, properties }, shown("a@1")));
  assert.ok("done" in keptBy(undefined, []));
});
