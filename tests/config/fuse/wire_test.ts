import assert from "node:assert/strict";
import fc from "fast-check";
import { Prng } from "../../../mod/base/prng.ts";
import type { FuseCall, FuseReply, FuseRequest } from "../../../mod/config/fuse/requests.ts";
import { INIT, OPCODE } from "../../../mod/config/fuse/protocol.ts";
import {
  decodeRequest,
  encodeNotice,
  encodeReply,
  fittingEntries,
  negotiate,
} from "../../../mod/config/fuse/wire.ts";
import { decodeNotice, decodeReply, uniqueOf } from "../../../mod/sim/fuse_answer.ts";
import { encodeRequest } from "../../../mod/sim/fuse_request.ts";
import * as arbitrary from "./arbitrary.ts";

const HOSTILE = 100_000;
const CALLER = { uid: 1000, gid: 33, pid: 4711 };

function asked(call: FuseCall, unique = 2): FuseRequest {
  return { unique, node: 1, caller: CALLER, ...call };
}

function hex(text: string): Uint8Array {
  return Uint8Array.from(text.replace(/\s/g, "").match(/../g) ?? [], (each) => parseInt(each, 16));
}

/** A header of `opcode` with unique 0x10 and node 1, and a body. */
function raw(
  opcode: number,
  body: Uint8Array | string,
  wrong: { length?: number } = {},
): Uint8Array {
  const tail = typeof body === "string" ? new TextEncoder().encode(body) : body;
  const bytes = new Uint8Array(40 + tail.length);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, wrong.length ?? bytes.length, true);
  view.setUint32(4, opcode, true);
  view.setBigUint64(8, 0x10n, true);
  view.setBigUint64(16, 1n, true);
  bytes.set(tail, 40);
  return bytes;
}

Deno.test("decodeRequest() reads back every request that a kernel writes", () => {
  fc.assert(
    fc.property(arbitrary.request, (request) => {
      assert.deepEqual(decodeRequest(encodeRequest(request)), request);
    }),
    { numRuns: 5000 },
  );
});

/** As they came from /dev/fuse on Linux 6.18, x86-64. Heads are of root and pid 0x7415. */
const RECORDED: readonly (readonly [call: string, bytes: string, expected: object])[] = [
  [
    "init",
    `680000001a0000000200000000000000 00000000000000000000000000000000 0000000000000000
    07000000 2d000000 00000200 fbffff73 fd050000 ${"00".repeat(44)}`,
    { major: 7, minor: 45, maxReadahead: 131_072, flags: 0x5fd_73ff_fffbn },
  ],
  [
    "lookup",
    "2a0000000100000020000000000000000100000000000000 0000000000000000 15740000 00000000 6600",
    { name: "f" },
  ],
  [
    "read",
    `500000000f00000010000000000000000200000000000000 0000000000000000 14740000 00000000
    0700000000000000 0000000000000000 00100000 00000000 0000000000000000 00800000 00000000`,
    { handle: 7, offset: 0, size: 4096 },
  ],
  [
    "setattr",
    `80000000040000001c000000000000000200000000000000 0000000000000000 15740000 00000000
    30000000 ${"00".repeat(84)}`,
    { handle: null, set: { atime: 0, mtime: 0 } },
  ],
  [
    "write",
    `55000000100000002a000000000000000200000000000000 0000000000000000 15740000 00000000
    0700000000000000 0000000000000000 05000000 00000000 0000000000000000 02800000 00000000
    68656c6c6f`,
    { handle: 7, offset: 0, data: new TextEncoder().encode("hello") },
  ],
  [
    "flush",
    `40000000190000002c000000000000000200000000000000 0000000000000000 15740000 00000000
    0700000000000000 0000000000000000 24ef8fbd7d3e0881`,
    { handle: 7, owner: 0x8108_3e7d_bd8f_ef24n },
  ],
  [
    "create",
    `3c0000002300000044000000000000000100000000000000 0000000000000000 15740000 00000000
    c2800000 80810000 12000000 00000000 6e657700`,
    {
      name: "new",
      mode: 0o600,
      flags: { read: true, write: true, truncate: false, append: false, exclusive: true },
    },
  ],
  [
    "rename",
    `340000000c0000003c000000000000000100000000000000 0000000000000000 15740000 00000000
    0100000000000000 66007800`,
    { name: "f", directory: 1, to: "x", noReplace: false, exchange: false },
  ],
];

Deno.test("decodeRequest() reads the very bytes of Linux 6.18", () => {
  for (const [call, bytes, expected] of RECORDED) {
    const request = decodeRequest(hex(bytes));
    assert.ok(request !== null, call);
    const { unique: _, node, caller, ...rest } = request;
    assert.deepEqual(rest, { call, ...expected });
    if (call !== "init") assert.ok(node > 0 && (caller.pid & ~1) === 0x7414);
  }
});

Deno.test("encodeReply() writes what a kernel reads back as the same answer", () => {
  fc.assert(
    fc.property(arbitrary.exchange, ([call, reply]) => {
      const bytes = encodeReply(asked(call, 77), reply);
      assert.equal(uniqueOf(bytes), 77);
      assert.deepEqual(decodeReply(call, bytes), reply);
    }),
    { numRuns: 3000 },
  );
});

Deno.test("encodeReply() opens a new file past the page cache where it is asked to", () => {
  const flags = { read: true, write: true, truncate: false, append: false, exclusive: false };
  const call = asked({ call: "create", name: "a", mode: 0, flags });
  const [attributes] = fc.sample(arbitrary.attributes, 1);
  assert.ok(attributes !== undefined);
  // struct fuse_entry_out, then u64 fh; u32 open_flags, of which bit 0 is FOPEN_DIRECT_IO.
  const openFlags = (direct: boolean) => {
    const bytes = encodeReply(call, { reply: "created", attributes, handle: 9, direct });
    return new DataView(bytes.buffer).getUint32(16 + 128 + 8, true);
  };
  assert.deepEqual([openFlags(true), openFlags(false)], [1, 0]);
});

Deno.test("encodeReply() fills a directory with as many entries as fit, and counts them", () => {
  fc.assert(
    fc.property(
      arbitrary.entries,
      fc.nat({ max: 8192 }),
      fc.boolean(),
      (entries, size, plus) => {
        const call = { call: "readdir", handle: 1, offset: 0, size, plus } as const;
        const bytes = encodeReply(asked(call), { reply: "directory", entries });
        assert.ok(bytes.length <= 16 + size);
        const answer = decodeReply(call, bytes);
        assert.ok(answer?.reply === "directory");
        const count = fittingEntries(call, entries);
        const expected = entries.slice(0, count).map(({ name, next, attributes }) => ({
          ...{ name, node: attributes.node, kind: attributes.kind, next },
          attributes: plus && name !== "." && name !== ".." ? attributes : null,
        }));
        assert.deepEqual(answer.entries, expected);
        // One more would not have fitted.
        const all = encodeReply(asked({ ...call, size: 1_000_000 }), {
          reply: "directory",
          entries,
        });
        if (count < entries.length) assert.ok(all.length > 16 + size);
      },
    ),
    { numRuns: 2000 },
  );
});

Deno.test("encodeNotice() writes what a kernel reads back as the same notice", () => {
  fc.assert(fc.property(arbitrary.notice, (notice) => {
    const bytes = encodeNotice(notice);
    assert.equal(uniqueOf(bytes), 0);
    assert.deepEqual(decodeNotice(bytes), notice);
  }));
});

Deno.test("decodeRequest() tells names that are not UTF-8 from bytes without sense", () => {
  const errno = (opcode: number, body: Uint8Array | string, wrong = {}) => {
    const request = decodeRequest(raw(opcode, body, wrong));
    assert.equal(request?.unique, 0x10);
    assert.ok(request?.call === "malformed", JSON.stringify(request));
    return request.errno;
  };
  assert.equal(errno(OPCODE.lookup, new Uint8Array([0xff, 0xfe, 0])), "EILSEQ");
  // A surrogate half, and an overlong slash: both would be another name when written again.
  assert.equal(errno(OPCODE.lookup, new Uint8Array([0xed, 0xa0, 0x80, 0])), "EILSEQ");
  assert.equal(errno(OPCODE.lookup, new Uint8Array([0xc0, 0xaf, 0])), "EILSEQ");
  assert.equal(errno(OPCODE.lookup, "no end"), "EINVAL");
  for (const name of ["\0", ".\0", "..\0", "a/b\0", "a\0b\0", ""]) {
    assert.equal(errno(OPCODE.lookup, name), "EINVAL", JSON.stringify(name));
  }
  assert.equal(errno(OPCODE.rename, "12345678only one\0"), "EINVAL");
  assert.equal(errno(OPCODE.lookup, "a\0", { length: 41 }), "EINVAL");
  assert.equal(errno(OPCODE.lookup, "a\0", { length: 2 ** 31 }), "EINVAL");
});

Deno.test("decodeRequest() refuses counts and sizes that its bytes do not bear out", () => {
  const counted = (count: number, pairs: number) => {
    const body = new Uint8Array(8 + 16 * pairs);
    new DataView(body.buffer).setUint32(0, count, true);
    return decodeRequest(raw(OPCODE.batchForget, body));
  };
  assert.equal(counted(0xffff_ffff, 2), null);
  assert.equal(counted(3, 2), null);
  assert.ok(counted(2, 2)?.call === "forget");
  const bytes = encodeRequest(
    asked({ call: "write", handle: 1, offset: 0, data: new Uint8Array(8) }),
  );
  for (const size of [0, 7, 9, 0xffff_ffff]) {
    new DataView(bytes.buffer).setUint32(40 + 16, size, true);
    assert.ok(decodeRequest(bytes)?.call === "malformed");
  }
});

Deno.test("decodeRequest() bounds what a program chose, and refuses numbers nobody gave out", () => {
  const bytes = encodeRequest(asked({ call: "read", handle: 1, offset: 0, size: 0 }));
  const view = new DataView(bytes.buffer);
  view.setBigUint64(48, 2n ** 63n - 1n, true);
  view.setUint32(56, 0xffff_ffff, true);
  const request = decodeRequest(bytes);
  assert.ok(request?.call === "read");
  assert.equal(request.offset, Number.MAX_SAFE_INTEGER);
  assert.equal(request.size, 1024 * 1024);
  view.setBigUint64(40, 2n ** 63n, true);
  assert.deepEqual(decodeRequest(bytes), asked({ call: "malformed", errno: "EINVAL" }));
  view.setBigUint64(16, 2n ** 60n, true);
  assert.equal(decodeRequest(bytes)?.node, 0);
  view.setBigUint64(8, 2n ** 60n, true);
  assert.equal(decodeRequest(bytes), null);
});

Deno.test("decodeRequest() has nothing where nobody waits for an answer", () => {
  assert.equal(decodeRequest(new Uint8Array(0)), null);
  assert.equal(decodeRequest(new Uint8Array(39)), null);
  assert.equal(decodeRequest(raw(OPCODE.notifyReply, new Uint8Array(40))), null);
  assert.equal(decodeRequest(raw(OPCODE.interrupt, "short")), null);
  assert.equal(decodeRequest(raw(OPCODE.forget, "")), null);
});

Deno.test("decodeRequest() skips what a newer kernel appends, and extensions behind a name", () => {
  const body = new Uint8Array(40);
  body[0] = 0o1;
  const opened = decodeRequest(raw(OPCODE.open, body));
  assert.ok(opened?.call === "open" && opened.flags.write && !opened.flags.read);
  const bytes = raw(
    OPCODE.mkdir,
    new Uint8Array([0xed, 1, 0, 0, 0, 0, 0, 0, 0x61, 0, ...new Uint8Array(16)]),
  );
  assert.ok(decodeRequest(bytes)?.call === "malformed", "a name ends its request");
  new DataView(bytes.buffer).setUint16(36, 2, true);
  assert.deepEqual(decodeRequest(bytes), {
    ...{ unique: 0x10, node: 1, caller: { uid: 0, gid: 0, pid: 0 } },
    ...{ call: "mkdir", name: "a", mode: 0o755 },
  });
});

Deno.test("decodeRequest() never throws or reads past its end, whatever it is given", () => {
  const prng = new Prng(2026);
  const samples = fc.sample(arbitrary.request, { numRuns: 500, seed: 7 }).map(encodeRequest);
  let understood = 0;
  for (let i = 0; i < HOSTILE; i++) {
    // In a larger buffer, whose other bytes must not be seen.
    const whole = new Uint8Array(4096).fill(0x41);
    const bytes = hostile(prng, samples);
    whole.set(bytes, 100);
    const seen = decodeRequest(whole.subarray(100, 100 + bytes.length));
    assert.deepEqual(seen, decodeRequest(bytes));
    if (seen !== null && seen.call !== "malformed") understood++;
  }
  assert.ok(understood > HOSTILE / 20, "some of it still makes sense, or nothing was tried");
});

/** Random bytes, or a real request that is cut, lengthened, or has bits flipped. */
function hostile(prng: Prng, samples: readonly Uint8Array[]): Uint8Array {
  const sample = prng.pick(samples) ?? new Uint8Array(0);
  if (prng.chance(0.1)) return prng.bytes(prng.between(0, 200));
  let bytes = sample.slice();
  if (prng.chance(0.3)) bytes = bytes.slice(0, prng.between(0, bytes.length));
  else if (prng.chance(0.1)) bytes = new Uint8Array([...bytes, ...prng.bytes(prng.between(1, 50))]);
  // Half of the damaged ones have the right length again, so that bodies are reached.
  const repaired = prng.chance(0.5);
  for (let flips = prng.between(0, 4); flips > 0 && bytes.length > 0; flips--) {
    const at = prng.between(0, bytes.length - 1);
    bytes[at] = prng.chance(0.3) ? 0xff : (bytes[at] ?? 0) ^ (1 << prng.between(0, 7));
  }
  if (repaired && bytes.length >= 4) new DataView(bytes.buffer).setUint32(0, bytes.length, true);
  return bytes;
}

Deno.test("a hostile reply never makes the reading side of the simulator throw", () => {
  const prng = new Prng(99);
  const samples = fc.sample(arbitrary.exchange, { numRuns: 300, seed: 7 });
  for (let i = 0; i < 20_000; i++) {
    const [call, reply] = prng.pick(samples) ??
      [{ call: "statfs" }, { reply: "ok" }] as [FuseCall, FuseReply];
    const bytes = hostile(prng, [encodeReply(asked(call), reply)]);
    decodeReply(call, bytes);
    decodeNotice(bytes);
  }
});

Deno.test("negotiate() takes what the kernel has, and locks only where they are asked for", () => {
  const offer = { major: 7, minor: 45, maxReadahead: 131_072, flags: 2n ** 64n - 1n };
  const agreed = negotiate(offer, { posix: false, flock: true });
  assert.ok(typeof agreed === "object");
  assert.equal(agreed.minor, 38);
  assert.equal(agreed.maxWrite, 1024 * 1024);
  assert.equal(agreed.maxPages, 256);
  assert.equal(agreed.flags & INIT.flockLocks, INIT.flockLocks);
  assert.equal(agreed.flags & INIT.posixLocks, 0n);
  const writebackCache = 1n << 16n;
  const exportSupport = 1n << 4n;
  assert.equal(agreed.flags & (writebackCache | exportSupport), 0n);
  const poor = negotiate({ ...offer, minor: 31, flags: INIT.asyncRead }, {
    posix: true,
    flock: true,
  });
  assert.deepEqual(poor, {
    ...{ minor: 31, maxReadahead: 131_072, flags: INIT.asyncRead },
    ...{ maxWrite: 128 * 1024, maxPages: 0 },
  });
  assert.equal(negotiate({ ...offer, minor: 30 }, { posix: false, flock: false }), "older");
  assert.equal(negotiate({ ...offer, major: 8 }, { posix: false, flock: false }), "newer");
});

Deno.test("encodeReply() answers INIT with what was negotiated, or refuses", () => {
  const init = { call: "init", minor: 45, maxReadahead: 4096, flags: 2n ** 64n - 1n } as const;
  const answer = (major: number, minor: number) => {
    const call = { ...init, major, minor };
    return decodeReply(call, encodeReply(asked(call), { reply: "init", posixLocks: true }));
  };
  const good = answer(7, 31);
  assert.ok(good?.reply === "init");
  assert.equal(good.minor, 31);
  assert.equal(good.maxReadahead, 4096);
  assert.equal(good.flags & INIT.posixLocks, INIT.posixLocks);
  const newer = answer(8, 0);
  assert.ok(newer?.reply === "init" && newer.major === 7 && newer.flags === 0n);
  assert.deepEqual(answer(7, 20), { reply: "error", errno: "EPROTO" });
});
