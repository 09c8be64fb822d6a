/** The witness of a running pair is given to another disk, and one of the two goes on by that one. */
import assert from "node:assert/strict";
import type { WitnessState } from "../../mod/api/mod.ts";
import { LocalCluster, type LocalNode, pause } from "../../scripts/local_cluster.ts";

async function witnessOf(node: LocalNode): Promise<WitnessState> {
  return await (await node.api("GET", "/v1/storage/witness")).json();
}

/** Tries until it is not refused for what is still to come. */
async function insist(node: LocalNode, ...words: string[]): Promise<string> {
  const end = performance.now() + 30_000;
  for (;;) {
    const { code, stdout, stderr } = await node.cli("storage", "witness", ...words);
    if (code === 0) return stdout.trim();
    assert.match(stderr, /storage\.witness-unfit/);
    assert.ok(performance.now() < end, stderr);
    await pause(100);
  }
}

Deno.test("a dead witness disk is replaced while the pair runs, and the survivor of a death goes on", async () => {
  const cluster = new LocalCluster({
    names: ["nodeA", "nodeB"],
    ...{ disk: true, spareDisks: 1, watchdog: "process" },
  });
  const [a, b] = [cluster.node(0), cluster.node(1)];
  try {
    await cluster.form();
    const first = await witnessOf(a);
    assert.deepEqual(first.disks.map(({ path, state }) => [path, state]), [[a.diskAt(0), "ready"]]);
    const blank = await a.cli("storage", "witness", "set", a.diskAt(1));
    assert.equal(blank.code, 7, blank.stderr);
    assert.match(blank.stderr, /no label of pentad.*\n[^]*code +storage\.witness-unfit/);

    await a.run("storage", "format", a.diskAt(1), "--commit");
    // The witness of before is gone for good: that is what this is for.
    for (const node of [a, b]) Deno.removeSync(node.diskAt(0));
    for (const node of [a, b]) node.signal("SIGKILL", "disk-worker");
    // By the node that does not lead, as well as by the one that does.
    const [before, after] = (await insist(b, "set", b.diskAt(1))).split("\t");
    assert.equal(before, first.disk);
    for (const node of [a, b]) {
      await node.until(
        "it goes by the other disk",
        ({ streams }) =>
          streams.some(({ name, now }) => name === "storage" && now.includes("goes first")),
      );
      const state = await witnessOf(node);
      assert.deepEqual([state.disk, state.votes], [after, true]);
      assert.deepEqual(state.disks.map(({ path, seen }) => [path, seen]), [
        [node.diskAt(1), ["nodeA", "nodeB"]],
      ]);
    }
    assert.match((await a.cli("storage", "witness", "set", a.diskAt(1))).stderr, /so already/);

    await a.powerCut();
    await b.until(
      "it goes on by the new witness",
      ({ quorate, config }) => quorate && config.writable,
    );
    await b.run("config", "mkdir", "alone");
    const refused = await b.cli("storage", "witness", "remove");
    assert.match(refused.stderr, /nodeA is silent[^]*code +config\.unsafe-membership/);

    await a.start();
    await a.until(
      "it is back",
      ({ quorate, config, nodes }) =>
        quorate && config.writable && nodes.every(({ state }) => state === "online"),
    );
    const dry = await a.cli("storage", "witness", "remove", "--dry-run");
    assert.equal(dry.code, 10, dry.stderr);
    assert.equal(await a.run("storage", "witness", "remove"), `${after}\tnone`);
    assert.equal((await witnessOf(a)).disk, null);
  } finally {
    await cluster.close();
  }
});
