/** A real daemon's past: history, undo, watch, backup, restore on another host, a dead node's files. */
import assert from "node:assert/strict";
import { readLines } from "../../mod/cli/lines.ts";
import { LocalCluster, type LocalNode } from "../../scripts/local_cluster.ts";
import { pentad as command } from "../../scripts/pentad_command.ts";
import { pentad } from "../cli/world.ts";

interface Entry {
  readonly txn_id: number;
  readonly reason: string;
}

async function json(node: LocalNode, ...args: string[]): Promise<Record<string, unknown>> {
  return JSON.parse(await node.run(...args, "--json"));
}

/** Paths, modes and contents below a directory. */
function treeOf(root: string, below = ""): string[] {
  return [...Deno.readDirSync(`${root}/${below}`)].flatMap(({ name, isDirectory }) => {
    const path = below === "" ? name : `${below}/${name}`;
    const mode = ((Deno.statSync(`${root}/${path}`).mode ?? 0) & 0o777).toString(8);
    if (isDirectory) return [`${path}/ ${mode}`, ...treeOf(root, path)];
    return [`${path} ${mode} ${Deno.readFileSync(`${root}/${path}`).toBase64()}`];
  }).sort();
}

/** What `config watch --json` prints until `signal` aborts. */
async function follow(
  node: LocalNode,
  args: string[],
  onLine: (lines: readonly Entry[]) => void,
  signal: AbortSignal,
): Promise<readonly Entry[]> {
  const [program, ...words] = command();
  const child = new Deno.Command(program, {
    args: [...words, "--socket", node.socket, "config", "watch", ...args, "--json"],
    stdin: "null",
    stdout: "piped",
    stderr: "inherit",
  }).spawn();
  signal.addEventListener("abort", () => child.kill("SIGTERM"));
  const lines: Entry[] = [];
  for await (const line of readLines(child.stdout, 1_000_000)) {
    lines.push(JSON.parse(line));
    onLine(lines);
  }
  await child.status;
  return lines;
}

/** Without what the manager of stream 3 writes by itself. */
function ofClients(tree: readonly string[]): string[] {
  return tree.filter((line) => !/^(ha\/manager_status|priv\/lock\/)/.test(line));
}

Deno.test("write, history, undo, watch, backup, and the same tree restored on an empty host", async () => {
  const cluster = new LocalCluster({ names: ["old", "new"], disk: false, watchdog: "none" });
  try {
    const [old, fresh] = [cluster.node(0), cluster.node(1)];
    await old.start();
    await old.run("init", "prod", "--profile", "fast");
    await old.until("it writes", ({ config }) => config.writable);
    for (const path of ["nodes", "nodes/old", "nodes/old/priv"]) {
      await old.run("config", "mkdir", path);
    }
    await old.run("config", "set", "nodes/old/priv/key", "secret");
    await old.run("config", "set", "web.conf", "port 80\nuser www\n", "--reason", "first");
    await old.run("config", "set", "web.conf", "port 81\nuser www\n", "--reason", "a typo");
    const history = await json(old, "config", "history", "web.conf", "--limit", "1");
    const [newest] = history.entries as Entry[];
    assert.equal(newest?.reason, "a typo");
    assert.equal(typeof history.next, "number");
    const txn = `0x${newest?.txn_id.toString(16)}`;
    const diff = "--- a/web.conf\n+++ b/web.conf\n@@ -1,2 +1,2 @@\n-port 80\n+port 81\n user www";
    assert.ok((await old.run("config", "show", txn)).endsWith(diff));
    assert.equal(history.next, newest?.txn_id);
    const since = String(Number(history.next) - 1);
    assert.equal(await old.run("config", "diff", since, "now", "web.conf"), diff);

    const dry = await old.cli("config", "undo", txn, "--dry-run");
    assert.equal(dry.code, 10, dry.stderr);
    assert.match(dry.stdout, /\n-port 81\n\+port 80\n/);
    await old.run("config", "undo", txn);
    assert.equal(await old.run("config", "get", "web.conf"), "port 80\nuser www");
    const again = await old.cli("config", "undo", txn);
    assert.equal(again.code, 6, again.stderr);
    assert.match(again.stderr, /config\.cannot-undo/);
    // Who watches from before is told all of it, once and in order.
    const stop = new AbortController();
    const paths = ["--after", since, "web.conf"];
    const told = follow(old, paths, (lines) => lines.length === 2 && stop.abort(), stop.signal);
    assert.deepEqual((await told).map(({ reason }) => reason), ["a typo", `undo of ${txn}`]);

    const exported = `${cluster.folder}/exported`;
    await old.run("config", "export", exported);
    assert.ok(treeOf(exported).includes(`nodes/old/priv/key 600 ${btoa("secret")}`));
    assert.ok(treeOf(exported).includes("nodes/old/priv/ 700"));
    assert.ok(treeOf(exported).includes(`web.conf 640 ${btoa("port 80\nuser www\n")}`));
    const before = `${cluster.folder}/before`;
    await old.run("config", "export", before, "--at", txn);
    assert.ok(treeOf(before).includes(`web.conf 640 ${btoa("port 81\nuser www\n")}`));

    const file = `${cluster.folder}/prod.db`;
    assert.equal(await old.run("config", "backup", file), file);
    assert.equal((Deno.statSync(file).mode ?? 0) & 0o777, 0o600);
    const scheduled = await old.run("config", "backup");
    const status = await old.until("a backup", ({ backup }) => backup?.state === "ok");
    assert.equal(status.backup?.file, scheduled);

    const refused = await old.cli("config", "restore", file);
    assert.equal(refused.code, 1, refused.stderr);
    assert.match(refused.stderr, /join\.already-member/);
    await fresh.start();
    const unsafe = await fresh.cli("config", "restore", file);
    assert.equal(unsafe.code, 7, unsafe.stderr);
    assert.match(unsafe.stderr, /"prod" had other members: old/);
    await old.crash();
    // What it left can be read as it lies, WAL and all, and is left as it was.
    const left = `${old.folder}/state`;
    const names = () => [...Deno.readDirSync(left)].map(({ name }) => name).sort();
    const there = names();
    assert.ok(there.includes("config.db-wal"), String(there));
    const dead = await pentad(["--data", left, "config", "get", "web.conf"]);
    assert.equal(dead.out, "port 80\nuser www\n");
    assert.deepEqual(names(), there);

    await fresh.run("config", "restore", file, "--yes");
    await fresh.until("it writes", ({ config }) => config.writable);
    const restored = `${cluster.folder}/restored`;
    await fresh.run("config", "export", restored);
    assert.deepEqual(ofClients(treeOf(restored)), ofClients(treeOf(exported)));
    // The history came with it, and the new cluster is another one than the old.
    assert.ok((await fresh.run("config", "show", txn)).endsWith(diff));
    const made = await fresh.until("status", () => true);
    assert.notEqual(made.cluster?.id, status.cluster?.id);
    assert.deepEqual(made.nodes.map(({ name, role }) => [name, role]), [["new", "voter"]]);
    await fresh.run("config", "set", "after", "it writes");
  } finally {
    await cluster.close();
  }
});
