/** Random losses, crashes and short logs: many clusters, each another one. */
import assert from "node:assert/strict";
import { specOf } from "./cluster.ts";
import { assertEqual, deskOf } from "./short_logs.ts";

Deno.test("random loss, crashes and short logs: no acknowledged write is lost or doubled", () => {
  let installs = 0;
  for (let seed = 1; seed <= 200; seed++) {
    const witness = seed % 3 === 0;
    const desk = deskOf(seed, specOf(witness ? 2 : 3, witness));
    const { prng } = desk;
    desk.loss = prng.fraction() * 0.15;
    desk.delayMs = prng.between(1, 20);
    const tags = new Map<string, number>();
    for (let round = 0; round < 40; round++) {
      const node = prng.pick(desk.nodes);
      if (node !== undefined && prng.chance(0.15)) {
        if (node.core === null) desk.start(node);
        else desk.crash(node);
      }
      const alive = desk.nodes.filter((each) => each.core !== null);
      if (witness && alive.length === 1) desk.giveWitness(alive[0]?.id ?? null);
      if (witness && alive.length === 2 && desk.register.set.length === 2) desk.giveWitness(null);
      for (let i = prng.between(0, 4); i > 0; i--) {
        const through = prng.pick(alive);
        // Some are retries of what may have been applied long ago.
        const number = seed * 1000 +
          (prng.chance(0.2) ? prng.between(0, 4 * round) : 4 * round + i);
        if (through) tags.set(desk.propose(through, number), number);
      }
      desk.run(prng.between(10, 400));
    }
    desk.loss = 0;
    for (const node of desk.nodes) if (node.core === null) desk.start(node);
    try {
      desk.until(() => desk.nodes.every((node) => node.core?.view().leader === desk.leader()?.id));
      desk.run(5000);
      assertEqual(desk);
      for (const [tag, number] of tags) {
        if (desk.outcomes.get(tag)?.ok !== true) continue;
        for (const node of desk.nodes) assert.notEqual(node.core?.stat(`f${number}`), null);
      }
      for (const outcome of desk.outcomes.values()) {
        assert.ok(outcome.ok || outcome.problem.code !== "config.exists");
      }
    } catch (error) {
      throw new Error(`seed ${seed}`, { cause: error });
    }
    installs += desk.nodes.reduce((sum, node) => sum + node.database.installs, 0);
  }
  assert.ok(installs > 50, `${installs} snapshots`);
});
