/** A kernel that asks nonsense: of numbers nobody gave out, in any order, with cut and turned bytes. */
import assert from "node:assert/strict";
import fc from "fast-check";
import type { FuseRequest } from "../../../mod/config/fuse/requests.ts";
import { decodeRequest, encodeReply } from "../../../mod/config/fuse/wire.ts";
import { encodeRequest } from "../../../mod/sim/fuse_request.ts";
import { damaged } from "../arbitrary.ts";
import * as arbitrary from "./arbitrary.ts";
import { Bench, CALL_MS, type Seat } from "./bench.ts";

/** Numbers that mean something here: the root, virtual files, the first inodes and handles. */
const near = fc.oneof(fc.nat(12), fc.integer({ min: 1024, max: 1030 }), fc.maxSafeNat());

/** A request of numbers that may be there; names are few, so that they meet. */
const likely = fc.tuple(arbitrary.request, near, near, near, fc.constantFrom("a", "b", ".members"))
  .map(([request, node, handle, offset, name]): FuseRequest => {
    const owned = { ...request, node } as Record<string, unknown>;
    if (typeof owned.handle === "number") owned.handle = handle;
    if (typeof owned.directory === "number") owned.directory = node;
    if (typeof owned.offset === "number") owned.offset = offset;
    if (typeof owned.name === "string") owned.name = name;
    // A program that waits for a lock may wait for ever.
    if (owned.call === "setlk") owned.wait = false;
    return owned as unknown as FuseRequest;
  });

const bytes = fc.oneof(
  { weight: 8, arbitrary: likely.map(encodeRequest) },
  { weight: 1, arbitrary: damaged(likely.map(encodeRequest)) },
  { weight: 1, arbitrary: fc.uint8Array({ maxLength: 200 }) },
);

/** Without an answer, whatever they are. */
const SILENT: readonly string[] = ["forget", "interrupt", "init", "destroy"];

Deno.test("whatever a kernel asks is answered once, with what can be written, and nothing throws", () => {
  let answered = 0;
  fc.assert(
    fc.property(fc.array(bytes, { maxLength: 80 }), fc.boolean(), (all, frozen) => {
      const bench = new Bench(2);
      const seat = bench.first;
      bench.elsewhere({ op: "mkdir", path: "d" }, { op: "create", path: "a" });
      seat.setFrozen(frozen);
      const asked = new Map<number, FuseRequest>();
      for (const each of all) {
        const request = decodeRequest(each);
        // A kernel gives no number twice while it waits.
        if (request === null || asked.has(request.unique)) continue;
        seat.mount.request(request, bench.now);
        const anew = request.call === "init" || request.call === "destroy";
        if (anew) asked.clear();
        else if (!SILENT.includes(request.call)) asked.set(request.unique, request);
        seat.drain();
        // A new connection counts its requests from the beginning, this one's own number too.
        if (anew) seat.answers.clear();
        if (request.unique % 3 === 0) bench.commitAll();
      }
      bench.commitAll();
      bench.pass(2 * CALL_MS);
      bench.commitAll();
      for (const [unique, request] of asked) {
        const reply = seat.answers.get(unique);
        assert.ok(reply, `${request.call} of node ${request.node} is answered`);
        assert.ok(encodeReply(request, reply).length >= 16);
        answered++;
      }
      assertSound(bench, seat);
    }),
    { numRuns: 500 },
  );
  assert.ok(answered > 1000, `${answered}`);
});

/** The replicas are equal, and the mount goes on. */
function assertSound(bench: Bench, seat: Seat): void {
  assert.equal(seat.replica.crc, bench.seat(2).replica.crc);
  seat.answers.clear();
  assert.ok(seat.call(1, { call: "statfs" }).reply === "statfs");
}
