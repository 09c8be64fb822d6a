import assert from "node:assert/strict";
import { bootId, clusterId, nodeId } from "../../mod/base/id.ts";
import { instant, NEVER } from "../../mod/base/time.ts";
import { BLOCK_BYTES } from "../../mod/storage/block.ts";
import { StorageCore } from "../../mod/storage/core.ts";
import { initialRegister } from "../../mod/storage/format.ts";
import {
  decodePulse,
  decodeRegister,
  encodeLabel,
  REGISTER_BLOCK,
  slotOffset,
} from "../../mod/storage/layout.ts";
import { FRESH } from "../../mod/host/linux/lun_state.ts";
import type { WitnessRegister } from "../../mod/streams.ts";
import { bothUp, nodesOf, pairSpec, SETTLE, TIMING, UUID, World } from "./world.ts";

const BEAT = TIMING.beatMs;

function pulseOf(world: World, node: number) {
  const at = slotOffset(node);
  const block = world.data.slice(at, at + BLOCK_BYTES);
  const slot = decodePulse(block, { node: nodeId(node), uuid: UUID });
  assert.equal(slot.found, "ok");
  return slot.found === "ok" ? slot.value : null;
}

function registerOf(world: World): WitnessRegister {
  const at = REGISTER_BLOCK * BLOCK_BYTES;
  const found = decodeRegister(world.data.slice(at, at + BLOCK_BYTES), UUID);
  assert.ok(found.found === "ok");
  return found.value;
}

/** Both nodes up, each knowing the other as online. */
function pair(seed: number) {
  return bothUp(new World(seed));
}

Deno.test("StorageCore.step() registers both nodes under one reservation of type 5", () => {
  const { world, a, b } = pair(1);
  assert.deepEqual(nodesOf(world), [1, 2]);
  assert.equal(world.state.type, 5);
  for (const host of [a, b]) assert.equal(host.core.view().disks[0]?.state, "ready");
  assert.ok(a.said.some((text) => /^scsi_res: key=0x[0-9a-f]{16}, owner=node[AB]/.test(text)));
});

Deno.test("StorageCore.step() tells a peer's pulse and its echo, but no first sight", () => {
  const world = new World(2);
  const b = world.boot(2);
  world.run(SETTLE);
  b.dead = true;
  const a = world.boot(1);
  world.run(SETTLE);
  assert.deepEqual(a.told("storage.pulse"), []);
  const again = world.boot(2, "ab".repeat(8));
  world.run(SETTLE);
  const pulses = a.told("storage.pulse");
  assert.ok(pulses.length >= 5);
  assert.ok(pulses.every(({ boot, node }) => boot === "ab".repeat(8) && node === 2));
  const echoes = a.told("storage.echo");
  assert.ok(echoes.length >= 5);
  const issues = echoes.map(({ issuedAt }) => issuedAt);
  assert.deepEqual(issues, [...issues].sort((x, y) => x - y));
  assert.ok(again.told("storage.echo").length >= 5);
});

Deno.test("StorageCore.step() ejects the key of its own former life", () => {
  const world = new World(3);
  const old = world.boot(1);
  world.run(SETTLE);
  const before = world.state.registrations[0]?.key;
  old.dead = true;
  world.boot(1, "ab".repeat(8));
  world.run(SETTLE);
  assert.equal(world.state.registrations.length, 1);
  assert.notEqual(world.state.registrations[0]?.key, before);
  assert.equal(world.state.type, 5);
});

Deno.test("StorageCore.step() touches no disk of another cluster or without a label", () => {
  for (const label of ["other", "none"]) {
    const world = new World(4);
    const other = clusterId("ff".repeat(16));
    const fields = {
      uuid: UUID,
      clusterName: "other",
      formattedBy: nodeId(1),
      formattedAt: 0,
      group: [],
    };
    if (label === "other") world.data.set(encodeLabel({ ...fields, cluster: other }));
    else world.data.fill(0, 0, BLOCK_BYTES);
    const before = world.data.slice();
    const a = world.boot(1);
    world.run(SETTLE);
    assert.equal(a.core.view().disks[0]?.state, "lost");
    assert.deepEqual(world.data, before);
    assert.deepEqual(world.state, FRESH);
  }
});

Deno.test("StorageCore.step() claims the vote when the peer is down, and proves by pulses", () => {
  const { world, a, b } = pair(5);
  b.dead = true;
  world.member(a, 2, "down");
  const since = world.now;
  world.run(TIMING.claimMs);
  assert.ok(a.held, "within the time that a claim may take");
  const told = a.told("storage.witness");
  assert.equal(told.length, 1);
  assert.deepEqual(told[0]?.register?.set, [1, 2]);
  assert.deepEqual(nodesOf(world), [1]);
  world.run(SETTLE);
  const heard = a.told("storage.witness-heard").map(({ issuedAt }) => issuedAt);
  assert.ok(heard.length >= 5 && heard.every((at) => at >= since));
  world.fact(a, { fact: "config.shared" });
  assert.ok(a.held, "a peer that is not heard yet would only be ejected again");
  world.member(a, 2, "online");
  assert.equal(a.held, false);
  assert.equal(a.told("storage.witness").at(-1)?.held, false);
});

Deno.test("StorageCore.step() claims alone where nobody else is registered", () => {
  const world = new World(5);
  const a = world.boot(1);
  world.run(SETTLE);
  world.member(a, 2, "down");
  world.run(TIMING.claimMs);
  assert.ok(a.held);
  assert.ok(a.codes.has("storage.claim-alone"));
});

Deno.test("StorageCore.step() lets the node with more disk locks go first", () => {
  const { world, a, b } = pair(6);
  world.vitals(b, 3);
  world.run(SETTLE);
  assert.match(a.core.view().verdict, /^nodeB goes first: it holds 3 disk locks, nodeA 0 /);
  assert.equal(b.core.view().verdict, a.core.view().verdict);
  world.member(a, 2, "down", 3);
  world.run(TIMING.headStartMs - 1);
  assert.deepEqual(nodesOf(world), [1, 2], "nodeA waits the head start");
  world.run(TIMING.claimMs);
  assert.ok(a.held, "and goes on where nodeB does not move");
});

Deno.test("StorageCore.step() of the node with more disk locks claims at once", () => {
  const { world, a, b } = pair(7);
  world.vitals(b, 3);
  world.run(SETTLE);
  world.member(a, 2, "down", 3);
  world.member(b, 1, "down");
  world.run(SETTLE);
  assert.ok(b.held);
  assert.equal(a.told("storage.lost").length, 1);
});

Deno.test("StorageCore.step() does not claim where the register names another set", () => {
  const world = new World(7, { set: [1] });
  const a = world.boot(1);
  const b = world.boot(2);
  world.run(SETTLE);
  a.dead = true;
  world.member(b, 1, "down");
  world.run(SETTLE);
  assert.equal(b.held, false);
  assert.deepEqual(nodesOf(world), [1, 2]);
  assert.ok(b.said.some((text) => text.includes("only nodeA may commit")));
});

Deno.test("StorageCore.step() of a race: exactly one wins, whatever the interleaving", () => {
  const winners = new Set<number>();
  for (let seed = 0; seed < 300; seed++) {
    const { world, a, b } = pair(seed);
    world.run(world.prng.between(0, BEAT));
    const [first, second] = world.prng.chance(0.5) ? [a, b] : [b, a];
    world.member(first, second.id, "down", world.prng.between(0, 1));
    world.run(world.prng.between(0, 2 * TIMING.headStartMs));
    world.member(second, first.id, "down", world.prng.between(0, 1));
    world.run(SETTLE);
    const held = [a, b].filter((host) => host.held);
    assert.equal(held.length, 1, `seed ${seed}`);
    const winner = held[0];
    const loser = winner === a ? b : a;
    assert.equal(loser.told("storage.lost").length, 1, `seed ${seed}`);
    assert.equal(winner?.told("storage.lost").length, 0, `seed ${seed}`);
    assert.equal(loser.told("storage.witness-heard").length, 0, `seed ${seed}`);
    assert.deepEqual(nodesOf(world), [Number(winner?.id)], `seed ${seed}`);
    winners.add(Number(winner?.id));
  }
  assert.deepEqual([...winners].sort(), [1, 2], "both are seen to win");
});

Deno.test("StorageCore.step() after a loss writes nothing until nothing runs here", () => {
  const { world, a, b } = pair(8);
  world.member(a, 2, "down");
  world.run(SETTLE);
  assert.equal(b.told("storage.lost").length, 1);
  assert.equal(b.core.view().disks[0]?.state, "unregistered");
  const slot = pulseOf(world, 2);
  world.run(SETTLE);
  assert.deepEqual(pulseOf(world, 2), slot);
  world.empty(b, "ff".repeat(8));
  world.run(SETTLE);
  assert.deepEqual(nodesOf(world), [1], "another life's emptiness is none of ours");
  world.member(a, 2, "isolated");
  world.empty(b, "2".repeat(16));
  world.run(SETTLE);
  assert.deepEqual(nodesOf(world), [1, 2]);
  assert.ok((pulseOf(world, 2)?.seq ?? 0) > (slot?.seq ?? 0));
});

Deno.test("StorageCore.step() of a node that lost unseen does not come back by itself", () => {
  for (let seed = 0; seed < 50; seed++) {
    const { world, a, b } = pair(seed);
    b.cut = true;
    world.run(world.prng.between(0, 3 * BEAT));
    world.member(a, 2, "down");
    world.run(SETTLE);
    assert.ok(a.held);
    world.member(a, 2, "isolated");
    b.cut = false;
    world.run(5 * SETTLE);
    assert.deepEqual(nodesOf(world), [1], `seed ${seed}`);
    assert.equal(b.told("storage.lost").length, 1, `seed ${seed}`);
  }
});

Deno.test("StorageCore.step() comes back to a disk that hung where it was not ejected", () => {
  const { world, b } = pair(9);
  b.cut = true;
  world.run(3 * TIMING.diskCallMs);
  assert.equal(b.core.view().disks[0]?.state, "lost");
  b.cut = false;
  world.run(5 * SETTLE);
  assert.deepEqual(nodesOf(world), [1, 2]);
  assert.equal(b.told("storage.lost").length, 0);
});

Deno.test("StorageCore.step() loses no node when the disk forgets every registration", () => {
  const { world, a, b } = pair(10);
  world.state = FRESH;
  world.run(5 * SETTLE);
  assert.deepEqual(nodesOf(world), [1, 2]);
  assert.equal(a.told("storage.lost").length + b.told("storage.lost").length, 0);
});

Deno.test("StorageCore.step() does not lose over one missing look", () => {
  const { world, a } = pair(11);
  const kept = world.state;
  world.state = {
    ...kept,
    registrations: kept.registrations.filter(({ nexus }) => nexus !== a.nexus),
  };
  world.run(BEAT);
  world.state = kept;
  world.run(SETTLE);
  assert.equal(a.told("storage.lost").length, 0);
  assert.equal(a.core.view().disks[0]?.state, "ready");
});

Deno.test("StorageCore.step() swaps by version, and with the vote only where held", () => {
  const { world, a } = pair(12);
  const there = registerOf(world);
  const next = { ...there, version: there.version + 1, set: [nodeId(1)], subterm: 1 };
  const ask = { request: "storage.swap", expect: there.version, register: next } as const;
  world.request(a, { ...ask, tag: "config:1", held: true });
  world.run(SETTLE);
  assert.deepEqual(registerOf(world), there);
  world.request(a, { ...ask, tag: "config:2", held: false, expect: 1 });
  world.run(SETTLE);
  assert.deepEqual(registerOf(world), there);
  world.member(a, 2, "down");
  world.run(SETTLE);
  world.request(a, { ...ask, tag: "config:3", held: true });
  world.run(SETTLE);
  assert.deepEqual(registerOf(world), next);
  assert.deepEqual(
    a.told("storage.swapped").map(({ tag, ok, register }) => [tag, ok, register?.version]),
    [["config:1", false, 2], ["config:2", false, 2], ["config:3", true, 3]],
  );
});

Deno.test("StorageCore.step() writes no register without a live registration", () => {
  const { world, a, b } = pair(13);
  const there = registerOf(world);
  world.member(a, 2, "down");
  world.run(SETTLE);
  const register = { ...there, version: there.version + 1 };
  world.request(b, {
    request: "storage.swap",
    tag: "config:1",
    expect: there.version,
    held: false,
    register,
  });
  world.run(SETTLE);
  assert.deepEqual(registerOf(world), there);
  assert.equal(b.told("storage.swapped")[0]?.ok, false);
});

Deno.test("StorageCore.step() fences a node: its keys are gone before it is told", () => {
  const { world, a } = pair(14);
  world.request(a, { request: "storage.fence", node: nodeId(2), disks: null });
  world.run(BEAT);
  assert.equal(a.told("storage.fenced")[0]?.node, 2);
  assert.deepEqual(nodesOf(world), [1]);
});

Deno.test("StorageCore.step() leaves last words only when nothing runs here", () => {
  const { world, a } = pair(15);
  world.guard(a, "held");
  world.guard(a, "lapsed");
  world.run(SETTLE);
  assert.equal(pulseOf(world, 1)?.words, "none");
  world.empty(a, "1".repeat(16));
  world.run(SETTLE);
  assert.equal(pulseOf(world, 1)?.words, "self-fenced");
  assert.equal(a.core.view().words, "self-fenced");
  world.guard(a, "held");
  world.run(SETTLE);
  assert.equal(pulseOf(world, 1)?.words, "none");
  world.request(a, { request: "ha.shutdown", tag: "api:1" });
  world.run(SETTLE);
  assert.equal(pulseOf(world, 1)?.words, "none");
  world.empty(a, "1".repeat(16));
  world.run(SETTLE);
  assert.equal(pulseOf(world, 1)?.words, "clean-stop");
});

Deno.test("StorageCore.step() tells words found at the start late, and as old as they are", () => {
  const { world, b } = pair(16);
  world.request(b, { request: "ha.shutdown", tag: "api:1" });
  world.empty(b, "2".repeat(16));
  world.run(SETTLE);
  b.dead = true;
  const a = world.boot(1, "ab".repeat(8));
  const start = world.now;
  world.run(TIMING.deadMs + TIMING.fenceWaitMs);
  assert.deepEqual(a.told("storage.pulse"), []);
  world.run(SETTLE);
  const told = a.told("storage.pulse");
  assert.equal(told.length, 1);
  assert.equal(told[0]?.words, "clean-stop");
  assert.ok((told[0]?.seenAt ?? Infinity) < instant(start + SETTLE));
});

Deno.test("StorageCore.step() without disks is quiet and refuses swaps", () => {
  const options = { self: nodeId(1), boot: bootId("1".repeat(16)), spec: pairSpec(), disks: [] };
  const core = new StorageCore({ ...options, seed: 1 }, instant(0));
  assert.equal(core.deadline(), NEVER);
  const register = initialRegister(nodeId(1));
  const request = { request: "storage.swap", tag: "t", expect: 1, held: false, register } as const;
  assert.deepEqual(core.step({ kind: "request", request }, instant(1)), [
    { kind: "tell", fact: { fact: "storage.swapped", tag: "t", ok: false, register: null } },
  ]);
});

Deno.test("StorageCore.view() says beforehand who would win, and why", () => {
  const { a, b } = pair(18);
  const tie = "nodeA goes first: both hold 0 disk locks, and its node id is lower";
  assert.equal(a.core.view().verdict, tie);
  assert.equal(b.core.view().verdict, tie);
  assert.equal(a.core.view().pulses[0]?.node, 2);
});
