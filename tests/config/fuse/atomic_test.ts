/** From open to close: one transaction, whole or not at all. */
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

Deno.test("what is written to a file is one transaction, made when it is closed", () => {
  const { bench, system, seat } = desk();
  const fd = system.opened("f", CUT);
  system.write(fd, "new");
  system.write(fd, "er", 3);
  assert.equal(seat.text("f"), "old", "nothing is committed before the close");
  assert.equal(bench.log.length, 1);
  assert.equal(system.close(fd), "ok");
  assert.equal(seat.text("f"), "newer");
  assert.equal(bench.log.length, 2, "truncate and both writes are one transaction");
  assert.deepEqual(bench.log[1]?.transaction.operations.map((each) => each.op), [
    "truncate",
    "write",
  ]);
});

Deno.test("close is answered when the transaction is applied, and not before", () => {
  const { bench, system, seat } = desk();
  const fd = system.opened("f", WRITE);
  system.write(fd, "N");
  bench.auto = false;
  const flush = seat.ask(fd.node, { call: "flush", handle: fd.handle, owner: 1n });
  assert.equal(seat.answers.get(flush), undefined);
  bench.commit();
  assert.equal(word(seat.answers.get(flush)), "ok");
  assert.equal(seat.text("f"), "Nld");
});

Deno.test("the writer sees what it wrote, others the old content until it is committed", () => {
  const { system, bench } = desk();
  const reader = system.opened("f", READ);
  const fd = system.opened("f", { ...CUT, read: true });
  assert.equal(system.read(fd), "");
  assert.equal(system.read(reader), "old", "nobody sees the file empty");
  system.write(fd, "a longer text");
  assert.equal(system.read(fd), "a longer text");
  assert.equal(system.read(reader), "old");
  assert.equal(system.cat("f"), "old");
  const seen = system.stat("f");
  assert.ok(typeof seen !== "string" && seen.size === 13 && seen.validMs === 0);
  const through = system.fstat(reader);
  assert.ok(typeof through !== "string" && through.size === 3, "each handle has its own view");
  system.close(fd);
  assert.equal(system.read(reader), "a longer text");
  assert.equal(bench.log.length, 2);
});

Deno.test("who reads on reads one version to its end, and the next one from its beginning", () => {
  const { bench, system } = desk();
  const replace = (text: string) =>
    bench.elsewhere({ op: "truncate", path: "f", size: 0 }, {
      ...{ op: "write", path: "f", offset: 0, data: new TextEncoder().encode(text) },
    });
  const fd = system.opened("f", READ);
  assert.equal(system.read(fd, 0, 2), "ol");
  replace("a longer one");
  const through = system.fstat(fd);
  assert.ok(typeof through !== "string" && through.size === 3);
  assert.equal(system.read(fd, 2, 9), "d");
  assert.equal(system.read(fd, 3, 9), "", "the end is the end");
  assert.equal(system.read(fd, 3, 9), "onger one", "who waits for more (tail -f) gets it");
  replace("short");
  assert.equal(system.read(fd, 12, 9), "");
  assert.equal(system.read(fd, 0, 9), "short");
  replace("again, long");
  assert.equal(system.read(fd, 7, 4), "long", "another place is another read");
});

Deno.test("a new file is seen here at once and elsewhere only whole", () => {
  const bench = new Bench(2);
  const [here, there] = [new System(bench.seat(1)), new System(bench.seat(2))];
  const fd = here.opened("new", CUT, true);
  here.write(fd, "content");
  assert.deepEqual(here.list("")?.slice(-1), ["new"]);
  assert.equal(here.cat("new"), "content");
  assert.equal(there.stat("new"), "ENOENT");
  assert.equal(here.close(fd), "ok");
  assert.equal(there.cat("new"), "content");
  assert.equal(bench.log.length, 1, "created and written in one transaction");
});

Deno.test("a file keeps its number when it is committed, until the kernel forgets it", () => {
  const bench = new Bench();
  const [system, seat] = [new System(bench.first), bench.first];
  const fd = system.opened("new", CUT, true);
  system.write(fd, "x");
  system.close(fd);
  const row = seat.replica.tree.find("new");
  assert.ok(row !== null && row.ino !== fd.node);
  assert.equal(system.node("new"), fd.node);
  const forgets = [{ node: fd.node, count: 2 }];
  seat.ask(fd.node, { call: "forget", forgets });
  assert.equal(system.node("new"), row.ino);
});

Deno.test("with O_EXCL a file is created in the cluster at once, and only by one", () => {
  const bench = new Bench(2);
  const flags = { ...WRITE, exclusive: true };
  const call = { call: "create", name: "lock", flags, mode: 0 } as const;
  bench.auto = false;
  const first = bench.seat(1).ask(1, call);
  const second = bench.seat(2).ask(1, call);
  assert.equal(bench.seat(1).answers.get(first), undefined);
  bench.commitAll();
  assert.equal(bench.seat(1).answers.get(first)?.reply, "created");
  assert.equal(word(bench.seat(2).answers.get(second)), "EEXIST");
});

Deno.test("a shell's redirection never shows the file empty: open, dup2, close, write", () => {
  const { bench, system, seat } = desk();
  const fd = system.opened("f", CUT);
  assert.equal(system.flush(fd), "ok", "the first descriptor is closed before anything is written");
  assert.equal(seat.text("f"), "old");
  system.write(fd, "text");
  assert.equal(system.close(fd), "ok");
  assert.equal(seat.text("f"), "text");
  assert.equal(bench.log.length, 2);
});

Deno.test("what was only emptied or created is committed when the last descriptor is closed", () => {
  const { system, seat } = desk();
  const emptied = system.opened("f", CUT);
  assert.equal(system.close(emptied), "ok");
  assert.equal(seat.text("f"), "");
  const created = system.opened("new", WRITE, true);
  assert.equal(system.close(created), "ok");
  assert.equal(seat.text("new"), "");
  const synced = system.opened("more", WRITE, true);
  assert.equal(system.fsync(synced), "ok");
  assert.equal(seat.text("more"), "", "fsync does not wait for the close");
});

Deno.test("what was emptied only is no false success without quorum", () => {
  const { system, seat } = desk();
  const fd = system.opened("f", CUT);
  seat.setFrozen(true);
  assert.equal(system.flush(fd), "EROFS");
});

Deno.test("fsync commits what is written so far, and the rest follows at close", () => {
  const { bench, system, seat } = desk();
  const fd = system.opened("f", CUT);
  system.write(fd, "one");
  assert.equal(system.fsync(fd), "ok");
  assert.equal(seat.text("f"), "one");
  assert.equal(system.flush(fd), "ok", "nothing is left to do");
  assert.equal(bench.log.length, 2);
  system.write(fd, "two", 3);
  assert.equal(system.close(fd), "ok");
  assert.equal(seat.text("f"), "onetwo");
});

Deno.test("what is written while a commit is under way is the next one's", () => {
  const { bench, system, seat } = desk();
  const fd = system.opened("f", { ...CUT, read: true });
  system.write(fd, "one");
  bench.auto = false;
  const sync = seat.ask(fd.node, { call: "fsync", handle: fd.handle });
  system.write(fd, "two", 3);
  assert.equal(system.read(fd), "onetwo");
  const flush = seat.ask(fd.node, { call: "flush", handle: fd.handle, owner: 1n });
  bench.commit();
  assert.equal(word(seat.answers.get(sync)), "ok");
  assert.equal(seat.answers.get(flush), undefined);
  assert.equal(seat.text("f"), "one");
  bench.commit();
  assert.equal(word(seat.answers.get(flush)), "ok");
  assert.equal(seat.text("f"), "onetwo");
});

Deno.test("another writer's close in between: the draft is laid over the newer version", () => {
  const bench = new Bench(2);
  const [here, there] = [new System(bench.seat(1)), new System(bench.seat(2))];
  here.put("f", "0123456789");
  const fd = here.opened("f", WRITE);
  here.write(fd, "AB", 0);
  bench.auto = false;
  const flush = bench.seat(1).ask(fd.node, { call: "flush", handle: fd.handle, owner: 1n });
  bench.auto = true;
  bench.elsewhere({ op: "write", path: "f", offset: 8, data: new TextEncoder().encode("YZ") });
  bench.commitAll();
  assert.equal(word(bench.seat(1).answers.get(flush)), "ok");
  assert.equal(there.cat("f"), "AB234567YZ");
  const codes = bench.log.map((each) => each.transaction.request);
  assert.equal(new Set(codes).size, codes.length, "a new try is a new request");
});

Deno.test("what two nodes append at once is all there", () => {
  const bench = new Bench(2);
  const [here, there] = [new System(bench.seat(1)), new System(bench.seat(2))];
  here.put("log", "0\n");
  const append = { ...WRITE, append: true };
  const fds = [here.opened("log", append), there.opened("log", append)] as const;
  here.write(fds[0], "here\n", 2);
  there.write(fds[1], "there\n", 2);
  bench.auto = false;
  for (const [at, fd] of fds.entries()) {
    bench.seat(at + 1).ask(fd.node, { call: "flush", handle: fd.handle, owner: 1n });
  }
  bench.auto = true;
  bench.commitAll();
  assert.equal(here.cat("log"), "0\nhere\nthere\n");
});

Deno.test("a writer that always comes second gives up after a bounded number of tries", () => {
  const { bench, system, seat } = desk();
  const fd = system.opened("f", WRITE);
  system.write(fd, "x");
  bench.auto = false;
  const flush = seat.ask(fd.node, { call: "flush", handle: fd.handle, owner: 1n });
  let tries = 0;
  for (; seat.answers.get(flush) === undefined; tries++) {
    assert.ok(tries < 100, "it gives up");
    bench.elsewhere({ op: "utime", path: "f", mtime: tries });
    bench.commit();
  }
  assert.equal(word(seat.answers.get(flush)), "EAGAIN");
  assert.equal(tries, 9);
  assert.equal(seat.text("f"), "old");
});

Deno.test("the same name created on two nodes: the second one writes to the first one's file", () => {
  const bench = new Bench(2);
  const [here, there] = [new System(bench.seat(1)), new System(bench.seat(2))];
  const fds = [here.opened("f", CUT, true), there.opened("f", CUT, true)] as const;
  here.write(fds[0], "a longer text");
  there.write(fds[1], "short");
  assert.equal(here.close(fds[0]), "ok");
  assert.equal(there.read(fds[1]), "short");
  assert.equal(there.close(fds[1]), "ok");
  assert.equal(here.cat("f"), "short", "O_TRUNC holds for the file that came to be");
});

Deno.test("truncate(2) is a transaction of its own, and cuts what others have not committed", () => {
  const { bench, system, seat } = desk();
  assert.equal(system.truncate("f", 1), "ok");
  assert.equal(seat.text("f"), "o");
  assert.equal(system.truncate("f", 3), "ok");
  assert.equal(seat.text("f"), "o\0\0");
  const fd = system.opened("f", WRITE);
  system.write(fd, "0123456789");
  assert.equal(system.truncate("f", 2), "ok");
  assert.equal(seat.text("f"), "o\0", "it does not wait for the close of another");
  assert.equal(system.close(fd), "ok");
  assert.equal(seat.text("f"), "01", "and what came before it is cut");
  assert.equal(bench.log.length, 5);
});

Deno.test("ftruncate(2) belongs to what is written through the handle", () => {
  const { bench, system, seat } = desk();
  const fd = system.opened("f", WRITE);
  const set = { size: 1 };
  const reply = seat.call(fd.node, { call: "setattr", handle: fd.handle, set });
  assert.ok(reply.reply === "attributes" && reply.attributes.size === 1);
  assert.equal(seat.text("f"), "old");
  system.write(fd, "x", 2);
  assert.equal(system.close(fd), "ok");
  assert.equal(seat.text("f"), "o\0x");
  assert.equal(bench.log.length, 2);
});

Deno.test("the time that is set on what is being written is part of its transaction", () => {
  const { bench, system, seat } = desk();
  const fd = system.opened("copy", CUT, true);
  system.write(fd, "x");
  assert.equal(system.utime("copy", 12_345), "ok");
  assert.equal(system.close(fd), "ok");
  assert.equal(seat.replica.tree.find("copy")?.mtime, 12_345);
  assert.equal(bench.log.length, 2);
  assert.equal(system.utime("copy", 777), "ok");
  assert.equal(seat.replica.tree.find("copy")?.mtime, 777);
  assert.equal(bench.log.length, 3);
});

Deno.test("a handle that is released without a flush is committed all the same", () => {
  const { system, seat } = desk();
  const fd = system.opened("f", CUT);
  system.write(fd, "sent away");
  system.release(fd);
  assert.equal(seat.text("f"), "sent away");
});
