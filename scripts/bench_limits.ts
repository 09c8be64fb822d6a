/** What this machine can do at all, measured in the same run as what is compared with it. @module */
import { DatabaseSync } from "node:sqlite";

const SAMPLES = 300;

/** The p-th percentile (0 to 1) of some numbers. */
export function percentile(values: readonly number[], p: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(p * sorted.length))] ?? NaN;
}

/** One line of a table. */
export function row(name: string, text: string): void {
  console.log(`${name.padEnd(46)} ${text}`);
}

/** Percentiles of some milliseconds, with the ratio of the median to a limit. */
export function milliseconds(
  values: readonly number[],
  limit?: { readonly ms: number; readonly name: string },
): string {
  const [p50, p99] = [percentile(values, 0.5), percentile(values, 0.99)];
  const times = limit === undefined ? 0 : p50 / limit.ms;
  const digits = times < 0.1 ? times.toPrecision(1) : times.toFixed(1);
  const ratio = limit === undefined ? "" : `   ${digits} × ${limit.name}`;
  return `p50 ${p50.toFixed(2)} ms   p99 ${p99.toFixed(2)} ms${ratio}`;
}

/** fsync of a preallocated 4 KiB block. */
export function measureFsync(): number[] {
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

/** One row of 200 bytes in a transaction of its own, as durable as pentad's. */
export function measureSqlite(): number[] {
  const folder = Deno.makeTempDirSync();
  const database = new DatabaseSync(`${folder}/db`);
  try {
    database.exec("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;");
    database.exec("CREATE TABLE t (k INTEGER PRIMARY KEY, v BLOB NOT NULL)");
    const insert = database.prepare("INSERT INTO t VALUES (?, ?)");
    const value = new Uint8Array(200);
    return Array.from({ length: SAMPLES }, (_, i) => {
      const started = performance.now();
      insert.run(i, value);
      return performance.now() - started;
    });
  } finally {
    database.close();
    Deno.removeSync(folder, { recursive: true });
  }
}

/** Round trip of 256 bytes over TCP on loopback, within this process. */
export async function measureRoundTrip(): Promise<number[]> {
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
