/** `config member …`, `config transfer` and `config force-single`, for people and with --json. */
import assert from "node:assert/strict";
import { cli as run, type Ran, withDaemon } from "./world.ts";

function done(ran: Ran): Ran {
  assert.equal(ran.code, 0, ran.err);
  return ran;
}

Deno.test("config member list shows who leads, and how far each is", async () => {
  await withDaemon(async ({ cli }) => {
    const { out } = done(await cli(["config", "member", "list"]));
    assert.equal(
      out,
      "NODE\tID\tROLE\tSTATE\tLAG\tNOTE\nnodeA* (this node)\t1\tvoter\tonline\t0\t\n" +
        "nodeB\t2\tvoter\tonline\t0\t\n",
    );
    const json = JSON.parse(done(await cli(["config", "member", "list", "--json"])).out);
    assert.equal(json.leader, "nodeA");
  });
});

Deno.test("config member add prints the ticket that the new machine needs, and says so", async () => {
  await withDaemon(async ({ node, cli }) => {
    const { out, err } = done(await cli(["config", "member", "add", "--minutes", "7"]));
    assert.equal(out, "pentad-ticket-abc\n");
    assert.match(err, /pentad join --ticket -/);
    assert.match(err, /comes as a learner, and votes as soon as it keeps up/);
    assert.deepEqual(node.calls, [{ ticket: 7 }]);
  });
});

Deno.test("config member promote and remove ask for a node by name, and tell why not", async () => {
  await withDaemon(async ({ node, cli }) => {
    done(await cli(["config", "member", "promote", "nodeC"]));
    const { err } = done(await cli(["config", "member", "remove", "nodeB"]));
    assert.match(err, /if it comes back: pentad leave/);
    assert.deepEqual(node.calls, [{ promote: "nodeC" }, { remove: "nodeB" }]);
    const slow = await cli(["config", "member", "promote", "slow"]);
    assert.equal(slow.code, 1);
    assert.match(slow.err, /config\.learner-behind/);
    const busy = await cli(["config", "member", "remove", "busy"]);
    assert.equal(busy.code, 7);
    assert.match(busy.err, /pentad node maintenance NODE/);
    const none = await cli(["config", "member", "remove", ".."]);
    assert.equal(none.code, 9);
  });
});

Deno.test("config transfer prints who leads then", async () => {
  await withDaemon(async ({ cli }) => {
    assert.equal(done(await cli(["config", "transfer"])).out, "nodeB\n");
    assert.equal(done(await cli(["config", "transfer", "nodeC"])).out, "nodeC\n");
    const off = await cli(["config", "transfer", "off"]);
    assert.equal(off.code, 1);
    assert.match(off.err, /config\.cannot-transfer/);
  });
});

Deno.test("config force-single says what it would cost, and is 7 until that is accepted word for word", async () => {
  await withDaemon(async ({ node, cli }) => {
    node.document = { ...node.document, quorate: false };
    const look = await cli(["config", "force-single"]);
    assert.equal(look.code, 7);
    assert.match(look.out, /^! what nodeB committed behind index 42 is lost for good\n$/);
    assert.match(look.err, /code +config\.needs-consent/);
    assert.match(look.err, /--accept-risk=data-loss/);
    const wrong = await cli(["config", "force-single", "--accept-risk=yes"]);
    assert.equal(wrong.code, 2);
    const json = await cli(["config", "force-single", "--json"]);
    assert.equal(JSON.parse(json.out).done, false);
    assert.equal(JSON.parse(json.err).code, "config.needs-consent");
    const args = ["config", "force-single", "--accept-risk=data-loss", "--reason", "burnt"];
    const { err } = done(await cli(args));
    assert.match(err, /it is the cluster now\nnext: pentad status, then pentad node confirm-dead/);
    assert.deepEqual(node.calls.at(-1), {
      force: { commit: true, author: "root", reason: "burnt" },
    });
    node.document = { ...node.document, quorate: true };
    const refused = await cli(args);
    assert.equal(refused.code, 7);
    assert.match(refused.err, /nodeA leads term 3, and is heard/);
  });
});

Deno.test("help shows the new nouns where people look for them", async () => {
  const { out } = done(await run(["config", "member", "--help"]));
  for (const verb of ["list", "add", "promote", "remove"]) assert.ok(out.includes(verb), verb);
  assert.match(done(await run(["config", "--help"])).out, /force-single/);
});
