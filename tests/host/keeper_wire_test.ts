import assert from "node:assert/strict";
import fc from "fast-check";
import { resourceId } from "../../mod/base/id.ts";
import { EPOCH, instant, NEVER } from "../../mod/base/time.ts";
import { boottime } from "../../mod/host/ffi/pidfd.ts";
import { KEEPER_LINE_MAX, type KeeperAsk, LineReader } from "../../mod/host/linux/keeper_wire.ts";
import { parseAsk, printAsk } from "../../mod/host/linux/keeper_wire.ts";

const WEB = resourceId("exec:web");
/** Milliseconds with a fraction, as CLOCK_BOOTTIME gives them, of a century and a half. */
const INSTANT = fc.tuple(fc.nat(4_000_000_000), fc.nat(999_999_999))
  .map(([seconds, nanos]) => instant(seconds * 1000 + nanos / 1e6));
const NAME = record({ pid: fc.integer({ min: 2, max: 4_194_304 }), start: fc.nat() });

function record<T>(model: { [K in keyof T]: fc.Arbitrary<T[K]> }): fc.Arbitrary<T> {
  return fc.record(model, { noNullPrototype: true });
}

const ASK: fc.Arbitrary<KeeperAsk> = fc.oneof<fc.Arbitrary<KeeperAsk>[]>(
  record({ verb: fc.constant("hello"), protocol: fc.nat() }),
  record({ verb: fc.constant("guard"), until: INSTANT, sentAt: INSTANT }),
  record({ verb: fc.constantFrom("kill-all", "disarm") }),
  record({ verb: fc.constantFrom("add", "gone"), id: fc.constant(WEB) }),
  record({ verb: fc.constant("main"), id: fc.constant(WEB), main: NAME }),
  record({
    verb: fc.constant("arm"),
    timeoutMs: fc.nat(),
    sentAt: INSTANT,
    daemon: NAME,
  }),
  record({ verb: fc.constant("pet"), sentAt: INSTANT }),
);

Deno.test("parseAsk() reads what printAsk() printed, whatever the digits of the time", () => {
  fc.assert(fc.property(ASK, fc.nat(), (ask, tag) => {
    const line = `${tag} ${printAsk(ask)}`;
    assert.ok(line.length <= KEEPER_LINE_MAX);
    assert.deepEqual(parseAsk(line), { tag, ask });
  }));
  for (const until of [EPOCH, NEVER, boottime()]) {
    const ask: KeeperAsk = { verb: "guard", until, sentAt: boottime() };
    assert.deepEqual(parseAsk(`1 ${printAsk(ask)}`), { tag: 1, ask });
  }
});

Deno.test("parseAsk() takes nothing else, and does not throw", () => {
  const strange = [
    "",
    "x",
    "1",
    "1 pet",
    "1 pet NaN",
    "1 pet 1e99",
    "1 main exec:web 1 5",
    "1 guard 5",
  ];
  for (const line of [...strange, "1 add ../x", "1 arm 5 5 7 8 9", "-1 pet 5"]) {
    assert.equal(parseAsk(line), null, line);
  }
  fc.assert(fc.property(fc.string({ unit: "binary" }), (line) => {
    parseAsk(line);
    parseAsk(`1 ${line}`);
  }));
});

Deno.test("LineReader.push() joins pieces and refuses a line without an end", () => {
  const reader = new LineReader();
  const bytes = (text: string) => new TextEncoder().encode(text);
  assert.deepEqual(reader.push(bytes("1 a\n2 ")), ["1 a"]);
  assert.deepEqual(reader.push(bytes("b\n")), ["2 b"]);
  assert.equal(reader.push(bytes("x".repeat(KEEPER_LINE_MAX + 1))), null);
});
