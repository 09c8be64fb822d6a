/** The part of a running node that is about the renewal of the cluster's key. @module */

/** What is asked for: `start` begins one where none is under way, `cancel` takes an offer back. */
export interface RenewKeyAsk {
  readonly how: "start" | "go-on" | "cancel";
}

/** How far the renewal is. */
export interface RenewKeyAnswer {
  /** `done`: no renewal is under way. */
  readonly stage: "offer" | "use" | "done";
  /** Names the key that is offered, used, or alone; tells nothing of it. */
  readonly id: string;
  /** Members that have yet to say that they did their part. */
  readonly waiting: readonly string[];
}
