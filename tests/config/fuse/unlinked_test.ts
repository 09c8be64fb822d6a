/** Files that are renamed, replaced or unlinked while somebody writes to them. */
import assert from "node:assert/strict";
import { Bench, type Seat, word } from "./bench.ts";
import { CUT, READ, System, WRITE } from "./system.ts";

/** One node with a file `f` that holds `old`. */
function desk(): { bench: Bench; system: System; seat: Seat } {
  const bench = new Bench();
  bench.elsewhere({ op: "create", path: "f" }, {
    ...{ op: "write", path: "f", offset: 0, data: new TextEncoder().encode("old") },
  });
  return { bench, system: new System(bench.first), seat: bench.first };
}

Deno.test("the inode is followed when it is renamed while somebody writes to it", () => {
  const { bench, system, seat } = desk();
  const fd = system.opened("f", CUT);
  system.write(fd, "new");
  bench.elsewhere({ op: "rename", path: "f", to: "g" });
  assert.equal(system.close(fd), "ok");
  assert.equal(seat.text("g"), "new");
  assert.equal(seat.text("f"), null);
});

Deno.test("late writes to an unlinked file vanish without an error", () => {
  const { bench, system, seat } = desk();
  const fd = system.opened("f", { ...WRITE, read: true });
  system.write(fd, "N");
  assert.equal(system.unlink("f"), "ok");
  assert.equal(system.read(fd), "Nld", "who has it open goes on");
  const seen = system.fstat(fd);
  assert.ok(typeof seen !== "string" && seen.links === 0 && seen.size === 3);
  assert.equal(system.write(fd, "X", 1), "ok");
  const before = bench.log.length;
  assert.equal(system.close(fd), "ok");
  assert.equal(bench.log.length, before, "nothing is proposed");
  assert.equal(seat.text("f"), null);
  assert.equal(word(seat.call(fd.node, { call: "getattr", handle: null })), "ESTALE");
});

Deno.test("better: who writes to a file that another node replaced is told that it is nowhere", () => {
  const { bench, system, seat } = desk();
  const fd = system.opened("f", CUT);
  system.write(fd, "late");
  bench.elsewhere({ op: "create", path: "tmp" }, { op: "rename", path: "tmp", to: "f" });
  assert.equal(system.close(fd), "ESTALE");
  assert.equal(seat.text("f"), "", "the new file is untouched");
});

Deno.test("a pending file is unlinked here only", () => {
  const { bench, system, seat } = desk();
  const fd = system.opened("new", { ...CUT, read: true }, true);
  system.write(fd, "x");
  assert.equal(system.unlink("new"), "ok");
  assert.equal(system.stat("new"), "ENOENT");
  assert.equal(system.close(fd), "ok");
  assert.equal(seat.text("new"), null);
  assert.equal(bench.log.length, 1);
});

Deno.test("a pending file is renamed before it is created, and over what is there", () => {
  const { bench, system, seat } = desk();
  const fd = system.opened("tmp", CUT, true);
  system.write(fd, "new");
  assert.equal(system.rename("tmp", "tmp2"), "ok");
  assert.equal(bench.log.length, 1, "no transaction is needed");
  assert.equal(system.stat("tmp"), "ENOENT");
  assert.equal(system.rename("tmp2", "f"), "ok");
  assert.equal(seat.text("f"), "new", "what was written so far replaced the old file");
  assert.equal(seat.text("tmp2"), null);
  system.write(fd, "er", 3);
  assert.equal(system.close(fd), "ok");
  assert.equal(seat.text("f"), "newer");
});

Deno.test("a rename and an unlink of a file whose creation is under way wait for it", () => {
  const { bench, system, seat } = desk();
  const fd = system.opened("tmp", CUT, true);
  system.write(fd, "new");
  bench.auto = false;
  const flush = seat.ask(fd.node, { call: "flush", handle: fd.handle, owner: 1n });
  const rename = seat.ask(1, system.renameCall("tmp", "f"));
  assert.equal(bench.waiting.length, 1);
  bench.commit();
  assert.equal(word(seat.answers.get(flush)), "ok");
  assert.equal(seat.answers.get(rename), undefined);
  bench.commit();
  assert.equal(word(seat.answers.get(rename)), "ok");
  assert.equal(seat.text("f"), "new");

  const other = system.opened("other", CUT, true);
  system.write(other, "x");
  seat.ask(other.node, { call: "flush", handle: other.handle, owner: 1n });
  const unlink = seat.ask(1, { call: "unlink", name: "other" });
  bench.commitAll();
  assert.equal(word(seat.answers.get(unlink)), "ok");
  assert.equal(seat.text("other"), null);
});

Deno.test("a file that is renamed over a pending one unlinks that, and is not written to by it", () => {
  const { bench, system, seat } = desk();
  const fd = system.opened("new", CUT, true);
  system.write(fd, "pending");
  assert.equal(system.rename("f", "new"), "ok");
  assert.equal(system.cat("new"), "old");
  assert.equal(system.close(fd), "ok");
  assert.equal(seat.text("new"), "old");

  const late = system.opened("late", CUT, true);
  system.write(late, "pending");
  bench.auto = false;
  const rename = seat.ask(1, system.renameCall("new", "late"));
  seat.ask(1, { call: "interrupt", target: rename });
  bench.commit();
  bench.auto = true;
  assert.equal(system.close(late), "ok");
  assert.equal(seat.text("late"), "old", "the same where nobody waits for the rename any more");
});

Deno.test("a pending file that is renamed over another one unlinks that", () => {
  const { system, seat } = desk();
  const fds = [system.opened("a", CUT, true), system.opened("b", CUT, true)] as const;
  system.write(fds[0], "a");
  system.write(fds[1], "b");
  assert.equal(system.rename("a", "b"), "ok");
  assert.equal(system.close(fds[1]), "ok");
  assert.equal(seat.text("b"), null);
  assert.equal(system.close(fds[0]), "ok");
  assert.equal(seat.text("b"), "a");
});

Deno.test("a pending file of which only a reader is left is renamed over what is there", () => {
  const { bench, system, seat } = desk();
  const creator = system.opened("new", CUT, true);
  const reader = system.opened("new", READ);
  bench.auto = false;
  system.release(creator);
  bench.refuse("config.unknown-outcome");
  bench.auto = true;
  assert.equal(system.rename("new", "f"), "ok");
  assert.equal(seat.text("f"), "");
  assert.equal(system.close(reader), "ok");
});
