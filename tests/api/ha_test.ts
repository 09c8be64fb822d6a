/** HA resources and orders through the API. */
import assert from "node:assert/strict";
import { createApp } from "../../mod/api/mod.ts";
import { UPDATE_TRIES_MAX } from "../../mod/api/transact.ts";
import { FakeNode } from "./fake_node.ts";

function setUp() {
  const node = new FakeNode();
  const app = createApp(node);
  const send = async (method: string, path: string, json?: unknown, headers: HeadersInit = {}) => {
    const body = json === undefined ? {} : { body: JSON.stringify(json) };
    const response = await app.request(path, { method, headers, ...body });
    return { status: response.status, body: await response.json() };
  };
  return { node, send };
}

const WEB = { id: "exec:web", command: "/usr/bin/env sleep 1" };
const FILE = "ha/resources.cfg";

Deno.test("POST, PATCH and DELETE of a resource change its section and leave the others", async () => {
  const { node, send } = setUp();
  assert.equal((await send("POST", "/v1/ha/resources", WEB)).status, 201);
  assert.equal(
    node.text(FILE),
    "exec: web\n\tstate started\n\tcommand /usr/bin/env sleep 1\n",
  );
  await send("POST", "/v1/ha/resources", { id: "exec:db", command: "db", max_restart: 3 });
  const changed = await send("PATCH", "/v1/ha/resources/exec%3Aweb", { state: "stopped" });
  assert.equal(changed.body.wanted, "stopped");
  await send("PATCH", "/v1/ha/resources/exec:db", { max_restart: null });
  assert.equal(
    node.text(FILE),
    "exec: web\n\tstate stopped\n\tcommand /usr/bin/env sleep 1\n\n" +
      "exec: db\n\tstate started\n\tcommand db\n",
  );
  assert.equal((await send("DELETE", "/v1/ha/resources/exec:web")).status, 200);
  const { body } = await send("GET", "/v1/ha/resources");
  assert.deepEqual(body.resources.map((each: { id: string }) => each.id), ["exec:db"]);
});

Deno.test("a resource that is there, unknown, foreign, or could break out of its line is refused", async () => {
  const { node, send } = setUp();
  await send("POST", "/v1/ha/resources", WEB);
  const code = async (...ask: Parameters<typeof send>) => (await send(...ask)).body.code;
  assert.equal(await code("POST", "/v1/ha/resources", WEB), "ha.exists");
  assert.equal(await code("GET", "/v1/ha/resources/exec:none"), "ha.no-such-resource");
  assert.equal(await code("DELETE", "/v1/ha/resources/..%2F..%2Fx"), "ha.no-such-resource");
  assert.equal(await code("POST", "/v1/ha/resources", { id: "vm:1" }), "ha.bad-resource");
  assert.equal(await code("POST", "/v1/ha/resources", { id: "exec:x" }), "ha.bad-resource");
  const evil = { id: "exec:x", command: "a\n\nexec: y\n\tcommand b" };
  assert.equal(await code("POST", "/v1/ha/resources", evil), "api.bad-request");
  const early = { id: "exec:x", command: "a", comment: "a\u2028b\u0085" };
  assert.equal(await code("POST", "/v1/ha/resources", early), "api.bad-request");
  node.put(FILE, "exec: web\nwhat\n");
  assert.equal(await code("GET", "/v1/ha/resources"), "ha.bad-file");
});

Deno.test("a change that another client overtakes is made again on the new content, within bounds", async () => {
  const { node, send } = setUp();
  node.put(FILE, "");
  let rivals = 2;
  node.meddle = () => {
    if (rivals-- > 0) node.put(FILE, `exec: rival${rivals}\n\tcommand x\n`);
  };
  assert.equal((await send("POST", "/v1/ha/resources", WEB)).status, 201);
  assert.match(node.text(FILE), /rival0[^]*exec: web/);
  assert.equal(new Set(node.asks.map((ask) => ask.request)).size, 3, "each try has its own id");
  node.asks.length = 0;
  node.meddle = () => node.put(FILE, "");
  const lost = await send("POST", "/v1/ha/resources", { ...WEB, id: "exec:b" });
  assert.equal(lost.body.code, "api.busy");
  assert.equal(node.asks.length, UPDATE_TRIES_MAX);
});

Deno.test("the retry of an addition whose answer was lost is done, not refused", async () => {
  const { node, send } = setUp();
  const key = { "Idempotency-Key": "00000000000000bb" };
  await send("POST", "/v1/ha/resources", WEB, key);
  const version = node.entry(FILE)?.version;
  assert.equal((await send("POST", "/v1/ha/resources", WEB, key)).status, 201);
  assert.equal(node.entry(FILE)?.version, version);
  const other = { ...WEB, command: "other" };
  assert.equal((await send("POST", "/v1/ha/resources", other, key)).body.code, "ha.exists");
});

Deno.test("migrate and maintenance append one order each; unfit targets are refused", async () => {
  const { node, send } = setUp();
  await send("POST", "/v1/ha/resources", WEB);
  const move = (id: string, to: string) =>
    send("POST", `/v1/ha/resources/${id}/migrate`, { node: to });
  assert.equal((await move("exec:web", "nodeB")).status, 202);
  assert.equal((await send("POST", "/v1/nodes/nodeB/maintenance", { on: true })).status, 202);
  assert.equal((await send("POST", "/v1/nodes/nodeB/maintenance", { on: false })).status, 202);
  assert.equal(
    node.text("ha/crm_commands"),
    "migrate exec:web nodeB\nmaintenance nodeB on\nmaintenance nodeB off\n",
  );
  assert.equal((await move("exec:none", "nodeB")).body.code, "ha.no-such-resource");
  assert.equal((await move("exec:web", "nodeZ")).body.code, "ha.no-such-node");
  node.document = {
    ...node.document,
    nodes: node.document.nodes.map((each) => each.self ? each : { ...each, state: "down" }),
  };
  assert.equal((await move("exec:web", "nodeB")).body.code, "ha.node-unfit");
  assert.equal((await send("POST", "/v1/nodes/nodeA/confirm-dead", {})).body.code, "ha.not-dead");
  assert.equal((await send("POST", "/v1/nodes/nodeB/confirm-dead", {})).status, 202);
  assert.deepEqual(node.calls.at(-1), { dead: "nodeB" });
});

Deno.test("a resource is refused as the manager would refuse it, with the kinds that there are", async () => {
  const { node, send } = setUp();
  const post = async (json: unknown) => (await send("POST", "/v1/ha/resources", json)).body;
  const why = async (json: unknown) => {
    const { code, detail } = await post(json);
    assert.equal(code, "ha.bad-resource");
    return detail as string;
  };
  assert.match(
    await why({ id: "lxc:1" }),
    /"lxc" is not known here; known are exec, ip, ocf, systemd, vm/,
  );
  assert.match(await why({ id: "ip:web" }), /"web" is no IPv4 or IPv6 address/);
  assert.match(await why({ id: "ip:10.0.0.5", cidr: 64 }), /no prefix length from 1 to 32/);
  assert.match(await why({ id: "ocf:x", agent: "Dummy" }), /is not PROVIDER:TYPE/);
  assert.match(await why({ id: "ocf:x", agent: "a:b", params: "x" }), /is not NAME=VALUE/);
  assert.match(
    await why({ id: "exec:x", command: "a", address: "10.0.0.5" }),
    /"address" belongs to the kind ip/,
  );
  assert.equal(node.text(FILE), "");
  assert.equal((await send("POST", "/v1/ha/resources", { id: "ip:10.0.0.5" })).status, 201);
  const moved = await send("PATCH", "/v1/ha/resources/ip:10.0.0.5", { address: "10.0.0.300" });
  assert.equal(moved.body.code, "ha.bad-resource");
  assert.equal(node.text(FILE), "ip: 10.0.0.5\n\tstate started\n");
});

Deno.test("what a resource printed is told by the node that is asked", async () => {
  const { send } = setUp();
  await send("POST", "/v1/ha/resources", WEB);
  const { body } = await send("GET", "/v1/ha/resources/exec:web/output");
  assert.deepEqual(body, {
    ...{ schema: "pentad.output/1", id: "exec:web", node: "nodeA", output: "hello\n" },
  });
  assert.equal(
    (await send("GET", "/v1/ha/resources/exec:none/output")).body.code,
    "ha.no-such-resource",
  );
});

Deno.test("more resources than the manager can decide about are refused, with the number", async () => {
  const { node, send } = setUp();
  const names = Array.from({ length: 10_000 }, (_, at) => `exec: r${at}\n\tcommand x\n`);
  node.put(FILE, names.join("\n"));
  const { body } = await send("POST", "/v1/ha/resources", WEB);
  assert.equal(body.code, "ha.too-many");
  assert.match(body.detail as string, /there are 10000; nothing of it holds: more than 10000/);
  assert.equal(node.text(FILE), names.join("\n"));
});
