/**
 * Bytes from the network are anybody's. Whatever comes: nothing changes but counters, nothing
 * throws, nothing grows.
 */
import assert from "node:assert/strict";
import { concat, Writer } from "../../mod/base/bytes.ts";
import { bootId, clusterId, MEMBERS_MAX, nodeId } from "../../mod/base/id.ts";
import { Prng } from "../../mod/base/prng.ts";
import { seal } from "../../mod/base/seal.ts";
import { instant } from "../../mod/base/time.ts";
import { type Refusal, REFUSALS } from "../../mod/heartbeat/events.ts";
import {
  type Beat,
  decodeHeader,
  encodePacket,
  openPacket,
  PACKET_BYTES_MAX,
  packetKey,
} from "../../mod/heartbeat/wire.ts";
import {
  cluster,
  CLUSTER_KEY,
  LATENCY_MS,
  life,
  type Node,
  type Packet,
  SEED,
  TIMING,
  World,
} from "./world.ts";

const PACKETS = 100_000;

/** Three nodes that know each other; packets to the first, and from a former life of the second. */
function settled(): { world: World; target: Node; captured: readonly Packet[] } {
  const world = new World(cluster(3)).startAll();
  world.run(10 * TIMING.beatMs);
  world.start(2, 2);
  world.run(10 * TIMING.beatMs);
  const captured = world.recorded.filter(({ to, sentAt }) =>
    to === 1 && sentAt + LATENCY_MS <= world.now
  );
  return { world, target: world.node(1), captured };
}

/** All that a node shows of what it knows, but for its counters. */
function knowledge(node: Node): string {
  const { received, refused: _refused, ...rest } = node.core.view();
  return JSON.stringify({ received, ...rest });
}

function total(refused: Readonly<Record<Refusal, number>>): number {
  return REFUSALS.reduce((sum, why) => sum + refused[why], 0);
}

/** Random bytes, or a captured packet sent again: as it was, cut, longer, or with bits flipped. */
function hostile(random: Prng, captured: readonly Packet[]): { link: number; bytes: Uint8Array } {
  const link = random.between(0, 9);
  const sample = random.pick(captured)?.bytes ?? new Uint8Array(0);
  switch (random.between(0, 5)) {
    case 0:
      return { link, bytes: random.bytes(random.between(0, 100)) };
    case 1:
      return { link, bytes: random.bytes(random.between(0, 64) === 0 ? 65_507 : 1500) };
    case 2:
      return { link: 0, bytes: sample.subarray(0, random.between(0, sample.length)) };
    case 3: {
      const longer = new Uint8Array(sample.length + random.between(1, 64));
      longer.set(sample);
      return { link: 0, bytes: longer };
    }
    case 4: {
      const bytes = sample.slice();
      for (let flips = random.between(1, 4); flips > 0; flips--) {
        // Most of the flips go into the clear part: there is more to be got wrong there.
        const at = random.between(0, random.chance(0.7) ? 24 : bytes.length - 1);
        bytes[at] = random.u32() & 0xff;
      }
      return { link: 0, bytes };
    }
    default:
      return { link: 0, bytes: sample };
  }
}

Deno.test(`${PACKETS} hostile packets change nothing but counters, and nothing throws`, () => {
  const { world, target, captured } = settled();
  const random = new Prng(SEED);
  const now = instant(world.now);
  const before = { knowledge: knowledge(target), refused: total(target.core.view().refused) };
  for (let i = 0; i < PACKETS; i++) {
    const { link, bytes } = hostile(random, captured);
    const effects = target.core.step({ kind: "datagram", link, bytes }, now);
    assert.deepEqual(effects, [], `packet ${i} of seed ${SEED}`);
  }
  const { refused } = target.core.view();
  assert.equal(total(refused), before.refused + PACKETS);
  assert.equal(knowledge(target), before.knowledge);
  const kinds = REFUSALS.filter((why) => refused[why] > 0);
  // `foreign` takes the cluster's key; see below.
  assert.deepEqual(kinds, REFUSALS.filter((why) => why !== "foreign"));
  world.run(2 * TIMING.deadMs);
  assert.deepEqual(target.view.online, [1, 2, 3], "and the cluster goes on");
});

Deno.test("openPacket() believes no count: a list ends where the bytes end, or at its bound", () => {
  const header = { sender: nodeId(2), boot: life(2), link: 0, seq: 1 };
  const key = packetKey(CLUSTER_KEY, header.sender, header.boot);
  const sound = encodePacket(key, header, sampleBeat(settled().world));
  const clear = sound.subarray(0, 25);
  const nonce = new Writer().u32(header.link).u64(header.seq).finish();
  // cluster, vote, expected, epoch; then a count of members online, and some bytes, or none.
  for (const count of [1, MEMBERS_MAX, MEMBERS_MAX + 1, 0xffff]) {
    for (const rest of [0, 1, 128, 1300]) {
      const body = concat(
        new Uint8Array(23),
        new Writer().u16(count).finish(),
        new Uint8Array(rest).fill(0xff),
      );
      const packet = concat(clear, seal({ key, nonce, clear }, body));
      assert.equal(openPacket(key, header, packet), "malformed", `${count}, ${rest}`);
    }
  }
  assert.equal(decodeHeader(new Uint8Array(PACKET_BYTES_MAX + 1).fill(0x50)), "oversized");
});

Deno.test("packets are refused for the reason that holds", () => {
  const { world, target, captured } = settled();
  const own = world.recorded.find(({ from }) => from === 1);
  const fromTwo = captured.filter(({ from }) => from === 2);
  const [former, newest] = [fromTwo[0], fromTwo.at(-1)];
  const lastOfThree = captured.findLast(({ from }) => from === 3);
  assert.ok(own !== undefined && former !== undefined && newest !== undefined);
  assert.ok(lastOfThree !== undefined);
  const header = decodeHeader(newest.bytes);
  assert.ok(typeof header !== "string");
  const key = packetKey(CLUSTER_KEY, header.sender, header.boot);
  const beat = openPacket(key, header, newest.bytes);
  assert.ok(typeof beat !== "string");
  const next = { ...header, seq: header.seq + 1 };
  const other: Beat = { ...beat, cluster: clusterId("d".repeat(32)) };
  const stranger = { ...next, sender: nodeId(9) };
  const foreignKey = packetKey(new Uint8Array(32), next.sender, next.boot);
  const deaf = { ...next, link: 1 };
  const table: readonly (readonly [bytes: Uint8Array, why: Refusal, link?: number])[] = [
    [own.bytes, "self"],
    [former.bytes, "old"],
    [newest.bytes, "replayed"],
    [lastOfThree.bytes, "replayed"],
    [newest.bytes, "malformed", 1],
    [encodePacket(packetKey(CLUSTER_KEY, nodeId(2), next.boot), deaf, beat), "malformed", 1],
    [encodePacket(key, next, other), "foreign"],
    [encodePacket(foreignKey, next, beat), "seal"],
    [encodePacket(packetKey(CLUSTER_KEY, nodeId(9), next.boot), stranger, beat), "stranger"],
    // Genuine key, another life's name in the clear: the key is of one life alone.
    [encodePacket(key, { ...next, boot: bootId("ef".repeat(8)) }, beat), "seal"],
  ];
  for (const [bytes, why, link = 0] of table) {
    const before = target.core.view().refused;
    const effects = target.core.step({ kind: "datagram", link, bytes }, instant(world.now));
    assert.deepEqual(effects, []);
    assert.deepEqual(target.core.view().refused, { ...before, [why]: before[why] + 1 });
  }
});

Deno.test("a genuine beat of a huge seq is taken; what it leaves behind is bounded", () => {
  const { world, target, captured } = settled();
  const newest = captured.findLast(({ from }) => from === 2);
  assert.ok(newest !== undefined);
  const header = decodeHeader(newest.bytes);
  assert.ok(typeof header !== "string");
  const key = packetKey(CLUSTER_KEY, header.sender, header.boot);
  const beat = openPacket(key, header, newest.bytes);
  assert.ok(typeof beat !== "string");
  const huge = { ...header, seq: Number.MAX_SAFE_INTEGER };
  const bytes = encodePacket(key, huge, beat);
  target.core.step({ kind: "datagram", link: 0, bytes }, instant(world.now));
  const { received } = target.core.view();
  // The life that said so has nothing newer to say; the next one has.
  world.run(2 * TIMING.deadMs);
  assert.equal(target.health(2).state, "isolated", "node 3 was told nothing of the kind");
  assert.ok(target.core.view().refused.replayed > 0);
  world.start(2, 3);
  world.run(4 * TIMING.beatMs);
  assert.equal(target.health(2).state, "online");
  assert.ok(target.core.view().received > received);
  const link = target.core.view().peers.find(({ node }) => node === 2)?.links[0];
  assert.ok(Number.isSafeInteger(link?.lost));
});

Deno.test("packets of made-up lives cost no memory: keys and lives are kept of genuine ones only", () => {
  const { world, target } = settled();
  const before = knowledge(target);
  const random = new Prng(SEED);
  const probe = { sender: nodeId(2), link: 0, seq: 1 };
  const beat = sampleBeat(world);
  for (let i = 0; i < 2000; i++) {
    const boot = bootId(
      Array.from(random.bytes(8), (b) => b.toString(16).padStart(2, "0")).join(""),
    );
    const bytes = encodePacket(new Uint8Array(32), { ...probe, boot }, beat);
    target.core.step({ kind: "datagram", link: 0, bytes }, instant(world.now));
  }
  assert.equal(target.core.view().refused.seal, 2000);
  assert.equal(knowledge(target), before);
});

function sampleBeat(world: World): Beat {
  const packet = world.recorded.at(-1);
  assert.ok(packet !== undefined);
  const header = decodeHeader(packet.bytes);
  assert.ok(typeof header !== "string");
  const key = packetKey(CLUSTER_KEY, header.sender, header.boot);
  const beat = openPacket(key, header, packet.bytes);
  assert.ok(typeof beat !== "string");
  return beat;
}
