/** Where a resource goes: who may have it, and who of these is best. @module */
import { formerName } from "../base/cluster.ts";
import type { NodeId, ResourceId } from "../base/id.ts";
import { type Reason, reason } from "../base/reason.ts";
import type { Draft } from "./draft.ts";
import { type Closed, closedTo, fitMembers, unfit } from "./fit.ts";
import { type Score, scores } from "./score.ts";
import type { Situation } from "./situation.ts";

/** A choice with its reason; `node` null where nobody may have it. */
export interface Choice {
  readonly node: NodeId | null;
  readonly because: Reason;
}

/** What is to be placed, and what is said about it. */
export interface Ask {
  readonly id: ResourceId;
  /** Nodes that are no candidates. */
  readonly except: readonly NodeId[];
  /** This one, if strict rules allow it. */
  readonly preferred?: NodeId | null;
}

/** Rows of a table that a reason tells. */
const TOLD_MAX = 8;

/** Who may take a resource now, best first, and why others may not. */
interface Table {
  readonly rows: readonly Score[];
  readonly closed: readonly ({ readonly name: string } & Closed)[];
}

/** The table of all nodes that may take a resource now. */
export function candidates(situation: Situation, draft: Draft, { id, except }: Ask): Table {
  const closedFor = closedTo(situation, draft, { id, when: "now" });
  const closed: ({ readonly name: string } & Closed)[] = [];
  // Whoever was put out may run it, whatever is decided here.
  const able = situation.out.size > 0 ? [] : fitMembers(situation, draft).filter((member) => {
    if (except.includes(member.id)) return false;
    const by = closedFor(member);
    if (by !== null) closed.push({ name: member.name, ...by });
    return by === null;
  });
  const lean = leaningOf(situation, draft, id);
  const rows = scores(able.map((member) => ({
    node: member.id,
    name: member.name,
    vitals: situation.scheduling === "basic" ? null : situation.vitals(member.id),
    resources: draft.held(member.id),
    placed: draft.placed.get(member.id) ?? 0,
    lean: lean(member),
  })));
  return { rows, closed };
}

/** Of those that may have it the ones that its rules prefer: beside its group, then by priority. */
export function preferredOf(
  { rules }: Situation,
  draft: Draft,
  { id, rows }: { readonly id: ResourceId; readonly rows: readonly Score[] },
): readonly Score[] {
  const group = rules.group(id);
  if (group === null) return highestTier(rules.nodeRule(id), rows);
  const fresh = rows.filter(({ node }) => !draft.wasTried(id, node));
  const some = fresh.length > 0 ? fresh : rows;
  const most = Math.max(0, ...some.map(({ node }) => draft.gathered(group, node, id)));
  const beside = most === 0
    ? some
    : some.filter(({ node }) => draft.gathered(group, node, id) === most);
  return highestTier(rules.nodeRule(id), beside);
}

/** Of the nodes that a rule names the ones of the highest priority that are there; else all. */
export function highestTier(
  rule: { readonly nodes: ReadonlyMap<string, number> } | null,
  rows: readonly Score[],
): readonly Score[] {
  if (rule === null) return rows;
  const named = rows.filter(({ name }) => rule.nodes.has(name));
  if (named.length === 0) return rows;
  const highest = Math.max(...named.map(({ name }) => rule.nodes.get(name) ?? 0));
  return named.filter(({ name }) => rule.nodes.get(name) === highest);
}

/** Chooses the best node for a resource, `preferred` if it may have it. */
export function choose(situation: Situation, draft: Draft, ask: Ask): Choice {
  const { id } = ask;
  const table = candidates(situation, draft, ask);
  const liked = preferredOf(situation, draft, { id, rows: table.rows });
  const best = table.rows.find((row) => row.node === ask.preferred) ?? liked[0];
  if (best === undefined) return { node: null, because: noNode(situation, draft, { ask, table }) };
  draft.place(best.node);
  const { name, score } = best;
  const told = liked.includes(best) ? liked : table.rows;
  const more = told.length > TOLD_MAX ? ` and ${told.length - TOLD_MAX} more` : "";
  const all = told.slice(0, TOLD_MAX).map(printRow).join(", ") + more;
  return {
    node: best.node,
    because: reason("ha.placed", { id, node: name, score, candidates: all }),
  };
}

function printRow(row: Score): string {
  const { name, score, load, memory, ioDelay, placed, lean } = row;
  const leans = lean === 0 ? "" : lean > 0 ? `+${lean}` : `−${-lean}`;
  return `${name} ${score} = 100−${load}−${memory}−${ioDelay}−${placed}${leans}`;
}

function noNode(
  situation: Situation,
  draft: Draft,
  { ask: { id, except }, table: { closed } }: { readonly ask: Ask; readonly table: Table },
): Reason {
  const put = [...situation.out].map(([node, name]) => formerName(situation.spec, node, name))
    .join(", ");
  if (put !== "") {
    return reason("ha.no-node", {
      id,
      why: `it may run on ${put}, put out and not confirmed dead`,
    });
  }
  const all = [
    ...closed.map(({ name, rule, why }) => `${name} is closed by rule "${rule}": ${why}`),
    ...situation.spec.members.flatMap(({ id: node, name }) => {
      const why = unfit(situation, draft, node) ?? (except.includes(node) ? "was tried" : null);
      return why === null ? [] : [`${name} ${why}`];
    }),
  ];
  const more = all.length > TOLD_MAX ? `; and ${all.length - TOLD_MAX} more nodes` : "";
  return reason("ha.no-node", { id, why: all.slice(0, TOLD_MAX).join("; ") + more });
}

/** Points that soft rules give a node for a resource. */
function leaningOf(
  { rules }: Situation,
  draft: Draft,
  id: ResourceId,
): (node: { readonly id: NodeId; readonly name: string }) => number {
  const nodeRules = rules.leanings(id);
  const gatherings = rules.gatherings(id);
  return (node) => {
    let points = 0;
    for (const { nodes, weight } of nodeRules) if (nodes.has(node.name)) points += weight ?? 0;
    for (const gathering of gatherings) {
      points += (gathering.weight ?? 0) * draft.gathered(gathering, node.id, id);
    }
    return points;
  };
}
