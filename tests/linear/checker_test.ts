import assert from "node:assert/strict";
import fc from "fast-check";
import { checkHistory, type Operation } from "./checker.ts";
import { checkFiles, DIRECTORY, FILE, type FileInput, type FileOutput } from "./files.ts";

type FileOp = Operation<FileInput, FileOutput>;

function op(input: FileInput, output: FileOutput | null, called: number, returned: number): FileOp {
  return { input, output, called, returned };
}
function write(value: string, called: number, returned: number): FileOp {
  return op({ op: "write", value }, { done: true }, called, returned);
}

function read(value: string | null, called: number, returned: number): FileOp {
  return op({ op: "read" }, { value }, called, returned);
}

function fine(history: readonly FileOp[]): boolean {
  return checkHistory(history, FILE).linearizable;
}

Deno.test("checkHistory() accepts what a register could have answered", () => {
  assert.ok(fine([]));
  assert.ok(fine([write("a", 0, 1), read("a", 2, 3)]));
  // Overlapping: either order will do.
  assert.ok(fine([write("a", 0, 10), read(null, 1, 2), read("a", 3, 4)]));
  // The outcome of a write was never learnt: it may have happened late, or never.
  const unknown = op({ op: "write", value: "u" }, null, 0, Infinity);
  assert.ok(fine([unknown, read(null, 1, 2), read("u", 5, 6)]));
  assert.ok(fine([unknown, read(null, 1, 2), read(null, 5, 6)]));
  const swap = op({ op: "swap", expect: "a", value: "b" }, { done: false }, 2, 3);
  assert.ok(fine([write("a", 0, 1), write("c", 1, 4), swap, read("c", 5, 6)]));
});

Deno.test("checkHistory() refuses stale reads, lost writes, and values that come back", () => {
  assert.ok(!fine([write("a", 0, 1), read(null, 2, 3)]), "stale");
  assert.ok(!fine([write("a", 0, 1), write("b", 2, 3), read("a", 4, 5)]), "lost");
  const unknown = op({ op: "write", value: "u" }, null, 0, Infinity);
  assert.ok(!fine([unknown, read("u", 1, 2), read(null, 3, 4)]), "seen, then gone");
  assert.ok(!fine([write("a", 0, 10), read("a", 1, 2), read(null, 3, 4)]), "backwards");
  const twice = (value: string, at: number) =>
    op({ op: "swap", expect: null, value }, { done: true }, at, at + 5);
  assert.ok(!fine([twice("a", 0), twice("b", 1)]), "two created the same");
  const late = op({ op: "remove", expect: "a" }, { done: true }, 0, 1);
  assert.ok(!fine([late, write("a", 2, 3)]), "removed before it was there");
});

Deno.test("checkFiles() looks at each file by itself and names the bad one", () => {
  const on = (path: string, each: FileOp) => ({ ...each, path });
  const history = [on("x", write("a", 0, 1)), on("y", read("a", 2, 3)), on("x", read("a", 4, 5))];
  const faults = checkFiles(history);
  assert.equal(faults.length, 1);
  assert.match(faults[0] ?? "", /^"y"/);
});

Deno.test("checkHistory() of a directory: a listing shows what was there at one moment", () => {
  const list = (names: string[], called: number, returned: number) => ({
    ...{ input: { op: "list" as const }, output: { names }, called, returned },
  });
  const make = (name: string, called: number, returned: number) => ({
    ...{ input: { op: "make" as const, name }, output: { done: true }, called, returned },
  });
  const both = [make("a", 0, 1), make("b", 2, 8)];
  assert.ok(
    checkHistory([...both, list(["a"], 3, 4), list(["a", "b"], 5, 6)], DIRECTORY).linearizable,
  );
  assert.ok(!checkHistory([...both, list(["b"], 3, 4)], DIRECTORY).linearizable);
});

Deno.test("checkHistory() accepts every history that a real register made, however it overlaps", () => {
  // Each operation happens at a drawn moment within its span: such a history is linearizable.
  const span = fc.record({ at: fc.nat(60), before: fc.nat(6), behind: fc.nat(6), kind: fc.nat(3) });
  fc.assert(fc.property(fc.array(span, { maxLength: 40 }), fc.boolean(), (spans, spoil) => {
    const ordered = spans.map((each, tie) => ({ ...each, at: each.at + tie / 100 }))
      .sort((a, b) => a.at - b.at);
    let state: string | null = null;
    const history = ordered.map(({ at, before, behind, kind }, number): FileOp => {
      const input: FileInput = kind === 0
        ? { op: "write", value: `v${number}` }
        : kind === 1
        ? { op: "swap", expect: number % 2 ? state : null, value: `v${number}` }
        : kind === 2 && state !== null
        ? { op: "remove", expect: state }
        : { op: "read" };
      const value = state;
      const after: string | null | undefined = FILE.step(state, input, null);
      if (after !== undefined) state = after;
      const done = input.op === "write" || (input.op !== "read" && input.expect === value);
      const output: FileOutput = input.op === "read" ? { value } : { done };
      return { input, output, called: at - before, returned: at + behind };
    });
    assert.ok(fine(history));
    if (!spoil || history.length === 0) return;
    // A value that nobody wrote cannot be explained by any order.
    assert.ok(!fine([...history, read("never written", 100, 101)]));
  }));
});
