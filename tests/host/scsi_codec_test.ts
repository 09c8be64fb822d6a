/** SCSI as bytes, against tables of the standards and answers that real targets gave. */
import assert from "node:assert/strict";
import fc from "fast-check";
import { fromHex, toHex } from "../../mod/base/bytes.ts";
import {
  compareAndWrite,
  inquiry,
  persistentReserveIn,
  persistentReserveOut,
  readCapacity,
  type ScsiCommand,
  testUnitReady,
  writeNothing,
} from "../../mod/host/scsi/command.ts";
import {
  decodeCapacity,
  decodeCompareBlocks,
  decodeIdentification,
  decodeInquiry,
} from "../../mod/host/scsi/identity.ts";
import {
  bytesNeeded,
  decodeCapabilities,
  decodeFullStatus,
  decodeKeys,
  decodeReservation,
  REGISTRATIONS_MAX,
} from "../../mod/host/scsi/reply.ts";
import { iscsiTransportId, transportIdText } from "../../mod/host/scsi/transport_id.ts";

function hex(text: string): Uint8Array {
  const bytes = fromHex(text.replaceAll(/\s/g, ""));
  assert.ok(bytes !== null, text);
  return bytes;
}

function sent({ cdb, transfer }: ScsiCommand): string {
  return `${toHex(cdb)} ${transfer.way === "out" ? toHex(transfer.bytes) : transfer.way}`;
}

const KEY = "00000000000000a1";
const VICTIM = "0123456789abcdef";

Deno.test("commands have the bytes of the standards' tables", () => {
  // CDBs as sg_persist -v and sg_inq -v print them; lists by SPC-4's PERSISTENT RESERVE OUT table.
  const table: readonly (readonly [ScsiCommand, string])[] = [
    [testUnitReady(), "000000000000 none"],
    [inquiry(null, 36), "120000002400 in"],
    [inquiry(0x83, 252), "12018300fc00 in"],
    [readCapacity(), "9e10000000000000000000000020 0000 in"],
    [writeNothing(), "8a000000000000000000000000000000 none"],
    [persistentReserveIn("keys", 8192), "5e000000000000200000 in"],
    [persistentReserveIn("reservation", 8192), "5e010000000000200000 in"],
    [persistentReserveIn("capabilities", 8192), "5e020000000000200000 in"],
    [persistentReserveIn("fullStatus", 0xffff), "5e03000000000 0ffff00 in"],
    [
      persistentReserveOut({ action: "register", key: "0".repeat(16), actionKey: KEY }),
      "5f000000000000001800 0000000000000000 00000000000000a1 00000000 00 000000",
    ],
    [
      persistentReserveOut({
        ...{ action: "registerAndIgnore", key: "0".repeat(16), actionKey: KEY },
        ...{ persist: true, allTargetPorts: true },
      }),
      "5f060000000000001800 0000000000000000 00000000000000a1 00000000 05 000000",
    ],
    [
      persistentReserveOut({ action: "reserve", key: KEY, type: 5 }),
      "5f010500000000001800 00000000000000a1 0000000000000000 00000000 00 000000",
    ],
    [
      persistentReserveOut({ action: "release", key: KEY, type: 8 }),
      "5f020800000000001800 00000000000000a1 0000000000000000 00000000 00 000000",
    ],
    [
      persistentReserveOut({ action: "clear", key: KEY }),
      "5f030000000000001800 00000000000000a1 0000000000000000 00000000 00 000000",
    ],
    [
      persistentReserveOut({ action: "preempt", key: KEY, actionKey: VICTIM, type: 6 }),
      "5f040600000000001800 00000000000000a1 0123456789abcdef 00000000 00 000000",
    ],
    [
      persistentReserveOut({ action: "preemptAndAbort", key: KEY, actionKey: VICTIM, type: 5 }),
      "5f050500000000001800 00000000000000a1 0123456789abcdef 00000000 00 000000",
    ],
    [
      persistentReserveOut({
        ...{ action: "register", key: KEY, actionKey: VICTIM },
        initiatorPorts: [iscsiTransportId("iqn.2026-01.lab:h1") ?? new Uint8Array()],
      }),
      "5f000000000000003400 00000000000000a1 0123456789abcdef 00000000 08 000000 00000018" +
      "05000014 69716e2e323032362d30312e6c61623a68310000",
    ],
    [
      compareAndWrite({ block: 0x0102030405, blocks: 1 }, {
        expected: new Uint8Array(512).fill(1),
        fresh: new Uint8Array(512).fill(2),
      }),
      `8900000000010203040500000001 0000 ${"01".repeat(512)}${"02".repeat(512)}`,
    ],
  ];
  for (const [command, bytes] of table) {
    const [cdb = "", ...rest] = sent(command).split(" ");
    assert.equal(cdb + rest.join(""), bytes.replaceAll(" ", ""), command.name);
  }
});

Deno.test("decoders read what LIO and tgt answered", () => {
  assert.deepEqual(decodeKeys(hex("00000002 00000010 00000000000000a1 00000000000000b2")), {
    generation: 2,
    keys: [KEY, "00000000000000b2"],
  });
  assert.deepEqual(
    decodeReservation(hex("00000002 00000010 00000000000000a1 00000000 00 05 0000")),
    { generation: 2, held: { key: KEY, type: 5 } },
  );
  assert.deepEqual(decodeReservation(hex("00000002 00000000")), { generation: 2, held: null });
  const types = [1, 3, 5, 6, 7, 8];
  assert.deepEqual(decodeCapabilities(hex("00081d90ea010000")), {
    ...{ allTargetPorts: true, initiatorPorts: true, persist: true, persistActive: false },
    types,
  });
  assert.deepEqual(decodeCapabilities(hex("00080080ea010000")), {
    ...{ allTargetPorts: false, initiatorPorts: false, persist: false, persistActive: false },
    types,
  });
  const full = hex(
    "00000001 00000040 0000000000001111 00000000 00 00 00000000 0001 00000028" +
      "45000024 69716e2e323032362d30312e6c61623a68312c692c3078303030323364303030303031 00",
  );
  assert.deepEqual(decodeFullStatus(full), {
    generation: 1,
    entries: [{
      key: "0000000000001111",
      allTargetPorts: false,
      holds: null,
      targetPort: 1,
      initiatorPort: "iqn.2026-01.lab:h1,i,0x00023d000001",
    }],
  });
});

Deno.test("an answer that was cut is told, with how much there is", () => {
  const whole = hex("00000007 00000018" + "00000000000000a1".repeat(3));
  for (let length = 0; length < whole.length; length++) {
    const cut = whole.subarray(0, length);
    assert.equal(decodeKeys(cut), null);
    assert.equal(decodeFullStatus(cut), null);
    assert.equal(bytesNeeded(cut), length < 8 ? null : whole.length);
  }
  const many = hex("00000001" + ((REGISTRATIONS_MAX + 1) * 8).toString(16).padStart(8, "0"));
  assert.equal(decodeKeys(many), null);
});

Deno.test("an obsolete type, another scope and a holder without a type are damage", () => {
  for (const byte of ["00", "02", "04", "09", "15", "f5"]) {
    const reply = `00000002 00000010 00000000000000a1 00000000 00 ${byte} 0000`;
    assert.equal(decodeReservation(hex(reply)), null, byte);
  }
  const entry = "00000001 00000018 00000000000000a1 00000000 01 00 00000000 0001 00000000";
  assert.equal(decodeFullStatus(hex(entry)), null);
  assert.notEqual(decodeFullStatus(hex(entry.replace("01 00 0000", "01 05 0000"))), null);
});

Deno.test("identity decoders read page 83h, B0h, INQUIRY and READ CAPACITY (16)", () => {
  const page = hex(
    "00830087 0103 0010 60 01405ab030000000000000 00000000 0201001b4c494f2d4f52472046494c45494f" +
      "3a6c61622d6c756e302d683300 5194000400000001 5195000400000000 0106000400000000" +
      "5398002069716e2e323032362d30312e6c61623a73616e2c742c307830303031000000" +
      "0053a8001469716e2e323032362d30312e6c61623a73616e00",
  );
  assert.equal(decodeIdentification(page), "naa.6001405ab03000000000000000000000");
  assert.equal(decodeIdentification(hex("00830009 0201000541424320 20")), "t10.ABC");
  assert.equal(decodeIdentification(hex("00830000")), null);
  assert.equal(decodeIdentification(hex("00800000")), null);
  const text = (value: string, length: number) =>
    toHex(new TextEncoder().encode(value.padEnd(length)));
  const standard = `00000502 1f000000${text("LIO-ORG", 8)}${text("FILEIO", 16)}${text("4.0", 4)}`;
  assert.deepEqual(decodeInquiry(hex(standard)), {
    ...{ deviceType: 0, vendor: "LIO-ORG", product: "FILEIO", revision: "4.0" },
  });
  assert.equal(decodeInquiry(hex("0000")), null);
  assert.equal(decodeCompareBlocks(hex("00b0003c 0001 0000")), 1);
  assert.equal(decodeCompareBlocks(hex("0083003c 0001 0000")), null);
  assert.deepEqual(decodeCapacity(hex("00000000000001ff 00000200")), {
    blocks: 512,
    blockBytes: 512,
  });
  for (const bad of ["00000000000001ff 00000000", "00000000000001ff 00000201", "0000"]) {
    assert.equal(decodeCapacity(hex(bad)), null);
  }
});

Deno.test("TransportIDs are told by name, and unknown ones byte by byte", () => {
  const id = iscsiTransportId("iqn.2026-01.lab:h1");
  assert.ok(id !== null);
  assert.equal(transportIdText(id), "iqn.2026-01.lab:h1");
  const session = "iqn.2026-01.lab:h1,i,0x00023d000001";
  assert.equal(
    toHex(iscsiTransportId(session) ?? new Uint8Array()),
    "4500002469716e2e323032362d30312e6c61623a68312c692c307830303032336430303030303100",
  );
  assert.equal(iscsiTransportId("h1"), null);
  assert.equal(iscsiTransportId("iqn.a,b"), null);
  assert.equal(iscsiTransportId("iqn.a,i,0x12"), null);
  assert.equal(iscsiTransportId(`iqn.${"x".repeat(220)}`), null);
  assert.equal(iscsiTransportId("iqn.a\nb"), null);
  // tcm_loop's SAS, a Fibre Channel port, one of a reserved protocol, one that lies about its length.
  assert.equal(
    transportIdText(hex("06000000 6001405000000001" + "00".repeat(12))),
    "sas.6001405000000001",
  );
  assert.equal(
    transportIdText(hex("00".repeat(8) + "2100001b320f0000" + "00".repeat(8))),
    "fc.2100001b320f0000",
  );
  assert.equal(transportIdText(hex("0b00aa")), "0x0b00aa");
  assert.equal(transportIdText(hex("05000fff 6971")), "0x05000fff6971");
  assert.equal(transportIdText(hex("05000004 69 1b 5b 00")), "0x05000004691b5b00");
  assert.equal(transportIdText(hex("")), "0x");
});

Deno.test("no bytes make a decoder throw, or read more than there is", () => {
  const decoders = [
    ...[decodeKeys, decodeReservation, decodeCapabilities, decodeFullStatus, bytesNeeded],
    ...[decodeInquiry, decodeIdentification, decodeCompareBlocks, decodeCapacity, transportIdText],
  ];
  fc.assert(fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => {
    // The array's own buffer is larger: what lies behind the end must not matter.
    const wide = new Uint8Array(bytes.length + 64).fill(0xff);
    wide.set(bytes);
    for (const decode of decoders) {
      assert.deepEqual(decode(wide.subarray(0, bytes.length)), decode(bytes));
    }
  }));
});

Deno.test("keys and full status survive the way there and back", () => {
  const key = fc.uint8Array({ minLength: 8, maxLength: 8 }).map(toHex);
  fc.assert(fc.property(fc.array(key, { maxLength: REGISTRATIONS_MAX }), (keys) => {
    const length = (keys.length * 8).toString(16).padStart(8, "0");
    assert.deepEqual(decodeKeys(hex(`00000009${length}${keys.join("")}`)), { generation: 9, keys });
    const entries = keys.map((each, at) => {
      const holds = at === 0 ? "0105" : "0000";
      return `${each}00000000${holds}000000000001 00000018 05000014${"69".repeat(19)}00`;
    }).join("").replaceAll(" ", "");
    const status = hex(`00000009${(entries.length / 2).toString(16).padStart(8, "0")}${entries}`);
    const read = decodeFullStatus(status);
    assert.deepEqual(read?.entries.map((entry) => entry.key), keys);
    assert.deepEqual(
      read?.entries.map(({ holds }) => holds),
      keys.map((_, at) => at === 0 ? 5 : null),
    );
  }));
});
