/** `deno task bench config`: commits, reads, the mount, and how long a lost leader is missed. */
import { measureFsync, measureRoundTrip, measureSqlite } from "./bench_limits.ts";
import { milliseconds, percentile, row } from "./bench_limits.ts";
import { Client, commits, idleOf, leaderOf, timesOf, withCluster } from "./bench_commits.ts";
import { benchEtcd } from "./bench_etcd.ts";
import { benchMount } from "./bench_mount.ts";
import { benchStall } from "./bench_stall.ts";
import { type LocalNode, pause } from "./local_cluster.ts";

const ROUNDS = 5;

async function reads(): Promise<void> {
  await withCluster(3, {}, async (_cluster, leader) => {
    const client = new Client(leader);
    await client.put("x");
    row("read, local, 3 nodes", milliseconds(await timesOf(() => client.get("x"))));
    const quorum = await timesOf(() => client.get("x?read=quorum"));
    row("read, quorum (ReadIndex), 3 nodes", milliseconds(quorum));
    client.close();
  });
}

/** What a cluster costs in which nothing happens. */
async function idle(profile: "fast" | "standard"): Promise<void> {
  await withCluster(2, { profile }, async (_cluster, leader) => {
    row(`leader, idle, 2 nodes, profile ${profile}`, await idleOf(leader.pid));
  });
}

/** From the loss of a leader to the next acknowledged write through another node. */
async function loss(how: "SIGKILL" | "SIGSTOP"): Promise<void> {
  const gaps: number[] = [];
  await withCluster(3, {}, async (cluster) => {
    for (let round = 0; round < ROUNDS; round++) {
      const leader = await leaderOf(cluster);
      const other = cluster.nodes.find((node) => node !== leader) as LocalNode;
      const client = new Client(other);
      await client.put(`before-${how}-${round}`);
      const lost = performance.now();
      if (how === "SIGKILL") await leader.crash();
      else Deno.kill(leader.pid, how);
      for (let at = 0; !await client.put(`after-${how}-${round}-${at}`).catch(() => false); at++) {
        await pause(2);
      }
      gaps.push(performance.now() - lost);
      client.close();
      if (how === "SIGKILL") await leader.start();
      else Deno.kill(leader.pid, "SIGCONT");
      await leader.until("it follows", ({ config, quorate }) => quorate && config.writable);
    }
  });
  row(`leader ${how} to the next write, 3 nodes`, milliseconds(gaps));
}

/** All of it. */
export async function benchConfig(): Promise<void> {
  const fsyncs = measureFsync();
  const fsync = percentile(fsyncs, 0.5);
  row("limit: fsync of a preallocated 4 KiB block", milliseconds(fsyncs));
  row("limit: loopback TCP round trip, 256 bytes", milliseconds(await measureRoundTrip()));
  row("limit: node:sqlite commit, 200 bytes", milliseconds(measureSqlite()));
  for (const nodes of [1, 2, 3]) await commits({ nodes, clients: [1, 8, 64], fsync });
  await benchEtcd();
  for (const profile of ["standard", "fast"] as const) await idle(profile);
  await reads();
  await loss("SIGKILL");
  await loss("SIGSTOP");
  await benchStall();
  await benchMount();
}
