/** What lies on a disk is anybody's: every decoder, on anything, and on sound frames of anything. */
import assert from "node:assert/strict";
import fc from "fast-check";
import { crc32 } from "../../mod/base/checksum.ts";
import { type BootId, clusterId, nodeId } from "../../mod/base/id.ts";
import { BLOCK_BYTES, type Decoded } from "../../mod/storage/block.ts";
import { inspect } from "../../mod/storage/format.ts";
import {
  decodeLabel,
  decodePulse,
  decodeStored,
  encodeLabel,
  encodePulse,
  encodeRegister,
  type PulseSlot,
} from "../../mod/storage/layout.ts";

const UUID = "00112233445566778899aabbccddeeff";
const SET = [nodeId(1), nodeId(2)];
const REGISTER = { version: 7, term: 3, vote: nodeId(2), subterm: 1, set: SET };
const FULL = { ...REGISTER, lastTerm: 3, lastIndex: 99 };
const SLOT: PulseSlot = {
  node: nodeId(5),
  boot: "0123456789abcdef" as BootId,
  seq: 9,
  ...{ guardMarginMs: 840, diskLocks: 2, words: "none", cause: "" },
  echoes: [{ node: nodeId(6), boot: "89abcdef", seq: 12 }],
  mail: [{ to: nodeId(6), boot: "89abcdef01234567" as BootId, seq: 3 }],
};
const LABEL = {
  ...{ uuid: UUID, cluster: clusterId("ab".repeat(16)), clusterName: "pair" },
  ...{ formattedBy: nodeId(1), formattedAt: 1_700_000_000 },
  group: [UUID, "1".repeat(32), "2".repeat(32)],
};
const BALLOT = { epoch: 4, key: "c0ffee0000010009" };
const BLOCKS = [
  encodeLabel(LABEL),
  encodeLabel({ ...LABEL, group: [] }),
  encodeRegister(FULL, UUID),
  encodeRegister(FULL, UUID, BALLOT),
  encodePulse(SLOT, UUID),
  encodePulse({ ...SLOT, mail: [] }, UUID),
];

function decodeAll(block: Uint8Array): Decoded<unknown>[] {
  return [
    decodeLabel(block),
    decodeStored(block, UUID),
    decodePulse(block, { node: nodeId(5), uuid: UUID }),
  ];
}

/** Gives a block the CRC that it should have. */
function sealed(block: Uint8Array): Uint8Array {
  const at = BLOCK_BYTES - 4;
  new DataView(block.buffer).setUint32(at, crc32(block.subarray(0, at)));
  return block;
}

Deno.test("storage decoders read back what was written, with group, ballot and mail", () => {
  const [grouped, alone, plain, balloted, mailed, empty] = BLOCKS.map(decodeAll);
  assert.deepEqual(grouped?.[0], { found: "ok", value: LABEL });
  assert.deepEqual(alone?.[0], { found: "ok", value: { ...LABEL, group: [] } });
  const none = { epoch: 0, key: "0".repeat(16) };
  assert.deepEqual(plain?.[1], { found: "ok", value: { ballot: none, register: FULL } });
  assert.deepEqual(balloted?.[1], { found: "ok", value: { ballot: BALLOT, register: FULL } });
  assert.deepEqual(mailed?.[2], { found: "ok", value: SLOT });
  assert.deepEqual(empty?.[2], { found: "ok", value: { ...SLOT, mail: [] } });
});

Deno.test("storage decoders never throw, and take no random bytes for good", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 2 * BLOCK_BYTES }), (bytes) => {
      for (const { found } of decodeAll(bytes)) assert.notEqual(found, "ok");
      inspect(bytes, bytes);
    }),
    { numRuns: 500 },
  );
});

Deno.test("storage decoders never throw on a sound frame of anything", () => {
  fc.assert(
    fc.property(
      fc.constantFrom(...BLOCKS),
      fc.integer({ min: 0, max: 400 }),
      fc.uint8Array({ minLength: 1, maxLength: 200 }),
      (block, at, bytes) => {
        const strange = block.slice();
        strange.set(bytes, at);
        for (const found of decodeAll(sealed(strange))) assert.ok(found.found.length > 0);
      },
    ),
    { numRuns: 3000 },
  );
});

Deno.test("storage decoders take no mixture of two soundly written blocks for good", () => {
  const newer = [
    encodeLabel({ ...LABEL, clusterName: "other" }),
    encodeRegister({ ...FULL, version: 8 }, UUID, { ...BALLOT, epoch: 5 }),
    encodePulse({ ...SLOT, seq: 10, words: "clean-stop", cause: "ha.clean-stop" }, UUID),
  ];
  const older = [BLOCKS[0], BLOCKS[3], BLOCKS[4]];
  // As a power cut leaves it: each sector of 512 bytes is the old or the new one.
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 2 }), fc.integer({ min: 0, max: 255 }), (which, mask) => {
      const old = older[which] ?? new Uint8Array(0);
      const torn = (newer[which] ?? old).slice();
      for (let sector = 0; sector < 8; sector++) {
        if ((mask >> sector) % 2 === 0) continue;
        torn.set(old.subarray(sector * 512, sector * 512 + 512), sector * 512);
      }
      const whole = [old, newer[which]].some((each) =>
        each?.every((byte, at) => byte === torn[at])
      );
      const found = decodeAll(torn).some((each) => each.found === "ok");
      assert.equal(found, whole);
    }),
    { numRuns: 800 },
  );
});

Deno.test("a label whose group is none of its own is no label", () => {
  for (const group of [["1".repeat(32)], [UUID, UUID]]) {
    assert.equal(decodeLabel(encodeLabel({ ...LABEL, group })).found, "damaged");
  }
});

Deno.test("a block of another disk or another place is misdirected, a stale one is older", () => {
  const place = { node: nodeId(5), uuid: UUID };
  const pulse = BLOCKS[4] ?? new Uint8Array(0);
  assert.equal(decodePulse(pulse, { ...place, uuid: "f".repeat(32) }).found, "misdirected");
  assert.equal(decodePulse(pulse, { ...place, node: nodeId(6) }).found, "misdirected");
  assert.equal(decodePulse(BLOCKS[3] ?? pulse, place).found, "misdirected");
  assert.equal(decodeStored(BLOCKS[3] ?? pulse, "f".repeat(32)).found, "misdirected");
});
