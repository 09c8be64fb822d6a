/** A replica that was too far behind gets the whole tree, and its mount goes on. */
import assert from "node:assert/strict";
import { Bench, CALL_MS, type Seat, word } from "./bench.ts";
import { CUT, READ, System, WRITE } from "./system.ts";

/** Two nodes of which the first does not apply what is committed. */
function desk(): { bench: Bench; late: Seat; ahead: Seat; system: System } {
  const bench = new Bench(2);
  bench.elsewhere({ op: "create", path: "a" }, { op: "create", path: "user.cfg" });
  return { bench, late: bench.seat(1), ahead: bench.seat(2), system: new System(bench.seat(1)) };
}

Deno.test("files that were pending, open and gone are sorted out when the tree is replaced", () => {
  const { bench, late, ahead, system } = desk();
  const pending = system.opened("new", CUT, true);
  system.write(pending, "mine");
  const gone = system.opened("a", { ...WRITE, read: true });
  const node = system.node("user.cfg");
  const before = JSON.parse(system.cat(".version"))["user.cfg"];
  bench.auto = false;
  const operations = [
    { op: "create", path: "new" },
    { op: "remove", path: "a" },
    { op: "remove", path: "user.cfg" },
  ] as const;
  for (const operation of operations) {
    const transaction = {
      ...{ request: bench.nextId(), base: 0, expect: [], operations: [operation] },
      ...{ author: "", reason: "", time: 1 },
    };
    bench.propose({ from: null, tag: "", transaction });
    bench.commit([ahead]);
  }
  late.notices.length = 0;
  late.adopt(ahead);
  assert.deepEqual(late.notices.filter((each) => each.notice === "inode" && each.node === node), [
    { notice: "inode", node },
  ]);
  bench.auto = true;
  assert.equal(system.close(pending), "ok");
  assert.equal(late.text("new"), "mine", "it is the file that another node created");
  assert.equal(system.read(gone), "ESTALE");
  assert.equal(system.write(gone, "x"), "ok");
  assert.equal(system.close(gone), "ESTALE", "what was written to it is nowhere");
  assert.equal(system.stat("a"), "ENOENT");
  assert.ok(JSON.parse(system.cat(".version"))["user.cfg"] > before, "the counter rose");
  assert.equal(system.open("user.cfg", READ), "ENOENT");
});

Deno.test("a conflict whose entry never is applied here ends the commit all the same", () => {
  const { bench, late, ahead, system } = desk();
  const fd = system.opened("a", WRITE);
  system.write(fd, "x");
  bench.auto = false;
  const flush = late.ask(fd.node, { call: "flush", handle: fd.handle, owner: 1n });
  bench.refuse("config.version-mismatch");
  late.adopt(ahead);
  assert.equal(late.answers.get(flush), undefined);
  bench.pass(CALL_MS);
  assert.equal(word(late.answers.get(flush)), "ETIMEDOUT");
  bench.auto = true;
  assert.equal(system.fsync(fd), "ok", "the next one tries anew");
  assert.equal(late.mount.deadline(), Infinity);
});
