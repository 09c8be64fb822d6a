/** The past through the API: pages, one transaction, diffs, undo, export, backup, restore. */
import assert from "node:assert/strict";
import { createApp } from "../../mod/api/mod.ts";
import { FakeNode, TEXT_DIFF } from "./fake_node.ts";
import { refused } from "./refused.ts";

function setUp() {
  const node = new FakeNode();
  const app = createApp(node, { life: "aaaa0001" });
  const send = (method: string, path: string, init: RequestInit = {}) =>
    Promise.resolve(app.request(path, { method, ...init }));
  return { node, send };
}

Deno.test("GET /v1/history pages with after, and names the next page in Link", async () => {
  const { node, send } = setUp();
  const first = await send("GET", "/v1/history?limit=1&path=ha");
  assert.equal(
    first.headers.get("Link"),
    '</v1/history?limit=1&after=0x7f3e&path=ha>; rel="next"',
  );
  const body = await first.json();
  assert.equal(body.schema, "pentad.history/1");
  assert.deepEqual([body.next, body.oldest, body.since], [0x7f3e, 7, 6]);
  assert.deepEqual(body.limits, { bytes: 268_435_456, seconds: 34_560_000, kept: 1000 });
  const last = await send("GET", "/v1/history?after=32574");
  assert.equal(last.headers.get("Link"), null);
  assert.deepEqual(node.calls.at(-1), { history: { limit: 100, path: null, after: 32574 } });
});

Deno.test("GET /v1/history/{txn} shows one transaction, by either form of its number", async () => {
  const { node, send } = setUp();
  const body = await (await send("GET", "/v1/history/0x7f3e")).json();
  assert.equal(body.schema, "pentad.transaction/1");
  assert.equal(body.files[0].diff, TEXT_DIFF.diff);
  await (await send("GET", "/v1/history/32574")).body?.cancel();
  assert.deepEqual(node.calls, [{ transaction: 0x7f3e }, { transaction: 32574 }]);
});

Deno.test("what is no transaction and no point is refused before anybody looks", async () => {
  const { node, send } = setUp();
  for (const txn of ["0", "x", "-1", "1e3", "0x", "0xg", "9".repeat(16), "1.5", "now", "%00"]) {
    await refused(await send("GET", `/v1/history/${txn}`), "api.bad-request", /no transaction/);
  }
  const points = ["yesterday", "2026-11-22", "2026-11-22T09:04:00", "2026-13-40T00:00:00Z", ""];
  for (const point of points) {
    const at = encodeURIComponent(point);
    const why = /no point: a transaction, a time/;
    await refused(await send("GET", `/v1/config-diff?from=${at}`), "api.bad-request", why);
    await refused(await send("GET", `/v1/config-export?at=${at}`), "api.bad-request", why);
  }
  await refused(await send("GET", "/v1/config-diff"), "api.bad-request", /"from"/);
  await refused(await send("GET", "/v1/config-diff?from=1&path=../x"), "config.bad-path");
  await refused(await send("GET", "/v1/history?after=x"), "api.bad-request");
  assert.deepEqual(node.calls, []);
});

Deno.test("GET /v1/config-diff takes transactions, times and now", async () => {
  const { node, send } = setUp();
  const body = await (await send("GET", "/v1/config-diff?from=0x7&path=web.conf")).json();
  assert.equal(body.schema, "pentad.diff/1");
  assert.equal(body.files[1].binary, true);
  const zone = encodeURIComponent("2026-11-22T10:04:00+01:00");
  await (await send("GET", `/v1/config-diff?from=${zone}&to=9`)).body?.cancel();
  assert.deepEqual(node.calls, [
    { diff: [{ at: "txn", index: 7 }, { at: "now" }, "web.conf"] },
    { diff: [{ at: "time", seconds: 1_795_338_240 }, { at: "txn", index: 9 }, null] },
  ]);
});

Deno.test("POST /v1/history/{txn}/undo says what it changed; a dry run changes nothing", async () => {
  const { node, send } = setUp();
  const headers = { "Idempotency-Key": "00000000000000aa", "Pentad-Reason": "a mistake" };
  const done = await (await send("POST", "/v1/history/0x7/undo", { headers })).json();
  assert.deepEqual([done.undone, done.txn_id, done.version], [7, "0xb", 11]);
  const dry = await (await send("POST", "/v1/history/0x7/undo?dry-run=true")).json();
  assert.deepEqual([dry.dry_run, dry.txn_id, dry.files.length], [true, null, 2]);
  const [first, second] = node.calls as { undo: Record<string, unknown> }[];
  assert.deepEqual(first?.undo, {
    ...{ txn: 7, dryRun: false, author: "root", reason: "a mistake" },
    request: "00000000000000aa",
  });
  assert.equal(second?.undo.reason, "undo of 0x7");
  assert.equal(second?.undo.dryRun, true);
});

Deno.test("GET /v1/config-export is JSON lines; HEAD asks for nothing", async () => {
  const { node, send } = setUp();
  node.exported = '{"end":true}\n';
  const answer = await send("GET", "/v1/config-export?at=0x7");
  assert.equal(answer.headers.get("content-type"), "application/jsonl");
  assert.equal(await answer.text(), node.exported);
  assert.equal((await send("HEAD", "/v1/config-export")).status, 200);
  assert.deepEqual(node.calls, [{ exportTree: { at: "txn", index: 7 } }]);
});

Deno.test("POST /v1/backups and /v1/restore take absolute paths of files only", async () => {
  const { node, send } = setUp();
  const post = (path: string, body: unknown) => send("POST", path, { body: JSON.stringify(body) });
  const made = await post("/v1/backups", { file: "/mnt/b.db" });
  assert.equal(made.status, 201);
  assert.equal((await made.json()).file, "/mnt/b.db");
  assert.equal((await (await post("/v1/backups", {})).json()).schema, "pentad.backup/1");
  for (const file of ["b.db", "", "/", "/mnt/", "/a\nb", 7, "/" + "x".repeat(5000)]) {
    await refused(await post("/v1/backups", { file }), "api.bad-request");
    await refused(await post("/v1/restore", { file }), "api.bad-request");
  }
  await refused(await post("/v1/restore", {}), "api.bad-request", /"file"/);
  await refused(await post("/v1/restore", { file: "/b.db" }), "config.not-alone", /nodeB/);
  const restored = await (await post("/v1/restore", { file: "/b.db", alone: true })).json();
  assert.deepEqual([restored.schema, restored.cluster], ["pentad.restore/1", "prod-a"]);
  assert.deepEqual(node.calls.slice(0, 2), [{ backup: "/mnt/b.db" }, { backup: null }]);
});
