/** The light seal of the simulator does what the true one does, and nothing else is changed by it. */
import assert from "node:assert/strict";
import fc from "fast-check";
import * as truly from "../../mod/base/seal.ts";
import * as light from "../../scripts/light_seal.ts";

const ROOT = new URL("../../", import.meta.url);
const MAP = ["run", "-A", "--no-check", "--import-map", "scripts/light_seal.json"];

function bytes(length: number) {
  return fc.uint8Array({ minLength: length, maxLength: length });
}

const sealing = fc.record({
  key: bytes(truly.KEY_BYTES),
  nonce: bytes(truly.NONCE_BYTES),
  clear: fc.uint8Array({ maxLength: 40 }),
});

Deno.test("seal() of both opens to the same text, has the same length and leaves the same room", () => {
  fc.assert(fc.property(
    sealing,
    fc.uint8Array({ maxLength: 300 }),
    fc.nat(30),
    (input, plain, room) => {
      for (const { seal, open } of [truly, light]) {
        const sealed = seal(input, plain, room);
        assert.equal(sealed.length, room + plain.length + truly.TAG_BYTES);
        assert.ok(sealed.subarray(0, room).every((byte) => byte === 0));
        assert.deepEqual(open(input, sealed.subarray(room)), plain);
      }
    },
  ));
});

Deno.test("open() of both refuses every other key, nonce, clear part, length and bit", () => {
  fc.assert(fc.property(
    sealing,
    fc.uint8Array({ minLength: 1, maxLength: 60 }),
    fc.nat(),
    (input, plain, at) => {
      for (const { seal, open } of [truly, light]) {
        const sealed = seal(input, plain);
        assert.equal(open(input, turned(sealed, at)), null);
        assert.equal(open(input, sealed.subarray(0, at % sealed.length)), null);
        assert.equal(open({ ...input, key: turned(input.key, at) }, sealed), null);
        assert.equal(open({ ...input, nonce: turned(input.nonce, at) }, sealed), null);
        const clear = new Uint8Array([...input.clear, at % 256]);
        assert.equal(open({ ...input, clear }, sealed), null);
      }
    },
  ));
});

function turned(sealed: Uint8Array, at: number): Uint8Array {
  const other = sealed.slice();
  const place = at % other.length;
  other[place] = (other[place] as number) ^ (1 << (at % 8));
  return other;
}

async function run(...args: readonly string[]): Promise<string> {
  const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: [...args],
    cwd: ROOT,
    env: { NO_COLOR: "1" },
    stdin: "null",
  }).output();
  const text = new TextDecoder().decode(stdout);
  assert.equal(code, 0, text + new TextDecoder().decode(stderr));
  return text;
}

Deno.test("a seed has one history with either seal, in one process or in several", async () => {
  // Of seeds like 12 the light one plays the true one besides, and compares.
  const seeds = ["scripts/sim.ts", "--seed", "12", "--count", "2", "--nodes", "2", "--witness"];
  const without = await run("run", "-A", "--no-check", ...seeds);
  const within = await run(...MAP, ...seeds, "--jobs", "2");
  assert.equal(counts(within), counts(without));
  assert.match(counts(without), /2 seeds .* 0 failed; .* writes acknowledged/);
});

/** The summary without what this machine's time is in. */
function counts(text: string): string {
  return text.replace(/ in [\d.]+ m?s( \(\d+ x\))?/g, "");
}

Deno.test("the import map puts the light seal into everybody's place, and into nothing else", async () => {
  const file = await Deno.makeTempFile({ prefix: "pentad-seal-", suffix: ".ts" });
  try {
    const seal = new URL("mod/base/seal.ts", ROOT).href;
    Deno.writeTextFileSync(file, `import * as it from "${seal}"; console.log(Object.keys(it));`);
    assert.match(await run(...MAP, file), /standIn/);
    assert.doesNotMatch(await run("run", "-A", "--no-check", file), /standIn/);
  } finally {
    await Deno.remove(file);
  }
});
