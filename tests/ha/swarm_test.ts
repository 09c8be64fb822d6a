/**
 * Stream 3 alone under any order of things: nodes are cut off, begin anew, fail to stop; the
 * manager's letters are held up and arrive when they like. Nothing ever runs twice, and in the end
 * everything runs where it is wanted.
 */
import assert from "node:assert/strict";
import fc from "fast-check";
import { nodeId, resourceId } from "../../mod/base/id.ts";
import { EPOCH, NEVER } from "../../mod/base/time.ts";
import { Desk, type Letter, TIMING } from "./desk.ts";

const WEB = resourceId("exec:web");
const NODES = 3;
/** A node by number, or `null` for the one that runs the resource. */
const node = fc.oneof(fc.nat(NODES - 1), fc.constant(null));

const happening = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      do: fc.constant("run" as const),
      beats: fc.oneof(
        fc.integer({ min: 1, max: 3 }),
        // About as long as it takes to be DOWN, and to be counted dead.
        fc.integer({ min: 6, max: 8 }),
        fc.integer({ min: 19, max: 24 }),
      ),
      // With the post on strike letters pile up, to be held or to arrive at the next run.
      post: fc.integer({ min: 0, max: 3 }).map((one) => one > 0),
    }),
  },
  { weight: 3, arbitrary: fc.record({ do: fc.constant("toggle" as const), node }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant("restart" as const), node }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant("reboot" as const), node }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant("fail" as const), node }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant("stick" as const), node }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constant("hold" as const), node }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constant("deliver" as const) }) },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constant("define" as const),
      what: fc.constantFrom("state started", "state stopped", "state ignored", "removed"),
    }),
  },
  { weight: 2, arbitrary: fc.record({ do: fc.constant("migrate" as const), node }) },
  {
    weight: 1,
    arbitrary: fc.record({ do: fc.constant("maintenance" as const), node, on: fc.boolean() }),
  },
  { weight: 3, arbitrary: fc.record({ do: fc.constant("confirm" as const), node }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("shutdown" as const), node }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("forget" as const) }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant("disarm" as const) }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constant("arm" as const) }) },
  // A hand in the tree.
  {
    weight: 1,
    arbitrary: fc.record({
      do: fc.constant("mode" as const),
      text: fc.constantFrom("disarmed\n", "arming\n", "odd", null),
    }),
  },
);
type Happening = typeof happening extends fc.Arbitrary<infer T> ? T : never;

const NAMES = ["nodeA", "nodeB", "nodeC"];

class Swarm {
  readonly desk = new Desk(NODES);
  readonly #held: Letter[] = [];

  constructor() {
    this.desk.run(2000);
    this.desk.define("max_restart 1");
    this.desk.run(1000);
  }

  happen(what: Happening): void {
    const { desk } = this;
    const owner = desk.nodes.findIndex((each) => each.running.has(WEB));
    const at = "node" in what ? what.node ?? Math.max(0, owner) : 0;
    switch (what.do) {
      case "run":
        return desk.run(what.beats * TIMING.beatMs, what.post);
      case "toggle":
        desk.node(at).joined = !desk.node(at).joined;
        return this.#lead();
      case "restart":
        return void desk.restart(at);
      case "reboot":
        desk.node(at).running.clear();
        // The keeper goes with its host.
        desk.node(at).keeper.until = EPOCH;
        return void desk.restart(at);
      case "fail": {
        const node = desk.node(at);
        if (!node.running.delete(WEB)) return;
        return desk.feed(node, { kind: "exited", id: WEB, how: "exit status 1" });
      }
      case "stick":
        return this.#stick(at);
      case "hold":
        for (const letter of desk.letters.splice(0)) this.#held.push(letter);
        return;
      case "deliver": {
        const letter = this.#held.shift();
        if (letter !== undefined) desk.commit(letter);
        return;
      }
      case "define":
        return what.what === "removed"
          ? desk.write("ha/resources.cfg", "")
          : desk.define(what.what);
      case "migrate":
        return desk.write("ha/crm_commands", `migrate exec:web ${NAMES[at]}\n`);
      case "maintenance": {
        const state = what.on ? "on" : "off";
        return desk.write("ha/crm_commands", `maintenance ${NAMES[at]} ${state}\n`);
      }
      case "confirm":
        // A person looks first: nothing ends what runs there without a guard.
        if (desk.node(at).keeper.until === NEVER && desk.node(at).running.size > 0) return;
        return desk.write("ha/crm_commands", `confirm-dead ${NAMES[at]}\n`);
      case "shutdown": {
        const request = { request: "ha.shutdown", tag: "api:1" } as const;
        return desk.feed(desk.node(at), { kind: "request", request });
      }
      case "forget":
        return desk.forget();
      case "arm":
      case "disarm":
        return desk.write("ha/crm_commands", `${what.do}\n`);
      case "mode":
        // Who takes both away says of everybody that nobody runs anything.
        if (what.text !== null || desk.has("ha/disarmed")) desk.write("ha/disarmed", what.text);
        return;
    }
  }

  /** Everything is mended; says what does not come to rest. */
  heal(): string {
    const { desk } = this;
    for (const letter of this.#held.splice(0)) desk.commit(letter);
    for (let at = 0; at < NODES; at++) {
      desk.node(at).joined = true;
      if (desk.node(at).holdStops) this.#stick(at);
      desk.restart(at);
    }
    this.#lead();
    desk.write("ha/crm_commands", "arm\n");
    desk.run(2000);
    desk.write("ha/crm_commands", NAMES.map((name) => `maintenance ${name} off\n`).join(""));
    desk.define("state stopped");
    desk.run(12_000);
    desk.define("state started");
    desk.run(12_000);
    const running = desk.nodes.filter((each) => each.running.has(WEB)).length;
    return running === 1 ? "" : `it runs on ${running} nodes`;
  }

  /** Stops end no more; or those under way end now. */
  #stick(at: number): void {
    const stuck = this.desk.node(at);
    stuck.holdStops = !stuck.holdStops;
    if (!stuck.holdStops) this.desk.endStops(stuck);
  }

  /** The log is led by a node that is in touch. */
  #lead(): void {
    const { desk } = this;
    if (desk.nodes.some((each) => each.id === desk.leader && each.joined)) return;
    const next = desk.nodes.find((each) => each.joined);
    desk.leader = next?.id ?? nodeId(1);
  }
}

Deno.test("whatever happens to nodes and letters, a resource never runs twice, and in the end once", () => {
  fc.assert(
    fc.property(fc.array(happening, { maxLength: 40, size: "max" }), (happenings) => {
      const swarm = new Swarm();
      for (const each of happenings) {
        swarm.happen(each);
        assert.deepEqual(swarm.desk.broken, []);
      }
      const unrest = swarm.heal();
      assert.deepEqual(swarm.desk.broken, []);
      assert.equal(unrest, "");
    }),
    { numRuns: Number(Deno.env.get("SWARM_RUNS") ?? 150) },
  );
});
