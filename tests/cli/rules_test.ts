/** `pentad ha rules …` against a daemon. */
import assert from "node:assert/strict";
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
