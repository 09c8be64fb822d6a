/** By what a silent node counts as dead. @module */

/** How a node's death was proven (DESIGN.md section 3). */
export type DeathProof =
  | "wait"
  | "clean-stop"
  | "self-fenced"
  | "fence-agent"
  | "storage"
  | "confirmed";
