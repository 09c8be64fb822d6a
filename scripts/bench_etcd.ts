/**
 * etcd beside pentad, where it is installed: as many members, the same disk, the same client, both
 * leaders asked directly, one after the other in each round. What the machine does meanwhile
 * happens to both, so the ratio says more than the numbers.
 *
 * @module
 */
import { alone, Client, crowd, median, VALUE, withCluster, type Writer } from "./bench_commits.ts";
import { row } from "./bench_limits.ts";
import { pause } from "./local_cluster.ts";

const ROUNDS = 3;
const SECONDS = 3;
const CROWD = 64;
const START_MS = 20_000;

/** Writes through etcd's JSON gateway. */
class EtcdClient implements Writer {
  readonly #url: string;
  readonly #http = Deno.createHttpClient({});

  constructor(url: string) {
    this.#url = url;
  }

  async put(path: string): Promise<boolean> {
    const body = JSON.stringify({ key: btoa(path), value: VALUE_TEXT });
    const options = { method: "POST", body, client: this.#http };
    const response = await fetch(`${this.#url}/v3/kv/put`, options);
    await response.arrayBuffer();
    return response.ok;
  }

  close(): void {
    this.#http.close();
  }
}

const VALUE_TEXT = btoa(String.fromCharCode(...VALUE));

interface EtcdMember {
  readonly name: string;
  readonly client: string;
  readonly peer: string;
}

/** Members on loopback, with their data in a folder of their own. */
class EtcdCluster {
  readonly #folder = Deno.makeTempDirSync({ prefix: "pentad-etcd-" });
  readonly #members: readonly EtcdMember[];
  readonly #children: Deno.ChildProcess[] = [];

  constructor(nodes: number) {
    const ports = freePorts(2 * nodes);
    const url = (at: number) => `http://127.0.0.1:${ports[at]}`;
    this.#members = Array.from({ length: nodes }, (_, at) => (
      { name: `etcd${at}`, client: url(2 * at), peer: url(2 * at + 1) }
    ));
  }

  /** Starts all; the address of the leader. */
  async start(): Promise<string> {
    const all = this.#members.map(({ name, peer }) => `${name}=${peer}`).join();
    for (const { name, client, peer } of this.#members) {
      const child = new Deno.Command("etcd", {
        args: [
          ...["--name", name, "--data-dir", `${this.#folder}/${name}`, "--log-level", "error"],
          ...["--listen-client-urls", client, "--advertise-client-urls", client],
          ...["--listen-peer-urls", peer, "--initial-advertise-peer-urls", peer],
          ...["--initial-cluster", all, "--initial-cluster-state", "new"],
        ],
        ...{ stdin: "null", stdout: "null", stderr: "null" },
      }).spawn();
      this.#children.push(child);
    }
    const end = performance.now() + START_MS;
    while (performance.now() < end) {
      const leader = await this.#leader();
      if (leader !== null) return leader;
      await pause(100);
    }
    throw new Error(`etcd has no leader after ${START_MS} ms`);
  }

  async close(): Promise<void> {
    for (const child of this.#children) child.kill("SIGKILL");
    await Promise.all(this.#children.map(({ status }) => status));
    Deno.removeSync(this.#folder, { recursive: true });
  }

  async #leader(): Promise<string | null> {
    for (const { client } of this.#members) {
      try {
        const response = await fetch(`${client}/v3/maintenance/status`, {
          method: "POST",
          body: "{}",
        });
        const { leader, header } = await response.json();
        if (leader !== undefined && leader === header.member_id) return client;
      } catch {
        // It does not listen yet.
      }
    }
    return null;
  }
}

/** Ports that nobody listens on just now. */
function freePorts(count: number): number[] {
  const listeners = Array.from({ length: count }, () => (
    Deno.listen({ hostname: "127.0.0.1", port: 0 })
  ));
  const ports = listeners.map(({ addr }) => (addr as Deno.NetAddr).port);
  for (const listener of listeners) listener.close();
  return ports;
}

async function isInstalled(): Promise<boolean> {
  try {
    const { success } = await new Deno.Command("etcd", {
      args: ["--version"],
      ...{ stdout: "null", stderr: "null" },
    }).output();
    return success;
  } catch {
    return false;
  }
}

/** Paired rounds with clusters of 1, 2 and 3. */
export async function benchEtcd(): Promise<void> {
  if (!await isInstalled()) {
    return console.log("etcd: not compared (the program etcd is not installed)");
  }
  for (const nodes of [1, 2, 3]) await pair(nodes);
}

async function pair(nodes: number): Promise<void> {
  const etcd = new EtcdCluster(nodes);
  try {
    const url = await etcd.start();
    await withCluster(nodes, {}, async (_cluster, leader) => {
      const sides = [() => new EtcdClient(url), () => new Client(leader)];
      const times: number[][] = [[], []];
      const rates: number[][] = [[], []];
      for (let round = 0; round < ROUNDS; round++) {
        for (const [side, connect] of sides.entries()) {
          times[side]?.push(median(await alone(connect(), `pair-${round}`)));
          const ask = { count: CROWD, prefix: `crowd-${round}`, seconds: SECONDS };
          rates[side]?.push((await crowd(connect, ask)).rate);
        }
      }
      const [theirs = NaN, ours = NaN] = times.map(median);
      const [fewer = NaN, more = NaN] = rates.map(median);
      row(
        `etcd | pentad, ${nodes} of each, 1 client, p50`,
        `${theirs.toFixed(2)} ms | ${ours.toFixed(2)} ms   ${(ours / theirs).toFixed(2)} × etcd`,
      );
      row(
        `etcd | pentad, ${nodes} of each, ${CROWD} clients`,
        `${fewer.toFixed(0)}/s | ${more.toFixed(0)}/s   ${(more / fewer).toFixed(2)} × etcd`,
      );
    });
  } finally {
    await etcd.close();
  }
}
