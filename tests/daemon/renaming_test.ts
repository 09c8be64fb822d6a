/** A member gets another name and another address while the others go on. */
import assert from "node:assert/strict";
import { LocalCluster, type LocalNode } from "../../scripts/local_cluster.ts";

function together(nodes: readonly LocalNode[], names: readonly string[]) {
  return Promise.all(
    nodes.map((node) =>
      node.until(
        "all are online",
        (status) =>
          status.quorate && status.nodes.every(({ state }) => state === "online") &&
          status.nodes.map(({ name }) => name).sort().join() === [...names].sort().join(),
      )
    ),
  );
}

Deno.test("a member is renamed where nothing names it, and moves to other addresses by its settings", async () => {
  const names = ["nodeA", "nodeB", "nodeC"];
  const cluster = new LocalCluster({ names, disk: false, watchdog: "none", direct: true });
  const [a, b, c] = [cluster.node(0), cluster.node(1), cluster.node(2)];
  try {
    await cluster.form();
    const refused = async (words: readonly string[], why: RegExp) => {
      const { code, stderr } = await a.cli("node", "rename", ...words);
      assert.equal(code, 7, stderr);
      assert.match(stderr, why);
      assert.match(stderr, /config\.rename-refused/);
    };
    await refused(["nodeC", "nodeB"], /"nodeB" is a node's name already/);
    for (const folder of ["nodes", "nodes/nodeC", "nodes/nodeC/qemu-server"]) {
      await a.api("PUT", `/v1/config/${folder}?type=directory`, {
        headers: { "If-None-Match": "*" },
      });
    }
    const guest = "/v1/config/nodes/nodeC/qemu-server/100.conf";
    const headers = { "If-None-Match": "*" };
    assert.equal((await a.api("PUT", guest, { body: "name: g\n", headers })).status, 201);
    await refused(["nodeC", "nodeX"], /1 files are in its folder .*100\.conf/);
    const etag = (await a.api("GET", guest)).headers.get("ETag") ?? "";
    assert.ok((await a.api("DELETE", guest, { headers: { "If-Match": etag } })).ok);
    await a.run("ha", "add", "exec:web", "--command", "sleep 1000");
    const affinity = ["--resources", "exec:web", "--nodes", "nodeC", "--strict", "1"];
    await a.run("ha", "rules", "add", "node-affinity", "r1", ...affinity);
    await a.until(
      "it runs there",
      ({ resources }) =>
        resources.some(({ node, state }) => node === "nodeC" && state === "started"),
    );
    await refused(["nodeC", "nodeX"], /"nodeC" has exec:web/);
    await a.run("ha", "remove", "exec:web");
    await a.until("nothing runs", ({ resources }) => resources.length === 0);
    await refused(["nodeC", "nodeX"], /"ha\/rules\.cfg" names it/);
    await a.run("ha", "rules", "remove", "r1");
    await a.run("node", "rename", "nodeC", "nodeX");
    await together([a, b, c], ["nodeA", "nodeB", "nodeX"]);
    assert.equal((await a.api("GET", "/v1/config/nodes/nodeC")).status, 404, "its folder is gone");

    // Its addresses change, as a person changes them.
    const settings = JSON.parse(Deno.readTextFileSync(c.settings));
    const moved = (text: string) => text.replace(/\.(\d+):/, (_, last) => `.${Number(last) + 90}:`);
    const next = {
      ...settings,
      name: "nodeX",
      links: settings.links.map(moved),
      peer: moved(settings.peer),
      bind: { links: settings.bind.links.map(moved), peer: moved(settings.bind.peer) },
    };
    const same = await c.cli("node", "readdress");
    assert.match(same.stderr, /already/);
    await c.crash();
    Deno.writeTextFileSync(c.settings, JSON.stringify(next));
    await c.start();
    const found = await c.cli("check", "--json", "--settings", c.settings);
    assert.match(found.stdout, /"check":"known-address","level":"fail"/);
    // It hears nobody there, so somebody who is heard tells of it.
    assert.equal((await c.cli("node", "readdress")).code, 4);
    const where = ["--link", ...next.links, "--peer", next.peer];
    await a.until(
      "it is not heard",
      ({ nodes }) => nodes.some(({ name, state }) => name === "nodeX" && state !== "online"),
    );
    const told = JSON.parse(await a.run("node", "readdress", "nodeX", ...where, "--json"));
    assert.deepEqual(told.after, { links: next.links, peer: next.peer });
    await together([a, b, c], ["nodeA", "nodeB", "nodeX"]);
    const describe = await (await b.api("GET", "/v1/join/describe")).json();
    const known = describe.nodes.find(({ name }: { name: string }) => name === "nodeX");
    assert.deepEqual([known.links, known.peer], [next.links, next.peer]);

    // Two have no address in common, and who is heard is not cut off by mistake.
    const { peer: theirs } = JSON.parse(Deno.readTextFileSync(b.settings));
    const far = ["--link", "127.0.0.1:1", "--peer"];
    for (
      const [peer, why] of [
        [theirs, /"nodeB" has one of these addresses/],
        ["127.0.0.1:2", /"nodeX" is online at its old addresses/],
      ] as const
    ) {
      const { code, stderr } = await a.cli("node", "readdress", "nodeX", ...far, peer);
      assert.equal(code, 7, stderr);
      assert.match(stderr, why);
    }
  } finally {
    await cluster.close();
  }
});
