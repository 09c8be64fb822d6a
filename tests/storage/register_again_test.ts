/** When a key that is not there is made (again): whole cores on a shared disk. */
import assert from "node:assert/strict";
import { nodeId } from "../../mod/base/id.ts";
import { FRESH } from "../../mod/host/linux/lun_state.ts";
import type { Host } from "./world.ts";
import { bothUp, nodesOf, pairSpec, SETTLE, TIMING, UUIDS, World } from "./world.ts";

const BEAT = TIMING.beatMs;
const FENCE = { request: "storage.fence", node: nodeId(1), disks: null } as const;

/** Both nodes up; something runs on both, and both are heard, until told otherwise. */
function pair(seed: number): { world: World; a: Host; b: Host } {
  const { world, a, b } = bothUp(new World(seed));
  for (const host of [a, b]) world.vitals(host, 1, 1);
  return { world, a, b };
}

function heard(world: World, hosts: readonly Host[], beats: number): void {
  for (let beat = 0; beat < beats; beat++) {
    for (const host of hosts) world.heard(host);
    world.run(BEAT);
  }
}

Deno.test("a fresh life whose former key was ejected waits until nothing runs", () => {
  const { world, a, b } = pair(1);
  a.dead = true;
  world.request(b, FENCE);
  world.run(SETTLE);
  assert.deepEqual(nodesOf(world), [2]);
  const again = world.boot(1, "ab".repeat(8), { clear: false });
  world.vitals(again, 1, 1);
  heard(world, [again], 10);
  assert.deepEqual(nodesOf(world), [2], "what its former life runs may be another's by now");
  assert.equal(again.core.view().disks[0]?.state, "unregistered");
  assert.equal(again.told("storage.lost").length, 1, "and must end");
  world.empty(again, "ab".repeat(8));
  world.run(SETTLE);
  assert.deepEqual(nodesOf(world), [1, 2]);
});

Deno.test("a fresh life whose former key was ejected ends what it took over, gone already or not", () => {
  const world = new World(21);
  const b = world.boot(2);
  const a = world.boot(1);
  world.run(SETTLE);
  a.dead = true;
  world.life(b, 1, "1".repeat(16));
  world.request(b, { request: "storage.fence", node: nodeId(1), disks: null });
  world.run(SETTLE);
  const again = world.boot(1, "ab".repeat(8), { clear: false });
  // Adopted, and gone again before the disk was there to tell of it.
  world.vitals(again, 0, 1);
  world.vitals(again, 0, 0);
  world.run(SETTLE);
  assert.equal(again.core.view().disks[0]?.state, "unregistered");
  assert.equal(again.told("storage.lost").length, 1);
  world.empty(again, "ab".repeat(8));
  world.run(SETTLE);
  assert.equal(again.core.view().disks[0]?.state, "ready");
});

Deno.test("a fresh life whose former key is there takes it over at once, whatever runs", () => {
  const { world, a } = pair(2);
  a.dead = true;
  const again = world.boot(1, "ab".repeat(8), { clear: false });
  world.vitals(again, 1, 1);
  world.run(SETTLE);
  assert.deepEqual(nodesOf(world), [1, 2]);
  assert.equal(again.core.view().disks[0]?.state, "ready");
});

/** Three disks judge; the former life of one was ejected from some of them, and what it ran runs on. */
function restarted(seed: number, ejectedFrom: readonly number[], spec = pairSpec()) {
  const { world, a, b } = bothUp(new World(seed, { disks: 3 }));
  for (const host of [a, b]) world.fact(host, { fact: "config.spec", spec, index: 1 });
  for (const host of [a, b]) world.vitals(host, 1, 1);
  a.dead = true;
  const disks = ejectedFrom.map((at) => UUIDS[at] ?? "");
  world.request(b, { request: "storage.fence", node: nodeId(1), disks });
  world.run(SETTLE);
  const again = world.boot(1, "ab".repeat(8), { clear: false });
  world.fact(again, { fact: "config.spec", spec, index: 1 });
  world.vitals(again, 1, 1);
  return { world, again };
}

Deno.test("a fresh life takes over what runs: where its keys were left on a majority, it is let in again", () => {
  const { world, again } = restarted(31, [0]);
  world.run(SETTLE);
  assert.deepEqual(nodesOf(world, 0), [2], "not before the others are known to hear it");
  heard(world, [again], 10);
  assert.deepEqual([0, 1, 2].map((at) => nodesOf(world, at)), [[1, 2], [1, 2], [1, 2]]);
  assert.deepEqual(again.told("storage.lost"), []);
});

Deno.test("a fresh life takes over what runs: where a majority took its keys, it waits until nothing does", () => {
  const { world, again } = restarted(32, [0, 1]);
  heard(world, [again], 10);
  assert.deepEqual([0, 1, 2].map((at) => nodesOf(world, at)), [[2], [2], [1, 2]]);
  assert.equal(again.told("storage.lost").length > 0, true);
});

Deno.test("a fresh life of three nodes waits: there its resources are given away without a vote", () => {
  const pair = pairSpec();
  const [first] = pair.members;
  assert.ok(first !== undefined);
  const third = { ...first, id: nodeId(3), name: "nodeC", links: ["c:1"], peer: "c:2" };
  const { world, again } = restarted(33, [0], { ...pair, members: [...pair.members, third] });
  heard(world, [again], 10);
  assert.deepEqual([0, 1, 2].map((at) => nodesOf(world, at)), [[2], [1, 2], [1, 2]]);
});

Deno.test("a fresh life comes late to a disk that its former one lost, and is let in with what it runs", () => {
  for (const [kept, there] of [[true, [1, 2]], [false, [2]]] as const) {
    const { world, a, b } = bothUp(new World(34, { disks: 3 }));
    a.dead = true;
    world.request(b, { request: "storage.fence", node: nodeId(1), disks: [...UUIDS] });
    world.run(SETTLE);
    const again = world.boot(1, "ab".repeat(8));
    again.cutDisks.add(0);
    heard(world, [again], 10);
    assert.deepEqual([0, 1, 2].map((at) => nodesOf(world, at)), [[2], [1, 2], [1, 2]]);
    world.vitals(again, 1, 1);
    // Nobody is known to hear it for a while: what it runs may have been given away.
    world.run(SETTLE);
    const disks = [UUIDS[1] ?? "", UUIDS[2] ?? ""];
    if (!kept) world.request(b, { request: "storage.fence", node: nodeId(1), disks });
    world.run(SETTLE);
    again.cutDisks.delete(0);
    heard(world, [again], 20);
    assert.deepEqual(nodesOf(world, 0), there, kept ? "but nobody won over it" : "as it was");
  }
});

/** Two of three targets forget everybody while `a`, which runs something, does not reach them. */
function forgotten(seed: number, { unheard }: { readonly unheard: boolean }) {
  const { world, a, b } = bothUp(new World(seed, { disks: 3 }));
  for (const host of [a, b]) world.vitals(host, 1, 1);
  heard(world, [a, b], 5);
  for (const at of [1, 2]) a.cutDisks.add(at);
  heard(world, unheard ? [b] : [a, b], 2);
  for (const at of [1, 2]) world.disk(at).state = FRESH;
  heard(world, unheard ? [b] : [a, b], unheard ? 20 : 3);
  world.request(b, { request: "storage.fence", node: nodeId(1), disks: [UUIDS[0] ?? ""] });
  heard(world, unheard ? [b] : [a, b], 3);
  assert.deepEqual([0, 1, 2].map((at) => nodesOf(world, at)), [[2], [2], [2]]);
  a.cutDisks.clear();
  heard(world, [a, b], 20);
  return world;
}

Deno.test("a key that a target forgot while its disk was lost does not count as kept", () => {
  const world = forgotten(36, { unheard: true });
  assert.deepEqual([0, 1, 2].map((at) => nodesOf(world, at)), [[2], [1, 2], [1, 2]]);
});

Deno.test("but it does where the others heard us all the while: nobody called us dead", () => {
  const world = forgotten(37, { unheard: false });
  assert.deepEqual([0, 1, 2].map((at) => nodesOf(world, at)), [[1, 2], [1, 2], [1, 2]]);
});

Deno.test("a node that never was on a disk is there at once, unheard only where nothing runs", () => {
  for (const [runs, isHeard, there] of [[0, false, true], [1, true, true], [1, false, false]]) {
    const world = new World(3);
    const a = world.boot(1, undefined, { clear: runs === 0 });
    world.vitals(a, 0, Number(runs));
    heard(world, isHeard ? [a] : [], 5);
    world.run(BEAT);
    assert.deepEqual(nodesOf(world), there ? [1] : [], `${runs} ${isHeard}`);
  }
});

Deno.test("a registration that the target forgot is repaired, with everything running", () => {
  const { world, a, b } = pair(4);
  heard(world, [a, b], 5);
  world.state = FRESH;
  heard(world, [a, b], 10);
  assert.deepEqual(nodesOf(world), [1, 2]);
  assert.deepEqual([...a.told("storage.lost"), ...b.told("storage.lost")], []);
  assert.ok(a.said.some((text) => text.includes("lost every registration")));
  assert.ok(a.codes.has("storage.forgotten") && a.codes.has("storage.ready"));
  assert.ok(a.codes.has("storage.pulse-seen"));
});

Deno.test("a registration that the target forgot is not repaired by a node that nobody hears", () => {
  const { world, a, b } = pair(5);
  heard(world, [a, b], 5);
  heard(world, [b], 8);
  world.state = FRESH;
  heard(world, [b], 10);
  assert.deepEqual(nodesOf(world), [2]);
  assert.deepEqual(a.told("storage.lost"), [], "its guard ends by itself");
  world.empty(a, "1".repeat(16));
  world.run(SETTLE);
  assert.deepEqual(nodesOf(world), [1, 2]);
});

Deno.test("a registration that was cleared is told from an ejection though the other is back first", () => {
  const { world, a, b } = pair(6);
  heard(world, [a, b], 5);
  a.cutDisks.add(0);
  world.state = FRESH;
  heard(world, [a, b], 2);
  a.cutDisks.clear();
  heard(world, [a, b], 15);
  assert.deepEqual(nodesOf(world), [1, 2]);
  assert.deepEqual(a.told("storage.lost"), []);
});

Deno.test("a fence tells each disk by itself, and a disk that is not there not at all", () => {
  const world = new World(7, { disks: 3, data: 2 });
  const a = world.boot(1);
  world.boot(2);
  world.run(SETTLE);
  world.request(a, {
    request: "storage.fence",
    node: nodeId(2),
    disks: [UUIDS[1] ?? "", "f".repeat(32)],
  });
  world.run(SETTLE);
  assert.deepEqual(a.told("storage.fenced").map(({ disks }) => disks), [[UUIDS[1]]]);
  assert.ok(a.said.includes(`nodeB is not ejected: the disk ${"f".repeat(32)} is not there`));
  assert.deepEqual(world.disk(0).state.registrations.length, 2);
});

Deno.test("a fence of all disks names them, and ends in nothing where its node is heard", () => {
  for (const heard of [false, true]) {
    const world = new World(7, { disks: 2, data: 1 });
    const a = world.boot(1);
    world.boot(2);
    world.run(SETTLE);
    world.member(a, 2, "down");
    world.request(a, { request: "storage.fence", node: nodeId(2), disks: null });
    world.run(1);
    if (heard) world.member(a, 2, "online");
    world.run(SETTLE);
    const told = a.told("storage.fenced").map(({ disks }) => disks);
    assert.deepEqual(told, heard ? [] : [[UUIDS[0], UUIDS[1]], null]);
  }
});

Deno.test("a pill ends the life that it was left for, once, and no other", () => {
  const { world, a, b } = pair(8);
  world.life(a, 2, "2".repeat(16));
  world.request(a, { request: "storage.fence", node: nodeId(2), disks: ["f".repeat(32)] });
  world.run(SETTLE);
  assert.equal(b.told("storage.lost").length, 1);
  assert.ok(b.said.includes("pill read"));
  world.run(SETTLE);
  assert.equal(b.told("storage.lost").length, 1);
  b.dead = true;
  const again = world.boot(2, "ab".repeat(8));
  world.run(SETTLE);
  assert.deepEqual(again.told("storage.lost"), []);
  assert.deepEqual(a.told("storage.lost"), []);
  assert.ok(a.codes.has("storage.pill-left") && b.codes.has("storage.pill-read"));
});

Deno.test("a pill is taken back when its reader is heard again", () => {
  const { world, a, b } = pair(9);
  b.cut = true;
  world.life(a, 2, "2".repeat(16));
  world.request(a, { request: "storage.fence", node: nodeId(2), disks: ["f".repeat(32)] });
  world.run(SETTLE);
  world.member(a, 2, "online");
  world.run(SETTLE);
  b.cut = false;
  world.run(SETTLE);
  assert.deepEqual(b.told("storage.lost"), []);
});

Deno.test("a disk without COMPARE AND WRITE keeps the register by the registration alone", () => {
  const { world, a, b } = pair(10);
  world.plain = true;
  b.dead = true;
  world.member(a, 2, "down");
  world.run(SETTLE);
  const [told] = a.told("storage.witness");
  assert.ok(told?.register);
  const register = { ...told.register, version: told.register.version + 1, set: [nodeId(1)] };
  const expect = told.register.version;
  world.request(a, { request: "storage.swap", tag: "t", expect, held: true, register });
  world.run(SETTLE);
  assert.equal(a.told("storage.swapped")[0]?.ok, true);
});

Deno.test("of two that fence each other one is told, and it is the one that is left", () => {
  const left = new Set<number>();
  for (let seed = 0; seed < 60; seed++) {
    const { world, a, b } = pair(seed);
    world.run(world.prng.between(0, BEAT));
    const [first, second] = world.prng.chance(0.5) ? [a, b] : [b, a];
    world.request(first, { request: "storage.fence", node: second.id, disks: null });
    world.run(world.prng.between(0, 30));
    world.request(second, { request: "storage.fence", node: first.id, disks: null });
    world.run(SETTLE);
    const told = [a, b].filter((host) => host.told("storage.fenced").length > 0);
    assert.deepEqual(told.map(({ id }) => Number(id)), nodesOf(world), `seed ${seed}`);
    left.add(Number(told[0]?.id));
  }
  assert.equal(left.size, 2, "either may be left");
});

Deno.test("nothing is written to a register without registration and reservation", () => {
  for (const kept of ["nothing", "registrations"]) {
    const { world, a } = pair(12);
    const { registrations } = world.state;
    const before = world.data.slice(4096, 8192);
    world.state = { ...FRESH, registrations: kept === "nothing" ? [] : registrations };
    const register = {
      ...{ version: 3, term: 1, vote: null, subterm: 1, set: [nodeId(1)] },
      ...{ lastTerm: 1, lastIndex: 1 },
    };
    world.request(a, { request: "storage.swap", tag: "t", expect: 2, held: false, register });
    world.run(BEAT / 2);
    assert.equal(a.told("storage.swapped")[0]?.ok, false, kept);
    assert.deepEqual(world.data.slice(4096, 8192), before);
  }
});
