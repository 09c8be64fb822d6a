/** Changes as server-sent events: in order, once each, resumable, bounded. */
import assert from "node:assert/strict";
import { type ChangePage, createApp, type PathEvent } from "../../mod/api/mod.ts";
import { CONTENT_BYTES_MAX, PATHS_MAX, WATCHERS_MAX } from "../../mod/api/routes/watch.ts";
import { ProblemError } from "../../mod/base/problem.ts";
import { readEvents, type SseEvent } from "../../mod/cli/sse.ts";
import { FakeNode } from "./fake_node.ts";
import { refused } from "./refused.ts";

function file(path: string, text: string): PathEvent {
  const data = new TextEncoder().encode(text);
  return { path, kind: "file", size: data.length, data };
}

function setUp(limits: { keepAliveMs?: number; stallMs?: number } = {}) {
  const node = new FakeNode();
  const stopping = new AbortController();
  const options = { keepAliveMs: 60_000, stallMs: 60_000, ...limits };
  const app = createApp(node, { stopping: stopping.signal, ...options });
  const open = async (query = "", headers: HeadersInit = {}) => {
    const response = await app.request(`/v1/config-events?${query}`, { headers });
    assert.equal(response.headers.get("content-type"), "text/event-stream");
    return response.body as ReadableStream<Uint8Array>;
  };
  return { node, app, open, stopping };
}

async function next(events: AsyncGenerator<SseEvent>): Promise<SseEvent> {
  const { value, done } = await events.next();
  assert.ok(!done, "the stream goes on");
  return value;
}

/** The numbers of the transactions that come, until there are so many. */
async function txns(events: AsyncGenerator<SseEvent>, count: number): Promise<number[]> {
  const found: number[] = [];
  while (found.length < count) {
    const { event, id, data } = await next(events);
    if (event !== "message") continue;
    assert.equal(id, String(JSON.parse(data).txn_id), "the id is the transaction");
    found.push(Number(id));
  }
  return found;
}

Deno.test("GET /v1/config-events begins now, tells where that is, and goes on as it happens", async () => {
  const { node, open, stopping } = setUp();
  node.applies([file("before", "x")]);
  const events = readEvents(await open());
  const begin = await next(events);
  assert.deepEqual([begin.event, begin.id], ["begin", "11"]);
  assert.deepEqual(JSON.parse(begin.data), { after: 11, cluster: "ab".repeat(16) });
  const coming = next(events);
  node.applies([file("f", "one"), { path: "g", kind: "gone", size: null, data: null }]);
  const told = JSON.parse((await coming).data);
  assert.deepEqual(told, {
    ...{ txn: "0xc", txn_id: 12, time: 1, author: "root@nodeA", reason: "api PUT" },
    changes: [{ path: "f", kind: "file", size: 3 }, { path: "g", kind: "gone", size: null }],
  });
  const end = events.next();
  stopping.abort();
  assert.equal((await end).done, true);
  assert.equal(node.appliedListeners.size, 0);
});

Deno.test("GET /v1/config-events resumes after an id without gap or duplicate, over many pages", async () => {
  const { node, open } = setUp();
  node.pageSize = 2;
  for (let i = 0; i < 7; i++) node.applies([file(`f${i}`, "x")]);
  const all = readEvents(await open("after=0"));
  assert.deepEqual(await txns(all, 7), [11, 12, 13, 14, 15, 16, 17]);
  const coming = txns(all, 1);
  node.applies([file("later", "x")]);
  assert.deepEqual(await coming, [18]);
  await all.return(undefined);
  const again = readEvents(await open("", { "Last-Event-ID": "14" }));
  assert.deepEqual(await txns(again, 4), [15, 16, 17, 18]);
  await again.return(undefined);
  // One that was told more than this node has yet waits for what it does not know.
  const ahead = readEvents(await open("after=20"));
  const waiting = txns(ahead, 1);
  for (const index of [19, 20, 21]) node.applies([file("x", "x")], index);
  assert.deepEqual(await waiting, [21]);
  await ahead.return(undefined);
});

Deno.test("GET /v1/config-events tells only of the paths that were named, and what is below them", async () => {
  const { node, open } = setUp();
  const paths = ["a", "ab", "a/b", "c/d", "c", "a"];
  for (const path of paths) node.applies([file(path, "x"), file("z", "x")]);
  const found = async (query: string, count: number) => {
    const events = readEvents(await open(`after=0&${query}`));
    const told = await txns(events, count);
    await events.return(undefined);
    return told.map((txn) => txn - 11);
  };
  assert.deepEqual(await found("path=a", 3), [0, 2, 5]);
  assert.deepEqual(await found("path=c&path=ab", 3), [1, 3, 4]);
  assert.deepEqual(await found("path=", 6), [0, 1, 2, 3, 4, 5]);
});

Deno.test("GET /v1/config-events says that there is a gap, once, and what is complete", async () => {
  const { node, open } = setUp();
  node.lost = 15;
  node.pageSize = 1;
  for (const index of [12, 14, 16]) node.applies([file("f", "x")], index);
  const events = readEvents(await open("after=5"));
  assert.equal((await next(events)).event, "begin");
  const gap = await next(events);
  assert.deepEqual([gap.event, JSON.parse(gap.data)], ["gap", { after: 5, complete_after: 15 }]);
  assert.deepEqual(
    (await Array.fromAsync({ length: 3 }, () => next(events))).map(({ event, id }) => [event, id]),
    [["message", "12"], ["message", "14"], ["message", "16"]],
  );
  await events.return(undefined);
});

Deno.test("content comes only when asked for, within its bound", async () => {
  const { node, open } = setUp();
  const large = file("large", "x".repeat(CONTENT_BYTES_MAX));
  node.applies([file("f", "one"), large, { ...file("old", "x"), data: null }]);
  const events = readEvents(await open("after=0&content=true"));
  await next(events);
  const { changes } = JSON.parse((await next(events)).data);
  assert.deepEqual(changes.map(({ content }: { content: string | null }) => content), [
    btoa("one"),
    null,
    null,
  ]);
  assert.equal(changes[1].size, CONTENT_BYTES_MAX);
  await events.return(undefined);
});

Deno.test("a quiet watcher gets comments, and its place moves though nothing was told", async () => {
  const { node, open } = setUp({ keepAliveMs: 1 });
  const reader = (await open("path=other")).getReader();
  let text = "";
  const until = async (word: string) => {
    while (!text.includes(word)) text += new TextDecoder().decode((await reader.read()).value);
  };
  await until(": still here\n\n");
  node.applies([file("f", "x")]);
  await until("\n\nid: 11\n\n: still here\n\n");
  assert.doesNotMatch(text, /"f"/);
  await reader.cancel();
});

Deno.test("a watcher that takes nothing is cut off, and holds no place", async () => {
  const { node, app } = setUp({ stallMs: 1 });
  const left = Promise.withResolvers<void>();
  node.onForget = left.resolve;
  const response = await app.request("/v1/config-events");
  await left.promise;
  assert.equal(node.appliedListeners.size, 0);
  await assert.rejects(new Response(response.body).text(), /takes nothing/);
});

Deno.test("a node that cannot read its history any more ends the stream", async () => {
  const { node, open } = setUp();
  node.changesAfter = (): Promise<ChangePage> =>
    Promise.reject(new ProblemError("config.no-history", "the node stops"));
  assert.equal(await new Response(await open()).text(), "");
  assert.equal(node.appliedListeners.size, 0);
});

Deno.test("watchers, paths and ids are bounded and checked", async () => {
  const { node, app } = setUp();
  const ask = (query: string) => app.request(`/v1/config-events?${query}`);
  await refused(await ask("after=x"), "api.bad-request", /no transaction/);
  await refused(await ask("path=../x"), "config.bad-path");
  await refused(await ask("content=yes"), "api.bad-request");
  await refused(await ask("after=1&after=2"), "api.bad-request", /twice/);
  const many = Array.from({ length: PATHS_MAX + 1 }, (_, at) => `path=p${at}`).join("&");
  await refused(await ask(many), "api.bad-request");
  const open = await Promise.all(Array.from({ length: WATCHERS_MAX }, () => ask("")));
  await refused(await ask(""), "api.busy");
  await Promise.all(open.map(({ body }) => body?.cancel()));
  assert.equal(node.appliedListeners.size, 0);
  const again = await ask("");
  assert.equal(again.status, 200);
  await again.body?.cancel();
});
