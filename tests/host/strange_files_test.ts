/** Something else lies in the place of a file of ours: it is told, whatever it is, and nobody waits. */
import assert from "node:assert/strict";
import { stateFailureCode } from "../../mod/host/database_failure.ts";
import { ProblemError } from "../../mod/base/problem.ts";
import { readIdentity } from "../../mod/daemon/state.ts";
import { takeDirectoryLock } from "../../mod/host/linux/database.ts";
import { readSeal } from "../../mod/host/linux/database_seal.ts";
import { walFault } from "../../mod/host/linux/database_wal.ts";
import { smallText } from "../../mod/host/linux/files.ts";
import { endFormerLife } from "../../mod/host/linux/former_life.ts";
import { NODE_VARIABLE } from "../../mod/host/linux/process_hunt.ts";
import { nodeToken } from "../../mod/host/linux/run_directory.ts";

/** What may lie there, by name. */
const STRANGE: Readonly<Record<string, (path: string) => void>> = {
  "a FIFO": (path) => {
    assert.ok(new Deno.Command("mkfifo", { args: [path] }).outputSync().success);
  },
  "a directory": (path) => Deno.mkdirSync(path),
  "a link to itself": (path) => Deno.symlinkSync(path, path),
  "a link to a device without an end": (path) => Deno.symlinkSync("/dev/zero", path),
  "a file of a terabyte": (path) => {
    Deno.writeTextFileSync(path, "");
    Deno.truncateSync(path, 2 ** 40);
  },
};

async function within(body: (folder: string) => Promise<void> | void): Promise<void> {
  const folder = Deno.makeTempDirSync({ prefix: "pentad-strange-" });
  try {
    await body(folder);
  } finally {
    Deno.removeSync(folder, { recursive: true });
  }
}

function isDamage(error: unknown): boolean {
  return error instanceof ProblemError && error.problem.code === "node.state-damaged";
}

for (const [name, make] of Object.entries(STRANGE)) {
  Deno.test(`in the place of a small file lies ${name}`, async () => {
    await within((folder) => {
      make(`${folder}/small`);
      assert.throws(() => smallText(`${folder}/small`));
      make(`${folder}/node.json`);
      assert.throws(() => readIdentity(folder), isDamage);
      make(`${folder}/config.db-seal`);
      assert.match(String(readSeal(`${folder}/config.db`)), /the seal cannot be read: /);
    });
  });

  Deno.test(`in the place of a node's token lies ${name}: it is as good as lost`, async () => {
    await within(async (folder) => {
      make(`${folder}/node-token`);
      await endFormerLife(folder, folder);
      assert.match(nodeToken(folder), /^[0-9a-f]{32}$/);
    });
  });
}

Deno.test("smallText() reads what fits, to the byte", async () => {
  await within((folder) => {
    Deno.writeTextFileSync(`${folder}/small`, "1234");
    assert.equal(smallText(`${folder}/small`, 4), "1234");
    assert.throws(() => smallText(`${folder}/small`, 3), /more than 3 bytes/);
    Deno.writeTextFileSync(`${folder}/small`, "");
    assert.equal(smallText(`${folder}/small`), "");
    assert.throws(() => smallText(`${folder}/none`), Deno.errors.NotFound);
  });
});

Deno.test("what is no write-ahead log is not read as one, and what is no lock is named", async () => {
  for (const name of ["a FIFO", "a directory", "a link to a device without an end"]) {
    // deno-lint-ignore no-await-in-loop -- one after the other
    await within((folder) => {
      STRANGE[name]?.(`${folder}/config.db-wal`);
      assert.match(String(walFault(`${folder}/config.db`)), /cannot be read/);
    });
  }
  await within((folder) => {
    Deno.mkdirSync(`${folder}/lock`);
    assert.throws(() => takeDirectoryLock(folder), isDamage);
  });
});

Deno.test("what runs by a token that was damaged is ended, before anything runs by another", async () => {
  await within(async (folder) => {
    const former = nodeToken(folder);
    await endFormerLife(folder, folder);
    const child = new Deno.Command("sleep", {
      args: ["1000"],
      env: { [NODE_VARIABLE]: former },
    }).spawn();
    Deno.writeTextFileSync(`${folder}/node-token`, "");
    await endFormerLife(folder, folder);
    assert.equal((await child.status).signal, "SIGKILL");
    assert.notEqual(nodeToken(folder), former);
  });
});

Deno.test("a disk that is full, or must not be written, is not told as damaged state", () => {
  assert.equal(stateFailureCode("No space left on device (os error 28)"), "node.disk-full");
  assert.equal(stateFailureCode("Read-only file system (os error 30)"), "node.disk-read-only");
  assert.equal(stateFailureCode('It is no file: "x"'), "node.state-damaged");
});

Deno.test({
  name: "a full run directory is left as it was, however often a token is tried to be made",
  ignore: Deno.uid() !== 0,
  fn: async () => {
    const folder = Deno.makeTempDirSync({ prefix: "pentad-full-" });
    const run = (program: string, ...args: string[]) =>
      new Deno.Command(program, { args }).output();
    const mounted = await run("mount", "-t", "tmpfs", "-o", "size=4k", "none", folder);
    assert.ok(mounted.success);
    try {
      Deno.writeTextFileSync(`${folder}/filler`, "x".repeat(4096));
      for (let at = 0; at < 3; at++) assert.throws(() => nodeToken(folder), /No space left/);
      assert.deepEqual([...Deno.readDirSync(folder)].map(({ name }) => name), ["filler"]);
    } finally {
      await run("umount", folder);
      Deno.removeSync(folder);
    }
  },
});
