/**
 * Getting onto a disk: open it, know it by its label, register this life, see that it is reserved.
 *
 * The danger is in registering *again*. A node whose key was ejected while its disk did not answer
 * must not come back as if nothing had been: the winner may run its resources by now. So whoever
 * was registered, in this life or a former one, must find that key still there, or may register only
 * as `standing.ts` allows; and the target's generation counter shows whether somebody came in
 * between looking and registering.
 *
 * @module
 */
import type { TestStep } from "../base/disk_test.ts";
import type { Instant } from "../base/time.ts";
import type { ReservationState } from "../host/ports.ts";
import { BLOCK_BYTES } from "./block.ts";
import type { StorageContext } from "./context.ts";
import { asksAbort, eject } from "./eject.ts";
import type { DiskCall } from "./events.ts";
import {
  decodeLabel,
  decodePulse,
  DISK_NODE_MAX,
  type Label,
  LABEL_BLOCK,
  slotOffset,
} from "./layout.ts";
import { failureText, isConflict, isState, type Procedure, readReservations } from "./procedure.ts";
import {
  classifyKeys,
  isForgotten,
  isLossOfAll,
  makeKey,
  nextGeneration,
  WRITE_EXCLUSIVE_REGISTRANTS,
} from "./reservation.ts";
import { testRefusal } from "./self_test.ts";
import type { Absence, Loss } from "./standing.ts";

/** How an attempt to get onto a disk ended. */
export type Enrolment =
  | {
    readonly end: "ready";
    readonly key: string;
    readonly state: ReservationState;
    /** The target has PREEMPT AND ABORT; null where it was not asked. */
    readonly aborts: boolean | null;
    /** Whether it refused us before; null where that was not seen. */
    readonly refusal: TestStep | null;
    /**
     * Our key is there since before all that runs here: it was made where nothing ran, or took the
     * place of a former life's, with nobody in between.
     */
    readonly antedates: boolean;
    /** The key of this life was there still, and this one took its place. */
    readonly kept: boolean;
    /** The target had forgotten everybody. */
    readonly forgot: boolean;
  }
  /** Our key of this life was taken away by another node. */
  | { readonly end: "ejected"; readonly state: ReservationState }
  /** No key of ours is there, and none may be made yet. */
  | { readonly end: "waits"; readonly absence: Absence; readonly state: ReservationState }
  | { readonly end: "failed"; readonly why: string };

/** What opening found. */
export type Opening =
  | {
    readonly end: "open";
    readonly kind: "scsi" | "nvme" | "file";
    readonly sizeBytes: number;
    readonly label: Label;
  }
  | { readonly end: "failed"; readonly why: string };

/** Opens the disk at `path` and reads its label. */
export function* openDisk(path: string, context: StorageContext): Procedure<Opening> {
  const opened = yield { call: "open", path };
  if (opened.result !== "opened") return failed(failureText(opened));
  const highest = Math.max(...[context.self, ...context.peers()].map(Number));
  if (context.self > DISK_NODE_MAX) {
    return failed(`node id ${context.self} has no pulse slot, the highest is ${DISK_NODE_MAX}`);
  }
  if (opened.sizeBytes < slotOffset(highest) + BLOCK_BYTES) {
    return failed(`it has only ${opened.sizeBytes} bytes`);
  }
  const offset = LABEL_BLOCK * BLOCK_BYTES;
  const block = yield { call: "read", offset, length: BLOCK_BYTES };
  if (block.result !== "bytes") return failed(failureText(block));
  const label = decodeLabel(block.bytes);
  if (label.found !== "ok") return failed(`it has no label of pentad: ${label.why}`);
  if (label.value.cluster !== context.spec.id) {
    return failed(`it belongs to the cluster "${label.value.clusterName}"`);
  }
  return { end: "open", kind: opened.kind, sizeBytes: opened.sizeBytes, label: label.value };
}

/** What is known when a life gets onto a disk. */
export interface EnrolAsk {
  /** The key under which this life was registered before, or null. */
  readonly old: string | null;
  /** Why that key is gone, where that is known already. */
  readonly gone: Absence | null;
  /** What else bears on whether it may be registered again; asked right before that is done. */
  readonly loss: () => Pick<Loss, "lostAt" | "kept">;
  /** The last look at the disk with `old` on it. */
  readonly before: ReservationState | null;
  /** The new key has the generation after this one. */
  readonly generation: number;
  readonly uuid: string;
}

/** Registers this life. */
export function* enrol(context: StorageContext, ask: EnrolAsk): Procedure<Enrolment> {
  const before = yield* readReservations();
  if (!isState(before)) return failed(failureText(before));
  // Of a key that is known to be gone, what turns up later proves nothing: a command that hung.
  const ours = ask.gone === null ? oursAmong(context, ask.old, before) : [];
  let gone: Absence | "there" | null = null;
  if (ours.length === 0) {
    const absence = yield* absenceOf(context, ask, before);
    if (absence === null) return failed("the disk does not say whether we were there");
    if (absence === "ejected" && ask.old !== null) return { end: "ejected", state: before };
    if (absence !== "there" && !context.mayRegister({ ...ask.loss(), absence })) {
      return { end: "waits", absence, state: before };
    }
    gone = absence;
  }
  const { former } = classifyKeys(before.keys, {
    ...{ cluster: context.spec.id, self: context.self, key: null },
  });
  const refusal = former.length === 0 ? yield* testRefusal(before) : null;
  const { self, spec } = context;
  const key = makeKey(spec.id, self, nextGeneration(ask.generation, self, before.keys));
  const { idle } = context.standing;
  const registered = yield { call: "register", key };
  if (registered.result !== "done") return failed(failureText(registered));
  const state = yield* readReservations();
  if (!isState(state)) return failed(failureText(state));
  if (!state.keys.includes(key)) return failed("the registration did not stick");
  const untouched = state.generation === ((before.generation + 1) >>> 0);
  const vanished = ours.length > 0 && !ours.some((each) => state.keys.includes(each));
  if (vanished && !untouched && !context.standing.idle) {
    // Somebody was at work between our two looks, and our old key went: it was ejected.
    yield { call: "unregister", key };
    return { end: "ejected", state };
  }
  const closed = yield* closeFormerLives(context, key, state);
  if (closed !== null) return failed(closed);
  const held = yield* holdReservation(key);
  if (held.end !== "ready") return held;
  const aborts = yield* asksAbort(context, { key, taken: held.state.keys });
  if (typeof aborts === "string") return failed(aborts);
  const found = gone === "there" || (ours.length > 0 && (untouched || !vanished));
  const antedates = (ask.old === null && found) || (idle && context.standing.idle);
  const [kept, forgot] = [ask.old !== null && found, gone === "forgotten"];
  return { ...held, aborts, refusal, antedates, kept, forgot };
}

/** The keys by which we are on the disk still: that of this life, or else those of former ones. */
function oursAmong(
  context: StorageContext,
  old: string | null,
  { keys }: ReservationState,
): readonly string[] {
  if (old !== null) return keys.includes(old) ? [old] : [];
  return classifyKeys(keys, { cluster: context.spec.id, self: context.self, key: null }).former;
}

/** Why no key of ours is there (`there`: it is back); null where the disk does not answer that. */
function* absenceOf(
  context: StorageContext,
  { old, gone, before, uuid }: EnrolAsk,
  first: ReservationState,
): Procedure<Absence | "there" | null> {
  if (gone !== null) return gone;
  if (old !== null) {
    if (isLossOfAll(before, first, { recent: false, own: old })) return "forgotten";
    // Looked at once more, a beat later: a key that is replaced is gone for a moment.
    yield { call: "pause", ms: context.timing.beatMs };
    const again = yield* readReservations();
    if (!isState(again)) return null;
    if (again.keys.includes(old)) return "there";
    return isLossOfAll(before, again, { recent: false, own: old }) ? "forgotten" : "ejected";
  }
  const offset = slotOffset(context.self);
  const slot = yield { call: "read", offset, length: BLOCK_BYTES };
  if (slot.result !== "bytes") return null;
  const found = decodePulse(slot.bytes, { node: context.self, uuid });
  // What a former life left there tells that it was registered; damage may have been such a slot.
  if (found.found === "blank") return "new";
  return isForgotten(first) ? "forgotten" : "ejected";
}

/** Ejects every key of this node's former lives: they shall write no more. */
function* closeFormerLives(
  context: StorageContext,
  key: string,
  state: ReservationState,
): Procedure<string | null> {
  const us = { cluster: context.spec.id, self: context.self, key };
  for (const victim of classifyKeys(state.keys, us).former) {
    const end = yield* eject({ key, victim });
    if (end.end === "failed") return end.why;
  }
  return null;
}

/** Sees to it that the disk is reserved, by whomever, with type 5. */
export function* holdReservation(key: string): Procedure<Enrolment> {
  let state = yield* readReservations();
  if (!isState(state)) return failed(failureText(state));
  if (state.holder === null) {
    const call: DiskCall = { call: "reserve", key, type: WRITE_EXCLUSIVE_REGISTRANTS };
    const result = yield call;
    // A conflict: another registrant was faster, which serves as well.
    if (result.result !== "done" && !isConflict(result)) return failed(failureText(result));
    state = yield* readReservations();
    if (!isState(state)) return failed(failureText(state));
  }
  if (!state.keys.includes(key)) return failed("our key went while it was being reserved");
  if (state.holder === null) return failed("it could not be reserved");
  if (state.type !== WRITE_EXCLUSIVE_REGISTRANTS) {
    return failed(`it is reserved with type ${state.type}, not ${WRITE_EXCLUSIVE_REGISTRANTS}`);
  }
  const known = { aborts: null, refusal: null, antedates: false, kept: true, forgot: false };
  return { end: "ready", key, state, ...known };
}

function failed(why: string): { readonly end: "failed"; readonly why: string } {
  return { end: "failed", why };
}

/** When a disk that failed is tried again. */
export const REOPEN_BEATS = 5;

/** When to try again after a failure at `now`. */
export function reopenAt(context: StorageContext): Instant {
  return (context.now() + REOPEN_BEATS * context.timing.beatMs) as Instant;
}
