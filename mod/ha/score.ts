/**
 * Who should run it: `score = 100 − load% − mem% − ioDelay% − placed + lean`, highest first; ties by
 * fewer resources, then by name.
 *
 * @module
 */
import type { NodeId } from "../base/id.ts";
import type { Vitals } from "../streams.ts";

/** What a placement is taken to cost its node until its vitals tell: in points of the score. */
export const PLACEMENT_COST = 1;

/** A node that could take a resource. */
export interface Candidate {
  readonly node: NodeId;
  readonly name: string;
  readonly vitals: Vitals | null;
  /** Resources that it has or was just given. */
  readonly resources: number;
  /** Of these, how many it was given in this round or does not run yet. */
  readonly placed: number;
  /** Points that soft rules give or take. */
  readonly lean?: number;
}

/** One row of the table: every term of one node's score. */
export interface Score {
  readonly node: NodeId;
  readonly name: string;
  readonly load: number;
  readonly memory: number;
  readonly ioDelay: number;
  readonly placed: number;
  readonly lean: number;
  readonly score: number;
  readonly resources: number;
}

/** The table, best first. */
export function scores(candidates: readonly Candidate[]): readonly Score[] {
  const rows = candidates.map(({ node, name, vitals, resources, placed, lean = 0 }): Score => {
    const percent = (fraction: number | undefined) => Math.round(100 * Math.min(1, fraction ?? 0));
    const load = percent(vitals?.load);
    const memory = percent(vitals?.memory);
    const ioDelay = percent(vitals?.ioDelay);
    const score = 100 - load - memory - ioDelay - PLACEMENT_COST * placed + lean;
    return { node, name, load, memory, ioDelay, placed, lean, score, resources };
  });
  return rows.sort((a, b) =>
    b.score - a.score || a.resources - b.resources || (a.name < b.name ? -1 : 1)
  );
}
