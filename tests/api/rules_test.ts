/** Rules through the API. */
import assert from "node:assert/strict";
import { createApp } from "../../mod/api/mod.ts";
import { FakeNode } from "./fake_node.ts";

function setUp() {
  const node = new FakeNode();
  const app = createApp(node);
  node.put("ha/resources.cfg", "exec: a\n\tcommand a\nexec: b\n\tcommand b\n");
  const send = async (method: string, path: string, json?: unknown, headers: HeadersInit = {}) => {
    const body = json === undefined ? {} : { body: JSON.stringify(json) };
    const response = await app.request(path, { method, headers, ...body });
    return { status: response.status, body: await response.json() };
  };
  return { node, send };
}

const RULES = "/v1/ha/rules";
const APART = {
  id: "apart",
  kind: "resource-affinity",
  resources: ["exec:a", "exec:b"],
  affinity: "negative",
};

Deno.test("POST, PATCH, GET and DELETE of a rule", async () => {
  const { node, send } = setUp();
  assert.equal((await send("POST", RULES, APART)).status, 201);
  const text = "resource-affinity: apart\n\tresources exec:a,exec:b\n\taffinity negative\n";
  assert.equal(node.text("ha/rules.cfg"), text);
  const weak = await send("PATCH", `${RULES}/apart`, {
    weight: 7,
    comment: "rather",
    disable: true,
  });
  assert.equal(weak.status, 200);
  const { body } = await send("GET", RULES);
  assert.deepEqual(body.rules, [{
    ...{ id: "apart", kind: "resource-affinity", holds: false, why: "it is disabled" },
    properties: {
      ...{ resources: "exec:a,exec:b", affinity: "negative", weight: "7" },
      ...{ disable: "1", comment: "rather" },
    },
  }]);
  await send("PATCH", `${RULES}/apart`, { weight: null, comment: null, disable: false });
  assert.equal(node.text("ha/rules.cfg"), text);
  assert.equal((await send("DELETE", `${RULES}/apart`)).status, 200);
  assert.equal(node.text("ha/rules.cfg"), "");
});

Deno.test("a rule is refused with its code, and a retry of what is done is done", async () => {
  const { node, send } = setUp();
  const code = async (...ask: Parameters<typeof send>) => (await send(...ask)).body.code;
  await send("POST", RULES, APART);
  assert.equal(await code("POST", RULES, APART), "ha.rule-exists");
  assert.equal(await code("DELETE", `${RULES}/none`), "ha.no-such-rule");
  assert.equal(
    await code("POST", RULES, { ...APART, id: "x", resources: ["exec:a"] }),
    "ha.bad-rule",
  );
  const near = { ...APART, id: "near", affinity: "positive" };
  const conflict = await send("POST", RULES, near);
  assert.equal(conflict.body.code, "ha.rule-conflict");
  assert.match(conflict.body.detail, /"near" and "apart"/);
  assert.equal(await code("POST", RULES, { ...APART, id: "a\nb" }), "api.bad-request");
  assert.equal(await code("POST", RULES, { ...near, comment: "a\nb" }), "api.bad-request");
  const again = { "Idempotency-Key": "00000000000000aa" };
  assert.equal((await send("POST", RULES, APART, again)).status, 201);
  const other = { ...APART, weight: 3 };
  assert.equal((await send("POST", RULES, other, again)).body.code, "ha.rule-exists");
  assert.equal((await send("DELETE", `${RULES}/none`, undefined, again)).status, 200);
  node.put("ha/rules.cfg", "what\n");
  assert.equal(await code("DELETE", `${RULES}/apart`), "ha.bad-file");
  assert.match((await send("GET", RULES)).body.faults[0].why, /neither a header/);
});

Deno.test("rules-preview answers with the file after a change, refuses like it, and writes nothing", async () => {
  const { node, send } = setUp();
  const { id, kind, ...properties } = APART;
  const preview = (edit: unknown) => send("POST", `${RULES}-preview`, edit);
  const added = await preview({ edit: "add", id, kind, properties });
  const text = "resource-affinity: apart\n\tresources exec:a,exec:b\n\taffinity negative\n";
  assert.deepEqual(added, { status: 200, body: { schema: "pentad.rules-text/1", text } });
  assert.equal(node.text("ha/rules.cfg"), "");
  await send("POST", RULES, APART);
  const code = async (edit: unknown) => (await preview(edit)).body.code;
  assert.equal(await code({ edit: "add", id, kind, properties }), "ha.rule-exists");
  assert.equal(await code({ edit: "remove", id: "none" }), "ha.no-such-rule");
  const near = {
    edit: "add",
    id: "near",
    kind,
    properties: { ...properties, affinity: "positive" },
  };
  assert.equal(await code(near), "ha.rule-conflict");
  assert.equal(await code({ edit: "erase", id }), "api.bad-request");
  assert.match(
    (await preview({ edit: "set", id, properties: { weight: 7 } })).body.text,
    /weight 7/,
  );
  assert.equal((await preview({ edit: "remove", id })).body.text, "");
  assert.equal(node.text("ha/rules.cfg"), text);
});
