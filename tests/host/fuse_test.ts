import assert from "node:assert/strict";
import { resourceId } from "../../mod/base/id.ts";
import { after } from "../../mod/base/time.ts";
import { boottime } from "../../mod/host/ffi/pidfd.ts";
import { FuseDevice, MNT_FORCE, unmount as unmountPath } from "../../mod/host/ffi/fuse_device.ts";
import { LinuxFusePort } from "../../mod/host/linux/fuse.ts";
import { mountAt, parseMounts } from "../../mod/host/linux/mountinfo.ts";
import type { FuseFailure, FuseMountOptions, FusePort, FuseSession } from "../../mod/host/ports.ts";
import { fuseSuite, mount, unmount } from "../contract/fuse_suite.ts";
import { MemoryFiles } from "../contract/memory_files.ts";
import { LinuxProcessWorld } from "./process_world.ts";
import { FuseServer, LinuxFuseWorld, run, whyNoFuse } from "./fuse_world.ts";

const whyNot = whyNoFuse();
if (whyNot !== null) console.log(`skipped  tests of FUSE mounts: ${whyNot}`);
const ignore = whyNot !== null;

fuseSuite("LinuxFusePort", () => new LinuxFuseWorld(), ignore);

function test(
  what: string,
  fn: (world: LinuxFuseWorld, files: MemoryFiles) => Promise<void>,
): void {
  Deno.test({
    name: `LinuxFusePort ${what}`,
    ignore,
    async fn() {
      const world = new LinuxFuseWorld();
      try {
        await fn(world, new MemoryFiles());
        assert.deepEqual(world.left(), [], "nothing is left in /proc/self/mountinfo");
      } finally {
        await world.close();
      }
    },
  });
}

function mountWith(
  port: FusePort,
  options: FuseMountOptions,
  files = new MemoryFiles(),
): Promise<FuseSession | FuseFailure> {
  return new Promise((done) =>
    port.mount(options, files, (result) => {
      files.session = "failure" in result ? null : result;
      done(result);
    })
  );
}

function failureOf(result: FuseSession | FuseFailure): FuseFailure {
  assert.ok("failure" in result, "the mount fails");
  return result;
}

function mounted(result: FuseSession | FuseFailure): FuseSession {
  assert.ok(!("failure" in result), JSON.stringify(result));
  return result;
}

test("serves real programs", async (world, files) => {
  mounted(await mount(world, files));
  const { target } = world;
  await run("dd", "if=/dev/urandom", `of=${target}/dd`, "bs=64k", "count=16", "status=none");
  await run("cp", `${target}/dd`, `${world.folder}/copy`);
  await run("cmp", `${target}/dd`, `${world.folder}/copy`);
  assert.match(await run("ls", "-l", target), /-rw-r----- 1 root root 1048576 .* dd/);
  await run("sh", "-c", `echo one > ${target}/a; echo two >> ${target}/a`);
  assert.equal(await run("cat", `${target}/a`), "one\ntwo\n");
  await run("mv", `${target}/a`, `${target}/b`);
  await run("mkdir", "-p", `${target}/d/e/f`);
  assert.equal(
    await run("sh", "-c", `cd ${target}; find . -type d | sort | tr '\\n' ' '`),
    ". ./d ./d/e ./d/e/f ",
  );
  assert.match(await run("stat", "-f", "-c", "%T %b %f %l", target), /^fuseblk|fuse 1000 400 255/);
  await run("rm", "-r", `${target}/d`, `${target}/b`, `${target}/dd`);
  assert.equal(await run("ls", "-A", target), "");
  await unmount(world, files);
});

test("mounts with the options that keep a host safe", async (world, files) => {
  mounted(await mount(world, files));
  const line = Deno.readTextFileSync("/proc/self/mountinfo").split("\n")
    .find((each) => each.includes(world.target));
  assert.match(
    line ?? "",
    / rw,nosuid,nodev,noatime .*- fuse\.pentad pentad rw,user_id=0,group_id=0,default_permissions,allow_other/,
  );
  await unmount(world, files);
});

test("takes over what a killed process left", async (world, files) => {
  const server = await FuseServer.start(world.target);
  assert.equal(await run("cat", `${world.target}/f`), "A".repeat(1000));
  await server.kill("SIGKILL");
  assert.equal(world.left().length, 1, "the dead mount is there");
  files.put("a", new TextEncoder().encode("new"));
  mounted(await mount(world, files));
  assert.equal(world.left().length, 1);
  assert.equal(await run("cat", `${world.target}/a`), "new");
  await unmount(world, files);
});

test(
  "takes over dead mounts that lie on each other, with files open in them",
  async (world, files) => {
    const first = await FuseServer.start(world.target);
    const open = await Deno.open(`${world.target}/f`);
    await first.kill("SIGKILL");
    const second = await FuseServer.start(world.target);
    await second.kill("SIGKILL");
    mounted(await mount(world, files));
    assert.equal(world.left().length, 1);
    open.close();
    await unmount(world, files);
  },
);

test("refuses a living mount of another pentad, and leaves it alone", async (world, files) => {
  const server = await FuseServer.start(world.target);
  const { failure, detail } = failureOf(await mount(world, files));
  assert.equal(failure, "occupied");
  assert.match(detail, /mounted by another pentad \("pentad:child"\)/);
  assert.equal(await run("cat", `${world.target}/f`), "A".repeat(1000));
  await server.kill("SIGKILL");
  mounted(await mount(world, files));
  await unmount(world, files);
});

test(
  "refuses a mount of a pentad that is stopped, and does not hang there",
  async (world, files) => {
    const server = await FuseServer.start(world.target);
    await server.kill("SIGSTOP");
    const { failure, detail } = failureOf(await mount(world, files));
    assert.equal(failure, "hung");
    assert.match(detail, /does not answer/);
    await server.kill("SIGKILL");
    mounted(await mount(world, files));
    await unmount(world, files);
  },
);

test("refuses a foreign mount without touching it", async (world, files) => {
  // A FUSE mount as pmxcfs makes it, of which nobody will ever answer a request.
  Deno.mkdirSync(world.target);
  const device = FuseDevice.open("/dev/fuse", 8192);
  assert.ok(device instanceof FuseDevice);
  const data = "rootmode=40000,user_id=0,group_id=0,allow_other";
  const ask = { source: "/dev/fuse", target: world.target, type: "fuse", flags: 0n, data };
  assert.equal(device.mount(ask), 0);
  const { failure, detail } = failureOf(await mount(world, files));
  assert.equal(failure, "occupied");
  assert.match(detail, /file system of type "fuse" from "\/dev\/fuse"/);
  // Nothing but the kernel's own INIT was asked.
  assert.equal(device.read().got, "request");
  assert.equal(device.read().got, "nothing");
  assert.ok(await unmountPath(world.target, MNT_FORCE));
  device.close();
});

test("refuses a folder with files in it, unless it is told to hide them", async (world, files) => {
  Deno.mkdirSync(world.target);
  Deno.writeTextFileSync(`${world.target}/hidden`, "x");
  const { failure, detail } = failureOf(await mount(world, files));
  assert.equal(failure, "occupied");
  assert.match(detail, /is not empty, and its files would be hidden/);
  const options = { target: world.target, source: "pentad", allowNonEmpty: true };
  mounted(await mountWith(world.port(), options, files));
  assert.deepEqual(await world.files().list(""), []);
  await unmount(world, files);
  assert.deepEqual(await world.files().list(""), ["hidden"]);
});

test("refuses what is no folder, and makes one that is missing", async (world, files) => {
  Deno.writeTextFileSync(world.target, "a file");
  assert.match(failureOf(await mount(world, files)).detail, /is not a folder/);
  Deno.removeSync(world.target);
  Deno.symlinkSync(world.folder, world.target);
  assert.match(failureOf(await mount(world, files)).detail, /is not a folder/);
  Deno.removeSync(world.target);
  const port = world.port();
  for (const target of ["", "relative", "/", "/tmp/..", "/tmp/."]) {
    assert.match(
      failureOf(await mountWith(port, { target, source: "x" })).detail,
      /no absolute path/,
    );
  }
  Deno.symlinkSync(world.folder, `${world.folder}/link`);
  const target = `${world.folder}/link/deep/er/`;
  mounted(await mountWith(port, { target, source: "a b\\c", groupId: 33 }, files));
  const there = mountAt(
    parseMounts(Deno.readTextFileSync("/proc/self/mountinfo")),
    `${world.folder}/deep/er`,
  );
  assert.equal(there?.source, "a b\\c");
  await unmount(world, files);
});

test("runs programs of the daemon's own mount, in a folder of it", async (world, files) => {
  mounted(await mount(world, files));
  const script = (line: string) => new TextEncoder().encode(`#!/bin/sh\n${line}\n`);
  files.put("tool", script("exec sleep 1000"), 0o755);
  files.put("look", script(`exec grep -q sleep ${world.target}/tool`), 0o755);
  const processes = new LinuxProcessWorld();
  const port = processes.port();
  port.guardUntil(after(boottime(), 600_000));
  const id = resourceId("exec:tool");
  const spec = { id, command: ["./tool"], environment: {}, directory: world.target };
  assert.equal(await new Promise((done) => port.start(spec, done)), null);
  const command = [`${world.target}/look`];
  const health = await new Promise((done) =>
    port.monitor({ id, command, timeoutMs: 60_000 }, done)
  );
  assert.deepEqual(health, { state: "running" });
  const missing = { ...spec, id: resourceId("exec:other"), command: ["./missing"] };
  assert.match(
    await new Promise((done) => port.start(missing, (why) => done(why ?? ""))),
    /missing/,
  );
  await processes.close();
  await unmount(world, files);
});

test("unmounts where files are open, and they get errors", async (world, files) => {
  mounted(await mount(world, files));
  files.put("a", new Uint8Array([1, 2, 3]));
  const file = await Deno.open(`${world.target}/a`, { read: true, write: true });
  await unmount(world, files);
  assert.deepEqual(files.ends, ["unmounted"]);
  assert.equal(world.left().length, 0);
  await assert.rejects(file.write(new Uint8Array([1])), { code: "ENOTCONN" });
  file.close();
});

test("unmounts while calls and notices wait for each other", async (world, files) => {
  mounted(await mount(world, files));
  files.holds = ({ call }) => call === "mkdir";
  const waiting = new Promise<void>((done) => {
    files.onCall = () => files.held.length === 1 && done();
  });
  const made = world.files().mkdir("d").catch((error) => error.code);
  await waiting;
  for (let i = 0; i < 50; i++) files.notify({ notice: "entry", directory: 1, name: "d" });
  await unmount(world, files);
  assert.equal(await made, "ECONNABORTED");
});

test("tells when it is unmounted from outside", async (world, files) => {
  mounted(await mount(world, files));
  await world.files().stat("");
  const ended = new Promise<void>((done) => files.onEnd = done);
  await run("umount", world.target);
  await ended;
  assert.match(files.ends[0] ?? "", /unmounted from outside/);
});

test("tells when its connection is aborted, and leaves no dead mount", async (world, files) => {
  mounted(await mount(world, files));
  await world.files().stat("");
  const ended = new Promise<void>((done) => files.onEnd = done);
  const minor = world.left()[0]?.device.split(":")[1];
  const control = `${world.folder}/control`;
  Deno.mkdirSync(control);
  await run("mount", "-t", "fusectl", "none", control);
  Deno.writeTextFileSync(`${control}/${minor}/abort`, "1");
  await run("umount", control);
  await ended;
  assert.match(files.ends[0] ?? "", /aborted from outside/);
});

test(
  "answers many programs at once, and lets the event loop run meanwhile",
  async (world, files) => {
    mounted(await mount(world, files));
    const names = Array.from({ length: 20 }, (_, at) => `f${at}`);
    for (const name of names) files.put(name, new TextEncoder().encode(name.repeat(200)));
    // Without a bound on a turn, no timer fires while one program asks the next thing at once.
    let fired = 0;
    const timer = setInterval(() => fired++, 1);
    const script = `
import sys, os
for n in range(300):
    for i in range(20):
        with open(sys.argv[1] + "/f%d" % i) as f: assert f.read() == ("f%d" % i) * 200
  `;
    const programs = Array.from({ length: 6 }, () => run("python3", "-c", script, world.target));
    await Promise.all(programs);
    clearInterval(timer);
    const opens = files.requests.filter(({ call }) => call === "open").length;
    assert.ok(opens >= 6 * 300 * 20, `${opens} opens`);
    assert.ok(fired > 0);
    await unmount(world, files);
  },
);

test("makes the kernel forget what it cached, when it is told", async (world, files) => {
  files.validMs = 3_600_000;
  mounted(await mount(world, files));
  const node = files.put("a", new Uint8Array(3));
  const user = world.files();
  assert.equal((await user.stat("a")).size, 3);
  files.put("a", new Uint8Array(5));
  assert.equal((await user.stat("a")).size, 3, "the kernel believes what it was told");
  const asked = new Promise<void>((done) => {
    files.onCall = ({ call }) => call === "getattr" && done();
  });
  files.notify({ notice: "inode", node });
  // A notice is written on another thread: until it is there, the old size may be seen.
  while ((await user.stat("a")).size === 3);
  await asked;
  assert.equal((await user.stat("a")).size, 5);
  await unmount(world, files);
});

Deno.test("LinuxFusePort says what is missing where there is no FUSE", async () => {
  const options = { target: "/nonexistent/pentad/mnt", source: "pentad" };
  const absent = failureOf(await mountWith(new LinuxFusePort({ device: "/dev/pentad" }), options));
  assert.equal(absent.failure, "absent");
  assert.match(absent.detail, /has no "\/dev\/pentad"/);
});

test("says that a device is none of FUSE, and leaves nothing open", async (world) => {
  const options = { target: world.target, source: "pentad" };
  const before = [...Deno.readDirSync("/proc/self/fd")].length;
  const wrong = failureOf(await mountWith(new LinuxFusePort({ device: "/dev/null" }), options));
  assert.match(wrong.detail, /errno 22/);
  assert.equal([...Deno.readDirSync("/proc/self/fd")].length, before);
});

Deno.test("parseMounts() reads escapes, optional fields and sources that are empty", () => {
  const [plain, escaped] = parseMounts(
    "36 35 0:39 / /a rw,noatime master:1 shared:2 - fuse.pentad pentad rw\n" +
      "37 36 0:40 / /a\\040b\\134 rw - tmpfs none\\011x rw\nnonsense\n\n",
  );
  assert.deepEqual(plain, {
    ...{ id: 36, parent: 35, device: "0:39", target: "/a" },
    ...{ type: "fuse.pentad", source: "pentad" },
  });
  assert.deepEqual([escaped?.target, escaped?.source], ["/a b\\", "none\tx"]);
});

Deno.test("mountAt() finds the mount that is seen, in whatever order they are listed", () => {
  const mounts = parseMounts(
    "41 40 0:2 / /a rw - fuse.pentad upper rw\n40 1 0:1 / /a rw - fuse.pentad lower rw\n",
  );
  assert.equal(mountAt(mounts, "/a")?.source, "upper");
  assert.equal(mountAt(mounts, "/b"), null);
});
