/**
 * Getting onto a disk: open it, know it by its label, register this life, see that it is reserved.
 *
 * The danger is in registering *again*. A node whose key was ejected while its disk did not answer
 * must not come back as if nothing had been: the winner may run its resources by now. So whoever
 * was registered in this life must find that key still there, and the target's generation counter
 * shows whether somebody came in between looking and registering.
 *
 * @module
 */
import type { Instant } from "../base/time.ts";
import type { ReservationState } from "../host/ports.ts";
import type { StorageContext } from "./context.ts";
import type { DiskCall, DiskResult } from "./events.ts";
import {
  BLOCK_BYTES,
  decodeLabel,
  DISK_NODE_MAX,
  type Label,
  LABEL_BLOCK,
  slotOffset,
} from "./layout.ts";
import { failureText, isConflict, type Procedure } from "./procedure.ts";
import {
  classifyKeys,
  isForgotten,
  makeKey,
  nextGeneration,
  WRITE_EXCLUSIVE_REGISTRANTS,
} from "./reservation.ts";

/** How an attempt to get onto a disk ended. */
export type Enrolment =
  | { readonly end: "ready"; readonly key: string; readonly state: ReservationState }
  /** Our key of this life was taken away by another node. */
  | { readonly end: "ejected"; readonly state: ReservationState }
  | { readonly end: "failed"; readonly why: string };

/** What opening found. */
export type Opening =
  | {
    readonly end: "open";
    readonly kind: "scsi" | "nvme" | "file";
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
  return { end: "open", kind: opened.kind, label: label.value };
}

/** Reads the reservations; a failure comes back as it is. */
export function* readReservations(): Procedure<ReservationState | DiskResult> {
  const result = yield { call: "reservations" };
  return result.result === "reservations" ? result.state : result;
}

/** True for what {@link readReservations} gives on success. */
export function isState(result: ReservationState | DiskResult): result is ReservationState {
  return "keys" in result;
}

/**
 * Registers this life with the generation after `generation`. `old` is the key under which this
 * life was registered before, or null.
 */
export function* enrol(
  context: StorageContext,
  { old, generation }: { readonly old: string | null; readonly generation: number },
): Procedure<Enrolment> {
  const before = yield* readReservations();
  if (!isState(before)) return failed(failureText(before));
  if (old !== null && !before.keys.includes(old) && !isForgotten(before)) {
    const again = yield* confirmGone(context, old);
    if (again !== null) return again;
  }
  const { self, spec } = context;
  const key = makeKey(spec.id, self, nextGeneration(generation, self, before.keys));
  const registered = yield { call: "register", key };
  if (registered.result !== "done") return failed(failureText(registered));
  const state = yield* readReservations();
  if (!isState(state)) return failed(failureText(state));
  if (!state.keys.includes(key)) return failed("the registration did not stick");
  const untouched = state.generation === before.generation + 1;
  if (old !== null && before.keys.includes(old) && !state.keys.includes(old) && !untouched) {
    // Somebody was at work between our two looks, and our old key went: it was ejected.
    yield { call: "unregister", key };
    return { end: "ejected", state };
  }
  const closed = yield* closeFormerLives(context, key, state);
  if (closed !== null) return failed(closed);
  return yield* holdReservation(key);
}

/** Preempts every key of this node's former lives, so that no late write of theirs can land. */
function* closeFormerLives(
  context: StorageContext,
  key: string,
  state: ReservationState,
): Procedure<string | null> {
  const us = { cluster: context.spec.id, self: context.self, key };
  for (const victim of classifyKeys(state.keys, us).former) {
    const result = yield { call: "preempt", key, victim, type: WRITE_EXCLUSIVE_REGISTRANTS };
    // A conflict says that the victim is gone already, or that we are: the next look tells which.
    if (result.result !== "done" && !isConflict(result)) return failureText(result);
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
  return { end: "ready", key, state };
}

/** Looks once more, a beat later: a key that is replaced is gone for a moment. */
function* confirmGone(context: StorageContext, key: string): Procedure<Enrolment | null> {
  yield { call: "pause", ms: context.timing.beatMs };
  const state = yield* readReservations();
  if (!isState(state)) return failed(failureText(state));
  if (state.keys.includes(key)) return null;
  // Nobody is registered at all: the target forgot everyone, and nobody won.
  return isForgotten(state) ? null : { end: "ejected", state };
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
