/**
 * What a node's mount shows beside the tree: the virtual files in the shapes that Proxmox VE's
 * daemons read, the room that is left, and what the kernel is told of changes.
 */
import assert from "node:assert/strict";
import { OBSERVED } from "../../mod/config/fuse/versions.ts";
import { type LocalCluster, pause } from "../../scripts/local_cluster.ts";
import { python, run, settled, shell, test } from "./mount_world.ts";

/** How long something that comes by itself may take; it fails the test, it proves no speed. */
const LIMIT_MS = 20_000;

async function text(cluster: LocalCluster, at: number, name: string): Promise<string> {
  return await Deno.readTextFile(`${cluster.node(at).mount}/${name}`);
}

async function json(
  cluster: LocalCluster,
  at: number,
  name: string,
): Promise<Record<string, unknown>> {
  return JSON.parse(await text(cluster, at, name));
}

/** What each value is, so that shapes can be compared. */
function shape(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(shape);
  if (typeof value !== "object" || value === null) return typeof value;
  return Object.fromEntries(Object.entries(value).map(([key, each]) => [key, shape(each)]));
}

async function eventually<T>(what: string, look: () => Promise<T | null>): Promise<T> {
  const end = performance.now() + LIMIT_MS;
  for (let found = await look();; found = await look()) {
    if (found !== null) return found;
    assert.ok(performance.now() < end, what);
    await pause(20);
  }
}

test("virtual files have the shapes that Proxmox VE's daemons read", [
  "nodeA",
  "nodeB",
], async (cluster) => {
  const member = { id: "number", online: "number", ip: "string" };
  assert.deepEqual(shape(await json(cluster, 0, ".members")), {
    nodename: "string",
    version: "number",
    cluster: { name: "string", version: "number", nodes: "number", quorate: "number" },
    nodelist: { nodeA: member, nodeB: member },
  });
  await run(cluster, "mkdir -p $A/nodes/nodeA/{qemu-server,lxc}");
  await run(cluster, "echo name: web > $A/nodes/nodeA/qemu-server/100.conf; echo > $A/user.cfg");
  await settled(cluster);
  for (const at of [0, 1]) {
    const guest = { node: "string", type: "string", version: "number" };
    const guests = await json(cluster, at, ".vmlist");
    assert.deepEqual(shape(guests), { version: "number", ids: { 100: guest } });
    const { starttime, clinfo, vmlist, kvstore, ...paths } = await json(cluster, at, ".version");
    assert.deepEqual(shape({ starttime, clinfo, vmlist }), {
      ...{ starttime: "number", clinfo: "number", vmlist: "number" },
    });
    assert.equal(vmlist, guests.version);
    assert.deepEqual(kvstore, { nodeA: {}, nodeB: {} });
    assert.deepEqual(Object.keys(paths), OBSERVED);
    assert.ok(Number(paths["user.cfg"]) > 0);
    assert.equal(await text(cluster, at, ".debug"), "0\n");
  }
});

test(".clusterlog has the words of every node on every node, a restarted one's too", [
  "nodeA",
  "nodeB",
], async (cluster) => {
  const logOf = async (at: number) => (await json(cluster, at, ".clusterlog")).data as Entry[];
  const both = async (at: number) => {
    const log = await logOf(at);
    return new Set(log.map(({ node }) => node)).size === 2 ? log : null;
  };
  const log = await eventually("both nodes' words are on nodeA", () => both(0));
  assert.deepEqual(shape(log[0]), {
    ...{ uid: "number", time: "number", pri: "number", tag: "string", pid: "number" },
    ...{ node: "string", user: "string", msg: "string" },
  });
  assert.ok(log.length <= 50);
  const times = log.map(({ time }) => time);
  assert.deepEqual(times, times.toSorted((a, b) => b - a), "newest first");
  const keys = log.map(({ time, node, uid }) => `${time} ${node} ${uid}`);
  assert.equal(new Set(keys).size, keys.length, "each once");

  const oldest = keyOf(log.at(-1) as Entry);
  await cluster.node(0).powerCut();
  await cluster.node(0).releaseMount();
  await cluster.node(0).start();
  await cluster.node(0).until("it is mounted", ({ mount }) => mount.state === "mounted");
  await eventually(
    "what was said before the restart is back",
    async () => (await logOf(0)).some((entry) => keyOf(entry) === oldest) ? true : null,
  );
});

interface Entry {
  readonly uid: number;
  readonly time: number;
  readonly node: string;
}

function keyOf({ time, node, uid }: Entry): string {
  return `${time} ${node} ${uid}`;
}

test(".rrd has a line for each node, as long as Proxmox VE's, and ends in NUL", [
  "nodeA",
  "nodeB",
], async (cluster) => {
  for (const at of [0, 1]) {
    const lines = await eventually("both nodes told their load", async () => {
      const found = (await text(cluster, at, ".rrd")).split("\n");
      return found.length === 3 ? found : null;
    });
    assert.equal(lines.pop(), "\0");
    for (const [place, line] of lines.entries()) {
      const [key, uptime, level, time, ...rest] = line.split(":");
      assert.equal(key, `pve-node-9.0/node${"AB"[place]}`);
      assert.deepEqual([uptime, level, rest.length], ["U", "", 19]);
      assert.ok(Math.abs(Number(time) - Date.now() / 1000) < 300);
      const [, , load] = rest;
      assert.ok(Number(load) >= 0 && Number(load) <= 1, line);
    }
  }
});

test("df tells the truth", ["nodeA"], async (cluster) => {
  const room = async () =>
    JSON.parse(
      await run(
        cluster,
        `stat -f -c '{"blocks":%b,"free":%f,"files":%c,"left":%d,"size":%S,"name":%l}' $A`,
      ),
    );
  // The manager's own files come by themselves; from then on only we make any.
  await run(cluster, "until [ -e $A/ha/manager_status ]; do sleep 0.05; done");
  const before = await room();
  assert.deepEqual([before.blocks * before.size, before.files, before.name], [
    ...[128 * 1024 * 1024, 256 * 1024, 255],
  ]);
  await run(cluster, "head -c 1000000 /dev/zero > $A/big; mkdir $A/d");
  const after = await room();
  assert.equal(before.left - after.left, 2);
  assert.ok(Math.abs((before.free - after.free) * before.size - 1_000_000) < 2 * before.size);
});

/** Watches the folder, lets a shell change it, and prints which events came. */
const WATCHER = `
import ctypes, json, os, struct, subprocess, sys
libc = ctypes.CDLL(None, use_errno=True)
folder, words = sys.argv[1], sys.argv[2]
CREATE, CLOSE_WRITE, MOVED_TO, DELETE = 0x100, 0x8, 0x80, 0x200
fd = libc.inotify_init1(0)
assert libc.inotify_add_watch(fd, folder.encode(), CREATE | CLOSE_WRITE | MOVED_TO | DELETE) >= 0
subprocess.run(["sh", "-c", words], cwd=folder, check=True)
data, seen = os.read(fd, 4096), []
while data:
    _, mask, _, length = struct.unpack("iIII", data[:16])
    seen.append([mask, data[16:16 + length].rstrip(b"\\0").decode()])
    data = data[16 + length:]
print(json.dumps(seen))
`;

test("inotify(7) tells of what programs of the same node do", ["nodeA"], async (cluster) => {
  const words = "echo x > a; mv a b; rm b";
  const seen = JSON.parse(await python(WATCHER, cluster.node(0).mount, words));
  assert.deepEqual(seen, [[0x100, "a"], [0x8, "a"], [0x80, "b"], [0x200, "b"]]);
});

test("what another node changes is not hidden by the kernel's caches", [
  "nodeA",
  "nodeB",
], async (cluster) => {
  const until = (words: string) =>
    eventually(words, async () => (await shell(cluster, words)).code === 0 ? true : null);
  await run(cluster, "mkdir $A/d; echo one > $A/d/f; test ! -e $A/none");
  await settled(cluster);
  await run(cluster, "test ! -e $B/none; stat $B/d/f $B/d > $B/../seen; test $(cat $B/d/f) = one");
  await run(cluster, "echo longer > $A/d/f; echo x > $A/none; echo x > $A/d/g");
  await until("test $(stat -c %s $B/d/f) = 7 && test $(cat $B/d/f) = longer");
  await until("test -e $B/none && ls $B/d | grep -q g");
  await run(cluster, "mv $A/d/f $A/d/h; rm $A/d/g");
  await until("test ! -e $B/d/f && test -e $B/d/h && test ! -e $B/d/g");
});
