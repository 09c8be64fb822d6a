/**
 * A node that stops in order goes out quietly: once nothing runs on it any more it hands the
 * leadership to a voter that holds everything, and campaigns no more, so that no election has to find
 * out that it is gone. Of a pair with a witness it first sees the register name both again: left with
 * its own name alone, nobody could lead without it (facts: "piecemeal shutdown").
 *
 * @module
 */
import { after, EPOCH, type Instant, NEVER } from "../base/time.ts";
import { bestSuccessor, startTransfer } from "./lead_transfer.ts";
import type { Raft } from "./raft.ts";

/** After so many election minima it goes, whoever leads. */
const LIMIT_ELECTIONS = 6;

/** One per node; idle until the node is told to stop. */
export class Leaving {
  readonly #raft: Raft;
  #asked = false;
  /** Nothing runs here any more: leadership may go, and this is over at the latest at `#until`. */
  #yielding = false;
  #until: Instant = EPOCH;

  constructor(raft: Raft) {
    this.#raft = raft;
  }

  /** The node is told to stop. */
  onShutdown(): void {
    this.#asked = true;
    this.#raft.leaving = true;
  }

  /** Nothing runs here any more. */
  onEmpty(): void {
    if (!this.#asked) return;
    this.#yielding = true;
    this.#until = after(this.#raft.now, LIMIT_ELECTIONS * this.#raft.timing.electionMinMs);
  }

  /** Called at each step. */
  tend(): void {
    const raft = this.#raft;
    if (!this.#yielding) return;
    if (raft.role !== "leader" || raft.now >= this.#until) {
      // A follower that handed over is done only when somebody leads, or it could vanish too soon.
      if (raft.leader !== null || raft.leadTransfer === null) this.#end();
      return;
    }
    if (raft.leadTransfer !== null) return;
    if (bestSuccessor(raft) === null) return this.#end();
    // The other one holds everything as soon as the register may be widened: it soon is.
    if (raft.hasWitness && !raft.witness.shared) return;
    startTransfer(raft, null, (refused) => {
      if (refused !== null) this.#end();
    });
  }

  deadline(): Instant {
    return this.#yielding ? this.#until : NEVER;
  }

  #end(): void {
    if (!this.#yielding) return;
    this.#yielding = false;
    this.#raft.tell({ fact: "config.yielded" });
  }
}
