/** The part of a running node that is about shared disks. @module */

/** A disk that judges, or would. */
export interface WitnessDisk {
  readonly uuid: string;
  /** Where it is on this node; null where it is not. */
  readonly path: string | null;
  readonly state: string;
  /** The nodes that were seen to write there lately, this one too. */
  readonly seen: readonly string[];
  /** Of the last self-test; null before the first. */
  readonly verdict: string | null;
}

/** The witness of the cluster as this node sees it. */
export interface WitnessState {
  /** The uuid that the cluster's description names; null: there is no witness. */
  readonly disk: string | null;
  /** It has a vote: there are two voters. */
  readonly votes: boolean;
  /** So many of its disks make the vote. */
  readonly needed: number;
  readonly disks: readonly WitnessDisk[];
  /** This node holds the vote. */
  readonly held: boolean;
  /** Who would win now, and why. */
  readonly verdict: string;
}

/** Which disks are to be the witness. */
export interface WitnessAsk {
  /** Paths or uuids; none: there is to be no witness. */
  readonly disks: readonly string[];
  /** False: only say what would be done. */
  readonly commit: boolean;
}

/** What was done, or would be. */
export interface WitnessChange {
  readonly before: string | null;
  readonly after: string | null;
  /** The changes that the cluster commits, one after the other; null: none from then on. */
  readonly steps: readonly (string | null)[];
  readonly warnings: readonly string[];
}

/** See `RunningNode`. Refusals are ProblemErrors. */
export interface StorageNode {
  /** Everything that stream 4 shows, and the newest tests of each disk. Plain JSON. */
  show(): Promise<unknown>;
  witness(): WitnessState;
  /** Gives the witness vote to these disks. */
  setWitness(ask: WitnessAsk): Promise<WitnessChange>;
}
