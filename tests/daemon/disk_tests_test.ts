/** What a node saw of its shared disk is shown by the daemon that comes after it, too. */
import assert from "node:assert/strict";
import type { KeptTest } from "../../mod/base/disk_test.ts";
import { TESTS_FOLDER } from "../../mod/host/linux/disk_tests.ts";
import { LocalCluster, type LocalNode, pause } from "../../scripts/local_cluster.ts";

interface Shown {
  readonly by: string;
  readonly at: string;
  readonly verdict: string;
  readonly failed: readonly string[];
  readonly former?: boolean;
  readonly path?: string;
}

interface View {
  readonly disks: readonly { readonly path: string; readonly test: Shown | null }[];
  readonly tests: { readonly checks: readonly Shown[]; readonly faults: readonly string[] };
}

Deno.test("tests of a shared disk are shown, with their time, after a restart of the daemon", async () => {
  const cluster = new LocalCluster({ names: ["nodeA"], disk: true, watchdog: "none" });
  const node = cluster.node(0);
  const show = async () => JSON.parse(await node.run("storage", "show", "--json")).view as View;
  try {
    await node.start();
    const lun = node.disk;
    // Before anybody uses it: two ways, so that everything can be seen.
    await node.run("storage", "check", lun, "--second", lun, "--settings", node.settings);
    await node.run("init", "local", "--profile", "fast", "--disk", lun);
    let view = await show();
    while (!view.disks[0]?.test) {
      await pause(50);
      view = await show();
    }
    const { test } = view.disks[0];
    assert.equal(test.verdict, "unproven", "it came first, and never was a stranger there");
    assert.equal(test.former, false);
    const [check] = view.tests.checks;
    assert.deepEqual([check?.by, check?.verdict, check?.path], ["check", "fences", lun]);
    assert.deepEqual(view.tests.faults, []);
    const { streams } = await node.until(
      "the storage is there",
      ({ streams }) => streams.some(({ now }) => now.includes("1/1 disks ready")),
    );
    const line = streams.find(({ name }) => name === "storage")?.now ?? "";
    assert.match(line, /tested \S.* ago: unproven=1/);

    await node.crash();
    const before = spoil(node);
    await node.start();
    let again = (await show()).disks[0]?.test;
    while (!again) {
      await pause(5);
      again = (await show()).disks[0]?.test;
    }
    // It is tested anew within seconds; until then the time is that of the test, not of the start.
    if (again.former) assert.ok(Math.abs(Date.parse(again.at) - before) < 60_000);
    assert.equal(again.verdict, "cannot-fence");
    assert.match(again.failed[0] ?? "", /^not so: it refuses the writes of who is not registered/);
    await node.until(
      "it is said on the first page",
      ({ streams }) => streams.some(({ now }) => now.includes("cannot fence")),
    );
    assert.equal((await show()).tests.checks[0]?.at, check?.at);
  } finally {
    await cluster.close();
  }
});

/** The daemon is gone: lets it have seen, an hour ago, that the disk takes what it must refuse. */
function spoil({ folder }: LocalNode): number {
  const tests = `${folder}/state/${TESTS_FOLDER}`;
  const name = [...Deno.readDirSync(tests)].map((entry) => entry.name)
    .find((each) => each.startsWith("daily-"));
  const kept = JSON.parse(Deno.readTextFileSync(`${tests}/${name}`)) as KeptTest;
  const at = kept.at - 3_600_000;
  const [refusal, ...rest] = kept.steps;
  const steps = [{ ...refusal, seen: "no" }, ...rest];
  Deno.writeTextFileSync(
    `${tests}/${name}`,
    JSON.stringify({ ...kept, at, verdict: "cannot-fence", steps }),
  );
  return at;
}
