import assert from "node:assert/strict";
import { bootId, clusterId, nodeId } from "../../mod/base/id.ts";
import type { ClusterSpec } from "../../mod/base/cluster.ts";
import { instant } from "../../mod/base/time.ts";
import { Board, HEARD_BY, NodeCore, SERVED_BY, statusOf } from "../../mod/node/mod.ts";
import { encodeEntry } from "../../mod/config/wire.ts";

const SPEC: ClusterSpec = {
  id: clusterId("0".repeat(32)),
  name: "one",
  profile: "fast",
  members: [{
    ...{ id: nodeId(1), name: "nodeA", role: "voter", votes: 1 },
    ...{ links: ["127.0.0.1:1"], peer: "127.0.0.1:2" },
  }],
  witness: null,
};
const TWO: ClusterSpec = {
  ...SPEC,
  members: [...SPEC.members, {
    ...{ id: nodeId(2), name: "nodeB", role: "voter", votes: 1 },
    ...{ links: ["127.0.0.2:1"], peer: "127.0.0.2:2" },
  }],
};

function node(entries: readonly { index: number; term: number; body: Uint8Array }[]): NodeCore {
  return new NodeCore({
    self: nodeId(1),
    boot: bootId("0123456789abcdef"),
    spec: SPEC,
    clusterKey: new Uint8Array(32),
    stored: {
      term: 1,
      vote: 1,
      diverged: false,
      recovery: null,
      sealed: null,
      base: { index: 0, term: 0, chain: 0 },
      spec: null,
      entries,
      applied: { index: 0, term: 0, stateCrc: 0 },
      rows: [],
      requests: [],
      locks: [],
    },
    disks: [],
    seed: 7,
    wallAtStart: 0,
  }, instant(1000));
}

function facts(effects: ReturnType<NodeCore["start"]>) {
  return effects.flatMap((each) =>
    each.stream === "node" && each.effect.kind === "fact" ? [each.effect.fact] : []
  );
}

Deno.test("the wiring names only streams, and nobody hears its own fact", () => {
  for (const [fact, hearers] of Object.entries(HEARD_BY)) {
    const teller = fact.split(".")[0];
    assert.ok(!hearers.some((stream) => stream === teller), `${fact} comes back to its teller`);
    assert.equal(new Set(hearers).size, hearers.length);
  }
  for (const servers of Object.values(SERVED_BY)) assert.ok(servers.length > 0);
});

Deno.test("NodeCore.start() counts votes by the newest description that its log holds", () => {
  const alone = facts(node([]).start(instant(1000)));
  assert.ok(alone.some((fact) => fact.fact === "heartbeat.view" && fact.view.quorate));
  const body = encodeEntry({ kind: "spec", spec: TWO, highest: nodeId(2) });
  const core = node([{ index: 1, term: 1, body }]);
  const told = facts(core.start(instant(1000)));
  const views = told.flatMap((fact) => fact.fact === "heartbeat.view" ? [fact.view] : []);
  assert.ok(views.every((view) => !view.quorate && view.expected === 2));
  assert.ok(!told.some((fact) => fact.fact === "heartbeat.proof"), "one of two proves nothing");
});

Deno.test("NodeCore.step() gives every effect the cause of its event, in order", () => {
  const core = node([]);
  const first = core.start(instant(1000));
  const later = core.step({ stream: "node", event: { kind: "tick" } }, instant(1500));
  const seqs = [...first, ...later].map(({ cause }) => cause.seq);
  assert.deepEqual(seqs, [...seqs].sort((a, b) => a - b));
  assert.ok(core.deadline() > instant(1500));
});

Deno.test("Board.note() forgets members that left", () => {
  const board = new Board();
  const health = {
    ...{ node: nodeId(2), state: "online", boot: null, vitals: null } as const,
    lastHeard: instant(0),
    vouched: instant(0),
  };
  const because = { code: "heartbeat.heard", args: {} } as const;
  board.note({ fact: "heartbeat.member", health, because });
  assert.equal(board.members.size, 1);
  board.note({ fact: "config.spec", spec: SPEC, index: 1 });
  assert.equal(board.members.size, 0);
});

Deno.test("statusOf() of a host that is no member says so and nothing else", () => {
  const status = statusOf(null, {
    name: "nodeA",
    at: "2026-01-01T00:00:00Z",
    mount: { path: null, state: "off", why: null },
  });
  assert.equal(status.schema, "pentad.status/1");
  assert.equal(status.cluster, null);
  assert.equal(status.quorate, false);
  assert.equal(status.watchdog, "no watchdog");
  assert.deepEqual(status.nodes, []);
});

Deno.test("statusOf() of a member whose node does not run says whose member it is", () => {
  const cluster = { name: "prod", id: "00".repeat(16), profile: "fast" };
  const mount = { path: null, state: "off", why: null } as const;
  const status = statusOf(null, { name: "nodeA", at: "2026-01-01T00:00:00Z", mount, cluster });
  assert.deepEqual(status.cluster, cluster);
  assert.deepEqual([status.quorate, status.armed, status.node?.boot], [false, false, ""]);
});
