/** What the kernel cached is taken back as soon as it is not true any more. */
import assert from "node:assert/strict";
import { SWEEP_MAX } from "../../../mod/config/fuse/limits.ts";
import type { FuseNotice } from "../../../mod/config/fuse/requests.ts";
import { Bench, type Seat, word } from "./bench.ts";
import { CUT, System, WRITE } from "./system.ts";

function desk(): { bench: Bench; seat: Seat; system: System; other: System } {
  const bench = new Bench(2);
  const seat = bench.first;
  return { bench, seat, system: new System(seat), other: new System(bench.seat(2)) };
}

function told(seat: Seat): FuseNotice[] {
  return seat.notices.splice(0);
}

Deno.test("names and attributes are believed for long, and taken back when another node changes them", () => {
  const { seat, system, other } = desk();
  const absent = seat.call(1, { call: "lookup", name: "f" });
  assert.ok(absent.reply === "absent" && absent.validMs > 10_000);
  other.put("f", "x");
  assert.deepEqual(told(seat), [{ notice: "entry", directory: 1, name: "f" }]);
  const found = system.stat("f");
  assert.ok(typeof found !== "string" && found.validMs > 10_000);
  other.put("f", "y");
  assert.deepEqual(told(seat), [{ notice: "inode", node: found.node }]);
  other.unlink("f");
  const gone = { notice: "delete", directory: 1, child: found.node, name: "f" };
  assert.deepEqual(told(seat), [gone]);
});

Deno.test("a remote rename tells of both names, and of what it replaced as a name only", () => {
  const { seat, system, other } = desk();
  other.put("a", "x");
  other.put("b", "y");
  const [a, b] = [system.node("a"), system.node("b")];
  told(seat);
  other.rename("a", "b");
  const notices = told(seat);
  assert.deepEqual(
    new Set(notices.map((each) => JSON.stringify(each))),
    new Set([
      JSON.stringify({ notice: "entry", directory: 1, name: "a" }),
      JSON.stringify({ notice: "entry", directory: 1, name: "b" }),
      JSON.stringify({ notice: "inode", node: a }),
    ]),
  );
  assert.notEqual(a, b);
});

Deno.test("the kernel is told nothing of what it never asked for", () => {
  const { bench, seat, other } = desk();
  bench.elsewhere({ op: "mkdir", path: "d" });
  told(seat);
  other.put("d/f", "x");
  other.put("d/f", "y");
  other.unlink("d/f");
  assert.deepEqual(told(seat), []);
});

Deno.test("what was forgotten is not told of any more", () => {
  const { seat, system, other } = desk();
  other.put("f", "x");
  const node = system.node("f");
  system.node("f");
  told(seat);
  seat.ask(node, { call: "forget", forgets: [{ node, count: 1 }] });
  other.put("f", "y");
  assert.deepEqual(told(seat), [{ notice: "inode", node }]);
  seat.ask(node, { call: "forget", forgets: [{ node, count: 1 }] });
  other.put("f", "z");
  assert.deepEqual(told(seat), []);
});

Deno.test("of its own changes the kernel learns by the answer; pages go when a file is committed", () => {
  const { seat, system } = desk();
  system.mkdir("d");
  const node = system.node("d");
  told(seat);
  system.rename("d", "e");
  assert.deepEqual(told(seat), [{ notice: "inode", node }], "its mode may be another one there");
  system.rmdir("e");
  assert.deepEqual(told(seat), []);
  const fd = system.opened("f", CUT, true);
  system.write(fd, "x");
  assert.deepEqual(told(seat), []);
  system.close(fd);
  assert.deepEqual(told(seat), [{ notice: "inode", node: fd.node }]);
  system.unlink("f");
  assert.deepEqual(told(seat), []);
});

Deno.test("what is done after its asker was told otherwise is told as anybody's change", () => {
  const { bench, seat } = desk();
  bench.auto = false;
  const unique = seat.ask(1, { call: "mkdir", name: "d", mode: 0 });
  seat.ask(1, { call: "interrupt", target: unique });
  bench.commit();
  assert.deepEqual(told(seat), [{ notice: "entry", directory: 1, name: "d" }]);
});

Deno.test("a name in a directory that the kernel keeps locked is told of when we have answered", () => {
  const { bench, seat, other } = desk();
  bench.auto = false;
  const mkdir = seat.ask(1, { call: "mkdir", name: "d", mode: 0 });
  const theirs = bench.seat(2).ask(1, { call: "mkdir", name: "e", mode: 0 });
  bench.waiting.reverse();
  bench.commit();
  assert.equal(word(bench.seat(2).answers.get(theirs)), "ok");
  assert.deepEqual(told(seat), [], "the kernel waits for our answer with the directory locked");
  bench.commit();
  assert.equal(word(seat.answers.get(mkdir)), "ok");
  assert.deepEqual(told(seat), [{ notice: "entry", directory: 1, name: "e" }]);
  assert.ok(typeof other.stat("e") !== "string");
});

Deno.test("when quorum comes or goes the attributes of all that is known are taken back", () => {
  const { bench, seat, system } = desk();
  const names = Array.from({ length: SWEEP_MAX + 10 }, (_, at) => `f${at}`);
  bench.elsewhere(...names.map((path) => ({ op: "create", path }) as const));
  const nodes = names.map((name) => system.node(name));
  told(seat);
  seat.setFrozen(true);
  const first = told(seat);
  const links = [8, 9, 10, 11].map((node) => ({ notice: "inode", node }));
  assert.ok(first.length <= SWEEP_MAX, "so many in one step");
  assert.equal(seat.mount.deadline(), bench.now, "and the rest at once");
  bench.pass(0);
  const all = [...first, ...told(seat)].flatMap((each) => each.notice === "inode" ? each.node : []);
  assert.deepEqual(new Set(all), new Set(nodes));
  assert.equal(seat.mount.deadline(), Infinity);
  for (const name of ["openvz", "local", "lxc", "qemu-server"]) system.node(name);
  seat.setFrozen(false);
  assert.deepEqual(told(seat).slice(0, 4), links, "links first: programs ask them");
});

Deno.test("a draft that comes to nothing leaves no pages and no size behind", () => {
  const { bench, seat, system } = desk();
  system.put("f", "old");
  told(seat);
  const fd = system.opened("f", WRITE);
  system.write(fd, "longer than it was");
  bench.auto = false;
  const flush = seat.ask(fd.node, { call: "flush", handle: fd.handle, owner: 1n });
  bench.refuse("config.no-quorum");
  assert.equal(word(seat.answers.get(flush)), "EROFS");
  system.release(fd);
  assert.deepEqual(told(seat), [{ notice: "inode", node: fd.node }]);
  const found = system.stat("f");
  assert.ok(typeof found !== "string" && found.size === 3);
});
