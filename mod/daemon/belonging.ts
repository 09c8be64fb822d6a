/**
 * Of which cluster a host is a member, for as long as its node does not run: before it has begun, and
 * after it has stopped. Then too it is no stranger, whom a join or an init would help.
 *
 * @module
 */
import type { ClusterSpec } from "../base/cluster.ts";
import { ProblemError } from "../base/problem.ts";
import type { StatusDocument } from "../node/mod.ts";
import { readIdentity } from "./state.ts";

/** See the module's note. */
export class Belonging {
  #cluster: StatusDocument["cluster"] = null;
  #hasStopped = false;

  /** As the state directory says; one that cannot be read is for the start to tell. */
  constructor(state: string) {
    try {
      const spec = readIdentity(state)?.spec;
      if (spec !== undefined) this.begins(spec);
    } catch (error) {
      if (!(error instanceof ProblemError)) throw error;
    }
  }

  /** Null for a host that is no member. */
  get cluster(): StatusDocument["cluster"] {
    return this.#cluster;
  }

  begins({ name, id, profile }: ClusterSpec): void {
    this.#cluster = { name, id, profile };
  }

  /** The node has stopped; `spec` is what it knew last. */
  stops(spec: ClusterSpec): void {
    this.begins(spec);
    this.#hasStopped = true;
  }

  /** The host is no member, or not any more. */
  ends(): void {
    this.#cluster = null;
    this.#hasStopped = false;
  }

  /** Why the node of the host of this name cannot be asked. */
  absence(name: string): ProblemError {
    if (this.#hasStopped) return new ProblemError("node.stopped", `"${name}" stops in order`);
    if (this.#cluster !== null) {
      return new ProblemError("node.starting", "its database is being read");
    }
    return new ProblemError("join.not-a-member", `"${name}" belongs to no cluster`);
  }
}
