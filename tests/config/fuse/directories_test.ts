/** A directory is read as it was when it was opened. */
import assert from "node:assert/strict";
import type { DirectoryEntry } from "../../../mod/config/fuse/requests.ts";
import { Bench, type Seat } from "./bench.ts";
import { CUT, System } from "./system.ts";

function desk(): { bench: Bench; seat: Seat; system: System } {
  const bench = new Bench();
  bench.elsewhere(
    ...["b", "a", "c/"].map((path) =>
      path.endsWith("/")
        ? { op: "mkdir", path: path.slice(0, -1) } as const
        : { op: "create", path } as const
    ),
  );
  return { bench, seat: bench.first, system: new System(bench.first) };
}

function open(seat: Seat, node = 1): number {
  const opened = seat.call(node, { call: "opendir" });
  assert.ok(opened.reply === "opened");
  return opened.reply === "opened" ? opened.handle : 0;
}

function read(
  seat: Seat,
  handle: number,
  { offset = 0, size = 4096, plus = false } = {},
): readonly DirectoryEntry[] {
  const reply = seat.call(1, { call: "readdir", handle, offset, size, plus });
  assert.ok(reply.reply === "directory");
  return reply.reply === "directory" ? reply.entries : [];
}

Deno.test("the root shows dots, virtual files, links, and the tree in order", () => {
  const { seat } = desk();
  const entries = read(seat, open(seat));
  assert.deepEqual(entries.map((each) => `${each.name} ${each.attributes.kind[0]}`), [
    ...[". d", ".. d", ".members f", ".version f", ".vmlist f", ".clusterlog f", ".rrd f"],
    ...[".debug f", "local l", "qemu-server l", "lxc l", "openvz l", "a f", "b f", "c d"],
  ]);
  assert.deepEqual(entries.slice(0, 2).map((each) => each.attributes.node), [1, 1]);
});

Deno.test("dots of a directory are its own number and its parent's", () => {
  const { bench, seat, system } = desk();
  bench.elsewhere({ op: "mkdir", path: "c/d" });
  const [outer, inner] = [system.node("c"), system.node("c/d")];
  const dots = (node: number) => {
    const entries = read(seat, open(seat, node));
    return entries.slice(0, 2).map((each) => each.attributes.node);
  };
  assert.deepEqual(dots(outer), [outer, 1]);
  assert.deepEqual(dots(inner), [inner, outer]);
});

Deno.test("reading goes on where it left off, whatever was added and removed meanwhile", () => {
  const { bench, seat, system } = desk();
  const handle = open(seat);
  const names: string[] = [];
  let offset = 0;
  for (let step = 0;; step++) {
    const entries = read(seat, handle, { offset, size: 80 });
    const last = entries.at(-1);
    if (last === undefined) break;
    names.push(...entries.map((each) => each.name));
    offset = last.next;
    bench.elsewhere({ op: "create", path: `a${step}` });
    if (step === 0) system.unlink("b");
  }
  assert.equal(new Set(names).size, names.length, "nothing comes twice");
  assert.deepEqual(names.slice(-3), ["a", "b", "c"]);
  assert.deepEqual(system.list("").slice(-1), ["c"]);
});

Deno.test("an answer holds as much as fits, and what comes after the end is nothing", () => {
  const { seat } = desk();
  const handle = open(seat);
  assert.deepEqual(read(seat, handle, { size: 31 }), []);
  assert.equal(read(seat, handle, { size: 32 }).length, 1);
  assert.deepEqual(read(seat, handle, { offset: 1 << 30 }), []);
});

Deno.test("READDIRPLUS counts what it tells as looked up, but for the dots", () => {
  const { bench, seat } = desk();
  const handle = open(seat);
  const entries = read(seat, handle, { plus: true });
  const a = entries.find((each) => each.name === "a");
  seat.notices.length = 0;
  assert.ok(a && a.attributes.mode === 0o640 && a.attributes.validMs > 0);
  bench.elsewhere({ op: "utime", path: "a", mtime: 1 });
  assert.deepEqual(seat.notices.splice(0), [{ notice: "inode", node: a.attributes.node }]);
  const forgets = entries.filter((each) => !/^\.\.?$/.test(each.name))
    .map((each) => ({ node: each.attributes.node, count: 1 }));
  seat.ask(1, { call: "forget", forgets });
  bench.elsewhere({ op: "utime", path: "a", mtime: 2 });
  assert.deepEqual(seat.notices.splice(0), []);
  bench.elsewhere({ op: "remove", path: "b" });
  assert.ok(!read(seat, handle, { plus: true }).some((each) => each.name === "b"));
});

Deno.test("what is here only is listed too, and hides nothing", () => {
  const { bench, seat, system } = desk();
  const fd = system.opened("c/new", CUT, true);
  assert.deepEqual(system.list("c"), ["new"]);
  const entries = read(seat, open(seat, system.node("c")), { plus: true });
  assert.equal(entries.at(-1)?.attributes.node, fd.node);
  bench.elsewhere({ op: "create", path: ".members" }, { op: "create", path: "local" });
  assert.equal(system.list("").length, 13);
});
