/** The manager's plan: each state of a resource and of a node against what becomes of it. */
import assert from "node:assert/strict";
import { bootId, nodeId, resourceId } from "../../mod/base/id.ts";
import { instant } from "../../mod/base/time.ts";
import { plan } from "../../mod/ha/plan.ts";
import type { ServiceState } from "../../mod/streams.ts";
import { TIMING } from "./desk.ts";
import { BOOT, type Scene, sceneOf, WEB } from "./scene.ts";

const LEASE = TIMING.leaseMs + TIMING.slackMs;
const WAIT = TIMING.deadMs + TIMING.fenceWaitMs;
const STOPPED = "exec: web\n\tcommand run\n\tstate stopped\n";
const GONE = "";

/** `started@2>3`: state, node and target of the resource in the plan; `none` where it is forgotten. */
function after(scene: Scene): string {
  const entry = plan(sceneOf(scene)).status.services.get(WEB);
  if (entry === undefined) return "none";
  const target = entry.target === null ? "" : `>${entry.target}`;
  return `${entry.state}@${entry.node ?? "-"}${target}`;
}

function on2(state: ServiceState, more: object = {}): NonNullable<Scene["services"]> {
  return { "exec:web": { state, node: nodeId(2), ...more } };
}

const OLD = bootId("00000000000000bb");
const FREEZE = { how: "freeze", boot: BOOT } as const;
const MIGRATE = { how: "migrate", boot: BOOT } as const;
const run = { 2: { "exec:web": "running" as const } };
const failed = { 2: { "exec:web": "failed" as const } };
const fence = { nodes: { 2: { state: "fence" as const } }, health: { 2: "down" as const } };
const dead = { nodes: { 2: { state: "dead" as const, proof: "wait" as const } } };
const down = { health: { 2: "down" as const } };

const TABLE: readonly (readonly [string, Scene, string])[] = [
  ["new and wanted", {}, "started@1"],
  ["new, and a node is to stop", { departure: { 1: "begun" } }, "started@2"],
  ["new, and a node has stopped all", { departure: { 1: "over" } }, "started@2"],
  ["new, and a node is in maintenance", { nodes: { 1: { maintenance: true } } }, "started@2"],
  ["new, and a node is asked to go", { nodes: { 1: { shutdown: MIGRATE } } }, "started@2"],
  ["new, and a node has no vote yet", { learners: [1] }, "started@2"],
  ["started, and the node that is preferred has no vote yet", {
    ...{ services: on2("started"), reports: run, learners: [3] },
    rules: "node-affinity: r\n\tresources exec:web\n\tnodes nodeC:2,nodeB:1\n",
  }, "started@2"],
  ["started, and the node that is preferred votes", {
    ...{ services: on2("started"), reports: run },
    rules: "node-affinity: r\n\tresources exec:web\n\tnodes nodeC:2,nodeB:1\n",
  }, "relocate@2>3"],
  ["new, and a node holds no guard", { guardless: { 1: TIMING.deadMs } }, "started@2"],
  ["started, not there, and its node holds no guard", {
    ...{ services: on2("started"), reports: { 2: {} }, guardless: { 2: TIMING.deadMs } },
  }, "relocate@2>1"],
  ["started, not there, and its node holds no guard for a moment", {
    ...{ services: on2("started"), reports: { 2: {} }, guardless: { 2: TIMING.deadMs - 1 } },
  }, "started@2"],
  ["started, there still, and its node holds no guard", {
    ...{ services: on2("started"), reports: run, guardless: { 2: TIMING.deadMs } },
  }, "started@2"],
  ["started, not there, nobody holds a guard", {
    ...{ services: on2("started"), reports: { 2: {} } },
    guardless: { 1: TIMING.deadMs, 2: TIMING.deadMs, 3: TIMING.deadMs },
  }, "started@2"],
  ["started, not there, and its node holds no guard while all is to be armed", {
    ...{ services: on2("started"), reports: { 2: {} }, guardless: { 2: TIMING.deadMs } },
    mode: "arming",
  }, "started@2"],
  ["new, and nobody takes anything", {
    ...{ nodes: { 1: { maintenance: true }, 3: { shutdown: FREEZE } }, departure: { 2: "begun" } },
  }, "stopped@-"],
  ["fence, proven, and one is to stop", {
    ...{ services: on2("fence"), ...dead, ...down, departure: { 1: "begun" } },
  }, "started@3"],
  ["relocate, gone, and what it gave way to is over", {
    services: on2("relocate", { target: nodeId(1), home: nodeId(2) }),
    reports: { 2: {} },
  }, "started@2"],
  ["relocate, gone, and what it gave way to is not over", {
    services: on2("relocate", { target: nodeId(1), home: nodeId(2) }),
    ...{ reports: { 2: {} }, nodes: { 2: { maintenance: true } } },
  }, "started@1"],
  ["relocate, gone, and its target is to stop now", {
    services: on2("relocate", { target: nodeId(1) }),
    ...{ reports: { 2: {} }, departure: { 1: "begun" } },
  }, "started@3"],
  ["new and not wanted", { resources: STOPPED }, "stopped@-"],
  ["new, but a node has it already", { reports: run }, "started@2"],
  ["new, and of a node nothing is known", { nodes: { 3: null }, health: { 3: "unknown" } }, "none"],
  ["new, and of a node long silent nothing is known", {
    ...{ nodes: { 3: null }, health: { 3: "down" }, silence: WAIT },
  }, "started@1"],
  ["stopped and taken out", { services: on2("stopped"), resources: GONE }, "none"],
  ["started, all well", { services: on2("started"), reports: run }, "started@2"],
  ["started, not wanted", { services: on2("started"), resources: STOPPED }, "request_stop@2"],
  ["started, taken out", { services: on2("started"), resources: GONE }, "request_stop@2"],
  ["started, its node down", { services: on2("started"), ...down }, "fence@2"],
  ["started, its node isolated", {
    ...{ services: on2("started"), health: { 2: "isolated" } },
  }, "started@2"],
  ["started, failed there", { services: on2("started"), reports: failed }, "relocate@2>1"],
  ["started, failed there by an old status", {
    ...{ services: on2("started"), reports: failed, behind: [2] },
  }, "started@2"],
  ["started, failed on all that may be tried", {
    ...{ services: on2("started", { tried: [nodeId(1)] }), reports: failed },
  }, "error@2"],
  ["started, stuck", {
    ...{ services: on2("started"), reports: { 2: { "exec:web": "stuck" } } },
  }, "started@2"],
  ["started, asked to move", {
    services: on2("started"),
    commands: [{ order: "migrate", id: WEB, node: nodeId(3) }],
  }, "relocate@2>3"],
  ["started, asked to move to a node that is down", {
    ...{ services: on2("started"), health: { 3: "down" } },
    commands: [{ order: "migrate", id: WEB, node: nodeId(3) }],
  }, "started@2"],
  ["started, asked to move where it is", {
    services: on2("started"),
    commands: [{ order: "migrate", id: WEB, node: nodeId(2) }],
  }, "started@2"],
  ["started, its node in maintenance", {
    ...{ services: on2("started"), nodes: { 2: { maintenance: true } } },
  }, "relocate@2>1"],
  ["started, all nodes in maintenance", {
    services: on2("started"),
    nodes: { 1: { maintenance: true }, 2: { maintenance: true }, 3: { maintenance: true } },
  }, "started@2"],
  ["started, ignored, its node down", {
    ...{ services: on2("started"), ...down },
    resources: "exec: web\n\tcommand run\n\tstate ignored\n",
  }, "started@2"],
  ["started, its section cannot be read, its node down", {
    ...{ services: on2("started"), ...down, resources: "exec: web\n\tcommand '\n" },
  }, "started@2"],
  ["started, the file is broken", {
    ...{ services: on2("started"), resources: "<<<<\n" },
  }, "started@2"],
  ["moving, running still", {
    ...{ services: on2("relocate", { target: nodeId(3) }), reports: run },
  }, "relocate@2>3"],
  ["moving, gone by an old status", {
    ...{ services: on2("relocate", { target: nodeId(3) }), behind: [2] },
  }, "relocate@2>3"],
  ["moving, gone", { services: on2("relocate", { target: nodeId(3) }) }, "started@3"],
  ["moving, gone, the target down", {
    ...{ services: on2("relocate", { target: nodeId(3) }), health: { 3: "down" } },
  }, "started@1"],
  ["moving, gone, all others failed before", {
    services: on2("relocate", { target: nodeId(3), tried: [nodeId(1), nodeId(2)] }),
  }, "started@3"],
  [
    "moving, its node down",
    { services: on2("relocate", { target: nodeId(3) }), ...down },
    "fence@2",
  ],
  ["moving, not wanted any more", {
    ...{ services: on2("relocate", { target: nodeId(3) }), reports: run, resources: STOPPED },
  }, "request_stop@2"],
  ["stopping, running still", {
    ...{ services: on2("request_stop"), reports: run, resources: STOPPED },
  }, "request_stop@2"],
  ["stopping, its node down", {
    ...{ services: on2("request_stop"), resources: STOPPED, ...down },
  }, "request_stop@2"],
  ["stopping, its node dead", {
    ...{ services: on2("request_stop"), resources: STOPPED, ...dead, ...down },
  }, "stopped@2"],
  ["stopping, gone", { services: on2("request_stop"), resources: STOPPED }, "stopped@2"],
  ["stopping, gone, taken out", { services: on2("request_stop"), resources: GONE }, "none"],
  ["fenced, no proof yet", { services: on2("fence"), ...fence, silence: WAIT - 1 }, "fence@2"],
  ["fenced, silent for long", { services: on2("fence"), ...fence, silence: WAIT }, "started@1"],
  ["fenced, silent for long, not wanted", {
    ...{ services: on2("fence"), ...fence, silence: WAIT, resources: STOPPED },
  }, "stopped@2"],
  ["fenced, silent for long, nobody may have it", {
    ...{ services: on2("fence"), health: fence.health, silence: WAIT },
    nodes: { ...fence.nodes, 1: { maintenance: true }, 3: { maintenance: true } },
  }, "recovery@2"],
  ["fenced, no watchdog, silent for ever", {
    ...{ services: on2("fence"), health: fence.health, silence: 100 * WAIT },
    nodes: { 2: { state: "fence", armed: false } },
  }, "fence@2"],
  ["fenced, no watchdog, just confirmed", {
    ...{ services: on2("fence"), health: fence.health, silence: LEASE },
    nodes: { 2: { state: "fence", armed: false } },
    commands: [{ order: "confirm-dead", node: nodeId(2) }],
  }, "fence@2"],
  ["fenced, confirmed before", {
    ...{ services: on2("fence"), health: fence.health, silence: LEASE },
    nodes: { 2: { state: "fence", armed: false, confirmed: true } },
  }, "started@1"],
  ["fenced, its node is back", {
    ...{ services: on2("fence"), nodes: fence.nodes, reports: run },
  }, "started@2"],
  ["fenced, its node is back, not wanted", {
    ...{ services: on2("fence"), nodes: fence.nodes, reports: run, resources: STOPPED },
  }, "request_stop@2"],
  ["fenced, the disk's word, recover_on=death", {
    ...{ services: on2("fence"), ...fence, storageFenced: [2] },
  }, "fence@2"],
  ["fenced, the disk's word, recover_on=storage", {
    ...{ services: on2("fence"), ...fence, storageFenced: [2] },
    resources: "exec: web\n\tcommand run\n\trecover_on storage\n",
  }, "started@1"],
  ["waiting for a node, one is there", {
    ...{ services: on2("recovery"), ...dead, ...down },
  }, "started@1"],
  ["waiting for a node, its own is back and has it still", {
    ...{ services: on2("recovery"), reports: run },
  }, "recovery@2"],
  ["waiting for a node, its own is back", {
    ...{ services: on2("recovery"), nodes: { 1: { maintenance: true }, 3: { maintenance: true } } },
  }, "started@2"],
  ["waiting for a node, its own was back and is silent again", {
    ...{ services: on2("recovery"), ...fence, silence: LEASE },
  }, "recovery@2"],
  ["waiting for a node, its own was back and is silent again, the disk's word is of the past", {
    ...{ services: on2("recovery"), ...fence, silence: LEASE },
    resources: "exec: web\n\tcommand run\n\trecover_on storage\n",
  }, "recovery@2"],
  ["waiting for a node, its own is silent, the disk's word", {
    ...{ services: on2("recovery"), ...fence, storageFenced: [2] },
    resources: "exec: web\n\tcommand run\n\trecover_on storage\n",
  }, "started@1"],
  ["waiting for a node, its own was back and is silent again, not wanted", {
    ...{ services: on2("recovery"), ...fence, silence: LEASE, resources: STOPPED },
  }, "recovery@2"],
  ["waiting for a node, not wanted", {
    ...{ services: on2("recovery"), ...dead, ...down, resources: STOPPED },
  }, "stopped@2"],
  ["started, its node stops and freezes", {
    ...{ services: on2("started"), reports: run, nodes: { 2: { shutdown: FREEZE } } },
  }, "freeze@2"],
  ["started, its node was asked to freeze", {
    ...{ services: on2("started"), reports: run },
    commands: [{ order: "shutdown", node: nodeId(2), ...FREEZE, boot: BOOT }],
  }, "freeze@2"],
  ["started, its node stops and moves all away", {
    ...{ services: on2("started"), reports: run, nodes: { 2: { shutdown: MIGRATE } } },
  }, "relocate@2>1"],
  ["started, its node stops and moves all away, and nobody may have it", {
    services: on2("started"),
    nodes: { 1: { maintenance: true }, 2: { shutdown: MIGRATE }, 3: { shutdown: FREEZE } },
  }, "started@2"],
  ["frozen, its node is stopping", {
    ...{ services: on2("freeze"), nodes: { 2: { shutdown: FREEZE } } },
  }, "freeze@2"],
  ["frozen, its node is away", {
    ...{ services: on2("freeze"), ...down, nodes: { 2: { state: "dead", shutdown: FREEZE } } },
  }, "freeze@2"],
  ["frozen, and a person knows that it will not come back", {
    ...{ services: on2("freeze"), ...down, nodes: { 2: { state: "dead", shutdown: FREEZE } } },
    commands: [{ order: "confirm-dead", node: nodeId(2) }],
  }, "started@1"],
  ["frozen, its node is back", {
    ...{ services: on2("freeze"), nodes: { 2: { shutdown: { ...FREEZE, boot: OLD } } } },
  }, "started@2"],
  ["frozen, not wanted, its node is stopping", {
    ...{ services: on2("freeze"), nodes: { 2: { shutdown: FREEZE } }, reports: run },
    resources: STOPPED,
  }, "freeze@2"],
  ["frozen, not wanted, its node is away", {
    ...{ services: on2("freeze"), ...down, nodes: { 2: { state: "dead", shutdown: FREEZE } } },
    resources: STOPPED,
  }, "stopped@2"],
  ["away from home, which is back", {
    ...{ services: on2("started", { home: nodeId(3) }), reports: run },
  }, "relocate@2>3"],
  ["away from home, which is in maintenance", {
    ...{ services: on2("started", { home: nodeId(3) }), reports: run },
    nodes: { 3: { maintenance: true } },
  }, "started@2"],
  ["away from home, and it stays where it is", {
    ...{ services: on2("started", { home: nodeId(3) }), reports: run },
    resources: "exec: web\n\tcommand run\n\tfailback 0\n",
  }, "started@2"],
  ["given up, wanted still", { services: on2("error") }, "error@2"],
  ["given up, not wanted", { services: on2("error"), resources: STOPPED }, "stopped@2"],
  ["given up, not wanted, running still", {
    ...{ services: on2("error"), reports: run, resources: STOPPED },
  }, "error@2"],
  ["given up, taken out, running still", {
    ...{ services: on2("error"), reports: run, resources: GONE },
  }, "error@2"],
  ["given up, taken out, its node dead", {
    ...{ services: on2("error"), ...dead, ...down, resources: GONE },
  }, "none"],
];

for (const [what, scene, expected] of TABLE) {
  Deno.test(`plan(): ${what} → ${expected}`, () => assert.equal(after(scene), expected));
}

Deno.test("plan(): failures are forgotten once it runs well for long, or by an order", () => {
  const tried = [nodeId(1)];
  const scene: Scene = { services: on2("started", { tried }), reports: run };
  const left = (more: Scene) =>
    plan(sceneOf({ ...scene, ...more })).status.services.get(WEB)?.tried;
  assert.deepEqual(left({}), tried);
  assert.deepEqual(left({ steady: [WEB] }), []);
  assert.deepEqual(left({ commands: [{ order: "migrate", id: WEB, node: nodeId(3) }] }), []);
});

Deno.test("plan(): fence and dead are never decided in one", () => {
  const scene: Scene = { services: on2("started"), ...down, silence: 10 * WAIT };
  const first = plan(sceneOf(scene)).status;
  assert.equal(first.nodes.get(nodeId(2))?.state, "fence");
  const second = plan({ ...sceneOf(scene), status: first }).status;
  assert.equal(second.nodes.get(nodeId(2))?.state, "dead");
  assert.equal(second.services.get(WEB)?.node, 1);
});

Deno.test("plan(): a takeover names its proof; the move of a node that is back is none", () => {
  const words = { words: "clean-stop", boot: BOOT, at: instant(0) } as const;
  const scene: Scene = { services: on2("fence"), ...fence, silence: LEASE, words: { 2: words } };
  const { takeovers, said } = plan(sceneOf(scene));
  assert.deepEqual(takeovers, [{ id: WEB, from: 2, to: 1, proof: "clean-stop" }]);
  assert.ok(said.some(({ text }) => text === "node nodeB=dead, proof=clean-stop"));
  assert.deepEqual(plan(sceneOf({ services: on2("recovery") })).takeovers, []);
  const resources = "exec: web\n\tcommand run\n\trecover_on storage\n";
  const disk: Scene = { services: on2("recovery"), ...fence, resources, storageFenced: [2] };
  assert.deepEqual(plan(sceneOf(disk)).takeovers.map(({ proof }) => proof), ["storage"]);
});

Deno.test("plan(): only what may recover by the disk's word asks for it", () => {
  const scene: Scene = { services: on2("fence"), ...fence };
  assert.deepEqual([...plan(sceneOf(scene)).eject], []);
  const resources = "exec: web\n\tcommand run\n\trecover_on storage\n";
  assert.deepEqual([...plan(sceneOf({ ...scene, resources })).eject], [[2, null]]);
  const alive: Scene = { ...scene, resources, health: { 2: "isolated" } };
  assert.deepEqual([...plan(sceneOf(alive)).eject], [], "it lives, though nobody talks to it");
});

Deno.test("plan(): nodes come and go", () => {
  const entry = (scene: Scene, node = 2) => plan(sceneOf(scene)).status.nodes.get(nodeId(node));
  assert.equal(entry({ nodes: { 2: null } })?.state, "online");
  assert.equal(
    entry({ nodes: { 2: null }, reports: { 2: null } }),
    undefined,
    "it has not reported",
  );
  assert.equal(entry({ watchdog: { 2: "none" } })?.armed, false);
  assert.equal(entry({ watchdog: { 2: "opening" } })?.armed, true, "as it was");
  assert.equal(entry({ nodes: { 2: { armed: false } } })?.armed, true);
  assert.equal(entry({ ...fence, silence: 10 })?.state, "fence");
  const back = entry({ nodes: { 2: { state: "dead", proof: "wait", confirmed: true } } });
  assert.deepEqual([back?.state, back?.proof, back?.confirmed], ["online", null, false]);
  const confirm: Scene = { commands: [{ order: "confirm-dead", node: nodeId(2) }] };
  assert.equal(entry(confirm)?.confirmed, false, "it is online");
  assert.equal(entry({ ...confirm, health: { 2: "isolated" } })?.confirmed, false, "it lives");
  assert.equal(entry({ ...confirm, ...down })?.confirmed, true);
  const order = { order: "maintenance", node: nodeId(2) } as const;
  assert.equal(entry({ commands: [{ ...order, on: true }] })?.maintenance, true);
  const both = [{ ...order, on: true }, { ...order, on: false }];
  assert.equal(entry({ commands: both })?.maintenance, false, "the last one counts");
});

Deno.test("plan(): a member that was removed is kept while it may have something", () => {
  const scene = sceneOf({ services: on2("started") });
  const spec = { ...scene.spec, members: scene.spec.members.filter(({ id }) => id !== 2) };
  const { nodes, services } = plan({ ...scene, spec }).status;
  assert.equal(nodes.get(nodeId(2))?.state, "fence");
  assert.equal(services.get(WEB)?.state, "fence");
  assert.equal(plan({ ...sceneOf({ resources: GONE }), spec }).status.nodes.has(nodeId(2)), false);
});

Deno.test("plan(): what is recovered is spread", () => {
  const ids = Array.from({ length: 6 }, (_, at) => `exec:r${at}`);
  const resources = ids.map((id) => `${id.replace(":", ": ")}\n\tcommand run\n`).join("");
  const services = Object.fromEntries(
    ids.map((id) => [id, { state: "fence", node: nodeId(2) }] as const),
  );
  const { status } = plan(sceneOf({ resources, services, ...fence, silence: WAIT }));
  const count = (node: number) =>
    ids.filter((id) => status.services.get(resourceId(id))?.node === node).length;
  assert.deepEqual([count(1), count(2), count(3)], [3, 0, 3]);
});

Deno.test("plan(): where nothing is to be decided the status stays as it is", () => {
  const scene = sceneOf({ services: on2("started"), reports: run });
  const next = plan(scene);
  assert.deepEqual(next.status, scene.status);
  assert.deepEqual([next.said, next.takeovers, [...next.eject]], [[], [], []]);
});
