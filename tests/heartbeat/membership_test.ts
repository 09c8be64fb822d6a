import assert from "node:assert/strict";
import fc from "fast-check";
import { nodeId } from "../../mod/base/id.ts";
import { Membership, type Report } from "../../mod/heartbeat/membership.ts";
import { cluster, member, SEED } from "./world.ts";

function ids(...numbers: readonly number[]) {
  return numbers.map(nodeId);
}

function report(epoch: number, ...online: readonly number[]): Report {
  return { epoch, online };
}

Deno.test("Membership.view begins empty, without quorum", () => {
  const { view } = new Membership();
  assert.deepEqual(view, {
    ...{ epoch: 0, online: [], present: 0, expected: 0, needed: 1 },
    ...{ quorate: false, installed: false },
  });
});

Deno.test("Membership.refresh() begins a view with each change of who is online", () => {
  const membership = new Membership();
  const spec = cluster(3);
  assert.ok(membership.refresh([spec], ids(1), [], false));
  assert.deepEqual(membership.view, {
    ...{ epoch: 1, online: [1], present: 1, expected: 3, needed: 2 },
    ...{ quorate: false, installed: true },
  });
  assert.equal(membership.refresh([spec], ids(1), [], false), false, "nothing changed");
  assert.ok(membership.refresh([spec], ids(3, 1), [report(1, 3)], false));
  assert.deepEqual(membership.view, {
    ...{ epoch: 2, online: [1, 3], present: 2, expected: 3, needed: 2 },
    ...{ quorate: true, installed: false },
  });
});

Deno.test("Membership.refresh() calls a view installed when all its members report the same", () => {
  const membership = new Membership();
  const spec = cluster(3);
  const online = ids(1, 2, 3);
  const table = [
    [[report(1, 1, 2, 3), report(1, 1, 2)], false],
    [[report(1, 1, 2, 3), report(1, 1, 2, 3)], true],
    [[report(1, 2, 3), report(1, 1, 2, 3)], false],
  ] as const;
  for (const [reports, installed] of table) {
    assert.ok(membership.refresh([spec], online, reports, false), "a change is told");
    assert.equal(membership.view.installed, installed);
  }
});

Deno.test("Membership.refresh() tells votes that changed without anybody coming or going", () => {
  const membership = new Membership();
  membership.refresh([cluster(2, 1, true)], ids(1), [], false);
  const { epoch } = membership.view;
  assert.ok(membership.refresh([cluster(2, 1, true)], ids(1), [], true), "the witness came");
  assert.deepEqual([membership.view.present, membership.view.quorate], [2, true]);
  assert.ok(membership.refresh([cluster(1)], ids(1), [], true), "a member was removed");
  assert.deepEqual([membership.view.expected, membership.view.quorate], [1, true]);
  const learner = { ...cluster(1), members: [member(1), member(2, 1, "learner")] };
  assert.ok(membership.refresh([learner], ids(1, 2), [report(epoch, 1, 2)], true));
  assert.deepEqual([membership.view.present, membership.view.expected], [1, 1]);
  assert.equal(membership.view.epoch, epoch + 1);
});

Deno.test("Membership.refresh() never lets an epoch fall, nor grow past what a beat carries", () => {
  const step = fc.record({
    online: fc.subarray([1, 2, 3]),
    epoch: fc.oneof(fc.nat(50), fc.constantFrom(0xffffffff, 0xfffffffe)),
  });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 20 }), (steps) => {
      const membership = new Membership();
      for (const { online, epoch } of steps) {
        const before = membership.view;
        membership.refresh([cluster(3)], ids(...online), [report(epoch, ...online)], false);
        const after = membership.view;
        assert.ok(after.epoch >= before.epoch && after.epoch <= 0xffffffff);
        assert.ok(after.epoch >= epoch, "the highest epoch of those who are there");
        const changed = before.online.join() !== after.online.join();
        if (changed && before.epoch < 0xffffffff && epoch < 0xffffffff) {
          assert.ok(after.epoch > Math.max(before.epoch, epoch), "a new view has a new number");
        }
      }
    }),
    { seed: SEED, numRuns: 300 },
  );
});

Deno.test("two members that hear of each other's epochs come to the same number", () => {
  const [a, b] = [new Membership(), new Membership()];
  for (let i = 0; i < 7; i++) a.refresh([cluster(2)], i % 2 === 0 ? ids(1) : [], [], false);
  for (let i = 0; i < 3; i++) {
    b.refresh([cluster(2)], ids(1, 2), [{ ...a.view }], false);
    a.refresh([cluster(2)], ids(1, 2), [{ ...b.view }], false);
  }
  assert.equal(a.view.epoch, b.view.epoch);
  assert.ok(a.view.installed && b.view.installed);
});
