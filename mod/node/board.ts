/** The newest of each fact, for those who watch: status, API, tests. @module */
import type { NodeId, ResourceId } from "../base/id.ts";
import type {
  Fact,
  HaFact,
  MemberHealth,
  Position,
  StorageFact,
  View,
  Vitals,
} from "../streams.ts";

type FactOf<F, N> = Extract<F, { readonly fact: N }>;

/** Collects facts; holds no opinion of its own. */
export class Board {
  view: View | null = null;
  position: Position | null = null;
  guard: FactOf<HaFact, "ha.guard"> | null = null;
  dc: FactOf<HaFact, "ha.dc"> | null = null;
  vitals: Vitals | null = null;
  witnessHeld = false;
  readonly members = new Map<NodeId, MemberHealth>();
  readonly resources = new Map<ResourceId, FactOf<HaFact, "ha.resource">>();
  readonly pulses = new Map<NodeId, FactOf<StorageFact, "storage.pulse">>();
  readonly disks = new Map<number, FactOf<StorageFact, "storage.disk">>();

  /** Takes note of a fact. */
  note(fact: Fact): void {
    switch (fact.fact) {
      case "heartbeat.view":
        this.view = fact.view;
        break;
      case "heartbeat.member":
        this.members.set(fact.health.node, fact.health);
        break;
      case "config.position":
        this.position = fact.position;
        break;
      case "config.spec":
        for (const node of this.members.keys()) {
          if (!fact.spec.members.some((member) => member.id === node)) this.members.delete(node);
        }
        break;
      case "ha.guard":
        this.guard = fact;
        break;
      case "ha.dc":
        this.dc = fact;
        break;
      case "ha.vitals":
        this.vitals = fact.vitals;
        break;
      case "ha.resource":
        this.resources.set(fact.id, fact);
        break;
      case "storage.pulse":
        this.pulses.set(fact.node, fact);
        break;
      case "storage.witness":
        this.witnessHeld = fact.held;
        break;
      case "storage.disk":
        this.disks.set(fact.disk, fact);
        break;
      default:
        break;
    }
  }
}
