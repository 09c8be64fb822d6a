/** `deno task bench config`: commits, reads, the mount, and how long a lost leader is missed. */
import { measureFsync, measureRoundTrip, measureSqlite } from "./bench_limits.ts";
import { milliseconds, percentile, row } from "./bench_limits.ts";
import { benchMount } from "./bench_mount.ts";
import { LocalCluster, type LocalNode, pause } from "./local_cluster.ts";

const SAMPLES = 300;
const WARM_UP = 30;
const LOAD_SECONDS = 5;
const ROUNDS = 5;
const VALUE = new Uint8Array(200).fill(120);
/** A write may take so long before it counts as lost. */
const PATIENCE_MS = 5000;

/** A client with a connection of its own: HTTP over the node's Unix socket. */
class Client {
  readonly #http: Deno.HttpClient;

  constructor(node: LocalNode) {
    this.#http = Deno.createHttpClient({ proxy: { transport: "unix", path: node.socket } });
  }

  async put(path: string): Promise<boolean> {
    return (await this.#fetch(path, {
      method: "PUT",
      body: VALUE,
      headers: { "If-None-Match": "*" },
    })).ok;
  }

  async get(path: string): Promise<boolean> {
    return (await this.#fetch(path, {})).ok;
  }

  close(): void {
    this.#http.close();
  }

  async #fetch(path: string, init: RequestInit): Promise<Response> {
    const signal = AbortSignal.timeout(PATIENCE_MS);
    const url = `http://127.0.0.1/v1/config/${path}`;
    const response = await fetch(url, { ...init, signal, client: this.#http });
    await response.arrayBuffer();
    return response;
  }
}

/** Times a call many times, one after the other. */
async function timesOf(call: (at: number) => Promise<boolean>): Promise<number[]> {
  const times: number[] = [];
  for (let at = 0; at < SAMPLES + WARM_UP; at++) {
    const started = performance.now();
    if (!await call(at)) throw new Error("A call was refused");
    if (at >= WARM_UP) times.push(performance.now() - started);
  }
  return times;
}

/** A cluster without cables: nothing of it is carried by the measuring process. */
export async function withCluster(
  nodes: number,
  options: { readonly mount?: boolean },
  body: (cluster: LocalCluster, leader: LocalNode) => Promise<void>,
): Promise<void> {
  const names = ["nodeA", "nodeB", "nodeC"].slice(0, nodes);
  const shape = { names, disk: false, watchdog: "none", direct: true } as const;
  const cluster = new LocalCluster({ ...shape, ...options });
  try {
    await cluster.form();
    await body(cluster, await leaderOf(cluster));
  } finally {
    await cluster.close();
  }
}

async function leaderOf(cluster: LocalCluster): Promise<LocalNode> {
  const status = await cluster.node(0).until("a leader", ({ leader }) => leader !== null);
  return cluster.nodes.find(({ name }) => name === status.leader) ?? cluster.node(0);
}

/** Commits of 200 bytes through the leader's API, with so many clients at once. */
export async function commits(
  shape: {
    readonly nodes: number;
    readonly clients: readonly number[];
    readonly fsync: number;
  },
  afterwards: (cluster: LocalCluster) => Promise<void> = () => Promise.resolve(),
): Promise<void> {
  const { nodes, clients, fsync } = shape;
  await withCluster(nodes, {}, async (cluster, leader) => {
    for (const count of clients) {
      const name = `commit, ${nodes} ${nodes === 1 ? "node" : "nodes"}, ${count} clients`;
      if (count === 1) {
        const client = new Client(leader);
        const times = await timesOf((at) => client.put(`one-${at}`));
        client.close();
        row(name, milliseconds(times, { ms: fsync, name: "the fsync" }));
      } else row(name, await load(leader, count, fsync));
    }
    await afterwards(cluster);
  });
}

async function load(leader: LocalNode, count: number, fsync: number): Promise<string> {
  const times: number[] = [];
  const end = performance.now() + LOAD_SECONDS * 1000;
  await Promise.all(Array.from({ length: count }, async (_, lane) => {
    const client = new Client(leader);
    for (let at = 0; performance.now() < end; at++) {
      const started = performance.now();
      if (await client.put(`${count}-${lane}-${at}`)) times.push(performance.now() - started);
    }
    client.close();
  }));
  const rate = times.length / LOAD_SECONDS;
  const grouped = (rate * fsync / 1000).toFixed(1);
  return `${rate.toFixed(0)}/s   ${milliseconds(times)}   ${grouped} writes per fsync time`;
}

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
  console.log("etcd: not compared (this bench has no client for it yet)");
  for (const nodes of [1, 2, 3]) await commits({ nodes, clients: [1, 8, 64], fsync });
  await reads();
  await loss("SIGKILL");
  await loss("SIGSTOP");
  await benchMount();
}
