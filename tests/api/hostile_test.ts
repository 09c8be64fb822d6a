/** The routes of the tree under bodies, paths, questions and headers that nobody meant for them. */
import assert from "node:assert/strict";
import fc from "fast-check";
import { createApp } from "../../mod/api/mod.ts";
import { PROBLEMS } from "../../mod/base/problem.ts";
import { FakeNode } from "./fake_node.ts";

const METHODS = ["GET", "PUT", "DELETE", "POST", "PATCH"];
const ROUTES = [
  ...["config", "config/f", "config/d", "config/none/x", "history", "history/0x1", "config:undo"],
  ...["backup", "members", "changes", "export", "diff"],
];
const TEXT = fc.oneof(
  fc.string(),
  fc.constantFrom("", "*", '"412"', "0", "-1", "1e9", "__proto__"),
);
const HEADERS = ["If-Match", "If-None-Match", "Idempotency-Key", "Content-Type", "Last-Event-ID"];
const KEYS = ["read", "type", "path", "limit", "below", "from", "to", "at", "follow", "x"];

/** As a client may send it: what fetch(3) itself refuses does not get here. */
const ask = fc.record({
  method: fc.constantFrom(...METHODS),
  route: fc.oneof(
    fc.constantFrom(...ROUTES),
    fc.webPath().map((path) => `config${path}`),
    fc.string().map((text) => `config/${encodeURIComponent(text.toWellFormed())}`),
  ),
  query: fc.array(fc.tuple(fc.constantFrom(...KEYS), TEXT), { maxLength: 3 }),
  headers: fc.array(fc.tuple(fc.constantFrom(...HEADERS), TEXT), { maxLength: 3 }),
  body: fc.oneof(
    fc.uint8Array({ maxLength: 300 }),
    fc.json().map((text) => new TextEncoder().encode(text)),
  ),
});

Deno.test("no request makes the API fail: each refusal is a problem that is known, and none is a bug", async () => {
  const node = new FakeNode();
  node.put("f", "content");
  const app = createApp(node, { life: "aaaa0001" });
  let refusals = 0;
  await fc.assert(
    fc.asyncProperty(ask, async ({ method, route, query, headers, body }) => {
      const url = `/v1/${route}?${new URLSearchParams(query)}`;
      const carries = method !== "GET" ? { body: body.slice() } : {};
      let request: Request;
      try {
        request = new Request(new URL(url, "http://x"), { method, headers, ...carries });
      } catch {
        return;
      }
      const response = await app.fetch(request);
      // What is followed does not end by itself.
      if (response.headers.get("content-type")?.startsWith("text/event-stream")) {
        return await response.body?.cancel();
      }
      const text = await response.text();
      if (response.status < 400) return;
      refusals++;
      const { code } = JSON.parse(text);
      assert.ok(Object.hasOwn(PROBLEMS, code), text);
      assert.notEqual(code, "bug", `${method} ${url}: ${text}`);
    }),
    { numRuns: 3000 },
  );
  assert.ok(refusals > 500, `${refusals}`);
});
