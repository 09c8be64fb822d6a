/**
 * The limits of the tree in their real sizes: real daemons, filled through a mount. PENTAD_FILES asks
 * for more files than the 25,000 that are always tried: 300000 goes past the limit of inodes.
 */
import assert from "node:assert/strict";
import type { LocalCluster, LocalNode } from "../../scripts/local_cluster.ts";
import { DIFF, run, settled, shell, test } from "./mount_world.ts";

const MEBI = 1024 * 1024;
const FILES = Number(Deno.env.get("PENTAD_FILES") ?? 25_000);
const INODES_MAX = 256 * 1024;
/** Files of one folder. */
const FOLDER = 1000;

/** Requests that are under way at once. */
const LANES = 64;

interface Filled {
  readonly made: number;
  /** How often each code was the answer. */
  readonly refused: Readonly<Record<string, number>>;
}

/** Makes folders with files in them, through the API: many commits at once are much faster. */
async function fill(node: LocalNode): Promise<Filled> {
  const refused: Record<string, number> = {};
  let made = 0;
  const put = async (path: string, body: string) => {
    const headers = { "If-None-Match": "*" };
    const response = await node.api("PUT", `/v1/config/${path}`, { body, headers });
    if (response.ok) return true;
    const { code } = await response.json();
    refused[code] = (refused[code] ?? 0) + 1;
    return false;
  };
  const folders = Math.ceil(FILES / FOLDER);
  const spread = (first: number, last: number, work: (at: number) => Promise<void>) =>
    Promise.all(Array.from({ length: LANES }, async (_, lane) => {
      for (let at = first + lane; at < last; at += LANES) await work(at);
    }));
  await spread(0, folders, async (at) => void await put(`many/${at}?type=directory`, ""));
  await spread(0, FILES, async (at) => {
    if (await put(`many/${Math.floor(at / FOLDER)}/${at}`, `${at}`)) made++;
  });
  return { made, refused };
}

function residentOf(node: LocalNode): string {
  const status = Deno.readTextFileSync(`/proc/${node.pid}/status`);
  return `${Math.round(Number(/VmRSS:\s+(\d+)/.exec(status)?.[1]) / 1024)} MiB`;
}

async function timed<T>(what: string, work: () => Promise<T>): Promise<T> {
  const from = performance.now();
  const done = await work();
  console.log(`  ${what}: ${((performance.now() - from) / 1000).toFixed(2)} s`);
  return done;
}

function memory(cluster: LocalCluster): void {
  console.log(`  resident: ${cluster.nodes.map(residentOf).join(", ")}`);
}

test(`${FILES} files in real folders, up to the limit of inodes and not past it`, [
  "nodeA",
  "nodeB",
], async (cluster) => {
  const [here, other] = [cluster.node(0), cluster.node(1)];
  memory(cluster);
  await run(cluster, "mkdir $A/many");
  const room = INODES_MAX -
    Number(await run(cluster, "stat -f -c %c-%d $A | tr - ' ' | { read a b; echo $((a - b)); }"));
  const folders = Math.ceil(FILES / FOLDER);
  const { made, refused } = await timed(`making ${FILES} files`, () => fill(here));
  const past = FILES + folders > room;
  if (past) {
    assert.deepEqual(refused, { "config.full": FILES - made });
    assert.equal(await run(cluster, "stat -f -c %d $A"), "0\n", "not one inode more fits");
    for (const words of ["touch $A/x", "mkdir $B/x", "set -C; echo > $B/y"]) {
      assert.match((await shell(cluster, words)).stderr, /No space left on device/, words);
    }
    await run(cluster, "rm $A/many/0/0; touch $B/x; rm $B/x; echo 0 > $A/many/0/0");
  } else assert.deepEqual([made, refused], [FILES, {}]);
  console.log(`  made: ${made}, refused: ${JSON.stringify(refused)}`);
  await settled(cluster);
  memory(cluster);
  const count = await timed("find, first", () => run(cluster, "find $A/many -type f | wc -l"));
  assert.equal(Number(count), made);
  await timed("find, again", () => run(cluster, "find $A/many -type f | wc -l"));
  await timed("ls -lR", () => run(cluster, "ls -lR $A/many > /dev/null"));
  await timed("ls -l of 1000", () => run(cluster, "ls -l $A/many/1 > /dev/null"));
  if (!past) await timed("diff -r of both nodes", () => run(cluster, `${DIFF} $A $B`));
  memory(cluster);
  await other.powerCut();
  await other.releaseMount();
  await timed("a node's restart", async () => {
    await other.start();
    await other.until("it is mounted", ({ mount }) => mount.state === "mounted", 120_000);
  });
  await here.until("both are there", (status) => status.quorate, 120_000);
  await settled(cluster);
  assert.equal(Number(await run(cluster, "find $B/many -type f | wc -l")), made);
  memory(cluster);
});

test(
  "128 MiB and not one byte more: ENOSPC, what was there is whole",
  ["nodeA"],
  async (cluster) => {
    const { mount } = cluster.node(0);
    const bytes = new Uint8Array(MEBI).fill(7);
    await timed("writing 127 files of 1 MiB", async () => {
      for (let at = 0; at < 127; at++) await Deno.writeFile(`${mount}/f${at}`, bytes);
    });
    const used = Number(
      await run(
        cluster,
        "find $A -type f -name '[^.]*' -printf '%s\\n' | awk '{n += $1} END {print n}'",
      ),
    );
    const rest = 128 * MEBI - used;
    assert.ok(rest > 0 && rest <= MEBI, `${rest}`);
    await Deno.writeFile(`${mount}/rest`, bytes.subarray(0, rest - 3));
    await Deno.writeTextFile(`${mount}/small`, "old");
    assert.equal(await run(cluster, "stat -f -c %f $A"), "0\n");
    for (const words of ["echo x > $A/new", "echo x >> $A/small", "truncate -s 4 $A/small"]) {
      assert.match((await shell(cluster, words)).stderr, /No space left on device/, words);
    }
    const response = await cluster.node(0).api("PUT", "/v1/config/api", {
      body: "x",
      headers: { "If-None-Match": "*" },
    });
    assert.equal((await response.json()).code, "config.full");
    assert.equal(await run(cluster, "cat $A/small; test ! -s $A/new"), "old");
    // What needs no more room goes on, and so does everything once there is some.
    await run(cluster, "printf new > $A/small; rm $A/f1; echo x > $A/new");
    assert.equal(await run(cluster, "cat $A/small $A/new"), "newx\n");
    memory(cluster);
    await timed("a restart", async () => {
      await cluster.node(0).powerCut();
      await cluster.node(0).releaseMount();
      await cluster.node(0).start();
      await cluster.node(0).until("it is mounted", ({ mount }) => mount.state === "mounted");
    });
    assert.deepEqual(await Deno.readFile(`${mount}/f126`), bytes);
    memory(cluster);
  },
);
