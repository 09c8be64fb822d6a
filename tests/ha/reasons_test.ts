/** Reasons of stream 3 that no story tells: how each comes about. */
import assert from "node:assert/strict";
import { bootId, nodeId, resourceId } from "../../mod/base/id.ts";
import { instant } from "../../mod/base/time.ts";
import { proofReason } from "../../mod/ha/node_plan.ts";
import { plan } from "../../mod/ha/plan.ts";
import { Desk, TIMING } from "./desk.ts";
import { BOOT, type Scene, sceneOf, section, WEB } from "./scene.ts";

function codes(scene: Scene): string[] {
  const { said, status } = plan(sceneOf(scene));
  const decided = [...status.services.values()].flatMap(({ why }) => why?.code ?? []);
  return [...said.map(({ because }) => because.code), ...decided];
}

Deno.test("who fenced itself is dead by its word, and who can write no more by its disk", () => {
  const fence = {
    nodes: { 2: { state: "fence" as const } },
    services: { [WEB]: { state: "fence" as const, node: nodeId(2) } },
    health: { 2: "down" as const },
    silence: TIMING.leaseMs + TIMING.slackMs,
  };
  const at = instant(100_000);
  const words = { 2: { words: "self-fenced" as const, boot: BOOT, at } };
  assert.ok(codes({ ...fence, words }).includes("ha.self-fenced"));
  assert.equal(proofReason(sceneOf(fence), nodeId(2), "storage").code, "ha.storage-proof");
  const other = { 2: { ...words[2], boot: bootId("00000000000000bb") } };
  assert.ok(!codes({ ...fence, words: other }).includes("ha.self-fenced"));
});

Deno.test("who comes after another by a rule says for whom it waits", () => {
  const [db, web] = [section("exec db command=run"), section("exec web command=run")];
  const rules = section("ordering first resources=exec:db,exec:web");
  const scene = {
    resources: db + web,
    rules,
    services: { [resourceId("exec:db")]: { state: "started" as const, node: nodeId(1) } },
    reports: { 1: { "exec:db": "starting" as const } },
  };
  assert.ok(codes(scene).includes("ha.waits-for"));
  const runs = { ...scene, reports: { 1: { "exec:db": "running" as const } } };
  assert.ok(!codes(runs).includes("ha.waits-for"));
});

Deno.test("a kill that leaves something is told, tried again, and nothing is owned meanwhile", () => {
  const desk = new Desk(1);
  desk.run(2000);
  const [node] = desk.nodes;
  assert.ok(node);
  // The desk answers each kill at once; this one ended badly.
  const effects = node.core.step(
    { kind: "fact", fact: { fact: "storage.lost", disk: 0 } as never },
    instant(desk.now),
  );
  const kill = effects.find((effect) => effect.kind === "kill-all");
  assert.ok(kill?.kind === "kill-all");
  const failure = "1 processes do not end: 7";
  const after = node.core.step({ kind: "done", tag: kill.tag, failure }, instant(desk.now));
  const said = after.flatMap((effect) =>
    effect.kind === "say" ? [effect.saying.because?.code] : []
  );
  assert.deepEqual(said, ["ha.guard-stuck"]);
  assert.equal(node.core.view().guard.held, false);
  desk.run(1000);
  assert.ok(node.core.view().guard.held, "the next kill ended well");
});
