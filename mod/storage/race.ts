/**
 * The race for the witness vote over all disks that judge. Everybody claims them in one order and
 * stops at the first one lost, so that two racing nodes never share the disks in pieces: of two that
 * each reach a majority, the first disk that both reach decides for both.
 *
 * Where several disks judge, the winner then reads the register of a majority, on which nobody else
 * can write any more, and takes a ballot above all that it saw. What it writes from then on, it
 * writes under that: so what a former holder left half written is kept for good, being what the
 * next writing was made from, or never seen again.
 *
 * @module
 */
import type { ReservationState } from "../host/ports.ts";
import type { WitnessRegister } from "../streams.ts";
import { claim } from "./arbiter.ts";
import type { StorageContext } from "./context.ts";
import type { Ballot } from "./layout.ts";
import type { Panel } from "./panel.ts";
import { on, type Procedure } from "./procedure.ts";
import { newest, readSeat, type Seat, type SeatRegister } from "./register.ts";

/** A disk that was claimed. */
export interface Won {
  readonly seat: Seat;
  readonly state: ReservationState;
}

/** How a race ended. */
export type RaceEnd =
  | {
    readonly end: "held";
    readonly won: readonly Won[];
    readonly register: WitnessRegister | null;
    /** Null where one disk alone judges. */
    readonly ballot: Ballot | null;
    readonly ejected: boolean;
  }
  /** The other side was first on this disk. */
  | { readonly end: "ejected"; readonly seat: Seat; readonly state: ReservationState }
  | { readonly end: "failed"; readonly why: string };

/**
 * Claims the vote. `seats` are the disks of the panel that answer us, in its order; `epochs` gives
 * a number above the given one that this life never had; `wanted` is false once the other node is
 * heard again.
 */
export function* race(
  context: StorageContext,
  { panel, seats, epochs, wanted }: {
    readonly panel: Panel;
    readonly seats: readonly Seat[];
    readonly epochs: (above: number) => number;
    readonly wanted: () => boolean;
  },
): Procedure<RaceEnd> {
  const { needed, order } = panel;
  if (seats.length < needed) return failed(shortText(seats.length, panel));
  const early = yield* readAll(seats);
  const first = newest(early);
  if (first !== null && !first.register.set.includes(context.self)) {
    const names = first.register.set.map((id) => context.name(id)).join(", ");
    return failed(`the witness register says that only ${names || "nobody"} may commit`);
  }
  const won: Won[] = [];
  let ejected = false;
  let missed = 0;
  for (const seat of seats) {
    const end = yield* on(seat.index, claim(context, { ...seat, wanted }));
    if (end.end === "ejected") return { ...end, seat };
    if (end.end === "held") {
      won.push({ seat, state: end.state });
      ejected ||= end.ejected;
      continue;
    }
    missed += 1;
    // With what is left no majority can be won: nobody is ejected for nothing.
    if (seats.length - missed < needed) return end;
  }
  const read = yield* readAll(won.map(({ seat }) => seat));
  const known = newest(read);
  if (order.length === 1) {
    return { end: "held", won, register: known?.register ?? null, ballot: null, ejected };
  }
  const sound = read.filter(({ found }) => found.found === "ok");
  if (known === null || sound.length < needed) {
    return failed(`${sound.length} of ${order.length} witness disks have a sound register`);
  }
  if (!known.register.set.includes(context.self)) return failed("the register excludes us");
  const epoch = epochs(Math.max(known.ballot.epoch, first?.ballot.epoch ?? 0));
  const ballot = { epoch, key: won[0]?.seat.key ?? "" };
  return { end: "held", won, register: known.register, ballot, ejected };
}

function* readAll(seats: readonly Seat[]): Procedure<SeatRegister[]> {
  const read: SeatRegister[] = [];
  for (const seat of seats) read.push(yield* readSeat(seat));
  return read;
}

/** Why there can be no majority, as a clause. */
export function shortText(count: number, { order, needed }: Panel): string {
  return `${count} of ${order.length} witness disks answer, ${needed} are needed`;
}

function failed(why: string): { readonly end: "failed"; readonly why: string } {
  return { end: "failed", why };
}
