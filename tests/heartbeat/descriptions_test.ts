/** By which descriptions votes are counted while not everybody knows of the newest one. */
import assert from "node:assert/strict";
import type { ClusterSpec } from "../../mod/base/cluster.ts";
import { nodeId } from "../../mod/base/id.ts";
import { instant } from "../../mod/base/time.ts";
import { Descriptions } from "../../mod/heartbeat/descriptions.ts";
import { HeartbeatCore } from "../../mod/heartbeat/core.ts";
import type { HeartbeatEffect } from "../../mod/heartbeat/events.ts";
import type { Position } from "../../mod/streams.ts";
import { reason } from "../../mod/base/reason.ts";
import { cluster, CLUSTER_KEY, life, member, TIMING } from "./world.ts";

const [A, B, C] = [nodeId(1), nodeId(2), nodeId(3)];
const PAIR = cluster(2, 1, true);
const THREE = cluster(3);
const TURN = { forced: false, witnessHeld: false };

/** How many descriptions each of these leaves in force, from one to the next. */
const TABLE: readonly (readonly [string, readonly ClusterSpec[], number])[] = [
  ["a third voter in the place of the witness", [PAIR, THREE], 2],
  ["the witness in the place of a third voter", [THREE, PAIR], 2],
  ["a fourth voter", [THREE, cluster(4)], 2],
  ["the fourth one goes", [cluster(4), THREE], 2],
  ["a second one beside a lone one", [cluster(1), cluster(2)], 1],
  ["a witness for a pair", [cluster(2), PAIR], 1],
  ["one of a pair with a witness goes", [PAIR, cluster(1)], 1],
  ["one of a pair goes", [cluster(2), cluster(1)], 1],
  ["another name", [THREE, { ...THREE, name: "other" }], 1],
  ["two changes that nobody else knows of", [THREE, cluster(4), cluster(5)], 3],
];

for (const [name, specs, expected] of TABLE) {
  Deno.test(`descriptions in force: ${name}`, () => {
    const [first] = specs as readonly [ClusterSpec];
    const descriptions = new Descriptions(A, first);
    specs.forEach((spec, at) => descriptions.set(spec, 10 * (at + 1), TURN));
    assert.equal(descriptions.inForce.length, expected);
    for (const id of [B, C, nodeId(4), nodeId(5)]) descriptions.hear(id, 10 * specs.length - 1);
    assert.equal(descriptions.inForce.length, expected, "who knows less knows nothing of it");
    for (const id of [B, C, nodeId(4), nodeId(5)]) descriptions.hear(id, 10 * specs.length);
    assert.deepEqual(descriptions.inForce, [specs.at(-1)]);
  });
}

Deno.test("a life goes by nothing older than what it begins with, and a person's word ends it", () => {
  const descriptions = new Descriptions(A, PAIR);
  descriptions.set(THREE, 20, TURN);
  assert.deepEqual(descriptions.inForce, [THREE]);
  descriptions.set(PAIR, 30, TURN);
  assert.equal(descriptions.inForce.length, 2);
  descriptions.set(cluster(1), 40, { ...TURN, forced: true });
  assert.deepEqual(descriptions.inForce, [cluster(1)]);
});

Deno.test("whose hand has the witness's vote, and who comes, go by the new one at once", () => {
  const alone = new Descriptions(A, PAIR);
  alone.set(PAIR, 10, TURN);
  // The other one of the pair is dead, or cut off: it has not this vote.
  alone.set(THREE, 20, { ...TURN, witnessHeld: true });
  assert.deepEqual(alone.inForce, [THREE]);
  const third = new Descriptions(C, PAIR);
  third.set(PAIR, 10, TURN);
  third.set(THREE, 20, TURN);
  assert.deepEqual(third.inForce, [THREE]);
});

Deno.test("enough of the old voters know of it: the others can do nothing by the old one", () => {
  const descriptions = new Descriptions(A, cluster(5));
  descriptions.set(cluster(5), 10, TURN);
  descriptions.set(cluster(4), 20, TURN);
  assert.equal(descriptions.inForce.length, 2);
  descriptions.hear(B, 20);
  assert.equal(descriptions.inForce.length, 2, "three of five do not know");
  descriptions.hear(C, 21);
  assert.equal(descriptions.inForce.length, 1, "the other two are no majority");
});

Deno.test("what stands in the log beside it counts as well, and no more once it is gone", () => {
  const descriptions = new Descriptions(B, PAIR);
  descriptions.set(PAIR, 10, TURN);
  descriptions.setOpen([THREE]);
  assert.deepEqual(descriptions.inForce, [PAIR, THREE]);
  descriptions.setOpen([]);
  assert.deepEqual(descriptions.inForce, [PAIR]);
});

Deno.test("who has not committed the last change of votes is behind; another name is none", () => {
  const descriptions = new Descriptions(A, THREE);
  descriptions.set(THREE, 10, TURN);
  assert.ok(descriptions.isBehind(9), "what was changed before its life is not known");
  assert.ok(!descriptions.isBehind(10));
  descriptions.set({ ...THREE, name: "other" }, 20, TURN);
  assert.ok(!descriptions.isBehind(10));
  descriptions.set(cluster(4), 30, TURN);
  assert.ok(descriptions.isBehind(29) && !descriptions.isBehind(30));
  assert.ok(!descriptions.isBehind(0), "who recovers goes by what its seal holds");
});

/** A pair with a witness that becomes three, as one of the pair sees it. */
class Side {
  readonly core: HeartbeatCore;
  readonly told: HeartbeatEffect[] = [];

  constructor(id: number) {
    const self = nodeId(id);
    const spec = PAIR;
    this.core = new HeartbeatCore(
      { self, boot: life(id), clusterKey: CLUSTER_KEY, spec, profile: spec.profile },
      instant(0),
    );
    this.learn(PAIR, 5);
  }

  learn(spec: ClusterSpec, index: number): void {
    this.step({ kind: "fact", fact: { fact: "config.spec", spec, index } }, 0);
    const position: Position = {
      ...{ term: 1, leader: A, committed: index, applied: index, crc32: 0, writable: false },
    };
    const because = reason("heartbeat.view", {
      ...{ epoch: 1, members: "", present: 1, expected: 1, needed: 1 },
    });
    this.step({ kind: "fact", fact: { fact: "config.position", position, because } }, 0);
  }

  step(event: Parameters<HeartbeatCore["step"]>[0], now: number): readonly HeartbeatEffect[] {
    const effects = this.core.step(event, instant(now));
    this.told.push(...effects);
    return effects;
  }

  get quorate(): boolean {
    const views = this.told.flatMap((each) =>
      each.kind === "tell" && each.fact.fact === "heartbeat.view" ? [each.fact.view.quorate] : []
    );
    return views.at(-1) ?? false;
  }
}

/** One beat period: each of these beats, and is heard by the others of its group. */
function beat(groups: readonly (readonly Side[])[], now: number): void {
  for (const group of groups) {
    for (const from of group) {
      for (const effect of from.step({ kind: "tick" }, now)) {
        if (effect.kind !== "datagram") continue;
        const to = group.find((each) => each !== from && effect.to.startsWith(addressOf(each)));
        to?.step({ kind: "datagram", link: effect.link, bytes: effect.bytes }, now);
      }
    }
  }
}

const ADDRESSES = new Map<Side, string>();
function addressOf(side: Side): string {
  return ADDRESSES.get(side) ?? "?";
}

Deno.test("who was cut off with the witness before it knew, and who went on with a third, are not both quorate", () => {
  const sides = [1, 2, 3].map((id) => {
    const side = new Side(id);
    const [link = ""] = member(id).links;
    ADDRESSES.set(side, link);
    return side;
  });
  const [a, b, c] = sides as [Side, Side, Side];
  let now = 0;
  const run = (groups: readonly (readonly Side[])[], periods: number) => {
    for (let at = 0; at < periods; at++) beat(groups, now += TIMING.beatMs);
  };
  run([[a, b]], 4);
  assert.ok(a.quorate && b.quorate);
  // The change is committed by all; nodeA and the third hear of it, nodeB is cut off with the disk.
  a.learn(THREE, 10);
  c.learn(THREE, 10);
  b.step({ kind: "fact", fact: { fact: "storage.witness", held: true } as never }, now);
  run([[a, c], [b]], 20);
  assert.ok(b.quorate, "it goes on by what it knows");
  assert.ok(!a.quorate && a.told.length > 0, "so the others must not");
  // It is heard again, and hears of the change.
  b.step({ kind: "fact", fact: { fact: "storage.witness", held: false } as never }, now);
  b.learn(THREE, 10);
  run([[a, b, c]], 20);
  assert.ok(a.quorate && b.quorate && c.quorate);
  run([[a, c], [b]], 20);
  assert.ok(a.quorate && !b.quorate, "by the new one alone");
});
