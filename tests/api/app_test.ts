/** The API without a server. */
import assert from "node:assert/strict";
import { allRoutes, createApp } from "../../mod/api/mod.ts";
import { BODY_BYTES_MAX } from "../../mod/api/body.ts";
import { FakeNode } from "./fake_node.ts";
import { refused } from "./refused.ts";

function setUp() {
  const node = new FakeNode();
  const app = createApp(node, { life: "aaaa0001" });
  const send = (method: string, path: string, init: RequestInit = {}) =>
    Promise.resolve(app.request(path, { method, ...init }));
  return { node, app, send };
}

const CREATE = { "If-None-Match": "*" };

Deno.test("GET /v1/status answers the document, and every answer says who gave it", async () => {
  const { node, send } = setUp();
  for (const path of ["/v1/status", "/v1/nothing", "/v1/config/none", "/v1/events?follow=false"]) {
    const response = await send("GET", path);
    assert.equal(response.headers.get("Pentad-Node"), "nodeA");
    assert.equal(response.headers.get("Pentad-Quorate"), "true");
    assert.equal(response.headers.get("Pentad-Config-Version"), "412");
    await response.body?.cancel();
  }
  assert.deepEqual(await (await send("GET", "/v1/status")).json(), node.document);
});

Deno.test("/readyz refuses without membership, quorum or leader; /livez does not", async () => {
  const { node, send } = setUp();
  assert.equal((await send("GET", "/readyz")).status, 200);
  node.document.leader = null;
  await refused(await send("GET", "/readyz"), "config.no-quorum");
  node.document.quorate = false;
  await refused(await send("GET", "/readyz"), "config.no-quorum");
  node.document.cluster = null;
  await refused(await send("GET", "/readyz"), "join.not-a-member");
  assert.equal((await send("GET", "/livez")).status, 200);
});

Deno.test("PUT creates with If-None-Match, changes with If-Match, and answers the new ETag", async () => {
  const { node, send } = setUp();
  const made = await send("PUT", "/v1/config/a%20b.txt", { body: "one", headers: CREATE });
  assert.equal(made.status, 201);
  assert.equal(node.text("a b.txt"), "one");
  const etag = made.headers.get("ETag") ?? "";
  assert.equal(etag, `"${(await made.json()).version}"`);
  const read = await send("GET", "/v1/config/a%20b.txt");
  assert.equal(read.headers.get("ETag"), etag);
  assert.equal(await read.text(), "one");
  const fresh = await send("GET", "/v1/config/a%20b.txt", { headers: { "If-None-Match": etag } });
  assert.equal(fresh.status, 304);
  const headers = { "If-Match": etag };
  const changed = await send("PUT", "/v1/config/a%20b.txt", { body: "", headers });
  assert.equal(changed.status, 200);
  assert.equal(node.text("a b.txt"), "");
  await refused(
    await send("PUT", "/v1/config/a%20b.txt", { body: "x", headers }),
    "config.version-mismatch",
  );
  const next = { "If-Match": changed.headers.get("ETag") ?? "" };
  assert.equal((await send("DELETE", "/v1/config/a%20b.txt", { headers: next })).status, 200);
  assert.equal(node.tree.size, 0);
});

Deno.test("PUT does not write what the manager decided; DELETE removes it", async () => {
  const { node, send } = setUp();
  const path = "/v1/config/ha/manager_status";
  await refused(await send("PUT", path, { body: "{}", headers: CREATE }), "config.decided");
  node.put("ha/manager_status", "{}");
  const headers = { "If-Match": `"${node.index}"` };
  await refused(await send("PUT", path, { body: "{}", headers }), "config.decided");
  assert.equal(await (await send("GET", path)).text(), "{}");
  assert.equal((await send("DELETE", path, { headers })).status, 200);
});

Deno.test("PUT and DELETE refuse a wrong, missing, weak, listed or contradictory condition", async () => {
  const { node, send } = setUp();
  node.put("f", "x");
  const put = (headers: Record<string, string>) =>
    send("PUT", "/v1/config/f", { body: "y", headers });
  await refused(await put({}), "api.precondition-required", /version 11/);
  await refused(await put(CREATE), "config.version-mismatch");
  await refused(await put({ "If-Match": '"99"' }), "config.version-mismatch");
  await refused(await put({ "If-Match": 'W/"11"' }), "api.bad-request");
  await refused(await put({ "If-Match": '"11", "12"' }), "api.bad-request");
  await refused(await put({ "If-Match": "11" }), "api.bad-request");
  await refused(await put({ "If-Match": '"11"', ...CREATE }), "api.bad-request");
  await refused(await send("DELETE", "/v1/config/f"), "api.precondition-required");
  await refused(await send("DELETE", "/v1/config/g"), "config.not-found");
  await refused(await send("PUT", "/v1/config/g", { body: "" }), "api.precondition-required");
  await refused(await send("PUT", "/v1/config", { body: "", headers: CREATE }), "config.bad-path");
  assert.equal(node.text("f"), "x");
  assert.equal((await put({ "If-Match": "*" })).status, 200);
});

Deno.test("a retry with its Idempotency-Key gets the first answer, though the path exists by now", async () => {
  const { node, send } = setUp();
  const headers = { ...CREATE, "Idempotency-Key": "00000000000000aa" };
  const first = await (await send("PUT", "/v1/config/f", { body: "x", headers })).json();
  const again = await send("PUT", "/v1/config/f", { body: "x", headers });
  assert.equal(again.status, 201);
  assert.deepEqual(await again.json(), first);
  assert.equal(node.asks[1]?.request, "00000000000000aa");
  await refused(
    await send("PUT", "/v1/config/f", { body: "x", headers: { ...CREATE, "X-Request-Id": "zz" } }),
    "api.bad-request",
  );
});

Deno.test("directories are made with ?type=directory, listed as JSON and removed when empty", async () => {
  const { node, send } = setUp();
  assert.equal((await send("PUT", "/v1/config/d?type=directory")).status, 201);
  node.put("d/f", "12");
  const listing = await (await send("GET", "/v1/config/d")).json();
  assert.equal(listing.entries[0].path, "d/f");
  assert.equal(listing.entries[0].size, 2);
  const root = await (await send("GET", "/v1/config")).json();
  assert.deepEqual(root.entries.map((entry: { path: string }) => entry.path), ["d"]);
  await refused(
    await send("PUT", "/v1/config/d", { body: "x", headers: { "If-Match": "*" } }),
    "config.is-a-directory",
  );
  await send("DELETE", "/v1/config/d", { headers: { "If-Match": "*" } });
  assert.equal(node.asks.at(-1)?.operations[0]?.op, "rmdir");
});

Deno.test("without quorum reading works, writing and ?read=quorum get the no-quorum problem", async () => {
  const { node, send } = setUp();
  node.put("f", "x");
  node.document.quorate = false;
  assert.equal(await (await send("GET", "/v1/config/f")).text(), "x");
  await refused(await send("GET", "/v1/config/f?read=quorum"), "config.no-quorum");
  const headers = { "If-Match": "*" };
  await refused(await send("PUT", "/v1/config/f", { body: "y", headers }), "config.no-quorum");
});

Deno.test("path escapes, control characters and oversized names are refused", async () => {
  const { app, node, send } = setUp();
  node.put("secret", "x");
  const hostile = [
    ...["/v1/config/a%2Fb", "/v1/config/..%2Fsecret", "/v1/config/%00", "/v1/config/a%0Ab"],
    ...["/v1/config/%E0%A4", "/v1/config/%", "/v1/config//secret", "/v1/config/secret/"],
    ...[`/v1/config/${"x".repeat(256)}`, `/v1/config/${"x/".repeat(2048)}x`, "/v1/config/%C2%85"],
  ];
  for (const path of hostile) await refused(await send("GET", path), "config.bad-path");
  // What a client that does not normalize sends: only seen raw.
  for (const raw of ["../secret", "%2e%2e/secret", ".%2E/x", "a/../secret", "./secret", "."]) {
    const request = new Proxy(new Request("http://x/"), {
      get(target, key) {
        if (key === "url") return `http+unix://x/v1/config/${raw}`;
        const value = Reflect.get(target, key, target);
        return typeof value === "function" ? value.bind(target) : value;
      },
    });
    await refused(await app.fetch(request), "config.bad-path");
  }
  await refused(await send("GET", "/v1/history?path=a/../b"), "config.bad-path");
});

Deno.test("a body of 10 MB is refused while it comes in, with or without its length told", async () => {
  const { send } = setUp();
  const large = new Uint8Array(10_000_000);
  await refused(
    await send("PUT", "/v1/config/f", { body: large, headers: CREATE }),
    "api.too-large",
  );
  let pulled = 0;
  const endless = new ReadableStream<Uint8Array>({
    pull(controller) {
      pulled += 65536;
      controller.enqueue(new Uint8Array(65536));
    },
  });
  await refused(
    await send("PUT", "/v1/config/f", { body: endless, headers: CREATE }),
    "api.too-large",
  );
  assert.ok(pulled < BODY_BYTES_MAX + 4 * 65536, `${pulled} bytes were taken`);
  await refused(await send("POST", "/v1/init", { body: large }), "api.too-large");
  const most = new Uint8Array(1024 * 1024);
  assert.equal((await send("PUT", "/v1/config/f", { body: most, headers: CREATE })).status, 201);
});

Deno.test("malformed bodies, unknown fields and wrong types are refused, and a near name is offered", async () => {
  const { node, send } = setUp();
  const init = (body: BodyInit) => send("POST", "/v1/init", { body });
  await refused(await init("{"), "api.bad-request", /not JSON/);
  await refused(await init(new Uint8Array([0xff, 0xfe])), "api.bad-request", /UTF-8/);
  await refused(await init('{"name":"x","profil":"fast"}'), "api.bad-request", /"profile"/);
  await refused(await init('{"name":"x","__proto__":{}}'), "api.bad-request", /__proto__/);
  await refused(await init('{"name":7}'), "api.bad-request", /"name"/);
  await refused(await init('{"name":"a b"}'), "api.bad-request");
  await refused(await init('{"name":"x","disk":"relative"}'), "api.bad-request");
  await refused(await init("[]"), "api.bad-request");
  await refused(await init("null"), "api.bad-request");
  await refused(await init("[".repeat(100_000)), "api.bad-request");
  await refused(await send("POST", "/v1/leave", { body: '{"force":true}' }), "api.bad-request");
  await refused(await send("GET", "/v1/status?verbos=1"), "api.bad-request", /verbos/);
  await refused(await send("GET", "/v1/history?limit=1&limit=2"), "api.bad-request", /twice/);
  await refused(await send("GET", "/v1/history?limit=-1"), "api.bad-request");
  await refused(await send("GET", "/v1/history?limit=99999"), "api.bad-request");
  await refused(await send("GET", "/v1/config?read=maybe"), "api.bad-request");
  assert.deepEqual(node.calls, []);
  assert.equal((await init('{"name":"prod"}')).status, 200);
  assert.deepEqual(node.calls, [{
    init: { name: "prod", profile: "standard", disk: null, with: [] },
  }]);
});

Deno.test("a TCP app demands the token, and tells a stranger nothing", async () => {
  const node = new FakeNode();
  const app = createApp(node, { token: "0123456789abcdef" });
  const ask = (authorization?: string) =>
    app.request("/v1/status", authorization ? { headers: { authorization } } : {});
  for (
    const wrong of [undefined, "Bearer x", "Basic 0123456789abcdef", "Bearer 0123456789abcdeF"]
  ) {
    const response = await ask(wrong);
    assert.equal(response.headers.get("Pentad-Node"), null);
    assert.ok(response.headers.get("WWW-Authenticate"));
    await refused(response, "api.unauthorized");
  }
  assert.equal((await ask("Bearer 0123456789abcdef")).status, 200);
  assert.equal((await app.request("/v1/nothing")).status, 401);
});

Deno.test("an exception in the node is the problem bug, without a stack", async () => {
  const { node, send } = setUp();
  node.timing = () => {
    throw new TypeError("Broken");
  };
  const response = await send("GET", "/v1/heartbeat/timing");
  await refused(response, "bug", /^TypeError: Broken$/);
});

Deno.test("GET /v1/openapi.json describes every route that the app has, and no other", async () => {
  const { app, send } = setUp();
  const document = await (await send("GET", "/v1/openapi.json")).json();
  assert.equal(document.openapi, "3.1.0");
  const described = Object.entries(document.paths).flatMap(([path, methods]) =>
    Object.keys(methods as object).map((method) =>
      `${method.toUpperCase()} ${path.replace("/{path}", "/*").replace(/\{(\w+)\}/g, ":$1")}`
    )
  );
  const served = app.routes.filter(({ method }) => method !== "ALL")
    .map(({ method, path }) => `${method} ${path}`);
  assert.deepEqual(described.sort(), served.sort());
  assert.equal(allRoutes().length, served.length);
  const body = document.paths["/v1/init"].post.requestBody.content["application/json"].schema;
  assert.deepEqual(body.required, ["name"]);
  assert.equal(body.additionalProperties, false);
  assert.ok(document.paths["/v1/init"].post.responses["409"]);
});
