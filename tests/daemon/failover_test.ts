/** A pair whose owner dies: what it ran is up on the other node, and its neighbours know where. */
import assert from "node:assert/strict";
import { LocalCluster, type LocalNode, pause } from "../../scripts/local_cluster.ts";
import { Namespaces, namespacesMissing } from "../../scripts/namespaces.ts";
import { Helper, must } from "../host/agent_world.ts";
import { qemuMissing, writeGuest } from "../host/guests.ts";

const MISSING = await namespacesMissing();
if (MISSING !== null) console.log(`skipped: failover in network namespaces: ${MISSING}`);
const NO_QEMU = await qemuMissing();
if (MISSING === null && NO_QEMU !== null) console.log(`skipped: its machine: ${NO_QEMU}`);
const NEIGHBOUR = 2;

/** A pair with a disk between, and a neighbour of theirs. */
async function withPair(
  body: (cluster: LocalCluster, network: Namespaces) => Promise<void>,
): Promise<void> {
  const network = await Namespaces.make(3);
  try {
    const names = ["nodeA", "nodeB"];
    const cluster = new LocalCluster({ names, disk: true, watchdog: "process", network });
    try {
      await cluster.form();
      await body(cluster, network);
    } finally {
      await cluster.close();
    }
  } finally {
    await network.close();
  }
}

async function macOf(network: Namespaces, at: number): Promise<string> {
  const text = await must(...network.prefix(at), "ip", "link", "show", "eth0");
  return /link\/ether (\S+)/.exec(text)?.[1] ?? "";
}

/** Whom the neighbour takes for the holder; it asks nobody for this. */
async function cached(network: Namespaces, address: string): Promise<string | null> {
  const show = ["ip", "neighbour", "show", "to", address, "dev", "eth0"];
  return /lladdr (\S+)/.exec(await must(...network.prefix(NEIGHBOUR), ...show))?.[1] ?? null;
}

/** What whoever has the address says to the neighbour. */
async function hear(network: Namespaces, address: string): Promise<string> {
  const script = `const c = await Deno.connect({ hostname: "${address}", port: 7000 });
    console.log(await new Response(c.readable).text());`;
  return (await must(...network.prefix(NEIGHBOUR), Deno.execPath(), "eval", script)).trim();
}

/** The node on which all of these run, once they run on one (of this name). */
async function owner(
  cluster: LocalCluster,
  ids: readonly string[],
  { seenBy, on = null }: { readonly seenBy: LocalNode; readonly on?: string | null },
): Promise<LocalNode> {
  const status = await seenBy.until(`${ids.join(", ")} run on ${on ?? "one node"}`, (seen) => {
    const found = ids.map((id) => seen.resources.find((each) => each.id === id));
    const node = on ?? found[0]?.node;
    return found.every((each) => each?.state === "started" && each.node === node);
  });
  const name = status.resources.find(({ id }) => id === ids[0])?.node;
  return cluster.nodes.find((node) => node.name === name) as LocalNode;
}

Deno.test({
  name:
    "an address and a machine go on at the other node, and who remembered the dead one reaches it",
  ignore: MISSING !== null,
  fn: () =>
    withPair(async (cluster, network) => {
      const address = network.address(98);
      await cluster.node(0).run("ha", "add", "ip:vip", "--address", address);
      const first = await owner(cluster, ["ip:vip"], { seenBy: cluster.node(0) });
      const other = cluster.nodes.find((node) => node !== first) as LocalNode;
      const place = (node: LocalNode) => cluster.nodes.indexOf(node);
      const ids = NO_QEMU === null ? ["ip:vip", "vm:100"] : ["ip:vip"];
      if (NO_QEMU === null) {
        await defineMachine(cluster, first);
        assert.equal(await owner(cluster, ids, { seenBy: first }), first);
        await booted(first);
      }
      const servers = [await serve(network, place(first), first.name)];
      try {
        assert.equal(await hear(network, address), first.name);
        assert.equal(await cached(network, address), await macOf(network, place(first)));
        // Its processes die; its kernel, with the address on its interface, goes with the host.
        await first.powerCut();
        await must(...network.prefix(place(first)), "ip", "link", "set", "eth0", "down");
        servers.push(await serve(network, place(other), other.name));
        await owner(cluster, ids, { seenBy: other, on: other.name });
        const mac = await macOf(network, place(other));
        while (await cached(network, address) !== mac) await pause(20);
        assert.equal(await hear(network, address), other.name);
        if (NO_QEMU === null) {
          await booted(other);
          // Whose folder has the definition owns the machine: it is in one of them only.
          assert.match(await other.run("config", "get", definition(other)), /^name: web/);
          assert.notEqual((await other.cli("config", "get", definition(first))).code, 0);
        }
      } finally {
        for (const server of servers) await server.close();
      }
    }),
});

Deno.test({
  name:
    "a machine that is ordered elsewhere runs on: its memory goes along, and QEMU begins but once",
  ignore: MISSING !== null || NO_QEMU !== null,
  fn: () =>
    withPair(async (cluster) => {
      const [first, other] = cluster.nodes as readonly [LocalNode, LocalNode];
      await defineMachine(cluster, first);
      assert.equal(await owner(cluster, ["vm:100"], { seenBy: first }), first);
      await booted(first);
      await first.run("ha", "migrate", "vm:100", other.name, "--wait", "60");
      await owner(cluster, ["vm:100"], { seenBy: other, on: other.name });
      const events = await first.run("ha", "log", "vm:100");
      assert.match(events, /its memory came over from \S+ while it ran/);
      assert.match(await other.run("config", "get", definition(other)), /^name: web/);
      await booted(other);
      // A relocation is a stop and a start.
      await other.run("ha", "relocate", "vm:100", first.name, "--wait", "60");
      await owner(cluster, ["vm:100"], { seenBy: other, on: first.name });
      const { lines } = JSON.parse(await first.run("ha", "log", "vm:100", "--json"));
      const codes = lines.flatMap(({ code }: { code: string | null }) => code ?? []);
      const moves = ["ha.migrated", "ha.handed-over", "ha.migrated", "ha.placed"];
      assert.deepEqual(codes, ["ha.owned", ...moves]);
    }),
});

/** A machine of the first node's. */
async function defineMachine(cluster: LocalCluster, node: LocalNode): Promise<void> {
  const guest = `${cluster.folder}/guest`;
  writeGuest(guest, "polite");
  const text = `name: web\nmemory: 32\nkvm: 0\nvga: none\nserial0: socket\n` +
    `virtio0: ${guest},cache=writeback\n`;
  const folder = definition(node).split("/").slice(0, -1);
  for (const [at] of folder.entries()) {
    await node.run("config", "mkdir", folder.slice(0, at + 1).join("/"));
  }
  await node.run("config", "set", definition(node), text);
  await node.run("ha", "add", "vm:100");
}

function definition({ name }: LocalNode): string {
  return `nodes/${name}/qemu-server/100.conf`;
}

/** Resolves when the guest's boot sector runs on this node: it says so on its serial line. */
async function booted({ folder }: LocalNode): Promise<void> {
  using line = await Deno.connect({ transport: "unix", path: `${folder}/run/vm-100.serial0` });
  const bytes = new Uint8Array(1);
  while (bytes[0] !== 0x52) await line.read(bytes);
}

/** Something that says these words to whoever comes, by whatever address. */
async function serve(network: Namespaces, at: number, words: string): Promise<Helper> {
  const helper = new Helper(network.prefix(at), ["serve", "0.0.0.0", "7000", words]);
  assert.equal(await helper.line(), "ready");
  return helper;
}
