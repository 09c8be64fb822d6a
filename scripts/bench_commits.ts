/** What a commit costs: clients, one or many at once, and what the leader spends on it. @module */
import { milliseconds, percentile, row } from "./bench_limits.ts";
import { LocalCluster, type LocalNode, pause } from "./local_cluster.ts";

const SAMPLES = 300;
const WARM_UP = 30;
const LOAD_SECONDS = 5;
const IDLE_SECONDS = 5;
export const VALUE = new Uint8Array(200).fill(120);
/** A write may take so long before it counts as lost. */
const PATIENCE_MS = 5000;

/** Who writes, over a connection of its own. */
export interface Writer {
  put(path: string): Promise<boolean>;
  close(): void;
}

/** A client of a node: HTTP over its Unix socket. */
export class Client implements Writer {
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
export async function timesOf(call: (at: number) => Promise<boolean>): Promise<number[]> {
  const times: number[] = [];
  for (let at = 0; at < SAMPLES + WARM_UP; at++) {
    const started = performance.now();
    if (!await call(at)) throw new Error("A call was refused");
    if (at >= WARM_UP) times.push(performance.now() - started);
  }
  return times;
}

/** Times of writes by one client. */
export async function alone(writer: Writer, prefix: string): Promise<number[]> {
  try {
    return await timesOf((at) => writer.put(`${prefix}-${at}`));
  } finally {
    writer.close();
  }
}

/** Times of writes by so many clients, and writes a second. */
export async function crowd(
  connect: () => Writer,
  { count, prefix, seconds = LOAD_SECONDS }: { count: number; prefix: string; seconds?: number },
): Promise<{ readonly times: readonly number[]; readonly rate: number }> {
  const times: number[] = [];
  const end = performance.now() + seconds * 1000;
  await Promise.all(Array.from({ length: count }, async (_, lane) => {
    const writer = connect();
    for (let at = 0; performance.now() < end; at++) {
      const started = performance.now();
      if (await writer.put(`${prefix}-${lane}-${at}`)) times.push(performance.now() - started);
    }
    writer.close();
  }));
  return { times, rate: times.length / seconds };
}

/** A cluster without cables: nothing of it is carried by the measuring process. */
export async function withCluster(
  nodes: number,
  options: { readonly mount?: boolean; readonly profile?: "fast" | "standard" },
  body: (cluster: LocalCluster, leader: LocalNode) => Promise<void>,
): Promise<void> {
  const names = ["nodeA", "nodeB", "nodeC"].slice(0, nodes);
  const shape = { names, disk: false, watchdog: "none", direct: true } as const;
  const { profile = "fast", ...more } = options;
  const cluster = new LocalCluster({ ...shape, ...more });
  try {
    await cluster.form(profile);
    await body(cluster, await leaderOf(cluster));
  } finally {
    await cluster.close();
  }
}

/** Who leads now. */
export async function leaderOf(cluster: LocalCluster): Promise<LocalNode> {
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
): Promise<void> {
  const { nodes, clients, fsync } = shape;
  await withCluster(nodes, {}, async (_cluster, leader) => {
    const of = `${nodes} ${nodes === 1 ? "node" : "nodes"}`;
    row(`leader before the load, ${of}, fast profile`, await idleOf(leader.pid));
    for (const count of clients) {
      const before = spentBy(leader.pid);
      const prefix = `commit-${count}`;
      const connect = () => new Client(leader);
      const { times, rate } = count === 1
        ? { times: await alone(connect(), prefix), rate: null }
        : await crowd(connect, { count, prefix });
      const text = rate === null
        ? milliseconds(times, { ms: fsync, name: "the fsync" })
        : `${rate.toFixed(0)}/s   ${milliseconds(times)}   ` +
          `${(rate * fsync / 1000).toFixed(1)} writes per fsync time`;
      row(`commit, ${of}, ${count} ${count === 1 ? "client" : "clients"}`, text);
      const writes = times.length + (rate === null ? WARM_UP : 0);
      row("  spent by the leader on each", costOf(before, spentBy(leader.pid), writes));
    }
    row(`leader after the load, ${of}`, await idleOf(leader.pid));
  });
}

/** What a process has spent so far. */
interface Spent {
  readonly cpuMs: number;
  /** Bytes that it had written to disks: proc_pid_io(5). */
  readonly disk: number;
}

function spentBy(pid: number): Spent {
  const fields = Deno.readTextFileSync(`/proc/${pid}/stat`).split(") ")[1]?.split(" ") ?? [];
  const disk = /^write_bytes: (\d+)$/m.exec(Deno.readTextFileSync(`/proc/${pid}/io`))?.[1];
  // utime and stime are in hundredths of a second.
  return { cpuMs: 10 * (Number(fields[11]) + Number(fields[12])), disk: Number(disk) };
}

function costOf(before: Spent, after: Spent, writes: number): string {
  const cpu = (after.cpuMs - before.cpuMs) / writes;
  const disk = (after.disk - before.disk) / writes / 1000;
  return `CPU ${cpu.toFixed(2)} ms (all threads)   disk ${disk.toFixed(1)} KB`;
}

/** Memory of a process that has nothing to do, and CPU that it takes all the same. */
export async function idleOf(pid: number): Promise<string> {
  await pause(1000);
  const before = spentBy(pid);
  await pause(IDLE_SECONDS * 1000);
  const cpu = (spentBy(pid).cpuMs - before.cpuMs) / IDLE_SECONDS / 10;
  const rss = /VmRSS:\s+(\d+) kB/.exec(Deno.readTextFileSync(`/proc/${pid}/status`))?.[1];
  return `RSS ${(Number(rss) / 1024).toFixed(0)} MiB   CPU ${cpu.toFixed(1)} % when idle`;
}

/** The middle one of some numbers. */
export function median(values: readonly number[]): number {
  return percentile(values, 0.5);
}
