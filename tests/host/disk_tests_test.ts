/** Results of tests in the state directory: replaced whole, bounded, and not believed blindly. */
import assert from "node:assert/strict";
import type { KeptTest } from "../../mod/base/disk_test.ts";
import {
  keepDiskTest,
  keptDiskTests,
  TESTS_FOLDER,
  TESTS_MAX,
} from "../../mod/host/linux/disk_tests.ts";

function result(disk: string, at: number, by: KeptTest["by"] = "daily"): KeptTest {
  const steps = [{ what: "it has PREEMPT AND ABORT", seen: "yes" as const, detail: "" }];
  return { by, at, disk, path: "/dev/sdb", unit: "naa.6001", verdict: "fences", steps };
}

async function withState(body: (state: string, folder: string) => Promise<void>): Promise<void> {
  const state = await Deno.makeTempDir({ prefix: "pentad-tests-" });
  try {
    await body(state, `${state}/${TESTS_FOLDER}`);
  } finally {
    await Deno.remove(state, { recursive: true });
  }
}

Deno.test("keepDiskTest() keeps the newest result of each disk and way of testing", () =>
  withState(async (state, folder) => {
    assert.deepEqual(await keptDiskTests(state), { tests: [], faults: [] });
    await keepDiskTest(state, result("a", 1));
    await keepDiskTest(state, result("a", 2));
    await keepDiskTest(state, result("a", 3, "check"));
    await keepDiskTest(state, result("b", 4));
    const { tests, faults } = await keptDiskTests(state);
    assert.deepEqual(faults, []);
    assert.deepEqual(tests, [result("b", 4), result("a", 3, "check"), result("a", 2)]);
    assert.equal(((await Deno.stat(folder)).mode ?? 0) & 0o777, 0o700);
    for await (const { name } of Deno.readDir(folder)) {
      assert.equal(((await Deno.stat(`${folder}/${name}`)).mode ?? 0) & 0o777, 0o600);
    }
  }));

Deno.test("keepDiskTest() makes no state directory where there is none", () =>
  withState(async (state) => {
    await assert.rejects(keepDiskTest(`${state}/none`, result("a", 1)), Deno.errors.NotFound);
    assert.deepEqual(await keptDiskTests(`${state}/none`), { tests: [], faults: [] });
  }));

Deno.test("keepDiskTest() at once from all sides leaves one whole result", () =>
  withState(async (state, folder) => {
    await Promise.all(Array.from({ length: 20 }, (_, at) => keepDiskTest(state, result("a", at))));
    const { tests, faults } = await keptDiskTests(state);
    assert.deepEqual([tests.length, faults], [1, []]);
    assert.deepEqual([...Deno.readDirSync(folder)].length, 1, "and nothing half written");
  }));

Deno.test("keepDiskTest() lets the oldest go where there are too many, and halves of long ago", () =>
  withState(async (state, folder) => {
    for (let at = 0; at < TESTS_MAX; at++) {
      await keepDiskTest(state, result(`${at}`, at));
    }
    const long = new Date(1000);
    const oldest = "7";
    for await (const { name } of Deno.readDir(folder)) {
      const { disk } = JSON.parse(await Deno.readTextFile(`${folder}/${name}`));
      if (disk === oldest) await Deno.utime(`${folder}/${name}`, long, long);
    }
    const half = `${folder}/daily-${"0".repeat(32)}.json.x.new`;
    await Deno.writeTextFile(half, "{");
    await Deno.utime(half, long, long);
    await Deno.writeTextFile(`${folder}/of-somebody-else`, "kept");
    await keepDiskTest(state, result("new", 99));
    const { tests } = await keptDiskTests(state);
    assert.equal(tests.length, TESTS_MAX);
    assert.ok(!tests.some(({ disk }) => disk === oldest));
    const names = [...Deno.readDirSync(folder)].map(({ name }) => name);
    assert.ok(!names.some((name) => name.endsWith(".new")));
    assert.ok(names.includes("of-somebody-else"));
  }));

Deno.test("keptDiskTests() tells what it cannot believe, and gives the rest", () =>
  withState(async (state, folder) => {
    await keepDiskTest(state, result("a", 1));
    const [sound = ""] = [...Deno.readDirSync(folder)].map(({ name }) => name);
    const text = await Deno.readTextFile(`${folder}/${sound}`);
    const bad: readonly (readonly [string | Uint8Array, RegExp])[] = [
      ["", /is not JSON$/],
      [text.slice(0, 40), /is not JSON$/],
      ["[]", /holds no result of a test$/],
      [text.replace('"fences"', '"perhaps"'), /holds no result of a test$/],
      [new Uint8Array([0xff, 0xfe]), /is not text$/],
      ["[".repeat(300_000), /is longer than \d+ bytes$/],
    ];
    for (const [at, [content]] of bad.entries()) {
      const path = `${folder}/check-${`${at}`.repeat(32)}.json`;
      await Deno.writeFile(
        path,
        typeof content === "string" ? new TextEncoder().encode(content) : content,
      );
    }
    await Deno.symlink("/dev/zero", `${folder}/check-${"a".repeat(32)}.json`);
    await Deno.mkdir(`${folder}/check-${"b".repeat(32)}.json`);
    const { tests, faults } = await keptDiskTests(state);
    assert.deepEqual(tests, [result("a", 1)]);
    assert.equal(faults.length, bad.length, faults.join("\n"));
    for (const [at, [, why]] of bad.entries()) assert.match(faults[at] ?? "", why);
  }));
