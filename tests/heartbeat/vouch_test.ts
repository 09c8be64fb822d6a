/**
 * The property that all proofs of death rest on, tried on random histories: where a node says for how
 * long a majority had nothing from another, nothing that any life of that other one sent in that time
 * had been proven to it by then. "By then" is at most `deadMs` ago, the age of the oldest report that
 * counts.
 *
 * So who waits until the silence is a lease and a watchdog long waits long enough.
 */
import assert from "node:assert/strict";
import fc from "fast-check";
import { nodeId } from "../../mod/base/id.ts";
import { type Instant, instant } from "../../mod/base/time.ts";
import { cluster, life, type Node, type Packet, SEED, TIMING, World } from "./world.ts";

const { beatMs, deadMs } = TIMING;

const NODE = fc.integer({ min: 1, max: 4 });
const WAY = fc.tuple(NODE, NODE);
const ACTION = fc.oneof(
  fc.record({ act: fc.constant("cut" as const), ways: fc.array(WAY, { maxLength: 6 }) }),
  fc.record({ act: fc.constant("mend" as const) }),
  fc.record({ act: fc.constant("isolate" as const), node: NODE }),
  fc.record({ act: fc.constant("kill" as const), node: NODE }),
  fc.record({ act: fc.constant("start" as const), node: NODE }),
  fc.record({ act: fc.constant("suspend" as const), node: NODE }),
  fc.record({ act: fc.constant("resume" as const), node: NODE }),
  fc.record({ act: fc.constant("replay" as const), to: NODE, back: fc.nat(300) }),
  fc.record({ act: fc.constant("pulse" as const), of: NODE, by: NODE }),
);
type Action = typeof ACTION extends fc.Arbitrary<infer T> ? T : never;
const STEP = fc.tuple(ACTION, fc.constantFrom(10, beatMs / 2, 3 * beatMs, deadMs, 2 * deadMs));

/** Every claim of every life ran against every proof of every other. */
class History {
  readonly world: World;
  readonly #lives = new Map<number, number>();
  readonly #all: Node[] = [];
  readonly #proofs = new Map<number, { readonly at: number; readonly provenAt: number }[]>();
  readonly #read = new Map<Node, number>();
  /** Pulses that were read, by whom and when they were issued: the echo follows. */
  #echoes: { readonly of: Node; readonly by: number; readonly issuedAt: Instant }[] = [];
  claims = 0;

  constructor(nodes: number) {
    this.world = new World(cluster(nodes));
    for (const { id } of this.world.spec.members) this.start(id);
    this.run(10 * beatMs);
  }

  start(id: number): void {
    const nth = (this.#lives.get(id) ?? 0) + 1;
    this.#lives.set(id, nth);
    this.#all.push(this.world.start(id, nth));
  }

  alive(id: number): Node | null {
    const node = this.world.running(id);
    return node === undefined || node.suspended ? null : node;
  }

  /** `by` reads the pulse that `of` writes now; `of` reads the echo some time later. */
  pulse(of: number, by: number): void {
    const [writer, reader] = [this.alive(of), this.alive(by)];
    if (writer === null || reader === null || of === by) return;
    const seenAt = instant(this.world.now);
    const { boot } = writer;
    this.world.fact(by, {
      fact: "storage.pulse",
      ...{ node: nodeId(of), boot, seenAt, words: "none", diskLocks: 0 },
    });
    this.#echoes.push({ of: writer, by, issuedAt: seenAt });
  }

  run(ms: number): void {
    for (let left = ms; left > 0; left -= beatMs / 2) {
      this.world.run(Math.min(left, beatMs / 2));
      for (const { of, by, issuedAt } of this.#echoes.splice(0)) {
        if (this.alive(of.id) !== of) continue;
        this.world.fact(of.id, { fact: "storage.echo", by: nodeId(by), issuedAt });
      }
      this.#check();
    }
  }

  #check(): void {
    for (const node of this.#all) {
      const from = this.#read.get(node) ?? 0;
      this.#read.set(node, node.facts.length);
      for (const fact of node.facts.slice(from)) {
        if (fact.fact !== "heartbeat.proof") continue;
        const proofs = this.#proofs.get(node.id) ?? [];
        proofs.push({ at: fact.at, provenAt: fact.provenAt });
        this.#proofs.set(node.id, proofs);
      }
      for (const fact of node.facts.slice(from)) {
        if (fact.fact !== "heartbeat.member") continue;
        const { node: of, vouched, lastHeard } = fact.health;
        const silence = vouched - lastHeard;
        if (silence <= deadMs) continue;
        this.claims++;
        const since = fact.at - silence;
        for (const { at, provenAt } of this.#proofs.get(of) ?? []) {
          const refuted = at <= fact.at - deadMs && provenAt > since;
          const what = `at ${fact.at} node ${node.id} says that node ${of} was silent since ` +
            `${since}; at ${at} its beat of ${provenAt} was proven`;
          assert.ok(!refuted, what);
        }
      }
    }
  }
}

function perform(history: History, action: Action): void {
  const { world } = history;
  switch (action.act) {
    case "cut":
      return world.cut(...action.ways);
    case "mend":
      return world.mend();
    case "isolate": {
      const others = world.spec.members.map(({ id }) => id);
      return world.cut(...others.flatMap((id) => [[id, action.node], [action.node, id]] as const));
    }
    case "kill":
      return world.kill(action.node);
    case "start":
      return history.start(action.node);
    case "suspend": {
      const node = history.alive(action.node);
      if (node !== null) node.suspended = true;
      return;
    }
    case "resume":
      return world.running(action.node)?.suspended === true ? world.resume(action.node) : undefined;
    case "replay": {
      const packets: Packet[] = world.recorded.filter(({ to }) => to === action.to);
      return world.inject(packets.slice(-action.back - 1).slice(0, 20));
    }
    case "pulse":
      return history.pulse(action.of, action.by);
  }
}

Deno.test("what a majority vouches for is true: nothing newer was proven by then", () => {
  let claims = 0;
  fc.assert(
    fc.property(
      fc.constantFrom(3, 4),
      fc.array(STEP, { minLength: 10, maxLength: 40, size: "max" }),
      (nodes, steps) => {
        const history = new History(nodes);
        for (const [action, ms] of steps) {
          if ("node" in action && action.node > nodes) continue;
          perform(history, action);
          history.run(ms);
        }
        claims += history.claims;
      },
    ),
    { seed: SEED, numRuns: 120 },
  );
  assert.ok(claims > 4000, `${claims} claims were tried`);
});

Deno.test("the property sees a claim that is false", () => {
  const history = new History(3);
  const three = history.alive(3);
  assert.ok(three !== null);
  history.world.kill(3);
  history.run(2 * deadMs);
  // As if its life had gone on, and somebody had kept its beats to himself.
  const at = history.world.now - deadMs - beatMs;
  three.facts.push({ fact: "heartbeat.proof", provenAt: instant(at), at });
  assert.throws(() => history.run(beatMs), /says that node 3 was silent since/);
  assert.equal(three.boot, life(3));
});
