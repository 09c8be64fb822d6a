/** Whole clusters with logs so short that whoever was away gets the leader's state. */
import assert from "node:assert/strict";
import type { ClusterSpec } from "../../mod/base/cluster.ts";
import { CONFIG_LIMITS, type ConfigLimits } from "../../mod/config/compaction.ts";
import { Desk } from "./cluster.ts";

export const SHORT: ConfigLimits = {
  ...CONFIG_LIMITS,
  ...{ tailBytes: 0, tailEntries: 4, chunkBytes: 120 },
};

export function deskOf(seed: number, spec: ClusterSpec): Desk {
  const desk = new Desk(seed, spec, 0);
  desk.limits = SHORT;
  for (const node of desk.nodes) desk.start(node);
  return desk;
}

export function assertEqual(desk: Desk): void {
  desk.until(() => new Set(desk.nodes.map((node) => node.core?.view().applied)).size === 1);
  const states = desk.nodes.map((node) => {
    const view = node.core?.view();
    return `${view?.stateCrc} ${view?.committedChain}`;
  });
  assert.equal(new Set(states).size, 1, states.join(", "));
}
