/** Nothing grows for ever, whatever is asked. */
import assert from "node:assert/strict";
import { CALLS_MAX, HANDLES_MAX } from "../../../mod/config/fuse/limits.ts";
import { FILE_BYTES_MAX } from "../../../mod/config/wire.ts";
import { TREE_BYTES_MAX } from "../../../mod/config/tree.ts";
import { Bench, CALL_MS, word } from "./bench.ts";
import { desk, flush } from "./desk.ts";
import { CUT, type Fd, getattr, READ, System, WRITE } from "./system.ts";

Deno.test("better: a file of 1 MiB and one byte is EFBIG, and the old content is whole", () => {
  const { system, seat } = desk();
  const whole = new Uint8Array(FILE_BYTES_MAX).fill(65);
  assert.equal(system.put("g", whole), "ok");
  const fd = system.opened("f", CUT);
  assert.equal(system.write(fd, whole), "ok");
  assert.equal(system.write(fd, "x", FILE_BYTES_MAX), "EFBIG");
  assert.equal(system.write(fd, "x", 0), "EFBIG", "what follows is not whole either");
  assert.equal(system.close(fd), "EFBIG");
  assert.equal(seat.text("f"), "old");
  const append = system.opened("g", { ...WRITE, append: true });
  assert.equal(system.write(append, "x"), "EFBIG");
  assert.equal(system.close(append), "EFBIG");
  assert.equal(seat.text("g")?.length, FILE_BYTES_MAX);
  const node = system.node("f");
  const set = { size: FILE_BYTES_MAX + 1 };
  assert.equal(word(seat.call(node, { call: "setattr", handle: null, set })), "EFBIG");
});

Deno.test("better: 128 MiB and one byte is ENOSPC before anything is buffered", () => {
  const bench = new Bench();
  const system = new System(bench.first);
  const data = new Uint8Array(FILE_BYTES_MAX);
  for (let at = 0; at < TREE_BYTES_MAX / FILE_BYTES_MAX; at++) {
    const path = `f${at}`;
    bench.elsewhere({ op: "create", path }, { op: "write", path, offset: 0, data });
  }
  const fd = system.opened("more", CUT, true);
  assert.equal(system.write(fd, "x"), "ENOSPC");
  assert.equal(system.close(fd), "ENOSPC");
  assert.equal(system.stat("more"), "ENOENT");
  assert.equal(system.put("f0", "shorter"), "ok");
  assert.equal(system.put("more", "x"), "ok");
});

Deno.test("better: one inode too many is ENOSPC, those counted that are here only", () => {
  const bench = new Bench(2, { bytes: 100, inodes: 3 });
  const [system, other] = [new System(bench.first), new System(bench.seat(2))];
  assert.equal(system.put("a", ""), "ok");
  assert.equal(system.mkdir("b"), "ok");
  const fd = system.opened("c", CUT, true);
  assert.equal(system.mkdir("d"), "ENOSPC");
  assert.equal(system.open("d", CUT, true), "ENOSPC");
  assert.equal(other.put("d", ""), "ok", "the other node was faster");
  assert.equal(system.fsync(fd), "ENOSPC");
  assert.equal(system.write(fd, new Uint8Array(101)), "ENOSPC");
});

Deno.test("better: a warning is said at 80 %, once until there was room again", () => {
  const bench = new Bench(1, { bytes: 100, inodes: 100 });
  const [system, seat] = [new System(bench.first), bench.first];
  system.put("a", new Uint8Array(79));
  assert.deepEqual(seat.sayings, []);
  system.put("a", new Uint8Array(80));
  system.put("a", new Uint8Array(90));
  assert.deepEqual(seat.sayings, ["the tree is 80 % full of bytes"]);
  system.put("a", new Uint8Array(76));
  system.put("a", new Uint8Array(85));
  assert.equal(seat.sayings.length, 1);
  system.put("a", new Uint8Array(10));
  system.put("a", new Uint8Array(95));
  assert.equal(seat.sayings.length, 2);
  assert.ok(seat.codes.has("config.filling"));
});

Deno.test("better: statfs tells how much room there is, and is never negative", () => {
  const { seat } = desk();
  assert.deepEqual(seat.call(1, { call: "statfs" }), {
    ...{ reply: "statfs", blocks: 32_768, free: 32_767, files: 262_144, filesFree: 262_143 },
    ...{ blockSize: 4096, nameMax: 255 },
  });
});

Deno.test("a close for which there was no room is not committed behind its program's back", () => {
  const { bench, system, seat } = desk();
  const fd = system.opened("f", CUT);
  system.write(fd, "new");
  const created = system.opened("g", CUT, true);
  bench.auto = false;
  for (let at = 0; at < CALLS_MAX; at++) {
    seat.ask(1, { call: "mkdir", name: `d${at}`, mode: 0 });
  }
  assert.equal(system.flush(fd), "EAGAIN");
  assert.equal(system.flush(created), "EAGAIN");
  system.release(fd);
  system.release(created);
  bench.commitAll();
  assert.equal(seat.text("f"), "old");
  assert.equal(seat.text("g"), null);
});

Deno.test("open files, waiting requests and bytes that are not committed are bounded", () => {
  const { bench, system, seat } = desk();
  const node = system.node("f");
  const open = () => word(seat.call(node, { call: "open", flags: READ }));
  for (let at = 0; at < HANDLES_MAX; at++) assert.equal(open(), "ok");
  assert.equal(open(), "EAGAIN");
  assert.equal(word(seat.call(1, { call: "opendir" })), "EAGAIN");
  assert.equal(system.open("new", CUT, true), "EAGAIN");
  bench.auto = false;
  for (let at = 0; at < CALLS_MAX; at++) {
    seat.ask(1, { call: "mkdir", name: `d${at}`, mode: 0 });
  }
  assert.equal(word(seat.call(1, { call: "mkdir", name: "more", mode: 0 })), "EAGAIN");
});

Deno.test("bytes that are written and not committed are bounded over all files", () => {
  const bench = new Bench();
  const system = new System(bench.first);
  const data = new Uint8Array(FILE_BYTES_MAX);
  const fds = Array.from({ length: 65 }, (_, at) => system.opened(`f${at}`, CUT, true));
  const answers = fds.map((fd) => system.write(fd, data));
  assert.deepEqual(answers, [...Array(64).fill("ok"), "EAGAIN"]);
  assert.equal(system.close(fds[0] as Fd), "ok");
  const again = system.opened("again", CUT, true);
  assert.equal(system.write(again, data), "ok", "what is committed makes room");
});

Deno.test("names of open directories are bounded too", () => {
  const bench = new Bench();
  for (let at = 0; at < 16; at++) {
    bench.elsewhere(...Array.from({ length: 1024 }, (_, each) => {
      return { op: "create", path: `file-${at}-${each}` } as const;
    }));
  }
  const open = () => word(bench.first.call(1, { call: "opendir" }));
  let opened = 0;
  while (open() === "ok") opened++;
  assert.equal(opened, Math.floor(1024 * 1024 / (16 * 1024 + 12)));
});

Deno.test("names are as long as a file system's may be, and hold no control characters", () => {
  const { system } = desk();
  assert.equal(system.put("n".repeat(255), "x"), "ok");
  assert.equal(system.stat("n".repeat(256)), "ENAMETOOLONG");
  assert.equal(system.mkdir("ü".repeat(128)), "ENAMETOOLONG");
  assert.equal(system.put("a b ü", "x"), "ok");
  assert.equal(system.mkdir("new\nline"), "EINVAL");
  let path = "d";
  assert.equal(system.mkdir(path), "ok");
  for (let depth = 2; depth <= 32; depth++) assert.equal(system.mkdir(path += "/d"), "ok");
  assert.equal(system.mkdir(`${path}/d`), "ENAMETOOLONG");
});

Deno.test("what the kernel cannot know is no reason to fail", () => {
  const { bench, system, seat } = desk();
  const fd = system.opened("f", { ...WRITE, read: true });
  const { handle, node } = fd;
  const owner = 1n;
  const write = { call: "write", offset: 0, data: new Uint8Array(1) } as const;
  const strange = [
    [node, { call: "read", handle: 999, offset: 0, size: 1 }, "EBADF"],
    [node + 1, { call: "read", handle, offset: 0, size: 1 }, "EBADF"],
    [node, { ...write, handle: 999 }, "EBADF"],
    [1, { call: "flush", handle: 999, owner }, "EBADF"],
    [1, { call: "fsync", handle: 999 }, "EBADF"],
    [1, { call: "release", handle: 999, flockOwner: null }, "EBADF"],
    [1, { call: "releasedir", handle }, "EBADF"],
    [1, { call: "readdir", handle, offset: 0, size: 100, plus: true }, "EBADF"],
    [9999, { call: "lookup", name: "x" }, "ESTALE"],
    [node, { call: "lookup", name: "x" }, "ENOTDIR"],
    [9999, getattr(), "ESTALE"],
    [9999, { call: "setattr", handle: null, set: { size: 0 } }, "ESTALE"],
    [9999, { call: "open", flags: READ }, "ESTALE"],
    [1, { call: "open", flags: READ }, "EISDIR"],
    [node, { call: "opendir" }, "ENOTDIR"],
    [9999, { call: "opendir" }, "ESTALE"],
    [9999, { call: "readlink" }, "ESTALE"],
    [node, { call: "readlink" }, "EINVAL"],
    [9999, { call: "access", mask: 4 }, "ESTALE"],
    [9999, { call: "mkdir", name: "x", mode: 0 }, "ESTALE"],
    [node, { call: "mkdir", name: "x", mode: 0 }, "ENOTDIR"],
    [9999, { call: "unlink", name: "x" }, "ESTALE"],
    [1, { call: "setattr", handle: null, set: { size: 0 } }, "EACCES"],
    [0, getattr(), "ESTALE"],
    [2 ** 52 + 99, getattr(), "ESTALE"],
    [2 ** 53 - 1, { call: "create", name: "x", flags: WRITE, mode: 0 }, "ESTALE"],
    [1, { call: "malformed", errno: "EINVAL" }, "EINVAL"],
  ] as const;
  for (const [at, call, errno] of strange) {
    assert.equal(word(seat.call(at, call)), errno, JSON.stringify([at, call.call]));
  }
  seat.ask(1, { call: "forget", forgets: [{ node: 9999, count: 7 }, { node, count: 10 ** 9 }] });
  assert.equal(system.read(fd), "old", "an inode that is forgotten is open all the same");
  assert.equal(bench.log.length, 1);
});

Deno.test("a new connection of the kernel begins with nothing open and nothing waiting", () => {
  const { bench, system, seat } = desk();
  const fd = system.opened("f", CUT);
  system.write(fd, "new");
  bench.auto = false;
  const waits = flush(seat, fd);
  const init = { call: "init", major: 7, minor: 38, flags: 0n, maxReadahead: 0 } as const;
  assert.equal(seat.call(0, init).reply, "init");
  bench.pass(CALL_MS);
  assert.equal(seat.answers.get(waits), undefined, "who asked is gone");
  bench.commitAll();
  assert.equal(seat.text("f"), "new");
  assert.equal(system.read(fd), "EBADF");
  assert.equal(seat.call(0, { call: "destroy" }).reply, "ok");
});
