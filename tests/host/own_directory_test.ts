/** Directories that must be ours: made, taken as they are, or refused. Needs root for other owners. */
import assert from "node:assert/strict";
import { ProblemError } from "../../mod/base/problem.ts";
import { ownDirectory } from "../../mod/host/linux/own_directory.ts";

const root = Deno.uid() === 0;
if (!root) console.log("skipped  directories of other users: not root");
/** Somebody who is not root. */
const STRANGER = 65_534;

function within(body: (folder: string) => void): void {
  const folder = Deno.makeTempDirSync({ prefix: "pentad-own-" });
  try {
    body(folder);
  } finally {
    Deno.removeSync(folder, { recursive: true });
  }
}

function modeOf(path: string): number {
  return (Deno.statSync(path).mode ?? 0) & 0o7777;
}

function refused(path: string, why: RegExp): void {
  assert.throws(() => ownDirectory(path, 0o700), (error: unknown) => {
    assert.ok(error instanceof ProblemError);
    assert.equal(error.problem.code, "node.open-directory");
    assert.match(error.problem.why, why);
    return true;
  });
}

Deno.test("ownDirectory() makes one, and leaves one that only others may read as it is", () => {
  within((folder) => {
    ownDirectory(`${folder}/a/b`, 0o700);
    assert.equal(modeOf(`${folder}/a/b`), 0o700);
    Deno.chmodSync(`${folder}/a/b`, 0o755);
    ownDirectory(`${folder}/a/b`, 0o700);
    assert.equal(modeOf(`${folder}/a/b`), 0o755);
    Deno.symlinkSync(`${folder}/a/b`, `${folder}/link`);
    ownDirectory(`${folder}/link`, 0o700);
  });
});

Deno.test("ownDirectory() refuses one in which others may write, sticky or not", () => {
  within((folder) => {
    for (const mode of [0o770, 0o702, 0o1777]) {
      Deno.chmodSync(folder, mode);
      refused(folder, /has mode 07\d\d: others may write in it/);
      assert.equal(modeOf(folder), mode);
    }
    Deno.chmodSync(folder, 0o700);
  });
});

Deno.test(
  "ownDirectory() refuses a stranger's, and a stranger's link to ours",
  { ignore: !root },
  () => {
    within((folder) => {
      Deno.mkdirSync(`${folder}/theirs`);
      Deno.chownSync(`${folder}/theirs`, STRANGER, STRANGER);
      refused(`${folder}/theirs`, /belongs to user 65534/);
      Deno.symlinkSync(`${folder}/theirs`, `${folder}/to-theirs`);
      refused(`${folder}/to-theirs`, /belongs to user 65534/);
      Deno.mkdirSync(`${folder}/ours`);
      Deno.symlinkSync(`${folder}/ours`, `${folder}/planted`);
      const { success } = new Deno.Command("chown", {
        args: ["-h", String(STRANGER), `${folder}/planted`],
      }).outputSync();
      assert.ok(success);
      refused(`${folder}/planted`, /belongs to user 65534/);
    });
  },
);
