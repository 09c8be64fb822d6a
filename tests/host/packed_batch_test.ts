import assert from "node:assert/strict";
import fc from "fast-check";
import { packBatch, unpackBatch } from "../../mod/host/linux/packed_batch.ts";
import type { DatabaseBatch, StoredRow } from "../../mod/host/ports.ts";

const plain = { noNullPrototype: true } as const;
const text = fc.string({ unit: "binary" });
const bytes = fc.uint8Array({ maxLength: 20 });
const row: fc.Arbitrary<StoredRow> = fc.record({
  ...{ ino: fc.maxSafeNat(), parent: fc.nat(), version: fc.nat(), writer: fc.nat() },
  name: text,
  kind: fc.constantFrom("file" as const, "directory" as const),
  mtime: fc.double({ noNaN: true }),
  data: bytes,
}, plain);
const undo = fc.record({ ino: fc.nat(), path: text, before: fc.option(row) }, plain);
const history = fc.record({
  ...{ index: fc.nat(), term: fc.nat(), request: text, problem: text, why: text },
  undo: fc.option(fc.array(undo)),
}, plain);
const applied = fc.record({
  ...{ index: fc.nat(), term: fc.nat(), stateCrc: fc.nat(), forget: fc.nat() },
  ...{ rows: fc.array(row), removed: fc.array(fc.nat()), history: fc.array(history) },
  locks: fc.array(fc.record({ key: fc.nat(), body: bytes }, plain), { minLength: 1 }),
}, {
  ...plain,
  requiredKeys: ["index", "term", "stateCrc", "forget", "rows", "removed", "history"],
});
const entry = fc.record({ index: fc.nat(), term: fc.nat(), body: bytes }, plain);
const batch = fc.record(
  { entries: fc.array(entry, { minLength: 1 }), applied },
  { ...plain, requiredKeys: [] },
) as fc.Arbitrary<Pick<DatabaseBatch, "entries" | "applied">>;

Deno.test("unpackBatch() gives what was packed, also after another thread had it", () => {
  fc.assert(fc.property(batch, (parts) => {
    assert.deepEqual(unpackBatch(structuredClone(packBatch(parts))), parts);
  }));
});

Deno.test("packBatch() shares no memory with what it was given", () => {
  const body = Uint8Array.of(1, 2, 3);
  const packed = packBatch({ entries: [{ index: 1, term: 1, body }] });
  body.fill(9);
  assert.deepEqual(unpackBatch(packed).entries?.[0]?.body, Uint8Array.of(1, 2, 3));
});
