/**
 * The judgement between the two voters of a pair when one is silent on the network and on the disk:
 * who should win, and the claim of one disk (`race.ts` claims all of them).
 *
 * Who may go on is decided by the disk: PREEMPT AND ABORT takes the other's registration away, the
 * target serves one of two such commands first, and the second one's sender is registered no more.
 * Who *should* go on is decided here, before: the side that goes second waits a head start.
 *
 * @module
 */
import { memberOf, voters, witnessVotes } from "../base/cluster.ts";
import type { NodeId } from "../base/id.ts";
import { after, type Instant, type Millis } from "../base/time.ts";
import type { ReservationState } from "../host/ports.ts";
import type { StorageContext } from "./context.ts";
import { isState, readReservations } from "./enrol.ts";
import { failureText, isConflict, type Procedure } from "./procedure.ts";
import {
  classifyKeys,
  isForgotten,
  isProtected,
  WRITE_EXCLUSIVE_REGISTRANTS,
} from "./reservation.ts";

/** Rounds of "eject everyone, look again" in one claim. */
export const CLAIM_ROUNDS = 3;

/** What both sides knew before the cut. */
export interface Scales {
  readonly self: NodeId;
  readonly peer: NodeId;
  /** Our disk locks, as far as the peer is known to have heard of them. */
  readonly ours: number;
  readonly theirs: number;
  /** The witness vote is in our hand already. */
  readonly held: boolean;
}

/** Who goes first, and why. */
export interface Verdict {
  readonly first: NodeId;
  readonly why: "holds" | "locks" | "tie";
}

/** Weighs: the holder of the vote, then more disk locks, then the lower node id. */
export function judge({ self, peer, ours, theirs, held }: Scales): Verdict {
  if (held) return { first: self, why: "holds" };
  if (ours !== theirs) return { first: ours > theirs ? self : peer, why: "locks" };
  return { first: self < peer ? self : peer, why: "tie" };
}

/** The verdict as a sentence. */
export function verdictText(
  scales: Scales,
  names: { readonly self: string; readonly peer: string },
): string {
  const { first, why } = judge(scales);
  const name = first === scales.self ? names.self : names.peer;
  const other = first === scales.self ? names.peer : names.self;
  const [more, fewer] = first === scales.self
    ? [scales.ours, scales.theirs]
    : [scales.theirs, scales.ours];
  if (why === "holds") return `${name} goes first: it holds the witness vote`;
  if (why === "locks") {
    return `${name} goes first: it holds ${count(more)}, ${other} ${count(fewer)}`;
  }
  return `${name} goes first: both hold ${count(more)}, and its node id is lower`;
}

/** The other voter where the witness has a vote and we are a voter; else null. */
export function opponent(context: StorageContext): NodeId | null {
  const { spec, self } = context;
  if (!witnessVotes(spec) || memberOf(spec, self)?.role !== "voter") return null;
  return voters(spec).find(({ id }) => id !== self)?.id ?? null;
}

/** When to claim a vote that is open since `since`. */
export function claimAt(scales: Scales, since: Instant, headStartMs: Millis): Instant {
  return judge(scales).first === scales.self ? since : after(since, headStartMs);
}

/** How a claim of one disk ended. */
export type ClaimEnd =
  | {
    readonly end: "held";
    readonly state: ReservationState;
    /** Somebody had to be ejected. */
    readonly ejected: boolean;
  }
  /** Our own key is gone: the other side won. Looked at twice. */
  | { readonly end: "ejected"; readonly state: ReservationState }
  | { readonly end: "failed"; readonly why: string };

/**
 * Claims one disk where `key` is our registration: ejects everyone else of this cluster and makes
 * sure that nobody but us is registered and that the disk is reserved.
 */
export function* claim(context: StorageContext, key: string): Procedure<ClaimEnd> {
  let ejected = false;
  for (let round = 0; round <= CLAIM_ROUNDS; round++) {
    const looked = yield* lookTwice(context, key);
    if (looked.end !== "there") return looked;
    const { former, others, strangers } = classifyKeys(looked.state.keys, {
      cluster: context.spec.id,
      self: context.self,
      key,
    });
    if (strangers.length > 0) return failed(`the key 0x${strangers[0]} is no member's`);
    const victims = [...former, ...[...others.values()].flat()];
    if (victims.length === 0) {
      if (looked.state.holder === key && isProtected(looked.state, key)) {
        return { end: "held", state: looked.state, ejected };
      }
      const result = yield { call: "reserve", key, type: WRITE_EXCLUSIVE_REGISTRANTS };
      if (result.result !== "done" && !isConflict(result)) return failed(failureText(result));
      continue;
    }
    for (const victim of victims) {
      const result = yield { call: "preempt", key, victim, type: WRITE_EXCLUSIVE_REGISTRANTS };
      if (result.result !== "done" && !isConflict(result)) return failed(failureText(result));
      ejected ||= result.result === "done";
      // A conflict: the victim is gone, or we are. The next look tells which.
      if (result.result !== "done") break;
    }
  }
  return failed("others registered again and again");
}

type Look =
  | { readonly end: "there"; readonly state: ReservationState }
  | Exclude<ClaimEnd, { end: "held" }>;

/** Is our key there? A missing one is looked for again a beat later before it counts as gone. */
function* lookTwice(context: StorageContext, key: string): Procedure<Look> {
  const state = yield* readReservations();
  if (!isState(state)) return failed(failureText(state));
  if (state.keys.includes(key)) return { end: "there", state };
  yield { call: "pause", ms: context.timing.beatMs };
  const again = yield* readReservations();
  if (!isState(again)) return failed(failureText(again));
  if (again.keys.includes(key)) return { end: "there", state: again };
  return isForgotten(state) || isForgotten(again)
    ? failed("the disk forgot all registrations")
    : { end: "ejected", state: again };
}

/** Ejects every key of `node`; null on success, else why not. */
export function* ejectNode(
  context: StorageContext,
  { key, node }: { readonly key: string; readonly node: NodeId },
): Procedure<string | null> {
  for (let round = 0; round <= CLAIM_ROUNDS; round++) {
    const state = yield* readReservations();
    if (!isState(state)) return failureText(state);
    if (!isProtected(state, key)) return "our own registration is not there";
    const us = { cluster: context.spec.id, self: context.self, key };
    const victims = classifyKeys(state.keys, us).others.get(node) ?? [];
    if (victims.length === 0) return null;
    for (const victim of victims) {
      const result = yield { call: "preempt", key, victim, type: WRITE_EXCLUSIVE_REGISTRANTS };
      if (result.result !== "done" && !isConflict(result)) return failureText(result);
    }
  }
  return "it registered again and again";
}

function failed(why: string): { readonly end: "failed"; readonly why: string } {
  return { end: "failed", why };
}

function count(locks: number): string {
  return locks === 1 ? "1 disk lock" : `${locks} disk locks`;
}
