/**
 * What a majority is known to have heard from us, and when we had sent that.
 *
 * An echo proves that its sender had our beat; the beat was sent at an instant of our own clock; so
 * no clock of anybody else takes part. An echo names our life by the first bytes of its boot id: what
 * a peer heard from a former life proves nothing about this one.
 *
 * @module
 */
import { type ClusterSpec, voters, witnessVotes } from "../base/cluster.ts";
import type { NodeId } from "../base/id.ts";
import { EPOCH, type Instant, latest } from "../base/time.ts";
import { type DatedVotes, majorityInstant, neededVotes, votesOf } from "./quorum.ts";

/** Own beats whose send time is remembered; an echo of an older one proves nothing. */
export const SENT_MAX = 256;

/** Collects echoes; answers {@link provenAt}. */
export class Proof {
  readonly #sent = new Map<number, Instant>();
  readonly #heardBy = new Map<NodeId, Instant>();
  #witnessAt: Instant = EPOCH;

  /** We sent this beat at this instant. */
  sent(seq: number, at: Instant): void {
    this.#sent.set(seq, at);
    if (this.#sent.size > SENT_MAX) {
      for (const oldest of this.#sent.keys()) {
        this.#sent.delete(oldest);
        break;
      }
    }
  }

  /** When we sent this beat, or null where that is forgotten or never was. */
  sentAt(seq: number): Instant | null {
    return this.#sent.get(seq) ?? null;
  }

  /** A peer is known to have heard what we sent at this instant. */
  heard(by: NodeId, sentAt: Instant): void {
    this.#heardBy.set(by, latest(this.#heardBy.get(by) ?? EPOCH, sentAt));
  }

  /** When we issued the newest that the witness has heard; `EPOCH` for nothing. */
  get witnessAt(): Instant {
    return this.#witnessAt;
  }

  /** The witness counts as having heard what we issued at this instant. */
  witnessHeard(issuedAt: Instant): void {
    this.#witnessAt = latest(this.#witnessAt, issuedAt);
  }

  /** The witness vote is gone: what it heard counts no more. */
  forgetWitness(): void {
    this.#witnessAt = EPOCH;
  }

  /** Send time of the newest of our beats that a majority, we included, is known to have heard. */
  provenAt(spec: ClusterSpec, self: NodeId, now: Instant): Instant {
    const dated: DatedVotes[] = voters(spec).map((member) => ({
      votes: member.votes,
      at: member.id === self ? now : this.#heardBy.get(member.id) ?? EPOCH,
    }));
    if (witnessVotes(spec)) dated.push({ votes: 1, at: this.#witnessAt });
    const proven = majorityInstant(dated, neededVotes(spec));
    // A learner, or a member that was removed, proves nothing to itself.
    return votesOf(spec, self) > 0 ? proven : EPOCH;
  }
}
