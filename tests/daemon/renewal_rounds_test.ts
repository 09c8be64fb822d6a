/** The key is renewed while nodes die, are renamed and removed: never a node without a key that opens. */
import assert from "node:assert/strict";
import { LocalCluster, type LocalNode } from "../../scripts/local_cluster.ts";

interface Answer {
  readonly stage: string;
  readonly id: string;
  readonly waiting: readonly string[];
}

function keysOf(node: LocalNode): { key: string; other?: string } {
  return JSON.parse(Deno.readTextFileSync(`${node.folder}/state/node.json`));
}

async function ask(node: LocalNode, how: "start" | "go-on"): Promise<Answer> {
  const body = JSON.stringify({ how });
  const headers = { "Content-Type": "application/json" };
  return await (await node.api("POST", "/v1/join/renew-key", { body, headers })).json();
}

/** Goes on until what is answered satisfies. */
async function askUntil(node: LocalNode, wanted: (answer: Answer) => boolean): Promise<Answer> {
  for (const end = performance.now() + 30_000;;) {
    const answer = await ask(node, "go-on");
    if (wanted(answer)) return answer;
    assert.ok(performance.now() < end, JSON.stringify(answer));
  }
}

function together(nodes: readonly LocalNode[], count: number) {
  return Promise.all(
    nodes.map((node) =>
      node.until("all are online", (status) =>
        status.quorate && status.nodes.length === count &&
        status.nodes.every(({ state, role }) => state === "online" && role === "voter"))
    ),
  );
}

Deno.test("a renewal outlives deaths in each stage, a new name, a removal and who comes meanwhile", async () => {
  const names = ["nodeA", "nodeB", "nodeC", "nodeD"];
  const cluster = new LocalCluster({ names, disk: false, watchdog: "none" });
  const [a, b, c, d] = [0, 1, 2, 3].map((at) => cluster.node(at)) as [
    ...[LocalNode, LocalNode, LocalNode, LocalNode],
  ];
  try {
    await Promise.all(cluster.nodes.map((node) => node.start()));
    await a.run("init", "prod", "--profile", "fast");
    for (const node of [b, c]) {
      await node.run("join", "--ticket", await a.run("join", "ticket", "new"));
    }
    await together([a, b, c], 3);
    const first = keysOf(a).key;

    // One is down from before the offer; another is renamed while it waits; the asker dies.
    await c.crash();
    await a.until(
      "c is away",
      ({ nodes }) => nodes.some(({ name, state }) => name === "nodeC" && state !== "online"),
    );
    assert.equal((await ask(a, "start")).stage, "offer");
    await askUntil(a, ({ waiting }) => waiting.join() === "nodeC");
    await a.run("node", "rename", "nodeB", "nodeX");
    assert.deepEqual((await ask(b, "go-on")).waiting, ["nodeC"]);
    await a.run("node", "rename", "nodeC", "nodeY");
    assert.deepEqual((await ask(b, "go-on")).waiting, ["nodeY"], "who is meant, by its new name");
    await a.crash();
    await a.start();
    await c.start();
    await together([a, b, c], 3);
    assert.equal((await askUntil(c, ({ stage }) => stage === "use")).stage, "use");

    // In the stage in which keys change, one after the other dies and comes back.
    for (const node of [a, b, c]) {
      await node.crash();
      await node.start();
      await together([a, b, c], 3);
    }
    // Who is let in now gets what opens, by whichever way.
    await d.run("join", "--ticket", await b.run("join", "ticket", "new"));
    await together(cluster.nodes, 4);
    const second = await askUntil(d, ({ stage }) => stage === "done");
    const settled = () => cluster.nodes.every((node) => keysOf(node).other === undefined);
    for (const end = performance.now() + 20_000; !settled();) {
      assert.ok(performance.now() < end, "everybody forgets the old one");
      await a.status();
    }
    const key = keysOf(a).key;
    assert.notEqual(key, first);
    for (const node of cluster.nodes) assert.equal(keysOf(node).key, key);

    // One is off for good: its removal lets the others go on, and it does not come back with what it has.
    await d.crash();
    await a.until(
      "d is away",
      ({ nodes }) => nodes.some(({ name, state }) => name === "nodeD" && state !== "online"),
    );
    const third = await ask(a, "start");
    assert.notEqual(third.id, second.id);
    await askUntil(a, ({ waiting }) => waiting.join() === "nodeD");
    await a.run("config", "member", "remove", "nodeD");
    await askUntil(b, ({ stage }) => stage === "done");
    await together([a, b, c], 3);
    for (const end = performance.now() + 20_000; [a, b, c].some((each) => keysOf(each).other);) {
      assert.ok(performance.now() < end, "everybody forgets the old one");
      await a.status();
    }
    assert.equal(keysOf(d).key, key, "it has the one before");
    const refused = async () => {
      const { view } = await (await a.api("GET", "/v1/heartbeat")).json();
      return Object.values(view.refused as Record<string, number>).reduce((sum, each) =>
        sum + each
      );
    };
    const before = await refused();
    await d.start();
    await d.until("it is alone", ({ quorate }) => !quorate);
    for (const end = performance.now() + 20_000; await refused() < before + 5;) {
      assert.ok(performance.now() < end, "its beats are taken by nobody");
    }
    assert.equal((await a.status())?.nodes.length, 3);
    // The others were never without a quorum for it.
    await a.run("config", "set", "treasure", "gold");
    assert.equal(await c.run("config", "get", "treasure"), "gold");
  } finally {
    await cluster.close();
  }
});
