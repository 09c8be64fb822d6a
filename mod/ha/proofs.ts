/** What lets go of the resources of a silent node, and what could: see `death.ts`. @module */
import type { NodeId } from "../base/id.ts";
import type { DeathProof } from "../streams.ts";
import { proofFor } from "./death.ts";
import { evidenceOf } from "./node_plan.ts";
import type { Resource } from "./resource.ts";
import type { Situation } from "./situation.ts";
import type { NodeEntry } from "./status.ts";

/** Of one plan. */
export class Proofs {
  /** As `Plan.eject` in `situation.ts`. */
  readonly eject = new Map<NodeId, readonly string[] | null>();
  readonly #situation: Situation;
  readonly #nodes: ReadonlyMap<NodeId, NodeEntry>;

  constructor(situation: Situation, nodes: ReadonlyMap<NodeId, NodeEntry>) {
    this.#situation = situation;
    this.#nodes = nodes;
  }

  /** What lets a resource of a silent node go; null for nothing yet: then what may bring it is asked for. */
  of(node: NodeId, resource: Resource | undefined): DeathProof | null {
    const entry = this.#nodes.get(node);
    if (entry?.state === "dead") return entry.proof ?? "storage";
    if (entry === undefined || resource?.recoverOn !== "storage") return null;
    const evidence = evidenceOf(this.#situation, node, entry, resource.luns);
    const proof = evidence && proofFor(evidence, this.#situation.timing, "storage");
    // One that shows life again (its pulse goes on, somebody hears it) goes on by that.
    const silent = evidence?.health.state === "down";
    if (proof === null && silent) this.#wantEjected(node, resource.luns);
    return proof;
  }

  /** On every disk that one of its resources lives on; on all, where one does not say on which. */
  #wantEjected(node: NodeId, luns: readonly string[]): void {
    const wanted = this.eject.get(node);
    const all = luns.length === 0 || wanted === null;
    this.eject.set(node, all ? null : [...new Set([...wanted ?? [], ...luns])].sort());
  }
}
