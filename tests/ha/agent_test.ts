/** The agent's share that does not depend on other nodes: bounds, and what a failure means. */
import assert from "node:assert/strict";
import { resourceId } from "../../mod/base/id.ts";
import type { HaEffect } from "../../mod/ha/mod.ts";
import type { FailureScope } from "../../mod/host/ports.ts";
import { Desk, type DeskNode, TIMING } from "./desk.ts";

const WEB = resourceId("exec:web");

function starts(node: DeskNode): Extract<HaEffect, { kind: "start" }>[] {
  return node.take().flatMap((effect) => effect.kind === "start" ? [effect] : []);
}

/** A cluster whose starts do not end by themselves. */
function slow(count: number, file: string): Desk {
  const desk = new Desk(count);
  for (const node of desk.nodes) node.holdStarts = true;
  desk.run(2000);
  desk.write("ha/resources.cfg", file);
  desk.run(1000);
  return desk;
}

const MANY = Array.from({ length: 9 }, (_, at) => `exec: r${at}\n\tcommand run\n`).join("");

Deno.test("no more than max_workers start at a time, four unless the datacenter says otherwise", () => {
  const desk = slow(1, MANY);
  const node = desk.node(0);
  assert.equal(starts(node).length, 4);
  desk.endStarts(node);
  assert.equal(starts(node).length, 4, "the next ones");
  desk.write("datacenter.cfg", "keyboard: de\nmax_workers: 1\n");
  desk.endStarts(node);
  desk.run(1000);
  assert.equal(starts(node).length, 1);
  desk.endStarts(node);
  assert.equal(node.running.size, 9);
});

/** Where a resource that fails like this was tried, and what becomes of it. */
function failing(scope: FailureScope): { tried: string[]; state: string | undefined } {
  const desk = slow(3, "exec: web\n\tcommand run\n\tmax_restart 2\n\tmax_relocate 5\n");
  const tried: string[] = [];
  for (let round = 0; round < 60; round++) {
    for (const node of desk.nodes) {
      if (starts(node).length === 0) continue;
      tried.push(node.name);
      desk.endStarts(node, { failure: "no", scope });
    }
    desk.run(TIMING.haRoundMs);
  }
  const { resources } = desk.node(0).core.view();
  return { tried, state: resources.find(({ id }) => id === WEB)?.state };
}

Deno.test("a failure is tried again here, then elsewhere", () => {
  const { tried, state } = failing("once");
  assert.deepEqual(
    tried.toSorted(),
    ["A", "B", "C"].flatMap((name) => Array(3).fill(`node${name}`)),
  );
  assert.equal(state, "error");
});

Deno.test("a failure of this node is tried elsewhere at once", () => {
  const { tried, state } = failing("node");
  assert.deepEqual(tried.toSorted(), ["nodeA", "nodeB", "nodeC"]);
  assert.equal(state, "error");
});

Deno.test("a failure that is the definition's own is tried nowhere else", () => {
  const { tried, state } = failing("everywhere");
  assert.equal(tried.length, 1);
  assert.equal(state, "error");
});

Deno.test("what is left of a failed resource and does not end is tried again, until it can start anew", () => {
  const desk = new Desk(1);
  desk.run(2000);
  desk.define("on_stop_failure block");
  desk.run(1000);
  const node = desk.node(0);
  assert.ok(node.running.has(WEB));
  node.holdStops = true;
  desk.feed(node, { kind: "exited", id: WEB, how: "exit status 1" });
  desk.endStops(node, "in state D");
  node.take();
  desk.run(4 * TIMING.haRoundMs);
  assert.equal(node.stopping.size, 1, "tried again");
  desk.endStops(node);
  desk.run(4 * TIMING.haRoundMs);
  assert.equal(starts(node).length, 1);
  assert.ok(node.running.has(WEB));
});

Deno.test("an agent's words in any script fit a report", () => {
  const desk = new Desk(1);
  desk.run(2000);
  desk.define("");
  desk.run(1000);
  const node = desk.node(0);
  desk.feed(node, { kind: "exited", id: WEB, how: "läuft nicht ✗ ".repeat(60) });
  const shown = () => node.core.view().resources.find(({ id }) => id === WEB)?.detail ?? "";
  assert.match(shown(), /^its main process ended: läuft nicht ✗/);
  assert.ok(new TextEncoder().encode(shown()).length <= 300);
});
