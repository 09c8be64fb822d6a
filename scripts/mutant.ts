/** What a mutant is. @module */

/** Shapes of clusters that play them. */
export const PAIR = ["--nodes", "2", "--witness"];
export const THREE = ["--nodes", "3"];

/** One change of the code. */
export interface Mutant {
  readonly name: string;
  /** Below `mod/`. */
  readonly file: string;
  /** This text, which is there once, … */
  readonly find: string;
  /** … becomes this one. */
  readonly put: string;
  /** Further changes, right in themselves, without which the mistake would hardly ever matter. */
  readonly aids?: readonly { readonly file: string; readonly find: string; readonly put: string }[];
  /** Flags of the simulator, or the test that tells the story. */
  readonly shape: readonly string[] | string;
  /** The simulator, below `scripts/`; default `sim.ts`. */
  readonly simulator?: "sim_disks.ts";
  /** It is caught within so many seeds. */
  readonly seeds: number;
  /** The first of them; default 1. One that is known to catch it late saves the way to it. */
  readonly from?: number;
}
