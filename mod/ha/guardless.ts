/**
 * Members that are heard and hold no guard. Whoever hears only some of the others may be heard by the
 * manager and have no majority: it ended what it ran, and starts nothing.
 *
 * @module
 */
import type { NodeId } from "../base/id.ts";
import type { Instant, Millis } from "../base/time.ts";
import type { MemberHealth } from "../streams.ts";

/** See the module's note. */
export class Guardless {
  readonly #since = new Map<NodeId, Instant>();

  /** A member's state, and what it says of itself in its newest beat. */
  note({ node, state, vitals }: MemberHealth, now: Instant): void {
    if (state !== "online" || vitals === null || vitals.guardMarginMs > 0) {
      this.#since.delete(node);
    } else if (!this.#since.has(node)) this.#since.set(node, now);
  }

  /** For how long it has said so. */
  for(node: NodeId, now: Instant): Millis {
    const since = this.#since.get(node);
    return since === undefined ? 0 : now - since;
  }
}
