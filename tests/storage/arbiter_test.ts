import assert from "node:assert/strict";
import { clusterId, nodeId } from "../../mod/base/id.ts";
import { instant } from "../../mod/base/time.ts";
import { claimAt, judge, verdictText } from "../../mod/storage/arbiter.ts";
import {
  classifyKeys,
  isForgotten,
  isProtected,
  makeKey,
  nextGeneration,
  parseKey,
} from "../../mod/storage/reservation.ts";

const A = nodeId(1);
const B = nodeId(2);
const CLUSTER = clusterId("c0ffee00112233445566778899aabbcc");

Deno.test("judge() weighs the vote in hand, then disk locks, then node ids", () => {
  const table = [
    { ours: 1, theirs: 0, held: false, first: A, why: "locks" },
    { ours: 0, theirs: 1, held: false, first: B, why: "locks" },
    { ours: 2, theirs: 2, held: false, first: A, why: "tie" },
    { ours: 0, theirs: 9, held: true, first: A, why: "holds" },
  ];
  for (const { first, why, ...scales } of table) {
    assert.deepEqual(judge({ self: A, peer: B, ...scales }), { first, why });
  }
});

Deno.test("judge() gives both sides one and the same answer", () => {
  for (let ours = 0; ours < 3; ours++) {
    for (let theirs = 0; theirs < 3; theirs++) {
      const here = judge({ self: A, peer: B, ours, theirs, held: false });
      const there = judge({ self: B, peer: A, ours: theirs, theirs: ours, held: false });
      assert.deepEqual(here, there);
    }
  }
});

Deno.test("verdictText() is a sentence with names and numbers", () => {
  const names = { self: "nodeA", peer: "nodeB" };
  const scales = { self: A, peer: B, held: false };
  assert.equal(
    verdictText({ ...scales, ours: 1, theirs: 2 }, names),
    "nodeB goes first: it holds 2 disk locks, nodeA 1 disk lock",
  );
  assert.equal(
    verdictText({ ...scales, ours: 1, theirs: 1 }, names),
    "nodeA goes first: both hold 1 disk lock, and its node id is lower",
  );
});

Deno.test("claimAt() makes only the second side wait", () => {
  const scales = { self: A, peer: B, theirs: 1, held: false };
  assert.equal(claimAt({ ...scales, ours: 2 }, instant(10), 300), 10);
  assert.equal(claimAt({ ...scales, ours: 0 }, instant(10), 300), 310);
});

Deno.test("makeKey() and parseKey() agree, and parseKey() refuses what is no key of pentad", () => {
  const key = makeKey(CLUSTER, nodeId(0x102), 7);
  assert.equal(key, "c0ffee0001020007");
  assert.deepEqual(parseKey(key), { cluster: "c0ffee00", node: 0x102, generation: 7 });
  for (
    const bad of ["", "c0ffee000000" + "0001", "c0ffee0000010000", "C0FFEE0000010001", key + "0"]
  ) {
    assert.equal(parseKey(bad), null, bad);
  }
});

Deno.test("classifyKeys() tells ours, our former lives', others' and strangers' keys apart", () => {
  const own = makeKey(CLUSTER, A, 5);
  const former = makeKey(CLUSTER, A, 4);
  const other = makeKey(CLUSTER, B, 5);
  const stranger = makeKey(clusterId("dd".repeat(16)), B, 5);
  const keys = [own, former, other, other, stranger, "ffffffffffffffff"];
  const set = classifyKeys(keys, { cluster: CLUSTER, self: A, key: own });
  assert.equal(set.own, true);
  assert.deepEqual(set.former, [former]);
  assert.deepEqual([...set.others], [[B, [other]]]);
  assert.deepEqual(set.strangers, [stranger, "ffffffffffffffff"]);
  assert.equal(classifyKeys([former], { cluster: CLUSTER, self: A, key: null }).own, false);
});

Deno.test("nextGeneration() wraps and leaves out what is taken", () => {
  assert.equal(nextGeneration(1, A, []), 2);
  assert.equal(nextGeneration(0xffff, A, []), 1);
  assert.equal(nextGeneration(1, A, [makeKey(CLUSTER, A, 2), makeKey(CLUSTER, A, 3)]), 4);
  assert.equal(nextGeneration(1, A, [makeKey(CLUSTER, B, 2)]), 2);
});

Deno.test("isProtected() needs our key and a reservation of type 5", () => {
  const key = makeKey(CLUSTER, A, 5);
  const good = { generation: 1, keys: [key], holder: key, type: 5 } as const;
  assert.equal(isProtected(good, key), true);
  assert.equal(isProtected({ ...good, keys: [] }, key), false);
  assert.equal(isProtected({ ...good, holder: null, type: null }, key), false);
  assert.equal(isProtected({ ...good, type: 6 }, key), false);
  assert.equal(isProtected(good, null), false);
  assert.equal(isForgotten(good), false);
  assert.equal(isForgotten({ generation: 0, keys: [], holder: null, type: null }), true);
});
