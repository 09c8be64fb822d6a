/** Live migration as the manager decides it and the agents do it: whose word it takes, and for what. */
import assert from "node:assert/strict";
import fc from "fast-check";
import { nodeId, resourceId } from "../../mod/base/id.ts";
import { migrationIn } from "../../mod/ha/agents/qemu_migration.ts";
import { decodeNews, encodeNews, type MigrationNews } from "../../mod/ha/migration_wire.ts";
import { plan } from "../../mod/ha/plan.ts";
import type { HaEffect } from "../../mod/ha/mod.ts";
import type { ServiceEntry } from "../../mod/ha/status.ts";
import { decodeReport } from "../../mod/ha/wire.ts";
import { Desk, type DeskNode, TIMING } from "./desk.ts";
import { BOOT, type Scene, sceneOf } from "./scene.ts";

const VM = resourceId("vm:100");
const LIVE = 5;
const [B, C] = [nodeId(2), nodeId(3)];

function news(more: Partial<MigrationNews> = {}): MigrationNews {
  return { version: 2, boot: BOOT, machines: [], arrivals: [], handed: [], refused: [], ...more };
}

/** What becomes of a machine that is at nodeB, whose folder has it: state, node, target, number. */
function decided(scene: Scene, entry: Partial<ServiceEntry>): string {
  const situation = sceneOf({
    ...{ resources: "vm: 100\n", machines: { 100: "nodeB" } },
    ...{ services: { "vm:100": { state: "started", node: B, ...entry } }, ...scene },
  });
  const next = plan(situation).status.services.get(VM);
  const target = next?.target ? `>${next.target}` : "";
  return `${next?.state}@${next?.node}${target}${next?.live === undefined ? "" : ` #${next.live}`}`;
}

const RUNS = { reports: { 2: { "vm:100": "running" } } } as const;
const GONE = { reports: { 2: {} } } as const;
const TO_C = { commands: [{ order: "migrate", id: VM, node: C }] } as const;
const IS_MACHINE = { 2: news({ machines: [{ id: VM, stayed: false }] }) };
const STAYED = { 2: news({ machines: [{ id: VM, stayed: true }] }) };
const HANDED = news({ handed: [{ id: VM, live: LIVE }] });
const HAS = news({ arrivals: [{ id: VM, live: LIVE, port: 7, build: 1 }] });
const MOVES = { state: "relocate", target: C, live: LIVE } as const;
const IN_MAINTENANCE = { nodes: { 2: { maintenance: true } } } as const;

const IGNORED = { resources: "vm: 100\n\tstate ignored\n" } as const;
const PREFERS_C = {
  rules: "node-affinity: c\n\tresources vm:100\n\tnodes nodeC:1,nodeB\n",
} as const;

const TABLE: readonly (readonly [string, Scene, Partial<ServiceEntry>, string])[] = [
  ["an order", { ...RUNS, ...TO_C, news: IS_MACHINE }, {}, "relocate@2>3 #7"],
  ["an order again, after it could not", { ...RUNS, ...TO_C, news: STAYED }, {}, "relocate@2>3 #7"],
  ["an order, of a node that cannot", { ...RUNS, ...TO_C }, {}, "relocate@2>3"],
  [
    "an order to do it by a stop and a start",
    {
      ...{ ...RUNS, news: IS_MACHINE },
      commands: [{ order: "migrate", id: VM, node: C, cold: true }],
    },
    {},
    "relocate@2>3",
  ],
  ["an order, while it does not run well", { ...TO_C, news: IS_MACHINE }, {}, "relocate@2>3"],
  ["maintenance", { ...RUNS, ...IN_MAINTENANCE, news: IS_MACHINE }, {}, "relocate@2>1 #7"],
  [
    "maintenance, after it could not",
    {
      ...{ ...RUNS, ...IN_MAINTENANCE, news: STAYED },
    },
    {},
    "relocate@2>1",
  ],
  ["under way", { ...RUNS, news: IS_MACHINE }, MOVES, "relocate@2>3 #5"],
  ["under way, and nobody says anything", RUNS, MOVES, "relocate@2>3 #5"],
  ["handed over, and received", { ...GONE, news: { 2: HANDED, 3: HAS } }, MOVES, "started@3 #5"],
  [
    "handed over, its source known to run it still",
    {
      ...{ ...RUNS, news: { 2: HANDED, 3: HAS } },
    },
    MOVES,
    "relocate@2>3 #5",
  ],
  [
    "handed over, by an older decision",
    {
      ...{ ...GONE, behind: [2], news: { 2: HANDED, 3: HAS } },
    },
    MOVES,
    "relocate@2>3 #5",
  ],
  [
    "gone, and nobody says that it was handed over",
    { ...GONE, news: { 3: HAS } },
    MOVES,
    "started@3",
  ],
  [
    "gone, and handed over at another time",
    {
      ...{ ...GONE, news: { 2: news({ handed: [{ id: VM, live: 4 }] }), 3: HAS } },
    },
    MOVES,
    "started@3",
  ],
  ["handed over, and its target begins anew", { ...GONE, news: { 2: HANDED } }, MOVES, "started@3"],
  [
    "handed over, and its target is down",
    {
      ...{ ...GONE, health: { 3: "down" }, news: { 2: HANDED, 3: HAS } },
    },
    MOVES,
    "started@1",
  ],
  [
    "handed over, and its definition lies elsewhere by now",
    {
      ...{ ...GONE, machines: { 100: "nodeA" }, news: { 2: HANDED, 3: HAS } },
    },
    MOVES,
    "started@1",
  ],
  [
    "refused by its source",
    {
      ...{ ...RUNS, news: { 2: news({ refused: [{ id: VM, live: LIVE, why: "no" }] }) } },
    },
    MOVES,
    "started@2",
  ],
  [
    "refused by its target",
    {
      ...{ ...RUNS, news: { 3: news({ refused: [{ id: VM, live: LIVE, why: "no" }] }) } },
    },
    MOVES,
    "started@2",
  ],
  ["its target goes down", { ...RUNS, health: { 3: "down" } }, MOVES, "started@2"],
  ["its source goes down", { health: { 2: "down" }, news: { 3: HAS } }, MOVES, "fence@2"],
  [
    "not wanted any more",
    { ...RUNS, resources: "vm: 100\n\tstate stopped\n" },
    MOVES,
    "request_stop@2",
  ],
  [
    "under way, and its target is to take nothing more",
    {
      ...{ ...RUNS, nodes: { 3: { maintenance: true } } },
    },
    MOVES,
    "started@2",
  ],
  [
    "handed over, and its target is to take nothing more",
    {
      ...{ ...GONE, nodes: { 3: { maintenance: true } }, news: { 2: HANDED, 3: HAS } },
    },
    MOVES,
    "started@3 #5",
  ],
  [
    "handed over, and its target stops",
    {
      ...{ ...GONE, nodes: { 3: { shutdown: { how: "freeze", boot: BOOT } } } },
      news: { 2: HANDED, 3: HAS },
    },
    MOVES,
    "started@1",
  ],
  ["it does not run yet at a target that takes nothing more", IN_MAINTENANCE, {
    live: LIVE,
  }, "started@2 #5"],
  [
    "ignored, handed over",
    {
      ...{ ...GONE, ...IGNORED, news: { 2: HANDED, 3: HAS } },
    },
    MOVES,
    "started@3 #5",
  ],
  [
    "ignored, and refused",
    {
      ...{ ...RUNS, ...IGNORED },
      news: { 2: news({ refused: [{ id: VM, live: LIVE, why: "no" }] }) },
    },
    MOVES,
    "started@2",
  ],
  ["ignored, and it runs at its target", { ...RUNS, ...IGNORED }, { live: LIVE }, "started@2"],
  [
    "a rule that only prefers another node",
    {
      ...{ ...RUNS, ...PREFERS_C, news: IS_MACHINE },
    },
    {},
    "relocate@2>3 #7",
  ],
  [
    "a rule that only prefers another node, after it could not",
    {
      ...{ ...RUNS, ...PREFERS_C, news: STAYED },
    },
    {},
    "started@2",
  ],
  ["it runs at its target", RUNS, { live: LIVE }, "started@2"],
  ["it does not run at its target yet", {}, { live: LIVE }, "started@2 #5"],
  ["its target goes down before it runs", { health: { 2: "down" } }, { live: LIVE }, "fence@2"],
  [
    "its target stops in order before it runs",
    {
      nodes: { 2: { shutdown: { how: "freeze", boot: BOOT } } },
    },
    { live: LIVE },
    "freeze@2",
  ],
];

for (const [name, scene, entry, expected] of TABLE) {
  Deno.test(`live migration is decided: ${name}`, () => {
    assert.equal(decided(scene, entry), expected);
  });
}

/** Three nodes; nodeA has the machine and manages. */
function cluster(): Desk {
  const desk = new Desk(3);
  desk.run(2000);
  desk.write("nodes/nodeA/qemu-server/100.conf", "memory: 64\n");
  desk.write("ha/resources.cfg", "vm: 100\n\tstop_timeout 10\n");
  desk.run(1000);
  assert.deepEqual([...desk.node(0).running], [VM]);
  return desk;
}

function order(desk: Desk, to: string): void {
  desk.write("ha/crm_commands", `migrate vm:100 ${to}\n`);
}

function ofKind<K extends HaEffect["kind"]>(node: DeskNode, kind: K) {
  return node.effects.filter((each): each is Extract<HaEffect, { kind: K }> => each.kind === kind);
}

function where(desk: Desk): string[] {
  return desk.nodes.filter(({ running }) => running.has(VM)).map(({ name }) => name);
}

Deno.test("a machine goes on at its target, its definition with it, and nothing starts it anew", () => {
  const desk = cluster();
  order(desk, "nodeB");
  desk.run(2000);
  assert.deepEqual([where(desk), desk.broken], [["nodeB"], []]);
  assert.equal(ofKind(desk.node(1), "start").length, 0);
  assert.equal(ofKind(desk.node(1), "resume").length, 1);
  assert.ok(desk.has("nodes/nodeB/qemu-server/100.conf"));
  const [sent] = ofKind(desk.node(0), "hand-over");
  assert.equal(sent?.to.boot, desk.node(1).boot, "the key is of the life that awaits it");
});

Deno.test("a hand-over that fails leaves it where it is, and maintenance moves it by a stop", () => {
  const desk = cluster();
  desk.node(0).holdMoves = true;
  order(desk, "nodeB");
  desk.run(2000);
  desk.endMoves(desk.node(0), "the line broke");
  desk.run(2000);
  assert.deepEqual([where(desk), desk.broken], [["nodeA"], []]);
  assert.equal(ofKind(desk.node(1), "stop").length, 1, "what waited for it is taken away");
  const shown = desk.node(0).core.view().resources[0];
  assert.match(shown?.reason ?? "", /stays on nodeA and runs on: .* the line broke/);
  desk.write("ha/crm_commands", "maintenance nodeA on\n");
  desk.run(4000);
  assert.deepEqual(desk.broken, []);
  assert.equal(ofKind(desk.node(0), "hand-over").length, 1, "it is not tried again by a rule");
  assert.notDeepEqual(where(desk), ["nodeA"]);
});

Deno.test("a target that dies is not waited for: the source is called off and runs on", () => {
  const desk = cluster();
  desk.node(0).holdMoves = true;
  order(desk, "nodeB");
  desk.run(2000);
  desk.node(1).joined = false;
  desk.run(TIMING.deadMs + 2000);
  assert.equal(ofKind(desk.node(0), "call-off").length, 1);
  desk.endMoves(desk.node(0), "called off");
  desk.run(1000);
  assert.deepEqual([where(desk), desk.broken], [["nodeA"], []]);
});

Deno.test("a source that dies is fenced, and what waits for its memory is not let run with it", () => {
  const desk = cluster();
  desk.leader = C;
  desk.run(2000);
  desk.node(0).holdMoves = true;
  order(desk, "nodeB");
  desk.run(1000);
  // It halts and dies before it can say that it has sent everything.
  desk.node(0).joined = false;
  desk.run(TIMING.deadMs + TIMING.fenceWaitMs + 10_000);
  assert.deepEqual(desk.broken, []);
  assert.equal(ofKind(desk.node(1), "resume").length, 0);
  assert.equal(where(desk).length, 1, "it was started anew");
});

Deno.test("a target that missed what came between does not go on with memory of then", () => {
  const desk = cluster();
  order(desk, "nodeB");
  // Up to the moment in which nodeB waits; then it hears nothing of decisions for a while.
  desk.node(0).holdMoves = true;
  desk.run(1000);
  desk.endMoves(desk.node(0), "it broke");
  const late = desk.node(1);
  late.joined = false;
  late.keeper.until = Infinity as never;
  desk.run(1000);
  late.joined = true;
  desk.run(4000);
  assert.deepEqual([where(desk), desk.broken], [["nodeA"], []]);
  assert.equal(ofKind(late, "resume").length, 0);
});

Deno.test("what was made for one migration is not used for the next", () => {
  const desk = cluster();
  desk.node(0).holdMoves = true;
  order(desk, "nodeB");
  desk.run(1000);
  const late = desk.node(1);
  // It hears of decisions only when the next one stands; its guard goes on meanwhile.
  const feed = late.core.step.bind(late.core);
  late.core.step = (event, now) =>
    event.kind === "fact" && event.fact.fact === "config.applied" ? [] : feed(event, now);
  desk.endMoves(desk.node(0), "it broke");
  desk.run(1000);
  order(desk, "nodeB");
  desk.run(1000);
  late.core.step = feed;
  // It gets a state, and not what came between.
  late.applied = desk.log.length - 1;
  desk.node(0).holdMoves = false;
  desk.run(4000);
  assert.deepEqual([where(desk), desk.broken], [["nodeB"], []]);
  assert.equal(ofKind(late, "receive").length, 2);
});

Deno.test("a target that does not get ready is not waited for without end", () => {
  const desk = cluster();
  desk.node(1).holdMoves = true;
  order(desk, "nodeB");
  desk.run(40_000);
  const shown = desk.node(0).core.view().resources[0];
  assert.match(shown?.reason ?? "", /nodeB did not get ready for it/);
  assert.deepEqual([where(desk), desk.broken], [["nodeA"], []]);
});

Deno.test("news survive the wire, are no report, and damaged ones are nothing", () => {
  const plain = { noNullPrototype: true };
  const id = fc.constantFrom("vm:100", "vm:101");
  const live = fc.nat();
  const some = fc.record({
    boot: fc.constant("00000000000000aa"),
    machines: fc.array(fc.record({ id, stayed: fc.boolean() }, plain), { maxLength: 3 }),
    arrivals: fc.array(
      fc.record({ id, live, port: fc.nat(0xffff), build: fc.nat() }, plain),
      { maxLength: 3 },
    ),
    handed: fc.array(fc.record({ id, live }, plain), { maxLength: 3 }),
    refused: fc.array(fc.record({ id, live, why: fc.string() }, plain), { maxLength: 3 }),
  }, plain);
  fc.assert(fc.property(some, fc.nat(), fc.nat(255), (news, at, byte) => {
    const bytes = encodeNews(news);
    assert.deepEqual(decodeNews(bytes), { version: 2, ...news });
    assert.equal(decodeReport(bytes), null);
    const bad = bytes.slice();
    bad[at % bad.length] = byte;
    decodeNews(bad);
    assert.equal(decodeNews(bytes.subarray(0, at % bytes.length)), null);
  }));
});

Deno.test("whatever a monitor says of a migration, it is read as something that is known", () => {
  fc.assert(fc.property(fc.jsonValue(), (value) => {
    const { status, why, port } = migrationIn(value);
    assert.ok(typeof status === "string" && typeof why === "string");
    assert.ok(Number.isInteger(port) && port >= 0 && port <= 0xffff);
  }));
  const places = fc.record({ "socket-address": fc.array(fc.record({ port: fc.jsonValue() })) });
  fc.assert(fc.property(places, (value) => assert.ok(migrationIn(value).port <= 0xffff)));
  const place = (port: unknown) => ({ "socket-address": [{ type: "inet", port }] });
  assert.equal(migrationIn(place("4711")).port, 4711);
  const hostile = [{ valueOf: 1, toString: 1 }, JSON.parse("[".repeat(5000) + "]".repeat(5000))];
  for (const port of hostile) assert.equal(migrationIn(place(port)).port, 0);
  for (const port of ["x", "70000", -1, null, "1.5"]) {
    assert.equal(migrationIn(place(port)).port, 0);
  }
});
