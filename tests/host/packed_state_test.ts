import assert from "node:assert/strict";
import fc from "fast-check";
import {
  packRequests,
  packRows,
  unpackRequests,
  unpackRows,
} from "../../mod/host/linux/packed_state.ts";
import type { StoredRow } from "../../mod/host/ports.ts";

const row: fc.Arbitrary<StoredRow> = fc.record({
  ...{ ino: fc.nat(), parent: fc.nat(), version: fc.nat(), writer: fc.nat() },
  name: fc.string({ unit: "binary" }),
  kind: fc.constantFrom("file" as const, "directory" as const),
  mtime: fc.double({ noNaN: true }),
  data: fc.uint8Array({ maxLength: 20 }),
}, { noNullPrototype: true });
const request = fc.record({
  index: fc.nat(),
  ...{ request: fc.string(), problem: fc.string(), why: fc.string({ unit: "binary" }) },
}, { noNullPrototype: true });

Deno.test("unpackRows() and unpackRequests() give what was packed, also after another thread had it", () => {
  fc.assert(fc.property(fc.array(row), fc.array(request), (rows, requests) => {
    const packed = structuredClone({ rows: packRows(rows), requests: packRequests(requests) });
    assert.deepEqual([...unpackRows(packed.rows)], rows);
    assert.deepEqual([...unpackRequests(packed.requests)], requests);
  }));
});

Deno.test("packRows() shares no memory with what it was given", () => {
  const data = Uint8Array.of(1, 2, 3);
  const rest = { ino: 1, parent: 0, name: "a", kind: "file", mtime: 1, version: 1 } as const;
  const packed = packRows([{ ...rest, writer: 1, data }]);
  data.fill(9);
  assert.deepEqual([...unpackRows(packed)][0]?.data, Uint8Array.of(1, 2, 3));
});
