/** Where a resource goes: who may have it, and who of these is best. @module */
import { nameOf } from "../base/cluster.ts";
import type { NodeId } from "../base/id.ts";
import { type Reason, reason } from "../base/reason.ts";
import type { ResourceId } from "../base/id.ts";
import { type Score, scores } from "./score.ts";
import type { Situation } from "./situation.ts";
import type { NodeEntry, ServiceEntry } from "./status.ts";

/** The plan as far as it is made. */
export interface Draft {
  readonly nodes: Map<NodeId, NodeEntry>;
  readonly services: Map<ResourceId, ServiceEntry>;
  /** How many resources each node was given in this round. */
  readonly placed: Map<NodeId, number>;
}

/** A choice with its reason; `node` null where nobody may have it. */
export interface Choice {
  readonly node: NodeId | null;
  readonly because: Reason;
}

/** States in which a resource takes its node's strength. */
const HOLDS: readonly string[] = ["started", "request_stop", "relocate", "fence"];

/** The table of all nodes that may take a resource now, best first. */
export function candidates(
  situation: Situation,
  draft: Draft,
  except: readonly NodeId[],
): readonly Score[] {
  const held = new Map<NodeId, number>();
  for (const { state, node } of draft.services.values()) {
    if (node !== null && HOLDS.includes(state)) held.set(node, (held.get(node) ?? 0) + 1);
  }
  // Whoever was put out may run it, whatever is decided here.
  const able = situation.out.size > 0 ? [] : situation.spec.members.filter(({ id }) => {
    const entry = draft.nodes.get(id);
    return entry?.state === "online" && !entry.maintenance && !except.includes(id) &&
      situation.present(id)?.leaving === false;
  });
  return scores(able.map(({ id, name }) => ({
    node: id,
    name,
    vitals: situation.vitals(id),
    resources: held.get(id) ?? 0,
    placed: draft.placed.get(id) ?? 0,
  })));
}

/** Chooses the best node for a resource, `preferred` if it may have it. */
export function choose(
  situation: Situation,
  draft: Draft,
  ask: {
    readonly id: ResourceId;
    readonly except: readonly NodeId[];
    readonly preferred?: NodeId | null;
  },
): Choice {
  const { id, except } = ask;
  const table = candidates(situation, draft, except);
  const best = table.find((row) => row.node === ask.preferred) ?? table[0];
  if (best === undefined) {
    const out = except.map((node) => nameOf(situation.spec, node)).join(", ");
    const put = [...situation.out.values()].join(", ");
    const why = put !== ""
      ? `it may run on ${put}, put out and not confirmed dead`
      : out === ""
      ? "none is online"
      : `none is online beside ${out}`;
    return { node: null, because: reason("ha.no-node", { id, why }) };
  }
  draft.placed.set(best.node, (draft.placed.get(best.node) ?? 0) + 1);
  const { name, score } = best;
  const all = table.map((row) =>
    `${row.name} ${row.score} = 100−${row.load}−${row.memory}−${row.ioDelay}−${row.placed}`
  ).join(", ");
  return {
    node: best.node,
    because: reason("ha.placed", { id, node: name, score, candidates: all }),
  };
}
