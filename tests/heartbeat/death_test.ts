/**
 * Is a silent node dead? What counts as a sign of its life, who vouches for its silence, and what an
 * attacker without the key can reach, who may record, delay and send again.
 */
import assert from "node:assert/strict";
import { instant } from "../../mod/base/time.ts";
import { timingOf } from "../../mod/base/timing.ts";
import { cluster, LATENCY_MS, life, settled, TIMING, World } from "./world.ts";

const { beatMs, deadMs, leaseMs, fenceWaitMs } = TIMING;
const RECOVERY_MS = deadMs + fenceWaitMs;
const BECAUSE = { code: "storage.claimed", args: {} } as const;

Deno.test("recordings of a dead node's former life are no sign of its life, not even to a newcomer", () => {
  const world = new World(cluster(3)).startAll();
  world.run(10 * deadMs);
  const former = world.recorded.filter(({ from, to }) => from === 3 && to === 2);
  world.start(3, 2);
  world.run(5 * beatMs);
  world.kill(3);
  const diedAt = world.now;
  // Node 2 begins a new life: it remembers no windows and no former lives.
  world.start(2, 2);
  const [one] = [world.node(1)];
  for (const packet of former) {
    world.inject([packet]);
    world.run(beatMs);
  }
  assert.ok(world.now - diedAt > 2 * RECOVERY_MS, "the attack went on for long enough");
  assert.equal(one.health(3).state, "down");
  assert.ok(one.health(3).lastHeard <= diedAt + 2 * LATENCY_MS);
  assert.ok(one.silence(3) >= RECOVERY_MS, "and the proof of its death is complete");
  assert.equal(world.node(2).health(3).state, "down");
});

Deno.test("recordings cannot keep a true life from being let in", () => {
  const world = new World(cluster(2));
  const lives = 4;
  for (let nth = 1; nth <= lives; nth++) {
    for (const id of [1, 2]) world.start(id, nth);
    world.run(10 * beatMs);
  }
  const recordings = world.recorded.splice(0);
  for (const id of [1, 2]) world.start(id, lives + 1);
  // After each beat of the true ones, each of their former lives speaks again.
  for (let turn = 0; turn < 2 * lives; turn++) {
    world.run(beatMs / 2);
    world.inject(recordings.filter((_packet, at) => Math.floor(at / 2) % 10 === turn % 10));
    world.run(beatMs / 2);
  }
  for (const [id, other] of [[1, 2], [2, 1]] as const) {
    assert.equal(world.node(id).health(other).state, "online");
    assert.equal(world.node(id).health(other).boot, life(other, lives + 1));
  }
});

Deno.test("a straggler of a life between two is not let in after the newer one", () => {
  const world = settled(2);
  // The second life answers us, and its answers are held back.
  world.lose = ({ from }) => from === 2;
  world.start(2, 2);
  world.run(2 * beatMs);
  const held = world.recorded.filter(({ from, sentAt }) => from === 2 && sentAt > 3100);
  assert.ok(held.length > 0);
  world.mend();
  world.start(2, 3);
  world.run(2 * beatMs);
  assert.equal(world.node(1).health(2).boot, life(2, 3));
  world.inject(held);
  world.run(2 * deadMs);
  assert.equal(world.node(1).health(2).boot, life(2, 3));
  assert.equal(world.node(1).health(2).state, "online");
});

Deno.test("an echo of a life that is not accepted proves nothing to it", () => {
  const world = settled(3);
  world.kill(3);
  world.run(2 * deadMs);
  // It hears everyone, and is heard, but what it says once it has heard them is lost.
  const begins = world.now;
  world.lose = ({ from, sentAt }) => from === 3 && sentAt > begins + beatMs / 2;
  world.start(3, 2);
  world.run(deadMs);
  const heard = world.node(3).core.view().peers.map(({ links }) => links[0]?.heard);
  assert.deepEqual(heard, [true, true], "it knows them alive");
  assert.equal(world.node(3).provenAt, -Infinity);
  // So they may go on counting from its former life.
  assert.equal(world.node(1).health(3).boot, life(3));
  assert.ok(world.node(1).silence(3) >= deadMs);
});

Deno.test("what others hear of a node counts as a sign of its life", () => {
  const world = settled(3);
  world.cut([3, 1], [1, 3]);
  world.run(2 * RECOVERY_MS);
  const { state, lastHeard } = world.node(1).health(3);
  assert.equal(state, "isolated");
  assert.ok(world.now - lastHeard <= 3 * beatMs);
  assert.equal(world.node(1).reasons(3).at(-1), "heartbeat.heard-elsewhere");
  assert.ok(world.node(1).silence(3) < 3 * beatMs);
});

Deno.test("a pulse that another member reads counts, for it feeds the silent one's guard", () => {
  const world = settled(3);
  world.cut([3, 1], [3, 2], [1, 3], [2, 3]);
  // Node 1 has no disk. Nodes 2 and 3 have, and echo each other's pulses there.
  for (let i = 0; i < 2 * RECOVERY_MS / beatMs; i++) {
    world.pulse(2, 3);
    world.run(beatMs);
  }
  assert.equal(world.node(2).reasons(3).at(-1), "heartbeat.isolated");
  assert.equal(world.node(1).health(3).state, "isolated");
  assert.ok(world.node(1).silence(3) < leaseMs, "it is not dead for anybody");
  world.run(RECOVERY_MS + 2 * beatMs);
  assert.ok(world.node(1).silence(3) >= RECOVERY_MS, "until its pulse ends");
});

Deno.test("last words are no sign of life, though a pulse carries them", () => {
  const world = settled(2);
  world.kill(2);
  world.run(2 * deadMs);
  world.pulse(1, 2, "clean-stop");
  world.run(beatMs);
  assert.equal(world.node(1).health(2).state, "down");
});

Deno.test("the date of a node's death does not move, however long it is dead", () => {
  const world = settled(3);
  world.kill(3);
  const diedAt = world.now;
  for (let i = 0; i < 10; i++) {
    world.run(20_000);
    const { lastHeard } = world.node(1).health(3);
    assert.ok(
      lastHeard <= diedAt + 2 * LATENCY_MS && lastHeard > diedAt - 2 * beatMs,
      `${lastHeard - diedAt}`,
    );
    assert.ok(world.now - world.node(1).health(3).vouched < 3 * beatMs, "and it is vouched for");
  }
});

Deno.test("a member that begins anew vouches only for what it has seen since", () => {
  const world = settled(3);
  world.cut([1, 3], [3, 1]);
  world.run(RECOVERY_MS);
  // Node 1 loses touch with node 2 as well, and what it heard of node 3 ends there.
  const before = world.lose;
  world.lose = () => true;
  world.kill(3);
  world.run(RECOVERY_MS);
  world.lose = before;
  const again = world.now;
  world.start(2, 2);
  world.run(5 * beatMs);
  const one = world.node(1);
  assert.equal(one.health(2).state, "online");
  assert.equal(one.health(3).state, "down", "to begin is not to hear");
  // The former life of node 2 may have heard node 3 up to its own end.
  assert.ok(one.silence(3) <= world.now - again);
  world.run(RECOVERY_MS);
  assert.ok(one.silence(3) >= RECOVERY_MS);
});

Deno.test("reports that are old, or were delayed, vouch for nothing: the silent one may be back", () => {
  const world = settled(3);
  const one = world.node(1);
  world.cut([3, 1], [1, 3], [3, 2], [2, 3]);
  world.run(RECOVERY_MS + 3 * beatMs);
  assert.ok(one.silence(3) >= RECOVERY_MS);
  // From here on an attacker holds back all that node 2 says to node 1. Node 3 comes back to node 2.
  const heldFrom = world.now;
  world.lose = ({ from, to }) => from === 2 && to === 1;
  world.run(beatMs / 2);
  world.mend();
  world.cut([3, 1], [1, 3], [2, 1]);
  world.run(deadMs + 2 * beatMs);
  assert.ok(world.node(3).provenAt > heldFrom, "it may own resources again");
  assert.ok(one.silence(3) < 0);
  const held = world.recorded.filter(({ from, to, sentAt }) =>
    from === 2 && to === 1 && sentAt >= heldFrom
  );
  for (const packet of held) {
    world.inject([packet]);
    world.run(beatMs);
    assert.ok(one.silence(3) < RECOVERY_MS - deadMs, `${one.silence(3)}`);
  }
});

Deno.test("a beat that was overtaken takes nothing back of what a newer one said", () => {
  const world = settled(2);
  const vitals = (armed: boolean) => ({
    ...{ load: 0, memory: 0, ioDelay: 0, armed, guardMarginMs: 0, diskLocks: 0, resources: 0 },
  });
  world.fact(2, { fact: "ha.vitals", vitals: vitals(true) });
  world.run(beatMs);
  let held = 0;
  world.lose = ({ from }) => from === 2 && ++held === 1;
  world.run(beatMs);
  const late = world.recorded.filter(({ from }) => from === 2).at(-1);
  world.fact(2, { fact: "ha.vitals", vitals: vitals(false) });
  world.run(2 * beatMs);
  assert.equal(world.node(1).health(2).vitals?.armed, false);
  assert.ok(late !== undefined);
  world.inject([late]);
  world.run(beatMs / 4);
  const lost = world.node(1).core.view();
  assert.equal(lost.refused.replayed, 0, "it is new, and in the window");
  assert.equal(lost.peers[0]?.links[0]?.lost, 0, "late, not lost");
  world.kill(2);
  world.run(2 * beatMs);
  assert.equal(world.node(1).health(2).vitals?.armed, false);
});

Deno.test("a host that was suspended vouches by the witness only up to its last pulse", () => {
  const world = settled(2, 1, true);
  const one = world.node(1);
  world.kill(2);
  world.run(deadMs + 2 * beatMs);
  world.fact(1, { fact: "storage.witness", held: true, register: null, because: BECAUSE });
  world.run(beatMs);
  assert.ok(one.silence(2) < 0, "the vote alone vouches for nothing yet");
  const issuedAt = instant(world.now);
  world.fact(1, { fact: "storage.witness-heard", issuedAt });
  world.run(beatMs);
  assert.equal(one.provenAt, issuedAt);
  assert.equal(one.health(2).vouched, issuedAt);
  one.suspended = true;
  world.run(10 * RECOVERY_MS);
  world.resume(1);
  world.run(beatMs);
  assert.equal(one.health(2).vouched, -Infinity);
  assert.equal(one.provenAt, issuedAt, "and it proves nothing for the time that it slept");
  const sent = world.recorded.filter(({ from, sentAt }) =>
    from === 1 && sentAt > world.now - beatMs
  );
  assert.ok(sent.length <= 2, "what it slept through is not made up for");
});

Deno.test("dates in beats reach further than any wait: 49 days", () => {
  for (const profile of ["standard", "fast"] as const) {
    const timing = timingOf(profile);
    assert.ok(timing.deadMs + timing.fenceWaitMs < 0xffffffff / 1000);
  }
});
