/** Real daemons with real mounts, and programs that use them. Needs root and /dev/fuse. @module */
import assert from "node:assert/strict";
import { LocalCluster, type LocalNode } from "../../scripts/local_cluster.ts";

/** Compares what is replicated: virtual files speak of their own node, and links lead to it. */
export const DIFF = "diff -r --no-dereference -x '.*' -x local -x qemu-server -x lxc -x openvz";

/** Why there can be no mount here, or null. */
export const MISSING = missing();
if (MISSING !== null) console.log(`skipped: mounts of daemons: ${MISSING}`);

function missing(): string | null {
  if (Deno.uid() !== 0) return "not root";
  try {
    Deno.statSync("/dev/fuse");
    return null;
  } catch {
    return "no /dev/fuse";
  }
}

/** What a program left. */
export interface Ran {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs a shell's words with A and B (and C) as the mounts. */
export async function shell(cluster: LocalCluster, words: string): Promise<Ran> {
  const env = Object.fromEntries(
    cluster.nodes.map((node, at) => ["ABC".charAt(at), node.mount]),
  );
  const { code, stdout, stderr } = await new Deno.Command("bash", {
    args: ["-c", `set -euo pipefail; ${words}`],
    env: { ...env, HOME: cluster.folder, LC_ALL: "C" },
  }).output();
  const decoder = new TextDecoder();
  return { code, stdout: decoder.decode(stdout), stderr: decoder.decode(stderr) };
}

/** The same for words that must succeed; what they printed. */
export async function run(cluster: LocalCluster, words: string): Promise<string> {
  const { code, stdout, stderr } = await shell(cluster, words);
  assert.equal(code, 0, `${words}\n${stdout}${stderr}`);
  return stdout;
}

/** What a Python program printed; it must succeed. */
export async function python(program: string, ...args: readonly string[]): Promise<string> {
  const { success, stdout, stderr } = await new Deno.Command("python3", {
    args: ["-c", program, ...args],
  }).output();
  assert.ok(success, new TextDecoder().decode(stderr));
  return new TextDecoder().decode(stdout);
}

/** A test on a cluster of these nodes, each with its mount. */
export function test(
  name: string,
  names: readonly string[],
  body: (cluster: LocalCluster) => Promise<void>,
  ignore = false,
): void {
  Deno.test({
    name,
    ignore: ignore || MISSING !== null,
    fn: async () => {
      const cluster = new LocalCluster({ names, disk: false, watchdog: "none", mount: true });
      try {
        await cluster.form();
        for (const node of cluster.nodes) await mounted(node);
        await body(cluster);
      } catch (error) {
        // What goes wrong while it is taken away must not stand in its place.
        console.log(error);
        throw error;
      } finally {
        await cluster.close();
      }
    },
  });
}

/** Waits until a node's mount is there. */
export async function mounted(node: LocalNode): Promise<void> {
  await node.until("it is mounted", (status) => status.mount.state === "mounted");
}

/** All replicas have applied what any of them has, and are equal. */
export async function settled(cluster: LocalCluster): Promise<void> {
  for (const node of cluster.nodes) {
    assert.equal((await node.api("GET", "/v1/config?read=quorum")).status, 200);
  }
  const states = await Promise.all(cluster.nodes.map((node) => node.status()));
  const crcs = states.map((status) => `${status?.config.index} ${status?.config.crc32}`);
  assert.equal(new Set(crcs).size, 1, crcs.join(", "));
}
