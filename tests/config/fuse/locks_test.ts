/** Lock directories, and how long nobody renewed them. */
import assert from "node:assert/strict";
import { instant } from "../../../mod/base/time.ts";
import { LOCK_EXPIRY_MS, LOCK_RETRY_MS } from "../../../mod/base/timing.ts";
import { LockAges } from "../../../mod/config/lock_ages.ts";
import { Bench, WALL_START } from "./bench.ts";
import { System } from "./system.ts";

const LOCK = "priv/lock/file-user_cfg";

function desk(): { bench: Bench; here: System; there: System } {
  const bench = new Bench(2);
  bench.elsewhere({ op: "mkdir", path: "priv" }, { op: "mkdir", path: "priv/lock" });
  return { bench, here: new System(bench.seat(1)), there: new System(bench.seat(2)) };
}

Deno.test("mkdir takes a lock, one node's; rmdir by any node gives it back", () => {
  const { here, there } = desk();
  assert.equal(here.mkdir(LOCK), "ok");
  assert.equal(there.mkdir(LOCK), "EEXIST");
  assert.equal(there.rmdir(LOCK), "ok");
  assert.equal(there.mkdir(LOCK), "ok");
});

Deno.test("its node renews a lock by its time, another one is EACCES", () => {
  const { bench, here, there } = desk();
  here.mkdir(LOCK);
  const before = bench.first.replica.tree.find(LOCK)?.version ?? 0;
  assert.equal(there.utime(LOCK, "now"), "EACCES");
  assert.equal(there.utime(LOCK, WALL_START + 1), "EACCES");
  assert.equal(here.utime(LOCK, "now"), "ok");
  assert.ok((bench.first.replica.tree.find(LOCK)?.version ?? 0) > before, "a new version");
  assert.equal(here.utime(LOCK, WALL_START + 7), "ok");
});

Deno.test("the time 0 asks the leader to remove the lock, and writes nothing", () => {
  const { bench, here, there } = desk();
  here.mkdir(LOCK);
  const { version } = bench.first.replica.tree.find(LOCK) ?? assert.fail();
  const writes = bench.log.length;
  assert.equal(there.utime(LOCK, 0), "ok");
  assert.equal(here.utime(LOCK, 0), "ok");
  assert.deepEqual(bench.seat(2).unlocks, [{ path: LOCK, version }]);
  assert.deepEqual(bench.seat(1).unlocks, [{ path: LOCK, version }]);
  assert.equal(bench.log.length, writes);
  bench.seat(2).setFrozen(true);
  assert.equal(there.utime(LOCK, 0), "EROFS");
});

Deno.test("directories elsewhere have times as others have, 0 too", () => {
  const { bench, here, there } = desk();
  here.mkdir("d");
  assert.equal(there.utime("d", 0), "ok");
  assert.equal(bench.first.replica.tree.find("d")?.mtime, 0);
  assert.equal(there.utime("priv/lock", 0), "ok");
  assert.deepEqual(bench.seat(2).unlocks, []);
});

Deno.test("better: the manager's own lock is EBUSY to everybody: its version is stream 3's epoch", () => {
  const { bench, here } = desk();
  const path = "priv/lock/ha_manager_lock";
  bench.elsewhere({ op: "mkdir", path });
  assert.equal(here.utime(path, 0), "EBUSY");
  assert.equal(here.utime(path, "now"), "EBUSY");
  assert.equal(here.rmdir(path), "EBUSY");
  assert.deepEqual(bench.first.unlocks, []);
});

Deno.test("LockAges: a version counts from the leader's first sight of it, not longer and not shorter", () => {
  const { bench, here } = desk();
  const rows = bench.first.replica.tree.view;
  here.mkdir(LOCK);
  const first = bench.first.replica.tree.find(LOCK)?.version ?? 0;
  const ages = new LockAges();
  ages.look(rows, true, instant(1000));
  const due = 1000 + LOCK_EXPIRY_MS;
  assert.equal(ages.expired(LOCK, first, instant(due)), null);
  assert.equal(ages.expired(LOCK, first, instant(due + 1)), LOCK_EXPIRY_MS + 1);
  assert.equal(ages.expired(LOCK, first, instant(due + 2)), null, "it is proposed already");
  assert.notEqual(ages.expired(LOCK, first, instant(due + 1 + LOCK_RETRY_MS)), null);
  assert.equal(ages.expired("priv/lock/none", 1, instant(due)), null);

  here.utime(LOCK, "now");
  ages.note(LOCK);
  ages.look(rows, true, instant(due));
  const second = bench.first.replica.tree.find(LOCK)?.version ?? 0;
  assert.equal(ages.expired(LOCK, first, instant(2 * due)), null, "that version is gone");
  assert.equal(ages.expired(LOCK, second, instant(due + LOCK_EXPIRY_MS)), null);
  assert.notEqual(ages.expired(LOCK, second, instant(due + LOCK_EXPIRY_MS + 1)), null);
});

Deno.test("LockAges: a new leader begins anew, and a removed lock is forgotten", () => {
  const { bench, here } = desk();
  const rows = bench.first.replica.tree.view;
  here.mkdir(LOCK);
  const { version } = bench.first.replica.tree.find(LOCK) ?? assert.fail();
  const ages = new LockAges();
  ages.look(rows, true, instant(0));
  ages.look(rows, false, instant(LOCK_EXPIRY_MS));
  assert.equal(ages.expired(LOCK, version, instant(LOCK_EXPIRY_MS + 1)), null);
  ages.look(rows, true, instant(LOCK_EXPIRY_MS + 1));
  assert.equal(ages.expired(LOCK, version, instant(LOCK_EXPIRY_MS + 2)), null);
  assert.notEqual(ages.expired(LOCK, version, instant(2 * LOCK_EXPIRY_MS + 2)), null);
  here.rmdir(LOCK);
  ages.note(LOCK);
  ages.look(rows, true, instant(2 * LOCK_EXPIRY_MS + 3));
  assert.equal(ages.expired(LOCK, version, instant(9 * LOCK_EXPIRY_MS)), null);
});

Deno.test("LockAges: the manager's lock never expires", () => {
  const { bench } = desk();
  const path = "priv/lock/ha_manager_lock";
  bench.elsewhere({ op: "mkdir", path });
  const ages = new LockAges();
  ages.look(bench.first.replica.tree.view, true, instant(0));
  const version = bench.first.replica.tree.find(path)?.version ?? 0;
  assert.equal(ages.expired(path, version, instant(10 * LOCK_EXPIRY_MS)), null);
});
