/**
 * An administrator who gives the witness vote of a pair to another disk, or to none, whatever else
 * happens meanwhile: at once, which must be refused, then step by step as the daemon does it, and
 * again until it is so.
 *
 * @module
 */
import type { Millis } from "../base/time.ts";
import type { NodeRuntime } from "../runtime/mod.ts";
import type { SimCluster } from "./cluster.ts";

/** The disk at a place is to be the witness; null: none. */
export interface WitnessMove {
  readonly at: Millis;
  readonly disk: number | null;
}

/** See the module's note. */
export class WitnessMoves {
  readonly #cluster: SimCluster;
  #wanted: string | null | undefined;
  #tags = 0;

  constructor(cluster: SimCluster) {
    this.#cluster = cluster;
  }

  /** What is wanted from now on. */
  order({ disk }: WitnessMove): void {
    this.#wanted = disk === null ? null : this.#cluster.disks[disk]?.uuid ?? null;
    this.nudge();
  }

  /** Goes on with it. Called now and then. */
  nudge(): void {
    const wanted = this.#wanted;
    // By whichever node: an administrator does not know which of them leads.
    const found = this.#cluster.nodes.filter(({ runtime }) =>
      runtime?.board.position?.writable === true
    );
    const runtime = found[this.#tags % Math.max(1, found.length)]?.runtime;
    if (wanted === undefined || !runtime) return;
    const now = runtime.spec.witness?.disk ?? null;
    if (now === wanted) return;
    this.#ask(runtime, wanted);
    // One witness after another is refused; step by step it is not.
    if (now !== null && wanted !== null) this.#ask(runtime, null);
  }

  #ask(runtime: NodeRuntime, disk: string | null): void {
    const change = { change: "witness", disk } as const;
    runtime.request({ request: "config.change-spec", tag: `witness:${++this.#tags}`, change });
  }

  /** What is not as it is wanted; null where all is. */
  unrest(): string | null {
    const wanted = this.#wanted;
    if (wanted === undefined) return null;
    const other = this.#cluster.nodes.find(({ runtime }) =>
      (runtime?.spec.witness?.disk ?? null) !== wanted
    );
    return other === undefined ? null : `${other.name} goes by another witness than ${wanted}`;
  }
}
