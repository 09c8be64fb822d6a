/** Views: who is online, numbered, and agreed when all members report the same. @module */
import type { ClusterSpec } from "../base/cluster.ts";
import type { NodeId } from "../base/id.ts";
import type { View } from "../streams.ts";
import { expectedVotes, neededVotes, presentVotes } from "./quorum.ts";

/** What a peer reported in its newest beat. */
export interface Report {
  readonly epoch: number;
  readonly online: readonly number[];
}

/** Highest view epoch that a beat can carry. */
const EPOCH_MAX = 0xffffffff;

/** Keeps the view of this node. */
export class Membership {
  #view: View;

  constructor() {
    const nobody = { present: 0, expected: 0, needed: 1 };
    this.#view = { epoch: 0, online: [], ...nobody, quorate: false, installed: false };
  }

  /** The view in force. */
  get view(): View {
    return this.#view;
  }

  /**
   * Recomputes the view; a majority of each description is needed. `reports` are those of the other
   * online members. True where it changed in more than its epoch.
   */
  refresh(
    specs: readonly ClusterSpec[],
    online: readonly NodeId[],
    reports: readonly Report[],
    witnessHeld: boolean,
  ): boolean {
    const before = this.#view;
    const sorted = [...online].sort((a, b) => a - b);
    const changed = sorted.join() !== before.online.join();
    const highest = reports.reduce((max, report) => Math.max(max, report.epoch), before.epoch);
    const epoch = Math.min(EPOCH_MAX, changed ? highest + 1 : highest);
    const counts = specs.map((spec) => ({
      present: presentVotes(spec, sorted, witnessHeld),
      ...{ expected: expectedVotes(spec), needed: neededVotes(spec) },
    }));
    // Of several the one that wants most: the newest one, where none wants anything.
    const { present, expected, needed } = counts.reduce((worst, each) => (
      each.needed - each.present > Math.max(0, worst.needed - worst.present) ? each : worst
    ));
    const installed = reports.every((report) => report.online.join() === sorted.join());
    const quorate = present >= needed;
    this.#view = { epoch, online: sorted, present, expected, needed, quorate, installed };
    return changed || present !== before.present || expected !== before.expected ||
      needed !== before.needed || quorate !== before.quorate || installed !== before.installed;
  }
}
