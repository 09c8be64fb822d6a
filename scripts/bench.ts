/**
 * `deno task bench`: speed, side by side with the limits that the same machine showed in the same
 * run: a durable write of a preallocated block, and a round trip on loopback. Quote the ratios.
 *
 * @module
 */
import { benchBeats } from "./bench_beats.ts";
import { LocalCluster, type LocalNode, pause, pentad } from "./local_cluster.ts";

const SAMPLES = 300;
const LOAD_SECONDS = 5;
const CLIENTS = 64;

/** The p-th percentile (0 to 1) of some numbers. */
function percentile(values: readonly number[], p: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(p * sorted.length))] ?? NaN;
}

function row(name: string, text: string): void {
  console.log(`${name.padEnd(46)} ${text}`);
}

function milliseconds(values: readonly number[], limit?: number): string {
  const [p50, p99] = [percentile(values, 0.5), percentile(values, 0.99)];
  const ratio = limit === undefined ? "" : `   ${(p50 / limit).toFixed(1)} × the fsync`;
  return `p50 ${p50.toFixed(2)} ms   p99 ${p99.toFixed(2)} ms${ratio}`;
}

/** fsync of a preallocated 4 KiB block. */
function measureFsync(): number[] {
  const path = Deno.makeTempFileSync();
  const file = Deno.openSync(path, { read: true, write: true });
  const block = new Uint8Array(4096);
  try {
    for (let i = 0; i < 64; i++) file.writeSync(block);
    file.syncSync();
    return Array.from({ length: SAMPLES }, (_, i) => {
      file.seekSync((i % 64) * 4096, Deno.SeekMode.Start);
      const started = performance.now();
      file.writeSync(block);
      file.syncDataSync();
      return performance.now() - started;
    });
  } finally {
    file.close();
    Deno.removeSync(path);
  }
}

/** Round trip of 256 bytes over TCP on loopback, within this process. */
async function measureRoundTrip(): Promise<number[]> {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const address = listener.addr as Deno.NetAddr;
  const echo = (async () => {
    const far = await listener.accept();
    await far.readable.pipeTo(far.writable);
  })();
  const near = await Deno.connect({ hostname: "127.0.0.1", port: address.port });
  near.setNoDelay(true);
  const buffer = new Uint8Array(256);
  const times: number[] = [];
  for (let i = 0; i < SAMPLES; i++) {
    const started = performance.now();
    await near.write(buffer);
    for (let got = 0; got < 256;) got += await near.read(buffer.subarray(got)) ?? 256;
    times.push(performance.now() - started);
  }
  near.close();
  await echo.catch(() => {});
  listener.close();
  return times;
}

/** A client with a connection of its own: HTTP over the node's Unix socket. */
class Client {
  readonly #http: Deno.HttpClient;
  constructor(node: LocalNode) {
    this.#http = Deno.createHttpClient({ proxy: { transport: "unix", path: node.socket } });
  }

  async put(path: string, body: Uint8Array<ArrayBuffer>): Promise<boolean> {
    const response = await fetch(`http://127.0.0.1/v1/config/${path}`, {
      method: "PUT",
      body,
      headers: { "If-None-Match": "*" },
      client: this.#http,
    });
    await response.arrayBuffer();
    return response.ok;
  }

  close(): void {
    this.#http.close();
  }
}

function leaderOf(cluster: LocalCluster, name: string | null): LocalNode {
  return cluster.nodes.find((node) => node.name === name) ?? cluster.node(0);
}

async function commits(nodes: number, fsync: number): Promise<void> {
  const names = ["nodeA", "nodeB", "nodeC"].slice(0, nodes);
  const cluster = new LocalCluster({ names, disk: false, watchdog: "none" });
  try {
    await cluster.form();
    const status = await cluster.node(0).until("a leader", (s) => s.leader !== null);
    const leader = leaderOf(cluster, status.leader);
    const value = new Uint8Array(200).fill(120);
    const single = new Client(leader);
    const times: number[] = [];
    for (let i = 0; i < SAMPLES; i++) {
      const started = performance.now();
      if (!await single.put(`bench-one-${i}`, value)) throw new Error("A write was refused");
      if (i >= 20) times.push(performance.now() - started);
    }
    single.close();
    row(`commit, ${nodes} nodes, 1 client, 200 bytes`, milliseconds(times, fsync));
    const clients = Array.from({ length: CLIENTS }, () => new Client(leader));
    const loaded: number[] = [];
    const end = performance.now() + LOAD_SECONDS * 1000;
    await Promise.all(clients.map(async (client, lane) => {
      for (let i = 0; performance.now() < end; i++) {
        const started = performance.now();
        if (await client.put(`bench-${lane}-${i}`, value)) loaded.push(performance.now() - started);
      }
    }));
    for (const client of clients) client.close();
    const rate = loaded.length / LOAD_SECONDS;
    const grouped = (rate * fsync / 1000).toFixed(1);
    row(
      `commit, ${nodes} nodes, ${CLIENTS} clients`,
      `${rate.toFixed(0)}/s   ${milliseconds(loaded)}   ${grouped} writes per fsync time`,
    );
    if (nodes === 2) await idle(cluster);
  } finally {
    await cluster.close();
  }
}

function cpuTicks(pid: number): number {
  const fields = Deno.readTextFileSync(`/proc/${pid}/stat`).split(") ")[1]?.split(" ") ?? [];
  return Number(fields[11]) + Number(fields[12]);
}

function rssMiB(pid: number): number {
  const line = /VmRSS:\s+(\d+) kB/.exec(Deno.readTextFileSync(`/proc/${pid}/status`));
  return Number(line?.[1] ?? 0) / 1024;
}

async function idle(cluster: LocalCluster): Promise<void> {
  const node = cluster.node(1);
  const seconds = 10;
  const before = cpuTicks(node.pid);
  await pause(seconds * 1000);
  const cpu = (cpuTicks(node.pid) - before) / seconds; // ticks are hundredths of a second
  row(
    "daemon after the load, fast profile, idle",
    `RSS ${rssMiB(node.pid).toFixed(0)} MiB   CPU ${cpu.toFixed(1)} %`,
  );
}

async function cliStart(): Promise<void> {
  const times: number[] = [];
  const bare: number[] = [];
  for (let i = 0; i < 10; i++) {
    bare.push(await timeOf(["eval", "0"]));
    times.push(await timeOf([...pentad(), "version"]));
  }
  row("runtime start (deno eval 0)", milliseconds(bare));
  row(
    "command line start (pentad version)",
    `${milliseconds(times)}   ${
      (percentile(times, 0.5) / percentile(bare, 0.5)).toFixed(1)
    } × the runtime's`,
  );
}

async function timeOf(args: readonly string[]): Promise<number> {
  const started = performance.now();
  await new Deno.Command(Deno.execPath(), { args: [...args], stdout: "null", stderr: "null" })
    .output();
  return performance.now() - started;
}

const fsyncs = measureFsync();
const fsync = percentile(fsyncs, 0.5);
row("limit: fsync of a preallocated 4 KiB block", milliseconds(fsyncs));
row("limit: loopback TCP round trip, 256 bytes", milliseconds(await measureRoundTrip()));
await cliStart();
row("beats handled by one core", `${benchBeats().toFixed(0)}/s`);
await commits(2, fsync);
await commits(3, fsync);
