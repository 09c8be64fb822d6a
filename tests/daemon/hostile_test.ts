/** Whole daemons under a hail of bytes that nobody meant for them: only counters may move. */
import assert from "node:assert/strict";
import { Prng } from "../../mod/base/prng.ts";
import type { StatusDocument } from "../../mod/node/view.ts";
import { LocalCluster, type LocalNode, pause } from "../../scripts/local_cluster.ts";

const PACKETS = 100_000;
/** After so many the sender draws breath: bytes are tried here, not how much a processor can take. */
const BURST = 200;
const CONNECTIONS = 200;
const BYTES_A_CONNECTION = 16 * 1024;

/** Random bytes: of any length, or with the head of a real packet and something wrong behind it. */
function hostileBytes(prng: Prng, samples: readonly Uint8Array[]): Uint8Array {
  const sample = prng.pick(samples) ?? new Uint8Array(0);
  const bytes = prng.chance(0.5) ? prng.bytes(prng.between(0, 1600)) : sample.slice();
  if (prng.chance(0.3)) return bytes.subarray(0, prng.between(0, bytes.length));
  for (let flips = prng.between(0, 7); flips > 0 && bytes.length > 0; flips--) {
    const at = prng.between(0, bytes.length - 1);
    bytes[at] = (bytes[at] ?? 0) ^ (1 << prng.between(0, 7));
  }
  return bytes;
}

/** What must not change; counters, times and loads may. */
function kept(status: StatusDocument) {
  const { cluster, node, quorate, votes, dc, dc_epoch, leader, resources, config } = status;
  const { crc32, term } = config;
  return { cluster, node, quorate, votes, dc, dc_epoch, leader, resources, crc32, term };
}

/** Where a node really listens: behind its cable. */
function listening(node: LocalNode): { links: string[]; peer: string } {
  return JSON.parse(Deno.readTextFileSync(node.settings)).bind;
}

function address(text: string): { hostname: string; port: number } {
  const [hostname = "", port] = text.split(":");
  return { hostname, port: Number(port) };
}

/** Real packets on their way to `node`, overheard. */
async function overhear(node: LocalNode, count: number): Promise<Uint8Array[]> {
  const heard: Uint8Array[] = [];
  node.cable.tap = (bytes) => void (heard.length < count && heard.push(bytes.slice()));
  while (heard.length < count) await pause(10);
  node.cable.tap = null;
  return heard;
}

async function counters(node: LocalNode): Promise<{ received: number; refused: number }> {
  const { view } = await (await node.api("GET", "/v1/heartbeat")).json();
  const refused = Object.values(view.refused as Record<string, number>);
  return { received: view.received, refused: refused.reduce((sum, each) => sum + each, 0) };
}

Deno.test("hostile packets on both ports change nothing but counters", async () => {
  const cluster = new LocalCluster({
    names: ["nodeA", "nodeB"],
    disk: false,
    watchdog: "process",
  });
  try {
    await cluster.form();
    const [a, b] = [cluster.node(0), cluster.node(1)];
    await a.run("config", "set", "treasure", "gold");
    await a.run("ha", "add", "exec:sleep", "--command", "sleep 27182");
    const before = await b.until(
      "it runs",
      (status) => status.resources.some(({ state }) => state === "started"),
    );
    const samples = await overhear(b, 20);
    const { links: [link = ""], peer } = listening(b);
    const start = await counters(b);
    const prng = new Prng(20261125);
    await hailUdp(prng, { samples, to: link });
    await hailTcp(prng, peer);
    const end = await counters(b);
    assert.ok(end.refused - start.refused > 1000, "the hail was heard and refused");
    const after = await b.until("it is as before", (status) => status.quorate);
    assert.deepEqual(kept(after), kept(before));
    assert.equal(await b.run("config", "get", "treasure"), "gold");
    await b.run("config", "set", "more", "silver");
  } finally {
    await cluster.close();
  }
});

async function hailUdp(
  prng: Prng,
  { samples, to }: { samples: readonly Uint8Array[]; to: string },
): Promise<void> {
  const socket = Deno.listenDatagram({ transport: "udp", hostname: "127.0.0.1", port: 0 });
  const target: Deno.NetAddr = { transport: "udp", ...address(to) };
  for (let sent = 0; sent < PACKETS; sent++) {
    await socket.send(hostileBytes(prng, samples), target);
    if (sent % BURST === 0) await pause(2);
  }
  socket.close();
}

async function hailTcp(prng: Prng, to: string): Promise<void> {
  for (let made = 0; made < CONNECTIONS; made++) {
    const connection = await Deno.connect(address(to));
    const bytes = prng.bytes(BYTES_A_CONNECTION);
    try {
      for (let at = 0; at < bytes.length;) at += await connection.write(bytes.subarray(at));
    } catch {
      // It was shown the door, as it should be.
    }
    connection.close();
  }
}
