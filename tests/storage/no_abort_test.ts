/** Targets that have PREEMPT, but not PREEMPT AND ABORT. */
import assert from "node:assert/strict";
import fc from "fast-check";
import { nodeId } from "../../mod/base/id.ts";
import { BLOCK_BYTES } from "../../mod/storage/block.ts";
import { encodeRegister, REGISTER_BLOCK } from "../../mod/storage/layout.ts";
import { bothUp, nodesOf, SETTLE, TIMING, UUID, World } from "./world.ts";

const WAIT = TIMING.fenceWaitMs;

/** Both nodes up on disks without ABORT, each knowing the other as online. */
function pair(seed: number, shape: { readonly disks?: number } = {}) {
  const world = new World(seed, shape);
  world.aborts = false;
  return bothUp(world);
}

Deno.test("a disk without ABORT says so, and what its vote is worth", () => {
  const { a } = pair(1);
  const { disks, verdict } = a.core.view();
  assert.equal(disks[0]?.state, "ready");
  assert.match(disks[0]?.detail ?? "", /no PREEMPT AND ABORT$/);
  assert.match(
    verdict,
    new RegExp(`/lun has no PREEMPT AND ABORT, and the vote counts ${WAIT} ms`),
  );
  assert.ok(a.said.some((text) => text === "/lun: no ABORT"));
});

Deno.test("a disk without ABORT takes over from the node's own former life", () => {
  const { world, a } = pair(2);
  a.dead = true;
  const again = world.boot(1, "ab".repeat(8));
  world.run(SETTLE);
  assert.equal(again.core.view().disks[0]?.state, "ready");
  assert.deepEqual(nodesOf(world), [1, 2]);
});

Deno.test("a vote on a disk without ABORT counts only after the loser was gone long enough", () => {
  const { world, a, b } = pair(3);
  b.dead = true;
  world.member(a, 2, "down");
  world.run(TIMING.claimMs);
  assert.deepEqual(nodesOf(world), [1], "it is ejected at once");
  world.run(WAIT - TIMING.claimMs);
  assert.equal(a.held, false);
  world.run(TIMING.claimMs);
  assert.ok(a.held);
  assert.equal(a.told("storage.witness")[0]?.because.code, "storage.claimed-plain");
});

Deno.test("what the loser had sent before lands before the winner reads the register", () => {
  const late = { version: 3, term: 2, vote: null, subterm: 1, set: [nodeId(1), nodeId(2)] };
  const bytes = encodeRegister({ ...late, lastTerm: 2, lastIndex: 9 }, UUID);
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 99 }), fc.integer({ min: 0, max: 100 }), (seed, at) => {
      const { world, a, b } = pair(seed);
      b.dead = true;
      world.member(a, 2, "down");
      world.run(TIMING.claimMs);
      assert.deepEqual(nodesOf(world), [1]);
      world.run((WAIT - TIMING.claimMs) * at / 100);
      world.data.set(bytes, REGISTER_BLOCK * BLOCK_BYTES);
      world.run(WAIT + SETTLE);
      assert.ok(a.held);
      assert.equal(a.told("storage.witness")[0]?.register?.version, 3);
    }),
    { numRuns: 40 },
  );
});

Deno.test("a life that finds itself alone on a disk without ABORT waits all the same", () => {
  const { world, a, b } = pair(4);
  b.dead = true;
  world.member(a, 2, "down");
  world.run(WAIT / 2);
  a.dead = true;
  const again = world.boot(1, "ab".repeat(8));
  world.run(SETTLE);
  assert.deepEqual(nodesOf(world), [1]);
  world.member(again, 2, "down");
  world.run(WAIT - 1);
  assert.equal(again.held, false);
  world.run(TIMING.claimMs);
  assert.ok(again.held);
});

Deno.test("who is heard again during the wait is not ejected a second time", () => {
  const { world, a, b } = pair(5);
  b.dead = true;
  world.member(a, 2, "down");
  world.run(TIMING.claimMs);
  assert.deepEqual(nodesOf(world), [1]);
  world.boot(2, "cd".repeat(8));
  world.run(WAIT / 2);
  assert.deepEqual(nodesOf(world), [1, 2]);
  world.member(a, 2, "online");
  world.run(2 * WAIT);
  assert.deepEqual(nodesOf(world), [1, 2]);
  assert.equal(a.held, false);
  assert.ok(a.said.some((text) => text === "claim lost: the other node is heard again"));
});

Deno.test("an ejection without ABORT is no proof of death", () => {
  const { world, a } = pair(6);
  for (const disks of [null, [UUID]]) {
    world.request(a, { request: "storage.fence", node: nodeId(2), disks });
    world.run(WAIT + SETTLE);
    assert.deepEqual(nodesOf(world), [1]);
  }
  assert.deepEqual(a.told("storage.fenced"), []);
  assert.ok(
    a.said.some((text) => text.endsWith("nodeB is ejected from /lun, which proves nothing")),
  );
});

Deno.test("of two that race on disks without ABORT at most one wins", () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 0, max: 9999 }),
      fc.integer({ min: 0, max: 400 }),
      fc.constantFrom(1, 3),
      (seed, late, disks) => {
        const { world, a, b } = pair(seed, { disks });
        world.member(a, 2, "down");
        world.run(late);
        world.member(b, 1, "down");
        for (let at = 0; at < 4 * disks; at++) {
          world.run(WAIT / 2);
          assert.ok(!(a.held && b.held));
        }
        assert.ok(a.held || b.held);
      },
    ),
    { numRuns: 20 },
  );
});
