/** The self-test of a disk in use: what it sees, keeps and says. */
import assert from "node:assert/strict";
import type { DiskTest, PastTest, TestStep } from "../../mod/base/disk_test.ts";
import { bootId, nodeId } from "../../mod/base/id.ts";
import { instant } from "../../mod/base/time.ts";
import { StorageContext } from "../../mod/storage/context.ts";
import type { DiskCall, DiskResult } from "../../mod/storage/events.ts";
import type { ProcedureStep } from "../../mod/storage/procedure.ts";
import {
  SelfTest,
  TEST_AGAIN_MS,
  TEST_FIRST_BEATS,
  testsText,
} from "../../mod/storage/self_test.ts";
import type { Saying } from "../../mod/streams.ts";
import { pairSpec, TIMING, UUID, World } from "./world.ts";

const KEY = "c0ffee0000010001";
const REFUSED: TestStep = { what: "it refuses", seen: "yes", detail: "" };
const SOON = (TEST_FIRST_BEATS + 5) * TIMING.beatMs;

/** A target that answers at once. */
interface Target {
  aborts: boolean;
  keys: readonly string[];
}

function answer({ aborts, keys }: Target, step: ProcedureStep): DiskResult {
  const { call } = step as DiskCall;
  const failure = { failure: aborts ? "conflict" : "unsupported", detail: "" } as const;
  if (call === "preempt") return { result: "failed", failure };
  if (call === "traits") return { result: "traits", persists: true };
  assert.equal(call, "reservations", "and nothing that changes anything");
  return { result: "reservations", state: { generation: 1, keys, holder: KEY, type: 5 } };
}

function run(test: SelfTest, context: StorageContext, target: Target): void {
  const procedure = test.run(context, KEY);
  let next = procedure.next();
  while (next.done !== true) next = procedure.next(answer(target, next.value));
}

/** A disk that was tested and found good. */
function tested() {
  const us = { self: nodeId(1), boot: bootId("1".repeat(16)), spec: pairSpec() };
  const context = new StorageContext(us);
  context.begin(instant(1000));
  const test = new SelfTest("/lun");
  const target: Target = { aborts: true, keys: [KEY] };
  test.recall(context, UUID);
  test.begin(context, REFUSED);
  run(test, context, target);
  return { context, test, target };
}

function sayings(context: StorageContext): Saying[] {
  return context.take().flatMap((effect) => effect.kind === "say" ? [effect.saying] : []);
}

Deno.test("SelfTest.run() keeps a result for a day, and a good one is no news", () => {
  const { context, test } = tested();
  assert.equal(test.last?.test.verdict, "fences");
  assert.deepEqual(test.last?.test.steps.map(({ seen }) => seen), ["yes", "yes", "yes"]);
  assert.equal(test.deadline, 1000 + TEST_AGAIN_MS);
  const said = sayings(context).map(({ routine, because }) => [routine, because?.code]);
  assert.deepEqual(said, [[true, "storage.tested"]]);
});

Deno.test("SelfTest.run() tells each result, to be kept", () => {
  const { context, test } = tested();
  const told = context.take().flatMap((effect) => effect.kind === "tell" ? [effect.fact] : []);
  const result = test.last?.test;
  assert.deepEqual(told, [{ fact: "storage.tested", disk: UUID, path: "/lun", test: result }]);
});

Deno.test("SelfTest.run() says aloud, once, what a disk can no more", () => {
  const { context, test, target } = tested();
  sayings(context);
  target.aborts = false;
  for (const day of [1, 2]) {
    context.begin(instant(1000 + day * TEST_AGAIN_MS));
    run(test, context, target);
    assert.equal(test.last?.test.verdict, "unproven");
    const [saying] = sayings(context);
    assert.equal(saying?.routine, day > 1);
    assert.equal(saying?.because?.code, "storage.tested-short");
    assert.equal(saying?.text.endsWith("verdict=unproven, it was better"), day === 1);
  }
});

Deno.test("SelfTest.run() says nothing of a disk from which we were just ejected", () => {
  const { context, test, target } = tested();
  sayings(context);
  target.keys = ["c0ffee0000020001"];
  context.begin(instant(1000 + TEST_AGAIN_MS));
  run(test, context, target);
  assert.equal(test.last?.at, 1000);
  assert.ok(test.deadline < 1000 + 2 * TEST_AGAIN_MS, "it is tried again before long");
});

Deno.test("a disk is tested soon after the node is on it, while others use it", () => {
  const world = new World(1);
  const a = world.boot(1);
  world.run(SOON);
  const b = world.boot(2);
  world.run(SOON);
  const [first, second] = [a, b].map(({ core }) => core.view().disks[0]?.test);
  assert.equal(first?.verdict, "unproven", "it came first, and never was a stranger");
  assert.equal(first.steps[0]?.seen, "unseen");
  assert.equal(second?.verdict, "fences");
  assert.ok(second.ageMs < SOON);
  assert.equal(world.state.registrations.length, 2);
  for (const { core } of [a, b]) assert.deepEqual(core.view().degraded, []);
});

Deno.test("a disk that takes the writes of strangers is told loudly, and proves nothing", () => {
  const world = new World(2);
  world.open = true;
  const a = world.boot(1);
  world.run(SOON);
  const b = world.boot(2);
  world.run(SOON);
  assert.equal(b.core.view().disks[0]?.test?.verdict, "cannot-fence");
  assert.match(b.core.view().degraded[0] ?? "", /^\/lun cannot fence: it takes the writes/);
  assert.ok(b.said.includes("self-test: /lun, verdict=cannot-fence"));
  world.request(b, { request: "storage.fence", node: nodeId(1), disks: [UUID] });
  a.dead = true;
  world.run(SOON);
  assert.deepEqual(b.told("storage.fenced"), []);
});

/** What a former life saw of the disk, an hour before its end. */
function past(verdict: DiskTest["verdict"], seen: TestStep["seen"]): PastTest {
  const steps = [{ what: "it refuses the writes of who is not registered", seen, detail: "" }];
  return { uuid: UUID, at: instant(1000 - 3_600_000), test: { verdict, steps } };
}

Deno.test("what a former life saw of a disk is shown until it is tested anew", () => {
  const world = new World(3);
  const a = world.boot(1, undefined, { tests: [past("unproven", "unseen")] });
  assert.equal(a.core.view().disks[0]?.test, null, "it is not known yet which disk that is");
  world.run(2 * TIMING.beatMs);
  const shown = a.core.view().disks[0]?.test;
  assert.equal(shown?.former, true);
  assert.ok(shown.ageMs >= 3_600_000);
  world.run(SOON);
  const anew = a.core.view().disks[0]?.test;
  assert.equal(anew?.former, false);
  assert.ok(anew.ageMs < SOON);
});

Deno.test("what a former life saw of another disk says nothing of this one", () => {
  const world = new World(4);
  const other = { ...past("cannot-fence", "no"), uuid: "f".repeat(32) };
  const a = world.boot(1, undefined, { tests: [other] });
  world.run(2 * TIMING.beatMs);
  assert.equal(a.core.view().disks[0]?.test, null);
  assert.deepEqual(a.core.view().degraded, []);
});

Deno.test("a disk that a former life saw to take a stranger's write proves nothing to the next", () => {
  const world = new World(5);
  const b = world.boot(2);
  world.run(SOON);
  // It comes onto a disk that nobody else holds, so it is no stranger there.
  b.dead = true;
  const again = world.boot(2, "3".repeat(16), { tests: [past("cannot-fence", "no")] });
  world.run(SOON);
  assert.equal(again.core.view().disks[0]?.test?.verdict, "cannot-fence");
  assert.equal(again.core.view().disks[0]?.test?.former, false);
  const a = world.boot(1);
  world.run(SOON);
  world.request(again, { request: "storage.fence", node: nodeId(1), disks: [UUID] });
  a.dead = true;
  world.run(SOON);
  assert.deepEqual(again.told("storage.fenced"), []);
});

Deno.test("testsText() counts verdicts, and tells the oldest", () => {
  assert.equal(testsText([null]), "");
  const tests = [{ verdict: "fences", ageMs: 2000 }, null, { verdict: "unproven", ageMs: 90_000 }];
  const text = testsText(
    [...tests, { verdict: "fences", ageMs: 0 }] as Parameters<typeof testsText>[0],
  );
  assert.equal(text, "tested 1 m 30 s ago: fences=2 unproven=1");
});
