/** What is to be said of a ticket, without what makes it one. @module */
import type { Millis } from "./time.ts";

/**
 * A ticket that was made here. `open`: nobody used it. `pending`: `node` asked to be let in, and is
 * no member yet. `used`: it is one.
 */
export interface TicketState {
  /** The first 8 hex digits of its id, as the events show them. */
  readonly id: string;
  readonly state: "open" | "pending" | "used";
  /** The name of the machine that uses it. */
  readonly node: string | null;
  readonly leftMs: Millis;
}
