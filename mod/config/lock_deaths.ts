/**
 * Whose locks the leader gives back for it. Only a life that surely can write no more has none: its
 * node is DOWN, was armed (its watchdog resets what is cut off), and a majority vouches for a silence
 * of `deadMs + fenceWaitMs`: the proof `wait` of stream 3, word for word. Of anybody else the locks
 * stay until the node is back, and begins another life, or is no member any more.
 *
 * The last word of a node about its watchdog may be older than an order that it let go of it
 * (`pentad ha disarm`). That order is in the tree before any node obeys it, and the tree says until
 * when it may be obeyed still.
 *
 * @module
 */
import { decodeText } from "../base/bytes.ts";
import type { NodeId } from "../base/id.ts";
import type { Timing } from "../base/timing.ts";
import type { MemberHealth } from "../streams.ts";
import { DISARM_FILE, STATUS_FILE } from "./decisions.ts";
import type { LockTable } from "./lock_table.ts";
import type { TreeReader } from "./tree.ts";

/** A life whose locks are to be given back. */
export interface DeadLife {
  readonly node: number;
  readonly life: string;
}

/** See the module's note. */
export class LockDeaths {
  readonly #health = new Map<NodeId, MemberHealth>();
  /** Node → what was proposed already, and in which term. */
  readonly #proposed = new Map<number, { readonly life: string; readonly term: number }>();

  /** What stream 1 says of a member. */
  note(health: MemberHealth): void {
    this.#health.set(health.node, health);
  }

  /** Those to be proposed now: each until it is in the log, and once a term. */
  due(
    { table, tree }: { readonly table: LockTable; readonly tree: TreeReader },
    timing: Timing,
    term: number,
  ): readonly DeadLife[] {
    const dead: DeadLife[] = [];
    for (const [node, health] of this.#health) {
      if (table.count(node) === 0 || !isDead(health, timing)) continue;
      const known = table.life(node);
      if (known === undefined || known.gone) continue;
      const before = this.#proposed.get(node);
      if (before?.life === known.life && before.term === term) continue;
      // Last: it reads a long file, and this is asked with each turn.
      if (!isGuarded(tree, node)) continue;
      dead.push({ node, life: known.life });
    }
    return dead;
  }

  /** It stands in the log of this term. */
  proposed({ node, life }: DeadLife, term: number): void {
    this.#proposed.set(node, { life, term });
  }
}

function isDead({ state, vouched, lastHeard, vitals }: MemberHealth, timing: Timing): boolean {
  if (state !== "down" || vitals?.armed !== true) return false;
  return vouched - lastHeard >= timing.deadMs + timing.fenceWaitMs;
}

/** By all that is decided this node does nothing without a guard. What cannot be read says nothing. */
function isGuarded(tree: TreeReader, node: NodeId): boolean {
  const file = tree.find(DISARM_FILE);
  const status = tree.find(STATUS_FILE);
  if (file !== null && decodeText(file.data)?.trim() !== "arming") return false;
  if (status === null) return file === null;
  try {
    const { nodes } = JSON.parse(decodeText(status.data) ?? "") as {
      readonly nodes?: Readonly<Record<string, { readonly unguarded?: unknown }>>;
    };
    const entry = nodes?.[String(node)];
    return entry === undefined ? file === null : entry.unguarded !== true;
  } catch {
    return false;
  }
}
