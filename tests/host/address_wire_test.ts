/** Bytes that go to and come from the kernel and the neighbours. */
import assert from "node:assert/strict";
import fc from "fast-check";
import { fromHex, toHex } from "../../mod/base/bytes.ts";
import { parseIp } from "../../mod/base/ip.ts";
import { announceFrames, claimantIn, probeFrame } from "../../mod/host/linux/neighbour_wire.ts";
import { changeRequest, dumpRequest, readNews } from "../../mod/host/linux/netlink_wire.ts";

const MAC = bytes("02005e100001");
const OTHER = bytes("02005e100002");
const V4 = address("10.0.0.5");
const V6 = address("fd00::5");

function bytes(hex: string): Uint8Array {
  const found = fromHex(hex);
  assert.ok(found !== null);
  return found;
}

function address(text: string): Uint8Array {
  const found = parseIp(text);
  assert.ok(found !== null);
  return found;
}

Deno.test("gratuitous ARP has both forms, as RFC 5227 section 3 and RFC 5944 4.6 have them", () => {
  assert.deepEqual(announceFrames(V4, MAC).map(toHex), [
    "ffffffffffff02005e10000108060001080006040001" + "02005e1000010a000005" +
    "0000000000000a000005",
    "ffffffffffff02005e10000108060001080006040002" + "02005e1000010a000005" +
    "02005e1000010a000005",
  ]);
});

Deno.test("an ARP probe claims nothing: its sender has no address", () => {
  const wanted = "ffffffffffff02005e10000108060001080006040001" + "02005e10000100000000" +
    "0000000000000a000005";
  assert.equal(toHex(probeFrame(V4, MAC)), wanted);
});

Deno.test("an unsolicited advertisement overrides, with hop limit 255 and a right checksum", () => {
  const [frame] = announceFrames(V6, MAC);
  assert.ok(frame !== undefined);
  assert.equal(frame.length, 86);
  assert.equal(toHex(frame.subarray(0, 14)), "33330000000102005e10000186dd");
  assert.equal(toHex(frame.subarray(14, 22)), "6000000000203aff");
  assert.deepEqual([frame[54], frame[55], frame[58]], [136, 0, 0x20]);
  assert.equal(toHex(frame.subarray(78)), "020102005e100001");
  assert.equal(onesSum(frame), 0xffff);
});

Deno.test("a solicitation for duplicates goes to the solicited-node group, from nobody", () => {
  const frame = probeFrame(address("fd00::12:3456"), MAC);
  assert.equal(toHex(frame.subarray(0, 6)), "3333ff123456");
  assert.equal(toHex(frame.subarray(38, 54)), "ff0200000000000000000001ff123456");
  assert.ok(frame.subarray(22, 38).every((byte) => byte === 0));
  assert.equal(onesSum(frame), 0xffff);
});

/** RFC 1071, over the pseudo-header and the message with its checksum: all ones if it is right. */
function onesSum(frame: Uint8Array): number {
  const message = frame.subarray(54);
  const parts = [frame.subarray(22, 54), message];
  let sum = message.length + 58;
  for (const part of parts) {
    for (let at = 0; at < part.length; at += 2) sum += ((part[at] ?? 0) << 8) + (part[at + 1] ?? 0);
  }
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >> 16);
  return sum;
}

for (const [family, mine] of [["IPv4", V4], ["IPv6", V6]] as const) {
  Deno.test(`claimantIn() knows who has an ${family} address, or is about to take it`, () => {
    const ask = { address: mine, own: MAC };
    for (const frame of announceFrames(mine, OTHER)) {
      assert.equal(claimantIn(frame, ask), "02:00:5e:10:00:02");
    }
    assert.equal(claimantIn(probeFrame(mine, OTHER), ask), "02:00:5e:10:00:02");
    for (const frame of [...announceFrames(mine, MAC), probeFrame(mine, MAC)]) {
      assert.equal(claimantIn(frame, ask), null, "our own");
    }
    const another = mine.map((byte, at) => at === mine.length - 1 ? byte + 1 : byte);
    for (const frame of [...announceFrames(another, OTHER), probeFrame(another, OTHER)]) {
      assert.equal(claimantIn(frame, ask), null, "another address");
    }
  });
}

Deno.test("claimantIn() never throws, and damaged frames accuse only if they still say so", () => {
  const frames = [...announceFrames(V4, OTHER), ...announceFrames(V6, OTHER)];
  const damage = fc.tuple(fc.constantFrom(...frames), fc.nat(90), fc.nat(90), fc.nat(255));
  fc.assert(fc.property(damage, ([frame, length, at, value]) => {
    const damaged = frame.slice(0, length);
    if (at < damaged.length) damaged[at] = value;
    for (const mine of [V4, V6]) claimantIn(damaged, { address: mine, own: MAC });
    assert.equal(length < 42 ? claimantIn(damaged, { address: V4, own: MAC }) : null, null);
  }));
  fc.assert(fc.property(fc.uint8Array({ maxLength: 128 }), (frame) => {
    claimantIn(frame, { address: V4, own: MAC });
    claimantIn(frame, { address: V6, own: MAC });
  }));
});

/** What Linux 6.18 answers about an interface lo with 127.0.0.1/8; of the link's attributes, some. */
const LINK = "44000000100002000700000000000000" + "00000403010000004900010000000000" +
  "070003006c6f0000" + "0a0001000000000000000000" + "08000d00e8030000" + "0500100000000000";
const ADDRESS = "4c000000140002000700000027ea2abd" + "020880fe01000000" + "080001007f000001" +
  "080002007f000001" + "070003006c6f0000" + "0800080080000000" +
  "14000600ffffffffffffffff51e0030051e00300";
const DONE = "14000000030002000700000000000000" + "00000000";

Deno.test("readNews() reads links and addresses, and the end", () => {
  const news = readNews(bytes(LINK + ADDRESS + DONE), 7);
  assert.ok(news !== null);
  assert.equal(news.end, 0);
  assert.deepEqual(
    news.links.map(({ index, name, up, neighbours }) => ({ index, name, up, neighbours })),
    [
      { index: 1, name: "lo", up: true, neighbours: false },
    ],
  );
  assert.deepEqual(news.addresses, [{ index: 1, address: address("127.0.0.1"), prefix: 8 }]);
  assert.deepEqual(readNews(bytes(LINK + DONE), 8), { links: [], addresses: [], end: null });
});

Deno.test("readNews() tells an error by its number", () => {
  const error = "2400000002000000070000000000000" + "0" + "efffffff" + "00".repeat(16);
  assert.equal(readNews(bytes(error), 7)?.end, 17);
});

Deno.test("readNews() never throws, whatever the kernel's socket brings", () => {
  const good = bytes(LINK + ADDRESS + DONE);
  fc.assert(
    fc.property(fc.nat(good.length), fc.nat(good.length), fc.nat(255), (length, at, value) => {
      const damaged = good.slice(0, length);
      if (at < damaged.length) damaged[at] = value;
      const news = readNews(damaged, 7);
      for (const each of news?.addresses ?? []) {
        assert.ok(each.address.length === 4 || each.address.length === 16);
        assert.ok(each.prefix <= 8 * each.address.length);
      }
    }),
  );
  fc.assert(fc.property(fc.uint8Array({ maxLength: 256 }), (any) => {
    readNews(any, 7);
  }));
});

Deno.test("a change names the address twice, and an IPv6 one skips the kernel's own detection", () => {
  const add = changeRequest("add", { index: 3, address: V4, prefix: 24 }, 1);
  assert.equal(
    toHex(add),
    "30000000140005060100000000000000" + "0218000003000000" + "080002000a000005" +
      "080001000a000005" + "080004000a0000ff",
  );
  const six = changeRequest("add", { index: 3, address: V6, prefix: 64 }, 1);
  assert.equal(six[18], 2, "IFA_F_NODAD");
  const remove = changeRequest("remove", { index: 3, address: V4, prefix: 24 }, 1);
  assert.deepEqual([remove[4], remove.length], [21, 40]);
  assert.equal(dumpRequest("links", 1)[4], 18);
});
