/**
 * Live migrations, as the manager decides about them. It trusts nothing but two words: the source's,
 * that it handed everything over and runs it no more, and the target's, that it has it.
 *
 * @module
 */
import { nameOf } from "../base/cluster.ts";
import type { NodeId, ResourceId } from "../base/id.ts";
import { type Reason, reason } from "../base/reason.ts";
import type { Draft } from "./draft.ts";
import { unfit } from "./fit.ts";
import { ownerOf } from "./machines.ts";
import type { Move } from "./moves.ts";
import { about } from "./migration_wire.ts";
import type { Situation } from "./situation.ts";
import type { ServiceEntry } from "./status.ts";

/**
 * The decision that a resource moves; with a number it does so while it runs. The number is the
 * version of the decisions that it is planned from: no other one of this machine ever has it. A person
 * may ask again for what failed lately.
 */
export function sentOff(
  { news, statusVersion }: Situation,
  old: ServiceEntry,
  { id, node, move, runs }: {
    readonly id: ResourceId;
    readonly node: NodeId;
    readonly move: Move;
    readonly runs: boolean;
  },
): ServiceEntry {
  const { target, home, asked } = move;
  const machine = news(node)?.machines.find((each) => each.id === id);
  const may = machine !== undefined && (!machine.stayed || asked === "live");
  // Without any decisions of before there is no number that nobody had.
  const live = may && runs && asked !== "cold" && statusVersion > 0;
  const next = { ...cold(old), state: "relocate", target, home, tried: [] } as const;
  return live ? { ...next, live: statusVersion } : next;
}

/** It could move while it runs, but lately it did not: only what must move is stopped for it. */
export function wouldStop({ news }: Situation, id: ResourceId, node: NodeId): boolean {
  return news(node)?.machines.find((each) => each.id === id)?.stayed === true;
}

/** What becomes of a migration that was decided. */
export interface Turn {
  readonly next: ServiceEntry;
  /** Null where nothing changes yet. */
  readonly because: Reason | null;
}

/**
 * How a migration goes on; null: nobody has its memory, and it runs nowhere: it is started anew.
 * `gone`: its source said by this decision that nothing of it runs there. `room` is asked whether one
 * more definition may move with this plan.
 */
export function turnOf(
  situation: Situation,
  draft: Draft,
  { id, entry, gone, room }: {
    readonly id: ResourceId;
    readonly entry: ServiceEntry;
    readonly gone: boolean;
    readonly room: () => boolean;
  },
): Turn | null {
  const { news, spec } = situation;
  const { node, target, live } = entry;
  if (node === null || target === null || live === undefined) return null;
  const migration = { id, live };
  const why = unfit(situation, draft, target);
  const [from, to] = [nameOf(spec, node), nameOf(spec, target)];
  if (gone) {
    const handed = about(news(node)?.handed, migration) !== undefined;
    const has = about(news(target)?.arrivals, migration) !== undefined;
    const owner = ownerOf(situation, id);
    const mine = owner !== null && "node" in owner && owner.node === node;
    // Maintenance moves it on once it runs; a node that stops would take it along.
    const there = why === null || draft.nodes.get(target)?.maintenance === true;
    if (!handed || !has || !mine || !there) return null;
    if (!room()) return { next: entry, because: null };
    draft.place(target);
    return {
      next: handedTo(target, entry),
      because: reason("ha.handed-over", { id, from, node: to }),
    };
  }
  const refused = [node, target].flatMap((each) => {
    const told = about(news(each)?.refused, migration);
    return told === undefined ? [] : [`${nameOf(spec, each)}: ${told.why}`];
  });
  const stays = why === null ? refused[0] : `${to} ${why}`;
  if (stays === undefined) return { next: entry, because: null };
  const because = reason("ha.migration-failed", { id, node: from, why: stays });
  return { next: { ...cold(entry), state: "started", target: null }, because };
}

/** It runs on at its target. */
function handedTo(target: NodeId, old: ServiceEntry): ServiceEntry {
  const home = old.home === target ? null : old.home;
  return { ...old, state: "started", node: target, target: null, home };
}

/**
 * A decision without the number of a migration that it does not go on with. Whatever else is decided
 * of a machine, the memory that a node received for it before that is of the past.
 */
export function withoutPast(old: ServiceEntry, next: ServiceEntry): ServiceEntry {
  if (next.live === undefined || next.live !== old.live) return next;
  const same = next.state === old.state && next.node === old.node;
  const handed = old.state === "relocate" && next.state === "started" && next.node === old.target;
  return same || handed ? next : cold(next);
}

/** Without any. */
export function cold(entry: ServiceEntry): ServiceEntry {
  const { live: _live, ...rest } = entry;
  return rest;
}
