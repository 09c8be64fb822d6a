import assert from "node:assert/strict";
import { type ClusterSpec, LINKS_MAX } from "../../mod/base/cluster.ts";
import { MEMBERS_MAX, nodeId } from "../../mod/base/id.ts";
import { instant } from "../../mod/base/time.ts";
import { HeartbeatCore } from "../../mod/heartbeat/core.ts";
import type { HeartbeatEffect } from "../../mod/heartbeat/events.ts";
import { decodeHeader, openPacket, PACKET_BYTES_MAX, packetKey } from "../../mod/heartbeat/wire.ts";
import { cluster, CLUSTER_KEY, life, member, TIMING, World } from "./world.ts";

const START = 1000;
const { beatMs, deadMs } = TIMING;

function core(id: number, spec: ClusterSpec, nth = 1): HeartbeatCore {
  const self = nodeId(id);
  const { profile } = spec;
  return new HeartbeatCore(
    { self, boot: life(id, nth), clusterKey: CLUSTER_KEY, spec, profile },
    instant(START),
  );
}

function tick(on: HeartbeatCore, now: number): HeartbeatEffect[] {
  return on.step({ kind: "tick" }, instant(now));
}

/** Effects with the bytes of packets left out. */
function shown(effects: readonly HeartbeatEffect[]): unknown[] {
  return effects.map((effect) => {
    if (effect.kind === "datagram") return `${effect.link} ${effect.to}`;
    if (effect.kind === "say") return effect.saying.text;
    assert.ok(effect.kind === "tell");
    const { because: _why, ...fact } = effect.fact as typeof effect.fact & { because?: unknown };
    return fact;
  });
}

function view(epoch: number, online: readonly number[], votes: readonly number[]) {
  const [present = 0, expected = 0, needed = 0] = votes;
  return { epoch, online, present, expected, needed, quorate: present >= needed };
}

/** What `from` sends to `to` on a tick. */
function exchange(from: HeartbeatCore, to: HeartbeatCore, now: number): HeartbeatEffect[] {
  return tick(from, now).flatMap((effect) =>
    effect.kind === "datagram"
      ? to.step({ kind: "datagram", link: effect.link, bytes: effect.bytes }, instant(now))
      : []
  );
}

Deno.test("HeartbeatCore.step() begins: a view of itself, then a beat on every link", () => {
  const one = core(1, cluster(2, 2));
  assert.equal(one.deadline(), START);
  assert.deepEqual(shown(tick(one, START)), [
    { fact: "heartbeat.view", view: { ...view(1, [1], [1, 2, 2]), installed: true } },
    "view=1, votes=1/2, quorate=false",
    "0 10.0.0.2:5405",
    "1 10.1.0.2:5405",
    "node1→node2 seq=1, vote=1, online=1/2",
  ]);
  assert.equal(one.deadline(), START + beatMs);
  assert.deepEqual(tick(one, START + 1), [], "a tick before its time does nothing");
});

Deno.test("HeartbeatCore.step() of a cluster of one is quorate, and proves itself", () => {
  const one = core(1, cluster(1));
  assert.deepEqual(shown(tick(one, START)), [
    { fact: "heartbeat.view", view: { ...view(1, [1], [1, 1, 1]), installed: true } },
    "view=1, votes=1/1, quorate=true",
    { fact: "heartbeat.proof", provenAt: START },
  ]);
});

Deno.test("HeartbeatCore.step() shakes hands: answered, accepted, proven, in this order", () => {
  const [one, two] = [core(1, cluster(2)), core(2, cluster(2))];
  assert.deepEqual(exchange(one, two, START), [], "a stranger's first beat may be a recording");
  // Two's beat answers it: that two is alive is shown. That two believes in one is not.
  assert.deepEqual(shown(exchange(two, one, START + 10)), ["node2 is alive"]);
  const second = exchange(one, two, START + beatMs);
  assert.deepEqual(shown(second), [
    "node1 is alive",
    { fact: "heartbeat.link", peer: 1, link: 0, up: true },
    {
      fact: "heartbeat.member",
      health: {
        ...{ node: 1, state: "online", boot: life(1), lastHeard: START + beatMs },
        // Both votes are needed, and one of them is not asked: nobody vouches.
        vouched: -Infinity,
        vitals: {
          ...{ load: 0, memory: 0, ioDelay: 0, armed: false, guardMarginMs: 0, diskLocks: 0 },
          resources: 0,
        },
      },
    },
    "node1 is ONLINE",
    { fact: "heartbeat.view", view: { ...view(2, [1, 2], [2, 2, 2]), installed: false } },
    "view=2, votes=2/2, quorate=true",
    // From when two had *sent* what one has heard.
    { fact: "heartbeat.proof", provenAt: START + 10 },
  ]);
  const third = shown(exchange(two, one, START + beatMs + 10));
  assert.deepEqual(third.at(-1), { fact: "heartbeat.proof", provenAt: START + beatMs });
  assert.ok(third.includes("node2 is ONLINE"));
});

Deno.test("HeartbeatCore.step() tells DOWN after more than five lost beats, and UP on return", () => {
  for (let phase = 5; phase < beatMs; phase += 30) {
    for (const losses of [5, 7, 20]) {
      const world = new World(cluster(2));
      const one = world.start(1);
      world.run(phase);
      world.start(2);
      world.run(10 * beatMs);
      assert.equal(one.health(2).state, "online");
      let lost = 0;
      world.lose = ({ from }) => from === 2 && ++lost <= losses;
      world.run((losses + 5) * beatMs);
      const states = one.facts.flatMap((fact) =>
        fact.fact === "heartbeat.member" && fact.because.code !== "heartbeat.heard"
          ? [fact.health.state]
          : []
      );
      const what = `${losses} lost, phase ${phase}`;
      assert.equal(states.includes("down"), losses > 5, what);
      const links = one.facts.flatMap((fact) =>
        fact.fact === "heartbeat.link" ? [fact.because.code] : []
      );
      assert.ok(links.includes("heartbeat.link-up"), what);
      assert.equal(one.health(2).state, "online", what);
      assert.equal(one.view.quorate, true, what);
    }
  }
});

Deno.test("HeartbeatCore.step() tells DOWN once deadMs is over, with its next beat at the latest", () => {
  const world = new World(cluster(3)).startAll();
  world.run(10 * beatMs);
  world.kill(3);
  world.run(2 * deadMs);
  for (const node of [1, 2].map((id) => world.node(id))) {
    const down = node.facts.find((fact) =>
      fact.fact === "heartbeat.member" && fact.health.state === "down"
    );
    assert.ok(down?.fact === "heartbeat.member" && down.because.code === "heartbeat.silent");
    const silence = down.at - down.health.lastHeard;
    assert.ok(silence >= deadMs && silence < deadMs + beatMs, `${silence}`);
    assert.deepEqual(node.view.online, [1, 2]);
    assert.equal(node.view.quorate, true);
  }
});

Deno.test("HeartbeatCore.step() is late once: one beat, then on with the old grid", () => {
  const one = core(1, cluster(2));
  tick(one, START);
  const late = START + 7 * beatMs + 30;
  const sent = tick(one, late).filter(({ kind }) => kind === "datagram");
  assert.equal(sent.length, 1);
  assert.equal(one.deadline(), START + 8 * beatMs);
});

Deno.test("HeartbeatCore.step() says in a beat what it was told: vitals, position, view", () => {
  const one = core(1, cluster(2));
  const vitals = {
    ...{ load: 0.25, memory: 0.5, ioDelay: Infinity, armed: true, guardMarginMs: 5e12 },
    ...{ diskLocks: 3, resources: 70_000 },
  };
  one.step({ kind: "fact", fact: { fact: "ha.vitals", vitals } }, instant(START));
  const position = {
    ...{ term: 4, leader: nodeId(2), committed: 99, applied: 98, crc32: 0xa4f2c1e8 },
    writable: true,
  };
  const because = { code: "config.no-leader", args: {} } as const;
  one.step({ kind: "fact", fact: { fact: "config.position", position, because } }, instant(START));
  const [packet] = tick(one, START).filter(({ kind }) => kind === "datagram");
  assert.ok(packet?.kind === "datagram");
  const header = decodeHeader(packet.bytes);
  assert.deepEqual(header, { sender: 1, boot: life(1), link: 0, seq: 1 });
  assert.ok(typeof header !== "string");
  const key = packetKey(CLUSTER_KEY, header.sender, header.boot);
  assert.deepEqual(openPacket(key, header, packet.bytes), {
    ...{ cluster: cluster(2).id, vote: 1, expected: 2, epoch: 1, online: [1] },
    echoes: [{
      ...{ node: 2, boot: "00000000", seq: 0, heldMs: 0xffff, links: 0, accepted: false },
      ...{ sign: false, aliveMs: 0 },
    }],
    ...{ term: 4, index: 99, crc32: 0xa4f2c1e8, load: 250, memory: 500, ioDelay: 0xffff },
    // What is out of range is cut to it.
    ...{ armed: true, guardMarginMs: 0xffffffff, diskLocks: 3, resources: 0xffff },
  });
});

Deno.test("HeartbeatCore.step() of a host that was removed sends nothing and proves nothing", () => {
  const one = core(1, cluster(3));
  tick(one, START);
  const spec = { ...cluster(3), members: [member(2), member(3)] };
  const told = one.step(
    { kind: "fact", fact: { fact: "config.spec", spec, index: 9 } },
    instant(START + 10),
  );
  assert.deepEqual(shown(told), [
    { fact: "heartbeat.view", view: { ...view(2, [], [0, 2, 2]), installed: true } },
    "view=2, votes=0/2, quorate=false",
  ]);
  const later = tick(one, START + deadMs);
  assert.deepEqual(later.filter(({ kind }) => kind === "datagram"), []);
});

Deno.test("HeartbeatCore.step() sends one datagram per peer and link, each fit for Ethernet", () => {
  const spec = { ...cluster(MEMBERS_MAX, LINKS_MAX) };
  const one = core(1, spec);
  const sent = tick(one, START).flatMap((each) => each.kind === "datagram" ? [each.bytes] : []);
  assert.equal(sent.length, (MEMBERS_MAX - 1) * LINKS_MAX);
  for (const bytes of sent) assert.ok(bytes.length <= PACKET_BYTES_MAX);
  assert.equal(one.view().sent, sent.length);
});

Deno.test("HeartbeatCore.step() takes no request, and facts that are not for it change nothing", () => {
  const one = core(1, cluster(2));
  tick(one, START);
  const request = { request: "config.barrier", tag: "t" } as const;
  assert.deepEqual(one.step({ kind: "request", request }, instant(START)), []);
  const fact = { fact: "config.shared" } as const;
  assert.deepEqual(one.step({ kind: "fact", fact }, instant(START)), []);
});

Deno.test("equal events give equal effects", () => {
  const run = () => {
    const [one, two] = [core(1, cluster(2)), core(2, cluster(2))];
    return [0, 1, 2, 3].flatMap((beat) => [
      ...exchange(one, two, START + beat * beatMs),
      ...exchange(two, one, START + beat * beatMs + 7),
    ]);
  };
  assert.deepEqual(run(), run());
});
