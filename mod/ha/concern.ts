/** What each commit tells this stream, as a rule, is of no use to anybody here. @module */
import type { Fact, Position } from "../streams.ts";
import { isHaPath } from "./files.ts";

/** What is known before a fact. */
export interface Known {
  readonly position: Position | null;
  /** Is this the tag of something that is asked for here? */
  readonly awaits: (tag: string) => boolean;
}

/** False for a fact after which nothing has to be looked at anew. */
export function isOfConcern(fact: Fact, { position, awaits }: Known): boolean {
  switch (fact.fact) {
    case "config.applied":
      return fact.whole || fact.changes.some(({ path }) => isHaPath(path));
    case "config.outcome":
      return awaits(fact.tag);
    case "config.position": {
      const { leader, writable, term } = fact.position;
      return position?.leader !== leader || position.writable !== writable ||
        position.term !== term;
    }
    default:
      return true;
  }
}
