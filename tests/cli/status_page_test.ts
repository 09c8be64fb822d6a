/** The page of `pentad status`, its warnings and its exit code: pure. */
import assert from "node:assert/strict";
import type { NodeStatus, StatusDocument } from "../../mod/node/view.ts";
import type { Io } from "../../mod/cli/mod.ts";
import { type Format, Printer } from "../../mod/cli/print.ts";
import { exitOf, localTime, printStatus } from "../../mod/cli/status_page.ts";
import { warningsOf } from "../../mod/cli/warnings.ts";
import { healthy } from "../api/healthy.ts";

interface Look {
  readonly format?: Format;
  readonly env?: Readonly<Record<string, string>>;
  readonly terminal?: boolean;
  readonly quiet?: boolean;
}

function page(status: StatusDocument, look: Look = {}): string {
  let out = "";
  const io: Io = {
    out: (data) => void (out += data),
    err: () => {},
    terminal: look.terminal ?? true,
    inputTerminal: true,
    columns: 100,
    env: (name) => (look.env ?? { NO_COLOR: "1" })[name],
    stdin: () => Promise.resolve(new Uint8Array()),
    readFile: () => Promise.resolve(new Uint8Array()),
    openToOthers: () => false,
    signal: new AbortController().signal,
  };
  printStatus(new Printer(io, look.format ?? null, look.quiet), status);
  return out;
}

function other(change: Partial<NodeStatus>): StatusDocument {
  const status = healthy();
  return {
    ...status,
    nodes: status.nodes.map((node) => node.self ? node : { ...node, ...change }),
  };
}

function codes(status: StatusDocument): string[] {
  return warningsOf(status).map(({ code }) => code);
}

Deno.test("printStatus() shows who, how many votes, which stream, what runs where", () => {
  const at = localTime("2026-11-22T09:04:00.000Z").slice(0, 8);
  const expected = [
    "prod-a   quorate 3 of 3 votes, needs 2   armed: softdog   config v412   leader nodeA   " +
    `dc nodeA   on nodeA, ${at}`,
    "",
    "NODE     STATE     ROLE   VOTE  LINKS  RTT     DISK PULSE  WATCHDOG  RESOURCES",
    "nodeA *  online ✓  voter  yes   self   –       1 s ago     armed     exec:web",
    "nodeB    online ✓  voter  yes   1/1    0.4 ms  1 s ago     armed     –",
    "",
    "STREAM     STATE  NOW",
    "heartbeat  ok ✓   view 88: nodeA nodeB",
    "storage    ok ✓   1/1 disks ready",
    "",
    "RESOURCE  STATE      NODE   WANTED   REASON",
    "exec:web  started ✓  nodeA  started  placed",
    "",
  ];
  assert.equal(page(healthy()), expected.join("\n"));
});

Deno.test("printStatus() loses nothing in a pipe: heads and words stay, symbols and colours go", () => {
  const plain = page(healthy(), { terminal: false, env: {} });
  assert.match(plain, /\nNODE\tSTATE\tROLE\t/);
  assert.match(plain, /\nnodeB\tonline\tvoter\tyes\t1\/1\t0\.4 ms\t/);
  // deno-lint-ignore no-control-regex -- escapes are what must not be there
  assert.doesNotMatch(plain, /[✓✗]|\x1b/);
  assert.doesNotMatch(page(healthy(), { format: "plain", quiet: true }), /NODE|STREAM/);
});

Deno.test("colours come on a terminal only, and NO_COLOR and TERM=dumb turn them off", () => {
  // deno-lint-ignore no-control-regex -- SGR
  const coloured = /\x1b\[32mquorate\x1b\[0m/;
  assert.match(page(healthy(), { env: {} }), coloured);
  assert.match(page(healthy(), { terminal: false, env: { CLICOLOR_FORCE: "1" } }), coloured);
  for (const env of [{ NO_COLOR: "1" }, { TERM: "dumb" }]) {
    assert.doesNotMatch(page(healthy(), { env }), coloured);
  }
  assert.doesNotMatch(page(healthy(), { terminal: false, env: {} }), coloured);
});

Deno.test("columns stand below one another whatever their colours", () => {
  const coloured = page(healthy(), { env: {} });
  // deno-lint-ignore no-control-regex -- SGR
  assert.equal(coloured.replace(/\x1b\[\d+m/g, ""), page(healthy()));
});

Deno.test("text from elsewhere cannot steer the terminal", () => {
  const status = healthy();
  const evil = "\x1b[2J\x07\u202e";
  const hostile: StatusDocument = {
    ...status,
    streams: [{ name: "ha", state: "failed", now: evil }],
    resources: [{
      id: "exec:x",
      state: "error",
      wanted: evil,
      node: "nodeA",
      reason: evil,
      detail: "",
    }],
    watchdog: evil,
  };
  // deno-lint-ignore no-control-regex -- escapes are what must not be there
  assert.doesNotMatch(page(hostile), /[\x1b\x07\u202e]/);
});

Deno.test("a host without a cluster says what to do, and is degraded", () => {
  const status: StatusDocument = {
    ...healthy(),
    cluster: null,
    quorate: false,
    nodes: [],
    streams: [],
    resources: [],
  };
  assert.match(
    page(status),
    /^no cluster .*on nodeA, .*\n\n! join\.not-a-member .*fix: pentad init/,
  );
  assert.equal(exitOf(status), 3);
});

Deno.test("a member whose node does not run is neither a stranger nor removed", () => {
  const silent = healthy();
  const node = { name: "nodeA", id: 0, boot: "" };
  const status: StatusDocument = { ...silent, node, quorate: false, nodes: [], resources: [] };
  assert.deepEqual(codes(status), ["node.starting"]);
  assert.doesNotMatch(page(status), /no cluster|leave|init/);
  assert.equal(exitOf(status), 4);
});

Deno.test("exitOf() is 0 exactly where there is nothing to warn of, and 4 without quorum", () => {
  const status = healthy();
  assert.equal(exitOf(status), 0);
  assert.deepEqual(codes(status), []);
  assert.equal(exitOf({ ...status, quorate: false }), 4);
  const degraded: [StatusDocument, string[]][] = [
    [{ ...status, armed: false, watchdog: "no watchdog" }, ["ha.disarmed"]],
    [{ ...status, guard: { state: "lapsed", margin_ms: 0 } }, ["ha.guard-lapsed"]],
    [{ ...status, config: { ...status.config, writable: false } }, ["config.no-leader"]],
    [other({ state: "down" }), ["heartbeat.silent"]],
    [other({ state: "isolated" }), ["heartbeat.isolated"]],
    [other({ state: "unknown" }), ["heartbeat.unknown"]],
    [other({ links: "1/2" }), ["heartbeat.link-down"]],
    [other({ armed: false }), ["ha.disarmed"]],
    [{ ...other({ state: "down" }), votes: { present: 2, expected: 3, needed: 2 } }, [
      "heartbeat.silent",
      "heartbeat.no-spare",
    ]],
    [{ ...status, streams: [{ name: "storage", state: "failed", now: "0/1 disks ready" }] }, [
      "storage.failed",
    ]],
    [{ ...status, streams: [{ name: "join", state: "degraded", now: "x" }] }, ["join.degraded"]],
  ];
  for (const state of ["error", "recovery", "fence"]) {
    const resources = [{
      id: "exec:x",
      state,
      wanted: "started",
      node: null,
      reason: "y",
      detail: "",
    }];
    degraded.push([{ ...status, resources }, [`ha.${state}`]]);
  }
  for (const [document, expected] of degraded) {
    assert.deepEqual(codes(document), expected);
    assert.equal(exitOf(document), 3);
    assert.match(page(document), new RegExp(`\n! ${expected[0]} .* fix: `));
  }
});

Deno.test("warningsOf() tells causes, not their consequences, worst first", () => {
  const status: StatusDocument = {
    ...other({ state: "down" }),
    quorate: false,
    armed: false,
    guard: { state: "lapsed", margin_ms: 0 },
    votes: { present: 1, expected: 2, needed: 2 },
    config: { ...healthy().config, writable: false },
    streams: [
      { name: "heartbeat", state: "failed", now: "online=1/2" },
      { name: "config", state: "failed", now: "no majority" },
    ],
  };
  assert.deepEqual(codes(status), ["config.no-quorum", "heartbeat.silent", "ha.disarmed"]);
});

Deno.test("localTime() shows what is no time as unknown", () => {
  assert.match(localTime("2026-11-22T09:04:05.006Z"), /^\d\d:\d\d:05\.006$/);
  assert.equal(localTime("never"), "??:??:??.???");
});

Deno.test("warningsOf() calls a former member by what confirm-dead knows it by", () => {
  const status = healthy();
  const [web] = status.resources;
  assert.ok(web);
  const fixes = (node: string) =>
    warningsOf({
      ...status,
      resources: [{ ...web, state: "fence", node }],
      ha: { mode: "arming", unguarded: [node] },
    }).map(({ fix }) => fix);
  const [arming, fence] = fixes("node 7");
  assert.match(arming ?? "", /confirm-dead 7$/);
  assert.match(fence ?? "", /confirm-dead 7$/, "nothing else ends that");
  const [member, its] = fixes("nodeB");
  assert.match(member ?? "", /confirm-dead nodeB$/);
  assert.match(its ?? "", /^it comes back by itself/);
});
