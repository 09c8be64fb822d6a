import assert from "node:assert/strict";
import fc from "fast-check";
import { AssertionFailure } from "../../mod/base/assert.ts";
import { concat, fromHex, Reader, toHex, Writer } from "../../mod/base/bytes.ts";
import { crc32, formatCrc } from "../../mod/base/checksum.ts";
import { CLUSTER_SPEC, type ClusterSpec, specFault, witnessVotes } from "../../mod/base/cluster.ts";
import { clusterId, nodeId } from "../../mod/base/id.ts";
import { Prng } from "../../mod/base/prng.ts";
import { formatProblem, problem, PROBLEMS } from "../../mod/base/problem.ts";
import { formatReason, reason, REASONS } from "../../mod/base/reason.ts";
import * as schema from "../../mod/base/schema.ts";
import { agree, deriveKey, open, publicKeyOf, seal } from "../../mod/base/seal.ts";
import { formatMillis } from "../../mod/base/time.ts";
import { assertTiming, PROFILE_NAMES, timingOf, timingTable } from "../../mod/base/timing.ts";

const SAMPLE = schema.struct({
  a: schema.u8,
  b: schema.u16,
  c: schema.u32,
  d: schema.u64,
  e: schema.f64,
  f: schema.bool,
  g: schema.hex(4),
  h: schema.bytes(64),
  i: schema.text(200),
  j: schema.choice(["red", "green"]),
  k: schema.list(schema.u16, 8),
  l: schema.option(schema.u8),
  m: schema.union({ x: [1, schema.struct({ v: schema.u8 })], y: [7, schema.struct({})] }),
});

const sample = fc.record({
  a: fc.integer({ min: 0, max: 255 }),
  b: fc.integer({ min: 0, max: 65535 }),
  c: fc.integer({ min: 0, max: 2 ** 32 - 1 }),
  d: fc.maxSafeNat(),
  e: fc.double({ noNaN: true, noDefaultInfinity: true }),
  f: fc.boolean(),
  g: fc.uint8Array({ minLength: 4, maxLength: 4 }).map(toHex),
  h: fc.uint8Array({ maxLength: 64 }),
  i: fc.string({ maxLength: 40 }),
  j: fc.constantFrom("red" as const, "green" as const),
  k: fc.array(fc.integer({ min: 0, max: 65535 }), { maxLength: 8 }),
  l: fc.option(fc.integer({ min: 0, max: 255 })),
  m: fc.oneof(
    fc.record(
      { kind: fc.constant("x" as const), v: fc.integer({ min: 0, max: 255 }) },
      { noNullPrototype: true },
    ),
    fc.constant({ kind: "y" as const }),
  ),
});

Deno.test("a schema decodes what it encoded", () => {
  fc.assert(fc.property(sample, (value) => {
    const back = schema.decode(SAMPLE, schema.encode(SAMPLE, value));
    assert.deepEqual({ ...back }, { ...value, e: value.e });
  }));
});

Deno.test("a schema never throws on damaged bytes and never accepts a cut or longer text", () => {
  fc.assert(fc.property(sample, fc.nat(), fc.integer({ min: 0, max: 255 }), (value, at, byte) => {
    const bytes = schema.encode(SAMPLE, value);
    for (let cut = 0; cut < bytes.length; cut++) {
      assert.equal(schema.decode(SAMPLE, bytes.subarray(0, cut)), null);
    }
    assert.equal(schema.decode(SAMPLE, concat(bytes, new Uint8Array(1))), null);
    const flipped = bytes.slice();
    flipped[at % flipped.length] = byte;
    schema.decode(SAMPLE, flipped);
  }));
  fc.assert(fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
    schema.decode(SAMPLE, bytes);
  }));
});

Deno.test("a schema's text comes back whole, with a byte order mark before it too", () => {
  for (const name of ["\ufeffa", "a", "\ufeff", "ä\ufeff"]) {
    const bytes = schema.encode(schema.text(100), name);
    assert.equal(schema.decode(schema.text(100), bytes), name);
  }
});

Deno.test("Writer writes as a DataView does, and Reader reads it back from anywhere", () => {
  const u32 = fc.integer({ min: 0, max: 0xffffffff });
  const u64 = fc.oneof(fc.maxSafeNat(), fc.constantFrom(0, 2 ** 32 - 1, 2 ** 32, 2 ** 53 - 1));
  const values = fc.record({
    a: fc.nat(0xff),
    b: fc.nat(0xffff),
    c: u32,
    d: u64,
    e: fc.double({ noNaN: true }),
  });
  fc.assert(fc.property(values, fc.nat(40), fc.nat(9), ({ a, b, c, d, e }, capacity, before) => {
    const view = new DataView(new ArrayBuffer(23));
    view.setUint8(0, a);
    view.setUint16(1, b);
    view.setUint32(3, c);
    view.setBigUint64(7, BigInt(d));
    view.setFloat64(15, e);
    const written = new Writer(capacity).u8(a).u16(b).u32(c).u64(d).f64(e).finish();
    assert.deepEqual(written, new Uint8Array(view.buffer));
    const shifted = new Uint8Array(before + written.length);
    shifted.set(written, before);
    const reader = new Reader(shifted.subarray(before));
    const read = [reader.u8(), reader.u16(), reader.u32(), reader.u64(), reader.f64()];
    assert.deepEqual(read, [a, b, c, d, e]);
    assert.ok(reader.done());
  }));
});

Deno.test("Writer.finish() and take() give bytes that what is written next leaves alone", () => {
  for (const capacity of [2, 4, 64]) {
    const writer = new Writer(capacity).u16(0x0102);
    const first = writer.finish();
    const whole = writer.u16(0x0304).finish();
    const taken = writer.take();
    writer.u32(0xffffffff);
    assert.deepEqual([...first], [1, 2]);
    assert.deepEqual([...whole], [1, 2, 3, 4]);
    assert.deepEqual([...taken], [1, 2, 3, 4]);
    assert.deepEqual([...writer.finish()], [255, 255, 255, 255]);
  }
});

Deno.test("Writer.hex() writes hex, and nothing where the text is none", () => {
  const writer = new Writer(0);
  for (const bad of ["0", "0g", "AB"]) assert.equal(writer.hex(bad), false);
  assert.equal(writer.length, 0);
  assert.ok(writer.hex("00ff7a"));
  assert.deepEqual([...writer.finish()], [0, 255, 0x7a]);
});

Deno.test("encode() gives each value bytes of its own, also after one that could not be written", () => {
  const nested: schema.Schema<string> = {
    ...schema.text(9),
    write(writer, value) {
      // What a schema encodes on the side must not fall into what is being written.
      schema.encode(schema.u32, 0xffffffff);
      schema.text(9).write(writer, value);
    },
  };
  const first = schema.encode(nested, "first");
  assert.throws(() => schema.encode(nested, "longer than it may be"), AssertionFailure);
  const second = schema.encode(nested, "other");
  assert.equal(schema.decode(nested, first), "first");
  assert.equal(schema.decode(nested, second), "other");
});

Deno.test("Reader.u64() calls numbers past 2^53 malformed", () => {
  const reader = new Reader(new Writer().u32(0xffffffff).u32(0).finish());
  assert.equal(reader.u64(), 0);
  assert.equal(reader.ok(), false);
});

Deno.test("fromHex() and toHex() are inverse, and fromHex() refuses what is not hex", () => {
  fc.assert(fc.property(fc.uint8Array(), (bytes) => {
    assert.deepEqual(fromHex(toHex(bytes)), bytes);
  }));
  for (const bad of ["0", "0g", "AB", " 00"]) assert.equal(fromHex(bad), null);
});

Deno.test("crc32() is the CRC of IEEE 802.3 and goes on from a seed", () => {
  const digits = new TextEncoder().encode("123456789");
  assert.equal(formatCrc(crc32(digits)), "0xcbf43926");
  assert.equal(crc32(digits.subarray(4), crc32(digits.subarray(0, 4))), 0xcbf43926);
});

Deno.test("open() returns what was sealed, and null for any change", () => {
  const key = deriveKey(new Uint8Array(32), "test");
  const nonce = new Uint8Array(12);
  fc.assert(fc.property(fc.uint8Array({ maxLength: 100 }), fc.nat(), (plain, at) => {
    const clear = new Uint8Array([1, 2, 3]);
    const sealed = seal({ key, nonce, clear }, plain);
    assert.deepEqual(open({ key, nonce, clear }, sealed), plain);
    const damaged = sealed.slice();
    damaged[at % damaged.length] = (damaged[at % damaged.length] ?? 0) ^ 1;
    assert.equal(open({ key, nonce, clear }, damaged), null);
    assert.equal(open({ key, nonce, clear: new Uint8Array([1, 2, 4]) }, sealed), null);
    assert.equal(open({ key, nonce, clear }, sealed.subarray(1)), null);
  }));
});

Deno.test("agree() gives both sides one secret (RFC 7748 section 6.1) and refuses bad points", () => {
  const known = (hex: string) => fromHex(hex) ?? new Uint8Array();
  const alice = known(
    "77076d0a7318a57d3c16c17251b26645df4c2f92ebc099e1d0a4f6bd3d0b5a9d".slice(0, 64),
  );
  const bob = known("5dab087e624a8a4b79e17f8b83800ee66f3bb1292618b6fd1c2f8b27ff88e0eb");
  const shared = agree(alice, publicKeyOf(bob));
  assert.ok(shared !== null);
  assert.deepEqual(shared, agree(bob, publicKeyOf(alice)));
  assert.equal(agree(alice, new Uint8Array(32)), null);
  assert.equal(agree(alice, new Uint8Array(31)), null);
});

Deno.test("Prng gives the same numbers for the same seed and others for another", () => {
  const draw = (seed: number) => {
    const prng = new Prng(seed);
    return [prng.u32(), prng.fraction(), prng.between(1, 6), prng.split().u32()];
  };
  assert.deepEqual(draw(42), draw(42));
  assert.notDeepEqual(draw(42), draw(43));
  const prng = new Prng(7);
  for (let i = 0; i < 1000; i++) {
    const value = prng.between(3, 5);
    assert.ok(value >= 3 && value <= 5);
  }
});

Deno.test("both profiles keep the relations that safety rests on", () => {
  for (const profile of PROFILE_NAMES) {
    const timing = timingOf(profile);
    assertTiming(timing);
    assert.ok(timing.deadMs + timing.fenceWaitMs >= timing.leaseMs + timing.watchdogMs);
    assert.throws(() => assertTiming({ ...timing, fenceWaitMs: timing.fenceWaitMinMs - 1 }));
    assert.throws(() => assertTiming({ ...timing, leaseMs: timing.deadMs }));
    assert.ok(timingTable(timing).every((row) => Number.isFinite(row.value)));
  }
  assert.equal(timingOf("standard").deadMs + timingOf("standard").fenceWaitMs, 60_000);
  assert.equal(timingOf("fast").deadMs + timingOf("fast").fenceWaitMs, 4200);
});

Deno.test("every problem and reason prints with all its parts", () => {
  for (const code of Object.keys(PROBLEMS) as (keyof typeof PROBLEMS)[]) {
    const text = formatProblem(problem(code, "the value is 'x'"));
    assert.match(text, /^error: [A-Z].*\n {2}why .*\n {2}fix .*\n {2}code /);
    assert.ok(!PROBLEMS[code].remedy.endsWith("."), code);
  }
  for (const code of Object.keys(REASONS) as (keyof typeof REASONS)[]) {
    assert.ok(formatReason(reason(code)).length > 0);
  }
  assert.equal(
    formatReason(reason("ha.started", { id: "exec:web", node: "nodeA" })),
    "exec:web started on nodeA",
  );
});

Deno.test("formatMillis() prints durations for people", () => {
  const table: [number, string][] = [
    [0, "0 ms"],
    [840, "840 ms"],
    [4200, "4.2 s"],
    [92_000, "1 m 32 s"],
    [11_100_000, "3 h 05 m"],
    [-5, "-5 ms"],
    [Infinity, "never"],
  ];
  for (const [ms, text] of table) assert.equal(formatMillis(ms), text);
});

const SPEC: ClusterSpec = {
  id: clusterId("0".repeat(32)),
  name: "prod",
  profile: "fast",
  members: [1, 2].map((id) => ({
    id: nodeId(id),
    name: `node${id}`,
    role: "voter",
    votes: 1,
    links: [`127.0.0.${id}:5405`],
    peer: `127.0.0.${id}:5406`,
  })),
  witness: { disk: "1".repeat(32) },
};

Deno.test("a cluster description survives the wire, and faults are named", () => {
  assert.deepEqual(schema.decode(CLUSTER_SPEC, schema.encode(CLUSTER_SPEC, SPEC)), SPEC);
  assert.equal(specFault(SPEC), null);
  assert.ok(witnessVotes(SPEC));
  const [first, second] = SPEC.members;
  assert.ok(first && second);
  const faults: [Partial<ClusterSpec>, RegExp][] = [
    [{ members: [] }, /1 to 64/],
    [{ members: [first, { ...second, id: first.id }] }, /share an id/],
    [{ members: [first, { ...second, name: first.name }] }, /share a name/],
    [{ members: [first, { ...second, peer: first.peer }] }, /share an address/],
    [{ members: [{ ...first, role: "learner" }] }, /no voter/],
    [{ members: [{ ...first, name: "-x" }] }, /not a node name/],
  ];
  for (const [change, expected] of faults) {
    assert.match(specFault({ ...SPEC, ...change }) ?? "", expected);
  }
});
