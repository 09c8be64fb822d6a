/** Addresses that move, between nodes in network namespaces, seen by a neighbour in a third. */
import assert from "node:assert/strict";
import { fromHex } from "../../mod/base/bytes.ts";
import { resourceId } from "../../mod/base/id.ts";
import { parseIp } from "../../mod/base/ip.ts";
import { boottime } from "../../mod/host/ffi/pidfd.ts";
import { pause } from "../../mod/host/linux/process_hunt.ts";
import type { IpAction } from "../../mod/ha/agents/action.ts";
import { Namespaces, namespacesMissing } from "../../scripts/namespaces.ts";
import { AgentNode, Helper, must } from "./agent_world.ts";

const MISSING = await namespacesMissing();
if (MISSING !== null) console.log(`skipped: ${MISSING}`);

const VIP = resourceId("ip:vip");
const NEIGHBOUR = 2;

/** Two owners and a neighbour. */
class Stage {
  readonly network: Namespaces;
  readonly nodes: readonly [AgentNode, AgentNode];
  readonly #helpers: Helper[] = [];

  private constructor(network: Namespaces) {
    this.network = network;
    this.nodes = [
      new AgentNode(network.prefix(0)).boot(),
      new AgentNode(network.prefix(1)).boot(),
    ];
  }

  static async make(): Promise<Stage> {
    const network = await Namespaces.make(3);
    for (let at = 0; at < 3; at++) {
      const add = ["ip", "-6", "address", "add", `fd00:1::${at + 1}/64`, "dev", "eth0", "nodad"];
      await must(...network.prefix(at), ...add);
    }
    return new Stage(network);
  }

  /** The fifth address of the nodes' network, as a resource wants it. */
  action(family: 4 | 6, more: Partial<IpAction> = {}): IpAction {
    const address = family === 6 ? "fd00:1::99" : this.network.address(98);
    return { kind: "ip", address, prefix: null, interface: null, probe: true, ...more };
  }

  async has(at: number, address: string): Promise<boolean> {
    const text = await must(...this.network.prefix(at), "ip", "-o", "address", "show");
    return text.includes(` ${address}/`);
  }

  async mac(at: number): Promise<string> {
    const [, mac = ""] = /link\/ether (\S+)/.exec(
      await must(...this.network.prefix(at), "ip", "link", "show", "eth0"),
    ) ??
      [];
    return mac;
  }

  /** Whom the neighbour takes for the holder. */
  async cached(address: string): Promise<string | null> {
    const show = ["ip", "neighbour", "show", "to", address, "dev", "eth0"];
    const text = await must(...this.network.prefix(NEIGHBOUR), ...show);
    return /lladdr (\S+)/.exec(text)?.[1] ?? null;
  }

  async helper(at: number, ...args: string[]): Promise<Helper> {
    const helper = new Helper(this.network.prefix(at), args);
    this.#helpers.push(helper);
    assert.equal(await helper.line(), "ready");
    return helper;
  }

  /** What the neighbour hears from whoever has the address. */
  async ask(address: string): Promise<string> {
    const url = address.includes(":") ? `[${address}]` : address;
    const script = `const c = await Deno.connect({ hostname: "${
      url.replace(/[[\]]/g, "")
    }", port: 7000 });
      console.log((await new Response(c.readable).text()).trim());`;
    const run = [Deno.execPath(), "eval", script];
    return (await must(...this.network.prefix(NEIGHBOUR), ...run)).trim();
  }

  async close(): Promise<void> {
    for (const helper of this.#helpers) await helper.close();
    for (const node of this.nodes) await node.close();
    await this.network.close();
  }
}

function test(name: string, body: (stage: Stage) => Promise<void>): void {
  Deno.test({
    name,
    ignore: MISSING !== null,
    fn: async () => {
      const stage = await Stage.make();
      try {
        await body(stage);
      } finally {
        await stage.close();
      }
    },
  });
}

for (const family of [4, 6] as const) {
  test(`an IPv${family} address that moves is known to a neighbour that remembers the old holder`, async (stage) => {
    const action = stage.action(family);
    const { address } = action;
    const [a, b] = stage.nodes;
    assert.deepEqual(await a.start(VIP, action), { kind: "done", tag: 1, failure: null });
    assert.ok(await stage.has(0, address));
    assert.deepEqual(await a.health(VIP, action), { state: "running" });
    await stage.helper(0, "serve", address, "7000", "nodeA");
    assert.equal(await stage.ask(address), "nodeA");
    assert.equal(await stage.cached(address), await stage.mac(0));
    const capture = await stage.helper(NEIGHBOUR, "capture");
    assert.equal((await a.stop(VIP)).failure, null);
    assert.equal(await stage.has(0, address), false);
    assert.equal((await b.start(VIP, action)).failure, null);
    // It learns that from what is announced, before it asks anything.
    while (await stage.cached(address) !== await stage.mac(1)) await pause(20);
    await stage.helper(1, "serve", address, "7000", "nodeB");
    assert.equal(await stage.ask(address), "nodeB");
    await sees(capture, { address, mac: await stage.mac(1) });
  });

  test(`an IPv${family} address that somebody has is refused, with who it is`, async (stage) => {
    const action = stage.action(family);
    const { address } = action;
    const length = family === 4 ? 24 : 64;
    const add = ["ip", "address", "add", `${address}/${length}`, "dev", "eth0"];
    await must(...stage.network.prefix(NEIGHBOUR), ...add, ...(family === 6 ? ["nodad"] : []));
    const [a] = stage.nodes;
    const { failure, scope } = await a.start(VIP, action);
    const words = `${address} is in use: ${await stage.mac(NEIGHBOUR)} answers for it on "eth0"`;
    assert.equal(failure, words);
    assert.equal(scope, "once");
    assert.equal(await stage.has(0, address), false);
    assert.deepEqual(a.held(), []);
    // By a proof that its holder can write no more it is taken all the same.
    const forced = stage.action(family, { probe: false });
    assert.equal((await a.start(VIP, forced)).failure, null);
    assert.ok(await stage.has(0, address));
  });

  test(`the keeper takes an IPv${family} address away when the guard ends, though the daemon hangs`, async (stage) => {
    const action = stage.action(family);
    const [a] = stage.nodes;
    assert.equal((await a.start(VIP, action)).failure, null);
    await a.guard(boottime() + 300);
    await a.list();
    a.signal("SIGSTOP");
    while (await stage.has(0, action.address)) await pause(20);
    while (a.held().length > 0) await pause(20);
    a.signal("SIGCONT");
  });
}

test("an address is kept through a crash of the daemon, and stopped by the next one", async (stage) => {
  const action = stage.action(4);
  const [a] = stage.nodes;
  assert.equal((await a.start(VIP, action)).failure, null);
  await a.crash();
  a.boot();
  assert.deepEqual(await a.list(), [VIP]);
  assert.ok(await stage.has(0, action.address));
  // What the definition says by now does not matter: what was started is stopped.
  const moved = stage.action(4, { address: stage.network.address(120) });
  assert.deepEqual(await a.health(VIP, moved), { state: "running" });
  assert.equal((await a.stop(VIP)).failure, null);
  assert.equal(await stage.has(0, action.address), false);
  assert.deepEqual(await a.list(), []);
});

test("a monitor tells an address that was taken away, and a link that is down", async (stage) => {
  const action = stage.action(4);
  const { address } = action;
  const [a] = stage.nodes;
  const ip = (...words: string[]) => must(...stage.network.prefix(0), "ip", ...words);
  assert.equal((await a.start(VIP, action)).failure, null);
  await ip("link", "set", "eth0", "down");
  const down = await a.health(VIP, action);
  assert.deepEqual(down, { state: "failed", why: 'the link of "eth0" is down' });
  await ip("link", "set", "eth0", "up");
  await ip("address", "del", `${address}/24`, "dev", "eth0");
  const gone = await a.health(VIP, action);
  assert.deepEqual(gone, { state: "failed", why: `"eth0" has no ${address}` });
  assert.equal((await a.stop(VIP)).failure, null);
});

test("an address that belongs to no network here is refused, unless an interface is named", async (stage) => {
  const [a] = stage.nodes;
  const strange = stage.action(4, { address: "192.0.2.7" });
  const { failure, scope } = await a.start(VIP, strange);
  assert.match(failure ?? "", /no interface here has an address of the network of 192\.0\.2\.7/);
  assert.equal(scope, "node");
  const absent = await a.start(VIP, { ...strange, interface: "eth9" });
  assert.match(absent.failure ?? "", /there is no interface "eth9"/);
  assert.equal((await a.start(VIP, { ...strange, interface: "eth0" })).failure, null);
  assert.ok(await stage.has(0, "192.0.2.7"));
});

test("nothing is added without the guard", async (stage) => {
  const action = stage.action(4);
  const [a] = stage.nodes;
  await a.guard(0);
  assert.match((await a.start(VIP, action)).failure ?? "", /guard|killed/);
  assert.equal(await stage.has(0, action.address), false);
});

/** Waits for announcements of every form that there is for the address. */
async function sees(
  capture: Helper,
  { address, mac }: { address: string; mac: string },
): Promise<void> {
  const ip = [...parseIp(address) ?? []];
  const own = mac.split(":").map((part) => Number.parseInt(part, 16));
  const forms = new Map<string, number>();
  const wanted = ip.length === 4 ? ["1", "2"] : ["136"];
  while (wanted.some((form) => (forms.get(form) ?? 0) < 5)) {
    const frame = [...fromHex(await capture.line()) ?? []];
    const from = frame.slice(6, 12);
    if (String(from) !== String(own)) continue;
    const v4 = ip.length === 4 && String(frame.slice(28, 32)) === String(ip) &&
      String(frame.slice(38, 42)) === String(ip);
    const v6 = ip.length === 16 && frame[54] === 136 && String(frame.slice(62, 78)) === String(ip);
    if (!v4 && !v6) continue;
    const form = v4 ? String(frame[21]) : "136";
    forms.set(form, (forms.get(form) ?? 0) + 1);
    if (v6) assert.equal(frame[21], 255, "hop limit");
  }
}
