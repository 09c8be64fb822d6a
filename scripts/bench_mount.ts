/** The mount, by the same program on the mount and on a directory of a local disk. @module */
import { milliseconds, row } from "./bench_limits.ts";
import { withCluster } from "./bench_commits.ts";
import type { LocalCluster, LocalNode } from "./local_cluster.ts";

/** One JSON object of lists of milliseconds. Its own process: a mount must not be used by the daemon. */
const PROGRAM = `
import json, os, subprocess, sys, time
folder, other, count, sync = sys.argv[1], sys.argv[2], int(sys.argv[3]), sys.argv[4] == "sync"
out = {"write": [], "read": [], "list": [], "ls": [], "seen": []}
def timed(name, call):
    start = time.perf_counter()
    call()
    out[name].append((time.perf_counter() - start) * 1000)
def write(path, data):
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    os.write(fd, data)
    if sync: os.fsync(fd)
    os.close(fd)
def read(path):
    fd = os.open(path, os.O_RDONLY)
    os.read(fd, 4096)
    os.close(fd)
for at in range(count):
    timed("write", lambda: write(folder + "/w%d" % (at % 20), b"x" * 200))
write(folder + "/r", b"y" * 1000)
for at in range(count * 4):
    timed("read", lambda: read(folder + "/r"))
os.mkdir(folder + "/many")
for at in range(1000):
    write(folder + "/many/%d" % at, b"z")
for at in range(10):
    timed("list", lambda: [entry.stat() for entry in os.scandir(folder + "/many")])
for at in range(10):
    timed("ls", lambda: subprocess.run(["ls", "-l", folder + "/many"], stdout=subprocess.DEVNULL, check=True))
if other != "-":
    for at in range(count // 2):
        name = "/seen%d" % at
        write(folder + name, b"s")
        def wait():
            while not os.path.exists(other + name): pass
        timed("seen", wait)
print(json.dumps(out))
`;

/** Overwrites one file of 200 bytes, again and again. */
const UPDATES = `
import os, sys
for at in range(int(sys.argv[2])):
    fd = os.open(sys.argv[1] + "/w0", os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    os.write(fd, b"%d" % at * 50)
    os.close(fd)
`;

/** Several processes at once, each writing small files; prints how many a second. */
const LOAD = `
import os, sys, time, multiprocessing
folder, writers, sync, seconds = sys.argv[1], int(sys.argv[2]), sys.argv[3] == "sync", 4.0
def write(path):
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    try:
        os.write(fd, b"x" * 200)
        if sync: os.fsync(fd)
    finally: os.close(fd)
def work(lane):
    end, done = time.time() + seconds, 0
    while time.time() < end:
        # What a busy machine refuses for a moment is not written, and counts for nothing.
        try: write(folder + "/l%d-%d" % (lane, done % 20))
        except OSError: continue
        done += 1
    return done
with multiprocessing.Pool(writers) as pool:
    print(sum(pool.map(work, range(writers))) / seconds)
`;

/** Writes until its input ends; prints the longest that one write and its close took, in milliseconds. */
const STEADY = `
import os, select, sys, time
longest, at = 0, 0
print("writing", flush=True)
while not select.select([sys.stdin], [], [], 0)[0]:
    start, done = time.perf_counter(), False
    while not done:
        # Until it is acknowledged: what is refused meanwhile is asked for again.
        try:
            fd = os.open(sys.argv[1] + "/steady%d" % (at % 20), os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
            try: os.write(fd, b"x" * 200)
            finally: os.close(fd)
            done = True
        except OSError: time.sleep(0.001)
    at, longest = at + 1, max(longest, time.perf_counter() - start)
print(longest * 1000)
`;

interface Times {
  readonly write: number[];
  readonly read: number[];
  readonly list: number[];
  readonly ls: number[];
  readonly seen: number[];
}

/** Samples of each; and of `ls`, which starts a process each time, ten. */
const SAMPLES = 300;
const ROUNDS = 5;

async function python(program: string, ...args: readonly string[]): Promise<string> {
  const { success, stdout, stderr } = await new Deno.Command("python3", {
    args: ["-c", program, ...args],
  }).output();
  if (!success) throw new Error(new TextDecoder().decode(stderr));
  return new TextDecoder().decode(stdout);
}

/** Times on a local directory, then on mounts of two and three nodes. */
export async function benchMount(): Promise<void> {
  if (Deno.uid() !== 0) return console.log("mount: not measured (not root)");
  for (const sync of ["", "sync"]) await benchLocal(sync);
  for (const nodes of [2, 3]) {
    await withCluster(nodes, { mount: true }, async (cluster, leader) => {
      for (const node of cluster.nodes) await mounted(node);
      const other = cluster.nodes.find((node) => node !== leader) ?? leader;
      const times = await python(PROGRAM, leader.mount, other.mount, `${SAMPLES}`, "");
      tell(`${nodes} nodes`, JSON.parse(times));
      for (const writers of [8, 32]) await benchWriters(`${nodes} nodes`, leader.mount, writers);
      await benchBytes(nodes, leader);
      if (nodes === 3) await benchDeaths(cluster, leader);
    });
  }
}

async function benchLocal(sync: string): Promise<void> {
  const folder = Deno.makeTempDirSync();
  try {
    const where = `local directory${sync && ", fsync"}`;
    tell(where, JSON.parse(await python(PROGRAM, folder, "-", `${SAMPLES}`, sync)));
    for (const writers of [8, 32]) await benchWriters(where, folder, writers, sync);
  } finally {
    Deno.removeSync(folder, { recursive: true });
  }
}

async function benchWriters(where: string, folder: string, writers: number, sync = "") {
  const rate = Number(await python(LOAD, folder, String(writers), sync));
  row(`mount, ${where}: ${writers} writers`, `${rate.toFixed(0)} files/s`);
}

/** What one small write costs the disk of the node that leads. */
async function benchBytes(nodes: number, leader: LocalNode): Promise<void> {
  // Of proc_pid_io(5): what was handed to write(2) and the like, and what of the page cache that made
  // dirty, by whole folios, which may be many times as much.
  const written = () => {
    const text = Deno.readTextFileSync(`/proc/${leader.pid}/io`);
    return ["wchar", "write_bytes"].map((name) =>
      Number(new RegExp(`^${name}: (\\d+)$`, "m").exec(text)?.[1])
    );
  };
  const before = written();
  await python(UPDATES, leader.mount, `${SAMPLES}`);
  const [given, dirtied] = written().map((now, at) => (
    `${((now - (before[at] ?? 0)) / SAMPLES / 1000).toFixed(1)} KB`
  ));
  row(`mount, ${nodes} nodes: written per update`, `${given}   folios made dirty ${dirtied}`);
}

/** How long a writer's single write takes at most while another node dies: a follower, the leader. */
async function benchDeaths(cluster: LocalCluster, first: LocalNode): Promise<void> {
  const longest: Record<string, number[]> = { "a follower": [], "the leader": [] };
  let leader = first;
  for (let round = 0; round < 2 * ROUNDS; round++) {
    const who = round % 2 === 0 ? "a follower" : "the leader";
    const others = cluster.nodes.filter((node) => node !== leader) as [LocalNode, LocalNode];
    const [victim, writer] = who === "the leader" ? [leader, others[0]] : [others[0], leader];
    longest[who]?.push(
      await longestWrite(writer, async () => {
        await victim.crash();
        await writer.until(
          "it is missed",
          ({ nodes }) =>
            nodes.some(({ name, state }) => name === victim.name && state !== "online"),
        );
      }),
    );
    await victim.start();
    await mounted(victim);
    const status = await victim.until(
      "all are there",
      ({ quorate, nodes, leader }) =>
        quorate && leader !== null && nodes.every(({ state }) => state === "online"),
    );
    leader = cluster.nodes.find(({ name }) => name === status.leader) ?? leader;
  }
  for (const [who, times] of Object.entries(longest)) {
    row(`mount, 3 nodes: longest write, ${who} dies`, milliseconds(times));
  }
}

async function longestWrite(node: LocalNode, during: () => Promise<void>): Promise<number> {
  const child = new Deno.Command("python3", {
    args: ["-c", STEADY, node.mount],
    stdin: "piped",
    stdout: "piped",
  }).spawn();
  const lines = child.stdout.pipeThrough(new TextDecoderStream()).getReader();
  await lines.read();
  await during();
  await child.stdin.close();
  const { value } = await lines.read();
  await child.status;
  await lines.cancel();
  return Number(value);
}

async function mounted(node: LocalNode): Promise<void> {
  await node.until("it is mounted", ({ mount }) => mount.state === "mounted");
}

function tell(where: string, { write, read, list, ls, seen }: Times): void {
  row(`mount, ${where}: write + close, 200 bytes`, milliseconds(write));
  row(`mount, ${where}: open + read + close, 1000 bytes`, milliseconds(read));
  row(`mount, ${where}: list and stat 1000 entries`, milliseconds(list));
  row(`mount, ${where}: ls -l of 1000 entries`, milliseconds(ls));
  if (seen.length === 0) return;
  row(`mount, ${where}: seen on another node`, milliseconds(seen));
  row(`mount, ${where}: seen there, at the latest`, `${Math.max(...seen).toFixed(1)} ms`);
}
