/** The cluster's key is renewed while the cluster runs, in virtual time: with nothing wrong, and with much. */
import assert from "node:assert/strict";
import { toHex } from "../../mod/base/bytes.ts";
import { requestId } from "../../mod/base/id.ts";
import { Prng } from "../../mod/base/prng.ts";
import {
  KEY_FILE,
  keyId,
  type KeyNote,
  noteAfter,
  offerOf,
  printNote,
  readNote,
  waitingFor,
} from "../../mod/join/mod.ts";
import { SimCluster, type SimNode } from "../../mod/sim/cluster.ts";
import type { Fact, Operation } from "../../mod/streams.ts";

const NEXT = new Uint8Array(32).fill(0x5a);
const NONCE = new Uint8Array(12).fill(3);

/** A cluster, and a person who renews its key through whichever member answers. */
class Renewed {
  readonly cluster: SimCluster;
  readonly facts: { readonly node: string; readonly fact: Fact }[] = [];
  readonly #prng: Prng;

  constructor(seed: number, nodes: number) {
    this.#prng = new Prng(seed + 1);
    this.cluster = new SimCluster(seed, {
      shape: { nodes, witness: false, profile: "fast" },
      options: {},
      events: {
        onFact: (node, fact) => this.facts.push({ node: node.name, fact }),
        onSaying: () => {},
        onLife: () => {},
      },
    });
    this.cluster.bootAll();
    this.until("somebody leads", () => this.leader() !== null);
  }

  leader(): SimNode | null {
    return this.cluster.nodes.find(({ runtime }) =>
      runtime?.node.config.view().role === "leader" && runtime.board.view?.quorate === true
    ) ?? null;
  }

  until(what: string, wanted: () => boolean, limitMs = 120_000): void {
    const end = this.cluster.world.now + limitMs;
    while (!wanted()) {
      assert.ok(this.cluster.world.next() <= end, what);
      this.cluster.world.step();
    }
  }

  run(ms: number): void {
    this.cluster.world.runUntil(this.cluster.world.now + ms);
  }

  note(): KeyNote | null {
    return readNote(this.leader()?.runtime?.node.config.read(KEY_FILE) ?? null);
  }

  /** One look, as `pentad join renew-key` has a member take it. */
  push(next = NEXT): void {
    const runtime = this.leader()?.runtime;
    if (runtime === undefined || runtime === null) return;
    const { config, join } = runtime.node;
    const note = readNote(config.read(KEY_FILE));
    if (note === null || (note.stage === "done" && note.id !== keyId(next))) {
      return this.#write(runtime, offerOf(next, join.keys.clusterKey, NONCE));
    }
    if (note.stage === "done") return;
    const waiting = waitingFor(note, runtime.spec, (path) => config.read(path));
    if (waiting.length === 0) this.#write(runtime, noteAfter(note));
  }

  #write(runtime: NonNullable<SimNode["runtime"]>, note: KeyNote): void {
    const { config } = runtime.node;
    const path = KEY_FILE;
    const version = config.stat(path)?.version ?? 0;
    const folder = config.stat("priv") === null;
    const operations: Operation[] = [
      ...(folder ? [{ op: "mkdir", path: "priv" } as const] : []),
      version === 0 ? { op: "create", path } : { op: "truncate", path, size: 0 },
      { op: "write", path, offset: 0, data: printNote(note) },
    ];
    const transaction = {
      request: requestId(toHex(this.#prng.bytes(8))),
      base: config.applied,
      expect: [{ path, version }],
      operations,
      ...{ author: "root", reason: "", time: 0 },
    };
    runtime.request({ request: "config.propose", tag: "api:push", transaction });
  }

  /** Every member that runs has this key and no other. */
  settled(key: Uint8Array): boolean {
    return this.cluster.nodes.every(({ runtime }) => {
      const keys = runtime?.node.join.keys;
      return keys !== undefined && !keys.otherKey && keyId(keys.clusterKey) === keyId(key);
    });
  }

  quiet(): boolean {
    const { nodes } = this.cluster;
    return this.leader() !== null &&
      nodes.every(({ runtime }) =>
        runtime?.board.view?.online.length === nodes.length &&
        runtime.node.config.applied === this.leader()?.runtime?.node.config.applied
      );
  }

  renew(next = NEXT): void {
    for (let looks = 0; !this.settled(next); looks++) {
      assert.ok(looks < 600, `renewed: ${JSON.stringify(this.note())}`);
      this.push(next);
      this.run(200);
    }
  }
}

Deno.test("a key is renewed without a beat that is missed, a session that is missed, an election", () => {
  const renewed = new Renewed(1, 3);
  renewed.until("all are there", () => renewed.quiet());
  const { term } = renewed.leader()?.runtime?.node.config.view() ?? assert.fail();
  renewed.facts.length = 0;
  renewed.renew();
  renewed.run(5000);
  assert.ok(renewed.quiet());
  assert.equal(
    renewed.leader()?.runtime?.node.config.view().term,
    term,
    "nobody had to be elected",
  );
  const states = renewed.facts.flatMap(({ fact }) =>
    fact.fact === "heartbeat.member" ? [fact.health.state] : []
  );
  assert.deepEqual([...new Set(states)], ["online"]);
  for (const { runtime } of renewed.cluster.nodes) {
    assert.equal(runtime?.node.heartbeat.view().refused.seal, 0, "every beat could be opened");
  }
  // And once more, on top of it.
  const third = new Uint8Array(32).fill(0x17);
  renewed.renew(third);
  assert.ok(renewed.settled(third));
});

Deno.test("who has the old key only is heard by nobody once it is done, and says why", () => {
  const renewed = new Renewed(2, 3);
  renewed.until("all are there", () => renewed.quiet());
  const stale = renewed.cluster.node(2);
  const image = stale.keys;
  renewed.renew();
  // Its host comes back as it was before: with the key of then.
  stale.host.powerCut(null);
  stale.keys = image;
  stale.host.powerOn();
  renewed.run(10_000);
  const [first] = renewed.cluster.nodes;
  assert.ok((first?.runtime?.node.heartbeat.view().refused.seal ?? 0) > 0);
  assert.ok(!first?.runtime?.board.view?.online.includes(stale.id));
  assert.ok(!stale.runtime?.board.view?.quorate, "and it can do nothing");
  assert.equal(first?.runtime?.board.view?.quorate, true, "the others go on");
});

Deno.test("a member that is off keeps the renewal waiting, and the old key is good until it is back", () => {
  const renewed = new Renewed(3, 3);
  renewed.until("all are there", () => renewed.quiet());
  const off = renewed.cluster.node(2);
  off.host.powerCut(null);
  for (let looks = 0; looks < 50; looks++) {
    renewed.push();
    renewed.run(200);
  }
  assert.equal(renewed.note()?.stage, "offer");
  off.host.powerOn();
  renewed.renew();
  renewed.until("all are there again", () => renewed.quiet());
});

Deno.test("crashes, power cuts and cut links at any time: the renewal ends, and everybody is there", () => {
  for (let seed = 100; seed < 140; seed++) {
    const nodes = seed % 2 === 0 ? 3 : 2;
    const renewed = new Renewed(seed, nodes);
    const prng = new Prng(seed);
    const { cluster } = renewed;
    for (let round = 0; round < 60; round++) {
      const node = cluster.node(prng.between(0, nodes - 1));
      const dice = prng.between(0, 9);
      if (dice === 0 && node.host.alive) node.host.crashDaemonAfter(prng.between(0, 40));
      if (dice === 1 && node.host.powered) node.host.powerCut();
      if (dice === 2) {
        const [from, to] = [node.host.index, prng.between(0, nodes - 1)];
        if (from !== to) cluster.site.network.cut({ from, to });
      }
      if (dice === 3) cluster.site.network.heal();
      renewed.push();
      renewed.run(prng.between(1, 400));
    }
    cluster.site.network.heal();
    for (const node of cluster.nodes) if (!node.host.powered) node.host.powerOn();
    renewed.renew();
    renewed.until(`seed ${seed}: all are there`, () => renewed.quiet());
  }
});
