/** The part of a running node that is about shared disks. @module */

/** See `RunningNode`. Refusals are ProblemErrors. */
export interface StorageNode {
  /** Everything that stream 4 shows, and the newest tests of each disk. Plain JSON. */
  show(): Promise<unknown>;
}
