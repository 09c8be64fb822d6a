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

Deno.test("node rename and node readdress say what changed and what is left to do, or why not", async () => {
  await withDaemon(async ({ node, cli }) => {
    const { err } = done(await cli(["node", "rename", "nodeB", "nodeX"]));
    assert.match(err, /^"nodeB" is "nodeX" now\nnext, on it: "name": "nodeX" in its settings/);
    const busy = await cli(["node", "rename", "busy", "nodeX"]);
    assert.equal(busy.code, 7);
    assert.ok(busy.err.includes("config.rename-refused"));
    assert.equal((await cli(["node", "rename", "nodeB", "no_label"])).code, 2);
    assert.equal((await cli(["node", "rename", "..", "nodeX"])).code, 9);

    const moved = done(await cli(["node", "readdress"]));
    const [was, is] = ["192.0.2.1", "192.0.2.9"].map((at) => `${at}:5405, peer ${at}:5406`);
    assert.equal(moved.out, `nodeA\t${was}\t${is}\n`);
    node.ownAddresses = { links: ["192.0.2.1:5405"], peer: "192.0.2.1:5406" };
    const same = done(await cli(["node", "readdress"]));
    assert.deepEqual([same.out, /already/.test(same.err)], ["", true]);
    const json = JSON.parse(done(await cli(["node", "readdress", "--json"])).out);
    assert.equal(json.schema, "pentad.readdress/1");
    const there = ["--link", "192.0.2.7:1", "--link", "192.0.2.8:1", "--peer", "192.0.2.7:2"];
    const online = await cli(["node", "readdress", "nodeB", ...there]);
    assert.equal(online.code, 7);
    assert.ok(online.err.includes(`code   ${"config.readdress-refused"}`));
    const risk = ["--accept-risk", "cut-off"];
    assert.match(
      done(await cli(["node", "readdress", "nodeB", ...there, ...risk])).out,
      /^nodeB\t.*\t192\.0\.2\.7:1 192\.0\.2\.8:1, peer 192\.0\.2\.7:2\n$/,
    );
    const bad = [["nodeB"], ["nodeB", "--link", "x", "--peer", "y"], [
      "nodeB",
      ...there,
      "--accept-risk",
      "x",
    ]];
    for (const words of bad) assert.equal((await cli(["node", "readdress", ...words])).code, 2);
    assert.deepEqual(node.calls.filter((each) => each !== "barrier"), [
      { rename: ["nodeB", "nodeX"] },
      ...["readdress", "readdress", "readdress"],
      ...[{ readdress: "nodeB", risk: false }, { readdress: "nodeB", risk: true }],
    ]);
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
