/**
 * What every `FusePort` promises, and whoever is behind it. The same suite runs against the Linux
 * port with the real kernel, and against the simulator's.
 *
 * @module
 */
import assert from "node:assert/strict";
import { equalBytes } from "../../mod/base/bytes.ts";
import { ERRNO } from "../../mod/config/fuse/errno.ts";
import type { FuseFailure, FusePort, FuseSession } from "../../mod/host/ports.ts";
import { MemoryFiles } from "./memory_files.ts";

/** What a program does with files; each ends with a value, or throws an error with a `code`. */
export interface Files {
  write(path: string, bytes: Uint8Array): Promise<void>;
  read(path: string): Promise<Uint8Array>;
  list(path: string): Promise<string[]>;
  stat(path: string): Promise<{ size: number; mode: number; mtime: number }>;
  mkdir(path: string): Promise<void>;
  rmdir(path: string): Promise<void>;
  unlink(path: string): Promise<void>;
  rename(from: string, to: string): Promise<void>;
  truncate(path: string, size: number): Promise<void>;
  utime(path: string, seconds: number): Promise<void>;
  symlink(target: string, path: string): Promise<void>;
  readlink(path: string): Promise<string>;
}

/** A host with a place to mount on. */
export interface FuseWorld {
  readonly target: string;
  port(): FusePort;
  /** Programs that use what is mounted at `target`; paths are from there. */
  files(): Files;
  /** Resolves as `answer` does. A simulator runs its events until then. */
  settle<T>(answer: Promise<T>): Promise<T>;
  /** What is mounted there still. */
  left(): readonly unknown[];
  close(): Promise<void>;
}

/** Mounts `files`, or tells the failure. */
export function mount(
  world: FuseWorld,
  files: MemoryFiles,
): Promise<FuseSession | FuseFailure> {
  const options = { target: world.target, source: "pentad" };
  return world.settle(
    new Promise((done) =>
      world.port().mount(options, files, (result) => {
        files.session = "failure" in result ? null : result;
        done(result);
      })
    ),
  );
}

/** Unmounts, and waits for the end. */
export function unmount(world: FuseWorld, files: MemoryFiles): Promise<void> {
  return world.settle(
    new Promise((done) => {
      files.onEnd = done;
      files.session?.unmount();
    }),
  );
}

/** Until `files` was asked something that `is` recognizes. */
function asked(
  world: FuseWorld,
  files: MemoryFiles,
  is: () => boolean,
): Promise<void> {
  return world.settle(
    new Promise((done) => {
      files.onCall = () => {
        if (is()) done();
      };
      files.onCall({ unique: 1, node: 1, caller: { uid: 0, gid: 0, pid: 0 }, call: "destroy" });
    }),
  );
}

async function codeOf(call: Promise<unknown>): Promise<string> {
  try {
    await call;
    return "ok";
  } catch (error) {
    return (error as { code?: string }).code ?? String(error);
  }
}

/** Registers the suite. `ignore`: this machine cannot run it. */
export function fuseSuite(name: string, makeWorld: () => FuseWorld, ignore = false): void {
  function promise(
    what: string,
    body: (world: FuseWorld, files: MemoryFiles, user: Files) => Promise<void>,
  ): void {
    Deno.test({
      name: `${name} ${what}`,
      ignore,
      async fn() {
        const world = makeWorld();
        const files = new MemoryFiles();
        try {
          const session = await mount(world, files);
          assert.ok(!("failure" in session), JSON.stringify(session));
          await body(world, files, world.files());
          if (files.ends.length === 0) await unmount(world, files);
          assert.equal(files.ends.length, 1);
          assert.deepEqual(world.left(), []);
        } finally {
          await world.close();
        }
      },
    });
  }

  promise("asks INIT first, and nothing else before its answer", async (world, files, user) => {
    await user.stat("");
    assert.deepEqual(files.requests.filter(({ call }) => call === "init"), [files.requests[0]]);
    const [init] = files.requests;
    assert.ok(init?.call === "init" && init.major === 7 && init.minor >= 31);
    await unmount(world, files);
  });

  promise("carries what programs do with files, and back", async (_, files, user) => {
    await user.write("a", text("one"));
    assert.deepEqual(await user.read("a"), text("one"));
    await user.write("a", text("two!"));
    assert.deepEqual(await user.read("a"), text("two!"));
    await user.mkdir("d");
    await user.rename("a", "d/b");
    assert.deepEqual(await user.list("d"), ["b"]);
    assert.equal(await codeOf(user.read("a")), "ENOENT");
    await user.truncate("d/b", 6);
    assert.deepEqual(await user.read("d/b"), text("two!\0\0"));
    await user.utime("d/b", 0);
    assert.deepEqual(await user.stat("d/b"), { size: 6, mode: 0o640, mtime: 0 });
    await user.symlink("d/b", "link");
    assert.equal(await user.readlink("link"), "d/b");
    assert.deepEqual(await user.read("link"), text("two!\0\0"));
    assert.equal(await codeOf(user.rmdir("d")), "ENOTEMPTY");
    await user.unlink("d/b");
    await user.rmdir("d");
    assert.deepEqual(await user.list(""), ["link"]);
    assert.ok(files.requests.some(({ call }) => call === "flush"), "every close is told");
    assert.ok(files.requests.some(({ call }) => call === "release"));
  });

  promise("tells of opening for overwriting with the opening", async (_, files, user) => {
    await user.write("a", text("one"));
    files.requests.length = 0;
    await user.write("a", text("x"));
    const opens = files.requests.filter((each) => each.call === "open" && each.flags.write);
    assert.ok(opens.length === 1 && opens[0]?.call === "open" && opens[0].flags.truncate);
    assert.ok(!files.requests.some((each) => each.call === "setattr"));
  });

  promise("brings every error to the program by its name", async (_, files, user) => {
    // EINTR is begun anew by the runtime; ENOSYS has a meaning of its own for the kernel.
    const names = Object.keys(ERRNO).filter((each) => each !== "EINTR" && each !== "ENOSYS");
    for (const each of names) {
      files.put(each, text(""));
      assert.equal(await codeOf(user.unlink(each)), each);
    }
  });

  promise(
    "takes files larger than one request, in requests of a MiB at most",
    async (_, files, user) => {
      const bytes = new Uint8Array(3 * 1024 * 1024 + 17).map((_, at) => at * 31 + (at >> 13));
      await user.write("large", bytes);
      const writes = files.requests.filter((each) => each.call === "write");
      assert.ok(writes.length >= 4 && writes.every((each) => each.data.length <= 1024 * 1024));
      assert.ok(equalBytes(await user.read("large"), bytes));
    },
  );

  promise("carries names of any characters", async (_world, _files, user) => {
    const names = ["\ufeffmark", "mark", "new\nline", "ä€😀", " ", "...", "x".repeat(255)];
    for (const each of names) await user.write(each, text(each));
    assert.deepEqual((await user.list("")).sort(), [...names].sort());
    for (const each of names) assert.deepEqual(await user.read(each), text(each));
  });

  promise("lists a large folder whole, and each name once", async (_, files, user) => {
    const names = Array.from({ length: 1500 }, (_, at) => `file-${at}-${"n".repeat(at % 90)}`);
    for (const each of names) files.put(each, text(""));
    assert.deepEqual((await user.list("")).sort(), [...names].sort());
  });

  promise("waits for late answers, in any order", async (world, files, user) => {
    const names = ["a", "b", "c", "d"];
    for (const each of names) files.put(each, text(each));
    files.holds = ({ call }) => call === "open";
    const reads = names.map((each) => user.read(each));
    await asked(world, files, () => files.held.length === names.length);
    files.holds = () => false;
    files.release(true);
    assert.deepEqual(await world.settle(Promise.all(reads)), names.map(text));
  });

  promise("ignores answers that nobody waits for", async (_, files, user) => {
    files.put("a", text("one"));
    await user.read("a");
    const first = files.requests.find(({ call }) => call === "open");
    assert.ok(first !== undefined);
    files.answer(first);
    files.answer({ ...first, unique: 4_000_000 });
    assert.deepEqual(await user.read("a"), text("one"));
  });

  promise("takes a notice while a program waits in that folder", async (world, files, user) => {
    // Linux holds the folder's lock for the program, and wants it for the notice.
    files.put("a", text("one"));
    await user.stat("a");
    files.holds = ({ call }) => call === "mkdir";
    const made = user.mkdir("d");
    await asked(world, files, () => files.held.length === 1);
    for (let i = 0; i < 100; i++) files.notify({ notice: "entry", directory: 1, name: "a" });
    files.notify({ notice: "inode", node: 1 });
    files.notify({ notice: "delete", directory: 1, child: 2, name: "a" });
    files.release();
    await world.settle(made);
    assert.deepEqual((await user.list("")).sort(), ["a", "d"]);
  });

  promise("refuses a second mount on the same place", async (world, files, user) => {
    const second = new MemoryFiles();
    const result = await mount(world, second);
    assert.ok("failure" in result && result.failure === "occupied", JSON.stringify(result));
    assert.deepEqual([second.requests, second.ends], [[], []]);
    files.put("a", text("one"));
    assert.deepEqual(await user.read("a"), text("one"));
  });

  promise(
    "is free for another mount after the end, and says the end once",
    async (world, files) => {
      await unmount(world, files);
      files.session?.unmount();
      files.session?.reply(new Uint8Array(16));
      const again = new MemoryFiles();
      const session = await mount(world, again);
      assert.ok(!("failure" in session), JSON.stringify(session));
      again.put("b", text("two"));
      assert.deepEqual(await world.files().read("b"), text("two"));
      await unmount(world, again);
      assert.deepEqual([files.ends.length, again.ends.length], [1, 1]);
    },
  );

  promise("ends calls under way when it is unmounted", async (world, files, user) => {
    files.put("a", text("one"));
    files.holds = ({ call }) => call === "open";
    const code = codeOf(user.read("a"));
    await asked(world, files, () => files.held.length === 1);
    await unmount(world, files);
    assert.match(await world.settle(code), /^(ENOTCONN|ECONNABORTED)$/);
  });
}

function text(value: string): Uint8Array<ArrayBuffer> {
  return new TextEncoder().encode(value);
}
