/** Several disks that judge together, and disks that only hold data. */
import assert from "node:assert/strict";
import { nodeId } from "../../mod/base/id.ts";
import { FRESH } from "../../mod/host/linux/lun_state.ts";
import { BLOCK_BYTES } from "../../mod/storage/block.ts";
import { decodeStored, encodeRegister, REGISTER_BLOCK } from "../../mod/storage/layout.ts";
import type { Host } from "./world.ts";
import { bothUp, nodesOf, SETTLE, TIMING, UUIDS, World } from "./world.ts";

const BEAT = TIMING.beatMs;
const AT = REGISTER_BLOCK * BLOCK_BYTES;

function storedOf(world: World, at: number) {
  const { data, uuid } = world.disk(at);
  const found = decodeStored(data.slice(AT, AT + BLOCK_BYTES), uuid);
  assert.ok(found.found === "ok");
  return found.value;
}

/** Both nodes up on three disks that judge together. */
function trio(seed: number, shape: { disks?: number; data?: number } = {}) {
  return bothUp(new World(seed, { disks: 3, ...shape }));
}

function cut(world: World, a: Host, b: Host): void {
  world.member(a, 2, "down");
  world.member(b, 1, "down");
}

function narrow(world: World, host: Host, version: number, tag = "config:1"): void {
  const register = { ...storedOf(world, 0).register, version: version + 1, set: [host.id] };
  world.request(host, { request: "storage.swap", tag, expect: version, held: true, register });
}

Deno.test("three disks: a majority is the vote, and begins an epoch on a majority", () => {
  const { world, a, b } = trio(1);
  b.dead = true;
  world.member(a, 2, "down");
  world.run(SETTLE);
  assert.ok(a.held);
  for (const at of [0, 1, 2]) {
    assert.deepEqual(nodesOf(world, at), [1]);
    assert.equal(storedOf(world, at).ballot.epoch, 0);
  }
  narrow(world, a, 2);
  world.run(SETTLE);
  for (const at of [0, 1, 2]) {
    assert.equal(storedOf(world, at).ballot.epoch, 1);
    assert.deepEqual(storedOf(world, at).register.set, [1]);
  }
  assert.ok(a.told("storage.witness-heard").length >= 5);
  assert.match(a.core.view().verdict, /2 of 3 witness disks decide, 3 answer$/);
});

Deno.test("three disks: of two that race one wins a majority, whatever the interleaving", () => {
  const winners = new Set<number>();
  for (let seed = 0; seed < 16; seed++) {
    const { world, a, b } = trio(seed);
    for (const host of [a, b]) {
      if (world.prng.chance(0.3)) host.cutDisks.add(world.prng.between(0, 2));
    }
    world.run(world.prng.chance(0.5) ? 2 * SETTLE : world.prng.between(0, BEAT));
    const [first, second] = world.prng.chance(0.5) ? [a, b] : [b, a];
    world.member(first, second.id, "down");
    world.run(world.prng.between(0, 2 * TIMING.headStartMs));
    world.member(second, first.id, "down");
    let both = 0;
    for (let at = 0; at < 3 * SETTLE; at += 20) {
      world.run(20);
      if (a.held && b.held) both += 1;
    }
    const held = [a, b].filter((host) => host.held);
    // The loser may take a beat to see that it lost what it had won of the disks.
    assert.ok(
      held.length <= 1 && both * 20 <= 3 * BEAT,
      `seed ${seed}: both held for ${both * 20} ms`,
    );
    if (held[0] === undefined) continue;
    winners.add(held[0].id);
    const lost = [a, b].find((host) => host !== held[0]);
    assert.equal(held[0].told("storage.lost").length, 0, `seed ${seed}`);
    const seats = [0, 1, 2].filter((at) => nodesOf(world, at).join() === String(held[0]?.id));
    assert.ok(seats.length >= 2, `seed ${seed}: ${lost?.id} is gone from a majority`);
  }
  assert.deepEqual([...winners].sort(), [1, 2], "either may win");
});

Deno.test("three disks: both race, and what the two may write of the register never crosses", () => {
  for (let seed = 0; seed < 6; seed++) {
    const { world, a, b } = trio(seed);
    world.plain = seed % 2 === 0;
    cut(world, a, b);
    for (let at = 0; at < 2 * SETTLE; at += 20) {
      world.run(20);
      for (const host of [a, b]) if (host.held) narrow(world, host, 2, `${host.id}:${at}`);
    }
    const wrote = [a, b].filter((host) => host.told("storage.swapped").some(({ ok }) => ok));
    assert.ok(
      wrote.length === 1,
      `seed ${seed}: ${wrote.length} nodes were told that they may commit`,
    );
    const sets = [0, 1, 2].map((at) => storedOf(world, at).register.set.join());
    assert.ok(
      sets.filter((set) => set === String(wrote[0]?.id)).length >= 2,
      `seed ${seed}: ${sets}`,
    );
  }
});

Deno.test("three disks: a race stops at the first one lost", () => {
  const { world, a, b } = trio(13);
  b.dead = true;
  // The other side was here first, and died before it came to the next.
  const { state } = world.disk(0);
  const registrations = state.registrations.filter(({ nexus }) => nexus !== a.nexuses[0]);
  const holder = registrations[0]?.nexus ?? null;
  world.disk(0).state = { ...state, generation: state.generation + 1, registrations, holder };
  world.member(a, 2, "down");
  world.run(SETTLE);
  assert.equal(a.held, false);
  for (const at of [1, 2]) assert.deepEqual(nodesOf(world, at), [1, 2]);
  assert.equal(a.told("storage.lost").length, 1, "whoever raced and lost has lost");
});

Deno.test("three disks: who is registered on one of them only claims nothing", () => {
  const { world, a, b } = trio(4);
  a.cutDisks.add(0).add(1);
  world.run(2 * SETTLE);
  cut(world, a, b);
  b.dead = true;
  world.run(2 * SETTLE);
  assert.equal(a.held, false);
  assert.deepEqual(nodesOf(world, 2), [1, 2], "and ejects nobody from it");
  assert.ok(a.said.includes("claim lost: 1 of 3 witness disks answer, 2 are needed"));
  assert.match(a.core.view().verdict, /^nodeA cannot go on: 1 of 3 witness disks answer/);
});

Deno.test("three disks: the loss of one is shown, and decides nothing", () => {
  const { world, a, b } = trio(5);
  a.cutDisks.add(1);
  world.run(3 * SETTLE);
  assert.deepEqual([...a.told("storage.lost"), ...b.told("storage.lost")], []);
  assert.equal(a.core.view().degraded.length, 1);
  assert.match(a.core.view().degraded[0] ?? "", /^\/lun1 is lost: hung/);
  assert.deepEqual(b.core.view().degraded, []);
  assert.match(a.core.view().verdict, /^nodeA goes first.*2 of 3 witness disks decide, 2 answer$/);
  b.dead = true;
  world.member(a, 2, "down");
  world.run(2 * TIMING.claimMs);
  assert.ok(a.held, "and a majority is won without it, in time");
  const before = a.told("storage.witness-heard").length;
  a.cutDisks.clear();
  world.run(2 * SETTLE);
  assert.deepEqual(nodesOf(world, 1), [1], "which is cleared of the loser when it is back");
  a.cutDisks.add(0);
  world.run(3 * SETTLE);
  assert.ok(a.held, "so that the loss of another one is borne too");
  assert.ok(a.told("storage.witness-heard").length > before + 10);
});

Deno.test("three disks: with one of them left the vote is gone", () => {
  const { world, a, b } = trio(6);
  b.dead = true;
  world.member(a, 2, "down");
  world.run(SETTLE);
  assert.ok(a.held);
  a.cutDisks.add(0).add(2);
  world.run(3 * SETTLE);
  assert.equal(a.held, false);
  const last = a.told("storage.witness-heard").at(-1)?.issuedAt ?? 0;
  assert.ok(last < world.now - SETTLE, "and nothing is heard by it");
});

Deno.test("three disks: what only one of them heard is not heard", () => {
  const { world, a, b } = trio(14);
  b.dead = true;
  world.member(a, 2, "down");
  world.run(SETTLE);
  assert.ok(a.held);
  a.cutDisks.add(0).add(2);
  const cutAt = world.now;
  // They hang, and are not known to be lost yet.
  world.run(TIMING.diskCallMs - BEAT);
  assert.ok(a.held);
  const last = a.told("storage.witness-heard").at(-1)?.issuedAt ?? Infinity;
  assert.ok(last <= cutAt, "though the third heard all of it");
});

Deno.test("three disks: taken away from one, a node has not lost; from two, it has", () => {
  const { world, a, b } = trio(7);
  world.request(b, { request: "storage.fence", node: nodeId(1), disks: [UUIDS[0] ?? ""] });
  world.vitals(a, 1, 1);
  world.run(SETTLE);
  assert.equal(b.told("storage.fenced").length, 1);
  assert.deepEqual(a.told("storage.lost"), []);
  assert.deepEqual(nodesOf(world, 0), [2], "and does not register while something runs");
  world.member(a, 2, "down");
  world.run(SETTLE);
  assert.equal(a.held, false, "nor does it race for the rest");
  assert.deepEqual(nodesOf(world, 1), [1, 2]);
  world.request(b, { request: "storage.fence", node: nodeId(1), disks: [UUIDS[1] ?? ""] });
  world.run(SETTLE);
  assert.equal(a.told("storage.lost").length, 1);
});

Deno.test("three disks: a register that one of them missed is not what counts", () => {
  const { world, a, b } = trio(8);
  b.dead = true;
  a.cutDisks.add(2);
  world.run(2 * SETTLE);
  world.member(a, 2, "down");
  world.run(SETTLE);
  narrow(world, a, 2);
  world.run(SETTLE);
  assert.equal(a.told("storage.swapped")[0]?.ok, true);
  assert.deepEqual(storedOf(world, 2).register.set, [1, 2], "it lay out of reach");
  a.dead = true;
  const again = world.boot(2, "ab".repeat(8));
  again.cutDisks.add(0);
  world.run(2 * SETTLE);
  world.member(again, 1, "down");
  world.run(2 * SETTLE);
  assert.equal(again.held, false);
  assert.ok(
    again.said.some((text) => text.includes("only nodeA may commit")),
    again.said.join("\n"),
  );
});

Deno.test("three disks: what was half written is kept for good or never seen again", () => {
  const { world, a, b } = trio(9);
  a.dead = true;
  // Node 1 had the vote in epoch 4 and died over its next write, which reached one disk.
  const old = { epoch: 4, key: "c0ffee0000010009" };
  for (const at of [0, 1, 2]) {
    const { data, uuid } = world.disk(at);
    const { register } = storedOf(world, at);
    const half = {
      ...register,
      version: at === 0 ? 3 : 2,
      set: at === 0 ? [nodeId(1)] : register.set,
    };
    data.set(encodeRegister(half, uuid, old), AT);
  }
  b.cutDisks.add(0);
  world.run(2 * SETTLE);
  world.member(b, 1, "down");
  world.run(2 * SETTLE);
  assert.ok(b.held);
  narrow(world, b, 2);
  world.run(SETTLE);
  assert.equal(b.told("storage.swapped").at(-1)?.ok, true);
  assert.deepEqual(storedOf(world, 1), { ...storedOf(world, 2) });
  assert.equal(storedOf(world, 1).ballot.epoch, 5);
  b.dead = true;
  const again = world.boot(1, "cd".repeat(8));
  world.run(SETTLE);
  world.member(again, 2, "down");
  world.run(2 * SETTLE);
  assert.equal(again.held, false, "the newer epoch counts, not the version");
  assert.ok(again.said.some((text) => text.includes("only nodeB may commit")));
});

Deno.test("the winner alone ejects the loser from disks that only hold data", () => {
  const { world, a, b } = trio(10, { data: 2 });
  for (const at of [0, 1, 2]) assert.deepEqual(nodesOf(world, at), [1, 2]);
  assert.deepEqual(a.core.view().disks.map(({ role }) => role), ["witness", "data", "data"]);
  cut(world, a, b);
  world.run(SETTLE);
  assert.ok(a.held);
  for (const at of [0, 1, 2]) assert.deepEqual(nodesOf(world, at), [1]);
});

Deno.test("two disks: the named one alone decides", () => {
  const { world, a, b } = trio(11, { disks: 2 });
  a.cutDisks.add(1);
  world.run(2 * SETTLE);
  cut(world, a, b);
  world.run(SETTLE);
  assert.ok(a.held);
  assert.equal(b.told("storage.lost").length, 1);
});

Deno.test("three disks: all forget every registration, and nobody is lost", () => {
  const { world, a, b } = trio(12);
  for (const host of [a, b]) world.vitals(host, 1, 1);
  for (const at of [0, 1, 2]) world.disk(at).state = FRESH;
  for (let beat = 0; beat < 20; beat++) {
    world.run(BEAT);
    for (const host of [a, b]) world.heard(host);
  }
  for (const at of [0, 1, 2]) assert.deepEqual(nodesOf(world, at), [1, 2]);
  assert.deepEqual([...a.told("storage.lost"), ...b.told("storage.lost")], []);
});
