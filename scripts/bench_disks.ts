/**
 * Stream 4: one cycle of the pulse beside a raw write of the same file or device, reservations beside
 * sg_persist, and how long a judgement takes.
 *
 * @module
 */
import { timingOf } from "../mod/base/timing.ts";
import { DirectFile } from "../mod/host/linux/direct_io.ts";
import { DiskProcessPort } from "../mod/host/linux/disk_process.ts";
import type { Disk, DiskFailure } from "../mod/host/ports.ts";
import { slotOffset, WRITE_EXCLUSIVE_REGISTRANTS } from "../mod/storage/mod.ts";
import { milliseconds, percentile, row } from "./bench_limits.ts";
import { Lab } from "./lab/lab.ts";
import { labMissing } from "./lab/missing.ts";
import { LocalCluster, type LocalNode, pause } from "./local_cluster.ts";
import { pentad } from "./pentad_command.ts";

/** What `lab/pr_bench_main.ts` prints: milliseconds. */
export interface PrTimes {
  /** READ KEYS and READ RESERVATION; REGISTER. */
  readonly in: readonly number[];
  readonly out: readonly number[];
  readonly sgIn: readonly number[];
  readonly sgOut: readonly number[];
}

const SAMPLES = 200;
const ROUNDS = 5;
/** Slots that are read. */
const PAIR = 2;
const BLOCK_BYTES = 4096;
const DISK_BYTES = 16 * 1024 * 1024;
const KEY = "00000000000000a1";
const LAB_BYTES = 1024 * 1024;
const CLAIM_LOOK_MS = 5;
const CLAIM_LIMIT_MS = 60_000;
const PR_MAIN = new URL("./lab/pr_bench_main.ts", import.meta.url).pathname;

/** All rows of stream 4; `lab`: those too that need a kernel of their own. */
export async function benchDisks({ lab }: { readonly lab: boolean }): Promise<void> {
  const folder = await Deno.makeTempDir({ prefix: "pentad-bench-", dir: "/var/tmp" });
  try {
    const file = `${folder}/lun`;
    await Deno.writeFile(file, new Uint8Array(DISK_BYTES));
    await pulse(file, "a file");
    await onLoop(file);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
  await judgement();
  await reservations(lab);
}

/** A loop device over the same file, where one can be had. */
async function onLoop(file: string): Promise<void> {
  const name = "pulse on a loop device";
  const made = await new Deno.Command("losetup", { args: ["-f", "--show", file] }).output()
    .catch(() => null);
  if (made === null || !made.success) return row(name, "skipped: no loop device can be made here");
  const device = new TextDecoder().decode(made.stdout).trim();
  try {
    await pulse(device, "a loop device");
  } finally {
    await new Deno.Command("losetup", { args: ["-d", device] }).output();
  }
}

/**
 * What a node does each beat: its slot, the slots of both, who is registered. In turn with a raw
 * write, so that whatever else the machine does befalls both.
 */
async function pulse(path: string, what: string): Promise<void> {
  const raw = DirectFile.open(path);
  if ("failure" in raw) throw new Error(raw.detail);
  const port = new DiskProcessPort({ selfCommand: pentad() });
  try {
    const disk = await answer<Disk>((done) => port.open(path, done));
    const reserves = disk.kind === "file";
    if (reserves) {
      await answer<null>((done) => disk.register(KEY, done));
      await answer<null>((done) => disk.reserve(KEY, WRITE_EXCLUSIVE_REGISTRANTS, done));
    }
    const [from, to] = [slotOffset(1), slotOffset(PAIR) + BLOCK_BYTES];
    const bytes = new Uint8Array(BLOCK_BYTES).fill(7);
    const raws: number[] = [];
    const cycles: number[] = [];
    for (let at = 0; at < SAMPLES; at++) {
      const begun = performance.now();
      const failure = raw.write(to, bytes);
      if (failure !== null) throw new Error(failure.detail);
      const started = performance.now();
      await answer<null>((done) => disk.write(from, bytes, done));
      await answer<Uint8Array>((done) => disk.read(from, to - from, done));
      if (reserves) await answer((done) => disk.readReservations(done));
      cycles.push(performance.now() - started);
      raws.push(started - begun);
    }
    row(`limit: durable O_DIRECT 4 KiB, ${what}`, milliseconds(raws));
    const limit = { ms: percentile(raws, 0.5), name: "a raw write" };
    const cycle = reserves ? "pulse: write, read, reservations" : "pulse: write, read";
    row(`${cycle}, ${what}`, milliseconds(cycles, limit));
  } finally {
    raw.close();
    await port.close();
  }
}

/**
 * From the cut of all links, and of one node's way to the disk, to the other's vote. With the links
 * alone nothing is to be judged: the pulses go on.
 */
async function judgement(): Promise<void> {
  const names = ["nodeA", "nodeB"];
  const cluster = new LocalCluster({ names, disk: true, watchdog: "process" });
  const [survivor, loser] = [cluster.node(0), cluster.node(1)];
  try {
    await cluster.form();
    const times: number[] = [];
    for (let round = 0; round < ROUNDS; round++) {
      await ready(cluster);
      const started = performance.now();
      cluster.cut();
      loser.pullDisk();
      await claimOf(survivor);
      times.push(performance.now() - started);
      cluster.mend();
      loser.plugDisk(cluster.lun ?? "");
    }
    const { deadMs } = timingOf("fast");
    const silence = { ms: deadMs, name: "deadMs" };
    row("judgement: from the cut to the vote, fast profile", milliseconds(times, silence));
  } finally {
    await cluster.close();
  }
}

async function ready(cluster: LocalCluster): Promise<void> {
  for (const node of cluster.nodes) {
    await node.until(
      "both are there, with their disk",
      ({ nodes, streams, config }) =>
        config.writable && nodes.every(({ state }) => state === "online") &&
        streams.every(({ name, state, now }) =>
          name !== "storage" || (state === "ok" && now.startsWith("1/1") && !now.includes("held"))
        ),
      60_000,
    );
  }
}

/** Resolves when the node has the vote. Its conversation does not tell each claim; its status does. */
async function claimOf(node: LocalNode): Promise<void> {
  const end = performance.now() + CLAIM_LIMIT_MS;
  for (;;) {
    const status = await node.status();
    if (status?.streams.some(({ now }) => now.includes("witness vote held"))) return;
    if (performance.now() > end) throw new Error(`${node.name} has no vote:\n${node.log()}`);
    await pause(CLAIM_LOOK_MS);
  }
}

/** Reservations need a SCSI target, and that a kernel in which a target may be made. */
async function reservations(wanted: boolean): Promise<void> {
  const name = "reservations beside sg_persist";
  const missing = wanted
    ? labMissing()
    : "only with `deno task bench disks lab`, in its own kernels";
  if (missing !== null) return row(name, `skipped: ${missing}`);
  const lab = await Lab.make({ hosts: 2, memory: "512M" });
  try {
    const program = (await lab.program(PR_MAIN)).join(" ");
    await lab.host(2).must(`/lab/target.sh lio ${LAB_BYTES}`);
    const device = (await lab.host(1).must("/lab/login.sh lio h2")).trim().split("\n").at(-1) ?? "";
    const times = JSON.parse(await lab.host(1).must(`${program} ${device}`)) as PrTimes;
    const theirs = (list: readonly number[]) => ({
      ...{ ms: percentile(list, 0.5), name: "sg_persist's" },
    });
    row("limit: sg_persist reads keys, then reservation", milliseconds(times.sgIn));
    row("reading keys and reservation (2 PR IN)", milliseconds(times.in, theirs(times.sgIn)));
    row("limit: sg_persist registers", milliseconds(times.sgOut));
    row("registering (1 PR OUT)", milliseconds(times.out, theirs(times.sgOut)));
  } finally {
    await lab.close();
  }
}

function answer<T>(start: (done: (result: T | DiskFailure) => void) => void): Promise<T> {
  return new Promise((resolve, reject) =>
    start((result) => {
      if (typeof result === "object" && result !== null && "failure" in result) {
        reject(new Error(`${result.failure}: ${result.detail}`));
      } else resolve(result as T);
    })
  );
}
