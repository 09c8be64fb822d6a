/**
 * Live migrations, as the manager decides about them. It trusts nothing but two words: the source's,
 * that it handed everything over and runs it no more, and the target's, that it has it.
 *
 * @module
 */
import { nameOf } from "../base/cluster.ts";
import type { NodeId, ResourceId } from "../base/id.ts";
import type { Draft } from "./draft.ts";
import { about } from "./migration_wire.ts";
import type { Situation } from "./situation.ts";
import type { ServiceEntry } from "./status.ts";

/**
 * The number of a migration that may begin now, or null where the move is a stop and a start.
 * `asked`: by a person, who may try again what failed. The number is the version of the decisions
 * that it is planned from: no other one of this machine ever has it.
 */
export function liveMove(
  { news, statusVersion }: Situation,
  { id, node, asked }: {
    readonly id: ResourceId;
    readonly node: NodeId;
    readonly asked: boolean;
  },
): number | null {
  const machine = news(node)?.machines.find((each) => each.id === id);
  return machine === undefined || (machine.stayed && !asked) ? null : statusVersion;
}

/**
 * What becomes of a migration that was decided. `handed`: the target has it, and nobody runs it;
 * `cold`: nobody has its memory, or it was never to migrate; `stays`: it does not come about.
 */
export interface Turn {
  readonly turn: "wait" | "handed" | "cold" | "stays";
  /** Of what stays. */
  readonly why: string;
}

/** How a migration stands; `gone`: its source said by this decision that nothing of it runs there. */
export function turnOf(
  { news, spec }: Situation,
  draft: Draft,
  { id, entry: { node, target, live }, gone }: {
    readonly id: ResourceId;
    readonly entry: ServiceEntry;
    readonly gone: boolean;
  },
): Turn {
  if (node === null || target === null || live === undefined) return turn("cold");
  const migration = { id, live };
  const there = draft.nodes.get(target)?.state === "online";
  if (gone) {
    const handed = about(news(node)?.handed, migration) !== undefined;
    const has = about(news(target)?.arrivals, migration) !== undefined;
    return turn(handed && has && there ? "handed" : "cold");
  }
  if (!there) return turn("stays", `${nameOf(spec, target)} is not online`);
  for (const each of [node, target]) {
    const refused = about(news(each)?.refused, migration);
    if (refused === undefined) continue;
    return turn("stays", `${nameOf(spec, each)}: ${refused.why}`);
  }
  return turn("wait");
}

function turn(turn: Turn["turn"], why = ""): Turn {
  return { turn, why };
}

/** It runs on at its target. */
export function handedTo(target: NodeId, old: ServiceEntry): ServiceEntry {
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
