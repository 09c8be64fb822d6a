import assert from "node:assert/strict";
import fc from "fast-check";
import { BLOCK_BYTES } from "../../mod/storage/block.ts";
import { type BootId, clusterId, nodeId } from "../../mod/base/id.ts";
import {
  decodeLabel,
  decodePulse,
  decodeRegister,
  encodeLabel,
  encodePulse,
  encodeRegister,
  type PulseSlot,
} from "../../mod/storage/layout.ts";

const UUID = "00112233445566778899aabbccddeeff";
const OTHER = "ffeeddccbbaa99887766554433221100";
const LABEL = {
  uuid: UUID,
  cluster: clusterId("ab".repeat(16)),
  clusterName: "pair",
  formattedBy: nodeId(1),
  formattedAt: 1_700_000_000,
  group: [],
};
const REGISTER = {
  version: 7,
  term: 3,
  vote: nodeId(2),
  subterm: 1,
  set: [nodeId(1), nodeId(2)],
  lastTerm: 3,
  lastIndex: 99,
};

function slot(seq: number, node = 5): PulseSlot {
  return {
    node: nodeId(node),
    boot: "0123456789abcdef" as BootId,
    seq,
    guardMarginMs: 840,
    diskLocks: 2,
    words: "none",
    cause: "",
    echoes: [{ node: nodeId(6), boot: "89abcdef", seq: 12 }],
    mail: [],
  };
}

/** Every decoder on one block; the kinds of what they found. */
function decodeAll(block: Uint8Array): string[] {
  return [
    decodeLabel(block).found,
    decodeRegister(block, UUID).found,
    decodePulse(block, { node: nodeId(5), uuid: UUID }).found,
  ];
}

Deno.test("layout decoders read what was encoded, and tell each other's blocks", () => {
  const label = encodeLabel(LABEL);
  const register = encodeRegister(REGISTER, UUID);
  const pulse = encodePulse(slot(1), UUID);
  assert.deepEqual(decodeLabel(label), { found: "ok", value: LABEL });
  assert.deepEqual(decodeRegister(register, UUID), { found: "ok", value: REGISTER });
  const read = decodePulse(pulse, { node: nodeId(5), uuid: UUID });
  assert.deepEqual(read, { found: "ok", value: slot(1) });
  assert.deepEqual(decodeAll(label), ["ok", "misdirected", "misdirected"]);
  assert.deepEqual(decodeAll(register), ["misdirected", "ok", "misdirected"]);
  assert.deepEqual(decodeAll(pulse), ["misdirected", "misdirected", "ok"]);
});

Deno.test("decodePulse() tells another node's slot and another disk's slot from its own", () => {
  const block = encodePulse(slot(1), UUID);
  assert.equal(decodePulse(block, { node: nodeId(4), uuid: UUID }).found, "misdirected");
  assert.equal(decodePulse(block, { node: nodeId(5), uuid: OTHER }).found, "misdirected");
  assert.equal(decodeRegister(encodeRegister(REGISTER, OTHER), UUID).found, "misdirected");
});

Deno.test("encodePulse() bounds a margin that is none", () => {
  for (const [margin, bounded] of [[-1, 0], [Infinity, 0xffffffff], [-Infinity, 0], [1.7, 1]]) {
    const block = encodePulse({ ...slot(1), guardMarginMs: margin ?? 0 }, UUID);
    const read = decodePulse(block, { node: nodeId(5), uuid: UUID });
    assert.ok(read.found === "ok");
    assert.equal(read.value.guardMarginMs, bounded);
  }
});

Deno.test("layout decoders call zeros blank, other bytes foreign, short ones damaged", () => {
  assert.deepEqual(decodeAll(new Uint8Array(BLOCK_BYTES)), ["blank", "blank", "blank"]);
  fc.assert(fc.property(fc.uint8Array({ minLength: 1, maxLength: BLOCK_BYTES }), (bytes) => {
    const block = new Uint8Array(BLOCK_BYTES).fill(1);
    block.set(bytes);
    for (const found of decodeAll(block)) assert.equal(found, "foreign");
    if (bytes.length === BLOCK_BYTES) return;
    for (const found of decodeAll(bytes)) assert.equal(found, "damaged");
  }));
});

Deno.test("layout decoders never take a flipped block for a good one", () => {
  const blocks = [encodeLabel(LABEL), encodeRegister(REGISTER, UUID), encodePulse(slot(1), UUID)];
  fc.assert(
    fc.property(
      fc.constantFrom(...blocks),
      fc.integer({ min: 0, max: BLOCK_BYTES - 1 }),
      fc.integer({ min: 1, max: 255 }),
      (block, at, flip) => {
        const flipped = block.slice();
        flipped[at] = (flipped[at] ?? 0) ^ flip;
        for (const found of decodeAll(flipped)) assert.notEqual(found, "ok");
      },
    ),
    { numRuns: 2000 },
  );
});

Deno.test("decodePulse() never takes a torn block for a good one", () => {
  const before = encodePulse(slot(1), UUID);
  const after = encodePulse({ ...slot(2), words: "clean-stop", cause: "ha.clean-stop" }, UUID);
  const first = before.findIndex((byte, at) => byte !== after[at]);
  for (let cut = first + 1; cut < BLOCK_BYTES; cut++) {
    const torn = after.slice();
    torn.set(before.subarray(0, cut));
    const read = decodePulse(torn, { node: nodeId(5), uuid: UUID });
    const whole = torn.every((byte, at) => byte === before[at]);
    assert.equal(read.found, whole ? "ok" : "damaged");
  }
});
