/**
 * The judgement between the two voters of a pair when one is silent on the network and on the disk:
 * who should win, and the claim of one disk (`race.ts` claims all of them).
 *
 * Who may go on is decided by the disk: PREEMPT AND ABORT takes the other's registration away, the
 * target serves one of two such commands first, and the second one's sender is registered no more.
 * Who *should* go on is decided here, before: the side that goes second waits a head start.
 *
 * A target without ABORT serves them one by one too, but may still carry out what it took from the
 * loser before: a write of the register among it. Such a disk is won only after the loser was gone
 * for `fenceWaitMs` (DESIGN.md says why), with nobody there in between.
 *
 * @module
 */
import { memberOf, voters, witnessVotes } from "../base/cluster.ts";
import type { NodeId } from "../base/id.ts";
import { reason } from "../base/reason.ts";
import { after, type Instant, type Millis } from "../base/time.ts";
import type { ReservationState } from "../host/ports.ts";
import type { StorageContext } from "./context.ts";
import { eject } from "./eject.ts";
import { failureText, isConflict, isState, type Procedure, readReservations } from "./procedure.ts";
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

/** What is claimed. */
export interface ClaimAsk {
  /** Our registration there. */
  readonly key: string;
  /** The target has PREEMPT AND ABORT. */
  readonly aborts: boolean;
  /** The disk, for people. */
  readonly path: string;
  /** False where the claim is needed no more; asked after each wait. */
  readonly wanted: () => boolean;
}

/**
 * Claims one disk where `key` is our registration: ejects everyone else of this cluster and makes
 * sure that nobody but us is registered and that the disk is reserved.
 */
export function* claim(context: StorageContext, ask: ClaimAsk): Procedure<ClaimEnd> {
  const { key } = ask;
  let ejected = false;
  let { aborts } = ask;
  /** The target's counter when the wait began that is over now: nobody may have come since. */
  let waited: number | null = null;
  for (let round = 0; round <= CLAIM_ROUNDS; round++) {
    const looked = yield* lookTwice(context, key);
    if (looked.end !== "there") return looked;
    if (waited !== null && !ask.wanted()) return failed("the other node is heard again");
    const { former, others, strangers } = classifyKeys(looked.state.keys, {
      cluster: context.spec.id,
      self: context.self,
      key,
    });
    if (strangers.length > 0) return failed(`the key 0x${strangers[0]} is no member's`);
    const victims = [...former, ...[...others.values()].flat()];
    if (victims.length === 0) {
      if (looked.state.holder === key && isProtected(looked.state, key)) {
        const { state } = looked;
        if (aborts || waited === state.generation) return { end: "held", state, ejected };
        // Whoever was ejected, by this life or a former one, may have writes in the target still.
        const ms = context.timing.fenceWaitMs;
        context.say(`claim: waits ${ms} ms`, reason("storage.no-abort", { disk: ask.path }));
        waited = state.generation;
        yield { call: "pause", ms };
        continue;
      }
      const result = yield { call: "reserve", key, type: WRITE_EXCLUSIVE_REGISTRANTS };
      if (result.result !== "done" && !isConflict(result)) return failed(failureText(result));
      continue;
    }
    for (const victim of victims) {
      const end = yield* eject({ key, victim });
      if (end.end === "failed") return failed(end.why);
      if (end.end === "conflict") break;
      ejected = true;
      aborts &&= end.aborted;
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

/** How the ejection of a node ended; `proven`: nothing of it can land any more. */
export type EjectEnd =
  | { readonly end: "gone"; readonly proven: boolean }
  | { readonly end: "failed"; readonly why: string };

/** Ejects every key of `node`. What left a target without ABORT is never proven. */
export function* ejectNode(
  context: StorageContext,
  { key, node, aborts }: {
    readonly key: string;
    readonly node: NodeId;
    readonly aborts: boolean;
  },
): Procedure<EjectEnd> {
  let proven = aborts;
  for (let round = 0; round <= CLAIM_ROUNDS; round++) {
    const state = yield* readReservations();
    if (!isState(state)) return failed(failureText(state));
    if (!isProtected(state, key)) return failed("our own registration is not there");
    const us = { cluster: context.spec.id, self: context.self, key };
    const victims = classifyKeys(state.keys, us).others.get(node) ?? [];
    if (victims.length === 0) return { end: "gone", proven };
    for (const victim of victims) {
      const end = yield* eject({ key, victim });
      if (end.end === "failed") return end;
      if (end.end === "ejected") proven &&= end.aborted;
    }
  }
  return failed("it registered again and again");
}

function failed(why: string): { readonly end: "failed"; readonly why: string } {
  return { end: "failed", why };
}

function count(locks: number): string {
  return locks === 1 ? "1 disk lock" : `${locks} disk locks`;
}
