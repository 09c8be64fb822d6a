/**
 * The witness moves to another disk, and at some moment of it the network is cut while each of the
 * two reaches one of the disks only. Whenever that is, one goes on at most.
 */
import assert from "node:assert/strict";
import { drawJudgement, type JudgementPlan, playJudgement } from "../../mod/sim/mod.ts";

const MOVED_MS = 8000;
const CUT_MS = 7000;
/** The cut falls so long after the order, in turn. */
const LATE_MS = Array.from({ length: 9 }, (_, at) => 4 * at);

function planOf(seed: number, { late, first }: { readonly late: number; readonly first: number }) {
  const shape = { nodes: 2, disks: 2, witness: true, profile: "fast", apart: true } as const;
  const drawn = drawJudgement(seed, shape);
  const at = MOVED_MS + late;
  const plan: JudgementPlan = {
    ...drawn,
    world: { ...drawn.world, netLoss: 0, diskSlow: 0, timerLateMs: [0, 5], diskCallMs: [0.2, 4] },
    aborts: true,
    safetyMs: MOVED_MS + CUT_MS + 1000,
    resources: [{ storage: false, disks: [] }],
    moves: [{ at: MOVED_MS, disk: 1 }],
    faults: [{ at, fault: "isolate", node: 0, ms: CUT_MS }],
    diskFaults: [0, 1].map((disk) => ({
      ...{ at, fault: "hung", disk, node: disk === 0 ? first : 1 - first, ms: CUT_MS },
    })),
  };
  return plan;
}

for (const first of [0, 1]) {
  const blind = first === 0 ? "nodeA" : "nodeB";
  Deno.test(`the witness moves, the pair is cut, and ${blind} does not reach the old one`, () => {
    for (const seed of [1, 2]) {
      for (const late of LATE_MS) {
        const { violations } = playJudgement(planOf(seed, { late, first }));
        assert.deepEqual(violations, [], `seed ${seed}, ${late} ms after the order`);
      }
    }
  });
}
