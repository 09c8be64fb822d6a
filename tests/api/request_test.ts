/** Requests that are wrong in their form: method, media type, escapes, speed, number. */
import assert from "node:assert/strict";
import { accepts } from "../../mod/api/accept.ts";
import { CHANGES_MAX } from "../../mod/api/app.ts";
import { allRoutes, createApp } from "../../mod/api/mod.ts";
import { type ProblemCode, ProblemError, PROBLEMS } from "../../mod/base/problem.ts";
import { FakeNode } from "./fake_node.ts";
import { refused } from "./refused.ts";

function setUp(bodyMs = 60_000) {
  const node = new FakeNode();
  const app = createApp(node, { life: "aaaa0001", bodyMs });
  const send = (method: string, path: string, init: RequestInit = {}) =>
    Promise.resolve(app.request(path, { method, ...init }));
  return { node, app, send };
}

Deno.test("a wrong method is 405 with what is allowed, on every route", async () => {
  const { node, send } = setUp();
  const methods = new Map<string, Set<string>>();
  for (const { method, path } of allRoutes()) {
    const known = methods.get(path) ?? new Set();
    methods.set(path, known.add(method));
    if (method === "GET") known.add("HEAD");
  }
  for (const [path, known] of methods) {
    const address = path.replace(/\{\w+\}/g, "x");
    for (const method of ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]) {
      if (known.has(method)) continue;
      const response = await send(method, address);
      assert.equal(response.headers.get("Allow"), [...known].join(", "), `${method} ${address}`);
      await refused(response, "api.method-not-allowed", new RegExp(`^${method} `));
    }
  }
  assert.deepEqual(node.calls, []);
  assert.deepEqual(node.asks, []);
});

Deno.test("an address that no route has is 404 with any method", async () => {
  const { send } = setUp();
  for (const path of ["/", "/v1", "/v1/status/", "/v2/status", "/v1/nodes//maintenance", "//v1"]) {
    await refused(await send("GET", path), "api.no-such-route");
    await refused(await send("POST", path), "api.no-such-route");
  }
});

Deno.test("accepts() takes ranges, weights and several types as RFC 9110 has them", () => {
  const json = ["application/json"];
  for (
    const header of [
      ...[null, "", "*/*", "application/*", "application/json", "Application/JSON; charset=utf-8"],
      ...["text/html, application/json;q=0.1", "text/html,*/*;q=0.8", "application/json, */*;q=0"],
    ]
  ) assert.ok(accepts(header, json), `${header}`);
  for (
    const header of [
      ...["text/html", "text/*", "application/xml", "application/json;q=0", "*/*;q=0.0"],
      ...["application/json;q=0, */*", "json", ";;;", ",".repeat(10_000) + "application/json"],
    ]
  ) assert.ok(!accepts(header, json), header);
  assert.ok(accepts("application/json", ["application/octet-stream", "application/json"]));
});

Deno.test("an Accept that nothing fits is 406, and nothing is done", async () => {
  const { node, send } = setUp();
  node.put("f", "x");
  const headers = { Accept: "text/html" };
  for (
    const path of ["/v1/status", "/v1/config/f", "/v1/events?follow=false", "/v1/ha/resources"]
  ) {
    await refused(await send("GET", path, { headers }), "api.not-acceptable", /the answer is/);
  }
  await refused(await send("POST", "/v1/leave", { headers }), "api.not-acceptable");
  assert.deepEqual(node.calls, []);
  for (const type of ["application/json", "application/octet-stream"]) {
    const response = await send("GET", "/v1/config/f", { headers: { Accept: type } });
    assert.equal(await response.text(), "x");
  }
});

Deno.test("an escape in the query that is not UTF-8, or NUL in it, is refused, never replaced", async () => {
  const { node, send } = setUp();
  for (const query of ["path=%ff", "path=%", "path=a%E0%A4", "path=%ED%A0%80"]) {
    await refused(await send("GET", `/v1/history?${query}`), "api.bad-request", /UTF-8/);
  }
  await refused(await send("GET", "/v1/history?path=a%00b"), "config.bad-path", /control/);
  for (const path of ["%2Fetc", "..", "a%2F..", `${"x".repeat(300)}`]) {
    await refused(await send("GET", `/v1/history?path=${path}`), "config.bad-path");
  }
  assert.deepEqual(node.calls, []);
});

Deno.test("a body that stalls is refused, and its stream let go", async () => {
  const { node, send } = setUp(1);
  for (const [method, path] of [["PUT", "/v1/config/f"], ["POST", "/v1/init"]] as const) {
    const left = Promise.withResolvers<void>();
    const stalling = new ReadableStream<Uint8Array>({
      start: (controller) => controller.enqueue(new Uint8Array(1)),
      cancel: () => left.resolve(),
    });
    const headers = { "If-None-Match": "*" };
    await refused(await send(method, path, { body: stalling, headers }), "api.slow-request");
    await left.promise;
  }
  assert.equal(node.tree.size, 0);
  assert.deepEqual(node.calls, []);
});

Deno.test("a body that breaks off is refused", async () => {
  const { send } = setUp();
  const broken = new ReadableStream<Uint8Array>({
    pull: (controller) => controller.error(new Error("Connection reset")),
  });
  await refused(await send("POST", "/v1/init", { body: broken }), "api.bad-request", /too early/);
});

Deno.test("more changes at once than the bound are refused with Retry-After; reading goes on", async () => {
  const { node, send } = setUp();
  const gate = Promise.withResolvers<void>();
  node.leave = () => gate.promise;
  const open = Array.from({ length: CHANGES_MAX }, () => send("POST", "/v1/leave"));
  const one = await send("POST", "/v1/leave");
  assert.ok(one.headers.get("Retry-After"));
  await refused(one, "api.busy");
  assert.equal((await send("GET", "/v1/status")).status, 200);
  gate.resolve();
  for (const each of await Promise.all(open)) assert.equal(each.status, 200);
  assert.equal((await send("POST", "/v1/leave")).status, 200);
});

Deno.test("every code that a node can refuse with arrives as its own problem", async () => {
  const { node, send } = setUp();
  for (const code of Object.keys(PROBLEMS) as ProblemCode[]) {
    node.leave = () => Promise.reject(new ProblemError(code, "because"));
    await refused(await send("POST", "/v1/leave"), code, /^because$/);
    node.change = () => Promise.resolve({ ok: false, problem: { code, why: "because" } });
    const headers = { "If-None-Match": "*" };
    await refused(await send("PUT", "/v1/config/f", { body: "x", headers }), code, /^because$/);
  }
});

Deno.test("HEAD tells the problem in a header, for it has no body", async () => {
  const { send } = setUp();
  const response = await send("HEAD", "/v1/config/none");
  assert.equal(response.status, 404);
  assert.equal(response.headers.get("Pentad-Problem"), "config.not-found");
  assert.equal(await response.text(), "");
});

Deno.test("a reason that is long or holds a control character is refused", async () => {
  const { send } = setUp();
  for (const reason of ["x".repeat(201), "a\tb"]) {
    const headers = { "If-None-Match": "*", "Pentad-Reason": reason };
    await refused(await send("PUT", "/v1/config/f", { body: "", headers }), "api.bad-request");
  }
});
