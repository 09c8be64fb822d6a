/** What the manager knows when it makes a plan, and what a plan is. @module */
import type { ClusterSpec } from "../base/cluster.ts";
import type { NodeId, ResourceId } from "../base/id.ts";
import type { Reason } from "../base/reason.ts";
import type { Millis } from "../base/time.ts";
import type { Timing } from "../base/timing.ts";
import type { DeathProof, MemberHealth, Vitals } from "../streams.ts";
import type { Command } from "./commands.ts";
import type { Words } from "./death.ts";
import type { Scheduling } from "./datacenter.ts";
import type { Machines } from "./machines.ts";
import type { Mode } from "./mode.ts";
import type { Definitions } from "./resource.ts";
import type { RuleBook } from "./rule_book.ts";
import type { MigrationNews } from "./migration_wire.ts";
import type { ManagerStatus } from "./status.ts";
import type { Report } from "./wire.ts";

/** All that a plan depends on. */
export interface Situation {
  readonly self: NodeId;
  readonly spec: ClusterSpec;
  readonly timing: Timing;
  /** As applied here. */
  readonly status: ManagerStatus;
  readonly statusVersion: number;
  readonly definitions: Definitions;
  readonly rules: RuleBook;
  readonly machines: Machines;
  readonly scheduling: Scheduling;
  readonly mode: Mode;
  readonly commands: readonly Command[];
  /** Who was put out by force and may live, with names: while there is one, nothing starts. */
  readonly out: ReadonlyMap<NodeId, string>;
  /** A peer's health; null where it was never heard, and for ourselves. */
  health(node: NodeId): MemberHealth | null;
  vitals(node: NodeId): Vitals | null;
  /** The newest report of a node that is online, in its present life. */
  present(node: NodeId): Report | null;
  /** The same, if it obeys the very status that this plan starts from: only then is a "no" final. */
  report(node: NodeId): Report | null;
  /** What a node that is online says of live migrations, in its present life. */
  news(node: NodeId): MigrationNews | null;
  /** For how long it is known here that it is no member any more; of a member it says nothing. */
  goneFor(node: NodeId): Millis;
  /** For how long a member that is online has said in its beats that it holds no guard. */
  guardless(node: NodeId): Millis;
  words(node: NodeId): Words | null;
  /** Its key is gone from these disks (none: from every one) since it is in `fence`. */
  storageFenced(node: NodeId, luns: readonly string[]): boolean;
  /** It has run well for long enough that former failures are forgiven. */
  steady(id: ResourceId): boolean;
}

/** A resource that goes on elsewhere because its node died. */
export interface Takeover {
  readonly id: ResourceId;
  readonly from: NodeId;
  readonly to: NodeId;
  readonly proof: DeathProof;
}

/** What is to be decided. */
export interface Plan {
  readonly status: ManagerStatus;
  readonly mode: Mode;
  /** Who of those that were put out is not vouched for. */
  readonly out: ReadonlyMap<NodeId, string>;
  readonly said: readonly { readonly text: string; readonly because: Reason }[];
  readonly takeovers: readonly Takeover[];
  /** Nodes whose keys must leave the disks, with which (null: all): storage proof is wanted. */
  readonly eject: ReadonlyMap<NodeId, readonly string[] | null>;
}

/** The same, asking for each node only once: for the time of one plan nothing changes. */
export function remembered(situation: Situation): Situation {
  return {
    ...situation,
    health: once(situation.health),
    vitals: once(situation.vitals),
    present: once(situation.present),
    report: once(situation.report),
  };
}

function once<T>(ask: (node: NodeId) => T): (node: NodeId) => T {
  const answers = new Map<NodeId, T>();
  return (node) => {
    if (answers.has(node)) return answers.get(node) as T;
    const answer = ask(node);
    answers.set(node, answer);
    return answer;
  };
}
