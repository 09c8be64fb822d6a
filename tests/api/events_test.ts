/** Server-sent events: resume, gap, filter, end. */
import assert from "node:assert/strict";
import { createApp } from "../../mod/api/mod.ts";
import { STREAMS_MAX } from "../../mod/api/routes/events.ts";
import { readEvents, type SseEvent } from "../../mod/cli/sse.ts";
import { FakeNode } from "./fake_node.ts";
import { refused } from "./refused.ts";

const LIFE = "aaaa0001";

function setUp(keepAliveMs = 60_000) {
  const node = new FakeNode();
  const stopping = new AbortController();
  const app = createApp(node, { life: LIFE, stopping: stopping.signal, keepAliveMs });
  const all = async (query: string, headers: HeadersInit = {}): Promise<SseEvent[]> => {
    const response = await app.request(`/v1/events?follow=false&${query}`, { headers });
    assert.equal(response.headers.get("content-type"), "text/event-stream");
    return await Array.fromAsync(readEvents(response.body as ReadableStream<Uint8Array>));
  };
  return { node, app, all, stopping };
}

function texts(events: readonly SseEvent[]): string[] {
  return events.filter((event) => event.event === "message").map((event) =>
    JSON.parse(event.data).text
  );
}

Deno.test("GET /v1/events resumes after Last-Event-ID and after since", async () => {
  const { node, all } = setUp();
  for (const text of ["one", "two", "three"]) node.say(text);
  const first = await all("");
  assert.deepEqual(texts(first), ["one", "two", "three"]);
  assert.equal(first[1]?.id, `${LIFE}.2`);
  assert.deepEqual(texts(await all("", { "Last-Event-ID": `${LIFE}.2` })), ["three"]);
  assert.deepEqual(texts(await all("since=1")), ["two", "three"]);
  assert.deepEqual(texts(await all(`since=${LIFE}.3`)), []);
});

Deno.test("GET /v1/events says that there is a gap where lines are gone or the life is another", async () => {
  const { node, all } = setUp();
  node.dropped = 10;
  node.say("eleven");
  const lost = await all("since=5");
  assert.equal(lost[0]?.event, "gap");
  assert.deepEqual(JSON.parse(lost[0]?.data ?? ""), { after: 5, first: 11 });
  assert.deepEqual(texts(lost), ["eleven"]);
  const reborn = await all("", { "Last-Event-ID": "bbbb0002.11" });
  assert.equal(reborn[0]?.event, "gap");
  assert.deepEqual(texts(reborn), ["eleven"]);
  assert.ok((await all("since=10")).every((event) => event.event !== "gap"));
});

Deno.test("GET /v1/events folds routine lines and filters by stream", async () => {
  const { node, all } = setUp();
  node.say("beat", { routine: true });
  node.say("diff", { stream: "config" });
  assert.deepEqual(texts(await all("")), ["diff"]);
  assert.deepEqual(texts(await all("routine=true")), ["beat", "diff"]);
  assert.deepEqual(texts(await all("routine=true&stream=heartbeat")), ["beat"]);
});

Deno.test("GET /v1/events goes on as it happens, and ends when the server closes", async () => {
  const { node, app, stopping } = setUp();
  const response = await app.request("/v1/events");
  const events = readEvents(response.body as ReadableStream<Uint8Array>);
  node.say("now");
  assert.deepEqual(texts([(await events.next()).value as SseEvent]), ["now"]);
  const next = events.next();
  node.say("later");
  assert.deepEqual(texts([(await next).value as SseEvent]), ["later"]);
  const end = events.next();
  stopping.abort();
  assert.equal((await end).done, true);
  assert.equal(node.listeners, 0);
});

Deno.test("GET /v1/events comments while nothing happens", async () => {
  const { app } = setUp(1);
  const response = await app.request("/v1/events");
  const reader = (response.body as ReadableStream<Uint8Array>).getReader();
  let text = "";
  while (!text.includes("\n\n: ")) text += new TextDecoder().decode((await reader.read()).value);
  await reader.cancel();
});

Deno.test("GET /v1/events refuses more readers than it bears, and forgets those that left", async () => {
  const { node, app } = setUp();
  const open = await Promise.all(
    Array.from({ length: STREAMS_MAX }, () => app.request("/v1/events")),
  );
  const one = await app.request("/v1/events");
  assert.ok(one.headers.get("Retry-After"));
  await refused(one, "api.busy");
  await Promise.all(open.map((response) => response.body?.cancel()));
  assert.equal(node.listeners, 0);
  const again = await app.request("/v1/events");
  assert.equal(again.status, 200);
  await again.body?.cancel();
});

Deno.test("GET /v1/events refuses an id that is none", async () => {
  const { app } = setUp();
  for (
    const id of [
      "x",
      "1.2.3",
      "-1",
      "",
      "a.b",
      "0x1",
      "1e3",
      `${LIFE}.`,
      `${LIFE}.-1`,
      `${"9".repeat(20)}`,
    ]
  ) {
    const response = await app.request("/v1/events", { headers: { "Last-Event-ID": id } });
    await refused(response, "api.bad-request", /LIFE\.SEQ/);
  }
});
