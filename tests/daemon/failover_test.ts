/** A pair whose owner dies: what it ran is up on the other node, and its neighbours know where. */
import assert from "node:assert/strict";
import { LocalCluster, type LocalNode, pause } from "../../scripts/local_cluster.ts";
import { Namespaces, namespacesMissing } from "../../scripts/namespaces.ts";
import { Helper, must } from "../host/agent_world.ts";

const MISSING = await namespacesMissing();
if (MISSING !== null) console.log(`skipped: failover in network namespaces: ${MISSING}`);
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
    "an address goes on at the other node, and who remembered the dead one's hardware reaches it",
  ignore: MISSING !== null,
  fn: () =>
    withPair(async (cluster, network) => {
      const address = network.address(98);
      await cluster.node(0).run("ha", "add", "ip:vip", "--address", address);
      const first = await owner(cluster, ["ip:vip"], { seenBy: cluster.node(0) });
      const other = cluster.nodes.find((node) => node !== first) as LocalNode;
      const [from, to] = [first, other].map((node) => cluster.nodes.indexOf(node)) as [
        number,
        number,
      ];
      const servers = [await serve(network, from, { address: "0.0.0.0", words: first.name })];
      try {
        assert.equal(await hear(network, address), first.name);
        assert.equal(await cached(network, address), await macOf(network, from));
        // Its processes die; its kernel, and the address on its interface, go with the host.
        await first.powerCut();
        await must(...network.prefix(from), "ip", "link", "set", "eth0", "down");
        servers.push(await serve(network, to, { address: "0.0.0.0", words: other.name }));
        await owner(cluster, ["ip:vip"], { seenBy: other, on: other.name });
        const mac = await macOf(network, to);
        while (await cached(network, address) !== mac) await pause(20);
        assert.equal(await hear(network, address), other.name);
      } finally {
        for (const server of servers) await server.close();
      }
    }),
});

async function serve(
  network: Namespaces,
  at: number,
  { address, words }: { readonly address: string; readonly words: string },
): Promise<Helper> {
  const helper = new Helper(network.prefix(at), ["serve", address, "7000", words]);
  assert.equal(await helper.line(), "ready");
  return helper;
}
