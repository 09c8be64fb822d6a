/** Daemons of which one holds something else, or was copied: what an administrator sees. */
import assert from "node:assert/strict";
import { DatabaseSync } from "node:sqlite";
import { contentOf } from "../../mod/base/content_sum.ts";
import { putMeta } from "../../mod/host/linux/database_form.ts";
import { readLocks, readMeta, readTree, rowCrc } from "../../mod/host/linux/database_rows.ts";
import { type LocalNode, pause } from "../../scripts/local_cluster.ts";
import { put, withCluster } from "./formed.ts";

/** A file becomes another one, with every checksum right: as a bug would leave it. */
function drift(node: LocalNode, name: string): void {
  const database = new DatabaseSync(`${node.folder}/state/config.db`);
  const row = readTree(database).find((each) => each.name === name);
  const meta = readMeta(database);
  assert.ok(row && meta);
  const changed = { ...row, data: new TextEncoder().encode("not what was written") };
  database.prepare("UPDATE tree SET data = ?, crc = ? WHERE ino = ?")
    .run(changed.data, rowCrc(changed), row.ino);
  putMeta(database)({ ...meta, content: contentOf(readTree(database), readLocks(database)) });
  database.close();
}

/** Waits until two nodes hold the same, while the cluster goes on writing. */
async function alike(one: LocalNode, other: LocalNode): Promise<void> {
  for (let look = 0; look < 300; look++, await pause(100)) {
    const [first, second] = [await one.status(), await other.status()];
    const same = first?.config.index === second?.config.index;
    if (first && second && same && first.config.content === second.config.content) return;
  }
  throw new Error(`${other.name} does not become what ${one.name} is:\n${other.log()}`);
}

Deno.test("of three daemons one that holds something else is named, and is given what the others have", async () => {
  await withCluster(["nodeA", "nodeB", "nodeC"], async (cluster) => {
    const [founder, , odd] = [cluster.node(0), cluster.node(1), cluster.node(2)];
    assert.equal((await put(founder, "notes", "one")).status, 201);
    const { config: { index } } = await founder.until(
      "it is applied",
      ({ config }) => config.writable,
    );
    await odd.until("it holds that", ({ config }) => config.index >= index);
    // Answered behind everything that is applied: it is on the disk.
    assert.match(await odd.run("config", "history"), /create notes/);
    await odd.crash();
    drift(odd, "notes");
    await odd.start();
    const read = async () => await (await odd.api("GET", "/v1/config/notes")).text();
    await alike(founder, odd);
    assert.equal(await read(), "one");
    const events = await Promise.all(
      [0, 1, 2].map(async (at) => await cluster.node(at).run("events")),
    );
    assert.match(events.join("\n"), /nodeC diverged/);
    assert.match(events[2] ?? "", /this replica is wrong/);
    const verified = JSON.parse(await odd.run("config", "verify", "--json"));
    assert.deepEqual([verified.schema, verified.count], ["pentad.verified/1", 0]);
    assert.ok(verified.rows.history >= 0 && verified.rows.tree > 0);
    await odd.until("status says so", ({ config }) => config.verified?.damaged.length === 0);
  });
});

Deno.test("a state directory of another machine does not start, until a person accepts this one", async () => {
  await withCluster(["nodeA"], async (cluster) => {
    const node = cluster.node(0);
    assert.equal((await put(node, "notes", "one")).status, 201);
    const path = `${node.folder}/state/node.json`;
    const identity = JSON.parse(Deno.readTextFileSync(path));
    await node.crash();
    // As it would be on the machine that this one is a copy of.
    const machine = { id: "0a".repeat(16), product: null };
    Deno.writeTextFileSync(path, JSON.stringify({ ...identity, machine }));
    const { code, stderr } = await node.daemonOnce();
    assert.equal(code, 7);
    assert.match(stderr, /Cannot start: this state directory was made on another machine/);
    assert.match(stderr, /machine-id is another one/);
    assert.match(stderr, /pentad daemon --accept-machine/);
    assert.match(stderr, /node\.other-machine/);
    assert.deepEqual(
      JSON.parse(Deno.readTextFileSync(path)).machine,
      machine,
      "nothing is changed",
    );
    await node.start("--accept-machine");
    await node.until("it works", ({ config }) => config.writable);
    assert.equal(await (await node.api("GET", "/v1/config/notes")).text(), "one");
    await node.crash();
    await node.start();
    await node.until("it is this machine's now", ({ config }) => config.writable);
  });
});
