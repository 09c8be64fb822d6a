/** The mount, by the same program on the mount and on a directory of a local disk. @module */
import { milliseconds, row } from "./bench_limits.ts";
import { withCluster } from "./bench_commits.ts";

/** One JSON object of lists of milliseconds. Its own process: a mount must not be used by the daemon. */
const PROGRAM = `
import json, os, sys, time
folder, other, count = sys.argv[1], sys.argv[2], int(sys.argv[3])
out = {"write": [], "read": [], "list": [], "seen": []}
def timed(name, call):
    start = time.perf_counter()
    call()
    out[name].append((time.perf_counter() - start) * 1000)
def write(path, data):
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    os.write(fd, data)
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
if other != "-":
    for at in range(count // 2):
        name = "/seen%d" % at
        write(folder + name, b"s")
        def wait():
            while not os.path.exists(other + name): pass
        timed("seen", wait)
print(json.dumps(out))
`;

/** Several processes at once, each writing small files; prints how many a second. */
const LOAD = `
import os, sys, time, multiprocessing
folder, writers, seconds = sys.argv[1], int(sys.argv[2]), 4.0
def work(lane):
    end, done = time.time() + seconds, 0
    while time.time() < end:
        fd = os.open(folder + "/l%d-%d" % (lane, done % 20), os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        os.write(fd, b"x" * 200)
        os.close(fd)
        done += 1
    return done
with multiprocessing.Pool(writers) as pool:
    print(sum(pool.map(work, range(writers))) / seconds)
`;

interface Times {
  readonly write: number[];
  readonly read: number[];
  readonly list: number[];
  readonly seen: number[];
}

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
  const folder = Deno.makeTempDirSync();
  const local = JSON.parse(await python(PROGRAM, folder, "-", "300")) as Times;
  Deno.removeSync(folder, { recursive: true });
  tell("local directory", local);
  for (const nodes of [2, 3]) {
    await withCluster(nodes, { mount: true }, async (cluster, leader) => {
      for (const node of cluster.nodes) {
        await node.until("it is mounted", ({ mount }) => mount.state === "mounted");
      }
      const other = cluster.nodes.find((node) => node !== leader) ?? leader;
      tell(`${nodes} nodes`, JSON.parse(await python(PROGRAM, leader.mount, other.mount, "300")));
      for (const writers of [8, 32]) {
        const rate = Number(await python(LOAD, leader.mount, String(writers)));
        row(`mount, ${nodes} nodes: ${writers} writers`, `${rate.toFixed(0)} files/s`);
      }
    });
  }
}

function tell(where: string, { write, read, list, seen }: Times): void {
  row(`mount, ${where}: write + close, 200 bytes`, milliseconds(write));
  row(`mount, ${where}: open + read + close, 1000 bytes`, milliseconds(read));
  row(`mount, ${where}: list and stat 1000 entries`, milliseconds(list));
  if (seen.length > 0) row(`mount, ${where}: seen on another node`, milliseconds(seen));
}
