/**
 * Should what runs well run elsewhere? Only by an order, a strict rule, maintenance, or a rule's
 * higher priority; never for a better score: what runs stays.
 *
 * @module
 */
import { memberOf, nameOf } from "../base/cluster.ts";
import type { NodeId, ResourceId } from "../base/id.ts";
import { type Reason, reason } from "../base/reason.ts";
import type { Draft } from "./draft.ts";
import { closedTo, unfit } from "./fit.ts";
import { candidates, choose, highestTier, preferredOf } from "./placement.ts";
import type { Resource } from "./resource.ts";
import type { Situation } from "./situation.ts";

/** A move that is to be made. */
export interface Move {
  readonly target: NodeId;
  /** Where it goes back to once that is possible. */
  readonly home: NodeId | null;
  readonly because: Reason;
  /** A person wants it: live, where that can be, or by a stop and a start; null for a rule's. */
  readonly asked: "live" | "cold" | null;
  /** It need not move: what cannot run on meanwhile stays. */
  readonly soft: boolean;
}

/** What runs where. */
export interface Placed {
  readonly id: ResourceId;
  readonly node: NodeId;
  /** Nodes on which it failed lately. */
  readonly tried: readonly NodeId[];
  /** Where it was before it had to give way. */
  readonly home: NodeId | null;
}

/** An order of a person for it or its group: the move, or why it is refused; null for no order. */
export function orderedMove(
  situation: Situation,
  draft: Draft,
  { id, node }: Placed,
): Move | { readonly refused: Reason } | null {
  const { spec, commands, rules } = situation;
  const group = rules.group(id);
  const order = commands.findLast((each) =>
    each.order === "migrate" &&
    (each.id === id || (group !== null && rules.group(each.id) === group))
  );
  if (order?.order !== "migrate" || order.node === node) return null;
  const to = nameOf(spec, order.node);
  const refuse = (why: string) => ({ refused: reason("ha.order-refused", { id, node: to, why }) });
  const why = unfit(situation, draft, order.node);
  if (why !== null) return refuse(`${to} ${why}`);
  const closed = closedTo(situation, draft, { id, when: "now" })({ id: order.node, name: to });
  if (closed !== null) return refuse(`rule "${closed.rule}": ${closed.why}`);
  const there = { id, node: order.node, tried: [], home: null };
  const better = failbackTarget(situation, draft, there);
  if (better !== null) {
    return refuse(`rule "${better.rule}" would bring it back to ${better.name} at once`);
  }
  const from = nameOf(spec, node);
  const because = reason("ha.migrated", { id, from, node: to, why: "asked for by a person" });
  return {
    target: order.node,
    home: null,
    because,
    asked: order.cold === true ? "cold" : "live",
    soft: false,
  };
}

/** Orders that are about nothing: an order is carried out at once, or never. */
export function idleOrders(situation: Situation): Reason[] {
  const { commands, spec, health, self } = situation;
  return commands.flatMap((each) => {
    if (each.order === "migrate") {
      const why = immovable(situation, each.id);
      const node = nameOf(spec, each.node);
      return why === null ? [] : [reason("ha.order-refused", { id: each.id, node, why })];
    }
    if (each.order !== "confirm-dead" || memberOf(spec, each.node) === undefined) return [];
    if (each.node !== self && health(each.node)?.state !== "online") return [];
    const name = nameOf(spec, each.node);
    return [reason("ha.order-dropped", { order: `confirm-dead ${name}`, why: `${name} is alive` })];
  });
}

/** Why nobody may move it now; null: it runs, or is to run. */
function immovable({ status, definitions }: Situation, id: ResourceId): string | null {
  if (definitions.broken || definitions.unreadable.has(id)) return "its definition cannot be read";
  const wanted = definitions.resources.get(id)?.wanted;
  if (wanted === undefined) return "nobody defines it";
  if (wanted !== "started") return `it is wanted ${wanted}`;
  const state = status.services.get(id)?.state;
  if (state === "started" || state === "request_start") return null;
  return state === undefined ? "it is not placed yet" : `its state is ${state}`;
}

/** A move that rules or maintenance want; null: it stays. */
export function wantedMove(situation: Situation, draft: Draft, placed: Placed): Move | null {
  const { spec, rules } = situation;
  const { id, node, tried } = placed;
  const from = nameOf(spec, node);
  const closed = closedTo(situation, draft, { id, when: "then" })({ id: node, name: from });
  const entry = draft.nodes.get(node);
  const stops = entry?.shutdown?.how === "migrate";
  const maintained = entry?.maintenance === true || stops;
  if (closed !== null || maintained) {
    const except = maintained ? [node] : [node, ...tried];
    const { node: target } = choose(situation, draft, { id, except });
    if (target === null) return null;
    const to = nameOf(spec, target);
    const because = maintained
      ? reason(stops ? "ha.parted" : "ha.drained", { id, from, node: to })
      : reason("ha.rule-moved", {
        id,
        from,
        node: to,
        rule: closed?.rule ?? "",
        why: closed?.why ?? "",
      });
    const home = maintained ? placed.home ?? node : null;
    return { target, home, because, asked: null, soft: false };
  }
  const home = homeTarget(situation, draft, placed);
  if (home !== null) {
    draft.place(home);
    const because = reason("ha.home", { id, from, node: nameOf(spec, home) });
    return { target: home, home: null, because, asked: null, soft: true };
  }
  const back = failbackTarget(situation, draft, placed);
  if (back !== null) {
    const to = nameOf(spec, back.target);
    draft.place(back.target);
    const because = reason("ha.failback", { id, from, node: to, rule: back.rule });
    return { target: back.target, home: null, because, asked: null, soft: true };
  }
  const group = rules.group(id);
  if (group === null) return null;
  const { rows } = candidates(situation, draft, { id, except: tried });
  // Where one of them failed the others do not stay, if they can go elsewhere: it cannot come back.
  const spoilt = draft.wasTried(id, node) && rows.some((row) => !draft.wasTried(id, row.node));
  const here = spoilt ? -1 : draft.gathered(group, node, id);
  const beside = preferredOf(situation, draft, { id, rows });
  const [best] = beside.filter((row) =>
    row.node !== node && draft.gathered(group, row.node, id) > here
  );
  if (best === undefined) return null;
  draft.place(best.node);
  const why = "the others are there";
  const because = reason("ha.rule-moved", { id, from, node: best.name, rule: group.by, why });
  return { target: best.node, home: placed.home, because, asked: null, soft: true };
}

/** Where it was before it gave way, if it may have it again and no rule prefers another. */
export function homeTarget(
  situation: Situation,
  draft: Draft,
  { id, node, tried, home }: Placed,
): NodeId | null {
  const { rules, definitions } = situation;
  if (home === null || home === node) return null;
  const { rows } = candidates(situation, draft, { id, except: tried });
  const fresh = rows.filter((row) => !draft.wasTried(id, row.node));
  if (!highestTier(rules.nodeRule(id), fresh).some((row) => row.node === home)) return null;
  const willing = rules.together(id).every((each) => {
    const entry = draft.get(each);
    const same = entry?.home === home || (entry?.state === "relocate" && entry.target === home);
    return same && mayFailBack(definitions.resources.get(each));
  });
  return willing ? home : null;
}

/** A node of higher priority than the one it runs on, by its rule. */
function failbackTarget(
  situation: Situation,
  draft: Draft,
  { id, node, tried }: Placed,
): { readonly target: NodeId; readonly name: string; readonly rule: string } | null {
  const { rules, definitions, spec } = situation;
  const rule = rules.nodeRule(id);
  if (rule === null) return null;
  const { rows } = candidates(situation, draft, { id, except: tried });
  const fresh = rows.filter((row) => !draft.wasTried(id, row.node));
  const tier = highestTier(rule, fresh).filter(({ name }) => rule.nodes.has(name));
  const [first] = tier;
  if (first === undefined) return null;
  const here = rule.nodes.get(nameOf(spec, node)) ?? -1;
  if ((rule.nodes.get(first.name) ?? 0) <= here) return null;
  const willing = rules.together(id).every((each) => mayFailBack(definitions.resources.get(each)));
  if (!willing) return null;
  const [best = first] = preferredOf(situation, draft, { id, rows: tier });
  return { target: best.node, name: best.name, rule: rule.id };
}

function mayFailBack(resource: Resource | undefined): boolean {
  return resource?.failback !== false;
}
