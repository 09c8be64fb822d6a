import assert from "node:assert/strict";
import { nodeId } from "../../mod/base/id.ts";
import { EPOCH, instant } from "../../mod/base/time.ts";
import { Peer } from "../../mod/heartbeat/peer.ts";
import { ALIVE_MS_MAX, type Beat, HELD_MS_MAX, SEQ_ECHO_MAX } from "../../mod/heartbeat/wire.ts";
import { CLUSTER, life, member, TIMING } from "./world.ts";

const { deadMs } = TIMING;
const BOOT = life(2);

function peer(links = 1, now = 0): Peer {
  return new Peer(member(2, links), instant(now));
}

function hear(on: Peer, seq: number, now: number, link = 0): void {
  assert.ok(on.lives.accept(BOOT, link, seq));
  on.lives.hear(BOOT, link, seq, instant(now));
}

/** A beat that says for how long third nodes were silent. */
function beat(silences: Readonly<Record<number, number>>): Beat {
  return {
    ...{ cluster: CLUSTER, vote: 1, expected: 3, epoch: 1, online: [2] },
    echoes: Object.entries(silences).map(([node, aliveMs]) => ({
      ...{ node: Number(node), boot: "00000000", seq: 1, heldMs: 0, links: 1 },
      ...{ accepted: true, sign: true, aliveMs },
    })),
    ...{ term: 0, index: 0, crc32: 0, load: 0, memory: 0, ioDelay: 0, armed: false },
    ...{ guardMarginMs: 0, diskLocks: 0, resources: 0 },
  };
}

Deno.test("Peer.echo() of one that was never heard says for how long we look out for it", () => {
  assert.deepEqual(peer(1, 100).echo(instant(350), deadMs, true), {
    ...{ node: 2, boot: "00000000", seq: 0, heldMs: HELD_MS_MAX, links: 0, accepted: false },
    ...{ sign: false, aliveMs: 250 },
  });
});

Deno.test("Peer.echo() names beat, links and age; a candidate's beats are no sign of life", () => {
  const two = peer(2);
  hear(two, 7, 100);
  hear(two, 7, 110, 1);
  const echo = { node: 2, boot: BOOT.slice(0, 8), seq: 7, heldMs: 50, links: 3 };
  const asks = { accepted: false, sign: false, aliveMs: 150 };
  assert.deepEqual(two.echo(instant(150), deadMs, true), { ...echo, ...asks });
  two.adopt(BOOT, instant(160));
  two.sign(instant(160));
  hear(two, 8, 170);
  two.sign(instant(170));
  const accepted = { accepted: true, sign: true, aliveMs: 10 };
  assert.deepEqual(two.echo(instant(180), deadMs, true), {
    ...echo,
    seq: 8,
    heldMs: 10,
    ...accepted,
  });
  const behind = two.echo(instant(180), deadMs, false);
  assert.deepEqual(behind, { ...echo, seq: 8, heldMs: 10, ...accepted, accepted: false });
  // Link 1 is silent for deadMs, link 0 not yet.
  const later = two.echo(instant(110 + deadMs), deadMs, true);
  assert.equal(later.links, 1);
});

Deno.test("Peer.echo() cuts figures to what the fields can say", () => {
  const two = peer();
  hear(two, Number.MAX_SAFE_INTEGER, 0);
  two.adopt(BOOT, instant(0));
  two.sign(instant(0));
  const { seq, heldMs, aliveMs } = two.echo(instant(1e13), deadMs, true);
  assert.deepEqual([seq, heldMs, aliveMs], [SEQ_ECHO_MAX, HELD_MS_MAX, ALIVE_MS_MAX]);
});

Deno.test("Peer.echo() counts a pulse that we read, not what others told us", () => {
  const two = peer();
  two.alive(instant(500));
  assert.deepEqual([two.lastHeard, two.echo(instant(600), deadMs, true).aliveMs], [500, 600]);
  two.pulse(instant(550));
  const { sign, aliveMs } = two.echo(instant(600), deadMs, true);
  assert.deepEqual([two.lastHeard, two.lastPulse, sign, aliveMs], [550, 550, true, 50]);
  two.alive(instant(100));
  assert.equal(two.lastHeard, 550, "a sign of life is never taken back");
});

Deno.test("Peer.report() dates a silence so that a delay makes it shorter, never longer", () => {
  const table = [
    // [sent, came, silence reported, quiet since]
    [1000, 1000, 900, 100],
    [1000, 1001, 900, 101],
    [1000, 1400, 900, 500],
    [1000, 1000, 0, 1000],
  ] as const;
  for (const [sent, came, silence, since] of table) {
    const two = peer();
    two.report(beat({ 3: silence }), instant(sent), instant(came));
    assert.deepEqual([two.quietSince(nodeId(3)), two.reportedAt], [since, sent]);
    assert.equal(two.quietSince(nodeId(4)), null, "a node that it does not name");
  }
});

Deno.test("Peer.report() takes nothing that is dated before what it has, and no future", () => {
  const two = peer();
  assert.deepEqual([two.quietSince(nodeId(3)), two.reportedAt], [null, EPOCH]);
  two.report(beat({ 3: 500 }), instant(1000), instant(1000));
  two.report(beat({ 3: 9000 }), instant(999), instant(1200));
  assert.deepEqual([two.quietSince(nodeId(3)), two.reportedAt], [500, 1000]);
  two.report(beat({ 3: 0 }), instant(5000), instant(1300));
  assert.deepEqual([two.quietSince(nodeId(3)), two.reportedAt], [1300, 1300]);
});

Deno.test("Peer.update() keeps links whose address stayed, and the lives", () => {
  const two = peer(2);
  hear(two, 1, 0);
  two.adopt(BOOT, instant(0));
  const [first, second] = two.links;
  const moved = { ...member(2, 3), links: ["10.0.0.2:5405", "10.9.9.9:5405", "10.2.0.2:5405"] };
  two.update(moved);
  assert.equal(two.member, moved);
  assert.equal(two.links.length, 3);
  assert.equal(two.links[0], first);
  assert.notEqual(two.links[1], second);
  assert.equal(two.boot, BOOT);
  assert.equal(two.lives.accept(BOOT, 0, 1), false);
  two.update(member(2, 1));
  assert.equal(two.links.length, 1);
});
