import assert from "node:assert/strict";
import fc from "fast-check";
import { formatIp, isHostAddress, parseIp, sameNetwork } from "../../mod/base/ip.ts";

const SPELLINGS = [
  ["10.0.0.5", "10.0.0.5"],
  ["fd00:0:0:0:0:0:0:1", "fd00::1"],
  ["::", "::"],
  ["::1", "::1"],
  ["1::", "1::"],
  ["FE80::0:A", "fe80::a"],
  ["2001:db8:0:1:1:1:1:1", "2001:db8:0:1:1:1:1:1"],
  ["2001:0:0:1:0:0:0:1", "2001:0:0:1::1"],
  ["::ffff:192.0.2.1", "::ffff:c000:201"],
] as const;

for (const [text, printed] of SPELLINGS) {
  Deno.test(`parseIp("${text}") prints as ${printed}`, () => {
    const bytes = parseIp(text);
    assert.ok(bytes !== null);
    assert.equal(formatIp(bytes), printed);
  });
}

for (
  const text of [
    ...["", "10.0.0", "10.0.0.256", "10.0.0.01", "10.0.0.1.2", "1:2:3", "1::2::3", ":::"],
    ...["fe80::1%eth0", "12345::", "1:2:3:4:5:6:7:8:9", "1:2:3:4:5:6:7::8:9", ":1", "g::1"],
    ...["1.2.3.4::", "::1.2.3", " 10.0.0.1"],
  ]
) {
  Deno.test(`parseIp("${text}") is none`, () => assert.equal(parseIp(text), null));
}

Deno.test("formatIp() and parseIp() are inverse, whatever the bytes", () => {
  const bytes = fc.oneof(
    fc.uint8Array({ minLength: 4, maxLength: 4 }),
    fc.uint8Array({ minLength: 16, maxLength: 16 }),
    fc.array(fc.constantFrom(0, 0, 1), { minLength: 16, maxLength: 16 }).map((all) =>
      Uint8Array.from(all)
    ),
  );
  fc.assert(fc.property(bytes, (address) => {
    assert.deepEqual([...parseIp(formatIp(address)) ?? []], [...address]);
  }));
});

Deno.test("parseIp() never throws", () => {
  fc.assert(fc.property(fc.string({ unit: fc.constantFrom(..."0123456789abf:.%/ ") }), (text) => {
    const bytes = parseIp(text);
    assert.ok(bytes === null || bytes.length === 4 || bytes.length === 16);
  }));
});

Deno.test("sameNetwork() compares as many bits as the prefix has", () => {
  const same = (a: string, b: string, prefix: number) =>
    sameNetwork(parseIp(a) ?? new Uint8Array(), parseIp(b) ?? new Uint8Array(), prefix);
  assert.ok(same("10.0.0.1", "10.0.0.254", 24));
  assert.ok(!same("10.0.0.1", "10.0.1.1", 24));
  assert.ok(same("10.0.0.1", "10.0.1.1", 23));
  assert.ok(!same("10.0.0.1", "10.0.0.2", 32));
  assert.ok(same("10.0.0.1", "192.0.2.1", 0));
  assert.ok(!same("10.0.0.1", "::", 0), "another family");
  assert.ok(same("fd00:1::1", "fd00:1::ffff", 64) && !same("fd00:1::1", "fd00:2::1", 64));
});

Deno.test("isHostAddress() takes no group, no loopback and no nothing", () => {
  const is = (text: string) => isHostAddress(parseIp(text) ?? new Uint8Array());
  assert.ok(["10.0.0.1", "192.0.2.1", "fd00::1", "fe80::1", "2001:db8::2"].every(is));
  assert.ok(
    !["0.0.0.0", "127.0.0.1", "224.0.0.1", "255.255.255.255", "::", "::1", "ff02::1"]
      .some(is),
  );
});
