/** The simulated kernel keeps the promises of `FusePort`, as the Linux port does. @module */
import assert from "node:assert/strict";
import { type Done, HostFuse, SimFuse, SimProgram } from "../../mod/sim/mod.ts";
import { type Files, fuseSuite, type FuseWorld, mount } from "../contract/fuse_suite.ts";
import { MemoryFiles } from "../contract/memory_files.ts";

/** Calls its callback as a promise; an errno becomes the error's code, as in node:fs. */
function promised<T>(call: (done: Done<T>) => void): Promise<T> {
  return new Promise((resolve, reject) =>
    call((outcome) => {
      if (outcome.ok) resolve(outcome.value);
      else reject(Object.assign(new Error(outcome.errno), { code: outcome.errno }));
    })
  );
}

class SimFuseWorld implements FuseWorld {
  readonly target = "/etc/pve";
  readonly host = new HostFuse();

  port(): SimFuse {
    return new SimFuse(this.host, queueMicrotask);
  }

  program(pid: number): SimProgram {
    const kernel = this.host.kernel(this.target);
    assert.ok(kernel !== null, "something is mounted");
    return new SimProgram(kernel, { uid: 0, gid: 0, pid });
  }

  files(): Files {
    const program = this.program(100);
    const nothing = () => {};
    return {
      write: (path, bytes) =>
        promised<null>((done) => program.writeFile(path, bytes, done)).then(nothing),
      read: (path) => promised((done) => program.readFile(path, done)),
      list: async (path) =>
        (await promised<readonly { name: string }[]>((done) => program.list(path, done)))
          .map(({ name }) => name),
      stat: async (path) => {
        const { size, mode, mtime } = await promised<{ size: number; mode: number; mtime: number }>(
          (done) => program.stat(path, done),
        );
        return { size, mode, mtime };
      },
      mkdir: (path) => promised<unknown>((done) => program.mkdir(path, done)).then(nothing),
      rmdir: (path) => promised<null>((done) => program.rmdir(path, done)).then(nothing),
      unlink: (path) => promised<null>((done) => program.unlink(path, done)).then(nothing),
      rename: (from, to) => promised<null>((done) => program.rename(from, to, done)).then(nothing),
      truncate: (path, size) =>
        promised<unknown>((done) => program.setattr(path, { size }, done)).then(nothing),
      utime: (path, seconds) =>
        promised<unknown>((done) => program.setattr(path, { mtime: seconds }, done)).then(nothing),
      symlink: (target, path) =>
        promised<unknown>((done) => program.symlink(target, path, done)).then(nothing),
      readlink: (path) => promised((done) => program.readlink(path, done)),
    };
  }

  settle<T>(answer: Promise<T>): Promise<T> {
    return answer;
  }

  left(): string[] {
    return this.host.targets();
  }

  close(): Promise<void> {
    return Promise.resolve();
  }
}

fuseSuite("SimFuse", () => new SimFuseWorld());

Deno.test("SimFuse leaves a dead mount after a crash, and the next daemon takes it over", async () => {
  const world = new SimFuseWorld();
  const first = new MemoryFiles();
  await mount(world, first);
  first.put("a", new Uint8Array([1]));
  first.holds = ({ call }) => call === "read";
  const read = world.files().read("a").then(() => "ok", (error) => error.code);
  world.host.crash();
  assert.equal(await read, "ENOTCONN");
  assert.deepEqual(world.host.targets(), ["/etc/pve"]);
  await assert.rejects(world.files().read("a"), { code: "ENOTCONN" });
  const second = new MemoryFiles();
  second.put("a", new Uint8Array([2]));
  assert.ok(!("failure" in await mount(world, second)));
  assert.deepEqual(await world.files().read("a"), new Uint8Array([2]));
});

Deno.test("SimFuse refuses to touch what somebody else has mounted", async () => {
  const world = new SimFuseWorld();
  world.host.occupy("/etc/pve", "/dev/fuse");
  const result = await mount(world, new MemoryFiles());
  assert.ok("failure" in result && result.failure === "occupied");
});

Deno.test("SimProgram.die() closes what is open, as the kernel does for a killed process", async () => {
  const world = new SimFuseWorld();
  const files = new MemoryFiles();
  await mount(world, files);
  const program = world.program(7);
  const file = await promised<{ node: number; handle: number }>((done) =>
    program.open("a", { write: true, create: true }, done)
  );
  await promised<number>((done) => program.write(file, 0, new Uint8Array([1, 2, 3]), done));
  const released = new Promise<void>((done) => {
    files.onCall = ({ call }) => call === "release" && done();
  });
  program.die();
  await released;
  assert.deepEqual(files.requests.slice(-2).map(({ call }) => call), ["flush", "release"]);
  const release = files.requests.at(-1);
  assert.ok(release?.call === "release" && release.flockOwner === 7n);
});

Deno.test("SimKernel interrupts a call by its number", async () => {
  const world = new SimFuseWorld();
  const files = new MemoryFiles();
  await mount(world, files);
  const program = world.program(7);
  const file = await promised<{ node: number; handle: number }>((done) =>
    program.open("a", { write: true, create: true }, done)
  );
  files.holds = ({ call }) => call === "setlk";
  const told = new Promise<number>((done) => {
    files.onCall = (request) => request.call === "interrupt" && done(request.target);
  });
  const kernel = world.host.kernel("/etc/pve");
  const ask = { kind: "write", wait: true, flock: true } as const;
  let unique = 0;
  const outcome = promised<null>((done) => unique = program.lock(file, ask, done));
  kernel?.tell(1, { call: "interrupt", target: unique });
  assert.equal(await told, unique);
  assert.equal(files.held[0]?.unique, unique);
  files.release();
  await assert.rejects(outcome, { code: "ENOSYS" });
});
