/** The whole stack disarmed and armed again: nothing moves, nothing is killed, nothing runs twice. */
import assert from "node:assert/strict";
import { decodeText } from "../../mod/base/bytes.ts";
import { nodeId } from "../../mod/base/id.ts";
import { NEVER } from "../../mod/base/time.ts";
import { COMMANDS_FILE } from "../../mod/ha/files.ts";
import { DISARM_FILE, modeIn, printMode } from "../../mod/ha/mode.ts";
import { plan } from "../../mod/ha/plan.ts";
import { Desk, type DeskNode, TIMING } from "./desk.ts";
import { type Scene, sceneOf, WEB } from "./scene.ts";

const LONG = TIMING.deadMs + TIMING.fenceWaitMs + 4000;

function formed(): Desk {
  const desk = new Desk(3);
  desk.run(2000);
  desk.define("max_restart 1");
  desk.run(2000);
  return desk;
}

function disarmed(): Desk {
  const desk = formed();
  order(desk, "disarm");
  return desk;
}

function order(desk: Desk, line: string): void {
  desk.write(COMMANDS_FILE, `${line}\n`);
  desk.run(1000);
}

function owner(desk: Desk): DeskNode {
  const [first, ...more] = desk.nodes.filter(({ running }) => running.has(WEB));
  assert.ok(first && more.length === 0, "it runs once");
  return first;
}

function cut(desk: Desk, node: DeskNode): void {
  node.joined = false;
  const led = desk.nodes.find((each) => each.joined);
  if (desk.leader === node.id && led !== undefined) desk.leader = led.id;
}

/** All that was said since the desk was made, by code. */
function said(desk: Desk, code: string): string[] {
  return desk.nodes.flatMap(({ effects }) => effects).flatMap((effect) =>
    effect.kind === "say" && effect.saying.because?.code === code ? [effect.saying.text] : []
  );
}

function modes(desk: Desk): string[] {
  return desk.nodes.map(({ core }) => core.view().mode);
}

Deno.test("a disarmed node gives its watchdog back, has no end of its guard, and keeps what it runs", () => {
  const desk = disarmed();
  assert.deepEqual(modes(desk), ["disarmed", "disarmed", "disarmed"]);
  for (const node of desk.nodes) {
    assert.equal(node.keeper.until, NEVER);
    assert.ok(node.effects.some(({ kind }) => kind === "watchdog-disarm"));
    const { guard, armed } = node.core.view();
    assert.deepEqual([guard.held, guard.suspended, armed], [false, true, false]);
  }
  const before = owner(desk);
  for (const node of desk.nodes) node.joined = false;
  desk.run(LONG);
  assert.equal(owner(desk), before);
  for (const node of desk.nodes) node.joined = true;
  desk.run(2000);
  order(desk, "arm");
  assert.deepEqual(modes(desk), ["armed", "armed", "armed"]);
  assert.ok(!desk.has(DISARM_FILE));
  assert.equal(owner(desk), before);
  assert.ok(desk.nodes.every(({ core }) => core.view().armed && core.view().guard.held));
  assert.deepEqual(
    desk.nodes.flatMap(({ effects }) => effects.filter(({ kind }) => kind === "kill-all")),
    [],
  );
  assert.equal(said(desk, "ha.armed").length, 1);
});

Deno.test("nothing is started, restarted, moved or fenced while it is disarmed; it is made up for afterwards", () => {
  const desk = disarmed();
  const node = owner(desk);
  node.running.delete(WEB);
  desk.feed(node, { kind: "exited", id: WEB, how: "exit status 1" });
  order(desk, `migrate exec:web ${desk.nodes.find((each) => each !== node)?.name}`);
  order(desk, `maintenance ${node.name} on`);
  desk.run(LONG);
  assert.deepEqual(desk.nodes.flatMap(({ running }) => [...running]), []);
  assert.equal(said(desk, "ha.disarmed-refused").length, 2);
  const shown = desk.node(0).core.view().resources[0];
  assert.match(shown?.detail ?? "", /its main process ended: exit status 1|nothing of it runs/);
  order(desk, "arm");
  desk.run(12_000);
  assert.equal(owner(desk), node, "it is started again where it was");
});

Deno.test("a node that is cut off while disarmed is never taken for dead by time, and nothing of it runs twice", () => {
  const desk = disarmed();
  const lost = owner(desk);
  cut(desk, lost);
  order(desk, "arm");
  desk.run(10 * LONG);
  assert.equal(owner(desk), lost, "it goes on where nobody can end it, and nowhere else");
  assert.deepEqual(desk.broken, []);
  const other = desk.nodes.find((node) => node !== lost) as DeskNode;
  assert.equal(other.core.view().mode, "arming");
  assert.equal(said(desk, "ha.fence-disarmed").length, 1);
  // It is back, and guarded like any other: its next silence counts.
  lost.joined = true;
  desk.run(3000);
  assert.equal(other.core.view().mode, "armed");
  assert.equal(owner(desk), lost);
  assert.notEqual(lost.keeper.until, NEVER);
  cut(desk, lost);
  desk.run(LONG);
  assert.notEqual(owner(desk), lost);
  assert.deepEqual(desk.broken, []);
});

Deno.test("a person's word frees what a dead node had, also where it died disarmed", () => {
  const desk = disarmed();
  const lost = owner(desk);
  cut(desk, lost);
  lost.running.clear();
  order(desk, "arm");
  desk.run(LONG);
  order(desk, `confirm-dead ${lost.name}`);
  desk.run(3000);
  assert.notEqual(owner(desk), lost);
  // The dead are not waited for.
  assert.equal(owner(desk).core.view().mode, "armed");
});

Deno.test("a daemon that begins anew goes on disarmed, and one that never heard of it stays guarded", () => {
  const desk = disarmed();
  const at = desk.nodes.indexOf(owner(desk));
  desk.restart(at);
  desk.run(2000);
  assert.ok(desk.node(at).core.view().guard.suspended);
  assert.equal(owner(desk), desk.node(at));
  const other = formed();
  const deaf = owner(other);
  cut(other, deaf);
  order(other, "disarm");
  assert.ok(!other.has(DISARM_FILE), "it is not disarmed while somebody is silent");
  assert.equal(said(other, "ha.disarm-refused").length, 1);
  other.run(TIMING.leaseMs);
  assert.ok(!deaf.running.has(WEB), "its guard has ended");
});

Deno.test("a hand that removes the file or the decisions does not make a silent node look guarded", () => {
  for (const path of [DISARM_FILE, "ha/manager_status"]) {
    const desk = disarmed();
    const lost = owner(desk);
    cut(desk, lost);
    if (path !== DISARM_FILE) order(desk, "arm");
    desk.write(path, null);
    desk.run(3 * LONG);
    assert.equal(owner(desk), lost, path);
    assert.deepEqual(desk.broken, []);
    lost.joined = true;
    desk.run(4000);
    assert.equal(owner(desk), lost);
    assert.deepEqual(modes(desk), ["armed", "armed", "armed"], path);
  }
});

Deno.test("what is found ill while all is disarmed is left as it is", () => {
  const desk = disarmed();
  const node = owner(desk);
  desk.feed(node, { kind: "exited", id: WEB, how: "exit status 1" });
  desk.run(LONG);
  assert.equal(owner(desk), node);
  assert.match(desk.node(0).core.view().resources[0]?.detail ?? "", /its main process ended/);
});

Deno.test("a guard is suspended only once everybody can read that nobody counts on it", () => {
  const desk = formed();
  desk.write(DISARM_FILE, "disarmed\n");
  for (const node of desk.nodes) desk.apply(node);
  desk.run(400, false);
  assert.ok(desk.nodes.every(({ core }) => core.view().guard.held));
  desk.run(1000);
  assert.ok(desk.nodes.every(({ core }) => core.view().guard.suspended));
});

Deno.test("a registration that is lost ends what runs, disarmed or not", () => {
  const desk = disarmed();
  const node = owner(desk);
  desk.fact(node, { fact: "storage.lost", disk: 0 } as never);
  assert.ok(!node.running.has(WEB));
});

Deno.test("modeIn() and printMode(): what cannot be read is disarmed", () => {
  for (const mode of ["armed", "disarmed", "arming"] as const) {
    assert.equal(modeIn(printMode(mode)), mode);
  }
  for (const bytes of [[], [255, 255], [100]]) {
    assert.equal(modeIn(Uint8Array.from(bytes)), "disarmed");
  }
  assert.equal(decodeText(printMode("arming") ?? new Uint8Array()), "arming\n");
});

const CASES: readonly (readonly [string, Scene, string])[] = [
  ["all online", {}, "disarmed"],
  ["a node that is silent", { health: { 3: "isolated" } }, "armed"],
  ["a node in fence", { nodes: { 3: { state: "fence" } }, health: { 3: "down" } }, "armed"],
  [
    "a node proven dead",
    { nodes: { 3: { state: "dead", proof: "wait" } }, health: { 3: "down" } },
    "disarmed",
  ],
  ["a node of which nothing is decided", { nodes: { 3: null }, reports: { 3: null } }, "armed"],
  ["a resource on its way", {
    services: { "exec:web": { state: "relocate", node: nodeId(2), target: nodeId(3) } },
    reports: { 2: { "exec:web": "running" } },
  }, "armed"],
];
for (const [what, scene, mode] of CASES) {
  Deno.test(`an order to disarm with ${what}: ${mode}`, () => {
    const situation = sceneOf({ ...scene, commands: [{ order: "disarm" }] });
    const next = plan(situation);
    assert.equal(next.mode, mode);
    const flagged = [...next.status.nodes.values()].filter(({ unguarded }) => unguarded).length;
    assert.equal(flagged, mode === "disarmed" ? 3 : 0);
    if (mode === "disarmed") assert.deepEqual(next.status.services, situation.status.services);
  });
}

Deno.test("of an order to arm and one to disarm the last one counts", () => {
  const both = (mode: "armed" | "disarmed", ...orders: ("arm" | "disarm")[]) =>
    plan(sceneOf({ mode, commands: orders.map((each) => ({ order: each })) })).mode;
  assert.equal(both("armed", "disarm", "arm"), "armed");
  assert.equal(both("armed", "arm", "disarm"), "disarmed");
  assert.equal(both("disarmed", "arm", "disarm"), "disarmed");
  assert.equal(both("disarmed", "disarm", "arm"), "arming");
});
