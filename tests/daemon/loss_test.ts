/** Daemons whose database is lost, or whose disk is full: what an administrator sees. */
import assert from "node:assert/strict";
import { LocalCluster, type LocalNode } from "../../scripts/local_cluster.ts";
import { put, withCluster } from "./formed.ts";

/** The middle of each file is overwritten, as a disk would do it: nobody is told. */
function damage(node: LocalNode): void {
  for (const suffix of ["", "-wal"]) {
    const path = `${node.folder}/state/config.db${suffix}`;
    const bytes = Deno.readFileSync(path);
    bytes.fill(0xa5, 4096, bytes.length / 2);
    Deno.writeFileSync(path, bytes);
  }
}

Deno.test("a damaged database of a pair is put aside, and given back by the other node", async () => {
  await withCluster(["nodeA", "nodeB"], async (cluster) => {
    const [founder, other] = [cluster.node(0), cluster.node(1)];
    assert.equal((await put(founder, "a", "one")).status, 201);
    await other.until("it holds that", ({ config }) => config.writable);
    // The founder's identity names no peer: it knows them by the seal.
    await founder.crash();
    damage(founder);
    await founder.start();
    await founder.until(
      "it is whole again",
      ({ config, streams }) =>
        config.writable && streams.every((stream) => !stream.now.includes("recovering")),
    );
    assert.equal(await (await founder.api("GET", "/v1/config/a")).text(), "one");
    const kept = [...Deno.readDirSync(`${founder.folder}/state`)].map(({ name }) => name);
    assert.ok(kept.includes("config.db.lost-1"), kept.join(" "));
    assert.equal((await put(other, "b", "two")).status, 201);
  });
});

Deno.test("a damaged database that nobody else holds is no reason to begin with an empty one", async () => {
  await withCluster(["solo"], async (cluster) => {
    const solo = cluster.node(0);
    assert.equal((await put(solo, "a", "one")).status, 201);
    for (const how of ["damaged", "gone"]) {
      await solo.powerCut();
      if (how === "damaged") damage(solo);
      else Deno.removeSync(`${solo.folder}/state/config.db`);
      const { code, stderr } = await solo.daemonOnce();
      assert.equal(code, 1);
      assert.match(stderr, /Cannot use the database, and no peer holds another/);
      assert.match(stderr, /pentad config restore BACKUP/);
      assert.match(stderr, /node\.database-lost/);
    }
  });
});

const ROOT = Deno.uid() === 0;
if (!ROOT) console.log("skipped: daemons on a full disk: not root");

/** A node whose state directory is a disk of 8 MiB. */
function onSmallDisk(
  body: (cluster: LocalCluster, solo: LocalNode, state: string) => Promise<void>,
): () => Promise<void> {
  return async () => {
    const cluster = new LocalCluster({ names: ["solo"], disk: false, watchdog: "none" });
    const solo = cluster.node(0);
    const state = `${solo.folder}/state`;
    Deno.mkdirSync(state);
    await new Deno.Command("mount", {
      args: ["-t", "tmpfs", "-o", "size=8m,mode=0700", "none", state],
    })
      .output();
    try {
      await body(cluster, solo, state);
    } finally {
      await solo.powerCut();
      await new Deno.Command("umount", { args: [state] }).output();
      await cluster.close();
    }
  };
}

Deno.test({
  name: "on a full disk a node is out, says so, refuses writes and can be read",
  ignore: !ROOT,
  fn: onSmallDisk(async (cluster, solo, state) => {
    await cluster.form();
    assert.equal((await put(solo, "a", "one")).status, 201);
    fill(`${state}/filler`);
    const text = "x".repeat(512 * 1024);
    // What was set aside for SQLite's log is there still; then it is full.
    for (let at = 0; at < 32 && (await put(solo, `b${at}`, text)).ok; at++);
    const out = await solo.until(
      "it is out",
      ({ streams }) =>
        streams.some(({ name, now }) => name === "config" && now.includes("disk is full")),
    );
    assert.deepEqual([out.quorate, out.guard.state, out.config.writable], [
      ...[false, "lapsed", false],
    ]);
    const refused = await put(solo, "c", text);
    assert.equal(refused.status, 507);
    assert.match(await refused.text(), /node\.disk-full/);
    assert.equal(await (await solo.api("GET", "/v1/config/a")).text(), "one");
    // There is room again: the next daemon reads all of it and goes on.
    await solo.powerCut();
    Deno.removeSync(`${state}/filler`);
    await solo.start();
    await solo.until("it works", ({ config }) => config.writable);
    assert.equal(await (await solo.api("GET", "/v1/config/a")).text(), "one");
  }),
});

Deno.test({
  name: "a host whose disk is full becomes no member, says why, and becomes one when there is room",
  ignore: !ROOT,
  fn: onSmallDisk(async (_cluster, solo, state) => {
    await solo.start();
    fill(`${state}/filler`);
    const { code, stderr } = await solo.cli("init", "local", "--profile", "fast");
    assert.equal(code, 1, stderr);
    assert.match(stderr, /node\.disk-full/);
    const backup = `${solo.folder}/backup.db`;
    Deno.writeFileSync(backup, new Uint8Array(64 * 1024));
    const restored = await solo.cli("config", "restore", backup, "--yes");
    assert.match(restored.stderr, /node\.disk-full/, "nothing is known of the backup");
    Deno.removeSync(`${state}/filler`);
    await solo.run("init", "local", "--profile", "fast");
    await solo.until("it works", ({ config }) => config.writable);
  }),
});

function fill(path: string): void {
  const file = Deno.openSync(path, { create: true, write: true });
  const block = new Uint8Array(4096);
  try {
    for (;;) file.writeSync(block);
  } catch {
    // It is full.
  } finally {
    file.close();
  }
}
