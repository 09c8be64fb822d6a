import assert from "node:assert/strict";
import fc from "fast-check";
import { type BootId, bootId, MEMBERS_MAX, type NodeId, nodeId } from "../../mod/base/id.ts";
import {
  type Beat,
  decodeHeader,
  encodePacket,
  type Header,
  openPacket,
  PACKET_BYTES_MAX,
  packetKey,
} from "../../mod/heartbeat/wire.ts";
import { CLUSTER_KEY, SEED } from "./world.ts";

const PROPERTY = { seed: SEED, numRuns: 200 };

const PLAIN = { noNullPrototype: true } as const;
const U8 = fc.nat(0xff);
const U16 = fc.nat(0xffff);
const U32 = fc.nat(0xffffffff);
const U64 = fc.oneof(fc.maxSafeNat(), fc.constant(Number.MAX_SAFE_INTEGER));

function hexOf(bytes: number): fc.Arbitrary<string> {
  return fc.uint8Array({ minLength: bytes, maxLength: bytes }).map((array) =>
    Array.from(array, (byte) => byte.toString(16).padStart(2, "0")).join("")
  );
}

const ECHO = fc.record({
  ...{ node: U16, boot: hexOf(4), seq: U32, heldMs: U16, links: U8 },
  ...{ accepted: fc.boolean(), sign: fc.boolean(), aliveMs: U32 },
}, PLAIN);
const BEAT: fc.Arbitrary<Beat> = fc.record({
  ...{ cluster: hexOf(16), vote: U8, expected: U16, epoch: U32, term: U64, index: U64, crc32: U32 },
  online: fc.array(U16, { maxLength: MEMBERS_MAX }),
  echoes: fc.array(ECHO, { maxLength: MEMBERS_MAX }),
  ...{ load: U16, memory: U16, ioDelay: U16, armed: fc.boolean(), guardMarginMs: U32 },
  ...{ diskLocks: U16, resources: U16 },
}, PLAIN);
const HEADER: fc.Arbitrary<Header> = fc.record({
  sender: fc.integer({ min: 1, max: 0xffff }).map(nodeId),
  boot: hexOf(8).map(bootId),
  link: fc.nat(0xff),
  seq: U64,
}, PLAIN);

function keyOf({ sender, boot }: { sender: NodeId; boot: BootId }): Uint8Array {
  return packetKey(CLUSTER_KEY, sender, boot);
}

Deno.test("openPacket() gives back what encodePacket() was given", () => {
  fc.assert(
    fc.property(HEADER, BEAT, (header, beat) => {
      const bytes = encodePacket(keyOf(header), header, beat);
      assert.ok(bytes.length <= PACKET_BYTES_MAX);
      assert.deepEqual(decodeHeader(bytes), header);
      assert.deepEqual(openPacket(keyOf(header), header, bytes), beat);
    }),
    PROPERTY,
  );
});

Deno.test("encodePacket() fits one datagram with as many members as there may be", () => {
  const [beat] = fc.sample(BEAT, { seed: SEED, numRuns: 1 });
  const [echo] = fc.sample(ECHO, { seed: SEED, numRuns: 1 });
  assert.ok(beat !== undefined && echo !== undefined);
  const full = {
    ...beat,
    online: Array.from({ length: MEMBERS_MAX }, (_, at) => at + 1),
    echoes: Array.from({ length: MEMBERS_MAX }, () => echo),
  };
  const header = { sender: nodeId(1), boot: bootId("ab".repeat(8)), link: 0, seq: 1 };
  const { length } = encodePacket(keyOf(header), header, full);
  // 25 header + 16 tag + 16 + 1 + 2 + 4 + (2 + 64 × 2) + (2 + 64 × 19) + 8 + 8 + 4 + 6 + 1 + 4 + 4
  assert.equal(length, 1447);
  assert.ok(length <= PACKET_BYTES_MAX);
});

Deno.test("decodeHeader() tells why bytes are none of ours, and where the clear part lies", () => {
  const header = { sender: nodeId(0x0102), boot: bootId("a0a1a2a3a4a5a6a7"), link: 3, seq: 258 };
  const [beat] = fc.sample(BEAT, { seed: SEED, numRuns: 1 });
  assert.ok(beat !== undefined);
  const sound = encodePacket(keyOf(header), header, beat);
  const clear = Array.from(sound.subarray(0, 25), (byte) => byte.toString(16).padStart(2, "0"));
  assert.equal(clear.join(""), "50454e5401010102a0a1a2a3a4a5a6a7030000000000000102");
  const with_ = (at: number, byte: number) => {
    const bytes = sound.slice();
    bytes[at] = byte;
    return bytes;
  };
  const table = [
    [new Uint8Array(0), "short"],
    [sound.subarray(0, 40), "short"],
    [new Uint8Array(PACKET_BYTES_MAX + 1), "oversized"],
    [new Uint8Array(65_507), "oversized"],
    [with_(0, 0x51), "magic"],
    [with_(4, 2), "version"],
    [with_(4, 0), "version"],
    [with_(5, 2), "type"],
    // A seq past 2^53: no counter gets there.
    [with_(17, 0xff), "malformed"],
  ] as const;
  for (const [bytes, why] of table) assert.equal(decodeHeader(bytes), why);
  const nobody = sound.slice();
  nobody.fill(0, 6, 8);
  assert.equal(decodeHeader(nobody), "malformed");
});

Deno.test("openPacket() refuses every other key, header, length and bit", () => {
  fc.assert(
    fc.property(HEADER, BEAT, fc.nat(), U8, (header, beat, place, bit) => {
      const key = keyOf(header);
      const bytes = encodePacket(key, header, beat);
      const flipped = bytes.slice();
      const at = place % bytes.length;
      flipped[at] = (flipped[at] ?? 0) ^ (1 << bit % 8);
      const found = decodeHeader(flipped);
      if (typeof found !== "string") assert.equal(openPacket(keyOf(found), found, flipped), "seal");
      const cut = bytes.subarray(0, 41 + place % (bytes.length - 41));
      assert.equal(openPacket(key, header, cut), "seal");
      const foreign = packetKey(new Uint8Array(32).fill(8), header.sender, header.boot);
      assert.equal(openPacket(foreign, header, bytes), "seal");
      const sibling = { ...header, link: (header.link + 1) % 256 };
      assert.equal(openPacket(key, sibling, bytes), "seal");
    }),
    PROPERTY,
  );
});

Deno.test("packetKey() differs between clusters, nodes and lives", () => {
  const boots = [bootId("1".repeat(16)), bootId("2".repeat(16))];
  const keys = [CLUSTER_KEY, new Uint8Array(32)].flatMap((clusterKey) =>
    [1, 2].flatMap((node) => boots.map((boot) => packetKey(clusterKey, nodeId(node), boot).join()))
  );
  assert.equal(new Set(keys).size, 8);
});
