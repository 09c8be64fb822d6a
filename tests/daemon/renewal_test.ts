/** The cluster's key is renewed under real daemons: on their disks, on the wire, and for who comes later. */
import assert from "node:assert/strict";
import { LocalCluster, type LocalNode } from "../../scripts/local_cluster.ts";

function identity(node: LocalNode): { key: string; other?: string } {
  return JSON.parse(Deno.readTextFileSync(`${node.folder}/state/node.json`));
}

async function refusedSeals(node: LocalNode): Promise<number> {
  const { view } = await (await node.api("GET", "/v1/heartbeat")).json();
  return view.refused.seal;
}

Deno.test("a renewed key is on every disk, lets the next machine in, and the old one opens nothing", async () => {
  const names = ["nodeA", "nodeB", "nodeC"];
  const cluster = new LocalCluster({ names, disk: false, watchdog: "none" });
  const [a, b, c] = [cluster.node(0), cluster.node(1), cluster.node(2)];
  try {
    await Promise.all(cluster.nodes.map((node) => node.start()));
    await a.run("init", "prod", "--profile", "fast");
    await b.run("join", "--ticket", await a.run("join", "ticket", "new"));
    const all = (node: LocalNode, count: number) =>
      node.until(
        "all vote and are online",
        ({ nodes, quorate }) =>
          quorate && nodes.length === count &&
          nodes.every(({ state, role }) => state === "online" && role === "voter"),
      );
    await Promise.all([all(a, 2), all(b, 2)]);
    const old = identity(a).key;

    await b.crash();
    const waits = await a.cli("join", "renew-key");
    assert.equal(waits.code, 4, waits.stderr);
    await b.start();
    await Promise.all([all(a, 2), all(b, 2)]);

    const step = async (how: string) => {
      const body = JSON.stringify({ how });
      const headers = { "Content-Type": "application/json" };
      return await (await a.api("POST", "/v1/join/renew-key", { body, headers })).json();
    };
    assert.equal((await step("start")).stage, "offer");
    await a.run("join", "renew-key", "--cancel");
    assert.equal(identity(a).key, old, "what was offered is taken back");
    // Once somebody may seal with it, there is only one way: on.
    assert.equal((await step("start")).stage, "offer");
    for (const end = performance.now() + 20_000; (await step("go-on")).stage !== "use";) {
      assert.ok(performance.now() < end, "both say that they have it");
    }
    const late = await a.cli("join", "renew-key", "--cancel");
    assert.equal(late.code, 7);
    assert.match(late.stderr, /join\.key-in-use/);
    const beaten = await Promise.all([refusedSeals(a), refusedSeals(b)]);
    const renewed = JSON.parse(await b.run("join", "renew-key", "--json"));
    assert.equal(renewed.stage, "done");
    assert.deepEqual(await Promise.all([refusedSeals(a), refusedSeals(b)]), beaten);
    const { key, other } = identity(a);
    assert.notEqual(key, old);
    assert.deepEqual([identity(b).key, other, identity(b).other], [key, undefined, undefined]);
    const left = await a.api("GET", "/v1/config/priv");
    assert.doesNotMatch(await left.text(), /cluster-key\.\d/, "nobody's word is left");

    await c.run("join", "--ticket", await b.run("join", "ticket", "new"));
    assert.equal(identity(c).key, key);
    await Promise.all(cluster.nodes.map((node) => all(node, 3)));

    // Its disk comes back out of an older image.
    await c.crash();
    const path = `${c.folder}/state/node.json`;
    const good = Deno.readTextFileSync(path);
    Deno.writeTextFileSync(path, good.replaceAll(key, old));
    await c.start();
    await c.until("it is alone", ({ quorate }) => !quorate);
    await a.until(
      "it is not heard",
      ({ nodes }) => nodes.some(({ name, state }) => name === "nodeC" && state !== "online"),
    );
    const end = performance.now() + 10_000;
    while (await refusedSeals(a) === 0) assert.ok(performance.now() < end, "its beats are refused");
    for (const node of [a, c]) {
      const { stdout } = await node.cli("check", "--json", "--settings", node.settings);
      const { findings } = JSON.parse(stdout) as { findings: { check: string; fix: string }[] };
      assert.match(findings.find(({ check }) => check === "key")?.fix ?? "", /join anew/);
    }
    assert.match(await c.run("events", "--stream", "join"), /the cluster's is [0-9a-f]{16}/);

    await c.crash();
    Deno.writeTextFileSync(path, good);
    await c.start();
    await Promise.all(cluster.nodes.map((node) => all(node, 3)));
  } finally {
    await cluster.close();
  }
});
