/**
 * The worst day: all hosts but one are lost for good, and a person lets that one go on alone
 * (`config force-single`), knowing that what only the others held may be lost. He asks until it is so,
 * and vouches for the death of those who are gone.
 *
 * @module
 */
import { requestId } from "../base/id.ts";
import type { Fact } from "../streams.ts";
import type { Admin } from "./admin.ts";
import type { Checks } from "./checks.ts";
import type { SimCluster, SimNode } from "./cluster.ts";

/** How long an answer is waited for before it is asked again. */
const PATIENCE_MS = 3000;

/** See the module's note. */
export class Forced {
  /** Who goes on; null as long as nothing of this has happened. */
  survivor: SimNode | null = null;
  /** Called once, when it leads. */
  onDone: () => void = nothing;
  readonly #cluster: SimCluster;
  readonly #checks: Checks;
  readonly #admin: Admin;
  #done = false;
  #askedAt = -Infinity;
  #asks = 0;

  constructor(cluster: SimCluster, checks: Checks, admin: Admin) {
    this.#cluster = cluster;
    this.#checks = checks;
    this.#admin = admin;
  }

  /** All others are lost. Nothing happens where the one that is left lost its database: it must wait. */
  begin(survivor: SimNode): void {
    if (!survivor.host.store.isWhole) return;
    this.survivor = survivor;
    for (const node of this.#cluster.all) if (node !== survivor) this.#cluster.dismiss(node);
  }

  onFact(node: SimNode, fact: Fact): void {
    if (fact.fact !== "config.forced" || node !== this.survivor || fact.index === null) return;
    this.#end();
  }

  /** Called now and then. */
  nudge(): void {
    const { survivor } = this;
    const { now } = this.#cluster.world;
    const runtime = survivor?.runtime ?? null;
    if (survivor === null || runtime === null || now - this.#askedAt < PATIENCE_MS) return;
    this.#askedAt = now;
    const asks = ++this.#asks;
    if (this.#done) {
      const gone = this.#cluster.nodes.filter((each) => each !== survivor);
      const { name } = gone[asks % gone.length] ?? survivor;
      return this.#admin.order(`confirm-dead ${name}`);
    }
    // With the witness it may lead already, and lacks nothing.
    if (runtime.node.config.view().role === "leader") return this.#end();
    this.#checks.allowLoss(survivor);
    const ask = {
      ...{ commit: true, id: requestId(asks.toString(16).padStart(16, "f")), time: 0 },
      ...{ author: "sim", reason: "force-single, accept-risk=data-loss" },
    };
    runtime.request({ request: "config.force-single", tag: `forced:${asks}`, ask });
  }

  /** What is not as it must be at the end; null where all is. */
  unrest(): string | null {
    return this.survivor === null || this.#done ? null : "nobody goes on alone";
  }

  #end(): void {
    if (this.#done) return;
    this.#done = true;
    this.onDone();
  }
}

function nothing(): void {
  // Nobody waits for it.
}
