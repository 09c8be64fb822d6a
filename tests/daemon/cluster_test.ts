/** Whole daemons as processes of their own: what an administrator would see. */
import assert from "node:assert/strict";
import { timingOf } from "../../mod/base/timing.ts";
import { LocalCluster, type LocalNode, pause } from "../../scripts/local_cluster.ts";

const timing = timingOf("fast");

async function withCluster(
  options: { names: string[]; disk: boolean },
  body: (cluster: LocalCluster) => Promise<void>,
): Promise<void> {
  const cluster = new LocalCluster({ ...options, watchdog: "process" });
  try {
    await cluster.form();
    await body(cluster);
  } finally {
    await cluster.close();
  }
}

/** Proposes one write through the API with a request id of its own; true where acknowledged. */
async function put(node: LocalNode, path: string, text: string, request: string): Promise<number> {
  try {
    const response = await node.api("PUT", `/v1/config/${path}`, {
      body: text,
      headers: { "If-None-Match": "*", "Idempotency-Key": request },
    });
    return response.status;
  } catch {
    return 0;
  }
}

Deno.test("every acknowledged transaction is there once on both nodes, though one is killed ten times", async () => {
  await withCluster({ names: ["nodeA", "nodeB"], disk: false }, async (cluster) => {
    const acknowledged = new Set<number>();
    const victims = cluster.nodes;
    let kills = 0;
    let written = 0;
    let busy = true;
    const killer = (async () => {
      while (kills < 10 && busy) {
        // Spread over the run by progress, not by time.
        const from = written;
        while (busy && written < from + 60) await pause(5);
        const node = victims[Math.floor(Math.random() * 2)] as LocalNode;
        await node.crash();
        kills++;
        await node.start();
      }
    })();
    const lane = async (first: number): Promise<void> => {
      for (let number = first; number < 1000; number += 4) {
        const request = number.toString(16).padStart(16, "0");
        for (let tries = 0; tries < 600; tries++) {
          const node = cluster.node((number + tries) % 2);
          const status = await put(node, `n${number}`, `value ${number}`, request);
          if (status === 201 || status === 200 || status === 204) {
            acknowledged.add(number);
            break;
          }
          await pause(20);
        }
        written++;
      }
    };
    await Promise.all([0, 1, 2, 3].map(lane));
    busy = false;
    await killer;
    assert.ok(kills >= 10, `only ${kills} kills fell into the run`);
    assert.equal(acknowledged.size, 1000);
    for (const node of cluster.nodes) {
      await node.until("it is whole again", (status) => status.config.writable && status.quorate);
    }
    const [a, b] = [await settled(cluster.node(0)), await settled(cluster.node(1))];
    assert.equal(a.index, b.index);
    assert.equal(a.crc32, b.crc32);
    for (const node of cluster.nodes) {
      const history = await (await node.api("GET", "/v1/history?limit=10000")).json();
      const creations = new Map<string, number>();
      for (const entry of history.entries ?? history) {
        if (entry.problem !== null) continue;
        for (const line of entry.diff as string[]) {
          const path = /\bn\d+\b/.exec(line)?.[0];
          if (path && /create/.test(line)) creations.set(path, (creations.get(path) ?? 0) + 1);
        }
      }
      for (const number of acknowledged) {
        const response = await node.api("GET", `/v1/config/n${number}`);
        assert.equal(await response.text(), `value ${number}`);
        assert.equal(creations.get(`n${number}`), 1, `n${number} was applied once`);
      }
    }
  });
});

async function settled(node: LocalNode): Promise<{ index: number; crc32: string }> {
  const barrier = await node.api("GET", "/v1/config?read=quorum");
  assert.equal(barrier.status, 200);
  const status = await node.until("status", () => true);
  return { index: status.config.index, crc32: status.config.crc32 };
}

Deno.test("a survivor without witness freezes within deadMs and a beat, and heals by itself", async () => {
  await withCluster({ names: ["nodeA", "nodeB"], disk: false }, async (cluster) => {
    const [a, b] = [cluster.node(0), cluster.node(1)];
    await a.run("config", "set", "before", "kept");
    await a.run("ha", "add", "exec:sleep", "--command", "sleep 31415");
    await a.until("it runs", (s) => s.resources.some((r) => r.state === "started"));
    await b.powerCut();
    await a.until("no quorum", (s) => !s.quorate);
    const refused = await a.cli("config", "set", "after", "x");
    assert.equal(refused.code, 4, refused.stderr);
    assert.match(refused.stderr, /config\.no-quorum/);
    const response = await a.api("PUT", "/v1/config/after2", {
      body: "x",
      headers: { "If-None-Match": "*" },
    });
    assert.equal(response.status, 503);
    assert.equal(response.headers.get("content-type"), "application/problem+json");
    assert.equal((await response.json()).code, "config.no-quorum");
    assert.equal(await a.run("config", "get", "before"), "kept");
    assert.equal((await a.cli("status")).code, 4);
    await b.start();
    for (const node of cluster.nodes) {
      await node.until("whole again", (s) => s.quorate && s.config.writable);
    }
    await a.run("config", "set", "after", "x");
    await b.until("it follows", () => true);
    assert.equal(await b.run("config", "get", "after", "--read", "quorum"), "x");
  });
});

Deno.test("a daemon stopped past its lease and continued neither writes nor keeps its resource", async () => {
  await withCluster({ names: ["nodeA", "nodeB"], disk: true }, async (cluster) => {
    await cluster.node(0).run("ha", "add", "exec:sleep", "--command", "sleep 31415");
    const status = await cluster.node(0).until(
      "it runs",
      (s) => s.resources.some((r) => r.state === "started"),
    );
    const owner = cluster.nodes.find((n) => n.name === status.resources[0]?.node) as LocalNode;
    const other = cluster.nodes.find((n) => n !== owner) as LocalNode;
    assert.equal(owner.pids("31415").length, 1);
    Deno.kill(owner.pid, "SIGSTOP");
    await other.until(
      "it took over",
      (s) => s.resources.some((r) => r.state === "started" && r.node === other.name),
    );
    assert.deepEqual(owner.pids("31415"), [], "its resource is dead before it wakes up");
    assert.equal(other.pids("31415").length, 1);
    const before = await other.until("status", () => true);
    owner.signal("SIGCONT");
    await pause(2 * timing.deadMs);
    assert.deepEqual(owner.pids("31415"), []);
    assert.equal(other.pids("31415").length, 1);
    const after = await other.until("status", () => true);
    assert.equal(after.config.crc32, before.config.crc32, "it wrote nothing");
  });
});

Deno.test("a second daemon on the same state directory refuses", async () => {
  const cluster = new LocalCluster({ names: ["nodeA"], disk: false, watchdog: "none" });
  try {
    const node = cluster.node(0);
    await node.start();
    const second = await node.cli("daemon", "--settings", node.settings);
    assert.equal(second.code, 1);
    assert.match(second.stderr, /node\.already-running/);
    assert.ok(await node.status());
  } finally {
    await cluster.close();
  }
});
