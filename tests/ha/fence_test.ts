/** Storage proof, disk by disk: HaCore asks for it, and takes it for no more than it covers. */
import assert from "node:assert/strict";
import { resourceId } from "../../mod/base/id.ts";
import { reason } from "../../mod/base/reason.ts";
import { Desk, type DeskNode, TIMING } from "./desk.ts";

const WEB = resourceId("exec:web");
const ONE = "1".repeat(32);
const TWO = "2".repeat(32);
const because = reason("storage.fenced", { node: "node", disk: "a disk" });

/** `exec:web` ran on a node that is silent since; the manager is another one. */
function silent(...properties: string[]): { desk: Desk; manager: DeskNode; dead: DeskNode } {
  const desk = new Desk(3);
  desk.run(2000);
  desk.define("recover_on storage", ...properties);
  desk.run(1000);
  const dead = desk.nodes.find(({ running }) => running.has(WEB));
  assert.ok(dead);
  dead.joined = false;
  const manager = desk.nodes.find((node) => node !== dead);
  assert.ok(manager);
  desk.leader = manager.id;
  manager.take();
  desk.run(TIMING.deadMs + 2 * TIMING.beatMs);
  return { desk, manager, dead };
}

function asked(node: DeskNode): (readonly string[] | null)[] {
  return node.take().flatMap((effect) =>
    effect.kind === "ask" && effect.request.request === "storage.fence"
      ? [effect.request.disks]
      : []
  );
}

function runsElsewhere(desk: Desk, dead: DeskNode): boolean {
  return desk.nodes.some((node) => node !== dead && node.running.has(WEB));
}

Deno.test("storage proof is asked for the disks of the resource, and must cover each of them", () => {
  const { desk, manager, dead } = silent(`luns ${ONE},${TWO}`);
  const wanted = asked(manager);
  assert.ok(wanted.length > 0);
  for (const disks of wanted) assert.deepEqual(disks, [ONE, TWO]);
  const fenced = (disks: readonly string[] | null) =>
    desk.fact(manager, { fact: "storage.fenced", node: dead.id, disks, because });
  fenced([ONE]);
  desk.run(2 * TIMING.beatMs);
  assert.equal(runsElsewhere(desk, dead), false, "it lives on another disk too");
  fenced([TWO]);
  desk.run(2 * TIMING.beatMs);
  assert.equal(runsElsewhere(desk, dead), true);
});

Deno.test("a resource that names no disk may live on any: only a proof for all will do", () => {
  const { desk, manager, dead } = silent();
  assert.deepEqual(asked(manager)[0], null);
  desk.fact(manager, { fact: "storage.fenced", node: dead.id, disks: [ONE, TWO], because });
  desk.run(2 * TIMING.beatMs);
  assert.equal(runsElsewhere(desk, dead), false);
  desk.fact(manager, { fact: "storage.fenced", node: dead.id, disks: null, because });
  desk.run(2 * TIMING.beatMs);
  assert.equal(runsElsewhere(desk, dead), true);
});

Deno.test("a proof for all disks of the manager is none for a disk that it does not have", () => {
  const { desk, manager, dead } = silent(`luns ${ONE},${TWO}`);
  const fenced = (disks: readonly string[] | null) =>
    desk.fact(manager, { fact: "storage.fenced", node: dead.id, disks, because });
  fenced([ONE]);
  fenced(null);
  desk.run(2 * TIMING.beatMs);
  assert.equal(runsElsewhere(desk, dead), false);
  fenced([TWO]);
  desk.run(2 * TIMING.beatMs);
  assert.equal(runsElsewhere(desk, dead), true);
});
