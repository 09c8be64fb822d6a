/** Members, the leadership, and one node that goes on alone, through the API. */
import assert from "node:assert/strict";
import { createApp } from "../../mod/api/mod.ts";
import { FakeNode } from "./fake_node.ts";
import { refused } from "./refused.ts";

const TOKEN = "a-token-of-sixteen-and-more";

function setUp(token?: string) {
  const node = new FakeNode();
  const app = createApp(node, token === undefined ? {} : { token });
  const headers: Record<string, string> = token === undefined
    ? {}
    : { Authorization: `Bearer ${token}` };
  const send = (method: string, path: string, json?: unknown) => {
    const body = json === undefined ? {} : { body: JSON.stringify(json) };
    return Promise.resolve(app.request(path, { method, headers, ...body }));
  };
  return { node, send };
}

const FORCE = "/v1/config-force-single";

Deno.test("GET /v1/config-members names everybody, and who leads", async () => {
  const { send } = setUp();
  const response = await send("GET", "/v1/config-members");
  const body = await response.json();
  assert.equal(body.schema, "pentad.members/1");
  assert.equal(body.leader, "nodeA");
  assert.deepEqual(body.members[1], {
    ...{ name: "nodeB", id: 2, self: false, role: "voter", leader: false },
    ...{ state: "online", lag: 0, note: "" },
  });
});

Deno.test("members are promoted and removed by name; refusals come through", async () => {
  const { node, send } = setUp();
  assert.equal((await send("POST", "/v1/config-members/nodeC/promote", {})).status, 200);
  assert.equal((await send("DELETE", "/v1/config-members/nodeB")).status, 200);
  assert.deepEqual(node.calls, [{ promote: "nodeC" }, { remove: "nodeB" }]);
  const slow = await send("POST", "/v1/config-members/slow/promote", {});
  await refused(slow, "config.learner-behind", /7 entries behind/);
  const busy = await send("DELETE", "/v1/config-members/busy");
  await refused(busy, "config.member-in-use", /exec:web/);
});

Deno.test("POST /v1/config-leader hands over to the named one or to the best", async () => {
  const { node, send } = setUp();
  const best = await (await send("POST", "/v1/config-leader", {})).json();
  assert.deepEqual(best, { schema: "pentad.leader/1", leader: "nodeB" });
  await send("POST", "/v1/config-leader", { node: "nodeC" });
  assert.deepEqual(node.calls, [{ transfer: null }, { transfer: "nodeC" }]);
  const off = await send("POST", "/v1/config-leader", { node: "off" });
  await refused(off, "config.cannot-transfer", /does not answer/);
});

Deno.test("going on alone needs the word for word consent; without it nothing is asked to change", async () => {
  const { node, send } = setUp();
  node.document = { ...node.document, quorate: false };
  const look = await (await send("POST", FORCE, {})).json();
  assert.equal(look.done, false);
  assert.match(look.report.warnings[0], /lost for good/);
  await refused(await send("POST", FORCE, { accept_risk: "yes" }), "api.bad-request");
  await refused(await send("POST", FORCE, { accept_risk: true }), "api.bad-request");
  const done = await send("POST", FORCE, { accept_risk: "data-loss", reason: "both burnt" });
  assert.equal((await done.json()).done, true);
  assert.deepEqual(node.calls, [
    { force: { commit: false, author: "root", reason: "" } },
    { force: { commit: true, author: "root", reason: "both burnt" } },
  ]);
  node.document = { ...node.document, quorate: true };
  await refused(await send("POST", FORCE, { accept_risk: "data-loss" }), "config.force-refused");
});

Deno.test("going on alone is not for the network, token or not", async () => {
  const { node, send } = setUp(TOKEN);
  const response = await send("POST", FORCE, { accept_risk: "data-loss" });
  await refused(response, "api.socket-only");
  assert.deepEqual(node.calls, []);
});

Deno.test("a former member is vouched for through the same address as a member", async () => {
  const { node, send } = setUp();
  const address = (name: string) => `/v1/nodes/${name}/confirm-dead`;
  await refused(await send("POST", address("nodeA"), {}), "ha.not-dead", /this node/);
  await refused(await send("POST", address("2"), {}), "ha.not-dead", /"2" is online/);
  assert.equal((await send("POST", address("9"), {})).status, 202);
  assert.deepEqual(node.calls, [{ dead: "9" }]);
});
