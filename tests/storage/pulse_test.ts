import assert from "node:assert/strict";
import { bootId, nodeId } from "../../mod/base/id.ts";
import { instant } from "../../mod/base/time.ts";
import type { Echo, PulseSlot } from "../../mod/storage/layout.ts";
import { DiskPulse, ISSUES_MAX } from "../../mod/storage/pulse.ts";

const SELF = nodeId(1);
const PEER = nodeId(2);
const BOOT = bootId("1111111122222222");
const CONTENT = { guardMarginMs: 0, diskLocks: 0, words: "none", cause: "", mail: [] } as const;
const SETTLE = 1000;

function theirs(seq: number, echoes: readonly Echo[] = []): PulseSlot {
  return { node: PEER, boot: bootId("9".repeat(16)), seq, ...CONTENT, echoes };
}

function echo(seq: number, boot = "11111111"): Echo {
  return { node: SELF, boot, seq };
}

Deno.test("DiskPulse.read() tells a new seq once, and neither first sight nor an older one", () => {
  const pulse = new DiskPulse(SELF, BOOT);
  const told = [5, 5, 6, 6, 4, 7].map((seq, at) =>
    pulse.read(theirs(seq), instant(at), SETTLE).length
  );
  assert.deepEqual(told, [0, 0, 1, 0, 0, 1]);
  assert.equal(pulse.movedAt(PEER), 5);
});

Deno.test("DiskPulse.read() dates an echo to when our pulse was issued", () => {
  const pulse = new DiskPulse(SELF, BOOT);
  pulse.compose(CONTENT, instant(10));
  pulse.compose({ ...CONTENT, diskLocks: 3 }, instant(20));
  const facts = pulse.read(theirs(1, [echo(2)]), instant(99), SETTLE);
  assert.deepEqual(facts, [{ fact: "storage.echo", by: PEER, issuedAt: 20 }]);
  assert.equal(pulse.locksKnownTo(PEER), 3);
  assert.deepEqual(pulse.read(theirs(1, [echo(2)]), instant(100), SETTLE), []);
  assert.deepEqual(pulse.read(theirs(1, [echo(1)]), instant(101), SETTLE), []);
});

Deno.test("DiskPulse.read() takes no echo of a former life, of the future, or too old to date", () => {
  const pulse = new DiskPulse(SELF, BOOT);
  pulse.compose(CONTENT, instant(10));
  assert.deepEqual(pulse.read(theirs(1, [echo(1, "22222222")]), instant(11), SETTLE), []);
  assert.deepEqual(pulse.read(theirs(1, [echo(2)]), instant(11), SETTLE), []);
  for (let i = 0; i < ISSUES_MAX; i++) pulse.compose(CONTENT, instant(20));
  assert.deepEqual(pulse.read(theirs(1, [echo(1)]), instant(21), SETTLE), []);
  assert.equal(pulse.read(theirs(1, [echo(2)]), instant(22), SETTLE).length, 1);
});

Deno.test("DiskPulse.compose() echoes the newest seq of everyone it has read", () => {
  const pulse = new DiskPulse(SELF, BOOT);
  pulse.read(theirs(5), instant(1), SETTLE);
  pulse.read(theirs(6), instant(2), SETTLE);
  const slot = pulse.compose(CONTENT, instant(3));
  assert.deepEqual(slot.echoes, [{ node: PEER, boot: "99999999", seq: 6 }]);
  assert.equal(slot.seq, 1);
  pulse.keep(new Set());
  assert.deepEqual(pulse.compose(CONTENT, instant(4)).echoes, []);
});
