/** Drafts against the plain bytes that they stand for. */
import assert from "node:assert/strict";
import fc from "fast-check";
import { contentAfter } from "../../../mod/config/content.ts";
import { Draft } from "../../../mod/config/fuse/draft.ts";
import { Extents } from "../../../mod/config/fuse/extents.ts";
import { EXTENTS_MAX } from "../../../mod/config/fuse/limits.ts";
import type { Operation } from "../../../mod/streams.ts";

type Edit =
  | { readonly edit: "write"; readonly offset: number; readonly data: Uint8Array }
  | { readonly edit: "append"; readonly data: Uint8Array }
  | { readonly edit: "truncate"; readonly size: number }
  | { readonly edit: "clear" };

const DATA = fc.uint8Array({ minLength: 1, maxLength: 8 });
const EDIT: fc.Arbitrary<Edit> = fc.oneof(
  fc.record({ edit: fc.constant("write" as const), offset: fc.nat(40), data: DATA }),
  fc.record({ edit: fc.constant("append" as const), data: DATA }),
  fc.record({ edit: fc.constant("truncate" as const), size: fc.nat(40) }),
  fc.record({ edit: fc.constant("clear" as const) }),
);
const BASE = fc.uint8Array({ maxLength: 30 });

function edited(content: Uint8Array, edit: Edit): Uint8Array {
  const path = "f";
  switch (edit.edit) {
    case "write":
      return contentAfter(content, { op: "write", path, ...edit }) ?? assert.fail();
    case "append":
      return contentAfter(content, { op: "write", path, offset: content.length, ...edit }) ??
        assert.fail();
    case "truncate":
      return contentAfter(content, { op: "truncate", path, ...edit }) ?? assert.fail();
    case "clear":
      return new Uint8Array(0);
  }
}

function edit(draft: Draft, step: Edit, base: Uint8Array): void {
  switch (step.edit) {
    case "write":
      return draft.write(step.offset, step.data, base);
    case "append":
      return draft.append(step.data, base);
    case "truncate":
      return draft.truncate(step.size, base);
    case "clear":
      return draft.truncate(0, base);
  }
}

function performed(content: Uint8Array, operations: readonly Operation[]): Uint8Array {
  let now = content;
  for (const operation of operations) {
    assert.ok(operation.op === "write" || operation.op === "truncate");
    now = contentAfter(now, operation) ?? assert.fail();
  }
  return now;
}

Deno.test("a draft is what the same edits make of the bytes, as view, as length and as transaction", () => {
  fc.assert(fc.property(BASE, fc.array(EDIT, { maxLength: 12 }), (base, edits) => {
    const draft = new Draft();
    let expected: Uint8Array = base;
    for (const step of edits) {
      edit(draft, step, base);
      expected = edited(expected, step);
    }
    assert.deepEqual([...draft.view(base)], [...expected]);
    assert.equal(draft.length(base.length), expected.length);
    assert.deepEqual([...performed(base, draft.operations("f", base))], [...expected]);
    assert.ok(draft.bytes <= 1000);
  }));
});

Deno.test("one draft absorbs another that was laid over it", () => {
  const edits = fc.array(EDIT, { maxLength: 6 });
  fc.assert(fc.property(BASE, edits, edits, (base, before, after) => {
    const [lower, upper] = [new Draft(), new Draft()];
    for (const step of before) edit(lower, step, base);
    const between = lower.view(base);
    for (const step of after) edit(upper, step, between);
    const expected = upper.view(between);
    lower.absorb(upper, base);
    assert.deepEqual([...lower.view(base)], [...expected]);
  }));
});

Deno.test("what was appended goes to the end of whatever is there by then", () => {
  const draft = new Draft();
  const [one, two] = [Uint8Array.of(1), Uint8Array.of(9, 9, 9)];
  draft.append(Uint8Array.of(7), one);
  draft.append(Uint8Array.of(8), one);
  assert.deepEqual([...draft.view(two)], [9, 9, 9, 7, 8]);
  assert.deepEqual(draft.operations("f", two), [
    { op: "write", path: "f", offset: 3, data: Uint8Array.of(7, 8) },
  ]);
});

Deno.test("an O_TRUNC that nothing follows is no write of the program's, and still an operation", () => {
  const draft = new Draft();
  draft.clear();
  assert.deepEqual([draft.empty, draft.written], [false, false]);
  const truncate = { op: "truncate", path: "f", size: 0 };
  assert.deepEqual(draft.operations("f", Uint8Array.of(1)), [truncate]);
  assert.deepEqual(draft.operations("f", new Uint8Array(0)), [truncate], "its time changes");
  assert.deepEqual(new Draft().operations("f", Uint8Array.of(1)), []);
});

Deno.test("scattered writes become one range before they are too many for a transaction", () => {
  const base = new Uint8Array(4 * EXTENTS_MAX).fill(5);
  const draft = new Draft();
  const expected = base.slice();
  for (let at = 0; at <= EXTENTS_MAX + 3; at++) {
    draft.write(3 * at, Uint8Array.of(at & 0xff), base);
    expected[3 * at] = at & 0xff;
  }
  const operations = draft.operations("f", base);
  assert.ok(operations.length < 10);
  assert.deepEqual(performed(base, operations), expected);
});

Deno.test("the time that was set comes last", () => {
  const draft = new Draft();
  draft.write(0, Uint8Array.of(1), new Uint8Array(0));
  draft.touch(77);
  const operations = draft.operations("f", new Uint8Array(0));
  assert.deepEqual(operations.at(-1), { op: "utime", path: "f", mtime: 77 });
});

Deno.test("extents are apart from each other, in order, and copies of what was written", () => {
  fc.assert(fc.property(fc.array(fc.tuple(fc.nat(60), DATA), { maxLength: 20 }), (writes) => {
    const extents = new Extents();
    const bytes = new Map<number, number>();
    for (const [offset, data] of writes) {
      const own = data.slice();
      extents.write(offset, own);
      own.fill(0xee);
      data.forEach((byte, at) => bytes.set(offset + at, byte));
    }
    let end = -1;
    const found = new Map<number, number>();
    for (const { start, bytes: range } of extents.all()) {
      assert.ok(start > end && range.length > 0);
      end = start + range.length;
      range.forEach((byte, at) => found.set(start + at, byte));
    }
    const sorted = (map: Map<number, number>) => [...map].sort(([a], [b]) => a - b);
    assert.deepEqual(sorted(found), sorted(bytes));
    assert.equal(extents.bytes, bytes.size);
  }));
});
