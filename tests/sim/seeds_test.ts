/** Seeds that once broke a promise, each with what it was; they are played again for ever. */
import assert from "node:assert/strict";
import { drawJudgement, drawPlan, play, playJudgement } from "../../mod/sim/mod.ts";

const THREE = { nodes: 3, witness: false, profile: "fast" } as const;

const KEPT = [
  {
    seed: 2172,
    shape: THREE,
    was: "a snapshot of many chunks over a lossy way began anew whenever the leader was not heard",
  },
] as const;

for (const { seed, shape, was } of KEPT) {
  Deno.test(`seed ${seed} of ${shape.nodes} nodes: ${was}`, () => {
    assert.deepEqual(play(drawPlan(seed, shape)).violations, []);
  });
}

const TRIO = { nodes: 2, disks: 3, witness: true, profile: "fast" } as const;
const MOVED = { nodes: 2, disks: 2, witness: true, profile: "fast", apart: true } as const;

const KEPT_DISKS = [
  {
    seed: 5074,
    shape: TRIO,
    was: "a daemon that began anew was not let in again on a disk whose target forgot it",
  },
  {
    seed: 3085,
    shape: TRIO,
    was: "a node that came late to a disk was not let in again, for what it ran since",
  },
  {
    seed: 120,
    shape: MOVED,
    was: "a node went by a description that another leader had dropped",
  },
] as const;

for (const { seed, shape, was } of KEPT_DISKS) {
  Deno.test(`seed ${seed} of ${shape.disks} shared disks: ${was}`, () => {
    assert.deepEqual(playJudgement(drawJudgement(seed, shape)).violations, []);
  });
}
