/**
 * What each call answers, with and without quorum: one test per row of the table of Proxmox VE's
 * pmxcfs (`mod/config/fuse/DESIGN.md`). "better:" marks where ours is not the same, on purpose.
 */
import assert from "node:assert/strict";
import { Bench, GID, ROOT, type Seat, WALL_START, word } from "./bench.ts";
import { CUT, READ, System, WRITE } from "./system.ts";

/** A node with some files, a second one, and programs on the first. */
function desk(): { bench: Bench; seat: Seat; system: System; other: System } {
  const bench = new Bench(2);
  const data = new TextEncoder().encode("old");
  bench.elsewhere(
    { op: "create", path: "f" },
    { op: "write", path: "f", offset: 0, data },
    ...["d", "full", "priv", "priv/lock", "nodes", "nodes/node1", "nodes/node1/qemu-server"].map(
      (path) => ({ op: "mkdir", path }) as const,
    ),
    ...["nodes/node1/priv", "nodes/node2", "nodes/node2/qemu-server", "nodes/node2/lxc"].map(
      (path) => ({ op: "mkdir", path }) as const,
    ),
    { op: "create", path: "full/x" },
    { op: "create", path: "priv/secret" },
    { op: "create", path: "nodes/node1/priv/key" },
    { op: "create", path: "nodes/node1/qemu-server/100.conf" },
  );
  const seat = bench.first;
  return { bench, seat, system: new System(seat), other: new System(bench.seat(2)) };
}

function modes(system: System, ...paths: string[]): string[] {
  return paths.map((path) => {
    const found = system.stat(path);
    return typeof found === "string" ? found : found.mode.toString(8);
  });
}

Deno.test("read, stat and readdir work with and without quorum", () => {
  const { seat, system } = desk();
  for (const frozen of [false, true]) {
    seat.setFrozen(frozen);
    assert.equal(system.cat("f"), "old");
    assert.ok(typeof system.stat("full/x") !== "string");
    assert.deepEqual(system.list("full"), ["x"]);
    assert.equal(system.stat("none"), "ENOENT");
  }
});

Deno.test("better: opening for writing without quorum is EROFS at once, not at the first write", () => {
  const { seat, system } = desk();
  assert.ok(typeof system.open("f", WRITE) !== "string");
  seat.setFrozen(true);
  for (const flags of [WRITE, CUT, { ...WRITE, read: true }, { ...READ, truncate: true }]) {
    assert.equal(system.open("f", flags), "EROFS");
  }
  assert.ok(typeof system.open("f", READ) !== "string");
});

Deno.test("better: without quorum what changes is EROFS, which tells it from EACCES", () => {
  const { bench, seat, system } = desk();
  const fd = system.opened("f", WRITE);
  seat.setFrozen(true);
  assert.equal(system.write(fd, "x"), "EROFS");
  assert.equal(system.open("new", CUT, true), "EROFS");
  assert.equal(system.open("new", { ...WRITE, exclusive: true }, true), "EROFS");
  assert.equal(system.mkdir("new"), "EROFS");
  assert.equal(system.rmdir("d"), "EROFS");
  assert.equal(system.unlink("f"), "EROFS");
  assert.equal(system.rename("f", "g"), "EROFS");
  assert.equal(system.utime("f", 1), "EROFS");
  assert.equal(system.truncate("f", 0), "EROFS");
  assert.equal(system.mkdir("priv/lock/l"), "EROFS");
  assert.equal(bench.log.length, 1, "nothing was proposed");
});

Deno.test("with quorum what changes is done, on all nodes", () => {
  const { system, other } = desk();
  assert.equal(system.mkdir("new"), "ok");
  assert.equal(system.put("new/f", "text"), "ok");
  assert.equal(other.cat("new/f"), "text");
  assert.equal(system.rename("new/f", "g"), "ok");
  assert.equal(other.stat("new/f"), "ENOENT");
  assert.equal(system.rmdir("new"), "ok");
  assert.equal(system.utime("g", 1234), "ok");
  const found = other.stat("g");
  assert.ok(typeof found !== "string" && found.mtime === 1234);
  assert.equal(system.unlink("g"), "ok");
  assert.equal(other.stat("g"), "ENOENT");
});

Deno.test("modes follow from the path; the one that is asked for is ignored", () => {
  const { system } = desk();
  assert.equal(system.put("new", ""), "ok");
  assert.deepEqual(modes(system, "", "d", "f", "new"), ["755", "755", "640", "640"]);
  assert.deepEqual(modes(system, "priv", "priv/lock", "priv/secret"), ["700", "700", "600"]);
  assert.deepEqual(modes(system, "nodes/node1/priv", "nodes/node1/priv/key"), ["700", "600"]);
  assert.deepEqual(modes(system, "local", "qemu-server", ".members"), ["755", "755", "440"]);
  assert.deepEqual(modes(system, ".debug"), ["640"]);
});

Deno.test("without quorum the write bits are gone, but for the root's", () => {
  const { seat, system } = desk();
  seat.setFrozen(true);
  assert.deepEqual(modes(system, "", "d", "f"), ["755", "555", "440"]);
  assert.deepEqual(modes(system, "priv", "priv/secret"), ["500", "400"]);
  assert.deepEqual(modes(system, "local", "lxc", "openvz"), ["555", "555", "555"]);
  assert.deepEqual(modes(system, ".members", ".debug"), ["440", "640"]);
});

Deno.test("everything belongs to root and the group; times are one, in whole seconds", () => {
  const { bench, system } = desk();
  bench.pass(5500);
  assert.equal(system.put("f", "x"), "ok");
  for (const path of ["", "d", "f", "local", ".vmlist"]) {
    const found = system.stat(path);
    assert.ok(typeof found !== "string" && found.uid === 0 && found.gid === GID, path);
  }
  const found = system.stat("f");
  assert.ok(typeof found !== "string" && found.mtime === WALL_START + 5 && found.links === 1);
  const directory = system.stat("d");
  assert.ok(typeof directory !== "string" && directory.links === 2 && directory.size === 0);
});

Deno.test("chmod is ok where nobody gets more than was asked for, else EPERM (PVE: only to its own mode)", () => {
  const { seat, system } = desk();
  for (const frozen of [false, true]) {
    seat.setFrozen(frozen);
    assert.equal(system.chmod("f", 0o640), "ok");
    assert.equal(system.chmod("priv/secret", 0o600), "ok");
    assert.equal(system.chmod("d", 0o755), "ok");
    assert.equal(system.chmod("f", 0o644), "ok", "it stays 0640, which lets in fewer");
    assert.equal(system.chmod("f", 0o444), "ok");
    assert.equal(system.chmod("f", 0o600), "EPERM", "the group can read it all the same");
    assert.equal(system.chmod("d", 0o700), "EPERM");
    assert.equal(system.chmod("priv/secret", 0o640), "ok");
  }
  assert.equal(system.chmod("f", 0o440), "ok", "what is shown without quorum may be copied back");
});

Deno.test("chmod of a file that is being written is ok, as mkstemp(3) wants it, and no longer", () => {
  const { system } = desk();
  const writer = system.opened("f", WRITE);
  assert.equal(system.chmod("f", 0o600), "ok");
  assert.equal(system.close(writer), "ok");
  assert.equal(system.chmod("f", 0o600), "EPERM");
});

Deno.test("chown to root and the group is ok, to anybody else EPERM", () => {
  const { system } = desk();
  assert.equal(system.chown("f", { uid: 0, gid: 0 }), "ok");
  assert.equal(system.chown("f", { uid: 0, gid: GID }), "ok");
  assert.equal(system.chown("f", { uid: 1 }), "EPERM");
  assert.equal(system.chown("f", { gid: 1 }), "EPERM");
});

Deno.test("symlinks, devices and sockets are ENOSYS, hard links EPERM", () => {
  const { seat } = desk();
  assert.equal(word(seat.call(1, { call: "symlink", name: "l", target: "f" })), "ENOSYS");
  assert.equal(word(seat.call(1, { call: "mknod", name: "p", mode: 0o010644 })), "ENOSYS");
  assert.equal(word(seat.call(1, { call: "unsupported", opcode: 99 })), "ENOSYS");
  assert.equal(word(seat.call(1, { call: "link", target: 1025, name: "l" })), "EPERM");
});

Deno.test("extended attributes are EOPNOTSUPP", () => {
  const { seat } = desk();
  for (const call of ["setxattr", "getxattr", "listxattr", "removexattr"] as const) {
    assert.equal(word(seat.call(1, { call })), "EOPNOTSUPP");
  }
});

Deno.test("no file goes through the kernel's pages: they are one for all who have it open", () => {
  const { seat, system } = desk();
  const node = system.node("f");
  for (const [at, flags] of [[node, READ], [node, WRITE], [2, READ]] as const) {
    const opened = seat.call(at, { call: "open", flags });
    assert.ok(opened.reply === "opened" && opened.direct && !opened.keepCache);
  }
  const created = seat.call(1, { call: "create", name: "new", flags: WRITE, mode: 0 });
  assert.ok(created.reply === "created" && created.direct);
});

Deno.test("better: locks of files are the cluster's, and the kernel is told so", () => {
  const { seat } = desk();
  const offer = { major: 7, minor: 41, flags: 0n, maxReadahead: 1 };
  const reply = seat.call(1, { call: "init", ...offer });
  assert.ok(reply.reply === "init" && reply.posixLocks && reply.flockLocks);
});

Deno.test("better: fsync commits what is written so far", () => {
  const { system, other } = desk();
  const fd = system.opened("f", WRITE);
  system.write(fd, "N");
  assert.equal(system.fsync(fd), "ok");
  assert.equal(other.cat("f"), "Nld");
  assert.equal(system.fsync(system.opened("f", READ)), "ok");
});

Deno.test("O_APPEND, sparse writes, truncate up and down: holes are zeros", () => {
  const { system } = desk();
  const append = system.opened("f", { ...WRITE, append: true });
  system.write(append, "er", 0);
  assert.equal(system.close(append), "ok");
  assert.equal(system.cat("f"), "older");
  const sparse = system.opened("f", WRITE);
  system.write(sparse, "x", 7);
  assert.equal(system.close(sparse), "ok");
  assert.equal(system.cat("f"), "older\0\0x");
  assert.equal(system.truncate("f", 2), "ok");
  assert.equal(system.truncate("f", 4), "ok");
  assert.equal(system.cat("f"), "ol\0\0");
});

Deno.test("fallocate lengthens a file and does nothing else", () => {
  const { seat, system } = desk();
  const { node, handle } = system.opened("f", WRITE);
  const allocate = (offset: number, length: number, mode: number) =>
    word(seat.call(node, { call: "fallocate", handle, offset, length, mode }));
  assert.equal(allocate(0, 2, 0), "ok");
  assert.equal(allocate(2, 4, 0), "ok");
  assert.equal(allocate(0, 2, 3), "EOPNOTSUPP", "no holes are punched");
  assert.equal(allocate(0, 1 << 21, 0), "EFBIG");
  assert.equal(system.close({ node, handle }), "ok");
  assert.equal(system.cat("f"), "old\0\0\0");
});

Deno.test("better: O_EXCL on an existing file is EEXIST, in the whole cluster", () => {
  const { system } = desk();
  const exclusive = { ...WRITE, exclusive: true };
  assert.equal(system.open("f", exclusive, true), "EEXIST");
  const fd = system.open("new", exclusive, true);
  assert.ok(typeof fd !== "string");
  system.write(fd, "x");
  assert.equal(system.close(fd), "ok");
  assert.equal(system.cat("new"), "x");
});

Deno.test("rename over a file is atomic, one transaction", () => {
  const { bench, system, other } = desk();
  system.put("tmp", "new");
  const before = bench.log.length;
  assert.equal(system.rename("tmp", "f"), "ok");
  assert.equal(bench.log.length, before + 1);
  assert.equal(other.cat("f"), "new");
  assert.equal(other.stat("tmp"), "ENOENT");
});

Deno.test("rename and rmdir of a directory that is not empty are ENOTEMPTY", () => {
  const { system } = desk();
  assert.equal(system.rename("full", "other"), "ENOTEMPTY");
  assert.equal(system.rmdir("full"), "ENOTEMPTY");
  assert.equal(system.rename("d", "full"), "ENOTEMPTY");
  const fd = system.opened("d/pending", WRITE, true);
  assert.equal(system.rmdir("d"), "ENOTEMPTY", "what is here only counts too");
  assert.equal(system.rename("d", "e"), "ENOTEMPTY");
  system.unlink("d/pending");
  system.close(fd);
  assert.equal(system.rename("d", "e"), "ok");
  assert.equal(system.rmdir("e"), "ok");
});

Deno.test("rename of or to a lock is EACCES", () => {
  const { system } = desk();
  assert.equal(system.mkdir("priv/lock/l"), "ok");
  assert.equal(system.rename("priv/lock/l", "d2"), "EACCES");
  assert.equal(system.rename("d", "priv/lock/m"), "EACCES");
});

Deno.test("better: what the manager decided is read and removed, and written by nobody", () => {
  const { bench, system } = desk();
  const path = "ha/manager_status";
  const data = new TextEncoder().encode("{}");
  assert.equal(system.mkdir("ha"), "ok");
  assert.equal(system.open(path, CUT, true), "EACCES");
  assert.equal(system.mkdir(path), "EACCES");
  bench.elsewhere({ op: "create", path }, { op: "write", path, offset: 0, data });
  assert.equal(system.open(path, CUT), "EACCES");
  assert.equal(system.open(path, WRITE), "EACCES");
  assert.equal(system.truncate(path, 0), "EACCES");
  assert.equal(system.utime(path, "now"), "EACCES");
  assert.equal(system.rename("f", path), "EACCES");
  const pending = system.opened("d/saved", WRITE, true);
  assert.equal(system.rename("d/saved", path), "EACCES");
  system.close(pending);
  assert.equal(system.cat(path), "{}");
  assert.equal(system.rename(path, "f"), "ok");
  assert.equal(system.stat(path), "ENOENT");
  assert.equal(system.open(path, CUT, true), "EACCES");
});

Deno.test("rename keeps to what its flags and the kinds allow", () => {
  const { system } = desk();
  system.put("g", "x");
  assert.equal(system.rename("f", "g", { noReplace: true }), "EEXIST");
  assert.equal(system.rename("f", "h", { noReplace: true }), "ok");
  assert.equal(system.rename("h", "g", { exchange: true }), "EINVAL");
  assert.equal(system.rename("h", "d"), "EISDIR");
  assert.equal(system.rename("d", "h"), "ENOTDIR");
  assert.equal(system.rename("none", "x"), "ENOENT");
  assert.equal(system.rename("h", "h"), "ok");
  assert.equal(system.rename("full", "full"), "ok");
  assert.equal(system.rename("full", "full", { noReplace: true }), "EEXIST");
  assert.equal(system.mkdir("e"), "ok");
  assert.equal(system.rename("d", "e"), "ok", "an empty directory gives way to another one");
  assert.equal(system.rename("e", "e/below"), "EINVAL");
});

Deno.test("unlink and rmdir tell files from directories", () => {
  const { system } = desk();
  assert.equal(system.unlink("d"), "EISDIR");
  assert.equal(system.rmdir("f"), "ENOTDIR");
  assert.equal(system.unlink("none"), "ENOENT");
  assert.equal(system.mkdir("d"), "EEXIST");
  assert.equal(system.mkdir("f"), "EEXIST");
});

Deno.test("better: .members is EACCES when it is opened for writing, not EIO when it is written", () => {
  const { seat } = desk();
  for (let node = 2; node <= 6; node++) {
    assert.equal(word(seat.call(node, { call: "open", flags: WRITE })), "EACCES");
    const set = { size: 0 };
    assert.equal(word(seat.call(node, { call: "setattr", handle: null, set })), "EACCES");
  }
});

Deno.test("virtual files and links cannot be removed, replaced or made", () => {
  const { seat, system } = desk();
  for (const name of [".members", ".debug", "local", "openvz"]) {
    assert.equal(system.unlink(name), "EACCES");
    assert.equal(system.rename(name, "x"), "EACCES");
    assert.equal(system.rename("f", name), "EACCES");
    assert.equal(system.mkdir(name), "EEXIST");
  }
  assert.equal(word(seat.call(8, { call: "open", flags: READ })), "EINVAL");
});

Deno.test(".debug is written with and without quorum, on this node only", () => {
  const { seat, system, other } = desk();
  seat.setFrozen(true);
  assert.equal(system.cat(".debug"), "0\n");
  assert.equal(system.put(".debug", "1\n"), "ok");
  assert.equal(system.cat(".debug"), "1\n");
  assert.equal(other.cat(".debug"), "0\n");
  assert.equal(system.put(".debug", "2\n"), "EINVAL");
  system.open("f", WRITE);
  assert.match(seat.sayings.at(-1) ?? "", /open of node \d+ is answered with EROFS/);
});

Deno.test("a VMID that is there is EEXIST: at once, and for every kind and node", () => {
  const { system } = desk();
  for (const path of ["nodes/node2/qemu-server/100.conf", "nodes/node2/lxc/100.conf"]) {
    assert.equal(system.open(path, CUT, true), "EEXIST");
    system.put("guest", "x");
    assert.equal(system.rename("guest", path), "EEXIST");
  }
});

Deno.test("moving a guest's file to another node is one transaction: the change of its owner", () => {
  const { bench, system, other } = desk();
  const before = bench.log.length;
  const to = "nodes/node2/qemu-server/100.conf";
  assert.equal(system.rename("nodes/node1/qemu-server/100.conf", to), "ok");
  assert.equal(bench.log.length, before + 1);
  assert.equal(JSON.parse(other.cat(".vmlist")).ids["100"].node, "node2");
});

Deno.test("access(2) is answered as the modes say, and EROFS for writing without quorum", () => {
  const { seat, system } = desk();
  const ask = (path: string, mask: number, uid: number, gid: number) =>
    word(seat.call(system.node(path), { call: "access", mask }, { ...ROOT, uid, gid }));
  assert.equal(ask("f", 6, 0, 0), "ok");
  assert.equal(ask("f", 4, 1000, GID), "ok");
  assert.equal(ask("f", 2, 1000, GID), "EACCES");
  assert.equal(ask("priv", 4, 1000, GID), "EACCES");
  assert.equal(ask("d", 5, 1000, 1000), "ok");
  seat.setFrozen(true);
  assert.equal(ask("f", 2, 0, 0), "EROFS");
  assert.equal(ask("f", 4, 0, 0), "ok");
});
