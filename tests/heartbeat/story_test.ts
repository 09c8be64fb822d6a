/**
 * Stories of stream 1 with several nodes: views, links, proofs, and who is a member.
 */
import assert from "node:assert/strict";
import { instant } from "../../mod/base/time.ts";
import { cluster, life, member, settled, TIMING, World } from "./world.ts";

const { beatMs, deadMs } = TIMING;
const BECAUSE = { code: "storage.claimed", args: {} } as const;

Deno.test("all nodes of a healthy cluster agree on one view and prove themselves each beat", () => {
  for (const count of [1, 2, 3, 5]) {
    const world = settled(count);
    const all = world.spec.members.map(({ id }) => id);
    for (const id of all) {
      const { view, provenAt } = world.node(id);
      assert.deepEqual(view.online, all);
      assert.deepEqual([view.quorate, view.installed], [true, true]);
      assert.equal(view.epoch, world.node(1).view.epoch);
      assert.ok(world.now - provenAt <= 2 * beatMs, `${count} nodes: ${world.now - provenAt}`);
    }
  }
});

Deno.test("a beat proves its sender from when it was sent, never from when its echo came", () => {
  const world = settled(3);
  world.cut([1, 2], [1, 3]);
  const cutAt = world.now;
  world.run(2 * deadMs);
  // Echoes go on coming, and all are of beats that were sent before the cut.
  assert.ok(world.node(1).provenAt <= cutAt);
  assert.ok(world.node(1).provenAt >= cutAt - 2 * beatMs);
});

Deno.test("a link that works in one direction is down for both, and told as one-way", () => {
  const world = settled(2);
  world.cut([1, 2]);
  const cutAt = world.now;
  world.run(deadMs + 3 * beatMs);
  const [one, two] = [world.node(1), world.node(2)];
  const [deaf] = one.facts.filter((fact) => fact.fact === "heartbeat.link" && !fact.up);
  assert.ok(deaf?.fact === "heartbeat.link" && deaf.at > cutAt);
  assert.equal(deaf.because.code, "heartbeat.link-one-way");
  assert.ok(deaf.at - cutAt <= deadMs + 2 * beatMs, "as soon as the other side says so");
  assert.equal(one.health(2).state, "isolated");
  assert.equal(one.reasons(2).at(-1), "heartbeat.link-one-way");
  assert.equal(two.health(1).state, "down");
  const silent = two.facts.findLast((fact) => fact.fact === "heartbeat.link");
  assert.ok(silent?.fact === "heartbeat.link" && silent.because.code === "heartbeat.link-down");
  for (const node of [one, two]) assert.equal(node.view.quorate, false);
});

Deno.test("one of two links is lost: the member stays online, the link is told", () => {
  const world = settled(2, 2);
  world.lose = ({ link, from }) => link === 1 && from === 1;
  world.run(2 * deadMs + 2 * beatMs);
  for (const node of [world.node(1), world.node(2)]) {
    const other = node.id === 1 ? 2 : 1;
    assert.equal(node.health(other).state, "online");
    const links = node.core.view().peers[0]?.links.map(({ up }) => up);
    assert.deepEqual(links, [true, false]);
  }
  world.mend();
  world.run(3 * beatMs);
  const links = world.node(1).core.view().peers[0]?.links;
  assert.deepEqual(links?.map(({ up }) => up), [true, true]);
  for (const { rttMs } of links ?? []) assert.ok(rttMs !== null && rttMs < 5, `${rttMs}`);
});

Deno.test("a round trip is not measured by an echo of long ago", () => {
  const world = new World({ ...cluster(2), profile: "standard" }).startAll();
  world.run(10_000);
  world.cut([1, 2]);
  // An echo says for how long it was held up to 65 s; 256 beats are remembered, for 256 s.
  world.run(200_000);
  const rtt = world.node(1).core.view().peers[0]?.links[0]?.rttMs ?? Infinity;
  assert.ok(rtt < 5, `${rtt}`);
});

Deno.test("a peer that was suspended comes back in the same life, its old beats prove nothing new", () => {
  const world = settled(3);
  const three = world.node(3);
  three.suspended = true;
  const sleptAt = world.now;
  world.run(3 * deadMs);
  assert.equal(world.node(1).health(3).state, "down");
  world.resume(3);
  world.run(1);
  assert.ok(three.provenAt <= sleptAt, "what waited in its socket echoes beats of before");
  world.run(4 * beatMs);
  assert.equal(world.node(1).health(3).state, "online");
  assert.equal(world.node(1).health(3).boot, life(3));
  assert.ok(three.provenAt > sleptAt + 3 * deadMs);
});

Deno.test("the witness vote that left proves nothing, and is not listened to", () => {
  const world = settled(2, 1, true);
  const one = world.node(1);
  world.kill(2);
  world.run(2 * deadMs);
  const heard = () =>
    world.fact(1, { fact: "storage.witness-heard", issuedAt: instant(world.now) });
  const before = one.provenAt;
  heard();
  assert.equal(one.provenAt, before, "the vote is not ours");
  world.fact(1, { fact: "storage.witness", held: true, register: null, because: BECAUSE });
  heard();
  assert.equal(one.provenAt, world.now);
  assert.equal(one.view.quorate, true);
  world.fact(1, { fact: "storage.witness", held: false, register: null, because: BECAUSE });
  world.run(beatMs);
  heard();
  assert.ok(one.provenAt < world.now);
  assert.equal(one.view.quorate, false);
});

Deno.test("a member that was removed is a stranger: neither its beats nor its echoes count", () => {
  const world = settled(3);
  const one = world.node(1);
  const spec = { ...world.spec, members: [member(1), member(2), member(4)] };
  world.fact(1, { fact: "config.spec", spec, index: 9 });
  world.kill(2);
  const { stranger } = one.core.view().refused;
  const before = one.provenAt;
  world.run(2 * deadMs);
  assert.ok(one.core.view().refused.stranger > stranger);
  assert.deepEqual(one.view.online, [1]);
  const [echo, pulse] = [world.node(3), world.node(3).id];
  world.fact(1, { fact: "storage.echo", by: echo.id, issuedAt: instant(world.now) });
  world.pulse(1, pulse);
  assert.ok(one.provenAt <= before + 2 * beatMs);
  assert.deepEqual(one.core.view().peers.map(({ node }) => node), [2, 4]);
});

Deno.test("a removed host sees the others go", () => {
  const world = settled(3);
  const one = world.node(1);
  const spec = { ...world.spec, members: [member(2), member(3)] };
  for (const id of [1, 2, 3]) world.fact(id, { fact: "config.spec", spec, index: 9 });
  world.run(3 * deadMs);
  assert.deepEqual(one.view.online, []);
  assert.equal(one.view.quorate, false);
  assert.deepEqual(world.node(2).view.online, [2, 3]);
});

Deno.test("a member that just joined is unknown, not isolated; one that never comes is down", () => {
  const world = settled(2);
  const one = world.node(1);
  const spec = { ...world.spec, members: [...world.spec.members, member(3)] };
  for (const id of [1, 2]) world.fact(id, { fact: "config.spec", spec, index: 9 });
  world.run(deadMs / 2);
  assert.ok(!one.facts.some((fact) => fact.fact === "heartbeat.member" && fact.health.node === 3));
  world.run(deadMs);
  assert.equal(one.health(3).state, "down");
  assert.equal(one.reasons(3).includes("heartbeat.isolated"), false);
});

Deno.test("a member with a new name and a second link stays who it is", () => {
  const world = settled(2);
  const renamed = { ...member(2, 2), name: "other" };
  const spec = { ...world.spec, members: [member(1, 2), renamed] };
  const before = world.node(1).health(2);
  world.fact(1, { fact: "config.spec", spec, index: 9 });
  world.run(beatMs);
  const after = world.node(1).health(2);
  assert.deepEqual([after.state, after.boot], ["online", before.boot]);
  const recorded = world.recorded.filter(({ from, sentAt }) =>
    from === 2 && sentAt < world.now - 2 * beatMs
  );
  const { replayed } = world.node(1).core.view().refused;
  world.inject(recorded.slice(-5));
  assert.equal(
    world.node(1).core.view().refused.replayed,
    replayed + 5,
    "and nothing is forgotten",
  );
});
