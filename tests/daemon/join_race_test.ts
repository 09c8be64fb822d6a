/** A host that becomes a member by one way while another is under way. */
import assert from "node:assert/strict";
import { LocalCluster } from "../../scripts/local_cluster.ts";
import { parseTicket, printTicket } from "../../mod/join/ticket.ts";

/** Hands both directions of two connections on, until they end. */
async function carry(one: Deno.TcpConn, other: Deno.TcpConn): Promise<void> {
  await Promise.allSettled([
    one.readable.pipeTo(other.writable),
    other.readable.pipeTo(one.writable),
  ]);
}

Deno.test("a welcome that comes after this host made a cluster of its own takes nothing of it away", async () => {
  const names = ["nodeA", "nodeB"];
  const cluster = new LocalCluster({ names, disk: false, watchdog: "none", direct: true });
  const [a, b] = [cluster.node(0), cluster.node(1)];
  const gate = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  let carried: Promise<void> = Promise.resolve();
  try {
    await Promise.all([a.start(), b.start()]);
    await a.run("init", "first", "--profile", "fast");
    const ticket = parseTicket(await a.run("join", "ticket", "new"));
    assert.ok(ticket?.peers[0]);
    const peers = [`127.0.0.1:${gate.addr.port}`];
    const post = (path: string, body: object) =>
      b.api("POST", path, {
        body: JSON.stringify(body),
        headers: { "Content-Type": "application/json" },
      });
    const joining = post("/v1/join", { ticket: printTicket({ ...ticket, peers }) });
    // It was found free, and dials.
    const dialled = await gate.accept();
    assert.equal((await post("/v1/init", { name: "second", profile: "fast" })).status, 200);
    const [hostname, port] = ticket.peers[0].split(":");
    const onward = await Deno.connect({ hostname: hostname ?? "", port: Number(port) });
    carried = carry(dialled, onward);
    const joined = await joining;
    assert.equal((await joined.json()).code, "join.already-member");
    const status = await b.until("it is what it made", ({ config }) => config.writable);
    assert.equal(status.cluster?.name, "second");
    assert.deepEqual(
      [...Deno.readDirSync(`${b.folder}/state`)].filter(({ isDirectory }) => isDirectory),
      [],
      "nothing was put aside",
    );
  } finally {
    gate.close();
    await cluster.close();
    await carried;
  }
});
