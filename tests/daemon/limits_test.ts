/**
 * The limits of the tree in their real sizes: real daemons, real mounts. PENTAD_FILES asks for more
 * files than the 25,000 that are always tried: 300000 goes past the limit of inodes.
 */
import assert from "node:assert/strict";
import { requestId } from "../../mod/base/id.ts";
import { appliedOf, Replica } from "../../mod/config/replica.ts";
import { decodeEntry, encodeEntry, type Entry } from "../../mod/config/wire.ts";
import { DATABASE_NAME } from "../../mod/host/linux/database.ts";
import { DatabaseFile } from "../../mod/host/linux/database_file.ts";
import type { StoredEntry } from "../../mod/host/ports.ts";
import type { Operation, Transaction } from "../../mod/streams.ts";
import { LocalCluster, type LocalNode, pause } from "../../scripts/local_cluster.ts";
import { MISSING, mounted, python, run, settled, shell, test } from "./mount_world.ts";

const MEBI = 1024 * 1024;
const FILES = Number(Deno.env.get("PENTAD_FILES") ?? 25_000);
const INODES_MAX = 256 * 1024;
/** Files of one folder: with it, what one transaction makes. */
const FOLDER = 500;
/** For what comes by itself, on a busy machine too. */
const LIMIT_MS = 300_000;

/**
 * Puts folders of files into the database of a node that is stopped, as if each folder had been
 * committed in one transaction; how many transactions did not fit.
 */
function fill(path: string): number {
  const opened = DatabaseFile.open(path, { mustExist: true });
  assert.ok(!("damaged" in opened), JSON.stringify(opened));
  const { file, content } = opened;
  const { term, applied } = content;
  const replica = new Replica(content);
  let index = applied.index;
  const commit = (body: Entry, entries: readonly StoredEntry[]) => {
    const step = replica.apply(++index, body);
    const made = appliedOf(step, { index, term, stateCrc: replica.crc });
    file.commit({ entries, applied: made });
    return step.outcome.ok;
  };
  // What was in the log when it was stopped comes first.
  for (const { body } of content.entries.filter((each) => each.index > applied.index)) {
    const entry = decodeEntry(body);
    assert.ok(entry !== null);
    commit(entry, []);
  }
  let refused = 0;
  for (let at = 0; at * FOLDER < FILES; at++) {
    const entry = { kind: "transaction", writer: 1, transaction: folder(at, index) } as const;
    const fits = commit(entry, [{ index: index + 1, term, body: encodeEntry(entry) }]);
    if (!fits) refused++;
  }
  file.close();
  return refused;
}

function folder(at: number, base: number): Transaction {
  const operations: Operation[] = [{ op: "mkdir", path: `f${at}` }];
  for (let number = at * FOLDER; number < Math.min(FILES, (at + 1) * FOLDER); number++) {
    const path = `f${at}/${number}`;
    const data = new TextEncoder().encode(`${number}\n`);
    operations.push({ op: "create", path }, { op: "write", path, offset: 0, data });
  }
  const request = requestId(at.toString(16).padStart(16, "f"));
  return { request, base, expect: [], operations, author: "test", reason: "fill", time: 1 };
}

function memory(what: string, ...nodes: readonly LocalNode[]): void {
  const resident = nodes.map((node) => {
    const status = Deno.readTextFileSync(`/proc/${node.pid}/status`);
    return `${Math.round(Number(/VmRSS:\s+(\d+)/.exec(status)?.[1]) / 1024)} MiB`;
  });
  console.log(`  resident, ${what}: ${resident.join(", ")}`);
}

async function timed<T>(what: string, work: () => Promise<T>): Promise<T> {
  const from = performance.now();
  const done = await work();
  console.log(`  ${what}: ${((performance.now() - from) / 1000).toFixed(2)} s`);
  return done;
}

async function restart(node: LocalNode): Promise<void> {
  await timed("a start with all of it", async () => {
    await node.start();
    await node.until("it is mounted", ({ mount }) => mount.state === "mounted", LIMIT_MS);
  });
}

Deno.test({
  name: `${FILES} files: listing, memory, a restart and a newcomer; no inode past the limit`,
  ignore: MISSING !== null,
  fn: async () => {
    const names = ["nodeA", "nodeB"];
    const cluster = new LocalCluster({ names, disk: false, watchdog: "none", mount: true });
    try {
      await filled(cluster);
    } finally {
      await cluster.close();
    }
  },
});

const COUNT = "find $A/f* -type f | wc -l";

async function filled(cluster: LocalCluster): Promise<void> {
  const [here, other] = [cluster.node(0), cluster.node(1)];
  await here.start();
  await here.run("init", "local", "--profile", "fast");
  await mounted(here);
  memory("empty", here);
  Deno.kill(here.pid, "SIGTERM");
  while (here.pids("daemon").length > 0) await pause(10);
  await here.powerCut();
  const database = `${here.folder}/state/${DATABASE_NAME}`;
  const refused = await timed("filling the database", () => Promise.resolve(fill(database)));
  await restart(here);
  memory("full", here);
  const there = refused > 0 ? await atTheTop(here, cluster) : FILES;
  if (refused > 0) console.log(`  ${there} files fit, the others are refused`);
  const count = Number(await timed("find, first", () => run(cluster, COUNT)));
  assert.ok(refused > 0 ? count <= there : count === there, `${count}`);
  await timed("find, again", () => run(cluster, COUNT));
  await timed("ls -l of every folder", () => run(cluster, "ls -l $A/f* > /dev/null"));
  await timed("ls -l of 500", () => run(cluster, "ls -l $A/f1 > /dev/null"));
  memory("listed", here);
  const ticket = await here.run("join", "ticket", "new");
  await other.start();
  await timed("a newcomer gets all of it and votes", async () => {
    await other.run("join", "--ticket", ticket);
    await other.until(
      "it votes",
      ({ config, nodes }) => config.writable && nodes.find(({ self }) => self)?.role === "voter",
      LIMIT_MS,
    );
  });
  await mounted(other);
  await settled(cluster);
  assert.equal(Number(await run(cluster, COUNT.replace("$A", "$B"))), count);
  memory("both", here, other);
  await other.powerCut();
  await other.releaseMount();
  await restart(other);
  await here.until("both are there", (status) => status.quorate, LIMIT_MS);
}

/** The last inodes, through the mount; how many files there are then. */
async function atTheTop(node: LocalNode, cluster: LocalCluster): Promise<number> {
  await node.until("it can write", ({ config }) => config.writable);
  const [made, why] = (await python(TOP, node.mount)).trim().split(" ");
  assert.equal(why, "ENOSPC");
  assert.ok(Number(made) <= 2 * FOLDER, made);
  assert.equal(await run(cluster, "stat -f -c '%c %d' $A"), `${INODES_MAX} 0\n`);
  for (const words of ["touch $A/x", "mkdir $A/x", "set -C; echo > $A/y"]) {
    assert.match((await shell(cluster, words)).stderr, /No space left on device/, words);
  }
  const headers = { "If-None-Match": "*" };
  const response = await node.api("PUT", "/v1/config/x", { body: "x", headers });
  assert.equal((await response.json()).code, "config.full");
  // What is there can be changed, and what goes makes room.
  await run(cluster, "echo new > $A/f0/0; mv $A/top0 $A/moved; rm $A/moved; touch $A/top0");
  return Number(await run(cluster, "find $A -type f -name '[^.]*' | wc -l"));
}

/** Makes files until one is refused; prints how many there were, and why there are no more. */
const TOP = `
import errno, os, sys
made = 0
try:
    while True:
        os.close(os.open(sys.argv[1] + "/top%d" % made, os.O_WRONLY | os.O_CREAT | os.O_EXCL))
        made += 1
except OSError as error: print(made, errno.errorcode[error.errno])
`;

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
    memory("full", cluster.node(0));
    await cluster.node(0).powerCut();
    await cluster.node(0).releaseMount();
    await restart(cluster.node(0));
    assert.deepEqual(await Deno.readFile(`${mount}/f126`), bytes);
    memory("after a restart", cluster.node(0));
  },
);
