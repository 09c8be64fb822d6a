/**
 * The witness register on the disks that judge: read, compare, write, and look again.
 *
 * One command compares and writes where the disk has it. Elsewhere what makes two commands one is
 * the registration: whoever ejects us in between makes the target refuse the write, and a look
 * afterwards tells that it was not refused by being written to nowhere. So nothing is written here
 * without our live registration, and nothing counts as written before registration and content were
 * seen again, on a majority of the disks. Any two majorities share a disk: whoever reads one sees
 * what was written to another; the higher ballot, then the higher version is the newer.
 *
 * @module
 */
import type { WitnessRegister } from "../streams.ts";
import { equalBytes } from "../base/bytes.ts";
import { BLOCK_BYTES, type Decoded } from "./block.ts";
import {
  type Ballot,
  decodeStored,
  encodeRegister,
  REGISTER_BLOCK,
  type StoredRegister,
} from "./layout.ts";
import {
  failureText,
  isState,
  isUnsupported,
  on,
  type Procedure,
  readReservations,
} from "./procedure.ts";
import { isProtected } from "./reservation.ts";

const OFFSET = REGISTER_BLOCK * BLOCK_BYTES;

/** A disk that judges, where we are registered. */
export interface Seat {
  /** Index of the disk. */
  readonly index: number;
  readonly uuid: string;
  /** Our key there. */
  readonly key: string;
  /** The target has PREEMPT AND ABORT. */
  readonly aborts: boolean;
  /** The disk, for people. */
  readonly path: string;
  /** Our registration is still the one that this seat was made for. */
  readonly stands: () => boolean;
}

/** What `storage.swap` asks for. */
export interface SwapAsk {
  readonly expect: number;
  readonly held: boolean;
  readonly register: WitnessRegister;
}

/** Where a swap happens. */
export interface SwapPlace {
  readonly seats: readonly Seat[];
  /** On so many it must be written. */
  readonly needed: number;
  readonly isHeld: () => boolean;
  /** The ballot under which we hold the vote; null where one disk alone judges, or we hold none. */
  readonly ballot: Ballot | null;
}

/** How a swap ended: what was written, or on refusal what is there, if known. */
export interface SwapEnd {
  readonly ok: boolean;
  readonly register: WitnessRegister | null;
  /** For people; empty on success. */
  readonly why: string;
}

/** One disk's register, and the very bytes that it was read from. */
export interface SeatRegister {
  readonly seat: Seat;
  readonly found: Decoded<StoredRegister>;
  readonly bytes: Uint8Array | null;
}

/** Reads the register of one disk; a disk that does not answer counts as damage. */
export function* readSeat(seat: Seat): Procedure<SeatRegister> {
  const result = yield* on(seat.index, readBlock());
  if (typeof result === "string") {
    return { seat, found: { found: "damaged", why: result }, bytes: null };
  }
  return { seat, found: decodeStored(result, seat.uuid), bytes: result };
}

function* readBlock(): Procedure<Uint8Array | string> {
  const result = yield { call: "read", offset: OFFSET, length: BLOCK_BYTES };
  return result.result === "bytes" ? result.bytes : failureText(result);
}

/** The newest of what was read; null where nothing sound was. */
export function newest(read: readonly SeatRegister[]): StoredRegister | null {
  const sound = read.flatMap(({ found }) => found.found === "ok" ? [found.value] : []);
  return sound.sort(compareStored).at(-1) ?? null;
}

function compareStored(a: StoredRegister, b: StoredRegister): number {
  return compareBallots(a.ballot, b.ballot) || a.register.version - b.register.version ||
    a.register.term - b.register.term || a.register.subterm - b.register.subterm;
}

function compareBallots(a: Ballot, b: Ballot): number {
  return a.epoch - b.epoch || (a.key < b.key ? -1 : a.key > b.key ? 1 : 0);
}

/**
 * Writes a register where `there` lies, under our registration, and looks again. Null on success,
 * else why it does not count.
 */
export function* writeSeat(
  { seat, bytes: there }: SeatRegister,
  stored: StoredRegister,
): Procedure<string | null> {
  if (there === null) return "what lies there is not known";
  const bytes = encodeRegister(stored.register, seat.uuid, stored.ballot);
  return yield* on(seat.index, writeBlock(seat, there, bytes));
}

function* writeBlock(
  { key, stands }: Seat,
  there: Uint8Array,
  bytes: Uint8Array,
): Procedure<string | null> {
  if (!stands()) return "our registration is not what it was";
  let written = yield { call: "compare-and-write", offset: OFFSET, expect: there, bytes };
  if (isUnsupported(written)) {
    if (!stands()) return "our registration is not what it was";
    written = yield { call: "write", offset: OFFSET, bytes };
  }
  if (written.result !== "done") return failureText(written);
  const after = yield* readReservations();
  if (!isState(after)) return failureText(after);
  if (!isProtected(after, key)) return "our registration went during the write";
  const again = yield { call: "read", offset: OFFSET, length: BLOCK_BYTES };
  if (again.result !== "bytes") return failureText(again);
  return equalBytes(again.bytes, bytes) ? null : "another node wrote the register";
}

/** Replaces the register. `isHeld` is asked right before anything is written. */
export function* swap(ask: SwapAsk, place: SwapPlace): Procedure<SwapEnd> {
  const { seats, needed } = place;
  const read: SeatRegister[] = [];
  let why = "our registration is not there";
  for (const seat of seats) {
    const before = yield* on(seat.index, readReservations());
    if (!isState(before)) why = failureText(before);
    else if (isProtected(before, seat.key)) {
      const each = yield* readSeat(seat);
      if (each.found.found === "ok") read.push(each);
      else why = `the register is ${each.found.found}: ${each.found.why}`;
    }
  }
  const known = newest(read);
  if (known === null || read.length < needed) return refused(why);
  const there = known.register;
  if (there.version !== ask.expect) {
    return refused(`the register has version ${there.version}, not ${ask.expect}`, there);
  }
  if (ask.register.version !== ask.expect + 1) {
    return refused("the new version is not the next one", there);
  }
  if (ask.held && !place.isHeld()) return refused("the witness vote is not held", there);
  const ballot = ask.held && place.ballot !== null ? place.ballot : known.ballot;
  if (compareBallots(known.ballot, ballot) > 0) {
    return refused("another node began to hold the vote since", there);
  }
  let written = 0;
  for (const each of read) {
    const failed = yield* writeSeat(each, { ballot, register: ask.register });
    if (failed === null) written += 1;
    else why = failed;
  }
  return written >= needed ? { ok: true, register: ask.register, why: "" } : refused(why);
}

function refused(why: string, register: WitnessRegister | null = null): SwapEnd {
  return { ok: false, register, why };
}
