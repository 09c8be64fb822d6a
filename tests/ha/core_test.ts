/** HaCore.step(): what goes out, in which order, and what must not. */
import assert from "node:assert/strict";
import { nodeId, resourceId } from "../../mod/base/id.ts";
import { reason } from "../../mod/base/reason.ts";
import { instant } from "../../mod/base/time.ts";
import type { HaEffect } from "../../mod/ha/mod.ts";
import { Desk, type DeskNode, TIMING } from "./desk.ts";

const WEB = resourceId("exec:web");

/** Effects that touch the world, in a word each. */
function acts(effects: readonly HaEffect[]): string[] {
  return effects.flatMap((effect) => {
    if (effect.kind === "ask") return [effect.request.request];
    if (effect.kind === "tell") {
      return effect.fact.fact === "ha.vitals" ? [] : [effect.fact.fact];
    }
    return ["say", "frame", "sample"].includes(effect.kind) ? [] : [effect.kind];
  });
}

function running(count = 3): { desk: Desk; node: DeskNode } {
  const desk = new Desk(count);
  desk.run(2000);
  desk.define();
  desk.run(1000);
  const node = desk.node(0);
  assert.deepEqual([...node.running], [WEB]);
  node.take();
  return { desk, node };
}

Deno.test("a tenure begins: the keeper is told first, then the watchdog is opened, then the barrier asked", () => {
  const desk = new Desk(1);
  const node = desk.node(0);
  desk.fact(node, { fact: "heartbeat.proof", provenAt: instant(desk.now) });
  const others = ["list", "config.propose", "ha.clear"];
  const began = acts(node.take()).filter((act) => !others.includes(act));
  assert.deepEqual(began, [
    "guard-until",
    "ha.guard",
    "watchdog-open",
    "config.barrier",
    "watchdog-pet",
  ]);
});

Deno.test("a lapse kills before anything else goes out, and pets nothing", () => {
  const { desk, node } = running();
  node.joined = false;
  desk.now += TIMING.leaseMs + 1;
  desk.feed(node, { kind: "tick" });
  const [first, ...rest] = acts(node.take());
  assert.equal(first, "kill-all");
  assert.ok(!rest.includes("watchdog-pet") && !rest.includes("start"));
  assert.ok(rest.includes("ha.empty") && rest.includes("watchdog-disarm"), "once all is gone");
});

Deno.test("the step that is late kills first, even where it brings the news that would have saved it", () => {
  const { desk, node } = running();
  desk.now += TIMING.leaseMs + 1;
  desk.fact(node, { fact: "heartbeat.proof", provenAt: instant(desk.now - 10) });
  assert.equal(acts(node.take())[0], "kill-all");
});

Deno.test("a lost judgement kills at once, with a tenure or without", () => {
  const { desk, node } = running();
  const lost = { fact: "storage.lost", because: reason("ha.guard-storage-lost") } as const;
  desk.fact(node, lost);
  assert.equal(acts(node.take())[0], "kill-all");
  assert.deepEqual([...node.running], []);
  const fresh = desk.restart(0);
  desk.fact(fresh, lost);
  assert.ok(acts(fresh.take()).includes("kill-all"));
});

Deno.test("nothing starts before the read barrier of this very tenure", () => {
  const { desk, node } = running();
  const again = desk.restart(0);
  node.running.clear();
  // It is heard, and what it has applied says that it runs the resource; nobody answers the barrier.
  again.joined = false;
  desk.apply(again);
  desk.fact(again, { fact: "heartbeat.proof", provenAt: instant(desk.now) });
  const asked = again.take().flatMap((effect) =>
    effect.kind === "ask" && effect.request.request === "config.barrier" ? [effect.request.tag] : []
  );
  desk.feed(again, { kind: "tick" });
  assert.deepEqual([...again.running], []);
  const [tag] = asked;
  assert.ok(tag !== undefined);
  const barrier = { fact: "config.barrier", ok: true, index: desk.log.length } as const;
  desk.fact(again, { ...barrier, tag: "ha:barrier:0:1" });
  assert.deepEqual([...again.running], [], "the answer of another asking");
  desk.fact(again, { ...barrier, tag, ok: false });
  assert.deepEqual([...again.running], [], "a barrier that failed");
  desk.now += TIMING.haRoundMs;
  desk.fact(again, { fact: "heartbeat.proof", provenAt: instant(desk.now) });
  const later = again.take().flatMap((effect) =>
    effect.kind === "ask" && effect.request.request === "config.barrier" ? [effect.request.tag] : []
  );
  assert.equal(later.length, 1, "it is asked for once more");
  desk.fact(again, { ...barrier, tag: later[0] ?? "" });
  assert.deepEqual([...again.running], [WEB]);
});

Deno.test("a node that finds itself in fence starts nothing until the manager takes it back", () => {
  const { desk, node } = running();
  node.joined = false;
  desk.leader = nodeId(2);
  desk.run(TIMING.leaseMs + 2 * TIMING.beatMs);
  assert.deepEqual([...desk.node(1).running], [], "no start before the proof");
  // Back, with a barrier, but the manager's letters do not get through.
  node.joined = true;
  const before = desk.log.length;
  desk.run(2000, false);
  desk.apply(node);
  assert.equal(desk.log.length, before);
  assert.equal(node.core.view().guard.held, true);
  assert.deepEqual([...node.running], []);
  desk.run(2000);
  assert.deepEqual([...node.running], [WEB]);
  assert.deepEqual(desk.broken, []);
});

Deno.test("a node without a watchdog runs nothing before that is written down", () => {
  const desk = new Desk(3);
  desk.node(0).watchdog = null;
  desk.run(400, false);
  desk.define();
  desk.run(3000);
  const { resources, nodes } = desk.node(1).core.view();
  assert.equal(nodes.find(({ node }) => node === 1)?.armed, false);
  assert.equal(resources[0]?.state, "started");
  // Its next life finds one at first and then none: until "none" is written, it starts nothing.
  const armed = desk.restart(0);
  desk.run(2000);
  assert.equal(desk.node(1).core.view().nodes.find(({ node }) => node === 1)?.armed, true);
  armed.running.clear();
  const bare = desk.restart(0);
  bare.watchdog = null;
  desk.run(2000, false);
  assert.deepEqual([...bare.running], []);
  desk.run(2000);
  assert.deepEqual([...bare.running], [WEB]);
});

Deno.test("a failing resource restarts here as often as it may, then it is given up here", () => {
  const { desk, node } = running(1);
  for (const restarts of [1, 0]) {
    node.running.delete(WEB);
    desk.feed(node, { kind: "exited", id: WEB, how: "exit status 1" });
    desk.run(3000);
    const starts = node.take().filter(({ kind }) => kind === "start").length;
    assert.equal(starts, restarts);
  }
  assert.equal(node.core.view().resources[0]?.state, "error");
});

Deno.test("a start that fails clears away what is left before it is tried again", () => {
  const { desk, node } = running(1);
  node.running.delete(WEB);
  desk.feed(node, { kind: "exited", id: WEB, how: "signal 9" });
  assert.deepEqual(acts(node.take()).filter((act) => act === "stop" || act === "start"), ["stop"]);
});

Deno.test("HaCore drains: stops, says that it leaves, disarms, and starts nothing again", () => {
  const { desk, node } = running();
  desk.feed(node, { kind: "request", request: { request: "ha.shutdown", tag: "api:1" } });
  desk.settle();
  const all = acts(node.take());
  const at = (act: string) => all.indexOf(act);
  assert.ok(at("stop") >= 0 && at("stop") < at("watchdog-disarm"));
  assert.ok(at("watchdog-disarm") < at("ha.empty"));
  assert.deepEqual([...node.running], []);
  desk.run(3000);
  assert.ok(!acts(node.take()).includes("start"));
  assert.notEqual(desk.node(1).core.view().dc, node.id, "the lock is given back");
  node.joined = false;
  desk.leader = nodeId(2);
  desk.run(TIMING.leaseMs + TIMING.slackMs + 4 * TIMING.beatMs);
  assert.deepEqual([...desk.node(1).running], [WEB], "its word is believed");
  assert.deepEqual(desk.broken, []);
});

Deno.test("a damaged status decides nothing, starts nothing and stops nothing", () => {
  const { desk, node } = running();
  desk.write("ha/manager_status", "{}");
  desk.run(3000);
  assert.deepEqual([...node.running], [WEB]);
  const all = desk.nodes.flatMap((each) => acts(each.take()));
  assert.ok(!all.includes("stop") && !all.includes("start") && !all.includes("config.propose"));
});

Deno.test("frames that are none change nothing", () => {
  const { desk, node } = running();
  const view = node.core.view();
  for (const bytes of [new Uint8Array(0), new Uint8Array(50).fill(255), new Uint8Array([1])]) {
    desk.feed(node, { kind: "frame", from: nodeId(2), bytes });
  }
  assert.deepEqual(node.core.view(), view);
});

Deno.test("deadline() never lies in the past once a step was made", () => {
  const { desk, node } = running();
  for (let round = 0; round < 50; round++) {
    desk.now += 37;
    desk.feed(node, { kind: "tick" });
    assert.ok(node.core.deadline() > desk.now);
  }
});
