/** Whole daemons under writes while the leadership is handed over and members go and come back. */
import assert from "node:assert/strict";
import { LocalCluster, type LocalNode, pause } from "../../scripts/local_cluster.ts";

/** Writers that go on until told to stop; each asks whoever is there, and repeats what is not answered. */
class Writers {
  readonly acknowledged: number[] = [];
  #busy = true;
  #next = 0;
  readonly #lanes: Promise<void>[];

  constructor(nodes: () => readonly LocalNode[], lanes: number) {
    this.#lanes = Array.from({ length: lanes }, () => this.#lane(nodes));
  }

  /** Waits for so many more acknowledgements. */
  async more(count: number): Promise<void> {
    const wanted = this.acknowledged.length + count;
    while (this.acknowledged.length < wanted) await pause(5);
  }

  async end(): Promise<void> {
    this.#busy = false;
    await Promise.all(this.#lanes);
  }

  async #lane(nodes: () => readonly LocalNode[]): Promise<void> {
    while (this.#busy) {
      const number = this.#next++;
      const request = number.toString(16).padStart(16, "0");
      for (let tries = 0;; tries++) {
        const all = nodes();
        const node = all[(number + tries) % all.length];
        if (node !== undefined && await put(node, number, request)) break;
        assert.ok(tries < 1000, `write ${number} is never answered`);
        await pause(10);
      }
      this.acknowledged.push(number);
    }
  }
}

async function put(node: LocalNode, number: number, request: string): Promise<boolean> {
  try {
    const { status } = await node.api("PUT", `/v1/config/n${number}`, {
      body: `value ${number}`,
      headers: { "If-None-Match": "*", "Idempotency-Key": request },
    });
    return status === 200 || status === 201;
  } catch {
    return false;
  }
}

async function verify(node: LocalNode, numbers: readonly number[]): Promise<void> {
  const barrier = await node.api("GET", "/v1/config?read=quorum");
  assert.equal(barrier.status, 200);
  for (const number of numbers) {
    const response = await node.api("GET", `/v1/config/n${number}`);
    assert.equal(await response.text(), `value ${number}`, `n${number} on ${node.name}`);
  }
}

async function leaderOf(node: LocalNode): Promise<string> {
  return (await node.until("somebody leads", ({ leader }) => leader !== null)).leader ?? "";
}

Deno.test("leadership goes round, members go and come back under writes, nothing acknowledged is lost", async () => {
  const names = ["nodeA", "nodeB", "nodeC"];
  const cluster = new LocalCluster({ names, disk: false, watchdog: "process" });
  try {
    await cluster.form();
    const [a, b, c] = cluster.nodes as readonly [LocalNode, LocalNode, LocalNode];
    let present: readonly LocalNode[] = cluster.nodes;
    const writers = new Writers(() => present, 4);
    await writers.more(20);
    for (const name of ["nodeB", "nodeC", "nodeA"]) {
      const before = (await a.status())?.config.term ?? 0;
      assert.equal(await b.run("config", "transfer", name), name);
      assert.equal(await leaderOf(a), name);
      const after = await a.until("it follows", ({ config }) => config.term > before);
      assert.equal(after.config.term, before + 1, "one term for each");
      await writers.more(20);
    }
    // The leader itself is removed: it hands over first, and is told.
    present = [b, c];
    const leader = await leaderOf(b);
    assert.equal(leader, "nodeA");
    await b.run("config", "member", "remove", "nodeA");
    await writers.more(20);
    const left = await a.until("it knows", ({ nodes }) => !nodes.some(({ self }) => self));
    assert.match(JSON.stringify(left.streams), /removed from the cluster at index/);
    const status = await a.cli("status");
    assert.match(status.stdout, /this node was removed from the cluster/);
    assert.equal((await a.cli("config", "set", "x", "y")).code, 4);
    const { config: { term } } = await b.until("it goes on", ({ config }) => config.writable);
    // It leaves, comes back with a ticket, is caught up and votes.
    await a.run("leave");
    const ticket = await c.run("config", "member", "add");
    await a.run("join", "--ticket", ticket);
    await a.until(
      "it votes again",
      ({ nodes }) => nodes.find(({ self }) => self)?.role === "voter",
    );
    present = cluster.nodes;
    await writers.more(20);
    await writers.end();
    for (const node of cluster.nodes) await verify(node, writers.acknowledged);
    const list = JSON.parse(await b.run("config", "member", "list", "--json"));
    const ids = list.members.map(({ id }: { id: number }) => id);
    assert.deepEqual(ids.sort(), [2, 3, 4], "no number is given twice");
    const end = await b.until("it is whole", ({ config }) => config.writable);
    assert.equal(end.config.term, term, "who went and who came disturbed nobody");
  } finally {
    await cluster.close();
  }
});

Deno.test("a daemon that is told to stop hands over first: no election has to be waited for", async () => {
  const names = ["nodeA", "nodeB", "nodeC"];
  const cluster = new LocalCluster({ names, disk: false, watchdog: "process" });
  try {
    await cluster.form();
    const name = await leaderOf(cluster.node(0));
    const leader = cluster.nodes.find((node) => node.name === name);
    const others = cluster.nodes.filter((node) => node !== leader);
    const [other] = others;
    assert.ok(leader && other);
    const before = (await other.until("it follows", () => true)).config.term;
    const writers = new Writers(() => others, 2);
    await writers.more(5);
    await leader.api("POST", "/v1/shutdown", { body: "{}" }).catch(() => {});
    await writers.more(10);
    await writers.end();
    const after = await other.until("another leads", (status) => status.leader !== name);
    assert.equal(after.config.term, before + 1);
    await verify(other, writers.acknowledged);
  } finally {
    await cluster.close();
  }
});

Deno.test("who is left of a lost pair goes on alone by a person's word, and takes nothing by itself", async () => {
  const cluster = new LocalCluster({
    names: ["nodeA", "nodeB"],
    disk: false,
    watchdog: "process",
  });
  try {
    await cluster.form();
    const [a, b] = cluster.nodes as readonly [LocalNode, LocalNode];
    await a.run("config", "set", "before", "kept");
    assert.match((await a.cli("config", "force-single")).stderr, /config\.force-refused/);
    await a.run("ha", "add", "exec:sleep", "--command", "sleep 31416");
    const running = await a.until(
      "it runs",
      ({ resources }) => resources.some(({ state }) => state === "started"),
    );
    const owner = running.resources[0]?.node === "nodeA" ? a : b;
    const other = owner === a ? b : a;
    await owner.powerCut();
    await other.until("no quorum", ({ quorate }) => !quorate);
    const look = await other.cli("config", "force-single");
    assert.equal(look.code, 7);
    assert.match(look.stdout, new RegExp(`${owner.name} is out`));
    assert.equal((await other.cli("config", "set", "x", "y")).code, 4, "looking changes nothing");
    await other.run("config", "force-single", "--accept-risk=data-loss", "--reason", "it burnt");
    await other.until("it writes", ({ quorate, config }) => quorate && config.writable);
    await other.run("config", "set", "after", "x");
    assert.equal(await other.run("config", "get", "before"), "kept");
    const history = await other.run("config", "history", "--limit", "20");
    assert.match(history, /accept-risk=data-loss: it burnt/);
    const txn = /^(0x[0-9a-f]+)\t.*it burnt/m.exec(history)?.[1] ?? "";
    assert.match(await other.run("config", "show", txn), /ha\/out_nodes/);
    assert.deepEqual(other.pids("31416"), [], "it may run on the other one still");
    const waiting = await other.until(
      "it says so",
      ({ streams }) => streams.some(({ now }) => now.includes(`${owner.name} is confirmed dead`)),
    );
    assert.notEqual(waiting.resources[0]?.state, "started");
    await other.run("node", "confirm-dead", owner.name, "--yes");
    await other.until(
      "it runs here",
      ({ resources }) =>
        resources.some((each) => each.state === "started" && each.node === other.name),
    );
    // The one that was put out comes back, and must leave and join again.
    await owner.start();
    await owner.until(
      "it is told",
      ({ streams }) => streams.some(({ now }) => now.includes("says that this node was removed")),
    );
    assert.equal((await owner.cli("config", "set", "x", "y")).code, 4);
    await owner.run("leave");
    await owner.run("join", "--ticket", await other.run("config", "member", "add"));
    await owner.until(
      "it votes",
      ({ quorate, nodes }) => quorate && nodes.find(({ self }) => self)?.role === "voter",
    );
    assert.equal(await owner.run("config", "get", "after", "--read", "quorum"), "x");
  } finally {
    await cluster.close();
  }
});

Deno.test("what runs on a node moves away before it leaves, and nobody has to vouch for anything", async () => {
  const cluster = new LocalCluster({ names: ["nodeA", "nodeB"], disk: false, watchdog: "process" });
  try {
    await cluster.form();
    const [a] = cluster.nodes as readonly [LocalNode];
    await a.run("ha", "add", "exec:sleep", "--command", "sleep 31417");
    const running = await a.until(
      "it runs",
      ({ resources }) => resources.some(({ state }) => state === "started"),
    );
    const owner = cluster.nodes.find(({ name }) => name === running.resources[0]?.node);
    const other = cluster.nodes.find((node) => node !== owner);
    assert.ok(owner && other);
    assert.match((await a.cli("config", "member", "remove", owner.name)).stderr, /exec:sleep/);
    await owner.run("leave");
    assert.deepEqual(owner.pids("31417"), []);
    const { resources, nodes } = await other.until(
      "it runs there",
      (status) => status.resources.some((r) => r.state === "started" && r.node === other.name),
    );
    assert.deepEqual(resources.map(({ state }) => state), ["started"]);
    assert.deepEqual(nodes.map(({ name }) => name), [other.name]);
    assert.equal(other.pids("31417").length, 1);
    await other.run("config", "set", "alone", "x");
  } finally {
    await cluster.close();
  }
});
