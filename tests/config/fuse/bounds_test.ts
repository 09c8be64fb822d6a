/** Nothing waits for ever, and nobody is told what is not true. */
import assert from "node:assert/strict";

import { CALL_MS, word } from "./bench.ts";
import { desk, flush } from "./desk.ts";
import { CUT, READ, WRITE } from "./system.ts";

Deno.test("a close that reached no leader in time is EAGAIN, and surely not done", () => {
  const { bench, system, seat } = desk();
  const fd = system.opened("f", CUT);
  system.write(fd, "new");
  [bench.auto, bench.reachable] = [false, false];
  const unique = flush(seat, fd);
  bench.pass(CALL_MS - 1);
  assert.equal(seat.answers.get(unique), undefined);
  assert.equal(seat.mount.deadline(), CALL_MS);
  bench.pass(1);
  assert.equal(word(seat.answers.get(unique)), "EAGAIN");
  assert.equal(bench.waiting.length, 0, "it was taken back");
});

Deno.test("a close that may be committed is ETIMEDOUT, never ok and never 'not done'", () => {
  const { bench, system, seat } = desk();
  const fd = system.opened("f", CUT);
  system.write(fd, "new");
  bench.auto = false;
  const unique = flush(seat, fd);
  bench.pass(CALL_MS);
  assert.equal(word(seat.answers.get(unique)), "ETIMEDOUT");
  system.release(fd);
  bench.commit();
  assert.equal(seat.text("f"), "new", "it was");
});

Deno.test("what is unknown is sent again under its request id: once committed, it counts once", () => {
  const { bench, system, seat } = desk();
  const fd = system.opened("f", { ...WRITE, append: true });
  system.write(fd, "er");
  bench.auto = false;
  const first = flush(seat, fd);
  const sent = bench.waiting[0];
  bench.refuse("config.unknown-outcome");
  assert.equal(word(seat.answers.get(first)), "ETIMEDOUT");
  const second = flush(seat, fd);
  assert.equal(bench.waiting[0]?.transaction, sent?.transaction, "the very same one");
  bench.commit();
  assert.equal(word(seat.answers.get(second)), "ok");
  assert.equal(seat.text("f"), "older");
  assert.equal(system.flush(fd), "ok");
});

Deno.test("what is unknown and was committed all along is found out when it is applied", () => {
  const { bench, system, seat } = desk();
  const fd = system.opened("f", { ...WRITE, append: true });
  system.write(fd, "er");
  bench.auto = false;
  const first = flush(seat, fd);
  const sent = bench.waiting[0];
  assert.ok(sent);
  bench.refuse("config.unknown-outcome");
  assert.equal(word(seat.answers.get(first)), "ETIMEDOUT");
  bench.propose(sent);
  bench.commit();
  assert.equal(system.flush(fd), "ok", "nothing is left to commit");
  assert.equal(seat.text("f"), "older");
});

Deno.test("a retry is not ok before what was written since is committed, too", () => {
  const { bench, system, seat } = desk();
  const fd = system.opened("f", { ...WRITE, append: true });
  system.write(fd, "er");
  bench.auto = false;
  flush(seat, fd);
  bench.refuse("config.unknown-outcome");
  system.write(fd, "!");
  const second = flush(seat, fd);
  bench.commit();
  assert.equal(seat.text("f"), "older");
  assert.equal(seat.answers.get(second), undefined);
  bench.commit();
  assert.equal(word(seat.answers.get(second)), "ok");
  assert.equal(seat.text("f"), "older!");
});

Deno.test("who waits behind an unknown commit is not told that nothing is done", () => {
  const { bench, system, seat } = desk();
  const fd = system.opened("f", { ...WRITE, append: true });
  system.write(fd, "er");
  bench.auto = false;
  flush(seat, fd);
  bench.refuse("config.unknown-outcome");
  const [second, third] = [flush(seat, fd), flush(seat, fd)];
  bench.pass(CALL_MS);
  assert.deepEqual([second, third].map((unique) => word(seat.answers.get(unique))), [
    ...["ETIMEDOUT", "ETIMEDOUT"],
  ]);
  bench.commit();
  assert.equal(seat.text("f"), "older");
});

Deno.test("quorum lost before the leader saw it: EROFS, and a later sync may still commit it", () => {
  const { bench, system, seat } = desk();
  const fd = system.opened("f", CUT);
  system.write(fd, "new");
  bench.auto = false;
  const first = flush(seat, fd);
  bench.refuse("config.no-quorum");
  assert.equal(word(seat.answers.get(first)), "EROFS");
  bench.auto = true;
  assert.equal(system.fsync(fd), "ok");
  assert.equal(seat.text("f"), "new");
});

Deno.test("what a program was told is not committed is not committed behind its back", () => {
  const { bench, system, seat } = desk();
  const fd = system.opened("f", CUT);
  system.write(fd, "new");
  bench.auto = false;
  flush(seat, fd);
  bench.refuse("api.busy");
  bench.auto = true;
  system.release(fd);
  bench.commitAll();
  assert.equal(seat.text("f"), "old");
  assert.deepEqual(seat.notices.filter((each) => each.notice === "inode").length > 0, true);
});

Deno.test("what was only emptied, and refused at close, is not done when quorum is back", () => {
  const { system, seat } = desk();
  const fd = system.opened("f", CUT);
  seat.setFrozen(true);
  assert.equal(system.flush(fd), "EROFS");
  seat.setFrozen(false);
  system.release(fd);
  assert.equal(seat.text("f"), "old");
});

Deno.test("a commit that nobody waits for and that fails is said", () => {
  const { bench, system, seat } = desk();
  const fd = system.opened("new", WRITE, true);
  assert.equal(system.flush(fd), "ok");
  bench.auto = false;
  system.release(fd);
  bench.refuse("config.full");
  assert.deepEqual(seat.sayings, ["new was closed, not committed"]);
  assert.equal(system.stat("new"), "ENOENT");
  const gone = { notice: "delete", directory: 1, child: fd.node, name: "new" };
  assert.deepEqual(seat.notices.filter(({ notice }) => notice === "delete"), [gone]);
});

Deno.test("every call that waits is answered within its bound", () => {
  const { bench, system, seat } = desk();
  [bench.auto, bench.reachable] = [false, false];
  const { node } = system.opened("f", READ);
  const exclusive = { ...WRITE, exclusive: true };
  const uniques = [
    seat.ask(1, { call: "mkdir", name: "d", mode: 0 }),
    seat.ask(1, { call: "unlink", name: "f" }),
    seat.ask(1, system.renameCall("f", "g")),
    seat.ask(1, { call: "create", name: "x", flags: exclusive, mode: 0 }),
    seat.ask(node, { call: "setattr", handle: null, set: { size: 0 } }),
    seat.ask(node, { call: "setattr", handle: null, set: { mtime: 1 } }),
  ];
  assert.ok(uniques.every((unique) => seat.answers.get(unique) === undefined));
  bench.pass(CALL_MS);
  assert.deepEqual(
    uniques.map((unique) => word(seat.answers.get(unique))),
    Array(6).fill("EAGAIN"),
  );
  assert.equal(bench.waiting.length, 0);
  assert.equal(seat.mount.deadline(), Infinity);
});

Deno.test("a request that waits for another one's commit has one time for both", () => {
  const { bench, system, seat } = desk();
  const fd = system.opened("tmp", CUT, true);
  system.write(fd, "x");
  bench.auto = false;
  flush(seat, fd);
  const unlink = seat.ask(1, { call: "unlink", name: "tmp" });
  bench.pass(CALL_MS - 10);
  bench.commit();
  assert.equal(bench.waiting.length, 1, "now it is sent");
  bench.pass(10);
  assert.equal(word(seat.answers.get(unlink)), "ETIMEDOUT");
});

Deno.test("a signal ends the waiting with EINTR; what was sent may be committed, once", () => {
  const { bench, system, seat } = desk();
  const fd = system.opened("f", { ...WRITE, append: true });
  system.write(fd, "er");
  bench.auto = false;
  const first = flush(seat, fd);
  seat.ask(fd.node, { call: "interrupt", target: first });
  assert.equal(word(seat.answers.get(first)), "EINTR");
  const second = flush(seat, fd);
  assert.equal(bench.waiting.length, 1, "the retry waits for the same transaction");
  bench.commit();
  assert.equal(word(seat.answers.get(second)), "ok");
  assert.equal(seat.text("f"), "older");
  seat.ask(fd.node, { call: "interrupt", target: 12345 });
  seat.ask(fd.node, { call: "interrupt", target: first });
});

Deno.test("a signal takes back what was not sent yet", () => {
  const { bench, seat } = desk();
  [bench.auto, bench.reachable] = [false, false];
  const unique = seat.ask(1, { call: "mkdir", name: "d", mode: 0 });
  seat.ask(1, { call: "interrupt", target: unique });
  assert.equal(word(seat.answers.get(unique)), "EINTR");
  assert.equal(bench.waiting.length, 0);
});
