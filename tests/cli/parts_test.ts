/** Parts of the command line: the reader of event streams, bounded reading, addresses. */
import assert from "node:assert/strict";
import fc from "fast-check";
import { PROBLEMS } from "../../mod/base/problem.ts";
import { Cli } from "../../mod/cli/cli.ts";
import { configAddress } from "../../mod/cli/client.ts";
import { readAtMost, realIo } from "../../mod/cli/io.ts";
import { buildProgram } from "../../mod/cli/program.ts";
import { readEvents } from "../../mod/cli/sse.ts";

Deno.test("readEvents() yields the same events however the bytes are cut", async () => {
  const text = ": hello\n\nretry: 1000\n\nid: a.1\ndata: one\n\n" +
    "event: gap\ndata: x\ndata: ä→y\n\ndata\n\n:still\nid:a.2\ndata:  two\n\ndata: unfinished";
  const bytes = new TextEncoder().encode(text);
  const expected = [
    { event: "message", id: "a.1", data: "one" },
    { event: "gap", id: "a.1", data: "x\nä→y" },
    { event: "message", id: "a.1", data: "" },
    { event: "message", id: "a.2", data: " two" },
  ];
  await fc.assert(
    fc.asyncProperty(fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 1 }), async (sizes) => {
      const parts: Uint8Array<ArrayBuffer>[] = [];
      for (let at = 0; at < bytes.length;) {
        const size = sizes[parts.length % sizes.length] ?? 1;
        parts.push(bytes.slice(at, at + size));
        at += size;
      }
      assert.deepEqual(await Array.fromAsync(readEvents(ReadableStream.from(parts))), expected);
    }),
    { numRuns: 50 },
  );
});

Deno.test("readEvents() gives up on a line that never ends", async () => {
  const endless = ReadableStream.from((function* () {
    for (;;) yield new Uint8Array(65_536).fill(65);
  })());
  await assert.rejects(Array.fromAsync(readEvents(endless)), /no lines/);
});

Deno.test("readAtMost() returns what fits, and stops early where it does not", async () => {
  let asked = 0;
  const endless = {
    read(buffer: Uint8Array) {
      asked += buffer.length;
      return Promise.resolve(buffer.length);
    },
  };
  assert.equal(await readAtMost(endless, 100_000), null);
  assert.ok(asked < 300_000);
  for (const size of [0, 1, 99, 100, 101]) {
    let left = size;
    const bytes = await readAtMost({
      read(buffer) {
        const count = Math.min(left, 7, buffer.length);
        left -= count;
        return Promise.resolve(count === 0 ? null : count);
      },
    }, 100);
    assert.equal(bytes?.length ?? null, size > 100 ? null : size);
  }
});

Deno.test("configAddress() escapes every name, and the daemon reads the same path again", () => {
  assert.equal(configAddress(""), "/v1/config");
  assert.equal(configAddress("/a b/%2e%2e/ü?#"), "/v1/config/a%20b/%252e%252e/%C3%BC%3F%23");
  for (const path of ["..", "a/../b", "."]) {
    assert.throws(() => configAddress(path), /is not a name/);
  }
});

Deno.test("every command that a remedy names is one that there is", () => {
  const program = buildProgram(
    new Cli(realIo(), {
      file: null,
      daemon: () => Promise.resolve(0),
      diskWorker: () => Promise.resolve(0),
      offline: () => Promise.reject(new Error("Nobody reads files")),
      keeper: () => Promise.resolve(0),
      disks: () => Promise.reject(new Error("Nobody opens disks")),
    }),
  );
  let found = 0;
  for (const [code, { remedy }] of Object.entries(PROBLEMS)) {
    for (const [, chain = ""] of remedy.matchAll(/pentad ((?:[a-z-]+ ?)+)/g)) {
      let command = program;
      const words = chain.trim().split(" ").filter((word) => word !== "help");
      for (const word of words) {
        const next = command.commands.find((each) => each.name() === word);
        if (next === undefined) {
          // After a command that does something itself, the rest is the sentence.
          const whole = command.commands.length === 0 || command.name() === "join";
          assert.ok(command !== program && whole, `${code}: "${chain}"`);
          break;
        }
        command = next;
        found++;
      }
    }
  }
  assert.ok(found > 10);
});
